"""Plays a whole night against a hub: chargers, grid operator, meters and scheduler over real sockets, on one clock."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Awaitable, Callable, Coroutine, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from simulators.charger.fleet import Fleet
from simulators.charger.outlet import Outlet
from simulators.charger.settings import Closed, Endpoint
from simulators.clock import Clock
from simulators.dso.provider import CapacityProvider
from simulators.dso.record import Series
from simulators.meter import MeterSender, Verdict, drawn_series, judge
from simulators.scenario import Scenario, Visit
from simulators.scheduler.sender import run_scheduler
from simulators.scheduler.vdv452 import assignments, export

_SOC_TOLERANCE = 0.005


@dataclass(frozen=True)
class Credentials:
    """What the simulators need to be let in; TLS contexts where the hub's listeners use TLS."""

    passwords: Mapping[str, str] = field(default_factory=dict)
    """Password by station."""
    oscp_token: str = ""
    """Token A, exchanged out of band."""
    api_token: str | None = None
    tls: ssl.SSLContext | None = None


@dataclass(frozen=True)
class Stay:
    """What really happened to one bus."""

    bus: str
    station: str
    plugged: datetime
    departure: datetime
    soc_at_departure: float
    soc_goal: float
    delivered_kwh: float
    """At the plug."""

    @property
    def met(self) -> bool:
        """Whether it left with what its work asks for, less the measuring tolerance."""
        return self.soc_at_departure >= self.soc_goal - _SOC_TOLERANCE


@dataclass(frozen=True)
class InForce:
    """A stretch of the night with one limit, as the grid operator knows it."""

    begins: datetime
    ends: datetime
    kw: float


@dataclass(frozen=True)
class NightResult:
    """The night as it really was, measured by the simulators alone."""

    begin: datetime
    end: datetime
    stays: tuple[Stay, ...]
    verdict: Verdict
    limits: tuple[InForce, ...]
    counts: Mapping[str, int]
    problems: tuple[str, ...]
    """Conversations that broke off, with the step that failed."""


class _Night:
    def __init__(
        self, scenario: Scenario, clock: Clock, fleet: Fleet, dso: CapacityProvider, on_event: Callable[[str], None]
    ) -> None:
        self.scenario, self.clock, self.fleet, self.dso = scenario, clock, fleet, dso
        self.on_event = on_event
        self.stays: list[Stay] = []
        self.problems: list[str] = []

    def tell(self, text: str) -> None:
        local = self.clock.now().astimezone(ZoneInfo(self.scenario.zone))
        self.on_event(f"{local:%H:%M:%S}  {text}")

    async def visit(self, visit: Visit) -> None:
        """A bus arrives, is plugged in, and leaves at its departure with what it has."""
        station, outlet, who = self.fleet.stations[visit.station], self._outlet(visit), f"bus:{visit.bus}"
        await self.clock.sleep_until(visit.arrives, who)
        battery, before = visit.battery(), outlet.register_kwh
        self.tell(f"{visit.bus} arrives at {visit.station} with {visit.soc:.0%}, needs {visit.goal:.0%}")
        await station.plug(1, battery, visit.token, who)
        await self.clock.sleep_until(visit.departs, who)
        outlet.advance(self.clock.now())
        stay = Stay(
            visit.bus,
            visit.station,
            visit.arrives,
            visit.departs,
            battery.soc,
            visit.goal,
            outlet.register_kwh - before,
        )
        self.stays.append(stay)
        self.tell(
            f"{visit.bus} leaves with {battery.soc:.1%}, needed {visit.goal:.1%}: {'met' if stay.met else 'short'}"
        )
        await station.unplug(1, who)

    async def moments(self) -> None:
        """One line per moment that matters."""
        for moment, text in _moments(self.scenario):
            await self.clock.sleep_until(moment, "night:moments")
            self.tell(text)

    async def schedules(self, url: str, credentials: Credentials) -> None:
        """The scheduler's post; a refusal is a problem of the night, not its end."""
        await run_scheduler(
            files(self.scenario), url, at=self.scenario.schedule_sent, token=credentials.api_token, clock=self.clock
        )
        self.tell("the scheduler sent the blocks of tomorrow and which bus runs them")

    def result(self) -> NightResult:
        """The judge's word and what happened."""
        scenario = self.scenario
        outlets = self.fleet.outlets()
        for outlet in outlets:
            outlet.advance(scenario.end)
        limits = self.dso.record.series(scenario.begin, scenario.end, scenario.guard_s)
        drawn = drawn_series(outlets, scenario.begin, scenario.end)
        building = scenario.building.series(scenario.begin, scenario.end)
        names = ("frames", "profiles", "refused", "unanswered", "connections")
        broken = self.dso.problem()
        return NightResult(
            scenario.begin,
            scenario.end,
            tuple(sorted(self.stays, key=lambda stay: stay.bus)),
            judge(drawn, building, limits, scenario.begin),
            _stretches(limits, scenario.begin),
            {name: self.fleet.count(name) for name in names},
            tuple(self.problems + ([f"grid operator: {broken}"] if broken else [])),
        )

    def _outlet(self, visit: Visit) -> Outlet:
        return self.fleet.stations[visit.station].outlets[1]


