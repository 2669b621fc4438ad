"""Step functions of power over time, brought onto one common grid of slots."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from itertools import pairwise
from typing import Literal

from gateway.pages.views import Limit, Span, Step

CROWD = 40
"""Above so many vehicles bands are feeders, rows are exceptions, and power is read in means of a slot."""
Values = list[float | None]
"""One value per slot; None is not known."""
SLOT_S = 300
"""The picture's grain, seconds: finer than a pixel at 360, fine enough for a limit's edge (which splits slots)."""


@dataclass(frozen=True, slots=True)
class Grid:
    """Edges of slots in seconds since `begins`; a slot lies between two edges and never across `now`."""

    begins: datetime
    now: datetime
    edges: tuple[int, ...]

    @property
    def span(self) -> int:
        """Seconds from the first edge to the last."""
        return self.edges[-1]

    @property
    def now_s(self) -> int:
        """Now, in seconds since `begins`, kept within the grid."""
        return min(max(self.second(self.now), 0), self.span)

    def second(self, moment: datetime) -> int:
        """Elapsed seconds, so that a changed clock changes nothing."""
        return round((moment - self.begins).total_seconds())

    def measured(self, slot: int) -> bool:
        """Whether the slot lies before now."""
        return slot < self.planned_from

    @property
    def planned_from(self) -> int:
        """The first slot that lies behind now; all before it are measured."""
        return bisect_right(self.edges, self.now_s) - 1


def grid(
    begins: datetime, ends: datetime, now: datetime, splits: Iterable[datetime] = (), *, slot_s: int = SLOT_S
) -> Grid:
    """Slots of so many seconds, split at now and at every moment of `splits`."""
    span = round((ends - begins).total_seconds())
    edges = {*range(0, span, slot_s), span}
    for moment in (*splits, now):
        second = round((moment - begins).total_seconds())
        if 0 < second < span:
            edges.add(second)
    return Grid(begins, now, tuple(sorted(edges)))


def sample(
    steps: Sequence[Step], on: Grid, how: Literal["mean", "most", "spread"] = "mean", *, until: int | None = None
) -> list[float | None]:
    """One value per slot; None where `steps` say nothing. `until` cuts, in seconds.

    `mean` is over the covered part, `most` the highest, `spread` the energy over the whole slot: what begins in the
    middle of a slot was nothing before.
    """
    sums = [0.0] * (len(on.edges) - 1)
    covered = [0] * len(sums)
    slot = 0
    for step in sorted(steps, key=lambda s: s.begins):
        first, last = max(0, on.second(step.begins)), min(on.span if until is None else until, on.second(step.ends))
        while slot and on.edges[slot] > first:
            slot -= 1
        while slot < len(sums) and on.edges[slot + 1] <= first:
            slot += 1
        at = slot
        while at < len(sums) and on.edges[at] < last:
            shared = min(last, on.edges[at + 1]) - max(first, on.edges[at])
            sums[at] = max(sums[at], step.kw) if how == "most" else sums[at] + step.kw * shared
            covered[at] += shared
            at += 1
    if how == "most":
        return [value if time > 0 else None for value, time in zip(sums, covered, strict=True)]
    widths = [b - a for a, b in pairwise(on.edges)]
    over = widths if how == "spread" else covered
    return [value / wide if time > 0 else None for value, time, wide in zip(sums, covered, over, strict=True)]


def joined(
    measured: Sequence[Step], planned: Sequence[Step], on: Grid, how: Literal["mean", "spread"] = "spread"
) -> Values:
    """Measured before now, planned from now on."""
    cut = on.planned_from
    return sample(measured, on, how, until=on.now_s)[:cut] + sample(planned, on, how)[cut:]


def value_at(steps: Sequence[Step], moment: datetime) -> float | None:
    """The value at a moment; None where nothing is said."""
    return next((s.kw for s in steps if s.holds(moment)), None)


def limit_at(limits: Sequence[Limit], moment: datetime) -> Limit | None:
    """The limit in force at a moment."""
    return next((s for s in limits if s.holds(moment)), None)


def merged(limits: Sequence[Limit]) -> tuple[Limit, ...]:
    """The same steps, with neighbours of equal height and source joined."""
    out: list[Limit] = []
    for limit in sorted(limits, key=lambda s: s.begins):
        last = out[-1] if out else None
        if last and last.ends == limit.begins and _alike(last, limit):
            out[-1] = replace(last, ends=limit.ends)
        else:
            out.append(limit)
    return tuple(out)


def _alike(one: Limit, other: Limit) -> bool:
    return (one.kw, one.source, one.fallback) == (other.kw, other.source, other.fallback)


@dataclass(frozen=True, slots=True)
class Excess(Span):
    """A time in which import stood above the limit: the most kW over, and for how long."""

    over_kw: float

    @property
    def span(self) -> timedelta:
        """How long."""
        return self.ends - self.begins


def excesses(imported: Sequence[Step], limits: Sequence[Limit], until: datetime) -> tuple[Excess, ...]:
    """Every time in which measured import exceeds the limit by more than meters resolve (0.05 kW)."""
    out: list[Excess] = []
    for step in sorted(imported, key=lambda s: s.begins):
        for limit in limits:
            begins, ends = max(step.begins, limit.begins), min(step.ends, limit.ends, until)
            if begins >= ends or step.kw <= limit.kw + 0.05:
                continue
            over = step.kw - limit.kw
            if out and out[-1].ends == begins:
                out[-1] = Excess(out[-1].begins, ends, max(over, out[-1].over_kw))
            else:
                out.append(Excess(begins, ends, over))
    return tuple(out)
