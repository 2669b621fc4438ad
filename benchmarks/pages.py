"""Operator pages of 200 buses: first byte while 20 streams are open and facts come in: `python -m benchmarks.pages`."""

from __future__ import annotations

import argparse
import asyncio
import json
import statistics
import sys
import tempfile
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import aiohttp

from core.messages import Body, Message, Physical, compose, identify
from core.messages.allocation import AllocationAssigned, AllocationPlanned, Step
from core.messages.base import digest
from core.messages.command import CommandConfirmed, CommandWished, EvseWish, Installed
from core.messages.envelope import EnvelopeComputed, EnvelopeSegment
from core.messages.grid import ConstraintStated, MeterSampled, Segment
from core.messages.incident import IncidentOpened
from core.messages.readiness import ReadinessAssessed, Reason, State
from core.messages.requirement import Input, RequirementComputed
from core.messages.session import SessionMetered, SessionStarted
from core.messages.site import Connector, Meter, Node, SiteConfigured, Source, Vehicle, VehicleType
from core.messages.station import ConnectorStatusChanged, StationConnected
from core.messages.vehicle import VehicleIdentified
from core.messages.work import Block, WorkAssigned, WorkPlanned
from gateway.settings.models import HttpListener, HubSettings, SiteSettings, StationSettings
from tests.browser.kept import ReadingHub

SITE = "large"
NOW = datetime(2026, 11, 26, 0, 12, tzinfo=UTC)
EVENING = NOW - timedelta(hours=7, minutes=12)
MINUTE = timedelta(minutes=1)
OTHER = "night that nobody looks at"
"""Each time with another vehicle followed: nothing that was made before serves."""
PAGES = {
    "now": "/s/large",
    "night": "/s/large/night",
    "vehicles": "/s/large/vehicles",
    "vehicle": "/s/large/vehicles/BUS-017",
    "stations": "/s/large/stations",
    "station": "/s/large/stations/CP-017",
    "incidents": "/s/large/incidents",
    OTHER: "/s/large/night?follow=BUS-{}",
}
BATCH, WITHIN_S = 200, 300


def settings(folder: Path, buses: int) -> HubSettings:
    """A depot with 12 feeders."""
    bus = VehicleType(id="solo", capacity_kwh=350, curve=((0, 120), (1, 20)), consumption=((5, 1.2),))
    nodes = (Node(id="GRID", kind="grid_connection", limit_kw=8000),)
    feeders = tuple(Node(id=f"F{i:02}", parent="GRID", kind="feeder", limit_kw=1500) for i in range(12))
    site = SiteSettings(
        id=SITE,
        name="Large depot",
        zone="Europe/Berlin",
        nodes=nodes + feeders,
        stations=tuple(
            StationSettings(
                id=f"CP-{i:03}",
                node=f"F{i % 12:02}",
                safe_kw=6,
                connectors=(Connector(evse=1, max_kw=90, name=f"Bay {i}"),),
            )
            for i in range(buses)
        ),
        vehicle_types=(bus,),
        vehicles=tuple(Vehicle(id=f"BUS-{i:03}", type="solo") for i in range(buses)),
        meters=(Meter(id="GRID", node="GRID"), Meter(id="HALL", node="GRID", measures="building")),
        sources=(Source(id="grid operator", node="GRID", fallback_import_kw=1500),),
    )
    return HubSettings(gateway="reader", data=folder, http=(HttpListener(port=0),), sites=(site,)).anchored(folder)


def fact(body: Body, time: datetime, **where: Any) -> Message:
    """A fact of the night."""
    id = identify(body.TYPE, str(where), time)
    return compose(body, id=id, time=time, source="benchmark", site=SITE, at=Physical(**where))


def night(configured: HubSettings, buses: int) -> Iterator[Message]:
    """What a large depot's journal holds at 01:12."""
    config = configured.sites[0].config()
    yield fact(SiteConfigured(digest=digest(config.model_dump(mode="json")), config=config), EVENING)
    steps = [(0, 390, 8000.0), (390, 630, 2600.0), (630, 1000, 8000.0)]
    said = [(EVENING + a * MINUTE, EVENING + b * MINUTE, kw) for a, b, kw in steps]
    yield fact(
        ConstraintStated(
            source="grid operator",
            direction="import",
            request="r",
            segments=tuple(Segment(begins=a, ends=b, kw=kw) for a, b, kw in said),
        ),
        EVENING,
        party="grid operator",
    )
    segments = (
        EnvelopeSegment(node="GRID", begins=a, ends=b, import_kw=kw, binding_source="grid operator")
        for a, b, kw in said
    )
    yield fact(EnvelopeComputed(revision=1, segments=tuple(segments)), EVENING)
    for minute in range(432):
        at = EVENING + minute * MINUTE
        yield fact(MeterSampled(measures="import", import_kw=2000 + minute), at, meter="GRID", node="GRID")
        yield fact(MeterSampled(measures="building", import_kw=300), at, meter="HALL", node="GRID")
    outcomes = AllocationPlanned(
        rule="plan", triggers=("slot",), inputs="i", slot_s=900, needed_kwh=1, planned_kwh=1, missing_kwh=0, outcomes=()
    )
    yield fact(outcomes, NOW - 12 * MINUTE)
    for number in range(buses):
        yield from _bus(number)


