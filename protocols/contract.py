"""The contract suite that every adapter passes: subclass `AdapterContract`, supply three hooks, run it with pytest.

    class TestOcpp(AdapterContract):
        def build(self, kit): ...            # the adapter, from settings that open free ports on loopback
        async def ask(self, kit, adapter, what): ...   # one request by a real peer; was the answer positive?
        def prepare(self, kit): ...          # who is known, which secrets exist

The tests are coroutines: run them with pytest-asyncio in its automatic mode.
"""

from __future__ import annotations

import asyncio
import ssl
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, ClassVar, Literal, TypeVar

from core.messages import Message, Position
from core.messages.session import KnownTransaction
from core.ports import HUB, Handler, KnownStation, NotStored, Ports, Request, TokenAnswer, Wish
from protocols.adapter import Adapter, Health

T = TypeVar("T")

What = Literal["good", "mixed", "bad"]
"""A request that is right; one whose good part stands beside a bad part; one that is wrong as a whole."""
Answer = Literal["positive", "negative", "none"]


class KitJournal:
    """Keeps what was appended, batch by batch; `refuses` makes it store nothing."""

    def __init__(self) -> None:
        self.batches: list[tuple[str, tuple[Message, ...]]] = []
        self.refuses = False

    async def append(self, site: str, messages: Sequence[Message]) -> Position:
        """Store, or raise `NotStored`."""
        await asyncio.sleep(0)
        if self.refuses:
            raise NotStored("the contract suite refuses")
        self.batches.append((site, tuple(messages)))
        return Position(len(self.batches), 0)


class KitClock:
    """The system's clock."""

    def now(self) -> datetime:
        """The present moment."""
        return datetime.now(UTC)

    async def sleep_until(self, moment: datetime, who: str) -> None:
        """Return at `moment`."""
        await asyncio.sleep(max(0.0, (moment - self.now()).total_seconds()))

    async def wait(self, future: Awaitable[T], until: datetime | None, who: str) -> T:
        """The result of `future`, or TimeoutError at `until`."""
        left = None if until is None else max(0.0, (until - self.now()).total_seconds())
        return await asyncio.wait_for(asyncio.shield(future), left)

    def hold(self, who: str) -> AbstractContextManager[None]:
        """Nothing."""
        return nullcontext()


@dataclass
class Kit:
    """All that an adapter under test is handed, with handles for the suite; it is its own directory and secret store."""

    journal: KitJournal = field(default_factory=KitJournal)
    stations: dict[str, KnownStation] = field(default_factory=dict)
    tokens: set[str] = field(default_factory=set)
    partners: dict[tuple[str, str], Mapping[str, Any]] = field(default_factory=dict)
    values: dict[str, bytes] = field(default_factory=dict)
    routes: dict[tuple[str, str], Handler] = field(default_factory=dict)
    counts: Counter[str] = field(default_factory=Counter)
    sites: tuple[str, ...] = ("depot",)

    @property
    def ports(self) -> Ports:
        """The ports to start an adapter with."""
        return Ports(
            journal=self.journal,
            desired=self,
            directory=self,
            http=self,
            secrets=self,
            tls=_NoTls(),
            clock=KitClock(),
            gateway="gw-contract",
            epoch=1,
            sites=self.sites,
            report=self._report,
        )

    def station(self, identity: str) -> KnownStation | None:
        """See `Directory.station`."""
        return self.stations.get(identity)

    def token(self, site: str, token: str) -> TokenAnswer:
        """See `Directory.token`."""
        return TokenAnswer(token in self.tokens, "token_known" if token in self.tokens else "token_unknown")

    def partner(self, adapter: str, name: str) -> Mapping[str, Any] | None:
        """See `Directory.partner`."""
        return self.partners.get((adapter, name))

    def transactions(self, station: str) -> tuple[KnownTransaction, ...]:
        """See `Directory.transactions`."""
        return ()

    def get(self, ref: str) -> bytes | None:
        """See `Secrets.get`."""
        return self.values.get(ref)

    def put(self, ref: str, value: bytes) -> None:
        """See `Secrets.put`."""
        self.values[ref] = value

    def route(self, method: str, path: str, handler: Handler, max_body: int) -> None:
        """See `HttpHost.route`."""
        self.routes[method, path] = handler

    async def follow(self, site: str) -> AsyncIterator[Wish]:
        """See `DesiredState.follow`: no wishes."""
        await asyncio.Event().wait()
        nothing: tuple[Wish, ...] = ()
        for wish in nothing:
            yield wish

    async def requests(self, site: str) -> AsyncIterator[Request]:
        """See `DesiredState.requests`: none."""
        await asyncio.Event().wait()
        nothing: tuple[Request, ...] = ()
        for request in nothing:
            yield request

    def _report(self, name: str, labels: Mapping[str, str]) -> None:
        self.counts[name] += 1


class _NoTls:
    def server(self, name: str) -> ssl.SSLContext | None:
        return None


