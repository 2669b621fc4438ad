"""Sessions priced by time of use, to the fraction of a cent."""

from dataclasses import replace
from datetime import UTC, datetime, time, timedelta
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.commercial import by_cost_centre, price
from core.commercial.tariff import boundaries, period_at
from core.messages.site import Tariff, TariffPeriod
from core.sessions import MeterPoint, Session

BERLIN = "Europe/Berlin"
NIGHT = Tariff(
    id="tou",
    periods=(
        TariffPeriod(begins=time(0), price_per_kwh=Decimal("0.20")),
        TariffPeriod(begins=time(6), price_per_kwh=Decimal("0.35")),
        TariffPeriod(begins=time(22), price_per_kwh=Decimal("0.20")),
    ),
)


def utc(day, hour, minute=0, month=11):
    return datetime(2026, month, day, hour, minute, tzinfo=UTC)


def session(begins, ends, begin_wh, end_wh, *points):
    return Session(
        id="CP-07/T1",
        station="CP-07",
        evse=1,
        transaction="T1",
        started=begins,
        started_by="begin",
        begin_wh=begin_wh,
        vehicle="BUS-142",
        ended=ends,
        ended_by="end",
        end_wh=end_wh,
        points=tuple(MeterPoint(at, wh, f"m{i}") for i, (at, wh) in enumerate(points)),
    )


def test_a_night_with_a_clock_change_is_priced_by_the_wall_clock():
    """10 kWh until 22:00 local (20:00Z), 90 until 06:00 local (05:00Z), 10 after."""
    charged = session(
        utc(24, 18, month=10),
        utc(25, 7, month=10),
        5000,
        115000,
        (utc(24, 20, month=10), 15000),
        (utc(25, 5, month=10), 105000),
    )
    record = price(charged, NIGHT, BERLIN, "fleet")
    assert [line.cost for line in record.lines] == [Decimal("3.5"), Decimal("18"), Decimal("3.5")]
    assert (record.cost, record.energy_kwh, record.currency) == (Decimal("25.0000"), Decimal("110"), "EUR")
    assert {line.quality for line in record.lines} == {"measured"}
    assert (record.status, record.tariff, record.cost_centre, record.vehicle) == ("complete", "tou", "fleet", "BUS-142")


def test_the_register_at_a_boundary_lies_on_the_line_between_its_neighbours_and_says_so():
    record = price(
        session(utc(25, 20), utc(25, 22), 0, 3000, (utc(25, 20, 30), 1000), (utc(25, 21, 30), 2000)), NIGHT, BERLIN, "f"
    )
    assert [(line.energy_kwh, line.quality) for line in record.lines] == [
        (Decimal("1.5"), "interpolated"),
        (Decimal("1.5"), "interpolated"),
    ]
    assert record.lines[0].ends == record.lines[1].begins == utc(25, 21)
    assert record.cost == Decimal("0.8250")


def test_points_out_of_order_or_outside_the_session_do_not_matter():
    plain = session(utc(25, 20), utc(25, 22), 0, 3000, (utc(25, 20, 30), 1000), (utc(25, 21, 30), 2000))
    messy = replace(
        plain,
        points=(
            *reversed(plain.points),
            MeterPoint(utc(25, 19), 9000, "x"),
            MeterPoint(utc(25, 23), 1, "y"),
            MeterPoint(utc(25, 20), 500, "z"),
            MeterPoint(utc(25, 22), 1, "w"),
        ),
    )
    assert price(messy, NIGHT, BERLIN, "f") == price(plain, NIGHT, BERLIN, "f")


@pytest.mark.parametrize(
    "broken",
    [
        session(utc(25, 20), utc(25, 22), None, 3000),
        session(utc(25, 20), utc(25, 22), 0, None),
        session(utc(25, 20), utc(25, 22), 3001, 3000),
        session(utc(25, 20), utc(25, 22), 0, 3000, (utc(25, 21), 4000)),
    ],
)
def test_a_missing_or_falling_register_bills_nothing(broken):
    record = price(broken, NIGHT, BERLIN, "f")
    assert (record.status, record.lines, record.energy_kwh, record.cost) == ("incomplete", (), 0, 0)
    assert (record.begins, record.ends) == (broken.started, broken.ended)


def test_registers_of_begin_and_end_in_whole_watt_hours_do_not_run_backwards_against_finer_samples():
    fine = (utc(25, 20), 1000.7), (utc(25, 23), 43_000.4), (utc(25, 23, 30), 43_000.4)
    record = price(session(utc(25, 19), utc(26, 0), 1001, 43_000, *fine), NIGHT, BERLIN, "f")
    assert (record.status, record.energy_kwh) == ("complete", Decimal("41.999"))
    assert all(line.energy_kwh >= 0 for line in record.lines)
    assert (
        price(session(utc(25, 19), utc(26, 0), 1001, 43_000, (utc(25, 23), 43_001.0)), NIGHT, BERLIN, "f").status
        == "incomplete"
    )


