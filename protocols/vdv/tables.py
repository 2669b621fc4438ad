"""The tables of VDV 452 that a block needs, indexed by their keys; rows that cannot be used stand beside them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import date
from typing import NamedTuple

from protocols.common.imports import BadFeed, Quarantined
from protocols.vdv.wire import BadValue, Feed, Row

REQUIRED = ("FIRMENKALENDER", "REC_UMLAUF", "REC_FRT", "REC_LID", "LID_VERLAUF", "SEL_FZT_FELD")
DEPOT = 2
"""ONR_TYP_NR of a depot (BHOF)."""
PASSENGER = 1
"""FAHRTART_NR: the only code whose meaning all operators share."""
MAX_S = 172_800
"""Two days: no time of an operating day is later."""
MAX_M = 1_000_000
TO_OR_FROM_DEPOT = (2, 3)
"""ROUTEN_ART of depot runs."""


class Place(NamedTuple):
    """ONR_TYP_NR and ORT_NR; the number alone is not unique."""

    kind: int
    number: int


class BlockKey(NamedTuple):
    """A block template: basis version, day type, UM_UID."""

    version: int
    day_type: int
    block: int


class RouteKey(NamedTuple):
    """Basis version, LI_NR, STR_LI_VAR."""

    version: int
    line: int
    variant: str


@dataclass(frozen=True, slots=True)
class Route:
    """A line variant: its area (for running times), its public name, what kind of route it is."""

    area: int | None
    name: str
    kind: int | None


@dataclass(frozen=True, slots=True)
class Trip:
    """One REC_FRT record."""

    start: int
    identity: int
    route: RouteKey
    kind: int | None
    group: int
    """FGR_NR: which set of running times holds."""


@dataclass(slots=True)
class Tables:
    """Everything by its key. Times in seconds, lengths in metres."""

    calendar: dict[date, int] = field(default_factory=dict)
    versions: list[tuple[date, int]] = field(default_factory=list)
    blocks: dict[BlockKey, Row] = field(default_factory=dict)
    trips: dict[BlockKey, list[Trip]] = field(default_factory=lambda: defaultdict(list))
    routes: dict[RouteKey, Route] = field(default_factory=dict)
    stops: dict[RouteKey, dict[int, Place]] = field(default_factory=lambda: defaultdict(dict))
    running: dict[tuple[int, int | None, int, Place, Place], int] = field(default_factory=dict)
    lengths: dict[tuple[int, int | None, Place, Place], int] = field(default_factory=dict)
    dwell: dict[tuple[int, int, Place], int] = field(default_factory=dict)
    trip_dwell: dict[tuple[int, int, Place], int] = field(default_factory=dict)
    link_lengths: dict[tuple[int, Place, Place], int] = field(default_factory=dict)
    link_times: dict[tuple[int, Place, Place, int], int] = field(default_factory=dict)
    broken_blocks: dict[BlockKey, str] = field(default_factory=dict)
    broken_routes: dict[RouteKey, str] = field(default_factory=dict)
    quarantined: list[Quarantined] = field(default_factory=list)
    trips_lost: bool = False
    """A trip's row was lost without telling its block for certain."""
    complete: bool = True
    """False: a row was lost that cannot be attributed, so nothing may be withdrawn for being absent."""

    def version_on(self, day: date) -> int | None:
        """The basis version in force: the one with the latest start; None before the first."""
        if not self.versions:
            return next(iter(self.blocks)).version if self.blocks else None
        return max(((start, version) for start, version in self.versions if start <= day), default=(day, None))[1]


def index(feed: Feed) -> Tables:
    """Put every record under its key.

    Raises:
        BadFeed: a table is missing without which there is no block.
    """
    missing = [name for name in REQUIRED if not feed.rows(name)]
    if missing:
        raise BadFeed("table_missing", f"no records of {', '.join(missing)}", missing[0])
    tables = Tables()
    for name, take in _TAKE.items():
        for row in feed.rows(name):
            try:
                take(tables, row)
            except BadValue as error:
                _set_aside(tables, row, str(error))
    for row, problem in feed.broken_rows:
        tables.trips_lost = tables.trips_lost or row.table == "REC_FRT"
        tables.complete = tables.complete and row.table not in _OF_BLOCK
        _set_aside(tables, row, problem)
    return tables


def _version(row: Row) -> int:
    return row.maybe("BASIS_VERSION") or 0


def _place(row: Row, kind: str, number: str) -> Place:
    return Place(row.number(kind), row.number(number))


def _route_key(row: Row) -> RouteKey:
    return RouteKey(_version(row), row.number("LI_NR"), row.text("STR_LI_VAR") or "")


def _block_key(row: Row) -> BlockKey:
    return BlockKey(_version(row), row.number("TAGESART_NR"), row.number("UM_UID"))


def _calendar(tables: Tables, row: Row) -> None:
    tables.calendar[row.day("BETRIEBSTAG")] = row.number("TAGESART_NR")


def _validity(tables: Tables, row: Row) -> None:
    tables.versions.append((row.day("VER_GUELTIGKEIT"), _version(row)))


def _block(tables: Tables, row: Row) -> None:
    for name in ("ANF_ORT", "ANF_ONR_TYP", "END_ORT", "END_ONR_TYP", "FZG_TYP_NR"):
        row.maybe(name)
    tables.blocks[_block_key(row)] = row


