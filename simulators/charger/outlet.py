"""What one connector physically does: it follows its limit after a reaction time and keeps an exact record of its power."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import NamedTuple

from simulators.charger.battery import Battery, accepted_kw
from simulators.charger.profiles import Step

Limits = Callable[[datetime, datetime], list[Step]]


class Drawn(NamedTuple):
    """Power of a connector from `begin` on: p(t) = kw * exp(rate * t), t in hours."""

    begin: datetime
    hours: float
    kw: float
    rate: float


class _Applied(NamedTuple):
    since: datetime
    limits: Limits
    delay: timedelta


@dataclass
class Outlet:
    """A connector with its rating, its energy register and, while a bus is plugged, that bus's battery."""

    rating_kw: float
    moment: datetime
    """Up to when it has been integrated."""
    battery: Battery | None = None
    released: bool = False
    """Whether a transaction runs, so that power may flow."""
    register_kwh: float = 0.0
    drawn: list[Drawn] = field(default_factory=list)
    _applied: list[_Applied] = field(default_factory=list)
    _offered: tuple[datetime, float] | None = None

    def follow(self, limits: Limits, since: datetime, delay: timedelta) -> None:
        """From `since` on obey `limits` (a step function in W), each step `delay` late."""
        self._offered = None
        earlier = [applied for applied in self._applied if applied.since < since]
        past = [applied for applied in earlier if applied.since <= self.moment]
        self._applied = [*past[-1:], *earlier[len(past) :], _Applied(since, limits, delay)]

    def advance(self, now: datetime) -> None:
        """Integrate up to `now`; going back in time does nothing."""
        if now <= self.moment:
            return
        if self.battery is not None and self.released:
            self._charge(self.battery, now)
        self.moment = now

    def power_kw(self) -> float:
        """Power at the moment up to which it was integrated."""
        if self.battery is None or not self.released:
            return 0.0
        return min(self.offered_kw(), accepted_kw(self.battery.curve, self.battery.soc))

    def offered_kw(self) -> float:
        """What the bus may draw at the moment up to which it was integrated."""
        if self._offered is None or self._offered[0] != self.moment:
            cap = self._caps(self.moment, self.moment + timedelta(seconds=1))[0][1]
            self._offered = (self.moment, cap)
        return self._offered[1]

    def _charge(self, battery: Battery, now: datetime) -> None:
        caps = self._caps(self.moment, now)
        ends = [begin for begin, _ in caps[1:]] + [now]
        for (begin, cap), end in zip(caps, ends, strict=True):
            for piece in battery.advance((end - begin).total_seconds() / 3600, cap):
                self.register_kwh += piece.energy_kwh()
                if piece.kw:
                    self.drawn.append(Drawn(begin, piece.hours, piece.kw, piece.rate))
                begin += timedelta(hours=piece.hours)

    def _caps(self, begin: datetime, end: datetime) -> list[tuple[datetime, float]]:
        """The cap in force as steps over [begin, end), in kW, the first at `begin`."""
        turns = [applied.since for applied in self._applied]
        first = bisect_right(turns, begin) - 1
        caps: list[tuple[datetime, float]] = [] if first >= 0 else [(begin, self.rating_kw)]
        for index in range(max(first, 0), len(self._applied)):
            applied = self._applied[index]
            start = max(begin, applied.since)
            stop = min(end, turns[index + 1]) if index + 1 < len(turns) else end
            if start >= end:
                break
            if start < stop:
                caps += self._delayed(applied, start, stop)
        return caps

    def _delayed(self, applied: _Applied, begin: datetime, end: datetime) -> list[tuple[datetime, float]]:
        steps = applied.limits(begin - applied.delay, end - applied.delay)
        return [(moment + applied.delay, self._kw(watts)) for moment, watts in steps]

    def _kw(self, watts: float | None) -> float:
        return self.rating_kw if watts is None else max(0.0, min(self.rating_kw, watts / 1000))
