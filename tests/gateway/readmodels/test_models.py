"""The read models over a journal in memory, in SQLite and in PostgreSQL: applied once, made again, waited for."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from core.messages import Body, Message, Physical, compose, identify
from core.messages.command import CommandAccepted, CommandConfirmed, CommandRejected, CommandSent, CommandUnanswered
from core.messages.commercial import RecordPriced
from core.messages.envelope import EnvelopeComputed, EnvelopeSegment
from core.messages.gateway import GatewayStarted
from core.messages.incident import IncidentOpened, IncidentResolved
from core.messages.readiness import ReadinessAssessed
from core.messages.session import SessionEnded, SessionMetered, SessionStarted
from core.messages.site import Connector, Node, SiteConfig, SiteConfigured, Station, Vehicle, VehicleType
from core.messages.station import ConnectorStatusChanged, StationConnected, StationDisconnected
from core.messages.vehicle import VehicleIdentified, VehicleRead
from gateway.journal.memory import MemoryLog
from gateway.readmodels import ReadModels, models, queries
from gateway.readmodels.queries import Asked
from gateway.readmodels.rows import stamp
from tests.waiting import GENEROUS_S, until

NOW = datetime(2026, 11, 25, 18, 0, tzinfo=UTC)
BAY = Physical(station="CP-1", evse=1, connector=1)


def at(seconds: float) -> datetime:
    return NOW + timedelta(seconds=seconds)


def say(body: Body, where: Physical | None = None, seconds: float = 0, id: str = "") -> Message:
    name = id or identify(body.TYPE, seconds, body.model_dump_json())
    return compose(body, id=name, time=at(seconds), source="test", site="depot", at=where)


def config(*vehicles: str) -> SiteConfigured:
    bus = VehicleType(id="solo", capacity_kwh=350, curve=((0, 120), (1, 20)), consumption=((5, 1.2),))
    found = SiteConfig(
        id="depot",
        zone="Europe/Berlin",
        nodes=(Node(id="GRID", limit_kw=300),),
        stations=(Station(id="CP-1", node="GRID", connectors=(Connector(evse=1, max_kw=150, name="Bay 1"),)),),
        vehicle_types=(bus,),
        vehicles=tuple(Vehicle(id=v, type="solo") for v in vehicles),
    )
    return SiteConfigured(digest="-".join(vehicles), config=found)


def metered(seconds: float, wh: float, kw: float, soc: float) -> Message:
    return say(SessionMetered(transaction="7", energy_wh=wh, power_kw=kw, soc=soc), BAY, seconds)


EVENING = [
    say(config("BUS-1", "BUS-2")),
    say(StationConnected(version="ocpp1.6", gateway="main", epoch=1, connection=1), Physical(station="CP-1"), 1),
    say(ConnectorStatusChanged(status="occupied"), BAY, 2),
    say(SessionStarted(transaction="7", token="TOKEN0001", meter_wh=1000), BAY, 2),
    say(VehicleIdentified(vehicle="BUS-1", by="token"), BAY, 3),
    metered(60, 2000, 40, 0.30),
    metered(90, 2500, 42, 0.31),
    metered(150, 3000, 41, 0.32),
]


class Kept:
    """A journal and read models over it."""

    def __init__(self, log: MemoryLog, rows: ReadModels) -> None:
        self.log, self.rows = log, rows
        self._writer: Any = None

    async def write(self, *messages: Message) -> None:
        if self._writer is None:
            self._writer = await self.log.writer("depot", "gw-test", 1)
        for message in messages:
            await self._writer.append([message])
        await self.rows.catch_up(self.log)

    async def one(self, table: str, key: str) -> dict[str, Any]:
        found = await queries.row(self.rows, table, key)
        assert found is not None
        return found

    async def all(self, table: str, **asked: Any) -> list[dict[str, Any]]:
        return list((await queries.page(self.rows, table, Asked(**asked))).rows)


@pytest.fixture
async def kept(url: str) -> AsyncIterator[Kept]:
    made = Kept(MemoryLog(), ReadModels(url))
    await made.rows.open()
    yield made
    await made.rows.close()


async def test_a_session_gathers_what_its_samples_say(kept: Kept) -> None:
    await kept.write(*EVENING)
    session = await kept.one("sessions", "CP-1/7")
    assert (session["energy_kwh"], session["power_kw"], session["soc"], session["soc_start"]) == (2.0, 41, 0.32, 0.30)
    assert (session["vehicle"], session["token"], session["state"]) == ("BUS-1", "…0001", "open")
    await kept.write(say(SessionEnded(transaction="7", meter_wh=3400, reason="Local"), BAY, 200))
    session = await kept.one("sessions", "CP-1/7")
    assert (session["energy_kwh"], session["state"], session["power_kw"]) == (2.4, "ended", None)


async def test_a_session_whose_facts_come_in_any_order_has_the_energy_between_its_registers(kept: Kept) -> None:
    end = say(SessionEnded(transaction="7", meter_wh=3400, reason="Local"), BAY, 200)
    await kept.write(EVENING[0], metered(60, 2000, 40, 0.30), end)
    row = await kept.one("sessions", "CP-1/7")
    assert (row["energy_kwh"], row["adopted"], row["state"]) == (1.4, True, "ended")
    await kept.write(EVENING[3], metered(90, 2500, 42, 0.31))
    row = await kept.one("sessions", "CP-1/7")
    assert (row["energy_kwh"], row["adopted"], row["started"], row["token"]) == (
        2.4,
        False,
        at(2).isoformat(timespec="microseconds"),
        "…0001",
    )


async def test_what_is_said_of_a_session_that_is_over_does_not_change_it(kept: Kept) -> None:
    end = say(SessionEnded(transaction="7", meter_wh=3400, reason="Local"), BAY, 200)
    await kept.write(*EVENING, end)
    before, vehicle = await kept.one("sessions", "CP-1/7"), await kept.one("vehicles", "depot|BUS-1")
    again = say(SessionStarted(transaction="7", token="TOKEN0002", meter_wh=9000), BAY, 300)
    ended = say(SessionEnded(transaction="7", meter_wh=9900, reason="Remote"), BAY, 400)
    await kept.write(again, metered(330, 9500, 50, 0.11), ended)
    assert await kept.one("sessions", "CP-1/7") == before
    assert (await kept.one("vehicles", "depot|BUS-1"))["soc"] == vehicle["soc"] == 0.32


async def test_a_session_whose_end_was_lost_is_over_when_the_next_one_begins(kept: Kept) -> None:
    await kept.write(*EVENING, say(SessionStarted(transaction="8", meter_wh=4000), BAY, 300))
    row = await kept.one("sessions", "CP-1/7")
    assert (row["state"], row["cut"], row["energy_kwh"]) == ("ended", True, 2.0)
    await kept.write(say(SessionEnded(transaction="7", meter_wh=3400, reason="PowerLoss"), BAY, 290))
    row = await kept.one("sessions", "CP-1/7")
    assert (row["cut"], row["energy_kwh"], row["end_reason"]) == (False, 2.4, "PowerLoss")
    await kept.write(say(SessionStarted(transaction="6", meter_wh=10), BAY, 1))
    assert (await kept.one("stations", "depot|CP-1"))["evses"]["1"]["session"] == "CP-1/8"


async def test_the_energy_of_a_stop_alone_is_not_known(kept: Kept) -> None:
    await kept.write(EVENING[0], say(SessionEnded(transaction="9", meter_wh=3400, reason="Local"), BAY, 200))
    assert (await kept.one("sessions", "CP-1/9"))["energy_kwh"] is None


@pytest.mark.parametrize(("end_wh", "code"), [(900.0, "register_fell"), (None, "register_missing")])
async def test_a_record_without_a_bill_says_which_register_is_at_fault(
    kept: Kept, end_wh: float | None, code: str
) -> None:
    zero = Decimal(0)
    record = RecordPriced(
        session="CP-1/7", vehicle="BUS-1", cost_centre="fleet", begins=at(2), ends=at(200), energy_kwh=zero,
        cost=zero, currency="EUR", tariff="flat", status="incomplete", lines=(),
    )  # fmt: skip
    await kept.write(*EVENING, say(SessionEnded(transaction="7", meter_wh=end_wh, reason="Local"), BAY, 200))
    record = record.model_copy(update={"vehicle": "BUS-2"})
    await kept.write(say(record, Physical(station="CP-1", session="CP-1/7"), 1100))
    assert (await kept.one("sessions", "CP-1/7"))["vehicle"] == "BUS-2", "who pays is whose session it was"
    [row] = await kept.all("records")
    assert row["code"] == code
    assert row["reason"]


async def test_a_charger_that_says_no_is_told_in_words_until_it_confirms(kept: Kept) -> None:
    here = Physical(station="CP-1", evse=1)

    async def told(body: Body, seconds: float) -> dict[str, Any]:
        await kept.write(say(body, here, seconds))
        return dict((await kept.one("stations", "depot|CP-1"))["command"])

    await kept.write(EVENING[0])
    no = await told(CommandRejected(wish="w", call="1", purpose="transaction", reason="Rejected"), 10)
    assert (no["reason"], no["step"]) == ("CP-1 said no: Rejected.", "rejected")
    assert await told(CommandSent(wish="w", call="2", purpose="default"), 11) == no
    assert await told(CommandAccepted(wish="w", call="2", purpose="default", reason="Accepted"), 12) == no
    assert await told(CommandUnanswered(wish="w", call="2", purpose="default", reason="call_timeout"), 12.5) == no
    yes = await told(CommandConfirmed(wish="w", call="2", purpose="default"), 13)
    assert (yes["step"], "reason" in yes) == ("confirmed", False)
    assert await told(CommandRejected(wish="w", call="3", purpose="clear", reason="Rejected"), 14) == yes
    cannot = await told(CommandRejected(wish="w", call="4", purpose="max", reason="NotSupported"), 15)
    assert cannot["reason"] == "CP-1 cannot do that: NotSupported."


async def test_samples_are_one_row_a_minute(kept: Kept) -> None:
    await kept.write(*EVENING)
    found = await kept.all("samples")
    assert [(row["energy_kwh"], row["soc"]) for row in found] == [(1.5, 0.31), (2.0, 0.32)]


async def test_a_late_sample_does_not_turn_a_session_back(kept: Kept) -> None:
    await kept.write(*EVENING, metered(30, 1500, 10, 0.29))
    session = await kept.one("sessions", "CP-1/7")
    assert (session["energy_kwh"], session["power_kw"], session["soc"]) == (2.0, 41, 0.32)


async def test_a_vehicle_stands_where_it_is_until_the_plug_is_out(kept: Kept) -> None:
    await kept.write(*EVENING)
    bus = await kept.one("vehicles", "depot|BUS-1")
    assert (bus["station"], bus["evse"], bus["connector"], bus["soc"]) == ("CP-1", 1, "Bay 1", 0.32)
    await kept.write(say(ConnectorStatusChanged(status="available"), BAY, 300))
    bus = await kept.one("vehicles", "depot|BUS-1")
    assert (bus["station"], bus["connector"], bus["soc"]) == (None, None, 0.32)


async def test_what_a_charger_measured_before_the_vehicle_was_known_is_its_charge(kept: Kept) -> None:
    bay, started = Physical(station="CP-1", evse=1, session="CP-1/7"), EVENING[:4]
    named = say(VehicleIdentified(vehicle="BUS-1", by="token"), bay, 5)
    await kept.write(*started, metered(3, 1000, 0, 0.29), named)
    bus = await kept.one("vehicles", "depot|BUS-1")
    assert (bus["soc"], bus["soc_source"]) == (0.29, "CP-1")
    assert bus["soc_at"] == "2026-11-25T18:00:03.000000+00:00"


async def test_facts_of_a_session_are_found_by_its_vehicle_also_those_before_it_was_known(kept: Kept) -> None:
    bay = Physical(station="CP-1", evse=1, session="CP-1/7")
    begun = say(SessionStarted(transaction="7"), bay, 2)
    await kept.write(EVENING[0], begun)
    await kept.write(say(VehicleIdentified(vehicle="BUS-1", by="token"), bay, 5))
    found = await queries.message_page(kept.rows, Asked(equal={"vehicle": "BUS-1"}))
    assert {row["type"] for row in found.rows} == {"session.started", "vehicle.identified"}
    assert {row["node"] for row in found.rows} == {"GRID"}


async def test_another_vehicle_at_a_bay_takes_the_place_of_the_first(kept: Kept) -> None:
    await kept.write(*EVENING, say(VehicleIdentified(vehicle="BUS-2", by="person"), BAY, 200))
    assert (await kept.one("vehicles", "depot|BUS-1"))["station"] is None
    assert (await kept.one("vehicles", "depot|BUS-2"))["station"] == "CP-1"
    assert (await kept.one("sessions", "CP-1/7"))["vehicle"] == "BUS-2"


async def test_an_older_reading_does_not_replace_a_newer_one(kept: Kept) -> None:
    where = Physical(vehicle="BUS-2")
    await kept.write(*EVENING, say(VehicleRead(soc=0.5), where, 100), say(VehicleRead(soc=0.4), where, 50))
    assert (await kept.one("vehicles", "depot|BUS-2"))["soc"] == 0.5


async def test_a_vehicle_that_is_no_longer_declared_stays_known(kept: Kept) -> None:
    await kept.write(*EVENING, say(config("BUS-1"), seconds=300))
    assert (await kept.one("vehicles", "depot|BUS-2"))["declared"] is False
    assert (await kept.one("vehicles", "depot|BUS-1"))["declared"] is True


async def test_a_vehicle_that_is_no_longer_declared_keeps_its_place_in_the_order(kept: Kept) -> None:
    soon, later = (
        ReadinessAssessed(vehicle=bus, departs=at(hours * 3600), state="on_track", soc_goal=0.9)
        for bus, hours in (("BUS-1", 5), ("BUS-2", 6))
    )
    await kept.write(*EVENING, say(later, seconds=200), say(soon, seconds=201), say(config("BUS-1"), seconds=300))
    assert [row["vehicle"] for row in await kept.all("vehicles")] == ["BUS-1", "BUS-2"]


async def test_a_vehicle_shows_its_next_departure_until_that_is_over_also_where_it_is_met(kept: Kept) -> None:
    def body(hours: int, state: str, final: bool = False) -> ReadinessAssessed:
        said = {"vehicle": "BUS-1", "departs": at(hours * 3600), "state": state, "soc_goal": 0.9, "final": final}
        return ReadinessAssessed.model_validate(said)

    async def shown() -> str:
        row = await kept.one("vehicles", "depot|BUS-1")
        return f"{row['departure']} {row['readiness']}"

    await kept.write(*EVENING, say(body(5, "met"), seconds=200), say(body(20, "unknown"), seconds=201))
    assert await shown() == f"{stamp(at(5 * 3600))} met"
    await kept.write(say(body(5, "met", final=True), seconds=202), say(body(20, "on_track"), seconds=203))
    assert await shown() == f"{stamp(at(20 * 3600))} on_track"


async def test_the_end_of_an_older_connection_does_not_end_the_newer_one(kept: Kept) -> None:
    station = Physical(station="CP-1")
    newer = StationConnected(version="ocpp1.6", gateway="main", epoch=1, connection=2)
    await kept.write(
        *EVENING,
        say(newer, station, 10),
        say(StationDisconnected(gateway="main", epoch=1, connection=1), station, 11),
    )
    assert (await kept.one("stations", "depot|CP-1"))["connected"] is True
    await kept.write(say(GatewayStarted(gateway="main", epoch=2), seconds=20))
    assert (await kept.one("stations", "depot|CP-1"))["connected"] is False


async def test_an_envelope_replaces_what_lies_ahead_and_keeps_what_held(kept: Kept) -> None:
    def computed(revision: int, *steps: tuple[float, float, float]) -> EnvelopeComputed:
        found = [
            EnvelopeSegment(node="GRID", begins=at(b), ends=at(e), import_kw=kw, binding_source="rating")
            for b, e, kw in steps
        ]
        return EnvelopeComputed(revision=revision, segments=tuple(found))

    await kept.write(EVENING[0], say(computed(1, (0, 600, 300), (600, 1200, 200)), seconds=0))
    await kept.write(say(computed(2, (300, 1200, 100)), seconds=300))
    found = [(row["from"][14:19], row["to"][14:19], row["import_kw"]) for row in await kept.all("envelope")]
    assert found == [("00:00", "05:00", 300), ("05:00", "20:00", 100)]


async def test_open_incidents_come_first_and_say_what_to_do(kept: Kept) -> None:
    def opened(name: str, seconds: float) -> Message:
        body = IncidentOpened(
            incident=name, kind="grid_source_lost", subject="dso", severity="high", params={"source": "dso"}
        )
        return say(body, Physical(node="GRID"), seconds)

    over = IncidentResolved(incident="b", kind="grid_source_lost", subject="dso", opened=at(20))
    await kept.write(EVENING[0], opened("a", 10), opened("b", 20), opened("c", 30), say(over, seconds=40))
    found = await kept.all("incidents")
    assert [row["incident"] for row in found] == ["c", "a", "b"]
    assert all(row["reason"] and row["next"] for row in found)
    assert found[2]["resolved"] is not None


async def test_the_same_rows_whether_applied_one_by_one_at_once_or_again(kept: Kept, tmp_path: Path) -> None:
    await kept.write(*EVENING)
    again = ReadModels("sqlite+aiosqlite:///:memory:")
    await again.open()
    await again.catch_up(kept.log)
    assert await again.digests() == await kept.rows.digests()
    await again.close()
    told = await kept.rows.rebuild(kept.log)
    assert (told["differences"], told["messages"]) == ([], len(EVENING))


async def test_a_row_that_somebody_changed_is_named_by_a_rebuild(kept: Kept) -> None:
    await kept.write(*EVENING)
    async with kept.rows.engine.begin() as connection:
        await connection.exec_driver_sql("UPDATE sessions SET doc = '{}'")
    told = await kept.rows.rebuild(kept.log)
    assert [d["what"] for d in told["differences"]] == ["rows of sessions differ"]
    assert (await kept.rows.rebuild(kept.log))["differences"] == []


async def test_what_was_applied_is_passed_over(kept: Kept) -> None:
    await kept.write(*EVENING)
    before = await kept.rows.digests()
    await kept.rows.apply([record async for record in kept.log.read(0, follow=False)])
    assert await kept.rows.digests() == before


async def test_a_failed_batch_leaves_nothing_behind(kept: Kept, monkeypatch: pytest.MonkeyPatch) -> None:
    await kept.write(*EVENING[:3])
    before = await kept.rows.digests()

    def fail(*_: Any) -> None:
        raise OSError("disk")

    monkeypatch.setattr(models, "TAKES", {**models.TAKES, "vehicle.identified": fail})
    with pytest.raises(OSError, match="disk"):
        await kept.write(*EVENING[3:])
    assert await kept.rows.digests() == before
    monkeypatch.undo()
    await kept.write()
    assert (await kept.one("sessions", "CP-1/7"))["energy_kwh"] == 2.0


async def test_reading_goes_on_where_it_ended(kept: Kept, url: str) -> None:
    await kept.write(*EVENING[:4])
    await kept.rows.close()
    kept.rows = ReadModels(url)
    await kept.rows.open()
    assert (kept.rows.seq, kept.rows.moment) == (4, at(2))
    await kept.write(*EVENING[4:])
    whole = ReadModels("sqlite+aiosqlite:///:memory:")
    await whole.open()
    await whole.catch_up(kept.log)
    assert await whole.digests() == await kept.rows.digests()
    await whole.close()


async def test_rows_of_another_version_are_made_anew(kept: Kept, url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    await kept.write(*EVENING)
    await kept.rows.close()
    monkeypatch.setattr(models, "VERSION", "other")
    kept.rows = ReadModels(url)
    await kept.rows.open()
    assert kept.rows.seq == 0
    await kept.write()
    assert kept.rows.seq == len(EVENING)


async def test_who_waits_for_a_position_is_told_when_it_is_there(kept: Kept) -> None:
    waiting = asyncio.create_task(kept.rows.reached(3, GENEROUS_S))
    await kept.write(*EVENING[:3])
    assert await waiting
    assert not await kept.rows.reached(99, 0.01)


async def test_the_task_follows_the_feed_behind_what_the_log_held(kept: Kept) -> None:
    writer = await kept.log.writer("depot", "gw-test", 1)
    for message in EVENING[:4]:
        await writer.append([message])
    kept.rows.start(kept.log, 4)
    for message in EVENING[4:]:
        position = await writer.append([message])
        record = await kept.log.get(position.seq)
        assert record is not None
        kept.rows.take(record)
    assert await kept.rows.reached(len(EVENING), GENEROUS_S)
    assert (await kept.one("sessions", "CP-1/7"))["energy_kwh"] == 2.0


async def test_a_file_that_cannot_be_read_is_put_aside_and_made_anew(tmp_path: Path) -> None:
    file = tmp_path / "rows.sqlite"
    file.write_bytes(b"this is no database" * 1000)
    rows = ReadModels(f"sqlite+aiosqlite:///{file}")
    await rows.open()
    assert (rows.seq, (tmp_path / "rows.sqlite.broken").exists()) == (0, True)
    await rows.close()


async def test_who_waits_ends_the_gathering(tmp_path: Path) -> None:
    log, rows = MemoryLog(), ReadModels("sqlite+aiosqlite:///:memory:", 60)
    await rows.open()
    writer = await log.writer("depot", "gw-test", 1)
    rows.start(log, 0)
    for message in EVENING:
        position = await writer.append([message])
        record = await log.get(position.seq)
        assert record is not None
        rows.take(record)
        await until(lambda: rows.seq)
    assert rows.seq < len(EVENING)
    assert await rows.reached(len(EVENING), GENEROUS_S)
    await rows.close()


@pytest.mark.parametrize("url", ["oracle+nodriver://x/y", "no address"])
def test_an_address_that_cannot_be_used_says_how_to_write_it(url: str) -> None:
    with pytest.raises(models.DatabaseUnusable, match=r"next: write it as postgresql://"):
        ReadModels(url)


def test_an_address_without_a_driver_gets_the_one_that_we_know() -> None:
    assert ReadModels("sqlite:///:memory:").engine.url.drivername == "sqlite+aiosqlite"
