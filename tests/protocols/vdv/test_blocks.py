"""Blocks out of VDV 452."""

import io
import zipfile
from datetime import UTC, date, datetime
from zoneinfo import ZoneInfo

import pytest

from protocols.common.imports import wall_clock
from protocols.vdv import translate
from tests.protocols.vdv.export import files, tables, without

WEDNESDAY, SATURDAY = date(2026, 11, 25), date(2026, 10, 24)


def run(found, days=None):
    return translate(found, feed="vdv", zone="Europe/Berlin", days=days)


def block(found, name):
    return next(b for b in run(found).blocks if b.block == name)


def utc(*parts):
    return datetime(*parts, tzinfo=UTC)


def legs(found):
    return [
        (leg.begins.strftime("%H:%M:%S"), leg.ends.strftime("%H:%M:%S"), leg.kind, leg.distance_m) for leg in found.legs
    ]


def test_v1_the_first_golden_block():
    found = block(files(), "4201")
    assert (found.operating_day, found.departs, found.returns) == (
        WEDNESDAY,
        utc(2026, 11, 25, 5, 20),
        utc(2026, 11, 25, 6, 30),
    )
    assert (found.distance_m, found.provenance, found.vehicle_type) == (28_320, "link_sum", "12")
    assert (found.depot_out, found.depot_in, found.depot_leg) == ("900", "900", "stated")
    assert (found.work, found.route, found.vehicle) == ("vdv:2026-11-25:4201", "M5", None)
    assert legs(found) == [
        ("05:20:00", "05:35:00", "deadrun", 5200),
        ("05:40:00", "05:55:30", "service", 8910),
        ("06:00:00", "06:16:00", "service", 8910),
        ("06:16:00", "06:30:00", "deadrun", 5300),
    ]


def test_v2_the_golden_block_after_midnight_before_the_clock_goes_back():
    found = block(files(), "4299")
    assert (found.operating_day, found.departs) == (SATURDAY, utc(2026, 10, 24, 22, 15))
    assert (found.returns, found.distance_m) == (utc(2026, 10, 24, 23, 24, 30), 28_320)


def test_v3_without_its_depot_runs_a_block_begins_with_passengers_and_the_depot_legs_are_unknown():
    found = block(files(without("REC_FRT", 1000, 1003)), "4201")
    assert (found.departs, found.distance_m, found.depot_leg) == (utc(2026, 11, 25, 5, 40), 17_820, "unknown")
    assert (found.depot_out, found.depot_in, len(found.legs)) == ("900", "900", 2)


def test_the_import_covers_the_calendar_or_the_days_that_were_asked_for():
    found = run(files())
    assert (found.covers_from, found.covers_until, len(found.blocks)) == (SATURDAY, WEDNESDAY, 2)
    found = run(files(), (date(2026, 11, 1), date(2026, 12, 1)))
    assert (found.covers_from, found.covers_until) == (date(2026, 11, 1), WEDNESDAY)
    assert [b.block for b in found.blocks] == ["4201"]
    found = run(files(), (date(2027, 1, 1), date(2027, 1, 2)))
    assert (found.blocks, found.covers_from, found.quarantined[0].reason) == ((), None, "outside_span")


def test_a_zip_with_folders_gives_the_same_blocks_as_the_files():
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.mkdir("export")
        for name, content in files().items():
            archive.writestr(f"export/{name.upper()}", content)
    assert run(buffer.getvalue()).blocks == run(files()).blocks


def test_several_tables_in_one_file_are_read():
    together = b"".join(content.replace(b"eof; 1\r\n", b"") for content in files().values()) + b"eof; 10\r\n"
    assert run({"all.x10": together}).blocks == run(files()).blocks


def test_columns_are_found_by_name_in_any_order_with_unknown_ones_beside_them():
    columns, rows = tables()["REC_UMLAUF"]
    turned = (" ".join(["NEU", *reversed(columns.split())]), [(None, *reversed(row)) for row in rows])
    assert run(files({"REC_UMLAUF": turned})).blocks == run(files()).blocks


