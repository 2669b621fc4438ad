"""The problem as a flow network in arrays: demand -> connector(t) -> node(t) -> ... -> root(t) -> tariff tier -> sink."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from ortools.graph.python import max_flow

from core.allocation.problem import Problem

Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]
UNLIMITED = 10**15


class Network:
    """The arcs of one problem in a fixed order; capacities change in place, so equal inputs give equal flows."""

    def __init__(self, problem: Problem) -> None:
        self.problem = problem
        self.ids = [node.id for node in problem.nodes]
        index = {name: i for i, name in enumerate(self.ids)}
        self.parent = np.array([-1 if n.parent is None else index[n.parent] for n in problem.nodes], np.int64)
        self.root = int(np.flatnonzero(self.parent < 0)[0])
        self.caps: Ints = np.array([n.cap_wh for n in problem.nodes], np.int64).reshape(len(self.ids), problem.slots)
        self.leaf: Ints = np.array([index[d.node] for d in problem.demands], np.int64)
        self.conn: Ints = np.array([d.cap_wh for d in problem.demands], np.int64).reshape(
            len(problem.demands), problem.slots
        )
        self.needs: Ints = np.array([d.need_wh for d in problem.demands], np.int64)
        self.chains = [self._chain(int(n)) for n in range(len(self.ids))]
        self.index = {demand.id: i for i, demand in enumerate(problem.demands)}
        self.depth = np.array([len(c) - 1 for c in self.chains], np.int64)
        ranks = sorted(set(problem.price)) or [0]
        order = {rank: i for i, rank in enumerate(ranks)}
        self.tier: Ints = np.array([order[r] for r in problem.price] or [0] * problem.slots, np.int64)
        self.tiers = len(ranks)
        self.flows = 0
        self._wire()

    def _chain(self, node: int) -> list[int]:
        chain = [node]
        while self.parent[chain[-1]] >= 0:
            chain.append(int(self.parent[chain[-1]]))
        return chain

    def _wire(self) -> None:
        count, nodes, slots = len(self.needs), len(self.ids), self.problem.slots
        grid = 2 + count + np.arange(nodes * slots, dtype=np.int64).reshape(nodes, slots)
        self.tier_base = 2 + count + nodes * slots
        self.at_demand, self.at_slot = np.nonzero(self.conn)
        head = np.where((self.parent >= 0)[:, None], grid[self.parent], (self.tier_base + self.tier)[None, :])
        demands = 2 + np.arange(count, dtype=np.int64)
        tiers = self.tier_base + np.arange(self.tiers, dtype=np.int64)
        self.tails = np.concatenate([np.zeros(count, np.int64), 2 + self.at_demand, grid.ravel(), tiers])
        self.heads = np.concatenate(
            [demands, grid[self.leaf[self.at_demand], self.at_slot], head.ravel(), np.ones(self.tiers, np.int64)]
        )
        self.open_tiers = np.full(self.tiers, UNLIMITED, np.int64)
        self.count, self.grid = count, grid
        self.solver: Any = max_flow.SimpleMaxFlow()
        self.current = np.concatenate(
            [self.needs, self.conn[self.at_demand, self.at_slot], self.caps.ravel(), self.open_tiers]
        )
        self.arcs = self.solver.add_arcs_with_capacity(self.tails, self.heads, self.current)

    def flow(
        self, needs: Ints, *, conn: Ints | None = None, caps: Ints | None = None, tiers: Ints | None = None
    ) -> tuple[int, Ints]:
        """Greatest flow under these capacities: its value and the energies [demand, slot] (Wh)."""
        own = self.conn if conn is None else conn
        tree = self.caps if caps is None else caps
        wanted = np.concatenate(
            [needs, own[self.at_demand, self.at_slot], tree.ravel(), self.open_tiers if tiers is None else tiers]
        )
        changed = np.flatnonzero(wanted != self.current)
        if changed.size:
            self.solver.set_arcs_capacity(self.arcs[changed], wanted[changed])
            self.current = wanted
        return self._solve()

    def _solve(self) -> tuple[int, Ints]:
        self.flows += 1
        if self.solver.solve(0, 1) != self.solver.OPTIMAL:
            raise ArithmeticError("max-flow found no result")  # only beyond its integer range, which Problem excludes
        energy: Ints = np.zeros_like(self.conn)
        energy[self.at_demand, self.at_slot] = self.solver.flows(self.arcs)[self.count : self.count + len(self.at_slot)]
        return int(self.solver.optimal_flow()), energy

    def cuts(self) -> list[Bools]:
        """Node slots [node, slot] inside the last flow's min cuts, from the source's and from the sink's side."""
        near = self._inside(self.solver.get_source_side_min_cut())
        far = ~self._inside(self.solver.get_sink_side_min_cut())
        return [near] if np.array_equal(near, far) else [near, far]

    def _inside(self, members: Any) -> Bools:
        mark = np.zeros(self.tier_base + self.tiers, np.bool_)
        mark[np.asarray(members, np.int64)] = True
        return mark[self.grid]

    def cut_demands(self) -> Bools:
        """Demands on the source's side of the last flow's min cut."""
        mark = np.zeros(self.tier_base + self.tiers, np.bool_)
        mark[np.asarray(self.solver.get_source_side_min_cut(), np.int64)] = True
        return mark[2 : 2 + self.count]

    def loads(self, energy: Ints) -> Ints:
        """What passes each node in each slot [node, slot]."""
        load = np.zeros_like(self.caps)
        np.add.at(load, self.leaf, energy)
        for node in np.argsort(-self.depth, kind="stable"):
            if self.parent[node] >= 0:
                load[self.parent[node]] += load[node]
        return load

    def augment(self, energy: Ints, extra: Ints, *, conn: Ints | None = None, tiers: Ints | None = None) -> Ints:
        """Energies with as much of `extra` added per demand as fits; what a demand has in total is never reduced."""
        if not extra.any():
            return energy
        residual = Residual(self, energy, conn=conn, tiers=tiers)
        self.flows += 1
        residual.flow(extra)
        return energy + residual.change()


