"""The stream of a page: whole fragments when they change, a beat every ten seconds, a sentence when a state changes."""

from __future__ import annotations

import asyncio
import json
import time
from collections import deque
from collections.abc import Awaitable, Callable
from contextlib import suppress
from datetime import datetime
from zoneinfo import ZoneInfo

from core.ports import HttpRequest
from gateway.http.stream import StreamWriter
from gateway.pages.build import Asked
from gateway.pages.render import Page
from gateway.pages.views import NowView
from gateway.pages.words import STATES

BEAT_S, SAY_S = 10.0, 10.0
STREAMS = 500
Make = Callable[[HttpRequest, Asked], Awaitable[tuple[Page, int]]]


class Live:
    """All open streams of this hub. `make` gives a page with its newest rows; `look` what a reader must hear of."""

    def __init__(
        self,
        make: Make,
        now: Callable[[], datetime],
        build: str,
        look: Callable[[str], Awaitable[NowView]],
    ) -> None:
        self._make, self._now, self._build, self._look = make, now, build, look
        self._wakers: set[asyncio.Event] = set()

    def take(self, seq: int) -> None:
        """There are newer rows: every stream looks again, at most once a second."""
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
        page, position = await self._make(request, asked)
        since = request.headers.get("last-event-id") or request.query.get("since", "")
        if since == str(position):
            sent = page.moving
        await writer.write(_event("hello", json.dumps({"build": self._build}), position))
        while True:
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
            page, position = await self._make(request, asked)

    async def _changed(self, waker: asyncio.Event) -> None:
        """Until there are newer rows, ten seconds at most; how often a page is made is `make`'s matter."""
        with suppress(TimeoutError):
            async with asyncio.timeout(BEAT_S):
                await waker.wait()
        waker.clear()  # because: rows that come while the page is made wake it again


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
