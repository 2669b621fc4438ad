"""Cut rows: for a set X of node slots, the kept demands' energy that must pass X is at most X's capacity (docs/allocation.md)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from core.allocation.network import Bools, Ints, Network


@dataclass(frozen=True, slots=True)
class Row:
    """sum of weight[i] over kept i <= cap. Valid for every set of demands, whatever point it was found at."""

    weight: Ints
    cap: int

    def excess(self, kept: Bools) -> int:
        """By how much these kept demands break the row; <= 0: they do not."""
        return int(self.weight[kept].sum()) - self.cap

    def least_missed(self, active: Bools) -> int:
        """The counting form: at least so many of the active demands in the row are missed."""
        over = self.excess(active)
        if over <= 0:
            return 0
        largest = np.sort(self.weight[active])[::-1]
        return int(np.searchsorted(np.cumsum(largest), over) + 1)


def row_of(net: Network, inside: Bools) -> Row:
    """The row of one set X [node, slot]."""
    parent = np.where(net.parent >= 0, net.parent, 0)
    leaves = inside & ~(inside[parent] & (net.parent >= 0)[:, None])
    outside = np.where(inside[net.leaf], 0, net.conn).sum(axis=1)
    return Row(np.maximum(0, net.needs - outside), int(net.caps[leaves].sum()))


def groups(net: Network, inside: Bools) -> Ints:
    """Per node the head of its connected part: glued to its parent where both are inside in the same slot."""
    group: Ints = np.arange(len(net.ids), dtype=np.int64)
    for node in np.argsort(net.depth, kind="stable"):
        above = net.parent[node]
        if above >= 0 and (inside[node] & inside[above]).any():
            group[node] = group[above]
    return group


def parts(net: Network, inside: Bools) -> list[Bools]:
    """X split into its connected parts."""
    group = groups(net, inside)
    return [inside & (group == head)[:, None] for head in np.unique(group[inside.any(axis=1)])]


class Rows:
    """All rows found so far, each once, in the order in which they were found."""

    def __init__(self, net: Network) -> None:
        self.net = net
        self.rows: list[Row] = []
        self._seen: set[bytes] = set()

    def take(self, cuts: list[Bools]) -> list[Row]:
        """Add the rows of these cuts; the rows that are new."""
        new = []
        for cut in cuts:
            pieces = parts(self.net, cut)
            for piece in pieces if len(pieces) < 2 else [*pieces, cut]:
                key = np.packbits(piece).tobytes()
                if key not in self._seen:
                    self._seen.add(key)
                    new.append(row_of(self.net, piece))
        self.rows.extend(new)
        return new
