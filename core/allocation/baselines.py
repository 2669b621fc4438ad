"""The simple rules that the plan is compared with: equal share, first come, uncontrolled, on the same problem."""

from __future__ import annotations

import numpy as np

from core.allocation.network import Ints
from core.allocation.problem import Problem


class _Tree:
    """Remaining room per node, slot by slot, for the rules that walk through time."""

    def __init__(self, problem: Problem) -> None:
        index = {node.id: i for i, node in enumerate(problem.nodes)}
        above = {node.id: node.parent for node in problem.nodes}
        self.room = np.array([node.cap_wh for node in problem.nodes], np.int64)
        self.under = np.zeros((len(problem.nodes), len(problem.demands)), np.bool_)
        for i, demand in enumerate(problem.demands):
            at: str | None = demand.node
            while at is not None:
                self.under[index[at], i] = True
                at = above[at]
        self.conn = np.array([d.cap_wh for d in problem.demands], np.int64).reshape(len(problem.demands), problem.slots)
        self.left = np.array([d.need_wh for d in problem.demands], np.int64)


def equal_share(problem: Problem) -> Ints:
    """In every slot each active demand gets the same, under every node; what one cannot take goes to the others."""
    tree = _Tree(problem)
    energy = np.zeros_like(tree.conn)
    for slot in range(problem.slots):
        given = _level(tree, np.minimum(tree.conn[:, slot], tree.left), tree.room[:, slot])
        energy[:, slot] = given
        tree.left -= given
    return energy


def _level(tree: _Tree, most: Ints, room: Ints) -> Ints:
    """Water filling: raise all open demands together until each is full or stands under a full node."""
    given = np.zeros_like(most)
    left = room.copy()
    open_ = most > 0
    while open_.any():
        crowd = tree.under[:, open_].sum(axis=1)
        steps = left[crowd > 0] // crowd[crowd > 0]
        step = min(int(steps.min()), int((most - given)[open_].min()))
        given[open_] += step
        left -= crowd * step
        # A node with less than 1 Wh for each is full: the remainder stays free, nobody is preferred.
        full = tree.under[left < np.maximum(crowd, 1)].any(axis=0)
        open_ &= (given < most) & ~full
    return given


def first_come(problem: Problem) -> Ints:
    """In order of arrival (the first slot in which power can reach it), each takes what is there, at once."""
    tree = _Tree(problem)
    energy = np.zeros_like(tree.conn)
    for i in sorted(range(len(problem.demands)), key=lambda i: (arrival(tree.conn[i]), i)):
        mine = tree.under[:, i]
        open_ = np.minimum(tree.conn[i], tree.room[mine].min(axis=0))
        energy[i] = np.diff(np.minimum(np.cumsum(open_), tree.left[i]), prepend=0)
        tree.room[mine] -= energy[i]
    return energy


def arrival(cap_wh: Ints) -> int:
    """The first slot with power; the number of slots where there is none."""
    slots = np.flatnonzero(cap_wh)
    return int(slots[0]) if slots.size else len(cap_wh)


def uncontrolled(problem: Problem) -> Ints:
    """Everybody at full connector power until full; the site's limits are ignored, so `check` finds faults in it."""
    conn = np.array([d.cap_wh for d in problem.demands], np.int64).reshape(len(problem.demands), problem.slots)
    left = np.array([d.need_wh for d in problem.demands], np.int64)
    filled = np.minimum(np.cumsum(conn, axis=1), left[:, None])
    return np.diff(filled, prepend=0, axis=1)
