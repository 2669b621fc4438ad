"""Questions to the read models: pages of rows by filters and cursor, and where a message stands."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Select, Table, and_, func, or_, select, tuple_

from core.messages import Position
from gateway.readmodels.models import ReadModels
from gateway.readmodels.rows import Doc, stamp
from gateway.readmodels.tables import CONCEPTS, COORDINATES, INDEXED, messages

_Rows = Select[*tuple[Any, ...]]
IN_ONE = 500


class BadCursor(ValueError):
    """A cursor that this hub did not give."""


@dataclass(frozen=True, slots=True)
class Asked:
    """What a page of rows shall hold: equal columns, a window of time, and where it goes on."""

    equal: Mapping[str, str] = field(default_factory=dict)
    begins: datetime | None = None
    ends: datetime | None = None
    cursor: str | None = None
    limit: int = 50


@dataclass(frozen=True, slots=True)
class Page:
    """Rows in order, and the cursor of the next page, if there is one."""

    rows: Sequence[Doc]
    next: str | None


async def page(models: ReadModels, name: str, asked: Asked) -> Page:
    """A page of a concept's rows.

    Raises:
        BadCursor: the cursor is none of ours.
    """
    table = CONCEPTS[name]
    query: _Rows = select(table.c.rank, table.c.key, table.c.doc, table.c.seq).order_by(table.c.rank, table.c.key)
    for column, value in asked.equal.items():
        if column in INDEXED:
            query = query.where(table.c[column] == value)
    query = _window(query, table, asked)
    if asked.cursor:
        rank, key = _opened(asked.cursor)
        query = query.where(tuple_(table.c.rank, table.c.key) > tuple_(rank, key))
    async with models.reading() as connection:
        found = (await connection.execute(query.limit(asked.limit + 1))).all()
    rows = [json.loads(row.doc) | {"position": row.seq} for row in found[: asked.limit]]
    more = len(found) > asked.limit
    last = found[asked.limit - 1] if more else None
    return Page(rows, _sealed(last.rank, last.key) if last else None)


def _window(query: _Rows, table: Table, asked: Asked) -> _Rows:
    """Rows that overlap [from, to); one without an end is a moment, or goes on."""
    if asked.begins is not None:
        late = or_(table.c.ends.is_(None), table.c.ends > stamp(asked.begins))
        query = query.where(late)
    if asked.ends is not None:
        query = query.where(or_(table.c.begins.is_(None), table.c.begins < stamp(asked.ends)))
    return query


async def message_page(models: ReadModels, asked: Asked, station_types: Sequence[str] = ()) -> Page:
    """A page of the index of messages, newest first, by both coordinates."""
    query = select(messages).order_by(messages.c.seq.desc(), messages.c.idx.desc())
    known = {"type", "site", "area", "subject", "source", *COORDINATES}
    for column, value in asked.equal.items():
        if column in known:
            query = query.where(messages.c[column] == value)
    if station_types:
        query = query.where(messages.c.type.in_(station_types))
    if asked.begins is not None:
        query = query.where(messages.c.time >= stamp(asked.begins))
    if asked.ends is not None:
        query = query.where(messages.c.time < stamp(asked.ends))
    if asked.cursor:
        seq, idx = _opened(asked.cursor)
        query = query.where(tuple_(messages.c.seq, messages.c.idx) < tuple_(seq, int(idx)))
    async with models.reading() as connection:
        found = (await connection.execute(query.limit(asked.limit + 1))).all()
    rows = [_listed(row) for row in found[: asked.limit]]
    more = len(found) > asked.limit
    last = found[asked.limit - 1] if more else None
    return Page(rows, _sealed(last.seq, str(last.idx)) if last else None)


def _listed(row: Any) -> Doc:
    return {name: value for name, value in row._mapping.items() if value is not None}


async def row(models: ReadModels, name: str, key: str) -> Doc | None:
    """One row by its natural key."""
    table = CONCEPTS[name]
    async with models.reading() as connection:
        text = (await connection.execute(select(table.c.doc).where(table.c.key == key))).scalar()
    return None if text is None else dict(json.loads(text))


async def departures(models: ReadModels, vehicle: str, limit: int = 50) -> list[Doc]:
    """What is known of a vehicle's departures, the latest departure first."""
    table = CONCEPTS["readiness"]
    query = select(table.c.doc).where(table.c.vehicle == vehicle).order_by(table.c.rank.desc()).limit(limit)
    async with models.reading() as connection:
        return [dict(json.loads(text)) for text in (await connection.execute(query)).scalars()]


