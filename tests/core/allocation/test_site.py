from __future__ import annotations

import sys
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime, time, timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.allocation import Made, Stay, assign, build, faults, make, planned, settle
from core.allocation.frame import Frame, price_ranks
from core.allocation.planner import trial
from core.energy_system import Topology
from core.messages.allocation import AllocationAssigned, Step
from core.messages.requirement import RequirementComputed
from core.messages.site import Policies, Tariff, VehicleType
from tests.core.allocation.site import DEADLINE, NOW, config, everybody, requirement, segment, stay


def made(count: int = 4, *, limit_kw: float = 600.0, goal: float = 0.75, soc: float | None = 0.3, **more: Any) -> Made:
    needs, stays = everybody(count, soc, goal=goal)
    return make(build(config(count, limit_kw=limit_kw), now=NOW, requirements=needs, stays=stays, **more))


def by_station(result: Made) -> dict[str, AllocationAssigned]:
    return {a.at.station or "": a.body for a in assign(result, "p")}


def test_slots_lie_on_the_clock_and_the_first_is_partial() -> None:
    frame = Frame.at(NOW, 3)
    assert [edge.strftime("%H:%M:%S") for edge in frame.edges] == ["19:07:12", "19:15:00", "19:30:00", "19:45:00"]
    assert frame.first_s == 468
    assert (frame.unit(0), frame.unit(1)) == (13, 25)


def test_on_the_quarter_hour_the_first_slot_is_whole() -> None:
    frame = Frame.at(NOW.replace(minute=15, second=0, microsecond=700), 2)
    assert [edge.minute for edge in frame.edges] == [15, 30, 45]
    assert frame.first_s == 900


def test_who_comes_at_the_edge_of_a_slot_has_all_of_it_and_a_moment_later_none() -> None:
    frame = Frame.at(NOW, 3)
    edge = frame.edges[1]
    assert [frame.first_at(edge + timedelta(microseconds=late)) for late in (-1, 0, 1)] == [1, 1, 2]
    assert frame.first_at(frame.ends) == frame.count


@pytest.mark.parametrize("moment", [NOW, NOW + timedelta(microseconds=260_889), NOW.replace(minute=15, microsecond=1)])
def test_who_is_plugged_charges_in_the_running_slot_whatever_part_of_a_second_it_is(moment: datetime) -> None:
    needs, stays = everybody(2, goal=0.9)
    site = build(config(2, flat=True), now=moment, requirements=needs, stays=stays)
    assert all(demand.cap_wh[0] > 0 for demand in site.problem.demands)
    assert all(energies[0] > 0 for energies in make(site).plan.energy.values())


def test_a_first_slot_of_seconds_still_has_power() -> None:
    frame = Frame.at(NOW.replace(minute=14, second=50), 2)
    assert frame.first_s == 36
    assert frame.power(frame.energy(123.4, 0), 0) == 123.4


@given(st.integers(0, 899), st.integers(0, 3500))
@settings(max_examples=100, deadline=None, derandomize=True)
def test_tenths_of_a_kw_survive_the_way_through_energy(second: int, tenths: int) -> None:
    frame = Frame.at(NOW.replace(minute=0, second=0) + timedelta(seconds=second), 2)
    for slot in (0, 1):
        assert frame.power(frame.energy(tenths / 10, slot), slot) == tenths / 10


def test_power_is_rounded_down_and_never_below_zero() -> None:
    frame = Frame.at(NOW.replace(minute=0, second=0), 1)
    assert frame.energy(10.19, 0) == 101 * 25
    assert frame.energy(-5, 0) == 0


def test_steps_merge_and_end_in_zero() -> None:
    frame = Frame.at(NOW.replace(minute=0, second=0), 4)
    steps = frame.steps([25, 25, 0, 50])
    assert [(s.at.minute, s.kw) for s in steps] == [(0, 0.1), (30, 0.0), (45, 0.2), (0, 0.0)]
    assert frame.steps([0, 0, 0, 0]) == (Step(at=frame.begins, kw=0.0),)
    assert frame.powers(steps) == [0.1, 0.1, 0.0, 0.2]


def test_a_step_inside_a_slot_counts_with_its_least_power() -> None:
    frame = Frame.at(NOW.replace(minute=0, second=0), 2)
    steps = [Step(at=frame.begins, kw=9), Step(at=frame.begins + timedelta(minutes=5), kw=3)]
    assert frame.powers(steps) == [3, 3]
    assert frame.powers([Step(at=frame.begins + timedelta(minutes=5), kw=3)]) == [0, 3]


