"""One simulated charging station: it connects, boots, reports and obeys, over a real socket and on the clock it was given."""

from __future__ import annotations

import asyncio
import logging
import random
from collections import Counter
from collections.abc import Awaitable, Callable
from dataclasses import replace
from datetime import datetime, timedelta
from types import ModuleType

from simulators.charger import commands, v16, v201
from simulators.charger.battery import Battery
from simulators.charger.facts import Call, Identity, Payload, Refused, Sample, State, Transaction
from simulators.charger.link import Link, Lost, Unanswered, open_link
from simulators.charger.outbox import Outbox
from simulators.charger.outlet import Outlet
from simulators.charger.profiles import MAX, TX, Installed, Profile, Reading, Running
from simulators.charger.settings import Endpoint, StationSpec
from simulators.clock import Clock

log = logging.getLogger(__name__)

DIALECTS: dict[str, ModuleType] = {"1.6": v16, "2.0.1": v201}
_BACK_OFF_S = (10, 160)


class Station:
    """A station with its outlets; `plug` and `unplug` are what a bus does to it."""

    def __init__(self, spec: StationSpec, endpoint: Endpoint, clock: Clock, seed: int = 1) -> None:
        self.spec, self.clock = spec, clock
        self.random = random.Random(f"{seed}:{spec.id}")  # noqa: S311  because: a simulation, not a secret
        self.outlets = {n: Outlet(kw, clock.now()) for n, kw in enumerate(spec.ratings_kw, start=1)}
        self.installed = Installed()
        self.running: dict[int, Transaction] = {}
        self.plugged: dict[int, str] = {}
        self.heartbeat_s, self.meter_s = spec.heartbeat_s, spec.meter_s
        self.counts: Counter[str] = Counter()
        self._endpoint = endpoint
        self._dialect = DIALECTS[spec.version]
        self._link: Link | None = None
        self._rejections = 1 if spec.quirks.rejects_first_profile else 0
        self._outage = spec.quirks.lost_from
        self._outbox = Outbox(lambda: self._link, self.counts)
        self._stopped_by_csms: set[int] = set()
        self._last_state: dict[int, State] = {}
        self._transactions = 0
        self._tasks: set[asyncio.Task[None]] = set()

    @property
    def who(self) -> str:
        """Its name as an owner on the clock."""
        return f"station:{self.spec.id}"

    @property
    def connected(self) -> bool:
        """Whether a socket is open."""
        return self._link is not None

    def start(self) -> None:
        """Begin to live: connect after a phase drawn by seed, then heartbeats and meter values."""
        begin = self.clock.now() + timedelta(seconds=self.random.randrange(*self.spec.phase_s))
        self._spawn(self._connection(begin))
        self._spawn(self._heartbeats(begin))
        for evse in self.outlets:
            self._spawn(self._meter(evse, begin + timedelta(seconds=self.random.randrange(1, 60))))

    async def stop(self) -> None:
        """End all tasks and close the socket."""
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        if self._link is not None:
            await self._link.close()
            self._link = None

    # What a bus does

    async def plug(self, evse: int, battery: Battery, token: str, who: str) -> None:
        """A bus is plugged in and shows its token; it charges if the token is accepted (or the station is offline)."""
        now = self.clock.now()
        self.outlets[evse].advance(now)
        self.outlets[evse].battery = battery
        self.plugged[evse] = token
        log.info("%s: a bus with %.0f %% is plugged in", self.spec.id, 100 * battery.soc)
        await self._tell_state(evse, who)
        answer = await self.ask(self._dialect.authorize(token), who)
        if evse in self.plugged and (not self.connected or (answer and self._dialect.accepted(answer))):
            await self.begin(evse, token, who)

    async def unplug(self, evse: int, who: str) -> None:
        """The bus leaves: a running transaction ends."""
        outlet = self.outlets[evse]
        outlet.advance(self.clock.now())
        await self.end(evse, "EVDisconnected", who)
        outlet.battery = None
        self.plugged.pop(evse, None)
        self._stopped_by_csms.discard(evse)
        await self._tell_state(evse, who)

    async def begin(self, evse: int, token: str, who: str, remote_start: int | None = None) -> None:
        """A transaction starts; power may flow from now on."""
        if evse in self.running:
            return
        now = self.clock.now()
        self._transactions += 1
        own = f"{self.spec.id}-{evse}-{self._transactions}" if self.spec.version == "2.0.1" else None
        transaction = Transaction(evse, token, now, own, remote_start=remote_start)
        self.running[evse] = transaction
        outlet = self.outlets[evse]
        outlet.advance(now)
        outlet.released = True
        self._obey(evse, at_once=True)
        sample, state = self.sample(evse), self.state(evse)
        await self._outbox.report(
            lambda offline: self._dialect.started(transaction, sample, state, offline),
            who,
            lambda answer: self._on_started(transaction, answer),
        )
        await self._tell_state(evse, who)

    async def end(self, evse: int, reason: str, who: str) -> None:
        """The running transaction of an EVSE ends, if there is one; its profiles go with it."""
        transaction = self.running.pop(evse, None)
        if transaction is None:
            return
        sample = self.sample(evse)
        self.outlets[evse].released = False
        transaction.seq += 1
        frozen = replace(transaction)
        self.installed = self.installed.without(
            p for p in self.installed.profiles if p.purpose == TX and p.evse == evse
        )
        self._stopped_by_csms.add(evse)

        def build(offline: bool) -> Call:
            frozen.id = transaction.id
            call: Call = self._dialect.ended(frozen, sample, reason, offline)
            return call

        await self._outbox.report(build, who)

    # What the central system asks

    def install(self, profile: Profile) -> bool:
        """Take a charging profile if the rules allow it (K01); it is followed after the reaction time."""
        if not self._acceptable(profile):
            return False
        if profile.purpose == TX and self._rejections:
            self._rejections -= 1
            return False
        self.counts["profiles"] += 1
        self.change_profiles(self.installed.put(profile))
        return True

    def change_profiles(self, installed: Installed) -> None:
        """Replace the installed profiles; every outlet follows after its reaction time."""
        self.installed = installed
        for evse in self.outlets:
            self._obey(evse)

    def runs(self) -> dict[int, Running | None]:
        """What runs on each EVSE."""
        return {evse: self._run_of(evse) for evse in self.outlets}

    def soon(self, act: Callable[[str], Awaitable[object]], name: str) -> None:
        """Do something because of a message: as a turn of its own, after the answer went out."""
        who = f"{self.who}:{name}"

        async def turn() -> None:
            await self.clock.sleep_until(self.clock.now(), who)
            await act(who)

        self._spawn(turn())

    # What it says

    def sample(self, evse: int) -> Sample:
        """The meter of an EVSE now."""
        outlet, now = self.outlets[evse], self.clock.now()
        outlet.advance(now)
        soc = outlet.battery.soc if outlet.battery else None
        offered = outlet.offered_kw() if outlet.released else 0.0
        return Sample(now, outlet.register_kwh * 1000, outlet.power_kw() * 1000, offered * 1000, soc)

    def state(self, evse: int) -> State:
        """The state of an EVSE's connector now."""
        if evse not in self.plugged:
            return State.AVAILABLE
        if evse not in self.running:
            return State.FINISHING if evse in self._stopped_by_csms else State.PREPARING
        outlet = self.outlets[evse]
        if outlet.offered_kw() <= 0:
            return State.SUSPENDED_EVSE
        return State.CHARGING if outlet.power_kw() > 0 else State.SUSPENDED_EV

    async def ask(self, call: Call, who: str) -> Payload | None:
        """The answer to a call; None where there is no connection, no answer or an error."""
        link = self._link
        if link is None:
            return None
        self.counts["frames"] += 1
        try:
            return await link.call(*call, who=who)
        except Refused:
            self.counts["refused"] += 1
        except Unanswered:
            self.counts["unanswered"] += 1
        except Lost:
            pass
        return None

    async def tell_boot(self, who: str, reason: str = "Triggered") -> Payload | None:
        """BootNotification."""
        identity = Identity(serial=f"SN-{self.spec.id}")
        return await self.ask(self._dialect.boot(identity, reason), who)

    async def tell_heartbeat(self, who: str) -> None:
        """Heartbeat."""
        await self.ask(("Heartbeat", {}), who)

    async def tell_status(self, evse: int, who: str) -> None:
        """StatusNotification of a connector, whether it changed or not."""
        self._last_state[evse] = self.state(evse)
        await self.ask(self._dialect.status(evse, self._last_state[evse], self.clock.now()), who)

    async def tell_meter(self, evse: int, who: str, trigger: str = "MeterValuePeriodic") -> None:
        """A sample of a running transaction, or of an idle connector when it was asked for."""
        transaction, sample = self.running.get(evse), self.sample(evse)
        if transaction is None:
            await self.ask(self._dialect.meter_values(evse, sample), who)
            return
        transaction.seq += 1
        frozen, state = replace(transaction), self.state(evse)

        def build(offline: bool) -> Call:
            frozen.id = transaction.id
            call: Call = self._dialect.updated(frozen, sample, state, trigger, offline)
            return call

        await self._outbox.report(build, who)

    # Its life

    async def _connection(self, begin: datetime) -> None:
        await self.clock.sleep_until(begin, self.who)
        failures = 0
        while True:
            try:
                with self.clock.hold(self.who):
                    self._link = await self._open()
                await self._greet()
                failures = 0
                if await self._stay(self._link):
                    continue
                log.info("%s: the connection is gone", self.spec.id)
            except Lost as lost:
                log.info("%s: no connection: %s", self.spec.id, str(lost) or "it broke off")
                failures += 1
            self._link = None
            wait = min(_BACK_OFF_S[1], _BACK_OFF_S[0] * 2 ** min(failures, 5)) + self.random.randrange(10)
            log.info("%s: tries again in %d s", self.spec.id, wait)
            await self.clock.sleep_until(self.clock.now() + timedelta(seconds=wait), self.who)

    async def _open(self) -> Link:
        self.counts["connections"] += 1
        number = self.counts["connections"]
        handler = commands.handler(self)
        return await open_link(self._endpoint, self.spec.id, self._dialect.SUBPROTOCOL, self.clock, handler, number)

    async def _greet(self) -> None:
        """Boot once; on a plain reconnect a station does not boot again. Then states, then what waited."""
        while not self._outbox.open and self._link is not None:
            answer = await self.tell_boot(self.who, "PowerUp") or {}
            interval = int(answer.get("interval") or 30)
            log.info("%s: connected, boot %s", self.spec.id, answer.get("status") or "unanswered")
            self._outbox.open = answer.get("status") == "Accepted"
            if self._outbox.open:
                self.heartbeat_s = interval
            elif self._link.closed.done():
                raise Lost
            else:
                await self.clock.sleep_until(self.clock.now() + timedelta(seconds=interval), self.who)
        for evse in self.outlets:
            await self.tell_status(evse, self.who)
        await self._outbox.flush(self.who)

    async def _stay(self, link: Link) -> bool:
        """Until the socket closes; true after this station's own planned outage, when it comes back at once."""
        try:
            await self.clock.wait(link.closed, self._outage, self.who)
        except TimeoutError:
            await self._drop(link)
            until = (self._outage or self.clock.now()) + self.spec.quirks.lost_for
            self._outage = None
            await self.clock.sleep_until(until, self.who)
            return True
        return False

    async def _drop(self, link: Link) -> None:
        self._link = None
        with self.clock.hold(self.who):
            if self._endpoint.closing is not None:
                self._endpoint.closing(self.spec.id)
            await link.close()
            if self._endpoint.closed is not None:
                await self._endpoint.closed(self.spec.id)

    async def _heartbeats(self, begin: datetime) -> None:
        due, who = begin, f"{self.who}:heartbeat"
        while True:
            due += timedelta(seconds=self.heartbeat_s)
            await self.clock.sleep_until(due, who)
            if self._outbox.open:
                await self.tell_heartbeat(who)

    async def _meter(self, evse: int, begin: datetime) -> None:
        due, who = begin, f"{self.who}:meter-{evse}"
        while True:
            due += timedelta(seconds=self.meter_s)
            await self.clock.sleep_until(due, who)
            if evse in self.running:
                self._log_sample(evse)
                await self.tell_meter(evse, who)
                await self._tell_state(evse, who)

    # How it works inside

    def _log_sample(self, evse: int) -> None:
        if log.isEnabledFor(logging.INFO):
            s = self.sample(evse)
            told = "unknown" if s.soc is None else f"{s.soc:.1%}"
            log.info("%s: %.1f of %.1f kW, charge %s", self.spec.id, s.power_w / 1000, s.offered_w / 1000, told)

    async def _tell_state(self, evse: int, who: str) -> None:
        """StatusNotification where the state changed in this version's terms."""
        before, after = self._last_state.get(evse), self.state(evse)
        coarse = self.spec.version == "2.0.1" and before is not None
        same = (before is State.AVAILABLE) == (after is State.AVAILABLE) if coarse else before is after
        if not same:
            await self.tell_status(evse, who)

    def _on_started(self, transaction: Transaction, answer: Payload) -> None:
        if "transactionId" in answer:
            transaction.id = str(answer["transactionId"])
        known = answer.get("idTagInfo") or answer.get("idTokenInfo")
        if known and known.get("status") != "Accepted" and self.running.get(transaction.evse) is transaction:
            self.outlets[transaction.evse].advance(self.clock.now())
            self.outlets[transaction.evse].released = False

    def _run_of(self, evse: int) -> Running | None:
        transaction = self.running.get(evse)
        return Running(evse, transaction.id or "", transaction.began) if transaction else None

    def _acceptable(self, profile: Profile) -> bool:
        starts = [start for start, _ in profile.periods]
        if not starts or starts[0] != 0 or sorted(set(starts)) != starts:
            return False
        if profile.purpose in MAX:
            return profile.evse == 0 and profile.kind != "Relative"
        if profile.kind != "Relative" and profile.start is None and self.spec.version == "2.0.1":
            return False
        if self.spec.version == "2.0.1" and self.installed.clash(profile):
            return False
        if profile.purpose != TX:
            return profile.evse == 0 or profile.evse in self.outlets
        transaction = self.running.get(profile.evse)
        missing = profile.transaction is None and self.spec.version == "2.0.1"
        return transaction is not None and not missing and profile.transaction in (None, transaction.id)

    def _obey(self, evse: int, at_once: bool = False) -> None:
        if self.spec.quirks.ignores_profiles:
            return
        now, outlet, runs = self.clock.now(), self.outlets[evse], self.runs()
        outlet.advance(now)
        limits = Reading(self.installed, evse, runs)
        delay = timedelta(seconds=self.random.randint(*self.spec.reaction_s))
        if at_once:
            outlet.follow(limits, now, timedelta())
        outlet.follow(limits, now + delay, delay)

    def _spawn(self, work: Awaitable[None]) -> None:
        task = asyncio.ensure_future(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
