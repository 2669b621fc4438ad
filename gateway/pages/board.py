"""Which departures the board shows, and which it folds; and the night's values as a table."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from gateway.pages.steps import grid, joined, limit_at, merged
from gateway.pages.views import Departure, Incident, Limit, NightView, NowView

ALL, AHEAD, STAYS = 40, timedelta(hours=6), timedelta(minutes=30)
SEVERAL, SOON = 3, timedelta(hours=3)
"""So many buses that only are not plugged in yet are one line; one that leaves so soon has its own."""
TABLE_S = 900


@dataclass(frozen=True, slots=True)
class Board:
    """Rows in order of departure, how many have left and are folded, how many come later."""

    shown: tuple[Departure, ...]
    departed: tuple[Departure, ...] = ()
    later: int = 0


def board(departures: Sequence[Departure], now: datetime, *, whole: bool = False) -> Board:
    """All up to 40; else the next six hours and what needs a person. A departed row stays 30 minutes."""
    order = sorted(departures, key=lambda d: (d.departs, d.vehicle))
    departed = tuple(d for d in order if _gone(d, now))
    rest = [d for d in order if not _gone(d, now)]
    if whole or len(rest) <= ALL:
        return Board(tuple(rest), departed)
    shown = tuple(d for d in rest if d.departs <= now + AHEAD or not d.fine)
    return Board(shown, departed, len(rest) - len(shown))


def _gone(departure: Departure, now: datetime) -> bool:
    return departure.left is not None and departure.left + STAYS <= now


def needing(view: NowView) -> tuple[tuple[Departure, ...], tuple[Departure, ...], tuple[Incident, ...]]:
    """What needs a person, consequence first: departures that are not fine, buses that only are not plugged in yet,
    where they are several and one line says it of all, then incidents that none of these names."""
    departures = [d for d in view.departures if not d.fine]
    told = {(d.code, d.vehicle) for d in departures}
    several = sum(_not_back(d, view.now) for d in departures) >= SEVERAL
    return (
        tuple(d for d in departures if not (several and _not_back(d, view.now))),
        tuple(d for d in departures if several and _not_back(d, view.now)),
        tuple(i for i in view.incidents if not told & {(i.kind, v) for v in (i.subject, *i.departures)}),
    )


def _not_back(departure: Departure, now: datetime) -> bool:
    """Whether it only is not plugged in yet, and may be on its way."""
    return departure.code == "not_plugged" and departure.state == "unknown" and departure.departs - now > SOON


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
    """The picture as numbers, one row per quarter of an hour; the running one shows what is measured of it."""
    limits = merged(view.limits)
    on = grid(view.begins, view.ends, view.now, slot_s=TABLE_S)
    imported = joined(view.imported, view.import_planned, on, "mean")
    building = joined(view.building, view.building_planned, on, "mean")
    charging = [0.0] * len(imported)
    for vehicle in view.vehicles:
        for slot, kw in enumerate(joined(vehicle.measured, vehicle.planned, on)):
            charging[slot] += kw or 0.0
    out = []
    for slot, edge in enumerate(on.edges[:-1]):
        if edge % TABLE_S:
            continue  # because: that is the rest of the running quarter
        begins = view.begins + timedelta(seconds=edge)
        limit = _lowest(limits, begins)
        out.append(Quarter(begins, on.measured(slot), limit, imported[slot], building[slot], charging[slot]))
    return tuple(out)


def _lowest(limits: Sequence[Limit], begins: datetime) -> Limit | None:
    """The lowest limit of a quarter, by its two ends."""
    ends = begins + timedelta(seconds=TABLE_S - 1)
    known = [s for s in (limit_at(limits, begins), limit_at(limits, ends)) if s]
    return min(known, key=lambda s: s.kw, default=None)