def test_tariffs_follow_the_local_clock_through_the_night_of_the_change() -> None:
    tariff = config().tariff
    for night, hours in ((datetime(2026, 3, 28, 20, tzinfo=UTC), 7), (datetime(2026, 10, 24, 19, tzinfo=UTC), 9)):
        ranks = price_ranks(Frame.at(night, 64), tariff, "Europe/Berlin")
        assert ranks[:4] == (1, 1, 1, 1)
        cheap = [i for i, rank in enumerate(ranks) if rank == 0]
        assert cheap == list(range(4, 4 + 4 * hours))


def test_equal_prices_share_a_tier() -> None:
    assert set(price_ranks(Frame.at(NOW, 96), Tariff(), "UTC")) == {0}


def test_limits_at_the_grid_become_limits_at_the_plug() -> None:
    site = build(config(0), now=NOW.replace(minute=0), limits={})
    grid, panel = site.problem.nodes[:2]
    assert grid.cap_wh[4] == 5076 * 25
    assert panel.cap_wh[4] == 4700 * 25
    local_midnight = site.frame.edges.index(datetime(2026, 11, 24, 23, tzinfo=UTC))
    assert grid.cap_wh[local_midnight] == 5452 * 25


def test_a_limit_that_touches_a_slot_holds_for_all_of_it() -> None:
    begins = NOW.replace(minute=20, second=0)
    site = build(config(0), now=NOW, limits={"grid": [segment("grid", begins, 0.25, 200)]})
    grid = site.problem.nodes[0]
    assert [grid.source(slot) for slot in range(4)] == ["rating", "dso", "dso", "rating"]
    assert grid.cap_wh[1] == 1316 * 25


def test_a_signal_never_lifts_a_rating() -> None:
    site = build(config(0), now=NOW, limits={"p1": [segment("p1", NOW, 9, 9999)]})
    assert site.problem.nodes[1].source(0) == "rating"


def test_a_limit_below_the_building_is_zero() -> None:
    site = build(config(0), now=NOW, limits={"grid": [segment("grid", NOW, 30, 30)]})
    assert site.problem.nodes[0].cap_wh[0] == 0


def test_silent_stations_count_with_their_ceiling_and_idle_ones_with_their_safe_level() -> None:
    now = NOW.replace(minute=0, second=0)

    def panel(**more: Any) -> int:
        return build(config(4), now=now, **more).problem.nodes[1].cap_wh[4]

    assert panel() == ((470 - 12) * 10) * 25
    assert panel(stays=[stay(0)]) == ((470 - 6) * 10) * 25
    assert panel(stays=[stay(0)], offline={"S0": 100.0}) == ((470 - 106) * 10) * 25
    assert panel(offline={"S0": 0.0, "S2": 0.0}) == 470 * 250


def test_everybody_is_ready_and_the_battery_agrees() -> None:
    result = made()
    assert result.plan.missed == ()
    body = by_station(result)["S0"]
    assert (body.outcome, body.reason, body.vehicle) == ("met", "", "B0")
    assert body.needed_kwh == pytest.approx(0.45 * 350 / 0.95)
    assert body.soc_at_deadline == pytest.approx(0.75, abs=0.001)
    assert body.soc_at_deadline == round(body.soc_at_deadline or 0, 4)
    assert body.ready_at is not None
    assert body.ready_at <= DEADLINE - timedelta(seconds=1200)


def test_cheap_hours_are_used() -> None:
    cheap = datetime(2026, 11, 24, 21, tzinfo=UTC)
    assert all(step.kw == 0 or step.at >= cheap for body in by_station(made()).values() for step in body.steps)


def test_the_last_step_is_zero() -> None:
    assert all(body.steps[-1].kw == 0 for body in by_station(made(limit_kw=300)).values())


@pytest.mark.parametrize(("count", "limit_kw", "goal"), [(4, 600, 0.92), (8, 900, 0.95), (16, 900, 0.95)])
def test_a_tapering_battery_still_reaches_its_goal(count: int, limit_kw: float, goal: float) -> None:
    bodies = by_station(made(count, limit_kw=limit_kw, goal=goal))
    assert {body.outcome for body in bodies.values()} == {"met"}
    assert all((body.soc_at_deadline or 0) >= goal - 0.0006 for body in bodies.values())


