"""The streams that the journal lives in: made once, compared at every start."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from gateway.journal import subjects
from gateway.journal.link import ApiError, Link
from gateway.journal.log import Damaged

JOURNAL = "JOURNAL"
REFUSED = "REFUSED"
LIVE = "LIVE"
DESIRED = "KV_desired"

NOT_FOUND = 10059
_SECOND = 1_000_000_000
_DAY = 24 * 3600 * _SECOND
MB = 1024 * 1024

UNCHANGEABLE = ("max_age", "max_bytes", "discard", "retention", "storage", "deny_delete")
"""A changed value of these can silently empty a stream, so it is refused and never set right by itself."""


def configs(max_bytes: int) -> tuple[Mapping[str, Any], ...]:
    """All streams; `max_bytes` bounds the journal, which refuses when it is full and never forgets."""
    return (journal(max_bytes), refused(), live(), desired())


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


def refused() -> dict[str, Any]:
    """What strangers sent; the oldest goes first."""
    return {
        "name": REFUSED,
        "subjects": [f"{subjects.REFUSED}.>"],
        "storage": "file",
        "retention": "limits",
        "discard": "old",
        "max_bytes": 64 * MB,
        "max_age": 30 * _DAY,
        "persist_mode": "async",
        "allow_direct": True,
        "num_replicas": 1,
    }


def live() -> dict[str, Any]:
    """Each event once more, for outside tools; derived."""
    return {
        "name": LIVE,
        "subjects": ["event.>", "evidence.>"],
        "storage": "memory",
        "retention": "limits",
        "discard": "old",
        "max_bytes": 16 * MB,
        "max_age": _DAY,
        "duplicate_window": 120 * _SECOND,
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
    """Make the stream, or compare it.

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
    if changed:
        told = ", ".join(f"{key} is {actual.get(key)!r}, not {wanted[key]!r}" for key in changed)
        raise Damaged(
            f"stream {wanted['name']} has other settings than this hub's: {told}; "
            "next: set them back with the NATS tools, or start with the setting that it was made with"
        )


def _absent(wanted: Any) -> Any:
    """What a key that the server leaves out stands for."""
    return False if isinstance(wanted, bool) else 0 if isinstance(wanted, int) else None
