"""The plan for a problem: limits, fewest missed departures, least missing energy, cheapest slots, early and steady."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace

import numpy as np

from core.allocation.admission import Budget, admit
from core.allocation.baselines import equal_share, first_come, uncontrolled
from core.allocation.network import Bools, Ints, Network
from core.allocation.problem import Problem
from core.messages.site import Rule

__all__ = ["Budget", "Plan", "solve"]


@dataclass(frozen=True, slots=True)
class Plan:
    """Energy at the plug (Wh) per demand and slot; who reaches the need; how sure the count is."""

    energy: Mapping[str, tuple[int, ...]] = field(default_factory=dict)
    met: frozenset[str] = frozenset()
    missed: tuple[str, ...] = ()
    """Counted demands that do not reach their need, in the problem's order."""
    proven: bool = False
    """No plan misses fewer departures (class by class)."""
    bound: tuple[tuple[int, int, int], ...] = ()
    """Per class: (priority, missed, least possible)."""
    flows: int = 0
    rule: Rule = "plan"


BASELINES: Mapping[Rule, Callable[[Problem], Ints]] = {
    "equal-share": equal_share,
    "first-come": first_come,
    "uncontrolled": uncontrolled,
}
"""Rules that plan nothing, for comparison: nothing is proven about them."""


def solve(problem: Problem, rule: Rule = "plan", budget: Budget | None = None) -> Plan:
    """The plan by this rule; the same problem always gives the same plan."""
    if rule in BASELINES:
        return with_energy(problem, Plan(rule=rule), BASELINES[rule](problem))
    net = Network(problem)
    admission = admit(net, budget or Budget())
    energy = _shape(net, _deliver(net, admission.kept))
    found = Plan(proven=admission.proven, bound=admission.classes, flows=net.flows, rule=rule)
    return with_energy(problem, found, energy)


def with_energy(problem: Problem, plan: Plan, energy: Ints) -> Plan:
    """The plan with these energies [demand, slot], and who reaches its need by them."""
    rows = energy.tolist()
    met = frozenset(d.id for d, row in zip(problem.demands, rows, strict=True) if sum(row) >= d.need_wh)
    return replace(
        plan,
        energy={d.id: tuple(row) for d, row in zip(problem.demands, rows, strict=True)},
        met=met,
        missed=tuple(d.id for d in problem.demands if d.counted and d.id not in met),
    )


def _deliver(net: Network, kept: Bools) -> Ints:
    """The kept in full, then as much as still fits for the others: counted before best effort, class by class."""
    demands = net.problem.demands
    energy = net.flow(np.where(kept, net.needs, 0))[1]
    others = sorted({(not d.counted, d.priority) for d, k in zip(demands, kept, strict=True) if not k})
    for uncounted, priority in others:
        mine = np.array([(not d.counted, d.priority) == (uncounted, priority) for d in demands], np.bool_) & ~kept
        energy = net.augment(energy, np.where(mine, net.needs, 0))
    return energy


def _shape(net: Network, energy: Ints) -> Ints:
    """The same totals, placed before the buffers where that fits, in the cheapest tiers, early and without gaps."""
    total = energy.sum(axis=1)
    if not total.any():
        return energy
    conn = _before_buffers(net, total)
    tiers = _tier_totals(net, total, conn)
    start = _fill(net, total, conn, tiers)
    return net.augment(start, total - start.sum(axis=1), conn=conn, tiers=tiers)


def _before_buffers(net: Network, total: Ints) -> Ints:
    """Connector capacities with the buffers closed for as many demands as can do without (two attempts)."""
    slots = np.arange(net.problem.slots)
    begins = np.array([d.buffer_slot if d.buffer_slot >= 0 else net.problem.slots for d in net.problem.demands])
    closed = np.where(slots[None, :] >= begins[:, None], 0, net.conn)
    for _ in range(2):
        if np.array_equal(closed, net.conn):
            return closed
        reached, energy = net.flow(total, conn=closed)
        if reached == int(total.sum()):
            return closed
        short = energy.sum(axis=1) < total
        closed = np.where(short[:, None], net.conn, closed)
    return closed if net.flow(total, conn=closed)[0] == int(total.sum()) else net.conn


def _tier_totals(net: Network, total: Ints, conn: Ints) -> Ints:
    """How much each tariff tier carries: the most into the cheapest, then the most into the two cheapest, and so on."""
    totals = np.zeros(net.tiers, np.int64)
    for tier in range(net.tiers - 1):
        totals[tier] = net.open_tiers[tier]
        reached, _ = net.flow(total, conn=conn, tiers=totals)
        totals[tier] = reached - int(totals[:tier].sum())
    totals[-1] = int(total.sum()) - int(totals[:-1].sum())
    return totals


def _fill(net: Network, total: Ints, conn: Ints, tiers: Ints) -> Ints:
    """Demand after demand, earliest deadline first, at full power in the earliest slots of the cheapest tier."""
    demands = net.problem.demands
    room = net.caps.copy()
    left = tiers.copy()
    energy = np.zeros_like(conn)
    slots_of = [np.flatnonzero(net.tier == tier) for tier in range(net.tiers)]
    order = sorted(
        range(len(demands)), key=lambda i: (_deadline(net, i), not any(demands[i].prefer[:1]), demands[i].id)
    )
    for i in order:
        chain = net.chains[int(net.leaf[i])]
        open_ = np.minimum(conn[i], room[chain].min(axis=0))
        need = int(total[i])
        for tier, slots in enumerate(slots_of):
            most = min(need, int(left[tier]))
            if most <= 0:
                continue
            given = np.diff(np.minimum(np.cumsum(open_[slots]), most), prepend=0)
            energy[i, slots] = given
            amount = int(given.sum())
            need -= amount
            left[tier] -= amount
        room[chain] -= energy[i]
    return energy


def _deadline(net: Network, i: int) -> int:
    deadline = net.problem.demands[i].deadline_slot
    return deadline if deadline >= 0 else net.problem.slots