@pytest.mark.parametrize("limit_kw", [450, 250])
def test_in_scarcity_the_kept_reach_their_goal_although_they_taper(limit_kw: float) -> None:
    result = made(16, limit_kw=limit_kw, goal=0.9, limits={"grid": [segment("grid", NOW + timedelta(hours=4), 3, 200)]})
    outcomes = planned(result).outcomes
    missed = [o for o in outcomes if not o.met]
    assert len(missed) == {450: 2, 250: 8}[int(limit_kw)]
    assert {o.reason for o in missed} == {"envelope_limited"}


def test_a_shortage_is_told_with_its_limits_and_adds_up() -> None:
    result = made(4, limit_kw=140, limits={"grid": [segment("grid", NOW - timedelta(hours=1), 30, 70)]})
    body = planned(result, ["slot"])
    assert body.triggers == ("slot",)
    assert body.proven
    assert body.missing_kwh > 0
    assert body.needed_kwh - body.missing_kwh == pytest.approx(sum(o.planned_kwh for o in body.outcomes))
    shortage = body.shortages[0]
    assert {limit.node for limit in shortage.limits if limit.source == "dso"} == {"grid"}
    assert shortage.passed_kwh == pytest.approx(sum(limit.kwh for limit in shortage.limits))
    assert shortage.missing_kwh == pytest.approx(shortage.needed_kwh - shortage.passed_kwh)
    assert set(shortage.vehicles) >= {o.vehicle for o in body.outcomes if not o.met}


def test_a_cut_of_too_many_limits_is_told_with_the_last_ones_as_one(monkeypatch: pytest.MonkeyPatch) -> None:
    hours = [segment("grid", NOW + timedelta(hours=h - 1), 1, 70, source=f"s{h}") for h in range(30)]
    whole = planned(made(4, limit_kw=140, limits={"grid": hours}), ["slot"]).shortages[0]
    monkeypatch.setattr(sys.modules[assign.__module__], "MAX_LIMITS", 4)
    cut = planned(made(4, limit_kw=140, limits={"grid": hours}), ["slot"]).shortages[0]
    rest = whole.limits[3:]
    assert len(rest) > 1
    assert cut.limits[:3] == whole.limits[:3]
    (others,) = cut.limits[3:]
    assert (others.node, others.source) == ("others", "several")
    assert (others.begins, others.ends) == (min(r.begins for r in rest), max(r.ends for r in rest))
    assert others.kwh == pytest.approx(sum(r.kwh for r in rest), abs=0.001)


def test_the_missed_go_on_charging_after_their_deadline() -> None:
    result = made(4, limit_kw=80)
    missed = [body for body in by_station(result).values() if body.outcome == "short"]
    assert missed
    assert any(step.at > DEADLINE and step.kw > 0 for body in missed for step in body.steps)
    assert faults(result.used.problem, result.plan) == ()


def test_a_past_deadline_is_best_effort_with_its_reason() -> None:
    needs = [requirement("B0", deadline=NOW)]
    body = by_station(make(build(config(1), now=NOW, requirements=needs, stays=[stay(0)])))["S0"]
    assert (body.outcome, body.reason) == ("short", "deadline_passed")
    assert body.planned_kwh > 100


def test_who_is_as_full_as_can_be_measured_is_not_called_short() -> None:
    needs = [requirement("B0", deadline=NOW)]
    assert isinstance(needs[0].body, RequirementComputed)
    goal = needs[0].body.soc_goal
    for lacks, told in ((0.005, ("met", "")), (0.006, ("short", "deadline_passed"))):
        late = make(build(config(1), now=NOW, requirements=needs, stays=[stay(0, goal - lacks)]))
        body = by_station(late)["S0"]
        assert (body.outcome, body.reason) == told
        assert body.planned_kwh > 0


def test_an_unknown_soc_is_served_by_its_work_and_never_called_met() -> None:
    needs = [requirement("B0", None)]
    body = by_station(make(build(config(1), now=NOW, requirements=needs, stays=[stay(0, None)])))["S0"]
    assert (body.outcome, body.reason, body.needed_kwh, body.soc_at_deadline) == ("unknown", "soc_unknown", None, None)
    assert body.planned_kwh == pytest.approx(170 / 0.95, abs=0.2)


