"""Time for the whole process: the system's clock, and the held clock that demo and simulations run on."""

from __future__ import annotations

import asyncio
import heapq
import time
from collections.abc import Awaitable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import count
from typing import Any, TypeVar

T = TypeVar("T")

REQUEST_HOLD_S = 5.0
"""Wall time after which an unanswered request no longer holds the clock, so a silent peer runs into its simulated timeout."""
STUCK_HOLD_S = 10.0
"""Wall time after which any other hold fails the run."""


LOOK_S = 60.0
"""So often whoever waits looks at the clock again: it may have been set meanwhile."""


class SystemClock:
    """The system's clock; `hold` does nothing."""

    def now(self) -> datetime:
        """The present moment, aware UTC."""
        return datetime.now(UTC)

    async def sleep_until(self, moment: datetime, who: str) -> None:
        """Return at `moment`, also after the system's clock was set."""
        await asyncio.sleep(0)
        while (left := (moment - self.now()).total_seconds()) > 0:  # noqa: ASYNC110 because: the clock may be set meanwhile
            await asyncio.sleep(min(left, LOOK_S))

    async def wait(self, future: Awaitable[T], until: datetime | None, who: str) -> T:
        """The result of `future`, or TimeoutError at `until`, also after the system's clock was set; the future is not cancelled."""
        inner = asyncio.ensure_future(future)
        while not inner.done():
            left = None if until is None else (until - self.now()).total_seconds()
            done, _ = await asyncio.wait({inner}, timeout=None if left is None else max(0.0, min(left, LOOK_S)))
            if not done and left is not None and left <= 0:
                raise TimeoutError(f"{who}: nothing until {until}")
        return inner.result()

    def hold(self, who: str) -> AbstractContextManager[None]:
        """Nothing: real time cannot be held."""
        return nullcontext()


class Stuck(Exception):
    """Somebody held the clock for too long; the message names the holder."""


@dataclass(eq=False, slots=True)
class _Hold:
    who: str
    request: bool
    since: float = field(default_factory=time.monotonic)


@dataclass(order=True, slots=True)
class _Due:
    moment: datetime
    who: str
    number: int
    future: asyncio.Future[None] = field(compare=False)


