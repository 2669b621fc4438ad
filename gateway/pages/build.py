"""Which parts each page has, and what they are filled with: one table, used by the page and by its stream."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from itertools import groupby
from typing import Any
from urllib.parse import quote

from gateway.pages import sentences, words
from gateway.pages.details import Details
from gateway.pages.load import Loader
from gateway.pages.render import Frame, Page, Renderer
from gateway.pages.views import VehicleRow

PER_PAGE = 50


@dataclass(frozen=True, slots=True)
class Asked:
    """One page of a site: its name, what it is about, its query, and what a refused form held."""

    name: str
    id: str = ""
    query: Mapping[str, str] = field(default_factory=dict)
    typed: Mapping[str, str] = field(default_factory=dict)
    wrong: str = ""

    @property
    def key(self) -> tuple[str, ...]:
        """Equal keys give equal parts for equal roles."""
        return (self.name, self.id, *(f"{k}={v}" for k, v in sorted(self.query.items())))


class NotADate(ValueError):
    """A day in a query that is none."""


class Pages:
    """Builds pages from views."""

    def __init__(self, renderer: Renderer, loader: Loader, details: Details) -> None:
        self._renderer, self._loader, self._details = renderer, loader, details

    async def build(self, asked: Asked, frame: Frame) -> Page:
        """The page in parts.

        Raises:
            UnknownName: it is about something that is not there.
            NotADate: the asked day is none.
        """
        return await _PAGES[asked.name](self, asked, frame)

    def _part(self, template: str, frame: Frame, **values: Any) -> str:
        return self._renderer.part(template, template.replace("_", "-"), frame, **values)

    async def _now(self, asked: Asked, frame: Frame) -> Page:
        view = await self._loader.now(frame.site, frame.now, asked.query.get("follow", ""))
        whole = asked.query.get("all") == "1"
        parts = {
            "head": self._part("now_head", frame, view=view),
            "needs": self._part("needs", frame, view=view),
            "board": self._part("board", frame, view=view, whole=whole),
        }
        return Page(f"{words.now_sentence(view)} · {view.name}", parts)

    async def _night(self, asked: Asked, frame: Frame) -> Page:
        follow = asked.query.get("follow", "")
        view = await self._loader.night(frame.site, frame.now, day_of(asked.query), follow)
        parts = {
            "night": self._part("night", frame, view=view),
            "table": self._part("night_table", frame, view=view),
        }
        return Page(f"Night of {words.day(view.day)} · {view.name}", parts)

    async def _vehicles(self, asked: Asked, frame: Frame) -> Page:
        rows = await self._loader.vehicles(frame.site, frame.now)
        sort = asked.query.get("sort", "vehicle")
        order = _sorted(rows, sort)
        shown, number, pages = _cut(order, asked.query.get("page", "1"))
        values = {
            "sentence": sentences.vehicles_sentence(rows),
            "rows": shown,
            "total": len(rows),
            "number": number,
            "pages": pages,
            "sort": sort if sort.lstrip("-") in SORTS else "vehicle",
            "base": "?",
        }
        return Page(f"Vehicles · {frame.name}", {"rows": self._part("vehicles", frame, **values)})

    async def _vehicle(self, asked: Asked, frame: Frame) -> Page:
        view = await self._details.vehicle(frame.site, asked.id, frame.now)
        parts = {name: self._part(name, frame, view=view) for name in ("vehicle", "vehicle_chart", "vehicle_more")}
        return Page(words.vehicle_sentence(view), parts)

    async def _stations(self, asked: Asked, frame: Frame) -> Page:
        rows = await self._details.connectors(frame.site, frame.now)
        groups = [(node, list(some)) for node, some in groupby(rows, key=lambda r: r.node)]
        sentence = sentences.stations_sentence(rows)
        part = self._part("stations", frame, rows=rows, groups=groups, sentence=sentence)
        return Page(f"Stations · {frame.name}", {"rows": part})

    async def _station(self, asked: Asked, frame: Frame) -> Page:
        view = await self._details.station(frame.site, asked.id, frame.now)
        sentence = sentences.station_sentence(view)
        parts = {
            "station": self._part("station", frame, view=view, sentence=sentence),
            "form": self._part("station_form", frame, view=view, typed=asked.typed, wrong=asked.wrong),
            "frames": self._part("frames", frame, view=view),
        }
        return Page(sentence, parts, fixed=frozenset({"form"}))

    async def _incidents(self, asked: Asked, frame: Frame) -> Page:
        await self._loader.site(frame.site)
        open_ones = await self._loader.incidents(frame.site)
        resolved = await self._loader.incidents(frame.site, resolved=True)
        sentence = sentences.incidents_sentence(open_ones)
        part = self._part("incidents", frame, open=open_ones, resolved=resolved, sentence=sentence)
        return Page(f"{sentence} · {frame.name}", {"rows": part})

    async def _incident(self, asked: Asked, frame: Frame) -> Page:
        view = await self._details.incident(frame.site, asked.id)
        return Page(view.sentence, {"incident": self._part("incident", frame, view=view)})

    async def _why(self, asked: Asked, frame: Frame) -> Page:
        view = await self._details.why(asked.id, frame.zone, frame.now)
        return Page(f"Why {asked.id}", {"why": self._part("why", frame, view=view)})

    async def _sites(self, asked: Asked, frame: Frame) -> Page:
        lines = await self._loader.sites(frame.now)
        return Page("Sites · Busbar", {"sites": self._part("sites", frame, lines=lines)})


Build = Callable[[Pages, Asked, Frame], Awaitable[Page]]
_PAGES: Mapping[str, Build] = {
    "now": Pages._now,
    "night": Pages._night,
    "vehicles": Pages._vehicles,
    "vehicle": Pages._vehicle,
    "stations": Pages._stations,
    "station": Pages._station,
    "incidents": Pages._incidents,
    "incident": Pages._incident,
    "why": Pages._why,
    "sites": Pages._sites,
}
JSON: Mapping[str, str] = {
    "now": "/api/v1/readiness?site={site}",
    "night": "/api/v1/envelope?site={site}",
    "vehicles": "/api/v1/vehicles?site={site}",
    "vehicle": "/api/v1/vehicles?site={site}&vehicle={id}",
    "stations": "/api/v1/stations?site={site}",
    "station": "/api/v1/stations?site={site}&station={id}",
    "incidents": "/api/v1/incidents?site={site}",
    "incident": "/api/v1/incidents?site={site}",
    "why": "/api/v1/why/{id}",
    "sites": "/api/v1/sites",
}
"""The same as data."""


def json_of(asked: Asked, site: str) -> str:
    """Where this page's data stands."""
    return JSON[asked.name].format(site=quote(site, safe=""), id=quote(asked.id, safe=""))


