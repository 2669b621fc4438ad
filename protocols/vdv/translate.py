"""VDV 452 becomes blocks: trips of a block and day in order, depot legs, distances, UTC by the wall-clock rule."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import date, datetime, timedelta
from itertools import pairwise
from typing import Literal
from zoneinfo import ZoneInfo

from core.messages.work import Block, Leg, Provenance
from protocols.common.imports import (
    BadFeed,
    Days,
    Quarantined,
    Translation,
    digest,
    refused,
    unpack,
    wall_clock,
)
from protocols.vdv.tables import DEPOT, PASSENGER, TO_OR_FROM_DEPOT, BlockKey, Place, Tables, Trip, day_types, index
from protocols.vdv.wire import BadValue, Feed, Row, read

ASSUMED_KMH = 25
"""Speed of a deadrun whose link has a length and no time."""


@dataclass(frozen=True, slots=True)
class _Run:
    """One leg in seconds of the operating day."""

    start: int
    end: int
    begin: Place
    finish: Place
    deadrun: bool
    metres: int | None
    line: str = ""


@dataclass(slots=True)
class _Template:
    """A block of one day type, not yet on a day."""

    row: Row
    runs: list[_Run]
    depot_out: str | None = None
    depot_in: str | None = None
    leg: Literal["stated", "derived", "unknown"] = "stated"
    warnings: list[str] = field(default_factory=list)


def translate(files: Mapping[str, bytes] | bytes, *, feed: str, zone: str, days: Days | None = None) -> Translation:
    """An export (ZIP bytes, or files by name) as blocks of the operating days from..until (both inclusive). Pure.

    Never raises: what cannot be used is in `quarantined`, with the feed's remaining blocks beside it.
    """
    content = hashlib.sha256(files).hexdigest() if isinstance(files, bytes) else digest(files)
    found = Feed()
    try:
        found = read(unpack(files))
        tables = index(found)
    except BadFeed as error:
        return refused(feed, "vdv452", content, error, found.quarantined)
    tables.quarantined[:0] = found.quarantined
    return _translate(tables, feed, ZoneInfo(zone), days, content, complete=not found.quarantined)


def _translate(
    tables: Tables, feed: str, zone: ZoneInfo, days: Days | None, content: str, *, complete: bool
) -> Translation:
    span = _span(tables, days)
    if span is None:
        outside = Quarantined(
            "FIRMENKALENDER", "outside_span", "no operating day of the export lies in the window asked for"
        )
        return Translation(feed, "vdv452", content, quarantined=(*tables.quarantined, outside))
    service = day_types(tables, _each(span))
    templates, kept_keys = _templates(tables, {(version, day_type) for _, version, day_type in service})
    blocks: list[Block] = []
    warnings: list[Quarantined] = []
    kept: list[str] = []
    for day, version, day_type in service:
        kept += [f"{feed}:{day.isoformat()}:{key.block}" for key in kept_keys if key[:2] == (version, day_type)]
        for key, template in templates.items():
            if key[:2] == (version, day_type):
                blocks.append(_on_day(template, key, day, zone, feed))
                warnings += [Quarantined(f"{day} {key.block}", "times_overlap", text) for text in template.warnings]
    covered = span if complete and tables.complete else (None, None)
    return Translation(
        feed,
        "vdv452",
        content,
        blocks=tuple(blocks),
        quarantined=tuple(tables.quarantined),
        warnings=tuple(warnings),
        covers_from=covered[0],
        covers_until=covered[1],
        kept=tuple(kept),
    )


def _span(tables: Tables, days: Days | None) -> Days | None:
    """The operating days that the export speaks about, cut to those asked for."""
    known = [day for day in tables.calendar if tables.version_on(day) is not None]
    if not known:
        return None
    first, last = min(known), max(known)
    if days is not None:
        first, last = max(first, days[0]), min(last, days[1])
    return (first, last) if first <= last else None


def _each(span: Days) -> Iterator[date]:
    for offset in range((span[1] - span[0]).days + 1):
        yield span[0] + timedelta(days=offset)


def _templates(tables: Tables, wanted: set[tuple[int, int]]) -> tuple[dict[BlockKey, _Template], list[BlockKey]]:
    """Every block of the wanted (basis version, day type), and the keys of those that had to be set aside."""
    good: dict[BlockKey, _Template] = {}
    kept: list[BlockKey] = []
    for key in sorted(tables.blocks.keys() | tables.trips.keys() | tables.broken_blocks.keys()):
        if key[:2] not in wanted:
            continue
        try:
            good[key] = _template(tables, key)
        except BadValue as error:
            kept.append(key)
            item = f"block {key.block}, day type {key.day_type}"
            tables.quarantined.append(Quarantined(item, "block_broken", f"{item} was set aside: {error}"))
    return good, kept


def _template(tables: Tables, key: BlockKey) -> _Template:
    if key in tables.broken_blocks:
        raise BadValue(tables.broken_blocks[key])
    if key not in tables.blocks:
        raise BadValue("its trips name it, but REC_UMLAUF does not hold it")
    trips = sorted(tables.trips.get(key, []), key=lambda trip: (trip.start, trip.identity))
    if not trips:
        raise BadValue("no trip in REC_FRT belongs to it")
    template = _Template(tables.blocks[key], [_run(tables, trip) for trip in trips])
    _clamp(template)
    _join(tables, template, trips)
    _depots(tables, template, trips)
    if tables.trips_lost and any(run.finish != after.begin for run, after in pairwise(template.runs)):
        raise BadValue("a trip seems to be missing, and REC_FRT has broken rows whose block cannot be told")
    return template


def _run(tables: Tables, trip: Trip) -> _Run:
    """One trip: running times of its links and dwell times of the stops between (none at the first and the last)."""
    if trip.route in tables.broken_routes:
        raise BadValue(f"its route is broken: {tables.broken_routes[trip.route]}")
    route = tables.routes.get(trip.route)
    places = [place for _, place in sorted(tables.stops.get(trip.route, {}).items())]
    if route is None or len(places) < 2:
        raise BadValue(
            f"trip {trip.identity}: REC_LID or LID_VERLAUF does not hold line {trip.route.line}/{trip.route.variant}"
        )
    version = trip.route.version
    end, metres = trip.start, 0
    known = True
    for begin, finish in pairwise(places):
        seconds = tables.running.get((version, route.area, trip.group, begin, finish))
        if seconds is None:
            raise BadValue(f"trip {trip.identity}: SEL_FZT_FELD has no running time {begin.number} to {finish.number}")
        length = tables.lengths.get((version, route.area, begin, finish))
        end += seconds
        known = known and length is not None
        metres += length or 0
    end += sum(_dwell(tables, trip, place) for place in places[1:-1])
    ends_at_depot = DEPOT in (places[0].kind, places[-1].kind)
    deadrun = trip.kind not in (None, PASSENGER) or route.kind in TO_OR_FROM_DEPOT or ends_at_depot
    return _Run(trip.start, end, places[0], places[-1], deadrun, metres if known else None, route.name)


def _dwell(tables: Tables, trip: Trip, place: Place) -> int:
    version = trip.route.version
    own = tables.trip_dwell.get((version, trip.identity, place))
    return tables.dwell.get((version, trip.group, place), 0) if own is None else own


def _clamp(template: _Template) -> None:
    """Where nominal times overrun the next trip's start, the start holds."""
    runs = template.runs
    for position, (run, after) in enumerate(pairwise(runs)):
        if run.end > after.start:
            template.warnings.append(f"a trip from {run.start} s overruns the next start by {run.end - after.start} s")
            runs[position] = replace(run, end=after.start)


