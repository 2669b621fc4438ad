from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given, settings

from core.allocation import Demand, NodeLimit, Plan, Problem, ProblemError, faults, from_json, solve, to_json
from core.allocation.baselines import arrival
from core.allocation.network import Network
from core.allocation.problem import slot_length_s, slot_moment
from tests.core.allocation.tiny import BEGINS, problem, problems

GOOD: dict[str, Any] = {
    "begins": "2026-03-01T18:00:00+01:00",
    "slot_s": 900,
    "slots": 2,
    "nodes": [{"id": "s", "parent": None, "cap_wh": [10, 10]}],
    "demands": [{"id": "a", "node": "s", "cap_wh": [5, 5], "need_wh": 7}],
}


def changed(path: str, value: Any) -> dict[str, Any]:
    data: Any = json.loads(json.dumps(GOOD))
    *parts, last = path.split(".")
    at: Any = data
    for part in parts:
        at = at[int(part)] if part.isdigit() else at[part]
    at[int(last) if last.isdigit() else last] = value
    return data


@settings(max_examples=60, deadline=None, derandomize=True)
@given(problems())
def test_a_problem_survives_its_json(p: Problem) -> None:
    assert from_json(json.loads(json.dumps(to_json(p)))) == p


def test_a_number_instead_of_a_list_holds_for_every_slot() -> None:
    assert from_json(changed("nodes.0.cap_wh", 10)) == from_json(GOOD)


def test_a_number_reaches_a_demand_until_its_deadline() -> None:
    data = changed("demands.0.cap_wh", 5)
    data["demands"][0]["deadline_slot"] = 1
    assert from_json(data).demands[0].cap_wh == (5, 0)


def test_the_least_form_has_sound_defaults() -> None:
    demand = from_json(GOOD).demands[0]
    assert (from_json(GOOD).first_s, from_json(GOOD).price, from_json(GOOD).nodes[0].source(1)) == (0, (), "rating")
    assert (demand.priority, demand.counted, demand.deadline_slot, demand.buffer_slot) == (1, True, -1, -1)


@pytest.mark.parametrize(
    ("path", "value", "text"),
    [
        ("begins", "yesterday", "begins: 'yesterday' is not a moment"),
        ("begins", "2026-03-01T18:00:00", "begins: a moment with its offset is needed"),
        ("begins", 7, "begins: 7 is not a moment"),
        ("slot_s", 0, "slot_s: 0 is outside 1..86400"),
        ("slot_s", True, "slot_s: a whole number is needed, not True"),
        ("first_s", 901, "first_s: 901 is outside 0..900"),
        ("slots", 0, "slots: 0 is outside 1..4032"),
        ("slots", 4033, "slots: 4033 is outside 1..4032"),
        ("slots", "2", "slots: a whole number is needed, not '2'"),
        ("format", "other/1", "format: 'other/1' is not busbar.problem/1"),
        ("colour", 1, "problem: colour is not a field"),
        ("price", [1], "price: 1 values for 2 slots"),
        ("price", [0, -1], "price[1]: -1 is outside"),
        ("nodes", {}, "nodes: a list of objects is needed"),
        ("nodes", [1], "nodes: a list of objects is needed"),
        ("nodes", [], "nodes: exactly one node has no parent"),
        ("nodes.0.parent", "x", "nodes: exactly one node has no parent"),
        ("nodes.0.id", "", "nodes: an id is a text that is not empty"),
        ("nodes.0.cap_wh", [10], "nodes[s].cap_wh: 1 values for 2 slots"),
        ("nodes.0.cap_wh", [10, -1], "nodes[s].cap_wh[1]: -1 is outside 0..1000000000000"),
        ("nodes.0.cap_wh", [10, 10**12 + 1], "nodes[s].cap_wh[1]: 1000000000001 is outside"),
        ("nodes.0.cap_wh", [10, float("nan")], "nodes[s].cap_wh[1]: a whole number is needed, not nan"),
        ("nodes.0.cap_wh", [10, True], "nodes[s].cap_wh[1]: a whole number is needed, not True"),
        ("nodes.0.sources", ["x"], "nodes[s].sources: 1 values for 2 slots"),
        ("nodes.0.kind", "x", "nodes[s]: kind is not a field"),
        ("demands.0.node", "x", "demands[a].node: unknown node 'x'"),
        ("demands.0.need_wh", -1, "demands[a].need_wh: -1 is outside"),
        ("demands.0.need_wh", 1.5, "demands[a].need_wh: a whole number is needed, not 1.5"),
        ("demands.0.cap_wh", [5, 5, 5], "demands[a].cap_wh: 3 values for 2 slots"),
        ("demands.0.prefer", [5], "demands[a].prefer: 1 values for 2 slots"),
        ("demands.0.binds", ["x"], "demands[a].binds: 1 values for 2 slots"),
        ("demands.0.priority", 100, "demands[a].priority: 100 is outside 0..99"),
        ("demands.0.deadline_slot", 3, "demands[a].deadline_slot: 3 is outside -1..2"),
        ("demands.0.deadline_slot", 1, "demands[a].cap_wh: is not 0 after its deadline"),
        ("demands.0.deadline_slot", 0, "demands[a].cap_wh: is not 0 after its deadline"),
        ("demands.0.buffer_slot", -2, "demands[a].buffer_slot: -2 is outside -1..2"),
        ("demands.0.counted", 1, "demands[a].counted: true or false is needed"),
    ],
)
def test_nonsense_is_refused_with_its_place(path: str, value: Any, text: str) -> None:
    with pytest.raises(ProblemError) as refused:
        from_json(changed(path, value))
    assert str(refused.value).startswith(text)