class Residual:
    """What is still free beside a plan: more for one demand, with the others moved in time but never reduced."""

    def __init__(self, net: Network, energy: Ints, *, conn: Ints | None = None, tiers: Ints | None = None) -> None:
        self.net = net
        own = net.conn if conn is None else conn
        load = net.loads(energy)
        used = np.bincount(net.tier, load[net.root], net.tiers).astype(np.int64)
        left = (net.open_tiers if tiers is None else tiers) - used
        inner = slice(net.count, len(net.tails) - net.tiers)
        back = np.concatenate([energy[net.at_demand, net.at_slot], load.ravel()])
        room = np.concatenate([(own - energy)[net.at_demand, net.at_slot], (net.caps - load).ravel()])
        self.solver: Any = max_flow.SimpleMaxFlow()
        self.arcs = self.solver.add_arcs_with_capacity(
            np.concatenate([net.tails, net.heads[inner]]),
            np.concatenate([net.heads, net.tails[inner]]),
            np.concatenate([np.zeros(net.count, np.int64), room, left, back]),
        )

    def flow(self, extra: Ints) -> int:
        """How much of `extra` (Wh per demand) fits."""
        self.solver.set_arcs_capacity(self.arcs[: self.net.count], extra)
        if self.solver.solve(0, 1) != self.solver.OPTIMAL:
            raise ArithmeticError("max-flow found no result")
        return int(self.solver.optimal_flow())

    def change(self) -> Ints:
        """What the last flow changes in the energies [demand, slot]."""
        net, conns = self.net, len(self.net.at_slot)
        flows = np.asarray(self.solver.flows(self.arcs), np.int64)
        delta = np.zeros_like(net.conn)
        forth = flows[net.count : net.count + conns]
        delta[net.at_demand, net.at_slot] = forth - flows[len(net.tails) : len(net.tails) + conns]
        return delta
