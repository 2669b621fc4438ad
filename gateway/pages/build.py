"""Which parts each page has, and what they are filled with: one table, used by the page and by its stream."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from datetime import date
from itertools import groupby
from typing import Any
from urllib.parse import quote

from gateway.consequences import Changed
from gateway.pages import lists, sentences, words
from gateway.pages.details import Details
from gateway.pages.load import Loader
from gateway.pages.render import Frame, Page, Renderer


@dataclass(frozen=True, slots=True)
class Asked:
    """One page of a site: its name, what it is about, its query; and what a form held that is not done (yet), and why."""

    name: str
    id: str = ""
    query: Mapping[str, str] = field(default_factory=dict)
    typed: Mapping[str, str] = field(default_factory=dict)
    wrong: str = ""
    worse: tuple[Changed, ...] = ()

    @property
    def posted(self) -> bool:
        """Whether it shows what somebody typed: that is nobody else's."""
        return bool(self.typed or self.wrong or self.worse)

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

    async def _part(self, template: str, frame: Frame, **values: Any) -> str:
        """Drawn beside the event loop: it is nothing but work over plain data."""
        return await asyncio.to_thread(self._renderer.part, template, template.replace("_", "-"), frame, **values)

    async def _now(self, asked: Asked, frame: Frame) -> Page:
        view = await self._loader.now(frame.site, frame.now, asked.query.get("follow", ""))
        whole = asked.query.get("all") == "1"
        parts = {
            "head": await self._part("now_head", frame, view=view),
            "needs": await self._part("needs", frame, view=view),
            "board": await self._part("board", frame, view=view, whole=whole),
        }
        return Page(f"{words.now_sentence(view)} · {view.name}", parts)

    async def _night(self, asked: Asked, frame: Frame) -> Page:
        follow = asked.query.get("follow", "")
        view = await self._loader.night(frame.site, frame.now, day_of(asked.query), follow)
        parts = {
            "night": await self._part("night", frame, view=view),
            "table": await self._part("night_table", frame, view=view),
        }
        return Page(f"Night of {words.day(view.day)} · {view.name}", parts)

    async def _vehicles(self, asked: Asked, frame: Frame) -> Page:
        rows = await self._loader.vehicles(frame.site, frame.now)
        found = lists.listing(rows, lists.VEHICLES, asked.query)
        part = await self._part("vehicles", frame, list=found)
        sentence = sentences.vehicles_sentence(rows)
        return await self._list(f"Vehicles · {frame.name}", frame, sentence, found, "bus, type or bay", part)

    async def _list(
        self, title: str, frame: Frame, sentence: str, found: lists.Listing[Any], searched: str, rows: str
    ) -> Page:
        """The sentence about all, the filter (a form that nothing replaces under the hand), then the rows."""
        parts = {
            "sentence": await self._part("sentence", frame, sentence=sentence),
            "filter": await self._part("filter", frame, list=found, searched=searched),
            "rows": rows,
        }
        return Page(title, parts, fixed=frozenset({"filter"}))

    async def _vehicle(self, asked: Asked, frame: Frame) -> Page:
        view = await self._details.vehicle(frame.site, asked.id, frame.now)
        parts = {
            "vehicle": await self._part("vehicle", frame, view=view),
            "vehicle_chart": await self._part("vehicle_chart", frame, view=view),
            "charge_form": await self._part("charge_form", frame, view=view, asked=asked),
            "vehicle_more": await self._part("vehicle_more", frame, view=view),
        }
        return Page(words.vehicle_sentence(view), parts, fixed=frozenset({"charge_form"}))

    async def _stations(self, asked: Asked, frame: Frame) -> Page:
        rows = await self._details.connectors(frame.site, frame.now)
        found = lists.listing(rows, lists.STATIONS, asked.query)
        by_panel = found.sort.removeprefix("-") == "panel"
        groups = [(node, list(some)) for node, some in groupby(found.rows, key=lambda r: r.node if by_panel else "")]
        sentence = sentences.stations_sentence(rows)
        part = await self._part("stations", frame, list=found, groups=groups, by_panel=by_panel)
        return await self._list(f"Stations · {frame.name}", frame, sentence, found, "charger, bay, panel or bus", part)

    async def _station(self, asked: Asked, frame: Frame) -> Page:
        view = await self._details.station(frame.site, asked.id, frame.now)
        sentence = sentences.station_sentence(view)
        parts = {
            "station": await self._part("station", frame, view=view, sentence=sentence),
            "form": await self._part("station_form", frame, view=view, asked=asked),
            "frames": await self._part("frames", frame, view=view),
        }
        return Page(sentence, parts, fixed=frozenset({"form"}))

    async def _incidents(self, asked: Asked, frame: Frame) -> Page:
        await self._loader.site(frame.site)
        open_ones = await self._loader.incidents(frame.site)
        resolved = await self._loader.resolved(frame.site, frame.now)
        sentence = sentences.incidents_sentence(open_ones)
        shown = lists.matching(open_ones, lists.INCIDENTS, asked.query)
        over = lists.listing(resolved, lists.INCIDENTS, asked.query)
        part = await self._part("incidents", frame, open=shown, list=over)
        return await self._list(f"{sentence} · {frame.name}", frame, sentence, over, "charger, bus or words", part)

    async def _incident(self, asked: Asked, frame: Frame) -> Page:
        view = await self._details.incident(frame.site, asked.id, frame.now)
        return Page(view.sentence, {"incident": await self._part("incident", frame, view=view)})

    async def _session(self, asked: Asked, frame: Frame) -> Page:
        view = await self._details.session(frame.site, asked.id, frame.now)
        part = await self._part("session", frame, view=view, sentence=sentences.session_sentence(view))
        return Page(f"Session {asked.id} · {frame.name}", {"session": part})

    async def _why(self, asked: Asked, frame: Frame) -> Page:
        view = await self._details.why(asked.id, frame.zone, frame.now)
        return Page(f"Why {asked.id}", {"why": await self._part("why", frame, view=view)})

    async def _sites(self, asked: Asked, frame: Frame) -> Page:
        lines = await self._loader.sites(frame.now)
        return Page("Sites · Busbar", {"sites": await self._part("sites", frame, lines=lines)})


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
    "session": Pages._session,
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
    "session": "/api/v1/sessions?site={site}&session={id}",
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
