from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given, settings

from core.allocation import Demand, NodeLimit, Problem, explain, faults, solve, spare_wh
from core.allocation.admission import Budget, admit
from core.allocation.network import Network
from tests.core.allocation.tiny import fewest_missed, greatest, least_cost, problem, problems

QUICK = settings(max_examples=80, deadline=None, derandomize=True)


def missed_by_class(p: Problem, missed: tuple[str, ...]) -> tuple[int, ...]:
    counted = [d for d in p.demands if d.counted]
    return tuple(
        sum(d.id in missed and d.priority == rank for d in counted) for rank in sorted({d.priority for d in counted})
    )


@QUICK
@given(problems())
def test_no_set_of_vehicles_misses_fewer_departures_class_by_class(p: Problem) -> None:
    plan = solve(p)
    truth = fewest_missed(p)
    assert missed_by_class(p, plan.missed) == truth
    assert plan.proven
    assert tuple(least for _, _, least in plan.bound) == truth


@QUICK
@given(problems())
def test_counting_departures_costs_no_energy(p: Problem) -> None:
    plan = solve(p)
    assert sum(map(sum, plan.energy.values())) == greatest(p, {d.id: d.need_wh for d in p.demands})


@QUICK
@given(problems())
def test_best_effort_never_takes_from_counted_departures(p: Problem) -> None:
    plan = solve(p)
    counted = {d.id: d.need_wh for d in p.demands if d.counted}
    assert sum(sum(plan.energy[name]) for name in counted) == greatest(p, counted)


@QUICK
@given(problems())
def test_every_plan_of_every_controlled_rule_is_inside_every_limit(p: Problem) -> None:
    for rule in ("plan", "equal-share", "first-come"):
        assert faults(p, solve(p, rule)) == ()


@QUICK
@given(problems())
def test_no_rule_misses_fewer_than_the_plan(p: Problem) -> None:
    best = missed_by_class(p, solve(p).missed)
    for rule in ("equal-share", "first-come"):
        assert missed_by_class(p, solve(p, rule).missed) >= best


@QUICK
@given(problems())
def test_totals_are_placed_in_the_cheapest_slots(p: Problem) -> None:
    p = replace(p, demands=tuple(replace(d, buffer_slot=-1) for d in p.demands))
    plan = solve(p)
    totals = {name: sum(series) for name, series in plan.energy.items()}
    cost = sum(p.price[slot] * wh for series in plan.energy.values() for slot, wh in enumerate(series))
    assert cost == least_cost(p, totals)


@QUICK
@given(problems())
def test_the_same_problem_gives_the_same_plan(p: Problem) -> None:
    assert solve(p) == solve(p)


@QUICK
@given(problems())
def test_more_capacity_never_misses_more(p: Problem) -> None:
    wider = replace(p, nodes=tuple(replace(n, cap_wh=tuple(wh + 1 for wh in n.cap_wh)) for n in p.nodes))
    assert missed_by_class(wider, solve(wider).missed) <= missed_by_class(p, solve(p).missed)


@QUICK
@given(problems())
def test_the_shortages_add_up_to_what_counted_departures_miss(p: Problem) -> None:
    plan = solve(p)
    shortages = explain(p, plan).shortages
    missing = sum(d.need_wh - sum(plan.energy[d.id]) for d in p.demands if d.counted)
    assert sum(s.missing_wh for s in shortages) == missing
    for shortage in shortages:
        assert shortage.missing_wh == shortage.needed_wh - shortage.passed_wh > 0
        assert shortage.passed_wh == sum(limit.wh for limit in shortage.limits)


@QUICK
@given(problems())
def test_every_missed_departure_stands_in_a_shortage_and_has_a_reason(p: Problem) -> None:
    plan = solve(p)
    explanation = explain(p, plan)
    named = {name for shortage in explanation.shortages for name in shortage.demands}
    assert set(plan.missed) <= named
    assert set(explanation.reasons) == {d.id for d in p.demands} - plan.met
    assert all(explanation.reasons.values())


@QUICK
@given(problems())
def test_raising_what_the_shortages_name_ends_in_everybody_met(p: Problem) -> None:
    p = replace(p, demands=tuple(replace(d, deadline_slot=-1) for d in p.demands))
    for _ in range(12):
        plan = solve(p)
        if not plan.missed or any(not any(d.cap_wh) for d in p.demands if d.id in plan.missed):
            return
        p = raised(p, explain(p, plan).shortages)
    assert not solve(p).missed


