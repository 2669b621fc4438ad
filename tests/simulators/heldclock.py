"""A small held clock for these tests: it jumps to the next due moment when nobody holds it and nobody is awake."""

from __future__ import annotations

import asyncio
import heapq
import itertools
from collections.abc import Awaitable, Iterator
from contextlib import contextmanager
from datetime import datetime
from typing import Any, TypeVar

T = TypeVar("T")


class HeldClock:
    """Due tasks are woken one at a time; time stands until they wait on the clock again or end."""

    def __init__(self, begin: datetime) -> None:
        self._now = begin
        self._due: list[tuple[datetime, str, int, asyncio.Future[None], asyncio.Task[Any]]] = []
        self._count = itertools.count()
        self._holds = 0
        self._awake: set[asyncio.Task[Any]] = set()
        self._driver: asyncio.Task[None] | None = None

    def now(self) -> datetime:
        return self._now

    async def sleep_until(self, moment: datetime, who: str) -> None:
        timer = self._timer(moment, who)
        await timer

    async def wait(self, future: Awaitable[T], until: datetime | None, who: str) -> T:
        task = self._current()
        inner = asyncio.ensure_future(future)
        waits: set[asyncio.Future[Any]] = {inner}
        timer = self._timer(until, who) if until is not None else None
        if timer is not None:
            waits.add(timer)
        self._awake.discard(task)
        try:
            await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
        finally:
            if timer is not None and not timer.done():
                timer.cancel()
        self._wake(task)
        if inner.done():
            return inner.result()
        raise TimeoutError

    @contextmanager
    def hold(self, who: str) -> Iterator[None]:
        self._holds += 1
        try:
            yield
        finally:
            self._holds -= 1

    def _current(self) -> asyncio.Task[Any]:
        task = asyncio.current_task()
        assert task is not None
        if self._driver is None:
            self._driver = asyncio.create_task(self._drive())
        return task

    def _timer(self, moment: datetime, who: str) -> asyncio.Future[None]:
        task = self._current()
        self._awake.discard(task)
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        heapq.heappush(self._due, (max(moment, self._now), who, next(self._count), future, task))
        return future

    def _wake(self, task: asyncio.Task[Any]) -> None:
        if task not in self._awake:
            self._awake.add(task)
            task.add_done_callback(self._awake.discard)

    async def _drive(self) -> None:
        while True:
            for _ in range(4):
                await asyncio.sleep(0)
            if self._holds or self._awake or not self._due:
                await asyncio.sleep(0)
                continue
            moment, _, _, future, task = heapq.heappop(self._due)
            if future.done():
                continue
            self._now = max(self._now, moment)
            self._wake(task)
            future.set_result(None)

    async def stop(self) -> None:
        if self._driver is not None:
            self._driver.cancel()