class AdapterContract:
    """What holds for every adapter. `answers_bad` is False where the protocol leaves a wrong request unanswered."""

    answers_bad: ClassVar[bool] = True

    def build(self, kit: Kit) -> Adapter:
        """The adapter, not started; its settings open free ports on loopback."""
        raise NotImplementedError

    def prepare(self, kit: Kit) -> None:
        """Fill the kit's directory and secrets."""

    async def ask(self, kit: Kit, adapter: Adapter, what: What) -> Answer:
        """Send one request as a real peer; the same `what` is the same request in the protocol's own identity."""
        raise NotImplementedError

    def kit(self) -> Kit:
        """A prepared kit."""
        kit = Kit()
        self.prepare(kit)
        return kit

    async def test_building_opens_nothing_and_health_is_empty(self) -> None:
        """The life cycle begins with `start`."""
        assert self.build(self.kit()).health() == Health()

    async def test_it_starts_twice_and_stops_twice_as_if_once(self) -> None:
        """A second start or stop changes nothing; after a stop it may start again."""
        kit = self.kit()
        adapter = self.build(kit)
        await adapter.start(kit.ports)
        once = adapter.health().listening
        await adapter.start(kit.ports)
        assert adapter.health().listening == once
        await adapter.stop()
        await adapter.stop()
        assert adapter.health().listening == ()
        await adapter.start(kit.ports)
        assert await self.ask(kit, adapter, "good") == "positive"
        await adapter.stop()

    async def test_a_good_request_is_one_batch_with_evidence_first_and_causes(self) -> None:
        """Evidence, facts and the answer of one request stand in one record, and the facts name the evidence."""
        kit = self.kit()
        async with _running(self, kit) as adapter:
            assert await self.ask(kit, adapter, "good") == "positive"
        batches = [batch for _, batch in kit.journal.batches if batch[0].type == "evidence.received"]
        assert batches, "a request left no evidence"
        for batch in batches:
            known = {message.id for message in batch}
            assert [m.type for m in batch].count("evidence.received") == 1
            assert all(batch[0].id in m.causes for m in batch[1:]), "a message of the request does not name its frame"
            assert len(known) == len(batch)
        assert any(not m.type.startswith("evidence.") for batch in batches for m in batch), "no fact was told"

    async def test_what_is_not_stored_is_not_answered_positively(self) -> None:
        """Answer after durable: without the journal there is no yes."""
        kit = self.kit()
        async with _running(self, kit) as adapter:
            assert await self.ask(kit, adapter, "good") == "positive"
            kit.journal.refuses = True
            before = len(kit.journal.batches)
            assert await self.ask(kit, adapter, "good") != "positive"
            assert len(kit.journal.batches) == before
            kit.journal.refuses = False
            assert await self.ask(kit, adapter, "good") == "positive"

    async def test_the_same_request_again_states_the_same_facts(self) -> None:
        """A peer's retry is new evidence for old facts."""
        kit = self.kit()
        async with _running(self, kit) as adapter:
            await self.ask(kit, adapter, "good")
            once = self._facts(kit)
            await self.ask(kit, adapter, "good")
            assert self._facts(kit) == once

    async def test_a_bad_part_is_quarantined_and_counted_beside_the_good_part(self) -> None:
        """One bad item never stops the good ones beside it."""
        kit = self.kit()
        async with _running(self, kit) as adapter:
            assert await self.ask(kit, adapter, "mixed") == "positive"
        kinds = {m.type for _, batch in kit.journal.batches for m in batch}
        assert "evidence.quarantined" in kinds
        assert self._facts(kit), "the good part was lost"
        assert sum(kit.counts.values()) > 0

    async def test_a_bad_request_is_refused_kept_and_the_next_one_is_served(self) -> None:
        """Bad input gets the protocol's own form of no, and the peer's loop goes on."""
        kit = self.kit()
        async with _running(self, kit) as adapter:
            assert await self.ask(kit, adapter, "bad") == ("negative" if self.answers_bad else "none")
            aside = [m for _, batch in kit.journal.batches for m in batch if m.type == "evidence.quarantined"]
            assert aside, "the bad request was not kept"
            body: Any = aside[0].body
            assert body.reason
            assert body.detail
            assert await self.ask(kit, adapter, "good") == "positive"

    async def test_every_message_belongs_to_a_served_site(self) -> None:
        """Nothing is written elsewhere."""
        kit = self.kit()
        async with _running(self, kit) as adapter:
            await self.ask(kit, adapter, "good")
        for site, batch in kit.journal.batches:
            assert site in (*kit.sites, HUB)
            assert all(message.site == site for message in batch)

    def _facts(self, kit: Kit) -> set[tuple[str, ...]]:
        """The keys of what was told about the world: no evidence, no commands, no connections, no signs of life."""
        passing = ("evidence.", "command.", "station.connected", "station.disconnected", "station.seen")
        return {m.key for _, batch in kit.journal.batches for m in batch if not m.type.startswith(passing)}


class _running:  # noqa: N801 because: it reads as a statement
    def __init__(self, suite: AdapterContract, kit: Kit) -> None:
        self.adapter = suite.build(kit)
        self.kit = kit

    async def __aenter__(self) -> Adapter:
        await self.adapter.start(self.kit.ports)
        return self.adapter

    async def __aexit__(self, *error: object) -> None:
        await self.adapter.stop()
