"""An independent check of a plan against its problem, in plain sums: no plan is used that has a fault."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from operator import add, gt

from core.allocation.problem import Demand, Problem
from core.allocation.solve import Plan

MAX_FAULTS = 20


def faults(problem: Problem, plan: Plan) -> tuple[str, ...]:
    """What is wrong with the plan, in sentences (20 at most); empty: every limit holds in every slot."""
    found = _shapes(problem, plan)
    if not found:
        for demand in problem.demands:
            found += _demand_faults(demand, plan)
        found += overloads(problem, plan.energy)
    return tuple(found[:MAX_FAULTS])


def _shapes(problem: Problem, plan: Plan) -> list[str]:
    known = {demand.id for demand in problem.demands}
    found = [f"{name} is not in the problem" for name in sorted(set(plan.energy) - known)]
    for demand in problem.demands:
        series = plan.energy.get(demand.id)
        if series is None or len(series) != problem.slots:
            found.append(f"{demand.id} has not one energy per slot")
        elif not all(type(wh) is int for wh in series):
            found.append(f"{demand.id} has an energy that is not a whole number")
    return found


def _demand_faults(demand: Demand, plan: Plan) -> list[str]:
    series = plan.energy[demand.id]
    found = []
    if min(series) < 0:
        found.append(f"{demand.id} has a negative energy")
    if any(map(gt, series, demand.cap_wh)):
        slot = next(t for t, wh in enumerate(series) if wh > demand.cap_wh[t])
        found.append(f"{demand.id} gets {series[slot]} Wh in slot {slot}, at most {demand.cap_wh[slot]} can reach it")
    total = sum(series)
    if total > demand.need_wh:
        found.append(f"{demand.id} gets {total} Wh and needs {demand.need_wh}")
    if (total >= demand.need_wh) != (demand.id in plan.met):
        found.append(
            f"{demand.id} is told {'met' if demand.id in plan.met else 'missed'} at {total} of {demand.need_wh} Wh"
        )
    if demand.counted and (demand.id in plan.met) == (demand.id in plan.missed):
        found.append(f"{demand.id} is not exactly one of met and missed")
    return found


def overloads(problem: Problem, energy: Mapping[str, Sequence[int]]) -> list[str]:
    """Every node and slot whose limit these energies exceed."""
    above = {node.id: node.parent for node in problem.nodes}
    load: dict[str, tuple[int, ...]] = {node.id: (0,) * problem.slots for node in problem.nodes}
    for demand in problem.demands:
        at: str | None = demand.node
        while at is not None:
            load[at] = tuple(map(add, load[at], energy[demand.id]))
            at = above[at]
    found = []
    for node in problem.nodes:
        for slot, (passes, cap) in enumerate(zip(load[node.id], node.cap_wh, strict=True)):
            if passes > cap:
                found.append(f"{node.id} passes {passes} Wh in slot {slot}, its limit is {cap} by {node.source(slot)}")
    return found
