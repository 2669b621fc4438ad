"""From single readings to step functions and gaps: a value holds until the next one, a long silence is a gap."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from itertools import pairwise
from statistics import median

from core.messages import words
from gateway.pages.views import Gap, Limit, Reading, Step

LONG = timedelta(minutes=5)


def silence(readings: Sequence[Reading]) -> timedelta:
    """Longer than this without a reading is a gap: five minutes, or three times the usual distance."""
    distances = [(b[0] - a[0]).total_seconds() for a, b in pairwise(readings)]
    return max(LONG, timedelta(seconds=3 * median(distances))) if distances else LONG


def held(
    readings: Sequence[Reading], until: datetime, reason: str = "no meter values", *, gaps: bool = True
) -> tuple[tuple[Step, ...], tuple[Gap, ...]]:
    """Steps in which each value holds until the next reading, and the gaps between them, up to `until`."""
    order = [r for r in sorted(dict(readings).items()) if r[0] < until]
    longest = silence(order)
    steps: list[Step] = []
    holes: list[Gap] = []
    for index, (at, kw) in enumerate(order):
        following = order[index + 1][0] if index + 1 < len(order) else until
        ends = following if following - at <= longest else at + timedelta(minutes=1)
        if steps and steps[-1].kw == kw and steps[-1].ends == at:
            steps[-1] = Step(steps[-1].begins, ends, kw)
        else:
            steps.append(Step(at, ends, kw))
        if ends < following and gaps:
            holes.append(Gap(ends, following, f"{reason}, {words.span(following - ends)}"))
    return tuple(steps), tuple(holes)


def trimmed(steps: Sequence[Step], limits: Sequence[Limit]) -> tuple[Step, ...]:
    """No value reaches from before a limit's fall into it: what was read under 800 kW says nothing about 260 kW."""
    falls = sorted(b.begins for a, b in pairwise(limits) if b.kw < a.kw)
    out = []
    for step in steps:
        fall = next((f for f in falls if step.begins < f < step.ends), None)
        out.append(Step(step.begins, fall, step.kw) if fall else step)
    return tuple(out)


def clipped(steps: Sequence[Step], begins: datetime, ends: datetime) -> tuple[Step, ...]:
    """The part of the steps within a window."""
    return tuple(Step(max(s.begins, begins), min(s.ends, ends), s.kw) for s in steps if s.meets(begins, ends))


def of_plan(points: Sequence[Reading], begins: datetime, ends: datetime) -> tuple[Step, ...]:
    """A planned step function within a window."""
    order = sorted(points)
    out = []
    for index, (at, kw) in enumerate(order):
        following = order[index + 1][0] if index + 1 < len(order) else ends
        first, last = max(at, begins), min(following, ends)
        if first < last:
            out.append(Step(first, last, kw))
    return tuple(out)


def summed(parts: Sequence[Sequence[Step]]) -> tuple[Step, ...]:
    """The sum of step functions; where none speaks there is no step."""
    edges = sorted({m for steps in parts for s in steps for m in (s.begins, s.ends)})
    changes: dict[datetime, list[float]] = {m: [0.0, 0.0] for m in edges}
    for steps in parts:
        for step in steps:
            changes[step.begins][0] += step.kw
            changes[step.begins][1] += 1
            changes[step.ends][0] -= step.kw
            changes[step.ends][1] -= 1
    out, kw, speaking = [], 0.0, 0.0
    for index, edge in enumerate(edges[:-1]):
        kw, speaking = kw + changes[edge][0], speaking + changes[edge][1]
        if speaking > 0:
            out.append(Step(edge, edges[index + 1], max(0.0, round(kw, 3))))
    return tuple(out)