def test_depot_legs_come_from_links_where_trips_do_not_hold_them():
    links = {
        **without("REC_FRT", 1000, 1003),
        "REC_UEB": (
            "BASIS_VERSION BEREICH_NR ONR_TYP_NR ORT_NR UEB_ZIEL_TYP UEB_ZIEL UEB_LAENGE",
            [(1, 7, 2, 900, 1, 101, 5000), (1, 7, 1, 101, 2, 900, 2500)],
        ),
        "UEB_FZT": (
            "BASIS_VERSION BEREICH_NR FGR_NR ONR_TYP_NR ORT_NR UEB_ZIEL_TYP UEB_ZIEL UEB_FAHRZEIT",
            [(1, 7, 3, 2, 900, 1, 101, 600)],
        ),
    }
    found = block(files(links), "4201")
    assert (found.depot_leg, found.departs, found.distance_m) == ("derived", utc(2026, 11, 25, 5, 30), 25_320)
    assert legs(found)[-1] == ("06:16:00", "06:22:00", "deadrun", 2500)


def test_a_link_between_two_trips_becomes_a_leg_that_ends_before_the_next_trip():
    gap = {
        **without("REC_FRT", 1002),
        "REC_UEB": (
            "BASIS_VERSION BEREICH_NR ONR_TYP_NR ORT_NR UEB_ZIEL_TYP UEB_ZIEL UEB_LAENGE",
            [(1, 7, 1, 103, 1, 101, 8000)],
        ),
    }
    assert legs(block(files(gap), "4201"))[2] == ("05:55:30", "06:14:42", "deadrun", 8000)
    gap["UEB_FZT"] = (
        "BASIS_VERSION FGR_NR ONR_TYP_NR ORT_NR UEB_ZIEL_TYP UEB_ZIEL UEB_FAHRZEIT",
        [(1, 3, 1, 103, 1, 101, 7200)],
    )
    assert legs(block(files(gap), "4201"))[2] == ("05:55:30", "06:16:00", "deadrun", 8000)


def test_a_block_that_ends_at_a_stop_has_no_depot_there():
    columns, rows = tables()["REC_UMLAUF"]
    changed = [(*row[:5], 101, 1, row[7]) for row in rows]
    found = block(files({"REC_UMLAUF": (columns, changed), **without("REC_FRT", 1003)}), "4201")
    assert (found.depot_out, found.depot_in, found.depot_leg) == ("900", None, "unknown")


def test_without_stated_ends_the_depot_column_or_the_trips_say_where_a_block_begins():
    columns, rows = tables()["REC_UMLAUF"]
    silent = [(*row[:3], None, None, None, None, 12, 900) for row in rows]
    found = block(files({"REC_UMLAUF": (columns + " BHOF_ORT_NR", silent)}), "4201")
    assert (found.depot_out, found.depot_leg) == ("900", "stated")
    silent = [(*row[:3], None, None, None, None, None) for row in rows]
    found = block(files({"REC_UMLAUF": (columns, silent)}), "4201")
    assert (found.depot_out, found.depot_leg, found.vehicle_type) == ("900", "stated", None)


def test_a_missing_length_leaves_that_leg_unknown_and_never_zero():
    columns, rows = tables()["REC_SEL"]
    found = block(files({"REC_SEL": (columns, list(rows)[1:])}), "4201")
    assert (found.legs[0].distance_m, found.legs[0].provenance, found.distance_m) == (None, "unknown", 23_120)
    found = block(files({"REC_SEL": (columns, [])}), "4201")
    assert (found.distance_m, found.provenance) == (None, "unknown")


