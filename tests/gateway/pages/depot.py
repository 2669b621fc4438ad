"""A small depot at 01:12 in its night: four buses, three stations, a lowered limit, one bus in trouble, one stranger."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from core.messages import Message, Physical, compose, identify
from core.messages.evidence import EvidenceReceived
from core.messages.grid import ConstraintStated, MeterSampled, Segment, SourceContacted
from core.messages.session import SessionMetered, SessionStarted
from core.messages.site import Connector, Meter, Node, Source, Vehicle, VehicleType
from core.messages.station import ConnectorStatusChanged, StationConnected, StationDisconnected
from core.messages.work import Block, ScheduleReceived, WorkStated
from gateway.clock import SystemClock
from gateway.journal.memory import MemoryLog
from gateway.settings.models import HttpListener, HubSettings, SiteSettings, StationSettings, User
from gateway.wiring import Hub
from tests.waiting import GENEROUS_S, until

NOW = datetime(2026, 11, 26, 0, 12, tzinfo=UTC)
SITE = "nord"
STRANGE = "<b onload=alert(1)>"
BUSES = ("BUS-142", "BUS-117", "BUS-129", STRANGE)


class ShiftedClock(SystemClock):
    """The system's clock, shifted so that it reads 01:12 in Berlin."""

    def __init__(self) -> None:
        self._shift = NOW - super().now()

    def now(self) -> datetime:
        return super().now() + self._shift


def depot(buses: tuple[str, ...] = BUSES) -> SiteSettings:
    """The site; one bus has a name that would be markup."""
    bus = VehicleType(id="solo", capacity_kwh=350, curve=((0, 120), (1, 20)), consumption=((5, 1.2),))
    return SiteSettings(
        id=SITE,
        name="Depot Nord",
        zone="Europe/Berlin",
        nodes=(Node(id="GRID", kind="grid_connection", limit_kw=300), Node(id="P1", parent="GRID", limit_kw=200)),
        stations=tuple(
            StationSettings(
                id=f"CP-{i:02}", node="P1", safe_kw=6, connectors=(Connector(evse=1, max_kw=90, name=f"A{i}"),)
            )
            for i in range(1, 4)
        ),
        vehicle_types=(bus,),
        vehicles=tuple(Vehicle(id=b, type="solo", tokens=(f"TOKEN{i}",)) for i, b in enumerate(buses)),
        meters=(Meter(id="GRID", node="GRID"), Meter(id="HALL", node="GRID", measures="building")),
        sources=(Source(id="grid operator", node="GRID", fallback_import_kw=100),),
    )


def build(
    folder: Path, *, users: tuple[User, ...] = (), sites: tuple[SiteSettings, ...] | None = None
) -> tuple[Hub, MemoryLog]:
    """A hub with its journal in memory, not started yet."""
    log = MemoryLog()
    settings = HubSettings(
        data=folder / "data", http=(HttpListener(port=0),), sites=sites or (depot(),), users=users
    ).anchored(folder)
    return Hub(settings, clock=ShiftedClock(), log=log), log


def at(text: str) -> datetime:
    """A moment of the night, Berlin time in winter."""
    hour, minute = map(int, text.split(":"))
    day = 25 if hour >= 12 else 26
    return datetime(2026, 11, day, hour, minute, tzinfo=UTC) - timedelta(hours=1)


def fact(body: Any, where: Physical, time: datetime, source: str = "ocpp", **more: Any) -> Message:
    """A fact of the night."""
    id = identify(body.TYPE, where.model_dump_json(), time, body.model_dump_json())
    return compose(body, id=id, time=time, source=source, site=SITE, at=where, **more)


async def tell(hub: Hub) -> None:
    """What has happened until 01:12; returns when the read models know what follows from it."""
    facts = list(charging())
    begun = [m for m in facts if not isinstance(m.body, SessionMetered | StationDisconnected)]
    for messages in (list(schedule()), list(grid()), begun, [m for m in facts if m not in begun]):
        for start in range(0, len(messages), 300):
            await hub.journal.append(SITE, messages[start : start + 300])
        await rest(hub)


async def rest(hub: Hub) -> None:
    """Until nothing follows any more and the read models have it."""

    async def quiet() -> bool:
        seq = await hub.log.last()
        await hub.controllers[SITE].settled(seq)
        return seq == await hub.log.last() and await hub.api.models.reached(seq, GENEROUS_S)

    await until(quiet)