class HeldClock:
    """Jumps to the next due moment, and stands still while anybody holds it.

    Due tasks are woken one at a time, ordered by (moment, owner's name), the next when nothing is held. A task that
    the clock woke, or whose `wait` ended, holds it until it waits on the clock again or ends. `speed` caps the pace at
    so many simulated seconds per second of wall time; None runs as fast as the work allows.
    """

    def __init__(self, start: datetime, *, speed: float | None = None) -> None:
        self._now = start
        self._speed = speed
        self._due: list[_Due] = []
        self._numbers = count()
        self._holds: set[_Hold] = set()
        self._tasks: dict[asyncio.Task[object], _Hold] = {}
        self._promises: dict[str, _Hold] = {}
        self._advancing = False
        self._paused = False
        self._watchdog: asyncio.TimerHandle | None = None
        self.failure: asyncio.Future[None] | None = None
        """Fails with `Stuck` when a hold is never released; the demo waits for it beside the night."""

    def now(self) -> datetime:
        """The simulated moment."""
        return self._now

    async def sleep_until(self, moment: datetime, who: str) -> None:
        """Return when the clock has come to `moment` and it is this owner's turn."""
        due = self._enter(moment, who)
        try:
            await due.future
        finally:
            due.future.cancel()

    async def wait(self, future: Awaitable[T], until: datetime | None, who: str) -> T:
        """The result of `future`, or TimeoutError at `until`; counts as waiting on the clock either way."""
        inner = asyncio.ensure_future(future)
        if inner.done():
            return inner.result()
        due = None if until is None else self._enter(until, who)
        self._let_go(asyncio.current_task())
        task = asyncio.current_task()

        def grip(_: asyncio.Future[T]) -> None:
            self._grip(task, who)

        inner.add_done_callback(grip)
        waited: list[asyncio.Future[Any]] = [inner] if due is None else [inner, due.future]
        try:
            await asyncio.wait(waited, return_when=asyncio.FIRST_COMPLETED)
        finally:
            inner.remove_done_callback(grip)
            if due is not None:
                due.future.cancel()
        if not inner.done():
            raise TimeoutError(f"{who}: nothing until {until}")
        return inner.result()

    @contextmanager
    def hold(self, who: str) -> Iterator[None]:
        """Hold for a request of either side, from sending to its answer."""
        with self._held(who, request=True):
            yield

    @contextmanager
    def settle(self, who: str) -> Iterator[None]:
        """Hold for our own work (an append until it is folded), which must end by itself."""
        with self._held(who, request=False):
            yield

    def promise(self, who: str) -> None:
        """Hold until `keep(who)`: a simulator closed a socket, and the hub has still to learn of it."""
        self._promises.setdefault(who, self._add(who, request=True))

    def keep(self, who: str) -> None:
        """Release what `promise(who)` holds; nothing if nobody promised."""
        hold = self._promises.pop(who, None)
        if hold is not None:
            self._drop(hold)

    @contextmanager
    def paused(self) -> Iterator[None]:
        """Time does not start before everybody is there."""
        self._paused = True
        try:
            yield
        finally:
            self._paused = False
            self._kick()

    # -- holds ---------------------------------------------------------------------------------------------------

    @contextmanager
    def _held(self, who: str, *, request: bool) -> Iterator[None]:
        hold = self._add(who, request=request)
        try:
            yield
        finally:
            self._drop(hold)

    def _add(self, who: str, *, request: bool) -> _Hold:
        hold = _Hold(who, request)
        self._holds.add(hold)
        self._watch()
        return hold

    def _drop(self, hold: _Hold) -> None:
        self._holds.discard(hold)
        self._kick()

    def _grip(self, task: asyncio.Task[object] | None, who: str) -> None:
        """From now on the task holds the clock, until it waits on it again or ends."""
        if task is None or task.done() or task in self._tasks:
            return
        self._tasks[task] = self._add(who, request=False)
        task.add_done_callback(self._let_go)

    def _let_go(self, task: asyncio.Task[object] | None) -> None:
        hold = self._tasks.pop(task, None) if task is not None else None
        if hold is not None:
            self._drop(hold)

    # -- moving on -----------------------------------------------------------------------------------------------

    def _enter(self, moment: datetime, who: str) -> _Due:
        task = asyncio.current_task()
        due = _Due(max(moment, self._now), who, next(self._numbers), asyncio.get_running_loop().create_future())
        due.future.add_done_callback(lambda f: None if f.cancelled() else self._grip(task, who))
        heapq.heappush(self._due, due)
        self._let_go(task)
        self._kick()
        return due

    def _kick(self) -> None:
        if not self._advancing:
            self._advancing = True
            asyncio.get_running_loop().call_soon(self._look, 3)

    def _look(self, rounds: int) -> None:
        """Let everything that is ready run first: what it begins may hold the clock."""
        if self._holds or self._paused:
            self._advancing = False
        elif rounds:
            asyncio.get_running_loop().call_soon(self._look, rounds - 1)
        else:
            self._advance()

    def _advance(self) -> None:
        self._advancing = False
        while self._due and self._due[0].future.done():
            heapq.heappop(self._due)
        if not self._due:
            return
        pace = self._pace(self._due[0].moment)
        if pace > 0.001:
            self._advancing = True
            asyncio.get_running_loop().call_later(pace, self._wake)
        else:
            self._wake()

    def _pace(self, moment: datetime) -> float:
        return 0.0 if self._speed is None else (moment - self._now).total_seconds() / self._speed

    def _wake(self) -> None:
        self._advancing = False
        if self._holds or self._paused or not self._due:
            return
        due = heapq.heappop(self._due)
        if due.future.done():
            self._kick()
            return
        self._now = max(self._now, due.moment)
        due.future.set_result(None)
        # The woken task's own hold begins in a done-callback, one round later: no second task may be woken before it.
        self._kick()

    # -- what never lets go ---------------------------------------------------------------------------------------

    def _watch(self) -> None:
        if self._watchdog is None:
            self._watchdog = asyncio.get_running_loop().call_later(1.0, self._inspect)

    def _inspect(self) -> None:
        self._watchdog = None
        now = time.monotonic()
        for hold in [h for h in self._holds if h.request and now - h.since > REQUEST_HOLD_S]:
            self._drop(hold)
        stuck = sorted(h.who for h in self._holds if now - h.since > STUCK_HOLD_S)
        if stuck and self.failure is not None and not self.failure.done():
            self.failure.set_exception(Stuck(f"the simulated clock is held by {', '.join(stuck)}"))
        if self._holds:
            self._watch()
