"""Requests of grid operators that cannot be used, and why a source is in fallback."""

from __future__ import annotations

from collections.abc import Mapping

from core.messages.reasons.reason import SOURCE, Reason

_CORRECT = "ask the grid operator to correct it."

GRID: Mapping[str, Reason] = {
    "token_wrong": SOURCE.medium(
        "A request came with a wrong token[ ({peer})] and was refused.", "register again, or compare the tokens."
    ),
    "token_missing": SOURCE.low(
        "A request came without a token[ ({peer})] and was refused.", "send the token that was agreed at registration."
    ),
    "group_unknown": SOURCE.medium(
        "{peer} sent a limit for group {group}, which is not mapped.", "map the group to a node in the configuration."
    ),
    "unit_unknown": SOURCE.medium(
        "{peer} sent a limit in a unit that is not known[: {value}].", "ask the grid operator for kW, W or A."
    ),
    "url_refused": SOURCE.medium(
        "The address that {peer} gave is not allowed[: {detail}].",
        "use https, or allow the address in the configuration.",
    ),
    "source_never_heard": SOURCE.medium(
        "{source} has not been heard yet; its fallback holds[: {limit_kw}].",
        "let the grid operator register, or register with him.",
    ),
    "source_back": SOURCE.low("{source} is back.", "nothing."),
    "capacity_block_invalid": SOURCE.medium(
        "{peer} sent a capacity block that cannot be used[: {detail}]. The other blocks were used.", _CORRECT
    ),
    "segment_invalid": SOURCE.medium("{peer} sent a step that cannot be used[: {detail}].", _CORRECT),
    "message_invalid": SOURCE.low("A message of {peer} cannot be used[: {detail}].", "ask the peer to correct it."),
    "not_json": SOURCE.low("A message of {peer} is not JSON in UTF-8.", "ask the peer to correct it."),
    "version_unsupported": SOURCE.medium(
        "{peer} offers no protocol version that this hub speaks.", "ask the grid operator for OSCP 2.0."
    ),
    "registration_unanswered": SOURCE.medium(
        "{peer} did not answer the registration.", "check its address, then register again."
    ),
}
