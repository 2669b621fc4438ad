"""The streams that the journal lives in: made once, compared at every start."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from gateway.journal import subjects
from gateway.journal.limits import MB, Limits
from gateway.journal.link import ApiError, Link
from gateway.journal.log import Damaged

JOURNAL = "JOURNAL"
REFUSED = "REFUSED"
LIVE = "LIVE"
DESIRED = "KV_desired"
CONTENT = "OBJ_content"

NOT_FOUND = 10059
_SECOND = 1_000_000_000

UNCHANGEABLE = ("max_age", "max_bytes", "discard", "retention", "storage", "deny_delete")
"""A changed value of these can silently empty a stream, so it is refused and never set right by itself."""
GROWS = (JOURNAL, REFUSED, CONTENT)
"""Streams whose `max_bytes` may be raised: that empties nothing."""


def configs(limits: Limits) -> tuple[Mapping[str, Any], ...]:
    """All streams."""
    bounded = (refused(limits.refused, limits.refused_age_s), live(limits.live, limits.live_age_s))
    return (journal(limits.journal), content(limits.content), *bounded, desired())


def journal(max_bytes: int) -> dict[str, Any]:
    """The truth. Not `deny_purge`: it can never be taken back, and retention purges what was archived."""
    return {
        "name": JOURNAL,
        "subjects": [f"{subjects.JOURNAL}.>"],
        "storage": "file",
        "retention": "limits",
        "discard": "new",
        "max_bytes": max_bytes,
        "max_age": 0,
        "deny_delete": True,
        "deny_purge": False,
        "allow_direct": True,
        "duplicate_window": 3600 * _SECOND,
        "compression": "none",
        "num_replicas": 1,
    }


def content(max_bytes: int) -> dict[str, Any]:
    """What is too large for a record, as a NATS object store: evidence, so it is kept as long as the journal."""
    return {
        "name": CONTENT,
        "subjects": [f"{subjects.CHUNKS}.>", f"{subjects.META}.>"],
        "storage": "file",
        "retention": "limits",
        "discard": "new",
        "max_bytes": max_bytes,
        "max_age": 0,
        "allow_rollup_hdrs": True,
        "allow_direct": True,
        "num_replicas": 1,
    }


def refused(max_bytes: int, age_s: int) -> dict[str, Any]:
    """What strangers sent; the oldest goes first."""
    return {
        "name": REFUSED,
        "subjects": [f"{subjects.REFUSED}.>"],
        "storage": "file",
        "retention": "limits",
        "discard": "old",
        "max_bytes": max_bytes,
        "max_age": age_s * _SECOND,
        "persist_mode": "async",
        "allow_direct": True,
        "num_replicas": 1,
    }


def live(max_bytes: int, age_s: int) -> dict[str, Any]:
    """Each event once more, for outside tools; derived, so it is not flushed and is made anew where its settings change."""
    return {
        "name": LIVE,
        "subjects": ["event.>", "evidence.>"],
        "storage": "file",
        "retention": "limits",
        "discard": "old",
        "max_bytes": max_bytes,
        "max_age": age_s * _SECOND,
        "duplicate_window": min(120, age_s) * _SECOND,
        "persist_mode": "async",
        "allow_direct": True,
        "num_replicas": 1,
    }


def desired() -> dict[str, Any]:
    """The adapters' view of wishes, in memory: a projection, so no flush."""
    return {
        "name": DESIRED,
        "subjects": [f"{subjects.DESIRED}.>"],
        "storage": "memory",
        "retention": "limits",
        "discard": "new",
        "max_bytes": 32 * MB,
        "max_age": 0,
        "max_msgs_per_subject": 1,
        "allow_direct": True,
        "allow_rollup_hdrs": True,
        "deny_delete": True,
        "num_replicas": 1,
    }


async def info(link: Link, name: str) -> dict[str, Any] | None:
    """What the server says about a stream, or None where there is none."""
    try:
        return await link.api(f"STREAM.INFO.{name}")
    except ApiError as error:
        if error.err_code == NOT_FOUND:
            return None
        raise


async def ensure(link: Link, wanted: Mapping[str, Any]) -> None:
    """Make the stream, or compare it; a larger limit is taken over.

    Raises:
        Damaged: its settings are not ours; nothing was changed.
        ApiError: the server refused to make it.
    """
    found = await info(link, wanted["name"])
    if found is None:
        await link.api(f"STREAM.CREATE.{wanted['name']}", wanted)
        return
    actual = found["config"]
    changed = [key for key in UNCHANGEABLE if key in wanted and actual.get(key, _absent(wanted[key])) != wanted[key]]
    if changed and wanted["name"] == LIVE:
        await link.api(f"STREAM.DELETE.{LIVE}")
        await link.api(f"STREAM.CREATE.{LIVE}", wanted)
    elif changed == ["max_bytes"] and wanted["name"] in GROWS and wanted["max_bytes"] > actual["max_bytes"]:
        await link.api(f"STREAM.UPDATE.{wanted['name']}", {**actual, "max_bytes": wanted["max_bytes"]})
    elif changed:
        told = ", ".join(f"{key} is {actual.get(key)!r}, not {wanted[key]!r}" for key in changed)
        raise Damaged(
            f"stream {wanted['name']} has other settings than this hub's: {told}; "
            "next: set them back with the NATS tools, or start with the setting that it was made with"
        )


def _absent(wanted: Any) -> Any:
    """What a key that the server leaves out stands for."""
    return False if isinstance(wanted, bool) else 0 if isinstance(wanted, int) else None
