"""The ceiling of an outlet: at each instant the most that it may draw, by everything that may be in force in it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from core.dispatch.functions import Grid, Watts, seconds
from core.dispatch.state import Possible, StationState
from core.messages.command import Installed
from core.sessions import Plug


@dataclass(frozen=True, slots=True)
class Outlet:
    """One EVSE where it hangs in the tree, with its rating and its share of the station's safe level."""

    station: str
    evse: int
    node: str
    rating_w: int
    safe_w: int


def edges(station: StationState | None) -> set[int]:
    """Every moment at which something possible in a station steps, ends or becomes void, in seconds."""
    found: set[int] = set()
    for possible in station.possible if station else ():
        found |= possible.moments
    return found


def windows(reduce: np.ufunc, values: Watts, borders: Grid) -> Watts:
    """`reduce` over values[begin:end] for each pair of `borders`, which are begin and end in turn."""
    padded = np.zeros(len(values) + 1, dtype=np.int64)
    padded[:-1] = values
    reduced: Watts = reduce.reduceat(padded, borders)[::2]
    return reduced


class Instants:
    """A grid with the guard window behind and ahead of each of its moments: so slow may a charger be to follow."""

    def __init__(self, grid: Grid, guard: int = 0) -> None:
        self.grid = grid
        self.guard = guard

    @cached_property
    def _behind(self) -> Grid:
        begins = np.maximum(np.searchsorted(self.grid, self.grid - self.guard, side="right") - 1, 0)
        return np.column_stack([begins, np.arange(1, len(self.grid) + 1)]).ravel()

    @cached_property
    def _ahead(self) -> Grid:
        ends = np.searchsorted(self.grid, self.grid + self.guard, side="right")
        return np.column_stack([np.arange(len(self.grid)), ends]).ravel()

    def behind(self, power: Watts) -> Watts:
        """The most of the power from a guard time before each moment on."""
        if not self.guard or power.min() == power.max():
            return power
        return windows(np.maximum, power, self._behind)

    def ahead(self, limit: Watts) -> Watts:
        """The least of the limit from each moment to a guard time later: reductions are taken early."""
        if limit.min() == limit.max():
            return limit
        return windows(np.minimum, limit, self._ahead)


def ceiling(outlet: Outlet, station: StationState | None, plug: Plug | None, grid: Grid, guard: int = 0) -> Watts:
    """The outlet's ceiling on the grid, in watts; with a guard time (s), for a charger that is so slow to follow."""
    return ceilings(outlet, station, plug, Instants(grid, guard))[1]


def ceilings(
    outlet: Outlet, station: StationState | None, plug: Plug | None, instants: Instants
) -> tuple[Watts, Watts]:
    """The outlet's ceiling in watts, of a charger that follows at once and of one that takes the guard time.

    The largest of every schedule that may be in force; a schedule of the running transaction hides the default until
    its end; without a confirmed default the rating counts while a vehicle is plugged or power is measured. A slow
    charger may still follow a schedule that was replaced less than the guard time ago, and any of its steps.
    """
    grid, guard = instants.grid, instants.guard
    possible = station.possible if station else ()
    default = _default(outlet, possible, plug, grid)
    quick, slow = np.zeros_like(grid), np.zeros_like(grid)
    bare, slowly_bare = np.ones(len(grid), dtype=bool), np.ones(len(grid), dtype=bool)
    for candidate in _of_transaction(outlet, possible, plug):
        follows = np.where(_running(candidate.installed, grid), candidate.sample(grid), default)
        quick = _with(quick, follows, candidate, grid, 0)
        slow = _with(slow, instants.behind(follows), candidate, grid, guard)
        bare &= ~(_applies(candidate, grid, 0) & _hides(candidate, grid, 0))
        slowly_bare &= ~(_applies(candidate, grid, guard) & _hides(candidate, grid, guard))
    quick = np.where(bare, np.maximum(quick, default), quick)
    slow = np.where(slowly_bare, np.maximum(slow, instants.behind(default)), slow)
    return np.minimum(quick, outlet.rating_w), np.minimum(slow, outlet.rating_w)


def _with(most: Watts, follows: Watts, possible: Possible, grid: Grid, guard: int) -> Watts:
    if possible.void is None:
        return np.maximum(most, follows)
    raised: Watts = np.where(_applies(possible, grid, guard), np.maximum(most, follows), most)
    return raised


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
        level = np.where(applies, np.maximum(level, candidate.sample(grid)), level)
        known |= applies & _hides(candidate, grid, 0)
    busy = plug is not None and (plug.plugged or (plug.power_kw or 0.0) > 0.0)
    unknown = outlet.rating_w if busy else outlet.safe_w
    result: Watts = np.where(known, level, np.maximum(level, unknown))
    return result