def _join(tables: Tables, template: _Template, trips: list[Trip]) -> None:
    """Deadrun links between trips that do not meet at one place (REC_UEB)."""
    joined: list[_Run] = []
    for run, trip in zip(template.runs, trips, strict=True):
        if joined and joined[-1].finish != run.begin:
            before = joined[-1]
            link = _linked(tables, trip, before.finish, run.begin)
            if link is not None:
                metres, seconds = link
                joined.append(
                    _Run(before.end, min(before.end + seconds, run.start), before.finish, run.begin, True, metres)
                )
        joined.append(run)
    template.runs = joined


def _linked(tables: Tables, trip: Trip, begin: Place, finish: Place) -> tuple[int | None, int] | None:
    """Metres and seconds of a REC_UEB link, or None where the feed has none."""
    version = trip.route.version
    metres = tables.link_lengths.get((version, begin, finish))
    seconds = tables.link_times.get((version, begin, finish, trip.group))
    if seconds is None:
        if metres is None:
            return None
        seconds = round(metres * 3.6 / ASSUMED_KMH)
    return metres, seconds


def _depots(tables: Tables, template: _Template, trips: list[Trip]) -> None:
    """Pull-out and pull-in: in the feed's trips, else a REC_UEB link, else unknown."""
    first, last = template.runs[0], template.runs[-1]
    out = _end_place(template.row, "ANF") or first.begin
    home = _end_place(template.row, "END") or last.finish
    if out != first.begin and (link := _linked(tables, trips[0], out, first.begin)):
        template.runs.insert(0, _Run(first.start - link[1], first.start, out, first.begin, True, link[0]))
        template.leg = "derived"
    if home != last.finish and (link := _linked(tables, trips[-1], last.finish, home)):
        template.runs.append(_Run(last.end, last.end + link[1], last.finish, home, True, link[0]))
        template.leg = "derived"
    reached = template.runs[0].begin == out and template.runs[-1].finish == home
    template.depot_out = str(out.number) if out.kind == DEPOT else None
    template.depot_in = str(home.number) if home.kind == DEPOT else None
    if not reached or template.depot_out is None or template.depot_in is None:
        template.leg = "unknown"


