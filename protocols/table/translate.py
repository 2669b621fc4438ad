"""A plain table becomes departures (blocks) or assignments; one departure by hand is a table of one row."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Literal
from zoneinfo import ZoneInfo

from core.messages import words
from core.messages.work import Block
from protocols.common.imports import Assignment, BadFeed, Days, Format, Quarantined, Translation, digest, refused
from protocols.table.values import BadRow, arrival, day_of, moment, number, share
from protocols.table.wire import Row, Table, read

MAX_KM = 2_000.0
MAX_KWH = 5_000.0
HAND = "hand"

Kind = Literal["departures", "assignments"]

ASSIGNS = {"block", "operating_day", "vehicle"}
"""The columns of a table of assignments."""


@dataclass(slots=True)
class _Found:
    """What the rows gave so far."""

    feed: str
    blocks: dict[str, Block] = field(default_factory=dict)
    assignments: dict[tuple[date, str], Assignment] = field(default_factory=dict)
    quarantined: list[Quarantined] = field(default_factory=list)
    kept: list[str] = field(default_factory=list)
    complete: bool = True


def translate(
    files: Mapping[str, bytes] | bytes,
    *,
    feed: str,
    zone: str,
    days: Days | None = None,
    now: datetime | None = None,
    only: Kind | None = None,
) -> Translation:
    """A table of departures or of assignments, CSV or JSON. Times are local to the feed's zone. Pure.

    A table that is not of the kind `only` is refused: its sender meant another file.
    `now` gives a day to times that come without one. A table of departures is complete for the operating days from its
    first to its last row, unless a row was set aside without telling which; assignments only add. Never raises.
    """
    content = hashlib.sha256(files).hexdigest() if isinstance(files, bytes) else digest(files)
    try:
        table = read(_only(files))
        assigns = _assigns(table, only)
    except BadFeed as error:
        return refused(feed, "table", content, error)
    if assigns:
        return _assignments(table, feed, content)
    return _departures(table, feed, content, ZoneInfo(zone), days, now)


def by_hand(
    vehicle: str,
    departs: datetime,
    *,
    zone: str,
    km: float | None = None,
    kwh: float | None = None,
    target_soc: float | None = None,
    returns: datetime | None = None,
    line: str = "",
) -> Translation:
    """One departure that a person adds; it changes nothing else. The same vehicle and time again is a change of it."""
    local = departs.astimezone(ZoneInfo(zone))
    block = Block(
        feed=HAND,
        operating_day=local.date(),
        block=_named(vehicle, local),
        departs=departs,
        returns=returns,
        distance_m=None if km is None else km * 1000,
        provenance="unknown" if km is None else "feed",
        vehicle=vehicle,
        route=line or None,
        energy_kwh=kwh,
        target_soc=target_soc,
    )
    content = hashlib.sha256(block.model_dump_json().encode()).hexdigest()
    return Translation(HAND, "hand", content, blocks=(block,))


def taken_back(block: Block) -> Translation:
    """A departure by hand that a person takes back; it changes nothing else."""
    content = hashlib.sha256(f"without {block.model_dump_json()}".encode()).hexdigest()
    return Translation(HAND, "hand", content, taken_back=(block.work,))


def _assigns(table: Table, only: Kind | None) -> bool:
    """Whether it is a table of assignments.

    Raises:
        BadFeed: it is neither that nor one of departures, or not the one that it was sent as.
    """
    if not table.rows:
        return only == "assignments"
    found: Kind | None = "assignments" if table.columns >= ASSIGNS else None
    if "departure" in table.columns:
        found = "departures"
    if found is not None and only not in (None, found):
        raise BadFeed("format_differs", f"it was sent as {only}, and its columns are those of {found}")
    if found is not None:
        return found == "assignments"
    there = ", ".join([*sorted(table.columns), *(f"{name} (not known)" for name in table.unknown)])
    needed = "departures need the column departure, assignments operating_day, block and vehicle"
    raise BadFeed("not_a_table", f"{needed}; the first line names {there}"[:500])


def _only(files: Mapping[str, bytes] | bytes) -> bytes:
    if isinstance(files, bytes):
        return files
    if len(files) != 1:
        raise BadFeed("not_a_table", f"{len(files)} files at once; import one table at a time")
    return next(iter(files.values()))


def _named(vehicle: str, local: datetime) -> str:
    """The name of a departure that has none: vehicle and local time, never a row number."""
    return f"{vehicle}@{local:%H:%M}"


def _warnings(table: Table) -> tuple[Quarantined, ...]:
    detail = "this column is not known and was ignored; is its name misspelt?"
    return tuple(Quarantined(name, "column_unknown", detail) for name in table.unknown)


def _passed_over(works: Sequence[str], days: Days | None) -> tuple[Quarantined, ...]:
    """One word about all departures that are too far away in time to become work."""
    if not works or days is None:
        return ()
    detail = (
        f"outside of {days[0]} to {days[1]} and passed over: {words.count(len(works), 'departure')}, first {works[0]}"
    )
    return (Quarantined(words.count(len(works), "row"), "outside_horizon", detail),)


def _departures(
    table: Table, feed: str, content: str, zone: ZoneInfo, days: Days | None, now: datetime | None
) -> Translation:
    found = _Found(feed)
    for row in table.rows:
        _take(found, row, zone, now)
    blocks = [b for b in found.blocks.values() if days is None or days[0] <= b.operating_day <= days[1]]
    passed_over = _passed_over(sorted(found.blocks.keys() - {b.work for b in blocks}), days)
    covered = [b.operating_day for b in blocks] if found.complete else []
    return Translation(
        feed,
        "table",
        content,
        blocks=tuple(sorted(blocks, key=lambda b: (b.departs, b.block))),
        quarantined=tuple(found.quarantined),
        warnings=(*_warnings(table), *passed_over),
        covers_from=min(covered, default=None),
        covers_until=max(covered, default=None),
        kept=tuple(found.kept),
    )


def _take(found: _Found, row: Row, zone: ZoneInfo, now: datetime | None) -> None:
    """One row: a block, or set aside; where its work can be told, that work is kept as known."""
    work: str | None = None
    try:
        if row.problem:
            raise BadRow("row_malformed", row.problem)
        day, departs, name = _identity(row, zone, now)
        work = f"{found.feed}:{day.isoformat()}:{name}"
        if work in found.blocks:
            raise BadRow("row_duplicate", f"{name} on {day} stands in the table already; the first row was used")
        found.blocks[work] = _block(found.feed, row, day, departs, name, zone)
    except BadRow as error:
        found.quarantined.append(Quarantined(str(row), error.reason, f"row {row.number}: {error}"))
        if work is None:
            found.complete = False
        elif work not in found.blocks:
            found.kept.append(work)


def _identity(row: Row, zone: ZoneInfo, now: datetime | None) -> tuple[date, datetime, str]:
    """Operating day, departure and name; the day is the departure's local one where the row names none."""
    vehicle, block = row.text("vehicle"), row.text("block")
    if not vehicle and not block:
        raise BadRow("subject_missing", "neither vehicle nor block is named")
    if not row.text("departure"):
        raise BadRow("time_invalid", "no departure is named")
    stated = day_of(row)
    departs = moment(row, "departure", stated, zone, now)
    local = departs.astimezone(zone)
    return stated or local.date(), departs, block or _named(vehicle, local)