def _trip(tables: Tables, row: Row) -> None:
    if row.text("UM_UID") is None:
        return
    start = _seconds(row, "FRT_START")
    trip = Trip(start, row.number("FRT_FID"), _route_key(row), row.maybe("FAHRTART_NR"), row.number("FGR_NR"))
    tables.trips[_block_key(row)].append(trip)


def _route(tables: Tables, row: Row) -> None:
    name = row.text("LI_KUERZEL", "LI_NR") or ""
    tables.routes[_route_key(row)] = Route(row.maybe("BEREICH_NR"), name, row.maybe("ROUTEN_ART"))


def _stop(tables: Tables, row: Row) -> None:
    tables.stops[_route_key(row)][row.number("LI_LFD_NR")] = _place(row, "ONR_TYP_NR", "ORT_NR")


def _within(row: Row, name: str, most: int) -> int:
    value = row.number(name)
    if not 0 <= value <= most:
        raise BadValue(f"{row.table} line {row.line}: {name} is {value}, not between 0 and {most}")
    return value


def _seconds(row: Row, name: str) -> int:
    return _within(row, name, MAX_S)


def _metres(row: Row, name: str) -> int:
    return _within(row, name, MAX_M)


def _link(row: Row) -> tuple[Place, Place]:
    return _place(row, "ONR_TYP_NR", "ORT_NR"), _place(row, "SEL_ZIEL_TYP", "SEL_ZIEL")


def _running(tables: Tables, row: Row) -> None:
    key = (_version(row), row.maybe("BEREICH_NR"), row.number("FGR_NR"), *_link(row))
    tables.running[key] = _seconds(row, "SEL_FZT")


def _length(tables: Tables, row: Row) -> None:
    if row.text("SEL_LAENGE") is not None:
        tables.lengths[(_version(row), row.maybe("BEREICH_NR"), *_link(row))] = _metres(row, "SEL_LAENGE")


def _dwell(tables: Tables, row: Row) -> None:
    key = (_version(row), row.number("FGR_NR"), _place(row, "ONR_TYP_NR", "ORT_NR"))
    tables.dwell[key] = _seconds(row, "HP_HZT")


def _trip_dwell(tables: Tables, row: Row) -> None:
    if row.text("FRT_HZT_ZEIT") is not None:
        key = (_version(row), row.number("FRT_FID"), _place(row, "ONR_TYP_NR", "ORT_NR"))
        tables.trip_dwell[key] = _seconds(row, "FRT_HZT_ZEIT")


def _deadrun_ends(row: Row) -> tuple[Place, Place]:
    return _place(row, "ONR_TYP_NR", "ORT_NR"), _place(row, "UEB_ZIEL_TYP", "UEB_ZIEL")


def _deadrun(tables: Tables, row: Row) -> None:
    if row.text("UEB_LAENGE") is not None:
        tables.link_lengths[(_version(row), *_deadrun_ends(row))] = _metres(row, "UEB_LAENGE")


def _deadrun_time(tables: Tables, row: Row) -> None:
    key = (_version(row), *_deadrun_ends(row), row.number("FGR_NR"))
    tables.link_times[key] = _seconds(row, "UEB_FAHRZEIT")


_TAKE: dict[str, Callable[[Tables, Row], None]] = {
    "FIRMENKALENDER": _calendar,
    "BASIS_VER_GUELTIGKEIT": _validity,
    "REC_UMLAUF": _block,
    "REC_FRT": _trip,
    "REC_LID": _route,
    "LID_VERLAUF": _stop,
    "SEL_FZT_FELD": _running,
    "REC_SEL": _length,
    "ORT_HZTF": _dwell,
    "REC_FRT_HZT": _trip_dwell,
    "REC_UEB": _deadrun,
    "UEB_FZT": _deadrun_time,
}

_OF_BLOCK = ("REC_UMLAUF", "REC_FRT")
_OF_ROUTE = ("REC_LID", "LID_VERLAUF")
_HARMLESS = ("SEL_FZT_FELD", "REC_SEL", "ORT_HZTF", "REC_FRT_HZT", "REC_UEB", "UEB_FZT")
"""A missing running time is found where a trip needs it; lengths and dwell times have a rule for absence."""


def _set_aside(tables: Tables, row: Row, problem: str) -> None:
    """A broken row takes along the block or route that it belongs to; what belongs nowhere forbids withdrawals."""
    tables.quarantined.append(Quarantined(str(row), "row_malformed", problem))
    if row.table not in _TAKE:
        return
    try:
        if row.table in _OF_BLOCK:
            tables.broken_blocks[_block_key(row)] = problem
        elif row.table in _OF_ROUTE:
            tables.broken_routes[_route_key(row)] = problem
        elif row.table not in _HARMLESS:
            tables.complete = False
    except BadValue:
        tables.complete = False
        tables.trips_lost = tables.trips_lost or row.table == "REC_FRT"


def day_types(tables: Tables, days: Iterable[date]) -> list[tuple[date, int, int]]:
    """(operating day, basis version, day type) of every day with service."""
    found = []
    for day in days:
        version = tables.version_on(day)
        if version is not None and day in tables.calendar:
            found.append((day, version, tables.calendar[day]))
    return found