def _end_place(row: Row, end: str) -> Place | None:
    number, kind = row.maybe(f"{end}_ORT"), row.maybe(f"{end}_ONR_TYP")
    if number is not None and kind is not None:
        return Place(kind, number)
    depot = row.maybe("BHOF_ORT_NR")
    return None if depot is None else Place(DEPOT, depot)


def _on_day(template: _Template, key: BlockKey, day: date, zone: ZoneInfo, feed: str) -> Block:
    """The block on its operating day: starts by the wall clock, ends so many seconds later."""
    legs: list[Leg] = []
    before: datetime | None = None
    for run in template.runs:
        begins = wall_clock(day, run.start, zone, before)
        legs.append(_leg(run, begins))
        before = begins
    known = [leg.distance_m for leg in legs if leg.distance_m is not None]
    service = next((run.line for run in template.runs if not run.deadrun), None)
    kind = template.row.maybe("FZG_TYP_NR")
    return Block(
        feed=feed,
        operating_day=day,
        block=str(key.block),
        departs=legs[0].begins,
        returns=max(leg.ends for leg in legs),
        distance_m=sum(known) if known else None,
        provenance="link_sum" if known else "unknown",
        depot_out=template.depot_out,
        depot_in=template.depot_in,
        depot_leg=template.leg,
        vehicle_type=str(kind) if kind else None,
        route=service,
        legs=tuple(legs),
    )


def _leg(run: _Run, begins: datetime) -> Leg:
    provenance: Provenance = "unknown" if run.metres is None else "link_sum"
    return Leg(
        begins=begins,
        ends=begins + timedelta(seconds=run.end - run.start),
        kind="deadrun" if run.deadrun else "service",
        line="" if run.deadrun else run.line,
        distance_m=run.metres,
        provenance=provenance,
    )
