"""What was made a moment ago serves everybody who asks for the same: made once, at most once a second, for all."""

from __future__ import annotations

import asyncio
import time
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Hashable
from dataclasses import dataclass
from typing import Generic, TypeVar

T = TypeVar("T")
LEAST_S = 1.0
"""Nothing is made again before so long, whatever happened."""
READ_S = 2.0
"""So old it serves who opens a page, whatever happened since: his stream brings what is newer at once."""
MOST_S = 10.0
"""Nothing is kept longer, although nothing happened: ages in it grow."""
KEPT = 100


@dataclass(slots=True)
class _Made(Generic[T]):
    value: T
    position: int
    at: float

    @property
    def age_s(self) -> float:
        return time.monotonic() - self.at


class Recent(Generic[T]):
    """Values by key; `position` says how far the rows are, so that what shows the newest ones is not made again."""

    def __init__(self, position: Callable[[], int]) -> None:
        self._position = position
        self._made: OrderedDict[Hashable, _Made[T]] = OrderedDict()
        self._making: dict[Hashable, asyncio.Lock] = {}
        self._forgotten = 0

    async def get(self, key: Hashable, make: Callable[[], Awaitable[T]]) -> tuple[T, int]:
        """The value, at most two seconds behind the rows, and the position that it shows at least.

        While it is being made again the last one serves, so that nobody waits for what is sent to him anyway.
        """
        known = self._made.get(key)
        if known is not None and known.position < self._forgotten:
            known = None  # because: it was being made when somebody did something
        being_made = known is not None and key in self._making and self._making[key].locked()
        if known is None or not (being_made or self._serves(known, self._position(), READ_S)):
            known = await self._again(key, make, self._position(), READ_S)
        return known.value, known.position

    async def newest(self, key: Hashable, make: Callable[[], Awaitable[T]]) -> tuple[T, int]:
        """The value that shows all rows of this moment; who is too early waits until it may be made again."""
        wanted = self._position()
        known = self._made.get(key)
        while known is None or known.position < wanted or known.age_s >= MOST_S:
            if known is not None:
                await asyncio.sleep(LEAST_S - known.age_s)
            known = await self._again(key, make, wanted, LEAST_S)
        return known.value, known.position

    def forget(self) -> None:
        """Somebody did something and wants to see it."""
        self._made.clear()
        self._forgotten = self._position()

    def _serves(self, made: _Made[T], wanted: int, old_s: float) -> bool:
        return made.position >= self._forgotten and made.age_s < (MOST_S if made.position >= wanted else old_s)

    async def _again(self, key: Hashable, make: Callable[[], Awaitable[T]], wanted: int, old_s: float) -> _Made[T]:
        """Make it, unless somebody did so meanwhile."""
        async with self._making.setdefault(key, asyncio.Lock()):
            known = self._made.get(key)
            if known is None or not self._serves(known, wanted, old_s):
                position = self._position()
                known = self._made[key] = _Made(await make(), position, time.monotonic())
            self._made.move_to_end(key)
        while len(self._made) > KEPT:
            old, _ = self._made.popitem(last=False)
            self._making.pop(old, None)
        return known
