"""Departures as a plain table."""

import json
from datetime import UTC, date, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from protocols.table import by_hand, detect, translate

NOW = datetime(2026, 11, 24, 20, tzinfo=UTC)
DAY = date(2026, 11, 25)


def run(text, **more):
    data = text.encode() if isinstance(text, str) else text
    return translate(data, feed="plan", zone="Europe/Berlin", **{"now": NOW, **more})


def only(found):
    assert (len(found.blocks), found.quarantined) == (1, ())
    return found.blocks[0]


def reasons(found):
    return [item.reason for item in found.quarantined]


def utc(*parts):
    return datetime(*parts, tzinfo=UTC)


def test_a_row_names_vehicle_departure_and_distance():
    found = run("vehicle,departure,distance_km,arrival,line\nBUS-142,2026-11-25T06:20,180.5,13:05,M5\n")
    block = only(found)
    assert (block.work, block.vehicle, block.route) == ("plan:2026-11-25:BUS-142@06:20", "BUS-142", "M5")
    assert (block.departs, block.returns) == (utc(2026, 11, 25, 5, 20), utc(2026, 11, 25, 12, 5))
    assert (block.distance_m, block.provenance, block.depot_leg, block.legs) == (180_500, "feed", "stated", ())
    assert (found.covers_from, found.covers_until, found.format) == (DAY, DAY, "table")


def test_a_block_with_its_day_keeps_its_name_and_hours_go_on_after_midnight():
    block = only(run("operating_day;block;departure;kwh;vehicle_type\n2026-11-25;4201;25:30;120,5;SB12\n"))
    assert (block.work, block.vehicle, block.vehicle_type) == ("plan:2026-11-25:4201", None, "SB12")
    assert (block.departs, block.energy_kwh, block.distance_m) == (utc(2026, 11, 26, 0, 30), 120.5, None)
    assert block.provenance == "unknown"


@pytest.mark.parametrize("text", ["0.9", "90", "90%", "90 %"])
def test_a_target_is_a_share_or_a_percentage(text):
    assert only(run(f"vehicle,departure,target_soc\nBUS-142,06:20,{text}\n")).target_soc == 0.9


@pytest.mark.parametrize(("text", "target"), [("1.5", None), ("4.9", None), ("1.5 %", 0.015), ("5", 0.05)])
def test_what_may_be_a_mistyped_fraction_or_percent_is_refused_unless_it_has_the_sign(text, target):
    found = run(f"vehicle,departure,target_soc\nBUS-142,06:20,{text}\n")
    assert [b.target_soc for b in found.blocks] == ([target] if target else [])
    assert [(q.reason, "write percent as" in q.detail) for q in found.quarantined] == (
        [] if target else [("number_invalid", True)]
    )


def test_one_is_full_and_one_per_cent_is_not():
    assert only(run("vehicle,departure,target_soc\nBUS-142,06:20,1\n")).target_soc == 1.0
    assert only(run("vehicle,departure,target_soc\nBUS-142,06:20,1 %\n")).target_soc == 0.01


def test_a_time_without_a_day_is_the_next_such_time():
    assert only(run("vehicle,departure,km\nBUS-142,06:20,10\n")).departs == utc(2026, 11, 25, 5, 20)
    assert only(run("vehicle,departure,km\nBUS-142,22:15:30,10\n")).departs == utc(2026, 11, 24, 21, 15, 30)
    assert only(run("vehicle,departure,km\nBUS-142,21:00,10\n")).departs == utc(2026, 11, 25, 20)
    assert reasons(run("vehicle,departure,km\nBUS-142,06:20,10\n", now=None)) == ["day_missing"]


def test_times_with_an_offset_are_absolute_and_local_ones_follow_the_clock():
    assert only(run("vehicle,departure,km\nB,2026-11-25T06:20:00Z,10\n")).departs == utc(2026, 11, 25, 6, 20)
    assert only(run("vehicle,departure,km\nB,2026-11-25 06:20:30,10\n")).departs == utc(2026, 11, 25, 5, 20, 30)
    assert only(run("vehicle,departure,km\nB,2026-03-29T02:30,10\n")).departs == utc(2026, 3, 29, 1, 30)