def _block(feed: str, row: Row, day: date, departs: datetime, name: str, zone: ZoneInfo) -> Block:
    km, kwh, soc = number(row, "distance_km", MAX_KM), number(row, "kwh", MAX_KWH), share(row, "target_soc")
    if km is None and kwh is None and soc is None:
        raise BadRow("need_missing", "one of distance_km, kwh or target_soc must say what the departure needs")
    return Block(
        feed=feed,
        operating_day=day,
        block=name,
        departs=departs,
        returns=arrival(row, departs, day, zone),
        distance_m=None if km is None else km * 1000,
        provenance="unknown" if km is None else "feed",
        vehicle_type=row.text("vehicle_type") or None,
        vehicle=row.text("vehicle") or None,
        route=row.text("line") or None,
        energy_kwh=kwh,
        target_soc=soc,
    )


def _assignments(table: Table, feed: str, content: str) -> Translation:
    found = _Found(feed)
    for row in table.rows:
        try:
            _assign(found, row)
        except BadRow as error:
            found.quarantined.append(Quarantined(str(row), error.reason, f"row {row.number}: {error}"))
    format: Format = "assignments"
    return Translation(
        feed,
        format,
        content,
        assignments=tuple(found.assignments.values()),
        quarantined=tuple(found.quarantined),
        warnings=_warnings(table),
    )


def _assign(found: _Found, row: Row) -> None:
    if row.problem:
        raise BadRow("row_malformed", row.problem)
    day, block = day_of(row), row.text("block")
    if day is None:
        raise BadRow("day_missing", "operating_day is empty; write it as 2026-11-25")
    if not block:
        raise BadRow("subject_missing", "block is empty")
    if (day, block) in found.assignments:
        raise BadRow("row_duplicate", f"block {block} on {day} stands in the table already; the first row was used")
    found.assignments[(day, block)] = Assignment(day, block, row.text("vehicle") or None)
