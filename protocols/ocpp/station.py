"""One station across its connections: its wish, its memory, and the one task that makes all calls to it."""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

from core.messages import Message
from core.messages.command import CommandConfirmed
from core.messages.session import SessionMetered
from core.messages.station import StationSeen
from core.ports import KnownStation, NotStored, Ports, Wish
from protocols.ocpp.calls import KEPT_CALLS, Caller, Command, Told
from protocols.ocpp.connection import Arrived, Connection
from protocols.ocpp.dialect import Phrase
from protocols.ocpp.jobs import Check, Clear, Job, Judged, Satisfied, Send, Stop
from protocols.ocpp.memory import Memory
from protocols.ocpp.reconcile import Reconciler
from protocols.ocpp.settings import Quirks, Settings

log = logging.getLogger(__name__)

TELL_EVERY = timedelta(minutes=1)
"""At most one line about a station's frames in so long; all are counted."""
SAME_EVERY = timedelta(hours=1)
"""At most one line about the same fault of a station's frames in so long: a meter's is in every one of them."""


@dataclass(frozen=True, slots=True)
class Act:
    """A remote start or stop."""

    phrase: Callable[[Connection], Phrase]
    command: Command
    expires: datetime | None = None
    """From then on it is not sent any more."""


class Station:
    """A known station. All its calls go through `run`, so that at most one is open at any time."""

    def __init__(self, ports: Ports, settings: Settings, known: KnownStation) -> None:
        self.ports = ports
        self.settings = settings
        self.known = known
        self.quirks = settings.quirks.get(known.id, Quirks())
        self.memory = Memory(known)
        self.wishes = Reconciler(known, settings, self.quirks, self.memory)
        self.calls = Caller(ports, known, self.wishes, settings.call_timeout_s)
        self.connection: Connection | None = None
        self.generation = 0
        self.only: str | None = None
        """The one subprotocol to agree to, once the station was seen to speak another than it negotiated."""
        self.last_contact: datetime | None = None
        self._seen: datetime | None = None
        self._told: dict[tuple[str, str], tuple[datetime, int]] = {}
        self._ready = False
        self._chores: deque[Callable[[Connection], Phrase]] = deque()
        self._request: Act | None = None
        self._asked = ""
        """The last request that was taken up."""
        self._late: deque[tuple[str, Arrived]] = deque(maxlen=KEPT_CALLS)
        self._poke: asyncio.Future[None] | None = None
        self._restless = False

    @property
    def id(self) -> str:
        """The station's identity."""
        return self.known.id

    @property
    def heartbeat_s(self) -> int:
        """The interval that its boot is answered with."""
        return self.settings.heartbeat_s

    @property
    def meter_interval_s(self) -> int:
        """The interval that its meter values shall come at."""
        return self.settings.meter_interval_s

    def update(self, known: KnownStation) -> None:
        """Its configuration as of now; it may change by a reload."""
        if known != self.known:
            self.known = self.wishes.known = self.calls.known = known
            self.poke()

    # -- what the connection tells ----------------------------------------------------------------------------------

    def attach(self, connection: Connection) -> Connection | None:
        """The newest authenticated connection wins; returns the one that it replaces, already fenced."""
        old, self.connection = self.connection, connection
        if old is not None:
            old.lose()
        self._ready = False
        self._seen = None
        self.memory.recall(self.ports.directory.transactions(self.id))
        self._forget()
        self.poke()
        return old

    def detach(self, connection: Connection) -> None:
        """A socket is gone; a later connection of the same station is not touched by it."""
        connection.lose()
        if self.connection is connection:
            self.connection = None
            self._ready = False
        self.poke()

    def heard_from(self, connection: Connection) -> None:
        """Any frame is a sign of life."""
        self.last_contact = self.ports.clock.now()

    def tell(self, what: str, why: str, kind: str = "") -> None:
        """A line in the log about what went wrong with a frame; the next of its kind says how many had none.

        What comes again with every frame is told of a `kind` once an hour.
        """
        now, told = self.ports.clock.now(), (what, kind)
        since, untold = self._told.get(told, (None, 0))
        if since is not None and now - since < (SAME_EVERY if kind else TELL_EVERY):
            self._told[told] = since, untold + 1
            return
        self._told[told] = now, 0
        more = f" ({untold} more since the last such line)" if untold else ""
        log.warning("station %s: %s%s: %s", self.id, what, more, why)

    def sign_of_life(self, connection: Connection, every: timedelta) -> Message | None:
        """`station.seen`, if the last one is older than `every`."""
        now = self.ports.clock.now()
        if self._seen is not None and now - self._seen < every:
            return None
        self._seen = now
        fresh = now + timedelta(seconds=2 * self.heartbeat_s + 30)
        return connection.records.own(StationSeen(), (now,), now, fresh_until=fresh)

    def contact(self, connection: Connection, *, booted: bool) -> None:
        """A request was answered: the first one, or a boot, begins the reconciliation from nothing."""
        if connection is not self.connection or (self._ready and not booted):
            return
        self._forget()
        self._ready = True
        for connector in self.known.connectors:
            self._chores.append(self._status_chore(connector.evse, connector.connector))
        self._chores.append(lambda c: c.dialect.set_meter_interval(self.meter_interval_s))
        self.poke()

    def speaks(self, subprotocol: str) -> None:
        """The station speaks another version than it negotiated."""
        self.only = subprotocol

    def learn(self, facts: Iterable[Message]) -> None:
        """Take over what the station's frames stated."""
        told = list(facts)
        changed = self.memory.learn(told)
        if changed:
            self.wishes.revive()
        for fact in told:
            self._measure(fact)
        if changed or not self.wishes.composite_works:
            self.poke()

    def _measure(self, fact: Message) -> None:
        if not isinstance(fact.body, SessionMetered):
            return
        running = self.memory.open.get(fact.body.transaction or "")
        evse = fact.at.evse or (running.evse if running else None)
        if evse is not None:
            self.wishes.measure(evse, fact.body, fact.time)

    def offer(self, wish: Wish) -> None:
        """A wish for this station; only the newest counts."""
        if self.wishes.offer(wish):
            self.poke()

    def late(self, call: str, arrived: Arrived) -> None:
        """An answer after its time-out still tells what is in the station."""
        self._late.append((call, arrived))
        self.poke()

    def ask(self, phrase: Callable[[Connection], Phrase], command: Command, expires: datetime | None) -> None:
        """Have a start or stop sent before any profile: the newest counts, once, as soon as the station can be asked."""
        if command.wish != self._asked:
            self._asked = command.wish
            self._request = Act(phrase, command, expires)
            self.poke()

    def poke(self) -> None:
        """There may be something to do."""
        self._restless = True
        if self._poke is not None and not self._poke.done():
            self._poke.set_result(None)

    def _forget(self) -> None:
        self.wishes.reset()
        self._chores.clear()

    @staticmethod
    def _status_chore(evse: int, connector: int) -> Callable[[Connection], Phrase]:
        return lambda c: c.dialect.trigger_status(c.records.station, evse, connector)

    # -- the task ---------------------------------------------------------------------------------------------------

    async def run(self) -> None:
        """Wait for something to do, take a turn, do it; until cancelled."""
        who = f"ocpp:{self.id}"
        while True:
            await self._idle(who)
            await self.ports.clock.sleep_until(self.ports.clock.now(), who)
            try:
                await self._work()
            except NotStored:
                self.ports.report("frames_not_stored", {"protocol": "ocpp"})
                await self._pause(who)
            except Exception:
                log.exception(
                    "station %s: a step of the reconciliation failed; next try in %s s", self.id, self.settings.retry_s
                )
                self.ports.report("adapter_failures", {"protocol": "ocpp"})
                await self._pause(who)

    async def _pause(self, who: str) -> None:
        await self.ports.clock.sleep_until(self._after(self.settings.retry_s), who)
        self._restless = True

    async def _idle(self, who: str) -> None:
        if self._restless:
            self._restless = False
            return
        self._poke = asyncio.get_running_loop().create_future()
        try:
            await self.ports.clock.wait(self._poke, self._due(), who)
        except TimeoutError:
            pass
        finally:
            self._poke = None
        self._restless = False

    def _due(self) -> datetime | None:
        if self.connection is None:
            return None
        if not self._ready:
            return self._boot_due(self.connection)
        return self.wishes.due(self.ports.clock.now())

    def _boot_due(self, connection: Connection) -> datetime:
        """So long it may say nothing."""
        return connection.opened + timedelta(seconds=self.settings.boot_wait_s)

    async def _work(self) -> None:
        """What was asked for first, then profiles, then the rest; one call after the other while there is anything to do."""
        while self._late:
            await self.calls.settle_late(self.connection, *self._late.popleft())
        while (connection := self.connection) is not None:
            if not await self._step(connection):
                return

    async def _step(self, connection: Connection) -> bool:
        """Do what comes next; False where nothing does."""
        now = self.ports.clock.now()
        if not self._ready and now < self._boot_due(connection):
            return False
        if not self._ready:
            await self._first_words(connection)
        elif (request := self._request) is not None:
            self._request = None
            if request.expires is None or now < request.expires:
                await self._say(connection, request.phrase(connection), request.command)
        elif (job := self.wishes.next(now)) is not None:
            await self._perform(connection, job)
        elif self._chores:
            await self._say(connection, self._chores.popleft()(connection))
        else:
            return False
        return True

    async def _first_words(self, connection: Connection) -> None:
        """Nothing was heard since the connection opened: ask for a boot, and go on either way."""
        self.contact(connection, booted=False)
        await self._say(connection, connection.dialect.trigger_boot())

    async def _perform(self, connection: Connection, job: Job) -> None:
        match job:
            case Send():
                await self._send(connection, job)
            case Check():
                await self._check(connection, job)
            case Clear():
                self.wishes.slots.pop(job.key, None)
                command = Command(self._wish_id, "clear", job.key[0])
                await self._say(connection, connection.dialect.clear_profile(job.profile), command)
            case Stop():
                command = Command(self._wish_id, "stop", job.evse)
                await self._say(connection, connection.dialect.stop(job.transaction), command)
            case Judged():
                await self.calls.tell(connection, [self.calls.settle_slot(job.key, job.excess)])
            case Satisfied():
                body = CommandConfirmed(wish=job.wish.id, purpose="default", installed=job.installed)
                await self.calls.tell(connection, [Told(body, 0, (job.wish.id, *self._slot_facts()))])

    async def _say(self, connection: Connection, phrase: Phrase, command: Command | None = None) -> None:
        """A call that installs and reads back nothing."""
        await self.calls.exchange(connection, phrase, command, None)

    async def _send(self, connection: Connection, job: Send) -> None:
        command = Command(self._wish_id, job.target.purpose, job.target.evse, (job.profile.installed,))
        phrase = connection.dialect.set_profile(self.known, job.profile)
        await self.calls.exchange(connection, phrase, command, job)

    async def _check(self, connection: Connection, check: Check) -> None:
        now = self.ports.clock.now()
        seconds = max(60, int((check.until - now).total_seconds()))
        phrase = connection.dialect.get_composite(self.known, check.evse, seconds)
        await self.calls.exchange(connection, phrase, None, check)

    @property
    def _wish_id(self) -> str:
        return self.wishes.wish.id if self.wishes.wish else ""

    def _slot_facts(self) -> list[str]:
        return [slot.fact for slot in self.wishes.slots.values() if slot.fact]

    def _after(self, seconds: float) -> datetime:
        return self.ports.clock.now() + timedelta(seconds=seconds)
