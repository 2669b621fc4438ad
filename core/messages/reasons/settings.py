"""What is wrong with a configuration or an installation."""

from __future__ import annotations

from collections.abc import Mapping

from core.messages.reasons.reason import SETTING, Reason

SETTINGS: Mapping[str, Reason] = {
    "setting_unknown": SETTING.medium("{key} is no setting[; did you mean {nearest}].", "correct the name."),
    "setting_wrong": SETTING.medium("{key} cannot be {value}[: {detail}].", "correct the value."),
    "topology_cyclic": SETTING.high(
        "The tree of limits goes in a circle[ at {node}].", "give each node one parent, and one node none."
    ),
    "parent_unknown": SETTING.high(
        "{node} hangs below {parent}, which is not declared.", "declare it, or correct the name."
    ),
    "safe_levels_exceed": SETTING.high(
        "Safe levels and the building's reserve need {needed_kw:up} at {node}, {limit_kw} is the limit[ ({source})].",
        "lower safe levels at {node}.",
    ),
    "secret_missing": SETTING.high("The secret {ref} cannot be read.", "write it to the file, or set the variable."),
    "zone_unknown": SETTING.high("The time zone {value} is not known.", "use an IANA name, for example Europe/Berlin."),
    "journal_damaged": SETTING.critical(
        "The journal does not verify[: {detail}]. Reports and lineage of what was stored before can be wrong.",
        "stop the hub, keep a copy of the data folder, and restore the journal from its last backup.",
    ),
    "journal_locked": SETTING.high(
        "Another hub writes this journal.", "stop the other one, or use another data folder."
    ),
    "journal_full": SETTING.critical(
        "The journal's disk is full; nothing is acknowledged.", "free space; the hub then goes on by itself."
    ),
}