def test_an_arrival_before_the_departure_is_the_next_morning_unless_it_names_its_day():
    assert only(run("vehicle,departure,arrival,km\nB,2026-11-25T22:00,06:00,10\n")).returns == utc(2026, 11, 26, 5)
    found = run("vehicle,departure,arrival,km\nB,2026-11-25T22:00,2026-11-25T21:00,10\n")
    assert reasons(found) == ["arrival_before_departure"]
    assert found.kept == ("plan:2026-11-25:B@22:00",)


@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
@pytest.mark.parametrize("ending", ["\n", "\r\n"])
@pytest.mark.parametrize("bom", ["", "\ufeff"])
def test_delimiters_line_ends_and_byte_order_marks_do_not_matter(delimiter, ending, bom):
    rows = [["Vehicle", "Departure Time", "km", "line"], ["BÜS-1", "06:20", "10", "Süd"], ["", "", "", ""]]
    block = only(run(bom + ending.join(delimiter.join(row) for row in rows) + ending))
    assert (block.vehicle, block.distance_m, block.route) == ("BÜS-1", 10_000, "Süd")


def test_json_rows_are_read_too_with_or_without_a_name():
    rows = [{"vehicle": "BUS-142", "departure": "06:20", "distance_km": 10, "line": None}]
    for data in (rows, {"departures": rows}, rows[0]):
        assert only(run(json.dumps(data))).distance_m == 10_000


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        (",,06:20,10,,", "subject_missing"),
        ("B,,,10,,", "time_invalid"),
        ("B,,six,10,,", "time_invalid"),
        ("B,,2026-11-25,10,,", "time_invalid"),
        ("B,,48:00,10,,", "time_invalid"),
        ("B,,06:60,10,,", "time_invalid"),
        ("B,,06:20:60,10,,", "time_invalid"),
        ("B,,06:20,-1,,", "number_invalid"),
        ("B,,06:20,2001,,", "number_invalid"),
        ("B,,06:20,nan,,", "number_invalid"),
        ("B,,06:20,far,,", "number_invalid"),
        ("B,,06:20,,5001,", "number_invalid"),
        ("B,,06:20,,,101", "number_invalid"),
        ("B,,06:20,,,", "need_missing"),
        ("B,,06:20,10", "row_malformed"),
        ("B,,06:20,10,,,extra", "row_malformed"),
        ("GOOD,,05:00,10,,", "row_duplicate"),
    ],
)
def test_a_broken_row_is_set_aside_alone_with_its_reason(row, reason):
    found = run(f"vehicle,block,departure,km,kwh,soc\nGOOD,,05:00,10,,\n{row}\n")
    assert ([b.vehicle for b in found.blocks], reasons(found)) == (["GOOD"], [reason])
    assert found.quarantined[0].detail.startswith("row 3: ")


def test_a_broken_row_whose_work_can_be_told_keeps_it_and_another_forbids_withdrawals():
    head = "operating_day,block,vehicle,departure,km\n2026-11-25,1,A,05:00,10\n"
    found = run(head + "2026-11-25,2,B,06:00,far\n")
    assert (found.kept, found.covers_from) == (("plan:2026-11-25:2",), DAY)
    found = run(head + "2026-11-25,2,B,soon,10\n")
    assert (found.kept, found.covers_from, found.covers_until) == ((), None, None)
    found = run(head + "2026-11-25,1,A,07:00,10\n")
    assert (found.kept, found.covers_from) == ((), DAY)
    assert reasons(run(head + "25.11.2026,2,B,06:00,10\n")) == ["day_invalid"]


