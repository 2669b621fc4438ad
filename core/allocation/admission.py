"""Fewest missed departures per priority class: cut rows, a bound, and a set that the flow confirms (docs/allocation.md)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from core.allocation.master import Floats, Master
from core.allocation.network import UNLIMITED, Bools, Ints, Network
from core.allocation.rows import Row, Rows


@dataclass(frozen=True, slots=True)
class Budget:
    """How much work a plan may cost; counts, never seconds, so that equal inputs give equal plans."""

    rounds: int = 40
    """LP rounds per class."""
    masters: int = 12
    """Integer masters per class."""
    nodes: int = 5_000
    """Search nodes of one integer master."""
    flows: int = 3_000
    """Flows in all."""
    tries: int = 24
    """Attempts to put a dropped demand back."""


@dataclass(frozen=True, slots=True)
class Admission:
    """Who is kept, and per class (priority, missed, least possible)."""

    kept: Bools
    classes: tuple[tuple[int, int, int], ...]

    @property
    def proven(self) -> bool:
        """The number of missed departures is the least possible in every class."""
        return all(missed == least for _, missed, least in self.classes)


def admit(net: Network, budget: Budget) -> Admission:
    """Who is kept: fewest missed in class 0, then in class 1, and so on; earlier classes keep their count."""
    problem = net.problem
    counted = np.array([d.counted for d in problem.demands], np.bool_)
    possible = net.needs <= net.conn.sum(axis=1)
    priority = np.array([d.priority for d in problem.demands], np.int64)
    keep = np.zeros(len(net.needs), np.bool_)
    if _saturated(net, counted & possible):
        keep = counted & possible
        return Admission(keep, _summary(priority, counted, possible, keep, {}))
    rows = Rows(net)
    fixed: tuple[tuple[Bools, int], ...] = ()
    least: dict[int, int] = {}
    for rank in sorted(set(priority[counted & possible].tolist())):
        now = counted & possible & (priority == rank)
        search = _Search(net, rows, Master(now, fixed), keep, budget)
        keep, at_most = search.run()
        least[rank] = int(now.sum()) - at_most
        fixed = (*fixed, (now, int((keep & now).sum())))
    return Admission(keep, _summary(priority, counted, possible, keep, least))


def _summary(
    priority: Ints, counted: Bools, possible: Bools, keep: Bools, least: dict[int, int]
) -> tuple[tuple[int, int, int], ...]:
    lines = []
    for rank in sorted(set(priority[counted].tolist())):
        mine = counted & (priority == rank)
        # Demands above their own connector's window are missed in every plan.
        hopeless = int((mine & ~possible).sum())
        lines.append((rank, int((mine & ~keep).sum()), hopeless + least.get(rank, 0)))
    return tuple(lines)


def _saturated(net: Network, members: Bools) -> bool:
    needs = np.where(members, net.needs, 0)
    return net.flow(needs)[0] == int(needs.sum())


class _Search:
    """The loop of one class: bounds from the LP and the integer master, sets from rounding and mending."""

    def __init__(self, net: Network, rows: Rows, master: Master, earlier: Bools, budget: Budget) -> None:
        self.net, self.rows, self.master, self.budget = net, rows, master, budget
        self.earlier = earlier
        self.best = earlier.copy()
        self.now = master.now
        self.at_most = int(self.now.sum())
        self.wished = np.array([sum(d.prefer) >= d.need_wh > 0 for d in net.problem.demands], np.bool_)

    def run(self) -> tuple[Bools, int]:
        """(kept demands of this and earlier classes, how many of this class can be kept at most)."""
        everybody = self.master.active
        if self._serve(self.earlier | self.now):
            return self.earlier | self.now, self.at_most
        self._separate_levels(everybody)
        self._relax()
        self._integer()
        self._swap()
        return self.best, self.at_most

    @property
    def done(self) -> bool:
        """Both bounds meet, or the budget is spent."""
        return self._count(self.best) >= self.at_most or self.net.flows >= self.budget.flows

    def _count(self, kept: Bools) -> int:
        return int((kept & self.now).sum())

    def _serve(self, kept: Bools) -> list[Row] | bool:
        """True where the flow serves all of them, else the rows that it breaks."""
        if _saturated(self.net, kept):
            return True
        self.rows.take(self.net.cuts())
        return False

    def _separate_levels(self, everybody: Bools) -> None:
        """Local rows: with the upper levels opened the cut shows what the lower ones hold back."""
        needs = np.where(everybody, self.net.needs, 0)
        for level in range(1, int(self.net.depth.max(initial=0)) + 1):
            caps = np.where((self.net.depth >= level)[:, None], self.net.caps, UNLIMITED)
            self.net.flow(needs, caps=caps)
            self.rows.take(self.net.cuts())

    def _relax(self) -> None:
        """LP rounds while each lowers the bound; what they leave open is the integer master's."""
        for _ in range(self.budget.rounds):
            choice = self.master.relax(self.rows.rows)
            if choice is None:
                return
            lower = choice.at_most < self.at_most
            self.at_most = min(self.at_most, choice.at_most)
            self._round(choice.keep)
            if self.done or not lower or not self._separate(choice.keep):
                return

    def _integer(self) -> None:
        for _ in range(self.budget.masters):
            if self.done:
                return
            choice = self.master.whole(self.rows.rows, self.budget.nodes)
            if choice is None:
                return
            self.at_most = min(self.at_most, choice.at_most)
            chosen = choice.keep > 0.5
            before = len(self.rows.rows)
            if self._serve(chosen):
                self._offer(chosen)
            self._round(choice.keep)
            if len(self.rows.rows) == before and not self.done:
                return

    def _offer(self, kept: Bools) -> None:
        if self._count(kept) > self._count(self.best) or not (self.best & self.now).any():
            self.best = kept

    def _separate(self, keep: Floats) -> bool:
        """New rows from a flow with needs and connectors times the LP's point; False: there is none."""
        needs = np.floor(self.net.needs * keep).astype(np.int64)
        conn = np.ceil(self.net.conn * keep[:, None]).astype(np.int64)
        found = False
        for level in range(int(self.net.depth.max(initial=0)) + 1):
            caps = np.where((self.net.depth >= level)[:, None], self.net.caps, UNLIMITED)
            if self.net.flow(needs, conn=conn, caps=caps)[0] < int(needs.sum()):
                new = self.rows.take(self.net.cuts())
                found = found or any(float(row.weight @ keep) > row.cap + 1.0 for row in new)
        return found

    def _round(self, keep: Floats) -> None:
        """A set near the point: its whole ones, mended, and the rest put back while the flow agrees."""
        whole = self.earlier | (self.now & (keep > 1 - 1e-6))
        self._offer(self._put_back(self._mend(whole), keep))

    def _swap(self) -> None:
        """Whom the previous plan served takes the place of somebody it did not, where the flow agrees."""
        left = self.budget.tries
        for back in np.flatnonzero(self.now & self.wished & ~self.best).tolist():
            for out in np.flatnonzero(self.now & ~self.wished & self.best).tolist():
                trial = self.best.copy()
                trial[back], trial[out] = True, False
                if left <= 0 or any(row.excess(trial) > 0 for row in self.rows.rows):
                    continue
                left -= 1
                if self._serve(trial):
                    self.best = trial
                    break

    def _order(self, keep: Floats) -> list[int]:
        members = np.flatnonzero(self.now)
        key = sorted(
            members.tolist(), key=lambda i: (-round(float(keep[i]), 6), not self.wished[i], int(self.net.needs[i]), i)
        )
        return [int(i) for i in key]

    def _mend(self, chosen: Bools) -> Bools:
        """Drop the fewest that the broken rows ask for until the flow serves everybody who is left."""
        kept = chosen.copy()
        while not _saturated(self.net, kept):
            cuts = self.net.cuts()
            self.rows.take(cuts)
            if not self._drop(kept, self.rows.rows):
                return self.earlier.copy()
        return kept

    def _drop(self, kept: Bools, rows: list[Row]) -> bool:
        """Drop from `kept` until every row holds; False: a row that only earlier classes could mend."""
        dropped = False
        while True:
            worst = max(rows, key=lambda row: row.excess(kept))
            if worst.excess(kept) <= 0:
                return dropped
            mine = np.flatnonzero(kept & self.now & (worst.weight > 0))
            if not mine.size:
                return False
            most = max(mine.tolist(), key=lambda i: (int(worst.weight[i]), not self.wished[i], -i))
            kept[most] = False
            dropped = True

    def _put_back(self, kept: Bools, keep: Floats) -> Bools:
        result = kept
        left = self.budget.tries
        for i in self._order(keep):
            if left <= 0 or self._count(result) >= self.at_most:
                break
            if result[i]:
                continue
            trial = result.copy()
            trial[i] = True
            if all(row.excess(trial) <= 0 for row in self.rows.rows):
                left -= 1
                if self._serve(trial):
                    result = trial
        return result
