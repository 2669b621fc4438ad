"""What pages ask the read models, in SQLite and in PostgreSQL: windows, newest plans, counts, and readings kept in memory."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from core.messages import Body, Message, Physical, compose, identify
from core.messages.allocation import AllocationAssigned
from core.messages.evidence import EvidenceReceived
from core.messages.grid import ConstraintStated, MeterSampled
from core.messages.incident import IncidentOpened, IncidentResolved
from core.messages.session import SessionMetered, SessionStarted
from core.messages.vehicle import VehicleIdentified
from gateway.journal.memory import MemoryLog
from gateway.pages.rows import PageRows
from gateway.readmodels import ReadModels

BEGINS = datetime(2026, 11, 25, 18, 0, tzinfo=UTC)
ENDS = BEGINS + timedelta(hours=12)
BAY = Physical(station="CP-1", evse=1, connector=1, session="CP-1/7")


def at(minutes: float) -> datetime:
    return BEGINS + timedelta(minutes=minutes)


def say(body: Body, minutes: float, where: Physical | None = None, source: str = "test") -> Message:
    id = identify(body.TYPE, minutes, body.model_dump_json())
    return compose(body, id=id, time=at(minutes), source=source, site="depot", at=where)


def metered(minutes: float, kw: float) -> Message:
    return say(SessionMetered(transaction="7", power_kw=kw), minutes, BAY)


def imported(minutes: float, kw: float, node: str = "GRID", measures: Any = "import") -> Message:
    return say(
        MeterSampled(measures=measures, import_kw=kw), minutes, Physical(meter=f"M-{node}-{measures}", node=node)
    )


def assigned(minutes: float, kwh: float) -> Message:
    body = AllocationAssigned(plan="p", vehicle="BUS-1", steps=(), planned_kwh=kwh, needed_kwh=kwh, outcome="met")
    return say(body, minutes, BAY)


BEGUN = [
    say(SessionStarted(transaction="7"), 0, BAY),
    say(VehicleIdentified(vehicle="BUS-1", by="token"), 0, BAY),
    metered(1, 10),
    metered(2, 20),
    metered(6, 50),
]


class Kept:
    def __init__(self, models: ReadModels) -> None:
        self.log, self.models, self.rows = MemoryLog(), models, PageRows(models)

    async def write(self, *messages: Message) -> None:
        writer = await self.log.writer("depot", "gw-test", 1)
        for message in messages:
            await writer.append([message])
        await self.models.catch_up(self.log)


@pytest.fixture
async def kept(url: str) -> AsyncIterator[Kept]:
    models = ReadModels(url)
    await models.open()
    yield Kept(models)
    await models.close()


async def test_readings_are_brought_up_to_date_by_what_was_written(kept: Kept) -> None:
    await kept.write(*BEGUN)
    assert await kept.rows.readings.each("depot", BEGINS, ENDS) == {"CP-1/7": [(at(1), 10), (at(2), 20), (at(6), 50)]}
    await kept.write(metered(6.5, 60), metered(7, 70))
    found = await kept.rows.readings.each("depot", BEGINS, ENDS, ["CP-1/7", "CP-9/9"])
    assert found == {"CP-1/7": [(at(1), 10), (at(2), 20), (at(6.5), 60), (at(7), 70)]}


async def test_means_of_five_minutes_follow_a_newer_reading_of_the_same_minute(kept: Kept) -> None:
    await kept.write(*BEGUN)
    assert await kept.rows.readings.means("depot", BEGINS, ENDS) == {"CP-1/7": [(at(1), 15), (at(6), 50)]}
    await kept.write(metered(6.5, 70), metered(7, 90))
    assert await kept.rows.readings.means("depot", BEGINS, ENDS) == {"CP-1/7": [(at(1), 15), (at(6), 80)]}


async def test_rows_that_are_made_anew_are_read_anew(kept: Kept) -> None:
    await kept.write(*BEGUN)
    before = await kept.rows.readings.each("depot", BEGINS, ENDS)
    await kept.models.drop()
    assert await kept.rows.readings.each("depot", BEGINS, ENDS) == {}
    await kept.models.catch_up(kept.log)
    assert await kept.rows.readings.each("depot", BEGINS, ENDS) == before


async def test_a_sites_meters_are_told_apart_by_what_and_where_they_measure(kept: Kept) -> None:
    await kept.write(imported(0, 100), imported(1, 110), imported(0, 40, "P1"), imported(0, 38, measures="building"))
    readings = kept.rows.readings
    assert await readings.meter("depot", BEGINS, ENDS, "import", "GRID") == [(at(0), 100), (at(1), 110)]
    assert await readings.meter("depot", BEGINS, ENDS, "building") == [(at(0), 38)]


async def test_moments_say_who_said_it(kept: Kept) -> None:
    stated = ConstraintStated(source="dso", direction="import", segments=(), request="r")
    await kept.write(say(stated, 5, Physical(party="dso"), "oscp:dso"), *BEGUN)
    found = await kept.rows.moments("depot", ["constraint.stated"], BEGINS, ENDS, party="dso")
    assert [(n.type, n.time, n.source) for n in found] == [("constraint.stated", at(5), "oscp:dso")]
    assert await kept.rows.moments("depot", ["constraint.stated"], BEGINS, at(5)) == []


async def test_the_newest_plan_of_a_vehicle_is_found_among_many(kept: Kept) -> None:
    await kept.write(*(assigned(minute, minute) for minute in range(1, 6)))
    assert (await kept.rows.newest_plans("depot"))["BUS-1"]["planned_kwh"] == 5
    newest = (await kept.rows.of_site("allocations", "depot", vehicle="BUS-1"))[0]
    assert [d["planned_kwh"] for d in await kept.rows.many("allocations", [newest["message"], "nobody"])] == [5]


async def test_what_is_over_is_not_unfinished(kept: Kept) -> None:
    def opened(name: str) -> Message:
        body = IncidentOpened(incident=name, kind="grid_source_lost", subject="dso", severity="high", params={})
        return say(body, 1 if name == "a" else 2)

    over = IncidentResolved(incident="a", kind="grid_source_lost", subject="dso", opened=at(1))
    await kept.write(opened("a"), opened("b"), say(over, 9))
    assert [d["incident"] for d in await kept.rows.unfinished("incidents", "depot")] == ["b"]
    assert len(await kept.rows.between("incidents", "depot", BEGINS, ENDS)) == 2
    assert [d["incident"] for d in await kept.rows.between("incidents", "depot", at(10), ENDS)] == ["b"]


async def test_messages_of_a_session_and_frames_of_its_station_are_counted(kept: Kept) -> None:
    frame = EvidenceReceived(protocol="ocpp1.6", peer="CP-1", frame="[]")
    await kept.write(*BEGUN, say(frame, 3, Physical(station="CP-1")), say(frame, 99, Physical(station="CP-1")))
    found = await kept.rows.counted("depot", "CP-1", "CP-1/7", at(0), at(10))
    assert (found["session.metered"], found["session.started"], found["evidence"]) == (3, 1, 1)
