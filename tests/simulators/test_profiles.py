"""The composite schedule against golden vectors of the standard's conformance tests."""

from datetime import UTC, datetime, timedelta

import pytest

from simulators.charger.profiles import Installed, Profile, Reading, Running
from simulators.charger.schedules import periods

DAY = datetime(2024, 1, 17, tzinfo=UTC)
A = 690.0  # watts of one ampere on three phases


def at(text, day=DAY):
    hours, minutes, seconds = (int(part) for part in (text + ":00:00").split(":")[:3])
    return day + timedelta(hours=hours, minutes=minutes, seconds=seconds)


def profile(purpose, steps, *, id=1, evse=1, level=0, kind="Absolute", unit="A", factor=A, **more):
    watts = tuple((start, limit * factor) for start, limit in steps)
    return Profile(id, evse, purpose, level, kind, unit, watts, **more)


def composite(profiles, begin, seconds, *, evse=1, running=None, evses=None):
    runs = evses if evses is not None else {1: running}
    steps = Installed(tuple(profiles)).steps(evse, begin, begin + timedelta(seconds=seconds), runs)
    return [
        ((moment - begin).total_seconds(), None if watts is None else round(watts / A, 6)) for moment, watts in steps
    ]


def test_g1_an_ended_transaction_profile_lets_the_default_and_then_the_maximum_show_through():
    start = at("12:24:36")
    profiles = [
        profile("ChargePointMaxProfile", [(0, 10)], id=1, evse=0, start=start, duration_s=86404),
        profile(
            "TxDefaultProfile",
            [(0, 6), (60, 10), (120, 8), (180, 15), (260, 8)],
            id=2,
            start=start,
            duration_s=304,
            valid_to=at("12:31:25"),
        ),
        profile(
            "TxProfile",
            [(0, 8), (50, 11), (140, 16), (200, 6), (240, 12)],
            id=3,
            start=start,
            duration_s=264,
            transaction="7",
        ),
    ]
    found = composite(profiles, at("12:24:40"), 400, running=Running(1, "7", start))
    assert found == [(0, 8), (46, 10), (196, 6), (236, 10), (260, 8), (300, 10)]


def test_g2_a_higher_level_is_followed_by_the_recurring_lower_one():
    profiles = [
        profile(
            "TxDefaultProfile",
            [(0, 2000)],
            level=1,
            factor=1,
            unit="W",
            start=at("18:00"),
            duration_s=1080,
            recurrency="Daily",
        ),
        profile(
            "TxDefaultProfile",
            [(0, 11000), (28800, 6000), (72000, 12000)],
            id=2,
            factor=1,
            unit="W",
            kind="Recurring",
            start=at("17:00"),
            duration_s=86400,
        ),
    ]
    steps = Installed(tuple(profiles)).steps(1, at("18:01"), at("30:00"), {1: None})
    assert [((m - at("18:01")).total_seconds(), w) for m, w in steps] == [(0, 2000), (1020, 11000), (25140, 6000)]


def test_g3_a_recurring_schedule_makes_no_statement_after_its_duration():
    before = datetime(2024, 1, 1, 12, tzinfo=UTC)
    daily = profile(
        "TxDefaultProfile",
        [(0, 32), (3600, 6)],
        kind="Recurring",
        start=before,
        duration_s=18000,
        valid_from=datetime(2024, 2, 1, 12, tzinfo=UTC),
    )
    assert composite([daily], datetime(2024, 2, 10, 11, 50, tzinfo=UTC), 1200) == [(0, None), (600, 32)]


def test_g4_without_duration_the_last_period_holds_until_it_recurs():
    before = datetime(2024, 1, 1, 12, tzinfo=UTC)
    daily = profile("TxDefaultProfile", [(0, 32), (3600, 6)], kind="Recurring", start=before)
    assert composite([daily], datetime(2024, 1, 10, 11, 50, tzinfo=UTC), 1200) == [(0, 6), (600, 32)]


