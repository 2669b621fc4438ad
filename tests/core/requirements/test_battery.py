"""How a battery fills."""

from datetime import UTC, datetime, timedelta
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.battery import charge_time, interpolate, power_at, reached_at, soc_after
from core.messages.allocation import Step

CURVE = ((0.0, 150.0), (0.8, 150.0), (1.0, 15.0))
ETA = 0.95
NIGHT = datetime(2026, 11, 25, 22, tzinfo=UTC)
MORNING = NIGHT + timedelta(hours=12)


@pytest.mark.parametrize(
    ("capacity", "low", "high", "cap", "minutes"),
    [
        pytest.param(322, 0.35, 0.95, 150, 94.87, id="T1"),
        pytest.param(322, 0.35, 0.95, 80, 155.68, id="T2"),
        pytest.param(322, 0.80, 1.00, 150, 69.37, id="T3"),
        pytest.param(250, 0.20, 0.80, 150, 63.16, id="T4"),
        pytest.param(322, 0.35, 0.99, 150, 119.19, id="T5"),
        pytest.param(322, 0.90, 1.00, 40, 61.56, id="T6"),
    ],
)
def test_the_golden_vectors_of_charge_time_hold(capacity, low, high, cap, minutes):
    assert charge_time(CURVE, capacity, ETA, low, high, cap) / timedelta(minutes=1) == pytest.approx(minutes, abs=0.005)


def test_nothing_to_charge_takes_no_time():
    assert charge_time(CURVE, 322, ETA, 0.6, 0.6, 150) == timedelta(0)
    assert charge_time(CURVE, 322, ETA, 0.7, 0.6, 150) == timedelta(0)


@pytest.mark.parametrize("curve", [((0, 100), (1, 0)), ((0, 0), (1, 100)), ((0, 100), (0.5, 0), (1, 100))])
def test_a_power_that_falls_to_zero_before_the_goal_never_gets_there(curve):
    assert charge_time(curve, 322, ETA, 0.0, 1.0, 150) is None


def test_zero_power_never_gets_there():
    assert charge_time(CURVE, 322, ETA, 0.2, 0.3, 0) is None


def test_a_small_power_still_gets_there_but_less_than_a_watt_is_nothing():
    assert charge_time(CURVE, 100, 1.0, 0.2, 0.3, 0.002) / timedelta(hours=1) == pytest.approx(5000)
    assert charge_time(CURVE, 100, 1.0, 0.2, 0.3, 0.001) is None
    assert soc_after(CURVE, 100, 1.0, 0.2, (Step(at=NIGHT, kw=0.001),), NIGHT, MORNING) == 0.2


def test_a_sudden_drop_in_the_curve_is_followed():
    curve = ((0.0, 100.0), (0.5, 100.0), (0.5, 50.0), (1.0, 50.0))
    assert charge_time(curve, 100, 1.0, 0.0, 1.0, 200) == timedelta(hours=1.5)


def test_outside_its_points_the_curve_holds_its_end_values():
    curve = ((0.2, 50.0), (0.8, 100.0))
    assert charge_time(curve, 100, 1.0, 0.0, 0.2, 200) == timedelta(hours=0.4)
    assert charge_time(curve, 100, 1.0, 0.8, 1.0, 200) == timedelta(hours=0.2)


def test_a_vehicle_takes_the_smaller_of_curve_and_offer():
    assert power_at(CURVE, 0.5) == 150
    assert power_at(CURVE, 0.9) == pytest.approx(82.5)
    assert power_at(CURVE, 0.9, 40) == 40


def test_values_between_points_lie_on_a_line_and_outside_they_are_clamped_and_said_so():
    points = ((-15.0, 3.0), (5.0, 2.0), (25.0, 1.0))
    assert interpolate(points, -5) == (2.5, False)
    assert interpolate(points, 15) == (1.5, False)
    assert interpolate(points, 5) == (2.0, False)
    assert interpolate(points, -15) == (3.0, False)
    assert interpolate(points, 25) == (1.0, False)
    assert interpolate(points, -16) == (3.0, True)
    assert interpolate(points, 26) == (1.0, True)


def test_charging_follows_the_steps_and_nothing_flows_before_the_first():
    steps = (Step(at=NIGHT + timedelta(hours=1), kw=50), Step(at=NIGHT + timedelta(hours=2), kw=0))
    assert soc_after(CURVE, 100, 1.0, 0.1, steps, NIGHT, NIGHT + timedelta(hours=1)) == 0.1
    assert soc_after(CURVE, 100, 1.0, 0.1, steps, NIGHT, NIGHT + timedelta(hours=1.5)) == pytest.approx(0.35)
    assert soc_after(CURVE, 100, 1.0, 0.1, steps, NIGHT, MORNING) == pytest.approx(0.6)
    assert soc_after(CURVE, 100, 1.0, 0.1, steps, NIGHT + timedelta(hours=1.5), MORNING) == pytest.approx(0.35)


