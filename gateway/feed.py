"""Reads the journal once for the whole process and hands every record, in stream order, to whoever folds it."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable

from core.directory import Directory
from core.directory import fold as fold_directory
from gateway.journal.log import Log, Record
from gateway.waiting import Waiting

logger = logging.getLogger(__name__)

Follower = Callable[[Record], None]


class Feed:
    """One reader, many followers; `directory` is folded here before anybody else sees a record."""

    def __init__(self, log: Log) -> None:
        self._log = log
        self._followers: list[Follower] = []
        self._waiting = Waiting()
        self._task: asyncio.Task[None] | None = None
        self.trouble: str | None = None
        """What a follower failed at last."""
        self.directory = Directory()
        self.seq = 0
        self.last: Record | None = None
        """The newest record that was handed out."""

    def begin(self, seq: int, directory: Directory) -> None:
        """Begin behind that record, with what was folded up to it."""
        self.seq, self.directory = seq, directory

    def follow(self, follower: Follower) -> None:
        """Call `follower` with every record from now on; it must not block."""
        self._followers.append(follower)

    async def catch_up(self) -> None:
        """Read everything that the journal holds at this moment."""
        async for record in self._log.read(self.seq, follow=False):
            self._take(record)

    def start(self) -> asyncio.Task[None]:
        """Go on reading as records arrive."""
        self._task = asyncio.create_task(self._run(), name="feed")
        return self._task

    async def reached(self, seq: int) -> None:
        """Return when the record `seq` was handed out."""
        if seq > self.seq:
            await self._waiting.until(seq)

    async def stop(self) -> None:
        """Stop reading."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    async def _run(self) -> None:
        async for record in self._log.read(self.seq, follow=True):
            self._take(record)

    def _take(self, record: Record) -> None:
        self._guarded("directory", self._fold_directory, record)
        self.seq, self.last = record.seq, record
        for follower in self._followers:
            self._guarded(getattr(follower, "__qualname__", str(follower)), follower, record)
        self._waiting.reached(self.seq)

    def _fold_directory(self, record: Record) -> None:
        for message in record.messages:
            self.directory = fold_directory(self.directory, message)

    def _guarded(self, name: str, follower: Follower, record: Record) -> None:
        """One that fails at a record goes on with the next one: it must stop neither the others nor the process."""
        try:
            follower(record)
        except Exception as error:  # because: whoever follows may have a defect; the feed is everybody's
            self.trouble = f"{name} failed at record {record.seq}: {error!r}; next: restart the hub, see the log"
            logger.exception("%s", self.trouble)