async def positions(models: ReadModels, ids: Iterable[str]) -> dict[str, Position]:
    """Where these messages stand; ids that nobody wrote are missing."""
    wanted = list(dict.fromkeys(ids))
    found: dict[str, Position] = {}
    async with models.reading() as connection:
        for start in range(0, len(wanted), IN_ONE):
            some = wanted[start : start + IN_ONE]
            query = select(messages.c.id, messages.c.seq, messages.c.idx).where(messages.c.id.in_(some))
            for id, seq, idx in await connection.execute(query):
                found[id] = Position(seq, idx)
    return found


async def newest(models: ReadModels, types: Sequence[str], **at: str) -> str | None:
    """The id of the newest message of these types at these coordinates."""
    terms: list[ColumnElement[bool]] = [messages.c[name] == value for name, value in at.items()]
    query = (
        select(messages.c.id)
        .where(and_(messages.c.type.in_(list(types)), *terms))
        .order_by(messages.c.seq.desc(), messages.c.idx.desc())
        .limit(1)
    )
    async with models.reading() as connection:
        found = (await connection.execute(query)).scalar()
    return None if found is None else str(found)


async def before(models: ReadModels, type: str, site: str, moment: datetime) -> Position | None:
    """Where the newest message of that type stands that was recorded before a moment."""
    query = (
        select(messages.c.seq, messages.c.idx)
        .where(messages.c.type == type, messages.c.site == site, messages.c.recorded < stamp(moment))
        .order_by(messages.c.seq.desc(), messages.c.idx.desc())
        .limit(1)
    )
    async with models.reading() as connection:
        found = (await connection.execute(query)).first()
    return None if found is None else Position(found.seq, found.idx)


async def first_since(models: ReadModels, site: str, moment: datetime) -> int | None:
    """The first record of a site that was written at or after a moment."""
    query = select(func.min(messages.c.seq)).where(messages.c.site == site, messages.c.recorded >= stamp(moment))
    async with models.reading() as connection:
        found = (await connection.execute(query)).scalar()
    return None if found is None else int(found)


async def frames(
    models: ReadModels, peer: str, since: Position | None, limit: int, before: Position | None = None
) -> list[Position]:
    """Places of frames of a station, by messages about it; the newest `limit` (of those before `before`), or what is newer than `since`."""
    query = select(messages.c.seq, messages.c.idx).where(
        messages.c.type.in_(["evidence.received", "evidence.sent"]), messages.c.station == peer
    )
    if before is not None:
        query = query.where(tuple_(messages.c.seq, messages.c.idx) < tuple_(before.seq, before.index))
    if since is not None:
        query = query.where(tuple_(messages.c.seq, messages.c.idx) > tuple_(since.seq, since.index))
        query = query.order_by(messages.c.seq, messages.c.idx)
    else:
        query = query.order_by(messages.c.seq.desc(), messages.c.idx.desc())
    async with models.reading() as connection:
        found = [Position(seq, idx) for seq, idx in await connection.execute(query.limit(limit))]
    return sorted(found)


def _sealed(rank: int, key: str) -> str:
    return base64.urlsafe_b64encode(json.dumps([rank, key]).encode()).decode().rstrip("=")


def _opened(cursor: str) -> tuple[int, str]:
    try:
        padded = cursor + "=" * (-len(cursor) % 4)
        rank, key = json.loads(base64.urlsafe_b64decode(padded.encode("ascii")))
        return int(rank), str(key)
    except (ValueError, TypeError, UnicodeEncodeError) as error:
        raise BadCursor(cursor[:80]) from error
