"""The site controller's shell: folds what it reads back from the stream, and appends what the core decides."""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Callable
from datetime import datetime
from typing import Literal

from core.messages import Message, Position, compose, dump, identify
from core.messages.base import digest
from core.messages.command import CommandWished
from core.messages.site import SiteConfig, SiteConfigured
from core.ports import Clock, NotStored, Wish
from core.site import Memo, SiteState, decide, fold, next_deadline
from gateway.desired import LocalDesired
from gateway.journal.log import Fenced, Log, Record, Writer

logger = logging.getLogger(__name__)

ROUNDS = 20
"""Decisions in a row without a new record from outside; more means that the core never comes to rest."""


class Restless(Exception):
    """The core decided again and again without anything new: a defect, told instead of filling the journal."""


class SiteController:
    """One per site. At most one decision record is in flight; the next is made only after it was read back."""

    def __init__(self, site: str, log: Log, desired: LocalDesired, clock: Clock) -> None:
        self.site = site
        self.state = SiteState(site)
        self._log = log
        self._writer: Writer | None = None
        self._desired = desired
        self._clock = clock
        self._memo = Memo()
        self._records: deque[Record] = deque()
        self._arrived = asyncio.Event()
        self._waiting: list[tuple[int, asyncio.Future[None]]] = []
        self._settled = 0
        self._seen = 0
        self._rested = clock.now()
        self._task: asyncio.Task[None] | None = None
        self.decided: list[Callable[[Record, float], None]] = []

    def take(self, record: Record) -> None:
        """A record of the stream, in order; records of other sites only move `seen` on."""
        self._records.append(record)
        self._arrived.set()

    async def open(self, epoch: int) -> None:
        """Open the controller's subject of the site; from here on no second controller can write there."""
        self._writer = await self._log.writer(self.site, "ctl", epoch)

    async def configure(self, config: SiteConfig) -> None:
        """Append `site.configured` if it differs from the folded one."""
        self._fold_all()
        found = digest(config.model_dump(mode="json"))
        if self.state.configured is not None and self.state.configured[1] == found:
            return
        now = self._clock.now()
        message = compose(
            SiteConfigured(digest=found, config=config),
            id=identify("site.configured", self.site, found, self._seen),
            time=now,
            source="controller",
            site=self.site,
        )
        assert self._writer is not None
        position = await self._writer.append([message])
        await self._read_back(position.seq)

    def start(self) -> asyncio.Task[None]:
        """Begin to decide."""
        for station in self.state.dispatch.stations.values():
            if station.wish is not None:
                self._publish(station.wish, Position(0, 0))
        self._task = asyncio.create_task(self._run(), name=f"controller:{self.site}")
        self._task.add_done_callback(lambda _: self._abandon())
        return self._task

    async def stop(self) -> None:
        """Stop deciding; a decision in flight ends first."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
        if self._writer is not None:
            await self._writer.close()

    async def settled(self, seq: int) -> None:
        """Return when the record `seq` was folded, decided upon, and every wish that follows was delivered."""
        if seq > self._settled:
            future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
            self._waiting.append((seq, future))
            await future

    def _abandon(self) -> None:
        """Nobody waits for a controller that has ended: what it was to fold is stored, but nothing follows any more."""
        for _, future in self._waiting:
            if not future.done():
                future.set_exception(NotStored(f"the controller of {self.site} has ended; next: see the log"))
        self._waiting.clear()

    # -- the loop -------------------------------------------------------------------------------------------------

    async def _run(self) -> None:
        pending: asyncio.Future[Literal[True]] | None = None
        while True:
            self._fold_all()
            await self._decide()
            self._settle()
            if self._records:
                continue
            self._arrived.clear()
            if pending is None or pending.done():
                pending = asyncio.ensure_future(self._arrived.wait())
            try:
                await self._clock.wait(pending, self._deadline(), f"controller:{self.site}")
            except TimeoutError:
                continue

    def _deadline(self) -> datetime | None:
        """From the moment at which everything was said: what fell due since then is not slept over."""
        return next_deadline(self.state, self._rested, self._memo)

    def _fold_all(self) -> None:
        while self._records:
            self._fold(self._records.popleft())

    def _fold(self, record: Record) -> None:
        if record.site == self.site:
            for index, message in enumerate(record.messages):
                self.state = fold(self.state, message, Position(record.seq, index))
                if isinstance(message.body, CommandWished):
                    self._publish(message, Position(record.seq, index))
        self._seen = record.seq

    def _publish(self, message: Message, position: Position) -> None:
        station = message.at.station
        if self._task is None and position.seq:
            return  # catching up: only the newest wish of each station is published, at the start
        if station is not None and isinstance(message.body, CommandWished):
            self._desired.publish(Wish(self.site, station, message.id, position, message.body))

    async def _decide(self) -> None:
        for _ in range(ROUNDS):
            now = self._clock.now()
            messages = decide(self.state, now, self._memo)
            self._rested = now
            if not messages:
                await self._desired.delivered(self.site)
                return
            if not await self._append(messages, now):
                return
        raise Restless(f"{self.site}: {ROUNDS} decisions in a row; the last begins with {dump(messages[0])}")

    async def _append(self, messages: list[Message], now: datetime) -> bool:
        assert self._writer is not None
        try:
            position = await self._writer.append(messages, seen=self.state.seen, now=now)
        except NotStored as error:
            logger.warning("site %s: decision not stored (%s); next: see `busbar doctor`", self.site, error)
            await asyncio.sleep(1)
            return False
        except Fenced:
            logger.critical("site %s: another process controls this site; this one stands down", self.site)
            raise
        await self._read_back(position.seq)
        return True

    async def _read_back(self, seq: int) -> None:
        while self._seen < seq:
            if not self._records:
                self._arrived.clear()
                await self._arrived.wait()
            while self._records and self._seen < seq:
                self._fold(self._records.popleft())

    def _settle(self) -> None:
        self._settled = self._seen
        due = [future for seq, future in self._waiting if seq <= self._settled]
        self._waiting = [(seq, future) for seq, future in self._waiting if seq > self._settled]
        for future in due:
            if not future.done():
                future.set_result(None)
