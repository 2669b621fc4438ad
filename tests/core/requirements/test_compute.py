"""From a departure to its requirement, with every input recorded."""

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.messages import line, load
from core.messages.base import compose
from core.messages.work import Leg
from core.requirements import compute, consumption_per_km, distance_km, energy, layover_h, recompute
from core.requirements.formula import Terms
from core.vehicles import Reading
from core.work import Departure
from tests.core.requirements.fleet import CONFIG, DEPARTS, NOW, SB12, block

SOC = Reading(0.35, NOW - timedelta(minutes=3), "charger CP-07", "m-soc")


def departure(*blocks, vehicle="BUS-142"):
    return Departure(vehicle, DEPARTS, blocks, tuple(f"c-{b.block}" for b in blocks))


def inputs(body):
    return {item.name: item for item in body.inputs}


def hours(value):
    return DEPARTS + timedelta(hours=value)


def leg(begins, ends, kind="service", metres=1000.0):
    return Leg(begins=hours(begins), ends=hours(ends), kind=kind, distance_m=metres, provenance="link_sum")


def test_a_block_by_distance_gives_the_golden_row():
    legs = (leg(0, 3, metres=75000), leg(4, 6, metres=75000))
    body = compute(departure(block(legs=legs)), SOC, CONFIG)
    assert body.consumption_kwh == pytest.approx(260.40)
    assert body.soc_target == pytest.approx(1.0396, abs=0.00005)
    assert body.plug_kwh == pytest.approx(220.3158, abs=0.0005)
    assert body.shortfall_kwh == pytest.approx(12.74)
    assert (body.reason, body.priority) == ("block_exceeds_battery", 2)


def test_a_block_that_exceeds_the_battery_by_less_than_a_kwh_exceeds_it():
    km = 130.0
    while (body := compute(departure(block(km=km)), SOC, CONFIG)).shortfall_kwh == 0:
        km += 0.1
    assert 0 < body.shortfall_kwh < 1
    assert body.reason == "block_exceeds_battery"
    assert (body.departs, body.deadline) == (DEPARTS, DEPARTS - timedelta(minutes=5))
    assert (body.works, body.soc_now, body.soc_measured) == (("vdv:2026-11-25:4201",), 0.35, SOC.measured)


def test_every_input_is_recorded_with_source_unit_and_age():
    found = inputs(compute(departure(block()), SOC, CONFIG))
    assert found["distance_km"].value == 150
    assert found["distance_km"].source == "work vdv:2026-11-25:4201: link_sum"
    assert (found["distance_km"].unit, found["ambient_c"].unit) == ("km", "deg C")
    assert (found["consumption_per_km"].value, found["consumption_per_km"].source) == (1.696, "type SB12")
    assert (found["soc_now"].source, found["soc_now"].measured) == ("charger CP-07", SOC.measured)
    assert (found["soh"].value, found["soh"].source) == (0.92, "vehicle BUS-142")
    assert found["net_capacity_kwh"].value == 350
    assert (found["margin"].value, found["margin"].source) == (0.10, "policy")
    assert (found["soc_floor"].source, found["capacity_kwh"].source) == ("type SB12", "computed")
    assert (found["capacity_kwh"].unit, found["reserve_km"].unit) == ("kWh", "km")
    assert "layover_h" not in found


def test_an_unknown_state_of_charge_leaves_the_need_unknown_and_never_zero():
    body = compute(departure(block()), None, CONFIG)
    assert (body.soc_now, body.soc_measured, body.battery_kwh, body.plug_kwh, body.grid_kwh) == (None,) * 5
    assert (inputs(body)["soc_now"].value, inputs(body)["soc_now"].source) == (None, "unknown")


