"""How a battery fills: charge time and state of charge along power steps, with the vehicle's taper, in closed form."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from itertools import pairwise
from typing import NamedTuple

from core.messages.allocation import Step

Curve = Sequence[tuple[float, float]]
"""Points (SoC 0..1, kW accepted at the plug), SoC rising; clamped at both ends."""

_ZERO_KW = 1e-3
"""Below one watt nothing flows."""


class Piece(NamedTuple):
    """A stretch of SoC over which the effective power is linear."""

    low: float
    low_kw: float
    high: float
    high_kw: float

    @property
    def slope(self) -> float:
        """Change of power, in kW per unit of SoC."""
        return (self.high_kw - self.low_kw) / (self.high - self.low)


def interpolate(points: Sequence[tuple[float, float]], x: float) -> tuple[float, bool]:
    """The value at `x` on straight lines between rising points, and whether `x` lay outside and was clamped."""
    if x <= points[0][0]:
        return points[0][1], x < points[0][0]
    for (x1, y1), (x2, y2) in pairwise(points):
        if x <= x2:
            return y1 + (y2 - y1) * (x - x1) / (x2 - x1), False
    return points[-1][1], True


def power_at(curve: Curve, soc: float, cap_kw: float = math.inf) -> float:
    """The kW that a vehicle takes at the plug at this SoC when `cap_kw` is offered."""
    return min(interpolate(curve, soc)[0], cap_kw)


def charge_time(
    curve: Curve, capacity_kwh: float, eta: float, soc_from: float, soc_to: float, cap_kw: float
) -> timedelta | None:
    """How long charging from one SoC to another takes at `cap_kw` at the plug; None where it never gets there.

    `eta` is what of the energy at the plug reaches the battery.
    """
    hours = 0.0
    for piece in _pieces(curve, cap_kw, soc_from, soc_to):
        if min(piece.low_kw, piece.high_kw) <= _ZERO_KW:
            return None
        hours += _hours(piece, capacity_kwh / eta)
    return timedelta(hours=hours)


def soc_after(
    curve: Curve,
    capacity_kwh: float,
    eta: float,
    soc: float,
    steps: Sequence[Step],
    begins: datetime,
    ends: datetime,
) -> float:
    """The SoC at `ends` when charging follows `steps` from `begins` on; before the first step nothing flows."""
    for kw, start, end in _spans(steps, begins, ends):
        soc = _advance(curve, capacity_kwh / eta, soc, kw, (end - start) / timedelta(hours=1))
    return soc


def reached_at(
    curve: Curve,
    capacity_kwh: float,
    eta: float,
    soc: float,
    goal: float,
    steps: Sequence[Step],
    begins: datetime,
    ends: datetime,
) -> datetime | None:
    """The moment at which charging along `steps` reaches `goal`; None where it does not before `ends`."""
    if soc >= goal:
        return begins
    for kw, start, end in _spans(steps, begins, ends):
        needed = charge_time(curve, capacity_kwh, eta, soc, goal, kw)
        if needed is not None and start + needed <= end:
            return start + needed
        soc = _advance(curve, capacity_kwh / eta, soc, kw, (end - start) / timedelta(hours=1))
    return None


def _spans(steps: Sequence[Step], begins: datetime, ends: datetime) -> Iterator[tuple[float, datetime, datetime]]:
    """(kW, start, end) of every step that falls into the window."""
    ordered = sorted(steps, key=lambda step: step.at)
    for index, step in enumerate(ordered):
        start = max(step.at, begins)
        end = min(ordered[index + 1].at, ends) if index + 1 < len(ordered) else ends
        if start < end:
            yield step.kw, start, end


def _pieces(curve: Curve, cap_kw: float, low: float, high: float) -> Iterator[Piece]:
    """The linear pieces of min(curve, cap) between two SoC, cut at curve points and where the curve crosses the cap."""
    points = [(-math.inf, curve[0][1]), *curve, (math.inf, curve[-1][1])]
    for (s1, p1), (s2, p2) in pairwise(points):
        left, right = max(s1, low), min(s2, high)
        if left >= right:
            continue
        slope = 0.0 if math.isinf(s2 - s1) else (p2 - p1) / (s2 - s1)
        anchor = s1 if math.isfinite(s1) else s2
        base = p1 if math.isfinite(s1) else p2
        yield from _capped(left, right, slope, base - slope * anchor, cap_kw)


def _capped(left: float, right: float, slope: float, offset: float, cap_kw: float) -> Iterator[Piece]:
    cuts = [left, right]
    if slope and left < (crossing := (cap_kw - offset) / slope) < right:
        cuts.insert(1, crossing)
    for low, high in pairwise(cuts):
        yield Piece(low, min(offset + slope * low, cap_kw), high, min(offset + slope * high, cap_kw))


def _hours(piece: Piece, kwh_per_soc: float) -> float:
    """Time for one piece; `kwh_per_soc` is energy at the plug per unit of SoC."""
    if math.isclose(piece.low_kw, piece.high_kw, rel_tol=1e-9):
        return kwh_per_soc * (piece.high - piece.low) / piece.low_kw
    return kwh_per_soc / piece.slope * math.log(piece.high_kw / piece.low_kw)


def _advance(curve: Curve, kwh_per_soc: float, soc: float, cap_kw: float, hours: float) -> float:
    """The SoC after so many hours at `cap_kw`."""
    for piece in _pieces(curve, cap_kw, soc, 1.0):
        if piece.low_kw <= _ZERO_KW:
            return piece.low
        if piece.high_kw > _ZERO_KW and (needed := _hours(piece, kwh_per_soc)) <= hours:
            hours -= needed
            continue
        return _within(piece, kwh_per_soc, hours)
    return max(soc, 1.0)


def _within(piece: Piece, kwh_per_soc: float, hours: float) -> float:
    """The SoC inside a piece that is not filled in this time."""
    if math.isclose(piece.low_kw, piece.high_kw, rel_tol=1e-9):
        return piece.low + piece.low_kw * hours / kwh_per_soc
    grown = piece.low_kw * math.exp(piece.slope / kwh_per_soc * hours)
    return piece.low + (grown - piece.low_kw) / piece.slope
