"""What is wrong with a configuration or an installation."""

from __future__ import annotations

from collections.abc import Mapping

from core.messages.reasons.reason import SETTING, Reason

SETTINGS: Mapping[str, Reason] = {
    "journal_damaged": SETTING.critical(
        "The journal does not verify[: {detail}]. Reports and lineage of what was stored before can be wrong.",
        "stop the hub, keep a copy of the data folder, and restore the journal from its last backup.",
    ),
}