ONE_OF: Mapping[str, str] = {"vehicle": "vehicles", "station": "stations", "incident": "incidents"}
"""Pages about one thing, and the list that it stands in."""
STREAMED = ("now", "night", "vehicles", "stations", "incidents")


def streamed(query: Mapping[str, str]) -> Asked:
    """What a stream is asked for: `page=now`, `page=vehicles/BUS-142`, with the page's own query beside it.

    Raises:
        KeyError: there is no such page, or it does not move.
    """
    named, slash, id = query.get("page", "now").partition("/")
    if named not in STREAMED:
        raise KeyError(named)
    name = next(one for one, many in ONE_OF.items() if many == named) if slash and named in STREAMED[2:] else named
    return Asked(name, id, {k: v for k, v in query.items() if k not in ("page", "since")})


def day_of(query: Mapping[str, str]) -> date | None:
    """The evening that `?of=` names.

    Raises:
        NotADate: it names none.
    """
    text = query.get("of", "")
    if not text:
        return None
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise NotADate(text) from None


SORTS: Mapping[str, Callable[[VehicleRow], Any]] = {
    "vehicle": lambda r: r.vehicle,
    "bay": lambda r: (not r.bay, r.bay),
    "soc": lambda r: (r.soc is None, r.soc or 0.0),
    "departs": lambda r: (r.departure is None, r.departure and r.departure.departs.isoformat()),
    "state": lambda r: (r.departure is None, r.departure is not None and r.departure.fine, r.vehicle),
}


def _sorted(rows: Sequence[VehicleRow], sort: str) -> list[VehicleRow]:
    key = SORTS.get(sort.lstrip("-"), SORTS["vehicle"])
    return sorted(sorted(rows, key=SORTS["vehicle"]), key=key, reverse=sort.startswith("-"))


def _cut(rows: Sequence[VehicleRow], asked: str) -> tuple[Sequence[VehicleRow], int, int]:
    pages = max(1, -(-len(rows) // PER_PAGE))
    number = min(max(int(asked), 1), pages) if asked.isascii() and asked.isdigit() and len(asked) < 6 else 1
    return rows[(number - 1) * PER_PAGE : number * PER_PAGE], number, pages