def _bus(number: int) -> Iterator[Message]:
    bus, station = f"BUS-{number:03}", f"CP-{number:03}"
    session, arrives = f"{station}/1", EVENING + (30 + number) * MINUTE
    departs = EVENING + (600 + number) * MINUTE
    at = {"station": station, "evse": 1, "connector": 1, "session": session}
    block = Block(feed="f", operating_day=NOW.date(), block=str(number), departs=departs, distance_m=150_000)
    yield fact(WorkPlanned(block=block, change="new"), EVENING, work=block.work)
    yield fact(WorkAssigned(vehicle=bus), EVENING, work=block.work, vehicle=bus)
    yield fact(
        StationConnected(version="ocpp2.0.1", gateway="main", epoch=1, connection=number), EVENING, station=station
    )
    yield fact(ConnectorStatusChanged(status="occupied"), arrives, **at)
    yield fact(SessionStarted(transaction="1", meter_wh=0.0), arrives, **at)
    yield fact(VehicleIdentified(vehicle=bus, by="token"), arrives, **at, vehicle=bus)
    yield _required(bus, departs, block, arrives)
    for minute in range(int((NOW - arrives) / MINUTE)):
        kw = 30 + (number + minute // 15) % 40
        body = SessionMetered(transaction="1", power_kw=kw, energy_wh=minute * 500.0, soc=min(0.9, 0.2 + minute / 600))
        yield fact(body, arrives + minute * MINUTE, **at)
    yield from _commanded(number, bus, station, session, departs)


def _required(bus: str, departs: datetime, block: Block, time: datetime) -> Message:
    body = RequirementComputed(
        vehicle=bus,
        works=(block.work,),
        departs=departs,
        deadline=departs,
        soc_needed=0.7,
        soc_target=0.9,
        soc_goal=0.9,
        capacity_kwh=350,
        consumption_kwh=200,
        reserve_kwh=17,
        soc_now=0.2,
        soc_measured=time,
        battery_kwh=200,
        plug_kwh=210,
        grid_kwh=215,
        inputs=(Input(name="distance_km", value=150, unit="km", source="work"),),
    )
    return fact(body, time, vehicle=bus)


def _commanded(number: int, bus: str, station: str, session: str, departs: datetime) -> Iterator[Message]:
    begins, ends = NOW - 12 * MINUTE, departs - 30 * MINUTE
    steps = tuple(Step(at=begins + i * 15 * MINUTE, kw=float(10 + (number + i) % 30)) for i in range(12))
    assigned = AllocationAssigned(
        plan="p",
        vehicle=bus,
        steps=steps,
        planned_kwh=80,
        needed_kwh=80,
        soc_at_deadline=0.9,
        ready_at=ends,
        outcome="met",
    )
    where = {"station": station, "evse": 1, "session": session}
    yield fact(assigned, begins, **where, vehicle=bus)
    wish = EvseWish(evse=1, steps=steps, transaction="1")
    yield fact(CommandWished(evses=(wish,), valid_until=NOW + 30 * MINUTE, safe_kw=6), begins, station=station)
    installed = Installed(evse=1, purpose="transaction", steps=steps, until=NOW + 30 * MINUTE, transaction="1")
    yield fact(CommandConfirmed(wish="w", installed=(installed,)), begins, station=station)
    state: State = "at_risk" if number % 25 == 7 else "unknown" if number % 25 == 13 else "on_track"
    params = {"bay": f"Bay {number}", "power_kw": 17.0, "asked_kw": 60.0, "since": begins.isoformat()}
    reasons = (Reason(code="power_below_plan", params=params),) if state == "at_risk" else ()
    body = ReadinessAssessed(
        vehicle=bus,
        departs=departs,
        state=state,
        reasons=reasons,
        soc=0.6,
        soc_goal=0.9,
        soc_expected=0.9,
        ready_at=ends,
    )
    yield fact(body, begins, vehicle=bus, session=session)
    if state == "at_risk":
        opened = IncidentOpened(
            incident=f"i{number}",
            kind="power_below_plan",
            subject=bus,
            severity="high",
            params=params,
            departures=(bus,),
        )
        yield fact(opened, begins, **where, vehicle=bus)


class Client:
    """A browser's side, in a process of its own: whoever asks must not slow the hub."""

    def __init__(self, client: aiohttp.ClientSession, base: str) -> None:
        self._client, self._base = client, base
        self.bytes = 0

    async def first_byte(self, path: str) -> tuple[float, int]:
        """Seconds to the first byte of the answer, and the bytes of the whole on the wire."""
        begun = time.perf_counter()
        async with self._client.get(self._base + path) as reply:
            seconds = time.perf_counter() - begun
            size = int(reply.headers["Content-Length"])
            assert reply.status == 200, await reply.text()
            await reply.read()
        return seconds, size

    async def stream(self, page: str) -> None:
        """An open page."""
        url = f"{self._base}/s/{SITE}/stream?page={page}"
        async with self._client.get(url, timeout=aiohttp.ClientTimeout(None)) as reply:
            async for data in reply.content.iter_any():
                self.bytes += len(data)


async def ask(base: str, buses: int, streams: int, asked: int) -> dict[str, Any]:
    """Open the streams, then ask for every page over and over."""
    async with aiohttp.ClientSession(auto_decompress=False, connector=aiohttp.TCPConnector(limit=0)) as session:
        client = Client(session, base)
        cold = {name: await client.first_byte(path.format("003")) for name, path in PAGES.items()}
        named = ("now", "night", "vehicles", "stations")
        tasks = [asyncio.create_task(client.stream(named[i % len(named)])) for i in range(streams)]
        await asyncio.sleep(3)
        found: dict[str, list[float]] = {name: [] for name in PAGES}
        for number in range(asked):
            for name, path in PAGES.items():
                seconds, _ = await client.first_byte(path.format(f"{number % buses:03}"))
                found[name].append(seconds)
                await asyncio.sleep(0.1)
        for task in tasks:
            task.cancel()
        ended = await asyncio.gather(*tasks, return_exceptions=True)
    usual = sorted(s for name, some in found.items() if name != OTHER for s in some)
    return {
        "pages": {name: _told(cold[name], some) for name, some in found.items()},
        "p95_ms": round(usual[int(len(usual) * 0.95)] * 1000),
        "streamed_bytes": client.bytes,
        "failed": [repr(e) for e in ended if isinstance(e, Exception)],
    }


def _told(cold: tuple[float, int], some: list[float]) -> dict[str, int]:
    return {
        "cold_ms": round(cold[0] * 1000),
        "wire_bytes": cold[1],
        "median_ms": round(statistics.median(some) * 1000),
        "p95_ms": round(sorted(some)[int(len(some) * 0.95)] * 1000),
    }


async def feed(hub: ReadingHub, buses: int, per_s: float) -> None:
    """Meter values as they come in, and a clock that goes."""
    writer, number = await hub.log.writer(SITE, "gw-bench", 1), 0
    begun = time.monotonic()
    while True:
        number += 1
        hub.standing.moment = NOW + timedelta(seconds=time.monotonic() - begun)
        bus = number % buses
        at = {"station": f"CP-{bus:03}", "evse": 1, "connector": 1, "session": f"CP-{bus:03}/1"}
        body = SessionMetered(transaction="1", power_kw=20 + number % 40, energy_wh=216_000.0 + number, soc=0.6)
        await writer.append([fact(body, hub.clock.now(), **at)])
        await asyncio.sleep(1 / per_s)


async def run(given: argparse.Namespace) -> dict[str, Any]:
    """Fill a hub that reads, let facts come in, and have it asked from another process."""
    with tempfile.TemporaryDirectory() as folder:
        configured = settings(Path(folder), given.buses)
        hub = ReadingHub(configured, [], NOW)
        writer = await hub.memory.writer(SITE, "gw-night", 1)
        begun = time.perf_counter()
        messages = list(night(configured, given.buses))
        for start in range(0, len(messages), BATCH):
            await writer.append(messages[start : start + BATCH])
        await hub.start()
        told = {"buses": given.buses, "streams": given.streams, "messages": len(messages)}
        told["filled_s"] = round(time.perf_counter() - begun)
        feeding = asyncio.create_task(feed(hub, given.buses, given.per_s))
        cpu, wall = time.process_time(), time.perf_counter()
        asking = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            "benchmarks.pages",
            "--ask",
            hub.http.addresses["local"],
            *_again(given),
            stdout=asyncio.subprocess.PIPE,
        )
        answer, _ = await asyncio.wait_for(asking.communicate(), WITHIN_S)
        busy = (time.process_time() - cpu) / (time.perf_counter() - wall)
        feeding.cancel()
        await asyncio.gather(feeding, return_exceptions=True)
        await hub.stop()
        return {**told, **json.loads(answer), "hub_cpu_share": round(busy, 2)}


def _again(given: argparse.Namespace) -> list[str]:
    return ["--buses", str(given.buses), "--streams", str(given.streams), "--asked", str(given.asked)]


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--buses", type=int, default=200)
    parser.add_argument("--streams", type=int, default=20)
    parser.add_argument("--asked", type=int, default=20, help="times each page is asked for")
    parser.add_argument("--per-s", type=float, default=7.0, help="facts per second")
    parser.add_argument("--ask", help=argparse.SUPPRESS)
    given = parser.parse_args()
    doing = ask(given.ask, given.buses, given.streams, given.asked) if given.ask else run(given)
    print(json.dumps(asyncio.run(doing), indent=2))


if __name__ == "__main__":
    main()