def test_the_newest_soc_at_the_plug_wins() -> None:
    site = build(config(1), now=NOW, requirements=[requirement("B0", 0.3)], stays=[stay(0, 0.5)])
    assert site.bays["S0/1"].needed_kwh == pytest.approx(0.25 * 350 / 0.95)


def test_without_a_reading_at_the_plug_the_requirements_soc_counts() -> None:
    site = build(config(1), now=NOW, requirements=[requirement("B0", 0.3)], stays=[stay(0, None)])
    assert site.bays["S0/1"].soc == 0.3


def test_a_vehicle_that_is_ready_gets_nothing_and_is_met() -> None:
    body = by_station(made(1, soc=0.9))["S0"]
    assert (body.outcome, body.planned_kwh, body.steps) == ("met", 0, (Step(at=NOW, kw=0.0),))


def test_only_the_next_departure_of_a_vehicle_counts() -> None:
    later = requirement("B0", goal=0.9, departs=DEADLINE + timedelta(hours=9))
    site = build(config(1), now=NOW, requirements=[later, requirement("B0")], stays=[stay(0)])
    assert site.bays["S0/1"].goal == 0.75


def test_unknown_vehicles_get_what_known_departures_leave() -> None:
    needs = [requirement("B0")]
    site = build(config(2), now=NOW, requirements=needs, stays=[stay(0), stay(1, None, vehicle=None)])
    result = make(site)
    body = by_station(result)["S1"]
    assert (body.outcome, body.reason, body.planned_kwh) == ("unknown", "leftover_only", 100.0)
    assert [o.vehicle for o in planned(result).outcomes] == ["B0"]


def test_what_an_unknown_vehicle_has_had_counts() -> None:
    guest = replace(stay(0, None, vehicle=None), delivered_kwh=60.0)
    assert build(config(1), now=NOW, stays=[guest]).problem.demands[0].need_wh == 40_000


def test_unknown_vehicles_may_be_denied() -> None:
    site = build(config(1, policies=Policies(unknown_vehicles="deny")), now=NOW, stays=[stay(0, None, vehicle=None)])
    body = by_station(make(site))["S0"]
    assert (body.planned_kwh, body.outcome, body.reason) == (0, "unknown", "stranger_denied")


def test_a_vehicle_without_work_gets_nothing() -> None:
    body = by_station(make(build(config(1), now=NOW, stays=[stay(0)])))["S0"]
    assert (body.planned_kwh, body.outcome) == (0, "met")


def test_an_offline_charger_is_told_and_gets_no_energy() -> None:
    needs, stays = everybody(1)
    body = by_station(make(build(config(1), now=NOW, requirements=needs, stays=stays, offline={"S0": 6.0})))["S0"]
    assert (body.outcome, body.reason, body.planned_kwh) == ("short", "charger_offline", 0)


def test_a_station_without_a_place_gets_no_energy() -> None:
    elsewhere = Stay("S9", 1, "B0", NOW, 150.0, 0.3)
    body = by_station(make(build(config(1), now=NOW, requirements=[requirement("B0")], stays=[elsewhere])))["S9"]
    assert (body.reason, body.planned_kwh) == ("station_not_placed", 0)


def test_a_limit_set_by_hand_holds_until_its_end() -> None:
    until = NOW.replace(hour=22, minute=0, second=0)
    needs, stays = everybody(1)
    site = build(config(1), now=NOW, requirements=needs, stays=stays, hand_limits={"S0": (30.0, until)})
    demand, edge = site.problem.demands[0], site.frame.edges.index(until)
    assert demand.cap_wh[edge - 1 : edge + 1] == (30 * 250, 150 * 250)
    assert (demand.bind(edge - 1), demand.bind(edge)) == ("hand", "connector")


def test_a_limit_set_by_hand_without_end_can_cost_a_departure_and_is_named() -> None:
    needs, stays = everybody(1)
    result = make(build(config(1), now=NOW, requirements=needs, stays=stays, hand_limits={"S0": (5.0, None)}))
    assert by_station(result)["S0"].reason == "limited_by_hand"


def test_a_slow_vehicle_is_the_limit_itself() -> None:
    slow = VehicleType(id="bus-12", capacity_kwh=350, curve=((0, 10), (1, 10)), consumption=((5, 1.3),))
    site = config(1).model_copy(update={"vehicle_types": (slow,)})
    needs, stays = everybody(1)
    body = by_station(make(build(site, now=NOW, requirements=needs, stays=stays)))["S0"]
    assert body.reason == "vehicle_limited"
    after = [step.kw for step in body.steps if step.at >= DEADLINE]
    assert 0 < max(after) <= 10


