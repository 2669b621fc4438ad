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
    "not_registered": SOURCE.medium("{peer} spoke before it registered and was refused.", "register first."),
    "group_unknown": SOURCE.medium(
        "{peer} sent a limit for group {group}, which is not mapped.", "map the group to a node in the configuration."
    ),
    "capacity_negative": SOURCE.medium("{peer} sent a negative capacity[: {value}]. That part was not used.", _CORRECT),
    "capacity_missing": SOURCE.medium("{peer} sent a block without a capacity. That part was not used.", _CORRECT),
    "window_reversed": SOURCE.medium(
        "{peer} sent a window that ends before it begins. That part was not used.", _CORRECT
    ),
    "window_past": SOURCE.low(
        "{peer} sent a window that is over. That part was not used.", "check the grid operator's clock."
    ),
    "window_overlapping": SOURCE.low("{peer} sent windows that overlap; the lower limit holds in each.", _CORRECT),
    "unit_unknown": SOURCE.medium(
        "{peer} sent a limit in a unit that is not known[: {value}].", "ask the grid operator for kW, W or A."
    ),
    "kind_unknown": SOURCE.low(
        "{peer} sent a kind of limit that this hub does not use[: {value}].", "nothing, or ask the grid operator."
    ),
    "body_too_large": SOURCE.low("A request of {peer} is larger than is taken.", "send it in parts."),
    "peer_unreachable": SOURCE.medium("{peer} cannot be reached[: {detail}].", "check its address and the network."),
    "url_refused": SOURCE.medium(
        "The address that {peer} gave is not allowed[: {detail}].",
        "use https, or allow the address in the configuration.",
    ),
    "forecast_ended": SOURCE.high(
        "The last limits of {source} have run out[ at {since:time}]; its fallback holds.", "call the grid operator."
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