def test_a_missing_field_is_named() -> None:
    with pytest.raises(ProblemError, match="problem: slots is missing"):
        from_json({k: v for k, v in GOOD.items() if k != "slots"})
    with pytest.raises(ProblemError, match=r"demands\[a\]: need_wh is missing"):
        from_json(changed("demands.0", {"id": "a", "node": "s", "cap_wh": [1, 1]}))


def test_what_is_no_object_is_refused() -> None:
    with pytest.raises(ProblemError, match="an object is needed"):
        from_json([])


def test_doubled_ids_cycles_and_unknown_parents_are_refused() -> None:
    with pytest.raises(ProblemError, match="nodes: 's' stands twice"):
        problem([NodeLimit("s", None, (1,)), NodeLimit("s", "s", (1,))], [])
    with pytest.raises(ProblemError, match="demands: 'a' stands twice"):
        problem([NodeLimit("s", None, (1,))], [Demand("a", "s", (1,), 1)] * 2)
    with pytest.raises(ProblemError, match=r"nodes\[b\].parent: the parents form a cycle"):
        problem([NodeLimit("s", None, (1,)), NodeLimit("b", "c", (1,)), NodeLimit("c", "b", (1,))], [])
    with pytest.raises(ProblemError, match=r"nodes\[b\].parent: unknown node 'x'"):
        problem([NodeLimit("s", None, (1,)), NodeLimit("b", "x", (1,))], [])


def test_too_many_demands_are_refused() -> None:
    one = Demand("a", "s", (1,), 1)
    with pytest.raises(ProblemError, match="demands: 20001 are more than 20000"):
        problem([NodeLimit("s", None, (1,))], [one] * 20_001)


def test_a_partial_first_slot_moves_all_edges() -> None:
    p = Problem(BEGINS, 900, 3, (NodeLimit("s", None, (1, 1, 1)),), (), first_s=600)
    assert [slot_moment(p, slot).minute for slot in range(4)] == [0, 10, 25, 40]
    assert [slot_length_s(p, slot) for slot in range(3)] == [600, 900, 900]
    assert slot_moment(p, 1) == datetime(2026, 3, 1, 18, 10, tzinfo=UTC)


def small() -> Problem:
    nodes = [NodeLimit("s", None, (10, 10), ("dso", "dso")), NodeLimit("p", "s", (8, 8))]
    return problem(nodes, [Demand("a", "p", (6, 6), 9), Demand("b", "p", (6, 6), 3, counted=False)])