def test_only_whole_slots_before_the_deadline_count() -> None:
    needs = [requirement("B0", deadline=NOW.replace(hour=20, minute=10))]
    demand = build(config(1), now=NOW, requirements=needs, stays=[stay(0)]).problem.demands[0]
    assert (demand.deadline_slot, demand.cap_wh[3], demand.cap_wh[4]) == (4, 150 * 250, 0)
    assert demand.buffer_slot == 3


def test_a_departure_in_minutes_still_charges() -> None:
    needs = [requirement("B0", deadline=NOW + timedelta(minutes=3))]
    body = by_station(make(build(config(1), now=NOW, requirements=needs, stays=[stay(0)])))["S0"]
    assert (body.outcome, body.reason) == ("short", "window_too_short")
    assert body.steps[0].kw == 150


def test_expected_vehicles_hold_capacity_and_get_no_assignment() -> None:
    arrival = NOW + timedelta(hours=1, minutes=1)
    needs = [requirement("B0"), requirement("B1", None)]
    site = build(
        config(2), now=NOW, requirements=needs, stays=[stay(0)], expected={"B1": (arrival, 0.2), "B0": (arrival, 0.2)}
    )
    assert list(site.bays) == ["S0/1", "expected:B1"]
    demand = site.problem.demands[1]
    assert demand.node == "grid"
    first = next(slot for slot, wh in enumerate(demand.cap_wh) if wh)
    assert site.frame.edges[first] >= arrival > site.frame.edges[first - 1]
    result = make(site)
    assert [a.at.station for a in assign(result, "p")] == ["S0"]
    assert {o.vehicle: o.met for o in planned(result).outcomes} == {"B0": True, "B1": True}


def test_an_assignment_names_its_place_and_its_causes() -> None:
    first = assign(made(1), "plan-1")[0]
    assert (first.at.vehicle, first.at.station, first.at.evse) == ("B0", "S0", 1)
    assert first.causes == ("r-B0", "plug-0")
    assert first.body.plan == "plan-1"


def again(old: dict[tuple[str, int], AllocationAssigned], now: datetime, socs: dict[int, float]) -> Made:
    needs = [requirement(f"B{i}", soc) for i, soc in socs.items()]
    stays = [stay(i, soc) for i, soc in socs.items()]
    site = build(config(4), now=now, requirements=needs, stays=stays, previous=old)
    return settle(make(site), old)


def test_ten_plans_of_an_unchanged_site_change_no_assignment() -> None:
    old = {(a.at.station or "", a.at.evse or 0): a.body for a in assign(made(), "p")}
    for minute in range(10):
        result = again(old, NOW + timedelta(minutes=minute), dict.fromkeys(range(4), 0.3))
        assert assign(result, "q", old) == ()


def test_a_plan_that_goes_on_with_the_power_of_now_changes_no_assignment() -> None:
    def at(minute: int, old: Mapping[tuple[str, int], AllocationAssigned]) -> Made:
        now = NOW + timedelta(minutes=minute)
        needs, stays = everybody(1, soc=0.3 + 150 * minute / 60 * 0.95 / 350)
        made = make(build(config(1, flat=True), now=now, requirements=needs, stays=stays, previous=old))
        return settle(made, old)

    old = {("S0", 1): assign(at(0, {}), "p")[0].body}
    assert old["S0", 1].steps[0] == Step(at=NOW, kw=150.0)
    for minute in (0, 5, 8):
        assert assign(at(minute, old), "q", old) == ()


def test_a_small_change_of_the_soc_leaves_the_assignment_and_a_large_one_does_not() -> None:
    old = {(a.at.station or "", a.at.evse or 0): a.body for a in assign(made(), "p")}
    assert assign(again(old, NOW + timedelta(minutes=5), dict.fromkeys(range(4), 0.302)), "q", old) == ()
    moved = assign(again(old, NOW + timedelta(minutes=5), {0: 0.2, 1: 0.3, 2: 0.3, 3: 0.3}), "q", old)
    assert [a.at.station for a in moved] == ["S0"]