def raised(p: Problem, shortages: object) -> Problem:
    nodes = {n.id: list(n.cap_wh) for n in p.nodes}
    own = {d.id: list(d.cap_wh) for d in p.demands}
    for shortage in shortages:
        for limit in shortage.limits:
            series = own[limit.node] if limit.own else nodes[limit.node]
            for slot in range(limit.first, limit.end):
                series[slot] += shortage.missing_wh
    return replace(
        p,
        nodes=tuple(replace(n, cap_wh=tuple(nodes[n.id])) for n in p.nodes),
        demands=tuple(replace(d, cap_wh=tuple(own[d.id])) for d in p.demands),
    )


@QUICK
@given(problems())
def test_spare_is_what_one_more_need_could_still_get(p: Problem) -> None:
    plan = solve(p)
    totals = {name: sum(series) for name, series in plan.energy.items()}
    found = spare_wh(p, plan)
    assert set(found) == set(plan.met)
    for name, spare in found.items():
        reach = sum(next(d.cap_wh for d in p.demands if d.id == name))
        assert greatest(p, {**totals, name: reach}) == sum(totals.values()) + spare


def site(*caps: int) -> list[NodeLimit]:
    return [NodeLimit("s", None, caps)]


def bus(name: str, need: int, *caps: int, **more: object) -> Demand:
    return Demand(name, "s", caps, need, **more)


def test_equal_prices_are_filled_from_the_earliest_slot_without_a_gap() -> None:
    plan = solve(problem(site(10, 10, 10, 10), [bus("a", 15, 10, 10, 10, 10)]))
    assert plan.energy["a"] == (10, 5, 0, 0)


def test_the_earlier_deadline_goes_first() -> None:
    p = problem(site(10, 10), [bus("a", 10, 10, 10), bus("b", 10, 10, 0, deadline_slot=1)])
    assert solve(p).energy == {"a": (0, 10), "b": (10, 0)}


def test_who_charges_now_goes_on_before_an_equal_one_starts() -> None:
    p = problem(site(10, 10), [bus("a", 10, 10, 10), bus("b", 10, 10, 10, prefer=(10, 0))])
    assert solve(p).energy == {"a": (0, 10), "b": (10, 0)}


def test_a_cheap_slot_in_the_buffer_is_left_for_a_dear_one_before_it() -> None:
    p = problem(site(10, 10), [bus("a", 10, 10, 10, buffer_slot=1)], price=(1, 0))
    assert solve(p).energy["a"] == (10, 0)


def test_the_buffer_is_used_by_those_who_need_it_and_by_nobody_else() -> None:
    demands = [bus("a", 15, 10, 10, buffer_slot=1), bus("b", 5, 10, 10, buffer_slot=1)]
    assert solve(problem(site(15, 10), demands)).energy == {"a": (10, 5), "b": (5, 0)}


def test_a_lower_class_gives_way_even_where_it_is_more_vehicles() -> None:
    p = problem(site(10), [bus("a", 10, 10, priority=0), bus("b", 5, 10), bus("c", 5, 10)])
    plan = solve(p)
    assert plan.missed == ("b", "c")
    assert set(explain(p, plan).reasons.values()) == {"outranked"}
    assert plan.bound == ((0, 0, 0), (1, 2, 2))


def test_the_missed_still_get_what_is_left() -> None:
    p = problem(site(10), [bus("a", 7, 10), bus("b", 9, 10)])
    plan = solve(p)
    assert plan.missed == ("b",)
    assert plan.energy == {"a": (7,), "b": (3,)}


def test_whom_the_previous_plan_served_is_kept_where_the_count_is_free() -> None:
    demands = [bus("a", 8, 10), bus("b", 8, 10, prefer=(8,)), bus("c", 8, 10)]
    assert solve(problem(site(10), demands)).met == {"b"}


def test_need_zero_is_met_and_gets_nothing() -> None:
    plan = solve(problem(site(10), [bus("a", 0, 10)]))
    assert plan.met == {"a"}
    assert plan.missed == ()
    assert plan.energy["a"] == (0,)


def test_no_demands_is_an_empty_plan() -> None:
    plan = solve(problem(site(10), []))
    assert (plan.energy, plan.proven, plan.missed) == ({}, True, ())


def test_an_envelope_of_zero_is_a_shortage_and_not_an_error() -> None:
    p = problem(site(0, 0), [bus("a", 5, 10, 10)])
    plan = solve(p)
    assert plan.missed == ("a",)
    shortage = explain(p, plan).shortages[0]
    assert (shortage.missing_wh, shortage.limits[0].node, shortage.limits[0].wh) == (5, "s", 0)
    assert (shortage.limits[0].first, shortage.limits[0].end) == (0, 2)


def test_a_budget_of_nothing_still_gives_a_plan_and_says_that_it_is_not_proven() -> None:
    demands = [bus(f"d{i}", 3 + i % 3, 2, 2, 2, priority=0) for i in range(8)]
    p = problem(site(5, 5, 5), demands)
    plan = solve(p, budget=Budget(rounds=0, masters=0))
    assert faults(p, plan) == ()
    assert not plan.proven
    assert solve(p).proven


