"""The energy requirement in closed form."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.requirements import Terms, energy, implied_consumption

ROWS = {
    "R1": (Terms(150 * 1.696 + 6, 322, soc_now=0.35), 260.40, 1.0396, 12.74, 209.300, 220.3158, 234.3785),
    "R2": (
        Terms(110 * 1.696 + 6, 322, soc_now=0.35, precondition_kwh=12),
        192.56, 0.8078, 0, 147.416, 155.1747, 177.8455,
    ),
    "R3": (Terms(150 * 1.244 + 3, 322, soc_now=0.35), 189.60, 0.7977, 0, 144.160, 151.7474, 161.4334),
    "R3w": (Terms(150 * 3.010 + 12, 322, soc_now=0.35), 463.50, 1.7334, 236.15, 209.300, 220.3158, 234.3785),
    "R4": (Terms(60 * 1.244, 322, soc_now=0.80), 74.64, 0.4050, 0, 0, 0, 0),
    "R5": (Terms(110 * 1.696 + 6, 322), 192.56, 0.8078, 0, None, None, None),
    "R6": (Terms(110 * 1.696 + 6, 262.5, soc_now=0.35), 192.56, 0.9569, 0, 159.316, 167.7011, 178.4054),
}  # fmt: skip


@pytest.mark.parametrize("row", ROWS)
def test_the_golden_vectors_of_the_requirement_hold(row):
    terms, block, target, short, battery, plug, grid = ROWS[row]
    found = energy(terms)
    assert terms.consumption_kwh == pytest.approx(block, abs=0.005)
    assert found.soc_target == pytest.approx(target, abs=0.00005)
    assert found.soc_goal == min(found.soc_target, 1.0)
    assert found.shortfall_kwh == pytest.approx(short, abs=0.01)
    assert found.soc_needed == pytest.approx(0.10 + block / terms.capacity_kwh, abs=0.0001)
    if battery is None:
        assert (found.battery_kwh, found.plug_kwh, found.grid_kwh) == (None, None, None)
        return
    assert found.battery_kwh == pytest.approx(battery, abs=0.0005)
    assert found.plug_kwh == pytest.approx(plug, abs=0.0005)
    assert found.grid_kwh == pytest.approx(grid, abs=0.0005)


def test_the_reserve_is_the_larger_of_share_and_distance():
    assert energy(Terms(100, 300, reserve_soc=0.05, reserve_km=5, kwh_per_km=2)).reserve_kwh == 15
    assert energy(Terms(100, 300, reserve_soc=0.05, reserve_km=10, kwh_per_km=2)).reserve_kwh == 20


def test_a_ceiling_below_full_caps_the_goal_and_names_the_shortfall():
    found = energy(Terms(100, 200, margin=0, soc_floor=0.1, reserve_soc=0, soc_ceiling=0.5, soc_now=0.2))
    assert (found.soc_target, found.soc_goal) == (pytest.approx(0.6), 0.5)
    assert found.shortfall_kwh == pytest.approx(20)
    assert found.battery_kwh == pytest.approx(60)


def test_a_stated_target_wins_over_the_computed_one():
    found = energy(Terms(100, 200, margin=0, reserve_soc=0, soc_stated=0.9, soc_now=0.4))
    assert (found.soc_target, found.soc_goal, found.soc_needed) == (0.9, 0.9, pytest.approx(0.6))
    assert found.battery_kwh == pytest.approx(100)


def test_what_is_needed_is_never_above_a_stated_target():
    assert energy(Terms(100, 200, soc_stated=0.3)).soc_needed == 0.3


def test_a_stated_target_stands_for_a_consumption():
    terms = Terms(0, 322, margin=0.25)
    kwh = implied_consumption(terms, 0.8)
    assert energy(Terms(kwh, 322, margin=0.25)).soc_target == pytest.approx(0.8)
    assert implied_consumption(terms, 0.05) == 0


def test_without_a_stated_distance_the_reserve_is_a_share_of_the_battery_alone():
    assert energy(Terms(100, 300, kwh_per_km=500)).reserve_kwh == 15


ROUNDING = 1e-12
"""Shares of a battery that floating point may add."""

terms = st.builds(
    Terms,
    st.floats(0, 500),
    st.floats(100, 600),
    margin=st.floats(0, 0.5),
    soc_floor=st.floats(0, 0.3),
    reserve_soc=st.floats(0, 0.3),
    eta_battery=st.floats(0.8, 1),
    eta_charger=st.floats(0.8, 1),
    soc_now=st.floats(0, 1),
)


@given(terms, st.sampled_from(["consumption_kwh", "margin", "soc_floor", "reserve_soc"]), st.floats(0, 0.5))
def test_the_target_rises_with_consumption_margin_floor_and_reserve(before, name, more):
    after = Terms(**{**_fields(before), name: getattr(before, name) + more})
    assert energy(after).soc_target >= energy(before).soc_target - ROUNDING


@given(terms, st.floats(1, 2))
def test_the_target_falls_with_capacity_and_health(before, factor):
    after = Terms(**{**_fields(before), "capacity_kwh": before.capacity_kwh * factor})
    assert energy(after).soc_target <= energy(before).soc_target + ROUNDING


@given(terms)
def test_every_stage_towards_the_grid_costs_energy(given_terms):
    found = energy(given_terms)
    assert 0 <= found.battery_kwh <= found.plug_kwh <= found.grid_kwh


def _fields(value):
    return {name: getattr(value, name) for name in value.__dataclass_fields__}