def test_a_session_that_runs_has_no_bill_yet():
    running = replace(session(utc(25, 20), utc(25, 22), 0, 3000), ended=None)
    record = price(running, NIGHT, BERLIN, "f")
    assert (record.status, record.ends) == ("incomplete", running.started)


def test_zero_energy_is_complete_and_free():
    record = price(session(utc(25, 20), utc(25, 20, 30), 7000, 7000), NIGHT, BERLIN, "f")
    assert (record.status, record.cost, len(record.lines)) == ("complete", 0, 1)


def test_one_price_is_one_line_however_long():
    flat = Tariff()
    record = price(session(utc(20, 0), utc(25, 0), 0, 1234), flat, BERLIN, "f")
    assert len(record.lines) == 1
    assert record.cost == Decimal("0.3085")


def test_sums_are_rounded_half_up_to_four_decimals():
    third = Tariff(periods=(TariffPeriod(begins=time(0), price_per_kwh=Decimal("0.00005")),))
    assert price(session(utc(25, 0), utc(25, 1), 0, 1000), third, BERLIN, "f").cost == Decimal("0.0001")


def test_a_price_holds_from_its_wall_time_on_and_before_the_first_the_last_one_of_the_day_before():
    late = Tariff(
        periods=(
            TariffPeriod(begins=time(6), price_per_kwh=Decimal("0.35")),
            TariffPeriod(begins=time(22), price_per_kwh=Decimal("0.20")),
        )
    )
    assert period_at(late, BERLIN, utc(25, 4, 59)).begins == time(22)
    assert period_at(late, BERLIN, utc(25, 5)).begins == time(6)
    assert period_at(late, BERLIN, utc(25, 20, 59)).begins == time(6)
    assert period_at(late, BERLIN, utc(25, 21)).begins == time(22)


def half_past_two():
    return Tariff(
        periods=(
            TariffPeriod(begins=time(0), price_per_kwh=Decimal("0.10")),
            TariffPeriod(begins=time(2, 30), price_per_kwh=Decimal("0.20")),
        )
    )


def test_the_hour_that_comes_twice_is_priced_twice():
    cuts = boundaries(half_past_two(), BERLIN, utc(24, 23, month=10), utc(25, 5, month=10))
    assert cuts == (utc(25, 0, 30, month=10), utc(25, 1, month=10), utc(25, 1, 30, month=10))


def test_the_hour_that_is_missing_begins_the_later_price_at_the_change():
    assert boundaries(half_past_two(), BERLIN, utc(28, 23, month=3), utc(29, 5, month=3)) == (utc(29, 1, month=3),)


def test_boundaries_lie_strictly_inside_the_window():
    assert boundaries(NIGHT, BERLIN, utc(25, 5), utc(25, 21)) == ()
    assert boundaries(NIGHT, BERLIN, utc(25, 4, 59), utc(25, 21, 1)) == (utc(25, 5), utc(25, 21))
    assert boundaries(NIGHT, BERLIN, utc(25, 22), utc(26, 4)) == ()


@given(
    start=st.integers(0, 400 * 24 * 60),
    minutes=st.integers(1, 3 * 24 * 60),
    wh=st.lists(st.integers(0, 500_000), min_size=2, max_size=6),
)
def test_lines_touch_each_other_and_add_up_to_the_session(start, minutes, wh):
    begins = datetime(2026, 1, 1, tzinfo=UTC) + timedelta(minutes=start)
    ends = begins + timedelta(minutes=minutes)
    wh = sorted(wh)
    points = [(begins + (ends - begins) * i / (len(wh) - 1), value) for i, value in enumerate(wh)][1:-1]
    record = price(session(begins, ends, wh[0], wh[-1], *points), NIGHT, BERLIN, "f")
    assert record.energy_kwh == Decimal(wh[-1] - wh[0]) / 1000
    assert record.lines[0].begins == begins and record.lines[-1].ends == ends
    for one, other in zip(record.lines, record.lines[1:], strict=False):
        assert one.ends == other.begins and one.price_per_kwh != other.price_per_kwh


def test_shares_add_up_per_cost_centre_and_currency():
    whole = price(session(utc(25, 0), utc(25, 1), 0, 1000), NIGHT, BERLIN, "fleet")
    broken = price(session(utc(25, 0), utc(25, 1), None, 1000), NIGHT, BERLIN, "fleet")
    other = whole.model_copy(update={"cost_centre": "guests"})
    shares = by_cost_centre([other, whole, broken, whole])
    assert [(s.cost_centre, s.sessions, s.incomplete, s.energy_kwh, s.cost) for s in shares] == [
        ("fleet", 3, 1, Decimal(2), Decimal("0.4")),
        ("guests", 1, 0, Decimal(1), Decimal("0.2")),
    ]
    assert shares[0].currency == "EUR"