def test_a_dwell_time_of_zero_is_a_real_zero():
    columns, _ = tables()["REC_FRT_HZT"]
    found = block(files({"REC_FRT_HZT": (columns, [(1, 1002, 1, 102, 0)])}), "4201")
    assert legs(found)[2][1] == "06:15:00"


def test_a_nominal_time_that_overruns_the_next_start_is_cut_and_warned_about():
    columns, _ = tables()["REC_FRT_HZT"]
    found = run(files({"REC_FRT_HZT": (columns, [(1, 1001, 1, 102, 600)])}))
    assert legs(next(b for b in found.blocks if b.block == "4201"))[1][1] == "06:00:00"
    assert [w.reason for w in found.warnings] == ["times_overlap"]


def test_the_basis_version_in_force_is_the_one_with_the_latest_start():
    versions = ("VER_GUELTIGKEIT BASIS_VERSION", [(20260101, 1), (20261101, 2)])
    found = run(files({"BASIS_VER_GUELTIGKEIT": versions}))
    assert [b.block for b in found.blocks] == ["4299"]
    late = ("VER_GUELTIGKEIT BASIS_VERSION", [(20261101, 1)])
    found = run(files({"BASIS_VER_GUELTIGKEIT": late}))
    assert ([b.block for b in found.blocks], found.covers_from) == (["4201"], WEDNESDAY)


@pytest.mark.parametrize(
    ("name", "zone", "day", "hms", "expected"),
    [
        ("T1", "Europe/Berlin", (2026, 11, 25), (6, 20), (11, 25, 5, 20)),
        ("T2", "Europe/Berlin", (2026, 10, 24), (26, 30), (10, 25, 0, 30)),
        ("T3", "Europe/Berlin", (2026, 10, 24), (27, 30), (10, 25, 2, 30)),
        ("T4", "Europe/Berlin", (2026, 10, 25), (6, 20), (10, 25, 5, 20)),
        ("T5", "Europe/Berlin", (2026, 10, 25), (0, 30), (10, 24, 22, 30)),
        ("T6", "Europe/Berlin", (2026, 10, 25), (25, 0), (10, 26, 0, 0)),
        ("T7", "Europe/Berlin", (2026, 3, 28), (26, 30), (3, 29, 1, 30)),
        ("T8", "Europe/Berlin", (2026, 3, 29), (0, 30), (3, 28, 23, 30)),
        ("T9", "Europe/Berlin", (2026, 3, 29), (2, 30), (3, 29, 1, 30)),
        ("T10", "Europe/Berlin", (2026, 3, 29), (6, 20), (3, 29, 4, 20)),
        ("T11", "Europe/London", (2026, 10, 24), (25, 30), (10, 25, 0, 30)),
        ("T12", "Europe/London", (2026, 7, 1), (5, 5), (7, 1, 4, 5)),
    ],
)
def test_feed_times_are_wall_clock_times_of_the_operating_day(name, zone, day, hms, expected):
    seconds = hms[0] * 3600 + hms[1] * 60
    assert wall_clock(date(*day), seconds, ZoneInfo(zone)) == utc(2026, *expected), name


def test_in_the_repeated_hour_a_leg_after_a_later_one_is_in_the_second_pass():
    for zone, day in (("Europe/Berlin", date(2026, 10, 24)), ("Europe/London", date(2026, 10, 24))):
        seconds = (26 if zone == "Europe/Berlin" else 25) * 3600 + 1800
        late = utc(2026, 10, 25, 1, 0)
        assert wall_clock(day, seconds, ZoneInfo(zone), after=late) == utc(2026, 10, 25, 1, 30)
        assert wall_clock(day, seconds, ZoneInfo(zone), after=utc(2026, 10, 25, 0, 10)) == utc(2026, 10, 25, 0, 30)
    assert wall_clock(date(2026, 3, 29), 9000, ZoneInfo("Europe/Berlin"), after=utc(2026, 3, 29, 5)) == utc(
        2026, 3, 29, 1, 30
    )