def test_the_integer_master_alone_finds_the_least_count() -> None:
    demands = [bus(f"d{i}", 3 + i % 3, 2, 2, 2) for i in range(8)]
    p = problem(site(5, 5, 5), demands)
    assert len(solve(p, budget=Budget(rounds=0)).missed) == len(solve(p).missed)


def test_a_saturated_depot_needs_one_flow_for_admission() -> None:
    net = Network(problem(site(10), [bus("a", 5, 10), bus("b", 5, 10)]))
    admission = admit(net, Budget())
    assert (net.flows, admission.proven, admission.kept.tolist()) == (1, True, [True, True])


@pytest.mark.parametrize(
    ("demand", "node_cap", "reason"),
    [
        (bus("a", 9, 4, 4), 10, "window_too_short"),
        (bus("a", 9, 0, 0), 10, "window_too_short"),
        (bus("a", 9, 4, 4, binds=("vehicle", "vehicle")), 10, "vehicle_limited"),
        (bus("a", 9, 4, 4, binds=("hand", "hand")), 10, "limited_by_hand"),
        (bus("a", 9, 0, 0, binds=("hand", "connector")), 10, "limited_by_hand"),
        (bus("a", 9, 10, 10, reason="soc_unknown"), 2, "soc_unknown"),
        (bus("a", 9, 10, 10, counted=False), 2, "leftover_only"),
        (bus("a", 9, 10, 10), 2, "envelope_limited"),
    ],
)
def test_the_reason_names_the_first_thing_in_the_way(demand: Demand, node_cap: int, reason: str) -> None:
    p = problem(site(node_cap, node_cap), [demand])
    assert explain(p, solve(p)).reasons == {"a": reason}


def test_a_full_panel_is_a_circuit_and_a_signal_on_it_an_envelope() -> None:
    def reason(source: str) -> str:
        nodes = [NodeLimit("s", None, (9, 9)), NodeLimit("p", "s", (2, 2), (source, source))]
        p = problem(nodes, [Demand("a", "p", (9, 9), 9)])
        return explain(p, solve(p)).reasons["a"]

    assert reason("rating") == "circuit_limited"
    assert reason("dso") == "envelope_limited"


def test_a_baseline_that_misses_what_the_plan_serves_says_so() -> None:
    p = problem(site(10, 10), [bus("a", 10, 10, 10), bus("b", 10, 10, 0, deadline_slot=1)])
    plan = solve(p, "first-come")
    assert plan.missed == ("b",)
    assert explain(p, plan).reasons == {"b": "rule_not_plan"}
    assert explain(p, plan).shortages == ()


def test_neighbouring_slots_of_one_source_are_one_limit() -> None:
    nodes = [NodeLimit("s", None, (1, 2, 3, 4), ("dso", "dso", "rating", "dso"))]
    p = problem(nodes, [Demand("a", "s", (90,) * 4, 100)])
    limits = explain(p, solve(p)).shortages[0].limits
    assert [(x.source, x.first, x.end, x.wh) for x in limits] == [
        ("dso", 0, 2, 3),
        ("rating", 2, 3, 3),
        ("dso", 3, 4, 4),
    ]


def test_two_full_panels_are_two_shortages() -> None:
    nodes = [NodeLimit("s", None, (99,)), NodeLimit("p", "s", (2,)), NodeLimit("q", "s", (3,))]
    p = problem(nodes, [Demand("a", "p", (9,), 5), Demand("b", "q", (9,), 5)])
    found = {s.demands: s.missing_wh for s in explain(p, solve(p)).shortages}
    assert found == {("a",): 3, ("b",): 2}


def test_a_need_above_the_connector_stands_for_itself_beside_a_shared_shortage() -> None:
    p = problem(site(10), [bus("a", 20, 8, connector="S1"), bus("b", 8, 8)])
    shortages = explain(p, solve(p)).shortages
    assert [(s.demands, s.missing_wh) for s in shortages] == [(("a",), 12), (("a", "b"), 6)]
    assert (shortages[0].limits[0].node, shortages[0].limits[0].own) == ("S1", True)


def test_who_would_not_be_served_without_the_class_before_either_is_not_called_outranked() -> None:
    p = problem(site(10), [bus("a", 10, 10, priority=0), bus("b", 5, 10)])
    assert explain(p, solve(p)).reasons == {"b": "outranked"}
    p = problem(site(10), [bus("a", 10, 10, priority=0), bus("b", 6, 10), bus("c", 6, 10)])
    assert set(explain(p, solve(p)).reasons.values()) == {"envelope_limited"}
