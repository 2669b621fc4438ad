"""Rows of the read models as pages ask for them: a site's concept, newest of each, a window of samples."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import JSON, Integer, and_, cast, func, or_, select, type_coerce

from gateway.readmodels import ReadModels
from gateway.readmodels.rows import Doc, stamp
from gateway.readmodels.tables import CONCEPTS, messages

MEAN_US = 300_000_000
"""Microseconds of a mean: the picture's grain."""
MANY = 200_000
"""More rows than any page shows; a bound, not a page."""


class PageRows:
    """Reads whole lists that one page needs at once; every answer is one query."""

    def __init__(self, models: ReadModels) -> None:
        self.models = models

    @property
    def position(self) -> int:
        """The last record that the rows know."""
        return self.models.seq

    async def of_site(self, name: str, site: str, *, limit: int = MANY, **equal: str) -> list[Doc]:
        """All rows of a concept at a site, in its order."""
        table = CONCEPTS[name]
        query = select(table.c.doc).where(table.c.site == site).order_by(table.c.rank, table.c.key).limit(limit)
        for column, value in equal.items():
            query = query.where(table.c[column] == value)
        return await self._docs(query)

    async def between(self, name: str, site: str, begins: datetime, ends: datetime, **equal: str) -> list[Doc]:
        """Rows that overlap a window; one without an end goes on."""
        table = CONCEPTS[name]
        query = select(table.c.doc).where(
            table.c.site == site,
            or_(table.c.ends.is_(None), table.c.ends >= stamp(begins)),
            or_(table.c.begins.is_(None), table.c.begins < stamp(ends)),
        )
        for column, value in equal.items():
            query = query.where(table.c[column] == value)
        return await self._docs(query.order_by(table.c.rank, table.c.key).limit(MANY))

    async def means(self, site: str, begins: datetime, ends: datetime) -> list[Doc]:
        """Power of every session in means of five minutes: what a picture of many vehicles needs of its readings."""
        table = CONCEPTS["samples"]
        postgres = self.models.engine.dialect.name == "postgresql"
        doc = cast(table.c.doc, JSON) if postgres else type_coerce(table.c.doc, JSON)
        power, slot = doc["power_kw"].as_float(), table.c.rank / MEAN_US
        query = (
            select(table.c.session, func.min(table.c.begins).label("time"), func.avg(power).label("power_kw"))
            .where(table.c.site == site, table.c.session.is_not(None), power.is_not(None))
            .where(table.c.begins >= stamp(begins), table.c.begins < stamp(ends))
            .group_by(table.c.session, func.floor(slot) if postgres else cast(slot, Integer))
            .order_by(table.c.session, "time")
        )
        async with self.models.reading() as connection:
            return [dict(row._mapping) for row in await connection.execute(query)]

    async def meters(self, site: str, begins: datetime, ends: datetime) -> list[Doc]:
        """Readings of the site's own meters."""
        table = CONCEPTS["samples"]
        query = select(table.c.doc).where(
            table.c.site == site,
            table.c.session.is_(None),
            table.c.begins >= stamp(begins),
            table.c.begins < stamp(ends),
        )
        return await self._docs(query.order_by(table.c.rank))

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

    async def one(self, name: str, key: str) -> Doc | None:
        """One row by its key."""
        table = CONCEPTS[name]
        found = await self._docs(select(table.c.doc).where(table.c.key == key))
        return found[0] if found else None

    async def sites(self) -> list[Doc]:
        """Every site that was ever configured."""
        table = CONCEPTS["sites"]
        return await self._docs(select(table.c.doc).order_by(table.c.key))

    async def moments(
        self, site: str, types: Sequence[str], begins: datetime, ends: datetime
    ) -> list[tuple[str, datetime, str | None]]:
        """(type, time, station) of messages of these types in a window, oldest first."""
        query = (
            select(messages.c.type, messages.c.time, messages.c.station)
            .where(messages.c.site == site, messages.c.type.in_(list(types)))
            .where(messages.c.time >= stamp(begins), messages.c.time < stamp(ends))
            .order_by(messages.c.time, messages.c.seq)
            .limit(MANY)
        )
        async with self.models.reading() as connection:
            found = (await connection.execute(query)).all()
        return [(row.type, datetime.fromisoformat(row.time), row.station) for row in found]

    async def _docs(self, query: Any) -> list[Doc]:
        async with self.models.reading() as connection:
            return [json.loads(text) for text in (await connection.execute(query)).scalars()]
