"""The adapters' view of what stations shall do: newest wish first, then each change, in this process."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator

from core.ports import Wish


class _Follower:
    def __init__(self, newest: list[Wish]) -> None:
        self.queue = deque(newest)
        self.filled = asyncio.Event()
        self.idle = asyncio.Event()
        if newest:
            self.filled.set()

    def put(self, wish: Wish) -> None:
        self.queue.append(wish)
        self.idle.clear()
        self.filled.set()


class LocalDesired:
    """Implements `core.ports.DesiredState` for adapters that share the controller's process."""

    def __init__(self) -> None:
        self._newest: dict[str, dict[str, Wish]] = {}
        self._followers: dict[str, list[_Follower]] = {}

    def publish(self, wish: Wish) -> bool:
        """Make `wish` the station's newest unless a newer one is known; says whether it was."""
        known = self._newest.setdefault(wish.site, {})
        held = known.get(wish.station)
        if held is not None and held.position >= wish.position:
            return False
        known[wish.station] = wish
        for follower in self._followers.get(wish.site, ()):
            follower.put(wish)
        return True

    async def delivered(self, site: str) -> None:
        """Return when every follower of the site has taken all that was published."""
        for follower in list(self._followers.get(site, ())):
            await follower.idle.wait()

    async def follow(self, site: str) -> AsyncIterator[Wish]:
        """The newest wish of every station of the site first, then each change."""
        follower = _Follower([w for _, w in sorted(self._newest.get(site, {}).items())])
        self._followers.setdefault(site, []).append(follower)
        try:
            while True:
                while follower.queue:
                    yield follower.queue.popleft()
                follower.filled.clear()
                follower.idle.set()
                await follower.filled.wait()
        finally:
            self._followers[site].remove(follower)
            follower.idle.set()
