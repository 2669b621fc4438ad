"""Real ports for adapter tests: the in-memory journal, the system's clock, tables for everything that is looked up."""

from __future__ import annotations

import asyncio
import ssl
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any, TypeVar

from core.messages import Message, Position
from core.messages.session import KnownTransaction
from core.ports import Handler, KnownStation, NotStored, Ports, Request, TokenAnswer, Wish
from gateway.clock import SystemClock
from gateway.journal.memory import MemoryLog
from tests.waiting import GENEROUS_S

T = TypeVar("T")


class TestJournal:
    """Appends to the in-memory journal and keeps what was appended, batch by batch. `full` makes it refuse."""

    __test__ = False

    def __init__(self) -> None:
        self.log = MemoryLog()
        self.batches: list[tuple[str, tuple[Message, ...]]] = []
        self.full = False
        self._writers: dict[str, Any] = {}
        self._changed = asyncio.Event()

    async def append(self, site: str, messages: Sequence[Message]) -> Position:
        if self.full:
            raise NotStored("full")
        if site not in self._writers:
            self._writers[site] = await self.log.writer(site, "gw-test", 1)
        position: Position = await self._writers[site].append(messages)
        self.batches.append((site, tuple(messages)))
        self._changed.set()
        return position

    @property
    def messages(self) -> list[Message]:
        return [message for _, batch in self.batches for message in batch]

    def of(self, type: str, station: str | None = None) -> list[Message]:
        return [m for m in self.messages if m.type == type and station in (None, m.at.station)]

    async def until(self, type: str, count: int = 1, within: float = GENEROUS_S) -> list[Message]:
        """Wait until so many messages of that type stand in the journal."""
        async with asyncio.timeout(within):
            while len(self.of(type)) < count:
                self._changed.clear()
                await self._changed.wait()
        return self.of(type)


@dataclass
class TestDirectory:
    __test__ = False
    stations: dict[str, KnownStation] = field(default_factory=dict)
    tokens: dict[str, str | None] = field(default_factory=dict)
    partners: dict[tuple[str, str], Mapping[str, Any]] = field(default_factory=dict)
    charged: dict[str, tuple[KnownTransaction, ...]] = field(default_factory=dict)

    def station(self, identity: str) -> KnownStation | None:
        return self.stations.get(identity)

    def token(self, site: str, token: str) -> TokenAnswer:
        known = token in self.tokens
        return TokenAnswer(known, "token_known" if known else "token_unknown", self.tokens.get(token))

    def partner(self, adapter: str, name: str) -> Mapping[str, Any] | None:
        return self.partners.get((adapter, name))

    def transactions(self, station: str) -> tuple[KnownTransaction, ...]:
        return self.charged.get(station, ())


class TestDesired:
    __test__ = False

    def __init__(self) -> None:
        self._newest: dict[str, Wish] = {}
        self._queues: list[asyncio.Queue[Wish]] = []
        self.asked: asyncio.Queue[Request] = asyncio.Queue()

    def put(self, wish: Wish) -> None:
        self._newest[wish.station] = wish
        for queue in self._queues:
            queue.put_nowait(wish)

    async def requests(self, site: str) -> AsyncIterator[Request]:
        while True:
            yield await self.asked.get()

    async def follow(self, site: str) -> AsyncIterator[Wish]:
        queue: asyncio.Queue[Wish] = asyncio.Queue()
        self._queues.append(queue)
        for wish in list(self._newest.values()):
            if wish.site == site:
                yield wish
        while True:
            wish = await queue.get()
            if wish.site == site:
                yield wish


@dataclass
class TestSecrets:
    __test__ = False
    values: dict[str, bytes] = field(default_factory=dict)

    def get(self, ref: str) -> bytes | None:
        return self.values.get(ref)

    def put(self, ref: str, value: bytes) -> None:
        self.values[ref] = value


@dataclass
class TestTls:
    __test__ = False
    contexts: dict[str, ssl.SSLContext] = field(default_factory=dict)

    def server(self, name: str) -> ssl.SSLContext | None:
        return self.contexts.get(name)


@dataclass
class TestHttp:
    __test__ = False
    routes: dict[tuple[str, str], Handler] = field(default_factory=dict)

    def route(self, method: str, path: str, handler: Handler, max_body: int) -> None:
        self.routes[method, path] = handler


class ShiftedClock(SystemClock):
    """The system's clock, moved by the test: `shift` seconds ahead."""

    def __init__(self) -> None:
        self.shift = 0.0

    def now(self) -> datetime:
        return super().now() + timedelta(seconds=self.shift)


class StandingClock(ShiftedClock):
    """Moved by the test and by whoever sleeps on it, never by the machine; a time-out never comes by itself."""

    def __init__(self) -> None:
        super().__init__()
        self.start = super().now()
        self.slept: list[str] = []
        """Who slept until a later moment, in order."""

    def now(self) -> datetime:
        return self.start + timedelta(seconds=self.shift)

    async def sleep_until(self, moment: datetime, who: str) -> None:
        if moment > self.now():
            self.shift = (moment - self.start).total_seconds()
            self.slept.append(who)
        await asyncio.sleep(0)

    async def wait(self, future: Awaitable[T], until: datetime | None, who: str) -> T:
        return await super().wait(future, None, who)


@dataclass
class World:
    """The ports of one gateway, with handles for the test."""

    journal: TestJournal = field(default_factory=TestJournal)
    directory: TestDirectory = field(default_factory=TestDirectory)
    desired: TestDesired = field(default_factory=TestDesired)
    secrets: TestSecrets = field(default_factory=TestSecrets)
    tls: TestTls = field(default_factory=TestTls)
    http: TestHttp = field(default_factory=TestHttp)
    clock: ShiftedClock = field(default_factory=ShiftedClock)
    counts: Counter[str] = field(default_factory=Counter)
    sites: tuple[str, ...] = ("depot",)

    @property
    def ports(self) -> Ports:
        return Ports(
            journal=self.journal,
            desired=self.desired,
            directory=self.directory,
            http=self.http,
            secrets=self.secrets,
            tls=self.tls,
            clock=self.clock,
            gateway="gw-test",
            epoch=1,
            sites=self.sites,
            report=self._report,
        )

    def _report(self, name: str, labels: Mapping[str, str]) -> None:
        self.counts[name] += 1

    def change_station(self, name: str, **changes: Any) -> None:
        self.directory.stations[name] = replace(self.directory.stations[name], **changes)
