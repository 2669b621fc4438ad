"""Why needs are missed: shortages read off the min cut, whose sums are exact to 1 Wh, and one reason per demand."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field

import numpy as np

from core.allocation.network import Bools, Ints, Network, Residual
from core.allocation.problem import Demand, Problem
from core.allocation.rows import groups
from core.allocation.solve import Plan


@dataclass(frozen=True, slots=True)
class Limit:
    """A limit that was full from slot `first` to before slot `end`: so much passes it in these slots."""

    node: str
    source: str
    """Who set it: a source's id, `rating`, or for a demand's own limit `connector`, `vehicle`, `hand`, `offline`."""
    first: int
    end: int
    wh: int
    own: bool = False
    """A demand's own limit, not one of the tree's."""


@dataclass(frozen=True, slots=True)
class Shortage:
    """These demands need `needed_wh`; through these limits `passed_wh` can pass; the difference is missing in every plan."""

    demands: tuple[str, ...]
    needed_wh: int
    passed_wh: int
    missing_wh: int
    limits: tuple[Limit, ...]


@dataclass(frozen=True, slots=True)
class Explanation:
    """All shortages, and the reason of each demand that does not reach its need."""

    shortages: tuple[Shortage, ...] = ()
    reasons: Mapping[str, str] = field(default_factory=dict)


def explain(problem: Problem, plan: Plan) -> Explanation:
    """Shortages (counted demands only; they sum to what they miss in all) and a reason code per demand not met."""
    unmet = [demand for demand in problem.demands if demand.id not in plan.met]
    if not unmet:
        return Explanation()
    net = Network(problem)
    reach = net.conn.sum(axis=1)
    counted = np.array([demand.counted for demand in problem.demands], np.bool_)
    own = {i: _own(net, i, int(reach[i])) for i in np.flatnonzero(counted & (net.needs > reach)).tolist()}
    needs = np.where(counted, np.minimum(net.needs, reach), 0)
    joint = _joint(net, needs)
    reasons = _Reasons(net, plan, needs, joint)
    codes = {d.id: reasons.code(d, own=net.index[d.id] in own) for d in unmet}
    return Explanation((*own.values(), *(shortage for shortage, _ in joint)), codes)


def _own(net: Network, i: int, reach: int) -> Shortage:
    demand = net.problem.demands[i]
    need = demand.need_wh
    return Shortage((demand.id,), need, reach, need - reach, tuple(_runs_of_demand(demand, net.conn[i] > 0)))


def _joint(net: Network, needs: Ints) -> list[tuple[Shortage, frozenset[int]]]:
    """The shortages of the min cut's connected parts, each with the indices of its demands."""
    if net.flow(needs)[0] == int(needs.sum()):
        return []
    near = net.cut_demands() & (needs > 0)
    inside = net.cuts()[0]
    group = groups(net, inside)
    # A demand outside every full subtree has only its own limits around it and stands for itself.
    reaches = (inside[net.leaf] & (net.conn > 0)).any(axis=1)
    found = []
    for head in sorted(set(group[net.leaf[near & reaches]].tolist())):
        members = near & reaches & (group[net.leaf] == head)
        shortage = _part(net, needs, members, inside & (group == head)[:, None])
        if shortage.missing_wh > 0:
            found.append((shortage, frozenset(np.flatnonzero(members).tolist())))
    return found


def _part(net: Network, needs: Ints, members: Bools, inside: Bools) -> Shortage:
    limits: list[Limit] = []
    for n, node in enumerate(net.problem.nodes):
        above = net.parent[n]
        full = inside[n] & ~inside[above] if above >= 0 else inside[n]
        limits += _runs(full, node.cap_wh, node.id, node.source)
    indices = np.flatnonzero(members).tolist()
    for i in indices:
        limits += _runs_of_demand(net.problem.demands[i], (net.conn[i] > 0) & ~inside[net.leaf[i]])
    needed = int(needs[members].sum())
    passed = sum(limit.wh for limit in limits)
    names = tuple(net.problem.demands[i].id for i in indices)
    return Shortage(names, needed, passed, needed - passed, tuple(limits))


