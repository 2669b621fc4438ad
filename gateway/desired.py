"""The adapters' view of what stations shall do: newest wish first, then each change, in this process and for others."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections import deque
from collections.abc import AsyncIterator, Mapping
from typing import Any, Generic, TypeVar

from core.messages import Message, Position
from core.messages.command import CommandRequested, CommandWished
from core.ports import NotStored, Request, Wish
from gateway.journal.log import Log

EVERY_S = 30.0
"""Wall time after which what others see is compared with what is wished."""

logger = logging.getLogger(__name__)


T = TypeVar("T", Wish, Request)


class _Follower(Generic[T]):
    def __init__(self, newest: list[T]) -> None:
        self.queue: deque[T] = deque(newest)
        self.filled = asyncio.Event()
        self.idle = asyncio.Event()
        if newest:
            self.filled.set()

    def put(self, wish: T) -> None:
        self.queue.append(wish)
        self.idle.clear()
        self.filled.set()

    async def each(self) -> AsyncIterator[T]:
        """What was put, in order; idle while nothing waits."""
        while True:
            while self.queue:
                yield self.queue.popleft()
            self.filled.clear()
            self.idle.set()
            await self.filled.wait()


class LocalDesired:
    """Implements `core.ports.DesiredState` for adapters that share the controller's process."""

    def __init__(self) -> None:
        self._newest: dict[str, dict[str, Wish]] = {}
        self._followers: dict[str, list[_Follower[Wish]]] = {}
        self._untold: dict[str, dict[str, Request]] = {}
        """Of each station the newest request of the time before anybody followed them."""
        self._takers: dict[str, list[_Follower[Request]]] = {}
        self.shared: SharedWishes | None = None
        """Where other processes find them too."""

    def publish(self, wish: Wish) -> bool:
        """Make `wish` the station's newest unless a newer one is known; says whether it was."""
        known = self._newest.setdefault(wish.site, {})
        held = known.get(wish.station)
        if held is not None and held.position >= wish.position:
            return False
        known[wish.station] = wish
        for follower in self._followers.get(wish.site, ()):
            follower.put(wish)
        if self.shared is not None:
            self.shared.put(wish)
        return True

    def newest(self, site: str) -> Mapping[str, Wish]:
        """By station."""
        return self._newest.get(site, {})

    def ask(self, request: Request) -> None:
        """Hand a request to whoever follows them; kept until somebody does."""
        takers = self._takers.get(request.site, ())
        for taker in takers:
            taker.put(request)
        if not takers:
            self._untold.setdefault(request.site, {})[request.station] = request

    async def delivered(self, site: str) -> None:
        """Return when every follower of the site has taken all that was published and asked."""
        for follower in (*self._followers.get(site, ()), *self._takers.get(site, ())):
            await follower.idle.wait()

    async def requests(self, site: str) -> AsyncIterator[Request]:
        """Requests that nobody was told yet first, then each new one."""
        taker = _Follower([r for _, r in sorted(self._untold.pop(site, {}).items())])
        self._takers.setdefault(site, []).append(taker)
        try:
            async for request in taker.each():
                yield request
        finally:
            self._takers[site].remove(taker)
            taker.idle.set()

    async def follow(self, site: str) -> AsyncIterator[Wish]:
        """The newest wish of every station of the site first, then each change."""
        follower = _Follower([w for _, w in sorted(self._newest.get(site, {}).items())])
        self._followers.setdefault(site, []).append(follower)
        try:
            async for wish in follower.each():
                yield wish
        finally:
            self._followers[site].remove(follower)
            follower.idle.set()


class SharedWishes:
    """Puts wishes into the key-value view in the background: nobody waits for it, of each station the newest counts."""

    def __init__(self, log: Log, desired: LocalDesired, sites: tuple[str, ...]) -> None:
        self._log, self._desired, self._sites = log, desired, sites
        self._waiting: dict[tuple[str, str], Wish] = {}
        self._some = asyncio.Event()

    def put(self, wish: Wish) -> None:
        """A new wish; returns at once."""
        self._waiting[wish.site, wish.station] = wish
        self._some.set()

    async def run(self, every_s: float = EVERY_S) -> None:
        """Put what comes, and now and then whatever differs, until cancelled."""
        due = 0.0
        while True:
            left = due - asyncio.get_running_loop().time()
            if left <= 0:
                await self._compare()
                due = asyncio.get_running_loop().time() + every_s
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(max(0.0, left)):
                    await self._some.wait()
            self._some.clear()
            await self._put()

    async def _put(self) -> None:
        wishes, self._waiting = list(self._waiting.values()), {}
        puts = (self._log.wish(wish.site, wish.station, _shown(wish)) for wish in wishes)
        for found in await asyncio.gather(*puts, return_exceptions=True):
            if isinstance(found, NotStored | ConnectionError):
                logger.warning("a wish is not shown to other processes yet: %s", found)
            elif isinstance(found, BaseException):
                raise found

    async def _compare(self) -> None:
        for site in self._sites:
            try:
                known = await self._log.wished(site)
            except ConnectionError as error:
                logger.warning("what other processes see of %s cannot be read: %s", site, error)
                continue
            for station, wish in self._desired.newest(site).items():
                if known.get(station) != _shown(wish):
                    self.put(wish)


class FollowedWishes:
    """Implements `core.ports.DesiredState` for adapters whose controller runs in another process."""

    def __init__(self, log: Log) -> None:
        self._log = log

    async def follow(self, site: str) -> AsyncIterator[Wish]:
        """The newest wish of every station of the site first, then each change; an older one is never given after a newer."""
        newest: dict[str, Position] = {}
        async for station, value in self._log.wishes(site):
            position = Position(*value["position"])
            if position > newest.get(station, Position(0, 0)):
                newest[station] = position
                yield Wish(site, station, value["id"], position, CommandWished.model_validate(value["wish"]))

    async def requests(self, site: str) -> AsyncIterator[Request]:
        """Each new request in the journal; one that was written before expires, and the core asks again."""
        async for record in self._log.read(await self._log.last()):
            for message in record.messages if record.site == site else ():
                if (request := request_of(message)) is not None:
                    yield request


def request_of(message: Message) -> Request | None:
    """The request that a fact states; None where it states none."""
    body, station = message.body, message.at.station
    if not isinstance(body, CommandRequested) or station is None:
        return None
    return Request(message.site, station, message.at.evse or 0, message.id, body)


def _shown(wish: Wish) -> dict[str, Any]:
    body = wish.body.model_dump(mode="json", exclude_defaults=True)
    return {"id": wish.id, "position": [wish.position.seq, wish.position.index], "wish": body}
