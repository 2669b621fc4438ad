"""The site controller's shell: folds what it reads back from the stream, and appends what the core decides."""

from __future__ import annotations

import asyncio
import logging
import time
from collections import deque
from collections.abc import Mapping
from contextlib import suppress
from datetime import datetime, timedelta
from typing import Literal

from core.incidents import uncontrolled
from core.messages import Message, Position, compose, dump, identify
from core.messages.allocation import AllocationPlanned
from core.messages.base import digest
from core.messages.command import CommandWished
from core.messages.site import SiteConfig, SiteConfigured
from core.ports import Clock, NotStored, Wish
from core.site import MOST, Memo, SiteState, decide, fold, next_deadline
from core.starts import waiting
from gateway.desired import LocalDesired, request_of
from gateway.journal.log import Fenced, Log, Record, TooLarge, Writer
from gateway.metrics import Metrics
from gateway.waiting import Waiting

logger = logging.getLogger(__name__)

ROUNDS = 20
"""Decisions in a row without a new record from outside; more means that the core never comes to rest."""
PARTS = 1_000
"""Parts of decisions that were cut, in a row."""
AGAIN = timedelta(seconds=10)
"""A decision that failed, or was not stored, is tried again after so long, or with the next record."""

SET_BACK = timedelta(seconds=5)
"""A clock that stands so far before the last decision was set back; less is the play between two processes."""


class Restless(Exception):
    """The core decided again and again without anything new: a defect, told instead of filling the journal."""


class Unfoldable(Exception):
    """A record cannot be folded: whatever would follow from it is unknown, so that site is not decided for any more."""