def test_json_rows_that_are_no_rows_are_set_aside():
    rows = [{"vehicle": "A", "departure": "06:20", "km": 1}, "text", {"vehicle": ["A"], "departure": "07:00", "km": 1}]
    found = run(json.dumps(rows))
    assert (len(found.blocks), reasons(found)) == (1, ["row_malformed", "row_malformed"])


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        ("vehicle,departure,km\nBÜS,06:20,1\n".encode("cp1252"), "wrong_encoding"),
        (b"", "not_a_table"),
        (b"a,b,c\n1,2,3\n", "not_a_table"),
        (b"[1, 2", "not_a_table"),
        (b'{"departures": 5}', "not_a_table"),
        (b"[" * 100_000, "not_a_table"),
    ],
)
def test_what_is_no_table_is_refused_with_the_next_step(data, reason):
    found = run(data)
    assert (found.blocks, reasons(found), found.covers_from) == ((), [reason], None)


def test_a_table_that_is_too_long_is_refused():
    assert reasons(run("vehicle,departure,km\n" + "B,06:20,1\n" * 100_001)) == ["table_too_long"]


def test_a_column_that_nobody_knows_is_named():
    found = run("vehicle,departure,distence\nB,06:20,10\n")
    assert ([w.item for w in found.warnings], reasons(found)) == (["distence"], ["need_missing"])


def test_only_the_days_that_were_asked_for_become_work():
    text = "vehicle,departure,km\nA,2026-11-25T06:20,1\nB,2026-11-26T06:20,1\n"
    found = run(text, days=(DAY, DAY))
    assert ([b.vehicle for b in found.blocks], found.covers_until) == (["A"], DAY)
    assert run(text).covers_until == date(2026, 11, 26)
    (warning,) = found.warnings
    assert (warning.reason, warning.item) == ("outside_horizon", "1 row")
    assert "plan:2026-11-26:B@06:20" in warning.detail
    assert run(text).warnings == ()


def test_one_file_at_a_time():
    text = b"vehicle,departure,km\nA,06:20,1\n"
    assert len(run({"a.csv": text}).blocks) == 1
    assert reasons(run({"a.csv": text, "b.csv": text})) == ["not_a_table"]


def test_a_departure_by_hand_only_adds():
    found = by_hand("BUS-142", utc(2026, 11, 25, 5, 20), zone="Europe/Berlin", km=180, line="M5")
    (block,) = found.blocks
    assert (found.feed, found.format, found.covers_from) == ("hand", "hand", None)
    assert (block.work, block.vehicle, block.distance_m) == ("hand:2026-11-25:BUS-142@06:20", "BUS-142", 180_000)
    assert (block.route, block.provenance) == ("M5", "feed")
    other = by_hand("BUS-142", utc(2026, 11, 25, 5, 20), zone="Europe/Berlin", target_soc=0.9)
    assert (other.blocks[0].target_soc, other.blocks[0].provenance) == (0.9, "unknown")
    assert other.content != found.content
    assert by_hand("BUS-142", utc(2026, 11, 25, 5, 20), zone="Europe/Berlin", kwh=5).blocks[0].energy_kwh == 5


def test_a_table_is_recognised_by_name_or_header():
    assert detect("plan.csv", b"")
    assert detect("plan.json", b"")
    assert detect("upload", b"\xef\xbb\xbfVehicle;Departure;km\n")
    assert not detect("upload", b"mod; DD.MM.YYYY")


@given(st.text(alphabet='vehicle,departure;km\n\r":0123456789- \x00Ü', max_size=80))
def test_whatever_is_written_nothing_raises(text):
    found = run("vehicle,departure,km\n" + text)
    assert len(found.blocks) + len(found.quarantined) <= 40


def test_a_time_without_a_day_in_the_repeated_hour_is_the_pass_that_is_still_to_come():
    text = "vehicle,departure,kwh\nBUS-142,02:30,100\n"
    for now, departs in (
        (utc(2026, 10, 24, 23, 59), utc(2026, 10, 25, 0, 30)),
        (utc(2026, 10, 25, 0, 30), utc(2026, 10, 25, 1, 30)),
        (utc(2026, 10, 25, 1, 30), utc(2026, 10, 26, 1, 30)),
    ):
        assert only(run(text, now=now)).departs == departs
