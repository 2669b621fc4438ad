"""Power readings of a site's sessions and meters, kept in memory and brought up to date by what was written since the last look."""

from __future__ import annotations

import asyncio
import json
from collections import OrderedDict
from collections.abc import Collection
from dataclasses import dataclass, field
from datetime import UTC, datetime

from sqlalchemy import select

from gateway.pages.views import Reading
from gateway.readmodels import ReadModels
from gateway.readmodels.rows import stamp
from gateway.readmodels.tables import CONCEPTS

SLOT_S = 300
"""Seconds of a mean: the picture's grain."""
NIGHTS = 4
"""Windows that are remembered; a fifth forgets the one that was looked at longest ago."""


@dataclass(slots=True)
class _Session:
    """One session: its newest reading of each minute, by the row's key, and sum, count and first moment of each slot."""

    readings: dict[str, Reading] = field(default_factory=dict)
    slots: dict[int, tuple[float, int, datetime]] = field(default_factory=dict)

    def take(self, key: str, at: datetime, kw: float) -> None:
        """A reading, or a newer one of the same minute."""
        known = self.readings.get(key)
        self.readings[key] = at, kw
        if known is not None:
            total, count, first = self.slots[_slot(known[0])]
            self.slots[_slot(known[0])] = total - known[1], count - 1, first
        total, count, first = self.slots.get(_slot(at), (0.0, 0, at))
        self.slots[_slot(at)] = total + kw, count + 1, min(first, at)


def _slot(at: datetime) -> int:
    return int(at.timestamp()) // SLOT_S


@dataclass(slots=True)
class _Night:
    """What is remembered of one window."""

    seq: int = 0
    sessions: dict[str, _Session] = field(default_factory=dict)
    meters: dict[str, tuple[str, str | None, Reading]] = field(default_factory=dict)
    """By the row's key: what it measures, at which node, and the reading."""


class Readings:
    """Answers for whole windows; each look reads only the rows that changed."""

    def __init__(self, models: ReadModels) -> None:
        self._models = models
        self._nights: OrderedDict[tuple[str, datetime, datetime], _Night] = OrderedDict()
        self._reading = asyncio.Lock()

    async def each(
        self, site: str, begins: datetime, ends: datetime, sessions: Collection[str] | None = None
    ) -> dict[str, list[Reading]]:
        """Every reading, by session; of these sessions, or of all."""
        known = (await self._night(site, begins, ends)).sessions
        wanted = known.keys() if sessions is None else known.keys() & set(sessions)
        return {name: sorted(known[name].readings.values()) for name in wanted}

    async def means(self, site: str, begins: datetime, ends: datetime) -> dict[str, list[Reading]]:
        """Means of five minutes by session: what a picture of many vehicles needs."""
        night = await self._night(site, begins, ends)
        return {
            name: [(first, total / count) for total, count, first in session.slots.values() if count]
            for name, session in night.sessions.items()
        }

    async def meter(
        self, site: str, begins: datetime, ends: datetime, measures: str, node: str | None = None
    ) -> list[Reading]:
        """Readings of the site's own meters of one kind; of one node, or of none that is named."""
        night = await self._night(site, begins, ends)
        return [
            reading
            for kind, at, reading in list(night.meters.values())
            if kind == measures and (node is None or at in (None, node))
        ]

    async def _night(self, site: str, begins: datetime, ends: datetime) -> _Night:
        async with self._reading:
            place = (site, begins, ends)
            night = self._nights.get(place)
            if night is None or night.seq > self._models.seq:
                night = self._nights[place] = _Night()  # because: rows that go back are being made anew
            self._nights.move_to_end(place)
            while len(self._nights) > NIGHTS:
                self._nights.popitem(last=False)
            if self._models.seq > night.seq:
                await self._update(night, site, begins, ends)
            return night

    async def _update(self, night: _Night, site: str, begins: datetime, ends: datetime) -> None:
        table = CONCEPTS["samples"]
        query = select(table.c.key, table.c.session, table.c.begins, table.c.doc).where(
            table.c.site == site,
            table.c.seq > night.seq,
            table.c.begins >= stamp(begins),
            table.c.begins < stamp(ends),
        )
        upto = self._models.seq
        async with self._models.reading() as connection:
            found = (await connection.execute(query)).all()
        await asyncio.to_thread(_taken, night, [tuple(row) for row in found])
        night.seq = upto


def _taken(night: _Night, rows: list[tuple[str, str | None, str, str]]) -> None:
    for key, session, at, text in rows:
        doc = json.loads(text)
        kw = doc.get("import_kw") if session is None else doc.get("power_kw")
        if kw is None:
            continue
        reading = datetime.fromisoformat(at).astimezone(UTC), float(kw)
        if session is None:
            night.meters[key] = doc.get("measures", ""), doc.get("node"), reading
        else:
            night.sessions.setdefault(session, _Session()).take(key, *reading)
