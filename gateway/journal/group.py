"""Group commit: one task per writer stores whatever waits as one record, and releases all waiters with one answer."""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from core.messages import Message, Position
from core.ports import NotStored, NotSure
from gateway.journal import record
from gateway.journal.log import Fenced, Full, Head
from gateway.journal.record import Batch, Random

DEADLINE_S = 10.0
FIRST_PAUSE_S = 0.05
LONGEST_PAUSE_S = 1.0
MAX_WAITING = 64 * 1024 * 1024
"""Bytes that may wait in one writer; above that an append is refused at once."""

log = logging.getLogger(__name__)


class Unanswered(ConnectionError):
    """The store did not answer: what was asked may or may not have been done."""


class Stale(Exception):
    """The store refused: the subject's last sequence is not the expected one (10071)."""


@dataclass(frozen=True, slots=True)
class Ack:
    """The store's answer."""

    seq: int


@dataclass(frozen=True, slots=True)
class Tail:
    """The last stored record of a subject."""

    seq: int
    id: str
    hash: str
    """Of its head line."""


class Store(Protocol):
    """What keeps records: JetStream, or memory."""

    async def publish(self, subject: str, body: bytes, id: str, expected: int) -> Ack:
        """Store durably. Raises Unanswered, Stale, or NotStored (refused for good)."""

    async def tail(self, subject: str) -> Tail | None:
        """The subject's last record. Raises Unanswered."""

    def stored(self, subject: str, seq: int, hash: str) -> None:
        """Told after each acknowledged record."""


@dataclass(frozen=True, slots=True)
class Settings:
    """What a writer needs beside its store."""

    random: Random
    core: str | None = None
    observe: Callable[[float], None] = lambda seconds: None
    """Called with the seconds that each append took."""
    deadline_s: float = DEADLINE_S
    trouble: Callable[[], str | None] = lambda: None
    """Why nothing may be stored now, or None."""


@dataclass(slots=True, eq=False)
class _Entry:
    batch: Batch
    seen: int | None
    now: datetime | None
    most: int | None
    since: float
    done: asyncio.Future[Position]

    @property
    def alone(self) -> bool:
        return self.seen is not None or self.now is not None


@dataclass(frozen=True, slots=True)
class _Sealed:
    id: str
    hash: str
    body: bytes


