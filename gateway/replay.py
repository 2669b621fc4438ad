"""Folds the journal again and decides again: the same result, or the first difference by name."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from core.messages import Message, Position, dump
from core.messages.base import canonical
from core.messages.scribe import VERSION
from core.site import MOST, Memo, SiteState, decide, fold
from gateway.journal.log import Log, Record
from gateway.journal.record import hash_of, head_line

CONTROLLER = "ctl"
SHOWN = 20


@dataclass(slots=True)
class _Site:
    """One site's fold, and records that lie behind a decision which had not seen them."""

    state: SiteState
    memo: Memo = field(default_factory=Memo)
    waiting: list[Record] = field(default_factory=list)
    broken: bool = False
    """Its decisions went apart; what follows would only repeat that."""


@dataclass(slots=True)
class Replay:
    """What came out so far."""

    records: int = 0
    messages: int = 0
    decisions: int = 0
    differences: list[dict[str, Any]] = field(default_factory=list)
    sites: dict[str, _Site] = field(default_factory=dict)

    def document(self) -> dict[str, Any]:
        """As the command line shows it."""
        return {
            "records": self.records,
            "messages": self.messages,
            "decisions": self.decisions,
            "core": VERSION,
            "differences": self.differences[:SHOWN],
        }

    def differ(self, record: Record, what: str, **more: Any) -> None:
        """Note a difference at a record."""
        self.differences.append({"position": record.seq, "site": record.site, "what": what, **more})


async def replay(log: Log, *, verify: bool = False) -> dict[str, Any]:
    """Fold every record; at each decision fold up to what it had seen, decide at its moment, compare message by message.

    With `verify` the chain of every writer is checked too: each head names the hash of its writer's previous one.

    Raises:
        gateway.journal.log.Damaged: a record cannot be read at all.
    """
    result = Replay()
    ends: dict[tuple[str, str], str] = {}
    async for record in log.read(0, follow=False):
        result.records += 1
        result.messages += len(record.messages)
        if verify:
            _chained(result, ends, record)
        await asyncio.to_thread(_take, result, record)  # because: a hub goes on while it replays
    return result.document()


def _chained(result: Replay, ends: dict[tuple[str, str], str], record: Record) -> None:
    subject = (record.site, record.writer)
    before = ends.get(subject)
    if before is not None and record.head.prev != before:
        result.differ(record, f"the head of {record.writer} does not follow its previous one")
    ends[subject] = hash_of(head_line(record.head))


def _take(result: Replay, record: Record) -> None:
    site = result.sites.setdefault(record.site, _Site(SiteState(record.site)))
    if record.writer == CONTROLLER and record.head.now is not None and record.head.seen is not None:
        _catch_up(site, record.head.seen)
        if not site.broken:
            result.decisions += 1
            _compare(result, site, record, record.head.now, record.head.most or MOST)
        _catch_up(site, record.seq)
    site.waiting.append(record)


def _catch_up(site: _Site, seen: int) -> None:
    """Fold what lies up to and including `seen`."""
    while site.waiting and site.waiting[0].seq <= seen:
        record = site.waiting.pop(0)
        for index, message in enumerate(record.messages):
            site.state = fold(site.state, message, Position(record.seq, index))


def _compare(result: Replay, site: _Site, record: Record, now: datetime, most: int) -> None:
    again = decide(site.state, now, site.memo, most=most)
    difference = _difference(record.messages, again)
    if difference is None:
        return
    site.broken = True
    result.differ(record, difference[0], now=now.isoformat(), recorded=difference[1], decided=difference[2])


def _difference(recorded: Sequence[Message], decided: Sequence[Message]) -> tuple[str, Any, Any] | None:
    """The first message that is not the same, and both of them."""
    for index, (old, new) in enumerate(zip(recorded, decided, strict=False)):
        before, after = dump(old), dump(new)
        if canonical(before) != canonical(after):
            return f"message {index} ({old.type}) is decided otherwise: {_fields(before, after)}", before, after
    if len(recorded) != len(decided):
        longer = recorded if len(recorded) > len(decided) else decided
        extra = dump(longer[min(len(recorded), len(decided))])
        told = f"{len(recorded)} messages were recorded, {len(decided)} are decided; the first of the rest is {extra['type']}"
        return told, len(recorded), len(decided)
    return None


def _fields(before: dict[str, Any], after: dict[str, Any]) -> str:
    """The names of the fields that differ, of header and body."""
    flat = [{**d, **{f"body.{k}": v for k, v in d["body"].items()}} for d in (before, after)]
    names = sorted(k for k in flat[0].keys() | flat[1].keys() if k != "body" and flat[0].get(k) != flat[1].get(k))
    return ", ".join(names)
