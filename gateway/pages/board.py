"""Which departures the board shows, and which it folds; and the night's values as a table."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from gateway.pages.steps import limit_at, merged
from gateway.pages.views import Departure, Limit, NightView, Step

ALL, AHEAD, STAYS = 40, timedelta(hours=6), timedelta(minutes=30)
TABLE = timedelta(minutes=15)


@dataclass(frozen=True, slots=True)
class Board:
    """Rows in order of departure, how many have left and are folded, how many come later."""

    shown: tuple[Departure, ...]
    departed: tuple[Departure, ...] = ()
    later: int = 0


def board(departures: Sequence[Departure], now: datetime, *, whole: bool = False) -> Board:
    """All up to 40; else the next six hours and what needs a person. A departed row stays 30 minutes."""
    order = sorted(departures, key=lambda d: (d.departs, d.vehicle))
    departed = tuple(d for d in order if d.left is not None and d.left + STAYS <= now)
    rest = [d for d in order if d not in departed]
    if whole or len(rest) <= ALL:
        return Board(tuple(rest), departed)
    shown = tuple(d for d in rest if d.departs <= now + AHEAD or not d.fine)
    return Board(shown, departed, len(rest) - len(shown))


@dataclass(frozen=True, slots=True)
class Quarter:
    """A quarter of an hour of the night: the lowest limit, and means in kW; None is not known."""

    begins: datetime
    measured: bool
    limit: Limit | None
    imported: float | None
    building: float | None
    charging: float | None


def quarters(view: NightView) -> tuple[Quarter, ...]:
    """The picture as numbers, one row per quarter of an hour."""
    limits = merged(view.limits)
    out, at = [], view.begins
    while at < view.ends:
        ends, measured = at + TABLE, at < view.now
        until = min(ends, view.now) if measured else ends
        known = [s for s in (limit_at(limits, at), limit_at(limits, ends - timedelta(seconds=1))) if s]
        powers = [s for v in view.vehicles for s in (v.measured if measured else v.planned)]
        imported = mean(view.imported if measured else view.import_planned, at, until)
        building = mean(view.building if measured else view.building_planned, at, until)
        charging = total(powers, at, until)
        out.append(Quarter(at, measured, min(known, key=lambda s: s.kw, default=None), imported, building, charging))
        at = ends
    return tuple(out)


def mean(steps: Sequence[Step], begins: datetime, ends: datetime) -> float | None:
    """The mean over what is covered of the window; None where nothing is."""
    parts = [((min(s.ends, ends) - max(s.begins, begins)).total_seconds(), s.kw) for s in steps]
    parts = [(seconds, kw) for seconds, kw in parts if seconds > 0]
    covered = sum(seconds for seconds, _ in parts)
    return sum(seconds * kw for seconds, kw in parts) / covered if covered else None


def total(steps: Sequence[Step], begins: datetime, ends: datetime) -> float:
    """The mean of the sum over the window; what is not covered counts as 0."""
    window = (ends - begins).total_seconds()
    found = ((min(s.ends, ends) - max(s.begins, begins)).total_seconds() * s.kw for s in steps)
    return sum(e for e in found if e > 0) / window
