"""A bus's battery: the power it accepts falls with its SoC, and charging is integrated exactly, not in time steps."""

from __future__ import annotations

import itertools
import math
from dataclasses import dataclass
from typing import NamedTuple

Points = tuple[tuple[float, float], ...]

_FULL = 1.0 - 1e-12
_EDGE = 1e-12


class Piece(NamedTuple):
    """Power over a stretch of time: p(t) = kw * exp(rate * t), t in hours from its beginning."""

    hours: float
    kw: float
    rate: float

    def energy_kwh(self) -> float:
        """Energy at the plug over the piece."""
        if abs(self.rate) < 1e-9:
            return self.kw * self.hours
        return self.kw / self.rate * math.expm1(self.rate * self.hours)


def accepted_kw(curve: Points, soc: float) -> float:
    """Power that the curve allows at `soc`; constant beyond its ends, and 0 for a full battery."""
    if soc >= _FULL:
        return 0.0
    segment = _segment(curve, soc)
    return curve[-1][1] if segment is None else _on(segment, soc)


def weaker_above(curve: Points, soc: float, factor: float) -> Points:
    """The curve of a bus that takes only `factor` of its type's power above `soc`."""
    at = accepted_kw(curve, soc)
    lower = tuple(point for point in curve if point[0] < soc)
    upper = tuple((s, kw * factor) for s, kw in curve if s > soc)
    return (*lower, (soc, at), (soc, at * factor), *upper)


@dataclass
class Battery:
    """Usable capacity, SoC and acceptance of one bus; `curve` is ((soc, kW at the plug), ...), soc rising."""

    capacity_kwh: float
    soc: float
    curve: Points
    eta: float = 0.95

    def advance(self, hours: float, cap_kw: float) -> list[Piece]:
        """Charge for `hours` under `cap_kw` at the plug; returns what was drawn, piece by piece."""
        pieces: list[Piece] = []
        left = hours
        while left > 1e-12:
            piece, reached = self._next(left, cap_kw)
            self.soc = reached
            left -= piece.hours
            pieces.append(piece)
        return pieces

    def _next(self, left: float, cap_kw: float) -> tuple[Piece, float]:
        power = min(cap_kw, accepted_kw(self.curve, self.soc))
        if power <= 0 or self.soc >= _FULL:
            return Piece(left, 0.0, 0.0), self.soc
        segment = _segment(self.curve, self.soc)
        end, slope = _stretch(segment, self.soc, cap_kw)
        rate = self.eta * slope / self.capacity_kwh
        hours = self._hours(power, rate, end - self.soc)
        if hours <= left:
            return Piece(hours, power, rate), end
        piece = Piece(left, power, rate)
        return piece, min(end, self.soc + self.eta * piece.energy_kwh() / self.capacity_kwh)

    def _hours(self, power: float, rate: float, gain: float) -> float:
        need = gain * self.capacity_kwh / self.eta
        if abs(rate) < 1e-9:
            return need / power
        inside = 1 + need * rate / power
        return math.inf if inside <= 0 else math.log(inside) / rate


_Segment = tuple[tuple[float, float], tuple[float, float]]


def _segment(curve: Points, soc: float) -> _Segment | None:
    """The piece of the curve that holds just above `soc`; None beyond its last point."""
    if soc < curve[0][0]:
        return ((0.0, curve[0][1]), curve[0])
    for low, high in itertools.pairwise(curve):
        if low[0] <= soc + _EDGE < high[0]:
            return (low, high)
    return None


def _on(segment: _Segment, soc: float) -> float:
    (s1, p1), (s2, p2) = segment
    return p1 + (p2 - p1) * (soc - s1) / (s2 - s1)


def _stretch(segment: _Segment | None, soc: float, cap_kw: float) -> tuple[float, float]:
    """Up to which SoC the same law holds, and its slope in kW per unit of SoC (0 where the cap binds)."""
    if segment is None:
        return 1.0, 0.0
    (s1, p1), (s2, p2) = segment
    slope = (p2 - p1) / (s2 - s1)
    crossing = s1 + (cap_kw - p1) / slope if slope else s2
    end = crossing if soc + 1e-9 < crossing < s2 else s2
    binds = cap_kw < _on(segment, (soc + end) / 2)
    return end, 0.0 if binds else slope