@pytest.mark.parametrize(
    ("change", "text"),
    [
        ({"a": (-1, 10), "b": (0, 3)}, "a has a negative energy"),
        ({"a": (7, 2), "b": (0, 3)}, "a gets 7 Wh in slot 0, at most 6 can reach it"),
        ({"a": (6, 4), "b": (0, 3)}, "a gets 10 Wh and needs 9"),
        ({"a": (6, 3), "b": (3, 0)}, "p passes 9 Wh in slot 0, its limit is 8 by rating"),
        ({"a": (6, 2), "b": (0, 3)}, "a is told met at 8 of 9 Wh"),
        ({"a": (6, 3)}, "b has not one energy per slot"),
        ({"a": (6, 3, 0), "b": (0, 3)}, "a has not one energy per slot"),
        ({"a": (6, 3.0), "b": (0, 3)}, "a has an energy that is not a whole number"),
        ({"a": (6, 3), "b": (0, 3), "x": (0, 0)}, "x is not in the problem"),
    ],
)
def test_the_check_finds_what_is_wrong(change: dict[str, Any], text: str) -> None:
    p = small()
    plan = solve(p)
    assert faults(p, plan) == ()
    assert text in faults(p, replace(plan, energy=change, met=frozenset({"a", "b"}), missed=()))


def test_the_check_wants_met_and_missed_to_agree() -> None:
    p = small()
    plan = Plan({"a": (6, 3), "b": (0, 0)}, frozenset({"a"}), ("a",))
    assert faults(p, plan) == ("a is not exactly one of met and missed",)
    plan = Plan({"a": (6, 2), "b": (0, 0)}, frozenset(), ())
    assert faults(p, plan) == ("a is not exactly one of met and missed",)
    assert faults(p, replace(plan, missed=("a",))) == ()


def test_the_check_sums_every_level_and_tells_at_most_twenty() -> None:
    nodes = [NodeLimit("s", None, (10,) * 30, ("dso",) * 30)] + [NodeLimit(x, "s", (9,) * 30) for x in "pq"]
    p = problem(nodes, [Demand("a", "p", (6,) * 30, 180), Demand("b", "q", (6,) * 30, 180)])
    plan = Plan({"a": (6,) * 30, "b": (6,) * 30}, frozenset("ab"), ())
    found = faults(p, plan)
    assert len(found) == 20
    assert found[0] == "s passes 12 Wh in slot 0, its limit is 10 by dso"


def test_equal_share_gives_each_the_same_and_passes_on_what_one_cannot_take() -> None:
    p = problem(
        [NodeLimit("s", None, (12, 12))], [Demand(x, "s", (9, 9), n) for x, n in (("a", 2), ("b", 9), ("c", 9))]
    )
    assert solve(p, "equal-share").energy == {"a": (2, 0), "b": (5, 4), "c": (5, 4)}


def test_equal_share_holds_under_every_node() -> None:
    nodes = [NodeLimit("s", None, (12,)), NodeLimit("p", "s", (4,)), NodeLimit("q", "s", (12,))]
    demands = [Demand("a", "p", (9,), 9), Demand("b", "p", (9,), 9), Demand("c", "q", (9,), 9)]
    assert solve(problem(nodes, demands), "equal-share").energy == {"a": (2,), "b": (2,), "c": (8,)}


def test_equal_share_leaves_a_remainder_free_that_it_cannot_share() -> None:
    p = problem([NodeLimit("s", None, (5,))], [Demand(x, "s", (9,), 9) for x in "ab"])
    assert solve(p, "equal-share").energy == {"a": (2,), "b": (2,)}


def test_first_come_serves_the_first_to_arrive_at_once() -> None:
    p = problem([NodeLimit("s", None, (6, 6, 6))], [Demand("a", "s", (0, 9, 9), 9), Demand("b", "s", (9, 9, 9), 9)])
    assert solve(p, "first-come").energy == {"a": (0, 3, 6), "b": (6, 3, 0)}
    net = Network(p)
    assert [arrival(row) for row in net.conn] == [1, 0]


def test_first_come_puts_whom_no_power_reaches_last() -> None:
    assert arrival(Network(problem([NodeLimit("s", None, (1, 1))], [Demand("a", "s", (0, 0), 1)])).conn[0]) == 2


def test_uncontrolled_ignores_the_site_and_the_check_says_so() -> None:
    p = problem([NodeLimit("s", None, (6, 6))], [Demand(x, "s", (9, 9), 12) for x in "ab"])
    plan = solve(p, "uncontrolled")
    assert plan.energy == {"a": (9, 3), "b": (9, 3)}
    assert faults(p, plan) == ("s passes 18 Wh in slot 0, its limit is 6 by rating",)
    assert not plan.proven
    assert plan.rule == "uncontrolled"
