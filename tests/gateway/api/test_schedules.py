"""Schedule files posted to a real hub: translated, stored, taken over by the core, answered with counts."""

from __future__ import annotations

from datetime import date
from io import BytesIO
from zipfile import ZipFile

import pytest

from gateway.api import schedules
from simulators.scheduler.vdv452 import BlockRow, assignments, export
from tests.gateway.api.conftest import Running

PATH = "/sites/depot/schedules"
DAY = date(2026, 11, 26)
CSV = b"""operating_day,vehicle,departure,distance_km
2026-11-26,BUS-1,06:20,180
2026-11-26,BUS-2,07:00,90
"""


async def test_a_table_is_taken_over_and_counted(running: Running) -> None:
    status, told, reply = await running.ask("POST", PATH, CSV, headers={"X-File-Name": "plan.csv"})
    assert status == 200
    assert (told["added"], told["assigned"], told["quarantined"]) == (2, 2, [])
    record = await running.log.get(int(reply.headers["Busbar-Position"]))
    assert record is not None
    assert "schedule.imported" in {m.type for m in record.messages}
    assert [m.at.vehicle for m in await running.messages("work.assigned")] == ["BUS-1", "BUS-2"]
    (evidence,) = await running.messages("evidence.received")
    assert evidence.body.model_dump()["frame"].encode() == CSV
    assert evidence.body.model_dump()["subject"] == "plan.csv"


async def test_blocks_of_one_bus_that_overlap_are_told_by_the_answer_and_by_an_incident(running: Running) -> None:
    head = b"operating_day,block,vehicle,departure,arrival,distance_km\n"
    two = head + b"2026-11-26,41,BUS-1,06:20,13:05,180\n2026-11-26,42,BUS-1,13:00,15:00,20\n"
    for path in (f"{PATH}?dry_run=true", PATH, PATH):
        _, told, _ = await running.ask("POST", path, two)
        (row,) = told["warnings"]
        assert (row["reason"], row["row"]) == ("blocks_overlap", "2026-11-26 42")
        assert "BUS-1 has two blocks at once: 41 ends at" in row["what"]
    assert "blocks_overlap" in [m.body.model_dump()["kind"] for m in await running.messages("incident.opened")]
    _, told, _ = await running.ask("POST", PATH, b"operating_day,block,vehicle\n2026-11-26,42,BUS-2\n")
    assert told["warnings"] == []
    assert "blocks_overlap" in [m.body.model_dump()["kind"] for m in await running.messages("incident.resolved")]


async def test_a_vdv_export_and_its_assignments_become_work_of_a_vehicle(running: Running) -> None:
    day = date(2026, 11, 26)
    row = BlockRow(41, 1, 7, 6 * 3600, 12 * 3600, 180_000, 4_000)
    packed = export([row], day, [(1, "solo")], [(1, 1, "BUS-1")])
    status, told, _ = await running.ask("POST", PATH, packed, headers={"X-File-Name": "vdv.zip"})
    assert (status, told["format"], told["added"], told["quarantined"]) == (200, "vdv452", 1, [])
    status, told, _ = await running.ask("POST", PATH, assignments(day, [(41, "BUS-1")]))
    assert (status, told["format"], told["feed"], told["assigned"]) == (200, "assignments", "assignments", 1)
    (assigned,) = await running.messages("work.assigned")
    assert assigned.at.vehicle == "BUS-1"
    zipped = (await running.messages("evidence.received"))[0].body.model_dump()
    assert zipped["encoding"] == "base64"


async def test_a_needed_file_in_a_wrong_encoding_is_what_a_refused_export_is_told(running: Running) -> None:
    packed, spoilt = (
        export([BlockRow(41, 1, 7, 6 * 3600, 12 * 3600, 180_000, 4_000)], DAY, [(1, "solo")], []),
        BytesIO(),
    )
    with ZipFile(BytesIO(packed)) as old, ZipFile(spoilt, "w") as new:
        for name in old.namelist():
            body = old.read(name)
            if name == "rec_lid.x10":
                body = body.replace(b"ISO8859-1", b"UTF-8").replace(b"Line", b"L\xf6we")
            new.writestr(name, body)
    status, told, _ = await running.ask("POST", PATH, spoilt.getvalue(), headers={"X-File-Name": "vdv.zip"})
    assert (status, told["reason"]) == (422, "wrong_encoding")
    assert "rec_lid" in told["detail"].lower() and "REC_LID" in told["detail"] and "save it as UTF-8" in told["next"]


async def test_the_same_file_again_changes_nothing(running: Running) -> None:
    await running.ask("POST", PATH, CSV)
    status, told, _ = await running.ask("POST", PATH, CSV)
    assert (status, told["added"], told["unchanged"], told["repeated"]) == (200, 0, 2, True)
    assert len(await running.messages("schedule.received")) == 1