def files(scenario: Scenario) -> list[tuple[str, bytes]]:
    """What the scheduler sends: the VDV 452 export and assignments.csv."""
    types = sorted({(visit.type.number, visit.type.id) for visit in scenario.visits})
    fleet = [(int("".join(c for c in v.bus if c.isdigit()) or 0), v.type.number, v.bus) for v in scenario.visits]
    runs = [(block.number, visit.bus) for visit in scenario.visits for block in visit.blocks]
    return [
        ("vdv452.zip", export(scenario.block_rows(), scenario.operating_day, types, fleet)),
        ("assignments.csv", assignments(scenario.operating_day, runs)),
    ]


async def play(
    scenario: Scenario,
    *,
    clock: Clock,
    ocpp_url: str,
    http_url: str,
    credentials: Credentials,
    oscp_path: str = "/oscp/fp/2.0",
    on_event: Callable[[str], None] = lambda text: None,
    on_closing: Callable[[str], None] | None = None,
    on_closed: Closed | None = None,
    at_end: Callable[[], Awaitable[None]] | None = None,
) -> NightResult:
    """The night from `scenario.begin` to its end; the clock must stand at its beginning.

    `ocpp_url` is without the identity (`ws://127.0.0.1:9000/ocpp`), `http_url` the hub's base URL. `on_closing` is
    called before a station closes its socket, `on_closed` awaited after it, both with time held: a hub on a held
    clock says there when it has noticed. `at_end` is awaited when the night is over and every socket still open.
    """
    endpoint = Endpoint(ocpp_url, credentials.passwords, credentials.tls, on_closing, on_closed)
    fleet = Fleet(scenario.stations, endpoint, clock, scenario.seed)
    dso = CapacityProvider(scenario.dso, http_url.rstrip("/") + oscp_path, credentials.oscp_token, clock)
    night = _Night(scenario, clock, fleet, dso, on_event)
    site = f"{http_url.rstrip('/')}/api/v1/sites/{scenario.site}"
    meter = MeterSender(fleet.outlets(), scenario.building, f"{site}/telemetry", clock, token=credentials.api_token)
    acts: list[Coroutine[Any, Any, None]] = [
        night.moments(),
        night.schedules(f"{site}/schedules", credentials),
        meter.run(scenario.grid_meter, scenario.building_meter),
        *(night.visit(visit) for visit in scenario.visits),
    ]
    tasks: list[asyncio.Task[None]] = []
    try:
        with clock.hold("night"):
            await dso.start()
            fleet.start()
            tasks += [asyncio.create_task(act) for act in acts]
            await asyncio.sleep(0)
        await clock.sleep_until(scenario.end, "night:end")
        night.problems += [str(task.exception()) for task in tasks if task.done() and task.exception()]
        if at_end is not None:
            await at_end()
        return night.result()
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await fleet.stop()
        await dso.stop()


def _moments(scenario: Scenario) -> list[tuple[datetime, str]]:
    dso, second = scenario.dso, timedelta(seconds=1)
    zone = ZoneInfo(scenario.zone)
    found = [
        (
            said.at + second,
            f"the grid operator says {block.kw:.0f} kW from {block.begins.astimezone(zone):%H:%M}"
            f" to {block.ends.astimezone(zone):%H:%M}",
        )
        for said in dso.forecasts
        if said.type == "CONSUMPTION"
        for block in said.blocks
    ]
    for spec in scenario.stations:
        lost = spec.quirks.lost_from
        if lost:
            found.append((lost + second, f"{spec.id} loses its connection"))
            found.append((lost + spec.quirks.lost_for + second, f"{spec.id} comes back"))
    if dso.silent_from and dso.handshake_again:
        found.append((dso.silent_from + second, "the grid operator's heartbeats stay away"))
        found.append((dso.handshake_again + second, "the grid operator is back with a new handshake"))
    return sorted((moment, text) for moment, text in found if moment < scenario.end)


def _stretches(limits: Series, begin: datetime) -> tuple[InForce, ...]:
    found: list[InForce] = []
    for second, kw in enumerate(limits.tolist()):
        if not found or found[-1].kw != kw:
            at = begin + timedelta(seconds=second)
            found.append(InForce(at, at, kw))
    ends = [stretch.begins for stretch in found[1:]] + [begin + timedelta(seconds=len(limits))]
    return tuple(InForce(s.begins, end, s.kw) for s, end in zip(found, ends, strict=True))