def test_the_last_step_lasts_and_steps_may_come_in_any_order():
    steps = (Step(at=NIGHT + timedelta(hours=1), kw=20), Step(at=NIGHT, kw=10))
    assert soc_after(CURVE, 100, 1.0, 0.1, steps, NIGHT, NIGHT + timedelta(hours=2)) == pytest.approx(0.4)


def test_a_full_battery_stays_full():
    steps = (Step(at=NIGHT, kw=150),)
    assert soc_after(CURVE, 100, 1.0, 1.0, steps, NIGHT, MORNING) == 1.0
    assert soc_after(CURVE, 100, 1.0, 0.2, steps, NIGHT, MORNING) == 1.0


def test_a_curve_that_falls_to_zero_is_approached_and_never_passed():
    curve = ((0.0, 100.0), (0.5, 100.0), (1.0, 0.0))
    after = soc_after(curve, 100, 1.0, 0.5, (Step(at=NIGHT, kw=100),), NIGHT, MORNING)
    assert 0.99 < after < 1.0


def test_a_battery_that_takes_nothing_stays_where_it_is():
    assert soc_after(((0.0, 0.0), (1.0, 0.0)), 100, 1.0, 0.4, (Step(at=NIGHT, kw=100),), NIGHT, MORNING) == 0.4


def test_the_goal_is_reached_inside_the_step_that_fills_it():
    steps = (
        Step(at=NIGHT, kw=10),
        Step(at=NIGHT + timedelta(hours=2), kw=0),
        Step(at=NIGHT + timedelta(hours=3), kw=40),
    )
    found = reached_at(CURVE, 100, 1.0, 0.1, 0.5, steps, NIGHT, MORNING)
    assert found == NIGHT + timedelta(hours=3.5)
    assert reached_at(CURVE, 100, 1.0, 0.1, 0.3, steps, NIGHT, MORNING) == NIGHT + timedelta(hours=2)


def test_what_is_lost_on_the_way_into_the_battery_is_lost_in_every_step():
    steps = (Step(at=NIGHT, kw=10), Step(at=NIGHT + timedelta(hours=2), kw=40))
    # 20 kWh bring 16, the other 24 take 30 at the plug
    found = reached_at(CURVE, 100, 0.8, 0.1, 0.5, steps, NIGHT, MORNING)
    assert found is not None
    assert abs(found - NIGHT - timedelta(hours=2.75)) < timedelta(milliseconds=1)


def test_a_goal_that_is_reached_already_is_reached_at_once():
    assert reached_at(CURVE, 100, 1.0, 0.5, 0.5, (), NIGHT, MORNING) == NIGHT


def test_a_goal_beyond_the_window_is_not_reached():
    steps = (Step(at=NIGHT, kw=10),)
    assert reached_at(CURVE, 100, 1.0, 0.1, 0.5, steps, NIGHT, NIGHT + timedelta(hours=3)) is None
    assert reached_at(CURVE, 100, 1.0, 0.1, 0.5, steps, NIGHT, NIGHT + timedelta(hours=4, seconds=1)) is not None


curves = st.lists(
    st.tuples(st.floats(0, 1), st.floats(5, 300)), min_size=1, max_size=5, unique_by=lambda point: round(point[0], 3)
).map(sorted)


@given(curves, st.floats(50, 600), st.floats(0, 0.95), st.floats(0.001, 1), st.floats(5, 300))
def test_charging_for_the_charge_time_arrives_at_the_goal(curve, capacity, low, share, cap):
    goal = low + (1 - low) * share
    needed = charge_time(curve, capacity, ETA, low, goal, cap)
    after = soc_after(curve, capacity, ETA, low, (Step(at=NIGHT, kw=cap),), NIGHT, NIGHT + needed)
    assert after == pytest.approx(goal, abs=1e-6)


@given(curves, st.floats(0, 1), st.floats(0, 200), st.floats(0, 10), st.floats(0, 10))
def test_charging_in_two_parts_gives_what_one_part_gives(curve, soc, cap, first, second):
    steps = (Step(at=NIGHT, kw=cap),)
    middle, end = NIGHT + timedelta(hours=first), NIGHT + timedelta(hours=first + second)
    half = soc_after(curve, 300, ETA, soc, steps, NIGHT, middle)
    whole = soc_after(curve, 300, ETA, soc, steps, NIGHT, end)
    assert soc_after(curve, 300, ETA, half, steps, middle, end) == pytest.approx(whole, abs=1e-6)


@given(curves, st.floats(0, 0.9), st.floats(6, 200))
def test_more_power_never_takes_longer(curve, soc, cap):
    times = [charge_time(curve, 300, ETA, soc, 1.0, kw) for kw in (cap / 2, cap, cap * 2)]
    assert all(slow >= fast - timedelta(seconds=1) for slow, fast in pairwise(times))


def test_a_battery_of_unknown_kind_takes_whatever_it_is_given():
    unknown = ((0.0, float("inf")),)
    assert charge_time(unknown, 300, 1.0, 0.2, 0.5, 90) == timedelta(hours=1)
    assert power_at(unknown, 0.5) == float("inf")