async def test_going_back_to_an_earlier_file_is_an_import_like_any_other(running: Running) -> None:
    await running.ask("POST", PATH, CSV)
    await running.ask("POST", PATH, CSV.replace(b"180", b"190"))
    status, told, _ = await running.ask("POST", PATH, CSV)
    assert (status, told["changed"], told["unchanged"]) == (200, 1, 1)


async def test_a_dry_run_says_what_would_change_and_stores_nothing(running: Running) -> None:
    await running.ask("POST", PATH, CSV)
    before = await running.log.last()
    changed = CSV.replace(b"180", b"190").replace(b"BUS-2,07:00", b"BUS-2,08:00")
    status, told, reply = await running.ask("POST", f"{PATH}?dry_run=true", changed)
    assert status == 200
    assert (told["added"], told["changed"], told["removed"], told["dry_run"]) == (1, 1, 1, True)
    assert await running.log.last() == before
    assert "Busbar-Position" not in reply.headers


async def test_a_broken_row_is_listed_and_the_others_are_used(running: Running) -> None:
    broken = CSV + b"2026-11-26,BUS-1,never,10\n2026-11-26,BUS-9,09:00,10\n"
    status, told, _ = await running.ask("POST", PATH, broken)
    assert (status, told["added"], told["quarantined_count"], told["refused_count"]) == (200, 2, 1, 1)
    (row,) = told["quarantined"]
    assert row["reason"] == "time_invalid"
    assert row["what"]
    assert row["next"]
    (refused,) = told["refused"]
    assert refused["reason"] == "vehicle_unknown"
    assert "BUS-9" in refused["what"]


async def test_a_wrong_encoding_is_a_problem_with_reason_and_next_step(running: Running) -> None:
    status, told, reply = await running.ask("POST", PATH, b"vehicle,departure\nB\xfcs,06:20\n")
    assert (status, told["reason"]) == (422, "wrong_encoding")
    assert told["next"]
    assert reply.headers["Busbar-Position"]
    assert len(await running.messages("evidence.received")) == 1
    assert len(await running.messages("evidence.quarantined")) == 1
    assert await running.messages("schedule.received") == []
    assert b'reason="wrong_encoding"} 1.0' in running.hub.metrics.text()


async def test_a_damaged_archive_is_a_problem(running: Running) -> None:
    status, told, _ = await running.ask("POST", PATH, b"PK\x03\x04 x.x10 nonsense")
    assert (status, told["reason"]) == (422, "archive_broken")


async def test_a_picture_is_no_schedule(running: Running) -> None:
    status, told, _ = await running.ask("POST", PATH, b"\x89PNG\r\n\x1a\n")
    assert (status, told["reason"]) == (422, "format_unknown")


@pytest.mark.parametrize(
    ("format", "sent"),
    [("assignments", CSV), ("departures", b"operating_day,block,vehicle\n2026-11-26,41,BUS-1\n")],
)
async def test_a_table_that_is_not_what_it_is_sent_as_changes_nothing(
    running: Running, format: str, sent: bytes
) -> None:
    for dry in ("&dry_run=true", ""):
        status, told, _ = await running.ask("POST", f"{PATH}?format={format}{dry}", sent)
        assert (status, told["reason"]) == (422, "format_differs")
        assert f"sent as {format}" in told["detail"]
    assert not await running.messages("schedule.received")
    assert (await running.ask("POST", f"{PATH}?format=table", sent))[0] == 200


async def test_an_unknown_format_is_refused_with_those_that_there_are(running: Running) -> None:
    status, told, _ = await running.ask("POST", f"{PATH}?format=excel", CSV)
    assert status == 422
    assert "vdv452" in told["next"]


async def test_a_file_of_many_days_is_one_import(running: Running) -> None:
    head = b"operating_day,block,vehicle,departure,distance_km\n"
    days = [b"2026-11-%d" % day for day in (26, 27, 28)]
    rows = [b"%s,%d,BUS-1,12:00,10\n" % (day, n) for day in days for n in range(300)]
    status, told, _ = await running.ask("POST", PATH, head + b"".join(rows))
    assert (status, told["added"], told["assigned"]) == (200, 900, 900)
    status, told, _ = await running.ask("POST", PATH, head + b"".join(rows[:300] + rows[301:]))
    assert (told["removed"], told["unchanged"]) == (1, 899)


async def test_more_work_than_any_site_has_is_refused(running: Running, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(schedules, "MOST_WORK", 1)
    status, told, _ = await running.ask("POST", PATH, CSV)
    assert (status, told["reason"]) == (422, "file_too_large")
    assert "at most 1" in told["detail"]
