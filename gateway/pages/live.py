"""The stream of a page: whole fragments when they change, a beat every ten seconds, a sentence when a state changes."""

from __future__ import annotations

import asyncio
import json
import time
from collections import OrderedDict, deque
from collections.abc import Awaitable, Callable, Mapping
from datetime import datetime
from zoneinfo import ZoneInfo

from core.ports import HttpRequest
from gateway.http.stream import StreamWriter
from gateway.journal.log import Record
from gateway.pages.build import Asked
from gateway.pages.render import Page
from gateway.pages.views import NowView
from gateway.pages.words import STATES

BEAT_S, LEAST_S, SAY_S = 10.0, 1.0, 10.0
STREAMS, CACHED = 500, 200
Make = Callable[[HttpRequest, Asked], Awaitable[tuple[Page, int]]]
States = Mapping[str, str]


class Live:
    """All open streams of this hub. `make` renders a page; `states` says what a reader must hear of."""

    def __init__(
        self,
        make: Make,
        now: Callable[[], datetime],
        build: str,
        look: Callable[[str], Awaitable[NowView]],
    ) -> None:
        self._make, self._now, self._build, self._look = make, now, build, look
        self._wakers: set[asyncio.Event] = set()
        self._cache: OrderedDict[tuple[str, ...], tuple[float, Page, int]] = OrderedDict()
        self._making: dict[tuple[str, ...], asyncio.Lock] = {}

    def take(self, record: Record) -> None:
        """Something happened: every stream looks again, at most once a second."""
        for waker in self._wakers:
            waker.set()

    async def serve(self, request: HttpRequest, asked: Asked, zone: str, writer: StreamWriter) -> None:
        """Write until the client is gone."""
        if len(self._wakers) >= STREAMS:
            await writer.start(503, headers={"Retry-After": "60"})
            return
        waker = asyncio.Event()
        self._wakers.add(waker)
        try:
            await self._run(request, asked, zone, writer, waker)
        finally:
            self._wakers.discard(waker)

    async def _run(
        self, request: HttpRequest, asked: Asked, zone: str, writer: StreamWriter, waker: asyncio.Event
    ) -> None:
        sent: dict[str, str] = {}
        teller = Teller()
        site = request.params["site"]
        page, position = await self._page(request, asked)
        since = request.headers.get("last-event-id") or request.query.get("since", "")
        if since == str(position):
            sent = page.moving
        await writer.write(_event("hello", json.dumps({"build": self._build}), position))
        while True:
            waker.clear()
            for name, part in page.moving.items():
                if sent.get(name) != part:
                    await writer.write(_event("part", part, position))
            sent = page.moving
            view = await self._look(site)
            for text, alert in teller.hear(view, time.monotonic()):
                await writer.write(_event("say", json.dumps({"text": text, "alert": alert}), position))
            told = {"now": _hub_time(self._now(), zone), "incidents": len(view.incidents)}
            await writer.write(_event("beat", json.dumps(told), position))
            await self._changed(waker)
            page, position = await self._page(request, asked)

    async def _changed(self, waker: asyncio.Event) -> None:
        """A second at least, ten at most, in between until something happens."""
        await asyncio.sleep(LEAST_S)
        try:
            await asyncio.wait_for(waker.wait(), BEAT_S - LEAST_S)
        except TimeoutError:
            return

    async def _page(self, request: HttpRequest, asked: Asked) -> tuple[Page, int]:
        """Rendered once a second for all who look at the same page with the same role."""
        key = (request.params["site"], request.headers.get("busbar-user-role", ""), *asked.key)
        async with self._making.setdefault(key, asyncio.Lock()):
            known = self._cache.get(key)
            if known is not None and time.monotonic() - known[0] < LEAST_S / 2:
                return known[1], known[2]
            page, position = await self._make(request, asked)
            self._cache[key] = time.monotonic(), page, position
        while len(self._cache) > CACHED:
            old, _ = self._cache.popitem(last=False)
            self._making.pop(old, None)
        return page, position


class Teller:
    """What a screen reader hears: one sentence in ten seconds, only where a readiness or an incident changed."""

    def __init__(self) -> None:
        self._known: dict[str, str] | None = None
        self._waiting: deque[tuple[str, bool]] = deque(maxlen=5)
        self._said = -SAY_S

    def hear(self, view: NowView, now: float) -> list[tuple[str, bool]]:
        """At most one (sentence, whether it is critical) for what is new in this view."""
        found = states_of(view)
        if self._known is not None:
            self._waiting += [(said(view, k), k.startswith("!")) for k, v in found.items() if self._known.get(k) != v]
        self._known = found
        if not self._waiting or now - self._said < SAY_S:
            return []
        self._said = now
        return [self._waiting.popleft()]


def states_of(view: NowView) -> dict[str, str]:
    """What is spoken about: the state of each departure, and each open incident (`!`: critical)."""
    departures = {f"{d.vehicle}|{d.departs.isoformat()}": d.state for d in view.departures}
    incidents = {f"{'!' if i.severity == 'critical' else '#'}{i.id}": i.severity for i in view.incidents}
    return {**departures, **incidents}


def said(view: NowView, key: str) -> str:
    """`BUS-117 is now at risk: charger D2 gives 17 of 60 kW`."""
    if key[0] in "!#":
        return next((i.sentence for i in view.incidents if i.id == key[1:]), "")
    departure = next(d for d in view.departures if f"{d.vehicle}|{d.departs.isoformat()}" == key)
    why = f": {departure.sentence}" if departure.sentence and not departure.fine else ""
    return f"{departure.vehicle} is now {STATES[departure.state]}{why}"


def _hub_time(now: datetime, zone: str) -> str:
    return f"{now.astimezone(ZoneInfo(zone)):%H:%M:%S}"


def _event(name: str, data: str, position: int) -> bytes:
    lines = "".join(f"data: {line}\n" for line in data.splitlines())
    return f"id: {position}\nevent: {name}\n{lines}\n".encode()