@pytest.mark.parametrize(
    ("plugged", "begin", "expected"),
    [("10:00", "11:50", [(0, None), (600, 6)]), ("19:50", "19:50", [(0, 32), (600, None)])],
)
def test_g5_g6_a_relative_schedule_counts_from_the_plug_in_inside_its_validity(plugged, begin, expected):
    relative = profile(
        "TxDefaultProfile", [(0, 32), (3600, 6)], kind="Relative", valid_from=at("12:00"), valid_to=at("20:00")
    )
    assert composite([relative], at(begin), 1200, running=Running(1, "7", at(plugged))) == expected


def test_g7_the_station_is_the_sum_of_its_evses_under_its_maximum():
    profiles = [
        profile("ChargePointMaxProfile", [(0, 32)], evse=0, start=DAY),
        profile("TxDefaultProfile", [(0, 10)], id=2, evse=0, start=DAY),
    ]
    assert composite(profiles, at("01:00"), 60, evse=0, evses={1: None, 2: None}) == [(0, 20)]


@pytest.mark.parametrize("evse", [0, 1])
def test_g8_zero_is_a_limit(evse):
    profiles = [
        profile("ChargePointMaxProfile", [(0, 0)], evse=0, start=DAY),
        profile("TxProfile", [(0, 16)], id=2, start=DAY, transaction="7"),
    ]
    assert composite(profiles, at("01:00"), 60, evse=evse, running=Running(1, "7", DAY)) == [(0, 0)]


def test_g9_a_higher_level_without_a_period_does_not_shadow_the_lower_one():
    profiles = [
        profile("ChargePointMaxProfile", [(0, 16)], evse=0, start=DAY),
        profile("TxProfile", [(0, 32)], id=2, start=DAY, transaction="7"),
        profile("TxProfile", [(0, 6)], id=3, level=2, start=at("01:01"), duration_s=60, transaction="7"),
    ]
    found = composite(profiles, at("01:00"), 180, running=Running(1, "7", DAY))
    assert found == [(0, 16), (60, 6), (120, 16)]


@pytest.mark.parametrize(("unit", "expected"), [("A", 12.0), ("W", 8280.0)])
def test_g10_amperes_and_watts_meet_at_230_volts_on_three_phases(unit, expected):
    profiles = (
        profile("ChargePointMaxProfile", [(0, 16)], evse=0, start=DAY),
        profile("TxDefaultProfile", [(0, 8280)], id=2, unit="W", factor=1, start=DAY),
    )
    steps = Installed(profiles).steps(1, at("01:00"), at("01:01"), {1: None})
    assert periods(at("01:00"), unit, steps, 90000.0) == [{"startPeriod": 0, "limit": expected}]


def test_g11_a_query_without_duration_gives_the_value_of_that_instant():
    default = profile("TxDefaultProfile", [(0, 10)], evse=0, start=DAY)
    assert composite([default], at("01:00"), 0) == [(0, 10)]


def test_g12_two_daily_defaults_follow_each_other_and_the_maximum_shows_through():
    daily = {"kind": "Recurring", "recurrency": "Daily"}
    profiles = [
        profile("TxDefaultProfile", [(0, 16)], id=1, level=5, start=at("08:00"), duration_s=300, **daily),
        profile("TxDefaultProfile", [(0, 12)], id=2, level=5, start=at("08:05"), duration_s=300, **daily),
        profile("ChargePointMaxProfile", [(0, 24), (900, 28)], id=3, evse=0, start=at("08:00"), **daily),
    ]
    assert composite(profiles, at("08:00"), 900) == [(0, 16), (300, 12), (600, 24)]


@pytest.mark.parametrize("window", [1, 7, 60, 900, 5000])
def test_a_schedule_read_forwards_says_what_the_whole_one_says(window):
    start = at("12:00")
    profiles = (
        profile(
            "TxDefaultProfile", [(0, 6), (60, 10), (7000, 8)], id=2, start=start, kind="Recurring", duration_s=9000
        ),
        profile("TxProfile", [(0, 8), (50, 11), (140, 16)], id=3, start=start, duration_s=264, transaction="7"),
    )
    installed, runs = Installed(profiles), {1: Running(1, "7", start)}
    reading, found, begin = Reading(installed, 1, runs), [], start
    while begin < at("15:00"):
        end = begin + timedelta(seconds=window)
        found += [step for step in reading(begin, end) if not found or found[-1][1] != step[1]]
        begin = end
    assert found == installed.steps(1, start, begin, runs)
