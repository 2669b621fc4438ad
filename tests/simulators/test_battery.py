"""The battery against the golden vectors for charging with taper."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from simulators.charger.battery import Battery, accepted_kw, weaker_above

CURVE = ((0.0, 150.0), (0.8, 150.0), (1.0, 15.0))

VECTORS = [
    ("T1", 322, 0.35, 0.95, 150, 94.87, 203.368),
    ("T2", 322, 0.35, 0.95, 80, 155.68, 203.368),
    ("T3", 322, 0.80, 1.00, 150, 69.37, 67.789),
    ("T4", 250, 0.20, 0.80, 150, 63.16, 157.895),
    ("T5", 322, 0.35, 0.99, 150, 119.19, 216.926),
    ("T6", 322, 0.90, 1.00, 40, 61.56, 33.895),
]


@pytest.mark.parametrize(("name", "capacity", "begin", "goal", "cap", "minutes", "kwh"), VECTORS)
def test_the_time_to_charge_is_the_closed_form(name, capacity, begin, goal, cap, minutes, kwh):
    battery = Battery(capacity, begin, CURVE, 0.95)
    early, late = (Battery(capacity, begin, CURVE, 0.95) for _ in range(2))
    early.advance((minutes - 0.006) / 60, cap)
    late.advance((minutes + 0.006) / 60, cap)
    assert early.soc <= goal <= late.soc
    pieces = battery.advance(minutes / 60, cap)
    taken = sum(piece.energy_kwh() for piece in pieces)
    assert taken == pytest.approx((battery.soc - begin) * capacity / 0.95, abs=1e-6)
    assert (goal - begin) * capacity / 0.95 == pytest.approx(kwh, abs=0.001)


@given(
    st.lists(st.floats(0.001, 0.5), min_size=1, max_size=12),
    st.floats(0, 1),
    st.floats(0, 200),
)
def test_many_small_steps_give_the_same_as_one_large_one(steps, soc, cap):
    one, many = Battery(350, soc, CURVE), Battery(350, soc, CURVE)
    whole = sum(piece.energy_kwh() for piece in one.advance(sum(steps), cap))
    parts = sum(piece.energy_kwh() for step in steps for piece in many.advance(step, cap))
    assert many.soc == pytest.approx(one.soc, abs=1e-8)
    assert parts == pytest.approx(whole, abs=1e-5)


@given(st.floats(0, 1), st.floats(0, 200), st.floats(0.01, 5))
def test_power_never_exceeds_the_cap_nor_the_curve_and_soc_never_exceeds_one(soc, cap, hours):
    battery = Battery(350, soc, CURVE)
    at = soc
    for piece in battery.advance(hours, cap):
        assert piece.kw <= min(cap, accepted_kw(CURVE, at)) + 1e-6
        at += battery.eta * piece.energy_kwh() / 350
    assert battery.soc <= 1.0


def test_a_cap_of_zero_never_reaches_the_goal():
    battery = Battery(350, 0.5, CURVE)
    assert [(piece.hours, piece.kw) for piece in battery.advance(1000, 0)] == [(1000, 0)]
    assert battery.soc == 0.5


def test_a_weak_bus_takes_less_only_above_the_threshold():
    curve = weaker_above(CURVE, 0.8, 0.5)
    assert accepted_kw(curve, 0.79) == 150
    assert accepted_kw(curve, 0.8) == 75
    assert accepted_kw(curve, 0.9) == pytest.approx(41.25)
    slow, usual = Battery(350, 0.7, curve), Battery(350, 0.7, CURVE)
    for battery in (slow, usual):
        battery.advance(0.5, 150)
    assert slow.soc < usual.soc
