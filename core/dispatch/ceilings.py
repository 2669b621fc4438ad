"""The ceiling of an outlet: at each instant the most that it may draw, by everything that may be in force in it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

import numpy as np
from numpy.typing import NDArray

from core.dispatch.state import Possible, StationState
from core.messages.allocation import Step
from core.messages.command import Installed
from core.sessions import Plug

Watts = NDArray[np.int64]
"""Whole watts at the plug, one value per interval of a grid."""

Grid = NDArray[np.int64]
"""Starts of intervals in whole seconds since the epoch, rising; the last interval has no end."""


@dataclass(frozen=True, slots=True)
class Outlet:
    """One EVSE where it hangs in the tree, with its rating and its share of the station's safe level."""

    station: str
    evse: int
    node: str
    rating_w: int
    safe_w: int


def seconds(moment: datetime) -> int:
    """Whole seconds since the epoch, rounded down."""
    return int(moment.timestamp() // 1)


def watts(kw: float) -> int:
    """Whole watts, nearest."""
    return round(kw * 1000)


def sample(steps: Sequence[Step], grid: Grid) -> Watts:
    """A step function on the grid; before its first step the first value holds."""
    if len(steps) == 1:
        return np.full(len(grid), watts(steps[0].kw), dtype=np.int64)
    times = np.array([seconds(s.at) for s in steps], dtype=np.int64)
    values = np.array([watts(s.kw) for s in steps], dtype=np.int64)
    sampled: Watts = values[np.maximum(np.searchsorted(times, grid, side="right") - 1, 0)]
    return sampled


def edges(station: StationState | None) -> set[int]:
    """Every moment at which something possible in a station steps, ends or becomes void, in seconds."""
    found: set[int] = set()
    for possible in station.possible if station else ():
        found.update(seconds(s.at) for s in possible.installed.steps)
        found.update(seconds(m) for m in (possible.installed.until, possible.since, possible.void) if m)
    return found


def windows(reduce: np.ufunc, values: Watts, begins: Grid, ends: Grid) -> Watts:
    """`reduce` over values[begins[k]:ends[k]] for each k."""
    borders = np.column_stack([begins, ends]).ravel()
    reduced: Watts = reduce.reduceat(np.append(values, 0), borders)[::2]
    return reduced


def behind(power: Watts, grid: Grid, guard: int) -> Watts:
    """The most of the power from a guard time before each moment on: a charger may be that slow to follow."""
    if not guard or power.min() == power.max():
        return power
    begins = np.maximum(np.searchsorted(grid, grid - guard, side="right") - 1, 0)
    return windows(np.maximum, power, begins, np.arange(len(grid)) + 1)


def ceiling(outlet: Outlet, station: StationState | None, plug: Plug | None, grid: Grid, guard: int = 0) -> Watts:
    """The outlet's ceiling on the grid, in watts; with a guard time (s), for a charger that is so slow to follow.

    The largest of every schedule that may be in force; a schedule of the running transaction hides the default until
    its end; without a confirmed default the rating counts while a vehicle is plugged or power is measured. A slow
    charger may still follow a schedule that was replaced less than the guard time ago, and any of its steps.
    """
    possible = station.possible if station else ()
    default = _default(outlet, possible, plug, grid)
    result = np.zeros_like(grid)
    hidden = np.zeros(len(grid), dtype=bool)
    for candidate in _of_transaction(outlet, possible, plug):
        applies = _applies(candidate, grid, guard)
        follows = np.where(_running(candidate.installed, grid), sample(candidate.installed.steps, grid), default)
        result = np.where(applies, np.maximum(result, behind(follows, grid, guard)), result)
        hidden |= applies & _hides(candidate, grid, guard)
    result = np.where(hidden, result, np.maximum(result, behind(default, grid, guard)))
    capped: Watts = np.minimum(result, outlet.rating_w)
    return capped


def _of_transaction(outlet: Outlet, possible: Sequence[Possible], plug: Plug | None) -> list[Possible]:
    running = plug.transaction if plug else None
    return [
        p
        for p in possible
        if p.installed.purpose == "transaction"
        and p.installed.evse == outlet.evse
        and p.installed.transaction == running
    ]


def _applies(possible: Possible, grid: Grid, guard: int) -> NDArray[np.bool_]:
    if possible.void is None:
        return np.ones(len(grid), dtype=bool)
    before: NDArray[np.bool_] = grid < seconds(possible.void) + guard
    return before


def _hides(possible: Possible, grid: Grid, guard: int) -> NDArray[np.bool_]:
    if not possible.confirmed:
        return np.zeros(len(grid), dtype=bool)
    begun: NDArray[np.bool_] = grid >= (grid.min() if possible.since is None else seconds(possible.since) + guard)
    return begun


def _running(installed: Installed, grid: Grid) -> NDArray[np.bool_]:
    if installed.until is None:
        return np.ones(len(grid), dtype=bool)
    before: NDArray[np.bool_] = grid < seconds(installed.until)
    return before


def _default(outlet: Outlet, possible: Sequence[Possible], plug: Plug | None, grid: Grid) -> Watts:
    """What holds where no schedule of the transaction does; the guard time is counted once, by whoever looks behind it."""
    level = np.zeros_like(grid)
    known = np.zeros(len(grid), dtype=bool)
    for candidate in possible:
        if candidate.installed.purpose != "default" or candidate.installed.evse not in (0, outlet.evse):
            continue
        applies = _applies(candidate, grid, 0)
        level = np.where(applies, np.maximum(level, sample(candidate.installed.steps, grid)), level)
        known |= applies & _hides(candidate, grid, 0)
    busy = plug is not None and (plug.plugged or (plug.power_kw or 0.0) > 0.0)
    unknown = outlet.rating_w if busy else outlet.safe_w
    result: Watts = np.where(known, level, np.maximum(level, unknown))
    return result