def schedule() -> Iterator[Message]:
    """Three departures of tomorrow; the stranger has none."""
    rows = (
        ("BUS-142", "06:20", "17/3", 150_000),
        ("BUS-117", "06:50", "31/2", 190_000),
        ("BUS-129", "07:20", "41/4", 120_000),
    )
    where = Physical()
    for vehicle, time, block, metres in rows:
        work = Block(
            feed="table",
            operating_day=at("06:00").date(),
            block=block,
            departs=at(time),
            distance_m=metres,
            provenance="feed",
            vehicle=vehicle,
        )
        yield fact(WorkStated(import_id="i1", block=work), where, at("18:00"), "api")
    received = ScheduleReceived(import_id="i1", feed="table", format="table", content="c", stated=len(rows))
    yield fact(received, where, at("18:00"), "api")


PLUGGED = (
    ("CP-01", "TOKEN0", "22:40", 88.0, 0.10),
    ("CP-02", "TOKEN1", "22:50", 60.0, 0.25),
    ("CP-03", "TOKEN2", "23:10", 30.0, None),
)
"""Station, card, when, kW before the limit falls (a quarter of it after), state of charge then."""


def _drawn(kw: float, begun: datetime, time: datetime) -> float:
    return 0.0 if time < begun else kw if time < at("00:30") else kw / 4


def grid() -> Iterator[Message]:
    """A lowered limit, heard just now, and two meters."""
    party = Physical(party="grid operator")
    segments = (
        Segment(begins=at("18:00"), ends=at("00:30"), kw=300),
        Segment(begins=at("00:30"), ends=at("04:30"), kw=120),
        Segment(begins=at("04:30"), ends=at("11:00"), kw=300),
    )
    stated = ConstraintStated(source="grid operator", direction="import", segments=segments, request="r1")
    yield fact(
        SourceContacted(source="grid operator", kind="handshake"), party, at("23:30"), "oscp", fresh_until=at("11:00")
    )
    yield fact(stated, party, at("23:30"), "oscp")
    for minute in range(0, 432, 2):
        time = at("18:00") + timedelta(minutes=minute)
        kw = 40 + minute % 3 + sum(_drawn(kw, at(begun), time) for _, _, begun, kw, _ in PLUGGED)
        yield fact(MeterSampled(measures="import", import_kw=kw), Physical(meter="GRID", node="GRID"), time, "api")
        yield fact(MeterSampled(measures="building", import_kw=38), Physical(meter="HALL", node="GRID"), time, "api")


def charging() -> Iterator[Message]:
    """BUS-142 charges, BUS-117's charger fell silent at 00:40, BUS-129 sends no state of charge."""
    for number, (station, token, time, kw, soc) in enumerate(PLUGGED, start=1):
        yield from _session(station, token, at(time), kw, soc, number)
    gone = StationDisconnected(gateway="main", epoch=1, connection=2)
    yield fact(gone, Physical(station="CP-02"), at("00:40"))


def _session(station: str, token: str, time: datetime, kw: float, soc: float | None, number: int) -> Iterator[Message]:
    place = Physical(station=station)
    evse = Physical(station=station, evse=1, connector=1, session=f"{station}/7")
    connected = StationConnected(version="ocpp1.6", gateway="main", epoch=1, connection=number)
    yield fact(connected, place, time - timedelta(hours=4))
    frame = f'[2,"1","StartTransaction",{{"connectorId":1,"idTag":"{token}","meterStart":1000}}]'
    heard = EvidenceReceived(protocol="ocpp1.6", peer=station, frame=frame, subject="StartTransaction")
    evidence = fact(heard, place, time)
    yield evidence
    yield fact(ConnectorStatusChanged(status="occupied", charging_state="charging"), evse, time, causes=[evidence.id])
    yield fact(SessionStarted(transaction="7", token=token, meter_wh=1000), evse, time, causes=[evidence.id])
    until = at("00:40") if station == "CP-02" else NOW
    step, minute = time, 0
    while step < until:
        power = _drawn(kw, time, step)
        charge = None if soc is None else min(0.95, soc + minute * kw / 60 / 350)
        body = SessionMetered(transaction="7", power_kw=power, energy_wh=1000 + minute * kw * 16, soc=charge)
        yield fact(body, evse, step)
        step, minute = step + timedelta(minutes=1), minute + 1