class GroupWriter:
    """The `Writer` of every store. Bytes of a record never change once they were sent, until they are answered."""

    def __init__(
        self, store: Store, subject: str, name: str, epoch: int, tail: Tail | None, settings: Settings
    ) -> None:
        self._store, self._subject, self._name, self._epoch, self._settings = store, subject, name, epoch, settings
        self._seq = tail.seq if tail else 0
        self._prev = tail.hash if tail else ""
        self._waiting: deque[_Entry] = deque()
        self._writing: list[_Entry] = []
        self._bytes = 0
        self._wake = asyncio.Event()
        self._closing = False
        self._fenced: Fenced | None = None
        self._doubtful: set[str] = set()  # given up on, yet perhaps stored later
        self._loop = asyncio.get_running_loop()
        self._clock = self._loop.time
        self._task = asyncio.create_task(self._run(), name=f"journal {subject}")
        self._task.add_done_callback(self._ended)

    async def append(
        self,
        messages: Sequence[Message],
        *,
        seen: int | None = None,
        now: datetime | None = None,
        most: int | None = None,
    ) -> Position:
        """See `Writer.append`."""
        started = self._clock()
        self._refuse()
        batch = record.encode(messages, self._settings.random)
        entry = _Entry(batch, seen, now, most, started, self._loop.create_future())
        self._waiting.append(entry)
        self._bytes += entry.batch.size
        self._wake.set()
        position = await entry.done
        self._settings.observe(self._clock() - started)
        return position

    def _refuse(self) -> None:
        if self._fenced is not None:
            raise Fenced(*self._fenced.args)
        if self._closing or self._task.done():
            raise NotStored(f"the writer on {self._subject} is closed; next: restart the hub")
        if (trouble := self._settings.trouble()) is not None:
            raise Full(trouble)
        if self._bytes > MAX_WAITING:
            raise NotStored("more waits for the journal than it can store; next: look at the disk's write latency")

    async def close(self) -> None:
        """Write what is queued, then stop."""
        self._closing = True
        self._wake.set()
        await asyncio.wait([self._task])

    async def _run(self) -> None:
        while not (self._closing and not self._waiting):
            if not self._waiting:
                self._wake.clear()
                await self._wake.wait()
                continue
            group = self._writing = self._take()
            try:
                first = await self._write(group)
            except (NotStored, Fenced) as error:
                _fail(group, error)
                if isinstance(error, Fenced):
                    self._stand_down(error)
            else:
                _release(group, first)

    def _take(self) -> list[_Entry]:
        group = [self._waiting.popleft()]
        size, items = group[0].batch.size, len(group[0].batch.ids)
        while self._waiting and not group[0].alone and not self._waiting[0].alone:
            batch = self._waiting[0].batch
            size, items = size + batch.size, items + len(batch.ids)
            if not record.fits(size, items):
                break
            group.append(self._waiting.popleft())
        self._bytes -= sum(entry.batch.size for entry in group)
        return group

    def _seal(self, group: list[_Entry]) -> _Sealed:
        decision = group[0].alone
        head = record.head_line(
            Head(
                format=record.FORMAT,
                writer=self._name,
                epoch=self._epoch,
                prev=self._prev,
                items=tuple(digest for entry in group for digest in entry.batch.digests),
                seen=group[0].seen,
                now=group[0].now,
                core=self._settings.core if decision else None,
                most=group[0].most,
            )
        )
        ids = [id for entry in group for id in entry.batch.ids]
        body = record.body(head, [line for entry in group for line in entry.batch.lines])
        return _Sealed(record.record_id(self._subject, self._prev, ids), record.hash_of(head), body)

    async def _write(self, group: list[_Entry]) -> int:
        until = group[0].since + self._settings.deadline_s
        sealed = self._seal(group)
        pause = FIRST_PAUSE_S
        while True:
            try:
                ack = await self._attempt(sealed)
            except Unanswered as error:
                await self._pause(sealed, pause, until, error)
                pause = min(2 * pause, LONGEST_PAUSE_S)
                continue
            except NotStored:
                self._doubtful.add(sealed.id)
                raise
            if ack is not None:
                return self._settle(sealed, ack)
            sealed = self._seal(group)

    async def _pause(self, sealed: _Sealed, pause: float, until: float, error: Unanswered) -> None:
        if self._clock() + pause >= until:
            self._doubtful.add(sealed.id)
            raise NotSure(
                f"the journal did not answer for {self._settings.deadline_s:g} s ({error}); "
                "next: see whether its server runs and its disk has space"
            ) from error
        await asyncio.sleep(pause)

    async def _attempt(self, sealed: _Sealed) -> Ack | None:
        """The answer, or None where an earlier record of ours, given up on, had been stored: seal again behind it."""
        try:
            return await self._store.publish(self._subject, sealed.body, sealed.id, self._seq)
        except Stale:
            tail = await self._store.tail(self._subject)
        if tail is not None and tail.id == sealed.id and tail.hash == sealed.hash:
            return Ack(tail.seq)
        if tail is not None and tail.id in self._doubtful and tail.seq > self._seq:
            self._follow(tail.seq, tail.hash)
            return None
        raise Fenced(
            f"another process writes on {self._subject}: its last record is {tail.seq if tail else 0}, not {self._seq}; "
            "next: stop one of the two"
        )

    def _settle(self, sealed: _Sealed, ack: Ack) -> int:
        if ack.seq > self._seq:  # else: a repeat of messages that had long been stored
            self._follow(ack.seq, sealed.hash)
        return ack.seq

    def _follow(self, seq: int, hash: str) -> None:
        self._seq, self._prev = seq, hash
        self._doubtful.clear()
        self._store.stored(self._subject, seq, hash)

    def _stand_down(self, error: Fenced) -> None:
        self._fenced = error
        self._closing = True
        _fail(self._waiting, error)
        self._waiting.clear()

    def _ended(self, task: asyncio.Task[None]) -> None:
        stopped = NotStored(f"the writer on {self._subject} has stopped; next: restart the hub")
        _fail([*self._writing, *self._waiting], stopped)
        self._waiting.clear()
        if not task.cancelled() and (error := task.exception()) is not None:
            log.error("the writer on %s failed", self._subject, exc_info=error)


def _release(group: Sequence[_Entry], seq: int) -> None:
    index = 0
    for entry in group:
        if not entry.done.done():
            entry.done.set_result(Position(seq, index))
        index += len(entry.batch.ids)


def _fail(group: Sequence[_Entry] | deque[_Entry], error: Exception) -> None:
    for entry in group:
        if not entry.done.done():
            entry.done.set_exception(type(error)(*error.args))
