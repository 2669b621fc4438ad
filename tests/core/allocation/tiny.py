"""Tiny problems, and the truth about them by trying every set: slow, and independent of the solver."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from itertools import combinations

from hypothesis import strategies as st
from ortools.graph.python import max_flow, min_cost_flow

from core.allocation import Demand, NodeLimit, Problem

BEGINS = datetime(2026, 3, 1, 18, tzinfo=UTC)


def problem(
    nodes: Iterable[NodeLimit], demands: Iterable[Demand], price: Sequence[int] = (), slots: int | None = None
) -> Problem:
    """A problem of quarter hours."""
    nodes = tuple(nodes)
    return Problem(BEGINS, 900, slots or len(nodes[0].cap_wh), nodes, tuple(demands), tuple(price))


@st.composite
def problems(draw: st.DrawFn) -> Problem:
    """Up to six demands on a root with two panels, one of them with a panel of its own below."""
    slots = draw(st.integers(1, 5))

    def series(most: int) -> tuple[int, ...]:
        return tuple(draw(st.lists(st.integers(0, most), min_size=slots, max_size=slots)))

    parents = (("s", None, 9), ("a", "s", 7), ("b", "s", 7), ("c", "b", 5))
    nodes = [NodeLimit(name, parent, series(most)) for name, parent, most in parents]
    demands = []
    for i in range(draw(st.integers(0, 6))):
        end = draw(st.integers(0, slots))
        caps = tuple(wh if slot < end else 0 for slot, wh in enumerate(series(4)))
        demands.append(
            Demand(
                f"d{i}",
                draw(st.sampled_from("sabc")),
                caps,
                draw(st.integers(0, 10)),
                priority=draw(st.integers(0, 2)),
                deadline_slot=end,
                buffer_slot=draw(st.integers(-1, end)),
                counted=draw(st.booleans()) or draw(st.booleans()),
            )
        )
    return problem(nodes, demands, series(2), slots)


def greatest(p: Problem, needs: dict[str, int], open_slots: set[int] | None = None) -> int:
    """The most energy that can reach these needs, by a network built arc by arc."""
    solver = max_flow.SimpleMaxFlow()
    index = {node.id: i for i, node in enumerate(p.nodes)}

    def at(node: str, slot: int) -> int:
        return 2 + len(p.demands) + index[node] * p.slots + slot

    for i, demand in enumerate(p.demands):
        solver.add_arc_with_capacity(0, 2 + i, needs.get(demand.id, 0))
        for slot, cap in enumerate(demand.cap_wh):
            solver.add_arc_with_capacity(2 + i, at(demand.node, slot), cap)
    for node in p.nodes:
        for slot, cap in enumerate(node.cap_wh):
            head = 1 if node.parent is None else at(node.parent, slot)
            closed = open_slots is not None and slot not in open_slots
            solver.add_arc_with_capacity(at(node.id, slot), head, 0 if closed else cap)
    assert solver.solve(0, 1) == solver.OPTIMAL
    return int(solver.optimal_flow())


def fewest_missed(p: Problem) -> tuple[int, ...]:
    """Missed departures per class (the first counts most), least over every set of vehicles."""
    counted = [d for d in p.demands if d.counted]
    classes = sorted({d.priority for d in counted})
    best: tuple[int, ...] | None = None
    for size in range(len(counted) + 1):
        for kept in combinations(counted, size):
            needs = {d.id: d.need_wh for d in kept}
            if greatest(p, needs) == sum(needs.values()):
                missed = [d for d in counted if d.id not in needs]
                count = tuple(sum(d.priority == rank for d in missed) for rank in classes)
                best = count if best is None else min(best, count)
    assert best is not None
    return best


def least_cost(p: Problem, totals: dict[str, int]) -> int:
    """The least sum of price rank times energy for these totals, by a min-cost flow."""
    flow = min_cost_flow.SimpleMinCostFlow()
    index = {node.id: i for i, node in enumerate(p.nodes)}

    def at(node: str, slot: int) -> int:
        return 2 + len(p.demands) + index[node] * p.slots + slot

    for i, demand in enumerate(p.demands):
        flow.add_arc_with_capacity_and_unit_cost(0, 2 + i, totals[demand.id], 0)
        for slot, cap in enumerate(demand.cap_wh):
            flow.add_arc_with_capacity_and_unit_cost(2 + i, at(demand.node, slot), cap, 0)
    for node in p.nodes:
        for slot, cap in enumerate(node.cap_wh):
            head, cost = (1, p.price[slot]) if node.parent is None else (at(node.parent, slot), 0)
            flow.add_arc_with_capacity_and_unit_cost(at(node.id, slot), head, cap, cost)
    flow.set_node_supply(0, sum(totals.values()))
    flow.set_node_supply(1, -sum(totals.values()))
    assert flow.solve() == flow.OPTIMAL
    return int(flow.optimal_cost())