def test_a_kept_assignment_never_breaks_a_limit() -> None:
    old = {(a.at.station or "", a.at.evse or 0): a.body for a in assign(made(), "p")}
    needs, stays = everybody(4)
    cut = {"grid": [segment("grid", NOW + timedelta(hours=1), 3, 300)]}
    site = build(config(4), now=NOW, requirements=needs, stays=stays, previous=old, limits=cut)
    result = settle(make(site), old)
    assert faults(result.used.problem, result.plan) == ()
    assert assign(result, "q", old)


def test_the_digest_names_the_inputs() -> None:
    assert made().inputs == made().inputs
    assert made().inputs != made(soc=0.31).inputs
    needs, stays = everybody(1)
    site = build(config(1), now=NOW, requirements=needs, stays=stays)
    assert make(site).inputs != make(site, "first-come").inputs


def test_the_baselines_make_messages_too() -> None:
    needs, stays = everybody(4, goal=0.8)
    site = build(config(4, limit_kw=140), now=NOW, requirements=needs, stays=stays)
    for rule in ("equal-share", "first-come", "uncontrolled"):
        result = make(site, rule)
        assert settle(result, {}) is result
        body = planned(result)
        assert (body.rule, body.proven) == (rule, False)
        assert all(o.reason for o in body.outcomes if not o.met)


@pytest.mark.parametrize("day", [datetime(2026, 3, 28, 21, 3, tzinfo=UTC), datetime(2026, 10, 24, 20, 3, tzinfo=UTC)])
def test_a_night_with_a_change_of_the_clock_is_planned_like_any_other(day: datetime) -> None:
    deadline = day.replace(hour=4, minute=30) + timedelta(days=1)
    needs = [requirement(f"B{i}", deadline=deadline) for i in range(4)]
    site = build(config(4), now=day, requirements=needs, stays=[stay(i) for i in range(4)])
    assert {o.met for o in planned(make(site)).outcomes} == {True}


def test_admitted_stations_are_part_of_the_tree() -> None:
    site = config(1)
    topology = Topology.of(site)
    station = topology.stations["S0"].model_copy(update={"id": "NEW"})
    more = replace(topology, stations=topology.stations.set("NEW", station))
    guest = Stay("NEW", 1, "B0", NOW, 150.0, 0.3)
    body = by_station(make(build(site, now=NOW, requirements=[requirement("B0")], stays=[guest], topology=more)))["NEW"]
    assert body.outcome == "met"


def test_a_site_without_a_tariff_change_charges_at_once() -> None:
    needs, stays = everybody(1)
    body = by_station(make(build(config(1, flat=True), now=NOW, requirements=needs, stays=stays)))["S0"]
    assert body.steps[0] == Step(at=NOW, kw=150.0)
    assert time(20) < body.ready_at.time() < time(21) if body.ready_at else False


def test_a_late_vehicle_is_tried_beyond_its_deadline_and_finishes_as_early_as_it_can() -> None:
    needs = [requirement("B0", deadline=NOW)]
    late = make(build(config(1), now=NOW, requirements=needs, stays=[stay(0)]))
    [name] = [d.id for d in late.site.problem.demands]
    assert late.used.problem.demands[0].buffer_slot == late.used.frame.count
    assert late.trials[name].soc is not None
    assert late.trials[name].soc >= 0.75 - 0.001


@pytest.mark.parametrize(
    ("taken", "tapers"), [(((0.0, 150.0), (1.0, 150.0)), False), (((0.0, 20.0), (1.0, 20.0)), True)]
)
def test_a_battery_tapers_where_it_takes_less_than_it_is_given(taken: Any, tapers: bool) -> None:
    site = made(1).site
    [bay] = site.bays.values()
    assert bay.kind is not None
    lossy = replace(bay, kind=bay.kind.model_copy(update={"curve": taken, "eta_battery": 0.8}))
    found = trial(lossy, site.frame, [10_000, *[0] * (site.frame.count - 1)])
    assert found.tapers is tapers


def test_what_binds_one_vehicle_alone_is_a_line_of_its_shortage() -> None:
    needs, stays = [requirement("B0", goal=0.95, deadline=NOW + timedelta(hours=1))], [stay(0)]
    body = planned(make(build(config(1), now=NOW, requirements=needs, stays=stays)), ["slot"])
    [shortage] = body.shortages
    assert shortage.limits
    assert shortage.passed_kwh == pytest.approx(sum(limit.kwh for limit in shortage.limits))
    assert shortage.passed_kwh > 50