class SiteController:
    """One per site. At most one decision record is in flight; the next is made only after it was read back.

    A defect of the core ends nothing but this site's decisions: `trouble` says so, an incident stands in the journal,
    and the stations go on with what they were told, which ends in their safe level.
    """

    def __init__(
        self, site: str, log: Log, desired: LocalDesired, clock: Clock, metrics: Metrics | None = None
    ) -> None:
        self.site = site
        self._metrics = metrics or Metrics()
        self.state = SiteState(site)
        self._log = log
        self._writer: Writer | None = None
        self._desired = desired
        self._clock = clock
        self._memo = Memo()
        self._records: deque[Record] = deque()
        self._arrived = asyncio.Event()
        self._waiting = Waiting()
        self._settled = 0
        self._seen = 0
        self._rested = clock.now()
        self._task: asyncio.Task[None] | None = None
        self._caught: dict[str, Wish] = {}
        self._most = MOST
        self._lost = self._behind = False
        self._unfoldable: Unfoldable | None = None
        self._failed = 0
        """The last record about which nothing could be decided."""
        self.trouble: str | None = None
        """Why this site is not controlled at present, and what to do; None while it is."""

    def take(self, record: Record) -> None:
        """A record of the stream, in order; records of other sites only move `seen` on."""
        if self._lost:
            return
        self._records.append(record)
        self._arrived.set()
        if self._task is None:
            self.fold_rest()  # catching up: a year of records is not to wait in memory

    def begin(self, state: SiteState, seq: int, wishes: Mapping[str, Wish]) -> None:
        """Begin with what was folded up to that record; before anything is taken."""
        self.state, self._seen, self._settled = state, seq, seq
        self._caught = dict(wishes)

    def fold_rest(self) -> None:
        """Before the start and after the end: what was taken and not folded."""
        try:
            self._fold_all()
        except Unfoldable as error:
            self._unfoldable, self._lost = error, True

    @property
    def lost(self) -> bool:
        """Whether a record could not be folded: nothing is folded any more."""
        return self._lost

    @property
    def seen(self) -> int:
        """The last record that was folded."""
        return self._seen

    @property
    def wishes(self) -> Mapping[str, Wish]:
        """The newest wish of every station, as folded."""
        return {**self._caught, **self._desired.newest(self.site)}

    async def open(self, epoch: int) -> None:
        """Open the controller's subject of the site; from here on no second controller can write there."""
        self._writer = await self._log.writer(self.site, "ctl", epoch)

    async def configure(self, config: SiteConfig) -> None:
        """Append `site.configured` if it differs from the folded one, and if it is this process that decides."""
        if self._writer is None:
            return
        try:
            await self._configure(config)
        except Unfoldable as error:
            await self._fail(error)
        if self._unfoldable is not None and self.trouble is None:
            await self._fail(self._unfoldable)

    async def _configure(self, config: SiteConfig) -> None:
        self._fold_all()
        if self._lost:
            return
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
        """Begin to decide; where the subject was not opened another process decides, and this one only folds."""
        for wish in self._caught.values():
            self._desired.publish(wish)
        self._caught.clear()
        for request in filter(None, map(request_of, waiting(self.state.starts))):
            self._desired.ask(request)
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
        """Return when the record `seq` was folded, decided upon, and every wish that follows was delivered.

        Raises:
            NotStored: this site is not controlled at present: it is stored, but nothing follows from it.
        """
        if self._lost or seq <= self._failed:
            raise NotStored(str(self.trouble))
        if seq > self._settled:
            await self._waiting.until(seq)

    async def settled_within(self, seq: int, within_s: float) -> bool:
        """Whether `settled` came true in that time; what is stored stands either way, so nothing is raised."""
        with suppress(TimeoutError, NotStored):
            async with asyncio.timeout(within_s):
                await self.settled(seq)
                return True
        return False

    def _abandon(self) -> None:
        """Nobody waits for a controller that has ended: what it was to fold is stored, but nothing follows any more."""
        self._waiting.fail(NotStored(f"the controller of {self.site} has ended; next: see the log"))

    # -- the loop -------------------------------------------------------------------------------------------------

    async def _run(self) -> None:
        pending: asyncio.Future[Literal[True]] | None = None
        try:
            while True:
                await self._step()
                if self._records:
                    continue
                self._arrived.clear()
                if pending is None or pending.done():
                    pending = asyncio.ensure_future(self._arrived.wait())
                with suppress(TimeoutError):
                    await self._clock.wait(pending, self._deadline(), f"controller:{self.site}")
        finally:
            if pending is not None:
                pending.cancel()

    async def _step(self) -> None:
        """Fold what came, and decide."""
        if self._lost:
            return
        try:
            self._fold_all()
            if self._writer is not None:
                await self._decide()
        except Fenced:
            raise
        except Exception as error:  # noqa: BLE001 because: one site's defect stops neither the process nor other sites
            await self._fail(error)
        if self.trouble is None:
            self._settle()

    async def _fail(self, error: Exception) -> None:
        """Say that this site is not controlled, once per cause, and let nobody wait for it."""
        self._lost = self._lost or isinstance(error, Unfoldable)
        self._memo, self._failed = Memo(), self._seen
        told = f"{type(error).__name__}: {error}"[:500]
        known, self.trouble = self.trouble, f"the site {self.site} is not controlled: {told}; next: see `busbar doctor`"
        self._waiting.fail(NotStored(self.trouble))
        if known == self.trouble:
            return
        logger.error("%s", self.trouble, exc_info=error)
        incident = uncontrolled(self.state.incidents, self.site, told, seen=self._seen, now=self._clock.now())
        if self._writer is None or incident is None:
            return
        try:
            await self._writer.append([incident])
        except NotStored as refused:
            logger.warning("site %s: its incident is not stored: %s", self.site, refused)

    def _deadline(self) -> datetime | None:
        """From the moment at which everything was said: what fell due since then is not slept over."""
        if self.trouble is not None:
            return None if self._lost else self._clock.now() + AGAIN
        return next_deadline(self.state, self._rested, self._memo)

    def _fold_all(self) -> None:
        while self._records:
            self._fold(self._records.popleft())

    def _fold(self, record: Record) -> None:
        if record.site == self.site:
            state = self.state
            try:
                for index, message in enumerate(record.messages):
                    state = fold(state, message, Position(record.seq, index))
            except Exception as error:
                self._records.clear()
                raise Unfoldable(f"record {record.seq} ({message.type}, {message.id}): {error!r}") from error
            self.state = state
            for index, message in enumerate(record.messages):
                if isinstance(message.body, CommandWished):
                    self._publish(message, Position(record.seq, index))
                elif self._task is not None and (request := request_of(message)) is not None:
                    self._desired.ask(request)
        self._seen = record.seq

    def _publish(self, message: Message, position: Position) -> None:
        station = message.at.station
        if station is None or not isinstance(message.body, CommandWished):
            return
        wish = Wish(self.site, station, message.id, position, message.body)
        if self._task is None:
            self._caught[station] = wish  # catching up: only the newest wish of each station is published, at the start
        else:
            self._desired.publish(wish)

    async def _decide(self) -> None:
        rounds = 0
        for _ in range(PARTS):
            now = self._clock.now()
            messages = self._decided(now)
            self._rested = now
            if not messages:
                self._most, self.trouble, self._failed = MOST, None, 0
                await self._desired.delivered(self.site)
                return
            if not await self._append(messages, now):
                return
            rounds += len(messages) < self._most // 2  # a decision that was cut is no unrest
            if rounds >= ROUNDS:
                break
        raise Restless(f"decided again and again with nothing new; the last begins with {dump(messages[0])}")

    def _decided(self, now: datetime) -> list[Message]:
        self._look_at_the_clock(now)
        begun = time.perf_counter()
        messages = decide(self.state, now, self._memo, most=self._most)
        if any(message.type == AllocationPlanned.TYPE for message in messages):
            self._metrics.observe("allocation_seconds", time.perf_counter() - begun, {"site": self.site})
        return messages

    def _look_at_the_clock(self, now: datetime) -> None:
        """A clock that was set back is told once: decisions wait in the past until it has caught up."""
        last = self.state.decided
        behind = last is not None and now < last - SET_BACK
        if behind and not self._behind:
            logger.warning(
                "site %s: the clock was set back, the last decision is of %s; until then no decision follows from time "
                "alone, and what is told more than five minutes before counts as said before; next: see whether the "
                "clock is right now",
                self.site,
                last,
            )
        self._behind = behind

    async def _append(self, messages: list[Message], now: datetime) -> bool:
        assert self._writer is not None
        most = None if self._most == MOST else self._most
        try:
            position = await self._writer.append(messages, seen=self.state.seen, now=now, most=most)
        except TooLarge:
            if self._most == 1:
                raise
            self._most = max(1, min(self._most, len(messages)) // 2)
            return True
        except NotStored as error:
            self._hold_back(error)
            await asyncio.sleep(1)
            return False
        except Fenced:
            logger.critical("site %s: another process controls this site; this one stands down", self.site)
            raise
        await self._read_back(position.seq)
        return True

    def _hold_back(self, error: NotStored) -> None:
        """The journal takes nothing now: nothing new is wished until it does."""
        self.trouble, self._failed = f"the decision of {self.site} is not stored: {error}", self._seen
        self._waiting.fail(NotStored(self.trouble))
        logger.warning("%s", self.trouble)

    async def _read_back(self, seq: int) -> None:
        while self._seen < seq and not self._lost:
            if not self._records:
                self._arrived.clear()
                await self._arrived.wait()
            while self._records and self._seen < seq:
                self._fold(self._records.popleft())

    def _settle(self) -> None:
        self._settled = self._seen
        self._waiting.reached(self._settled)
