"""Rows of the read models as pages ask for them: a site's concept, newest of each, a window of samples."""

from __future__ import annotations

import json
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Select, Table, and_, func, or_, select

from gateway.pages.readings import Readings
from gateway.readmodels import ReadModels
from gateway.readmodels.queries import IN_ONE
from gateway.readmodels.rows import Doc, stamp
from gateway.readmodels.tables import CONCEPTS, messages

MANY = 200_000
"""More rows than any page shows; a bound, not a page."""
PARSED = 10_000
"""Documents that are kept parsed."""


def _equal(table: Table, **equal: str) -> list[ColumnElement[bool]]:
    return [table.c[column] == value for column, value in equal.items()]


def _ordered(table: Table, *where: ColumnElement[bool]) -> Select[tuple[str]]:
    """The documents of a concept's rows, in the concept's order."""
    return select(table.c.doc).where(*where).order_by(table.c.rank, table.c.key)


@dataclass(frozen=True, slots=True)
class Noted:
    """A message as the index has it: its type and id, when, who said it, about which station."""

    type: str
    id: str
    time: datetime
    source: str
    station: str | None


class PageRows:
    """Reads whole lists that one page needs at once; every answer is one query."""

    def __init__(self, models: ReadModels) -> None:
        self.models = models
        self.readings = Readings(models)
        self._parsed: OrderedDict[str, Doc] = OrderedDict()

    @property
    def position(self) -> int:
        """The last record that the rows know."""
        return self.models.seq

    async def of_site(self, name: str, site: str, **equal: str) -> list[Doc]:
        """All rows of a concept at a site, in its order."""
        return await self.first(MANY, name, site, **equal)

    async def first(self, limit: int, name: str, site: str, **equal: str) -> list[Doc]:
        """The first rows of a concept at a site."""
        table = CONCEPTS[name]
        query = _ordered(table, *_equal(table, site=site, **equal))
        return await self._docs(query.limit(limit))

    async def unfinished(self, name: str, site: str) -> list[Doc]:
        """Rows that have no end yet."""
        table = CONCEPTS[name]
        return await self._docs(_ordered(table, table.c.site == site, table.c.ends.is_(None)).limit(MANY))

    async def between(self, name: str, site: str, begins: datetime, ends: datetime, **equal: str) -> list[Doc]:
        """Rows that overlap a window; one without an end goes on."""
        table = CONCEPTS[name]
        query = _ordered(
            table,
            or_(table.c.ends.is_(None), table.c.ends >= stamp(begins)),
            or_(table.c.begins.is_(None), table.c.begins < stamp(ends)),
            *_equal(table, site=site, **equal),
        )
        return await self._docs(query.limit(MANY))

    async def newest_plans(self, site: str) -> dict[str, Doc]:
        """The newest assignment of each vehicle."""
        table = CONCEPTS["allocations"]
        first = (
            select(table.c.vehicle.label("vehicle"), func.min(table.c.rank).label("rank"))
            .where(table.c.site == site, table.c.vehicle.is_not(None))
            .group_by(table.c.vehicle)
            .subquery()
        )
        query = select(table.c.doc).join(first, and_(table.c.vehicle == first.c.vehicle, table.c.rank == first.c.rank))
        return {doc["vehicle"]: doc for doc in await self._docs(query.where(table.c.site == site))}

    async def counted(self, site: str, station: str, session: str, begins: datetime, ends: datetime) -> dict[str, int]:
        """How many messages of each type name a session, and (`evidence`) how many frames its station meanwhile."""
        types = select(messages.c.type, func.count().label("many")).where(
            messages.c.site == site, messages.c.session == session
        )
        frames = select(func.count()).where(
            messages.c.type.in_(["evidence.received", "evidence.sent"]),
            messages.c.station == station,
            messages.c.time >= stamp(begins),
            messages.c.time <= stamp(ends),
        )
        async with self.models.reading() as connection:
            found = {row.type: int(row.many) for row in await connection.execute(types.group_by(messages.c.type))}
            found["evidence"] = int((await connection.execute(frames)).scalar_one())
        return found

    async def one(self, name: str, key: str) -> Doc | None:
        """One row by its key."""
        table = CONCEPTS[name]
        found = await self._docs(select(table.c.doc).where(table.c.key == key))
        return found[0] if found else None

    async def many(self, name: str, keys: Sequence[str]) -> list[Doc]:
        """Rows by their keys; those that are not there are missing."""
        table, found = CONCEPTS[name], []
        wanted = list(dict.fromkeys(keys))
        for start in range(0, len(wanted), IN_ONE):
            found += await self._docs(select(table.c.doc).where(table.c.key.in_(wanted[start : start + IN_ONE])))
        return found

    async def sites(self) -> list[Doc]:
        """Every site that was ever configured."""
        table = CONCEPTS["sites"]
        return await self._docs(select(table.c.doc).order_by(table.c.key))

    async def moments(
        self, site: str, types: Sequence[str], begins: datetime, ends: datetime, **equal: str
    ) -> list[Noted]:
        """Messages of these types in a window, oldest first; `equal` are coordinates."""
        query = (
            select(messages.c.type, messages.c.id, messages.c.time, messages.c.source, messages.c.station)
            .where(*_equal(messages, site=site, **equal), messages.c.type.in_(list(types)))
            .where(messages.c.time >= stamp(begins), messages.c.time < stamp(ends))
            .order_by(messages.c.time, messages.c.seq)
            .limit(MANY)
        )
        async with self.models.reading() as connection:
            found = (await connection.execute(query)).all()
        return [Noted(row.type, row.id, datetime.fromisoformat(row.time), row.source, row.station) for row in found]

    async def _docs(self, query: Any) -> list[Doc]:
        async with self.models.reading() as connection:
            found = [self._doc(text) for text in (await connection.execute(query)).scalars()]
        while len(self._parsed) > PARSED:
            self._parsed.popitem(last=False)
        return found

    def _doc(self, text: str) -> Doc:
        """The document of a row; most rows are the same as a second ago, and nobody changes what is read here."""
        known = self._parsed.get(text)
        if known is None:
            known = self._parsed[text] = json.loads(text)
        else:
            self._parsed.move_to_end(text)
        return known