def test_blocks_without_a_stay_are_one_requirement_with_the_sum_and_one_reserve():
    second = block("4202", hours(6.2), hours=2, km=20)
    body = compute(departure(block(km=60), second), SOC, CONFIG)
    assert body.consumption_kwh == pytest.approx(80 * 1.696)
    assert body.reserve_kwh == pytest.approx(0.05 * 322)
    assert body.works == ("vdv:2026-11-25:4201", "vdv:2026-11-25:4202")
    assert [i.value for i in body.inputs if i.name == "distance_km"] == [60, 20]


def test_energy_that_the_feed_states_is_taken_instead_of_the_distance():
    body = compute(departure(block(energy_kwh=100.0)), SOC, CONFIG)
    assert body.consumption_kwh == 100
    assert inputs(body)["energy_kwh"].value == 100
    assert "distance_km" not in inputs(body)


def test_a_target_that_the_feed_states_wins_and_ours_is_kept_beside_it():
    body = compute(departure(block(km=60, target_soc=0.9)), SOC, CONFIG)
    ours = energy(Terms(60 * 1.696, 322))
    assert (body.soc_target, body.soc_goal) == (0.9, 0.9)
    assert body.consumption_kwh == pytest.approx(60 * 1.696)
    assert inputs(body)["soc_target_computed"].value == pytest.approx(ours.soc_target)
    assert inputs(body)["soc_stated"].source == "feed vdv"


def test_a_target_alone_stands_for_the_energy_above_floor_and_reserve():
    body = compute(departure(block(km=None, target_soc=0.8)), SOC, CONFIG)
    assert (body.soc_goal, body.reason) == (0.8, "")
    assert body.consumption_kwh == pytest.approx((0.7 * 322 - 16.1) / 1.1)
    assert inputs(body)["target_soc"].value == 0.8
    assert "soc_target_computed" not in inputs(body)


def test_two_stated_targets_without_a_stay_add_up():
    both = (block(km=None, target_soc=0.5), block("4202", hours(6), km=None, target_soc=0.5))
    body = compute(departure(*both), SOC, CONFIG)
    assert body.consumption_kwh == pytest.approx(2 * (0.4 * 322 - 16.1) / 1.1)
    assert inputs(body)["soc_stated"].value is None


def test_without_known_work_the_sites_default_stands_in_and_is_named():
    body = compute(Departure("BUS-142", DEPARTS), SOC, CONFIG)
    assert (body.soc_goal, body.reason, body.works) == (0.9, "default_work", ())
    assert body.soc_needed == pytest.approx(0.1 + body.consumption_kwh / 322)
    assert inputs(body)["soc_stated"].source == "policy default_work"


def test_work_of_which_nothing_is_known_gets_the_default_target_with_its_reason():
    body = compute(departure(block(km=None, hours=0, returns=None)), SOC, CONFIG)
    assert (body.soc_goal, body.reason) == (0.9, "distance_unknown")
    assert body.works == ("vdv:2026-11-25:4201",)
    assert inputs(body)["distance_km"].value is None


def test_a_vehicle_that_is_not_configured_gets_no_requirement():
    assert compute(departure(block(), vehicle="BUS-0"), SOC, CONFIG) is None
    assert compute(departure(block(), vehicle="BUS-9"), SOC, CONFIG) is None
    empty = SB12.model_copy(update={"capacity_kwh": 0.0})
    assert compute(departure(block()), SOC, CONFIG.model_copy(update={"vehicle_types": (empty,)})) is None


def test_a_type_with_a_tiny_battery_still_gets_one():
    small = CONFIG.model_copy(update={"vehicle_types": (SB12.model_copy(update={"capacity_kwh": 0.5}),)})
    assert compute(departure(block()), SOC, small).soc_target > 100