def _runs_of_demand(demand: Demand, where: Bools) -> Iterable[Limit]:
    return _runs(where, demand.cap_wh, demand.connector or demand.id, demand.bind, own=True)


def _runs(
    where: Bools, caps: tuple[int, ...], node: str, source: Callable[[int], str], *, own: bool = False
) -> list[Limit]:
    """Neighbouring slots with the same source become one limit."""
    runs: list[Limit] = []
    for slot in np.flatnonzero(where).tolist():
        who = source(slot)
        last = runs[-1] if runs else None
        if last is not None and last.end == slot and last.source == who:
            runs[-1] = Limit(node, who, last.first, slot + 1, last.wh + caps[slot], own)
        else:
            runs.append(Limit(node, who, slot, slot + 1, caps[slot], own))
    return runs


_OWN_REASONS = {"vehicle": "vehicle_limited", "hand": "limited_by_hand", "offline": "charger_offline"}


class _Reasons:
    """The primary cause of each missed demand."""

    def __init__(self, net: Network, plan: Plan, needs: Ints, joint: list[tuple[Shortage, frozenset[int]]]) -> None:
        self.net, self.plan, self.needs, self.joint = net, plan, needs, joint
        self.alone: dict[int, bool] = {}

    def code(self, demand: Demand, *, own: bool) -> str:
        """What is told first: known facts, the demand's own limits, its class, then the tree."""
        if demand.reason:
            return demand.reason
        if not demand.counted:
            return "leftover_only"
        if own:
            return self._own_code(demand)
        part = next((s for s, members in self.joint if self.net.index[demand.id] in members), None)
        if part is None:
            return "rule_not_plan"
        return "outranked" if self._outranked(demand, part) else self._tree_code(demand, part)

    def _own_code(self, demand: Demand) -> str:
        weights: Counter[str] = Counter()
        for slot, wh in enumerate(demand.cap_wh):
            weights[demand.bind(slot)] += wh
        most = max(sorted(weights), key=lambda who: weights[who], default="connector")
        if not weights[most]:
            return _OWN_REASONS["hand"] if "hand" in weights else "window_too_short"
        return _OWN_REASONS.get(most, "window_too_short")

    def _outranked(self, demand: Demand, part: Shortage) -> bool:
        demands = self.net.problem.demands
        better = any(demands[self.net.index[name]].priority < demand.priority for name in part.demands)
        return better and self._would_fit(demand.priority)

    def _would_fit(self, priority: int) -> bool:
        """Whether the whole class would be served if the classes before it were not there."""
        if priority not in self.alone:
            same = np.array([d.priority == priority for d in self.net.problem.demands], np.bool_)
            needs = np.where(same, self.needs, 0)
            self.alone[priority] = self.net.flow(needs)[0] == int(needs.sum())
        return self.alone[priority]

    def _tree_code(self, demand: Demand, part: Shortage) -> str:
        chain = [self.net.ids[n] for n in self.net.chains[int(self.net.leaf[self.net.index[demand.id]])]]
        mine = [limit for limit in part.limits if not limit.own and limit.node in chain]
        if not mine:
            return "connector_limited"
        widest = max(mine, key=lambda limit: (limit.end - limit.first, limit.node))
        root = self.net.ids[self.net.root]
        return "envelope_limited" if widest.node == root or widest.source != "rating" else "circuit_limited"


def spare_wh(problem: Problem, plan: Plan) -> dict[str, int]:
    """How much more each met demand could get while every other keeps its total: little means at risk."""
    net = Network(problem)
    energy = np.array([plan.energy[d.id] for d in problem.demands], np.int64).reshape(
        len(problem.demands), problem.slots
    )
    residual = Residual(net, energy)
    reach = net.conn.sum(axis=1) - energy.sum(axis=1)
    spare = {}
    for i, demand in enumerate(problem.demands):
        if demand.id in plan.met:
            extra = np.zeros(net.count, np.int64)
            extra[i] = reach[i]
            spare[demand.id] = residual.flow(extra)
    return spare