def test_standing_inside_and_between_blocks_costs_energy_but_not_outside_them():
    first = block(legs=(leg(0, 1), leg(1.5, 2)))
    second = block("4202", hours(2.25), legs=(leg(2.25, 3),))
    assert layover_h((first,)) == 0.5
    assert layover_h((first, second)) == 0.75
    assert layover_h((block(legs=(leg(0, 1), leg(0.9, 2), leg(2.5, 3))),)) == 0.5
    assert layover_h((first, block("4202"))) == 0
    body = compute(departure(first), SOC, CONFIG)
    assert (inputs(body)["layover_h"].value, inputs(body)["standing_kw"].value) == (0.5, 6)
    assert body.consumption_kwh == pytest.approx(150 * 1.696 + 3)


def test_depot_legs_that_the_feed_does_not_hold_get_an_allowance():
    service = (leg(0, 1),)
    assert distance_km(block(km=10), 5) == (10, "link_sum")
    assert distance_km(block(km=10, depot_leg="unknown"), 5) == (20, "link_sum + 2 depot legs at 5 km")
    assert distance_km(block(km=10, depot_leg="unknown", legs=service), 5)[0] == 20
    out = (leg(0, 1, "deadrun"), *service)
    assert distance_km(block(km=10, depot_leg="unknown", legs=out), 5) == (15, "link_sum + 1 depot leg at 5 km")
    assert distance_km(block(km=10, depot_leg="unknown", legs=(*service, leg(1, 2, "deadrun"))), 5)[0] == 15
    assert distance_km(block(km=10, depot_leg="unknown"), 0) == (10, "link_sum")


def test_a_leg_without_a_distance_is_estimated_from_its_time():
    legs = (leg(0, 1, metres=7000.0), leg(1, 1.5, metres=None))
    assert distance_km(block(km=7, legs=legs), 5) == (17, "speed")
    assert distance_km(block(km=None, legs=legs), 5) == (17, "speed")
    assert distance_km(block(km=None, hours=3), 5) == (60, "speed")


def test_consumption_lies_between_the_points_of_the_table_and_says_where_it_was_clamped():
    assert consumption_per_km(SB12, 10) == (pytest.approx(1.47), "type SB12")
    assert consumption_per_km(SB12, -20) == (3.010, "type SB12, clamped at ambient_c")
    assert consumption_per_km(SB12.model_copy(update={"consumption": ()}), 5) == (1.8, "assumed")


def test_the_reserve_distance_uses_the_consumption_of_the_type():
    policies = CONFIG.policies.model_copy(update={"reserve_km": 20.0})
    body = compute(departure(block()), SOC, CONFIG.model_copy(update={"policies": policies}))
    assert body.reserve_kwh == pytest.approx(20 * 1.696)


@given(st.floats(0, 400), st.floats(0, 1) | st.none(), st.floats(-30, 40))
def test_a_requirement_can_be_recomputed_from_its_stored_inputs(km, soc, ambient):
    policies = CONFIG.policies.model_copy(update={"ambient_c": ambient})
    reading = None if soc is None else Reading(soc, NOW, "charger", "m")
    body = compute(departure(block(km=km)), reading, CONFIG.model_copy(update={"policies": policies}))
    stored = load(line(compose(body, id="r", time=NOW, source="core", site="depot"))).body
    again = recompute(stored)
    assert (again.soc_target, again.soc_goal, again.plug_kwh) == (body.soc_target, body.soc_goal, body.plug_kwh)
    assert (again.soc_needed, again.grid_kwh) == (body.soc_needed, body.grid_kwh)


@given(st.floats(0, 400), st.floats(0, 100))
def test_more_distance_never_needs_less(km, more):
    short, long = (compute(departure(block(km=value)), SOC, CONFIG) for value in (km, km + more))
    assert long.soc_target >= short.soc_target


@given(st.floats(-30, 40), st.floats(0, 40))
def test_colder_never_needs_less(ambient, colder):
    configs = (
        CONFIG.model_copy(update={"policies": CONFIG.policies.model_copy(update={"ambient_c": value})})
        for value in (ambient, ambient - colder)
    )
    warm, cold = (compute(departure(block()), SOC, config) for config in configs)
    assert cold.soc_target >= warm.soc_target
