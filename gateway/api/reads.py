"""`GET`: lists of the read models, each a table name, filters and what is added for the present moment."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any

from core.messages import BODIES, Position, dump
from core.messages.evidence import EvidenceReceived, EvidenceSent
from core.ports import HUB, Clock, HttpRequest, HttpResponse
from core.reports import NightReport, fold_all, render
from core.site import SiteState
from gateway import evidence
from gateway.api import present
from gateway.api.answers import BEHIND, Refusal, place, tagged, whole
from gateway.journal.log import Damaged, Log
from gateway.lineage import MAX_DEPTH, Bodies, Lineage, Unknown
from gateway.next_step import parted
from gateway.readmodels import ReadModels, queries
from gateway.readmodels.queries import Asked, BadCursor, Page
from gateway.readmodels.redact import frame, redacted
from gateway.readmodels.rows import Doc, stamp
from gateway.readmodels.tables import COORDINATES

AFTER_S = 5.0
"""Wall time that a read waits for the position that it asks for."""
UNWRITTEN = "let the hub's user write its database; readmodels.sqlite may be removed while the hub is stopped: it is made again from the journal"
"""What to do about rows that cannot be written."""
LIMIT, MOST = 50, 1000
NIGHT = timedelta(hours=24)

FILTERS = ("site", *COORDINATES, "type", "area", "subject", "source")


@dataclass(frozen=True, slots=True)
class ListOf:
    """One list: its table, the message type that fixes its problem coordinate, and what is added now."""

    table: str
    of: str
    add: Callable[[Reads, Doc, datetime], Awaitable[Doc]] | None = None
    from_now: bool = False
    """Without `from` only what has not passed."""


class Reads:
    """All read handlers; works the same in a running hub and over an opened data folder."""

    def __init__(
        self,
        models: ReadModels,
        log: Log,
        clock: Clock,
        state: Callable[[str], SiteState | None] = lambda site: None,
        least: int = 0,
    ) -> None:
        self.models, self.log, self.clock, self.state = models, log, clock, state
        self.least = least
        """What the journal held when the hub began to answer: nobody is told less than that."""
        self.bodies = Bodies(models, log)
        self.lineage = Lineage(self.bodies)

    def listing(self, of: ListOf) -> Callable[[HttpRequest], Awaitable[HttpResponse]]:
        """The handler of one list."""

        async def answer(request: HttpRequest) -> HttpResponse:
            await self.wait(request)
            page = await self.page(of, request)
            now = self.clock.now()
            rows = page.rows if of.add is None else [await of.add(self, row, now) for row in page.rows]
            return tagged(_listed(rows, page.next), request)

        return answer

    async def page(self, of: ListOf, request: HttpRequest) -> Page:
        """The rows that the request asks for.

        Raises:
            Refusal: a filter or the cursor cannot be read.
        """
        area, subject = BODIES[of.of].PROBLEM
        if request.query.get("area", area) != area or request.query.get("subject", subject) != subject:
            return Page([], None)
        asked = asked_of(request)
        if of.from_now and asked.begins is None:
            asked = replace(asked, begins=self.clock.now())
        return await _paged(queries.page(self.models, of.table, asked))

    async def wait(self, request: HttpRequest) -> None:
        """Wait until the read models have what the request says as `after`, and what there was at the start.

        Raises:
            Refusal: they do not within five seconds, or their database is away.
        """
        if not self.models.opened:
            away = "their database does not answer; sites are controlled all the same"
            raise Refusal(
                503,
                "read-models-away",
                "The read models cannot be read",
                away,
                "see `database` in the settings, or ask again",
                {"Retry-After": "5"},
            )
        after = max(self.least, whole(request, "after", 0, 0, 10**15))
        if after and not await self.models.reached(after, AFTER_S):
            detail = f"the read models are at {self.models.seq}, {after} was asked for"
            if (trouble := self.models.trouble) is not None:
                detail = f"the read models cannot be written: {trouble}"
                raise Refusal(503, "read-models-away", "Not current", detail, UNWRITTEN, {"Retry-After": "5"})
            raise Refusal(503, "not-yet", "Not there yet", detail, "ask again", {"Retry-After": "1"})

    async def stations(self, request: HttpRequest) -> HttpResponse:
        """Stations, or with `knocking=1` who asked and is not known."""
        of = KNOCKING if request.query.get("knocking", "") not in ("", "0", "false") else STATIONS
        return await self.listing(of)(request)

    async def messages(self, request: HttpRequest) -> HttpResponse:
        """The index of all messages, newest first, by both coordinates."""
        await self.wait(request)
        page = await _paged(queries.message_page(self.models, asked_of(request)))
        return tagged(_listed(page.rows, page.next), request)

    async def message(self, request: HttpRequest) -> HttpResponse:
        """One message as it stands in the journal, identifiers shortened."""
        await self.wait(request)
        found = await self._body(request.params["id"])
        if found is None:
            raise unknown(request.params["id"])
        message, position = found
        area, subject = message.problem
        document = redacted(dump(message)) | {"area": area, "subject": subject}
        return tagged(document | {"position": f"{position.seq}.{position.index}"}, request)

    async def refused(self, request: HttpRequest) -> HttpResponse:
        """What peers sent that did not authenticate, oldest first; with `id` that item alone."""
        id = request.query.get("id")
        kept = await self.log.refused(HUB, request.params["protocol"])
        return tagged({"items": [item for item in kept if id in (None, "", item["id"])]}, request)

    async def content(self, request: HttpRequest) -> HttpResponse:
        """What a piece of evidence was, byte by byte."""
        await self.wait(request)
        found = await self._body(request.params["id"])
        if found is None or not isinstance(found[0].body, EvidenceReceived | EvidenceSent):
            raise unknown(request.params["id"])
        try:
            content = await evidence.whole(self.log, found[0].body)
        except Damaged as error:
            raise Refusal(500, "evidence-damaged", "The evidence is damaged", *parted(str(error))) from error
        if content is None:
            raise unknown(f"content of {request.params['id']}")
        headers = {"Content-Disposition": f'attachment; filename="{request.params["id"]}"'}
        return HttpResponse(200, content, "application/octet-stream", headers)

    async def _body(self, id: str) -> Any:
        try:
            return await self.bodies.get(id)
        except Unknown:
            return None

    async def why(self, request: HttpRequest) -> HttpResponse:
        """The lineage tree of a message, a vehicle, `station:ID`, or an incident."""
        await self.wait(request)
        try:
            depth = whole(request, "depth", MAX_DEPTH, 1, MAX_DEPTH)
            return tagged(await self.lineage.why(request.params["id"], depth), request)
        except Unknown:
            raise unknown(request.params["id"]) from None

    async def lineage_of(self, request: HttpRequest) -> HttpResponse:
        """The ids from a vehicle's newest outcome to the raw frames."""
        await self.wait(request)
        try:
            ids = await self.lineage.path(request.params["vehicle"])
        except Unknown:
            raise unknown(request.params["vehicle"]) from None
        found = await self.bodies.many(ids)
        rows = [{"id": id, "type": found[id][0].type, "time": stamp(found[id][0].time)} for id in ids if id in found]
        return tagged({"items": rows}, request)

    async def frames(self, request: HttpRequest) -> HttpResponse:
        """Frames of a station, oldest first, identifiers shortened."""
        await self.wait(request)
        since, before = _position(request, "since", BEHIND), _position(request, "before", 0)
        limit = whole(request, "limit", 100, 1, MOST)
        rows = []
        for position in await queries.frames(self.models, request.params["station"], since, limit, before):
            message = await self.bodies.at(position)
            body = message.body
            assert isinstance(body, EvidenceReceived | EvidenceSent)
            rows.append(
                {
                    "time": stamp(message.time),
                    "direction": "received" if isinstance(body, EvidenceReceived) else "sent",
                    "what": body.subject,
                    "text": frame(body.frame),
                    "id": message.id,
                    "position": f"{position.seq}.{position.index}",
                }
            )
        return tagged({"items": rows}, request)

    async def report(self, request: HttpRequest) -> HttpResponse:
        """The report of a window of one site, folded from the journal; by default the last 24 hours."""
        await self.wait(request)
        asked = asked_of(request)
        ends = asked.ends or self.clock.now()
        begins = asked.begins or ends - NIGHT
        site = await self._site(request.query.get("site"))
        return tagged({"items": [render(await self._folded(NightReport(site, begins, ends)))]}, request)

    async def _folded(self, report: NightReport) -> NightReport:
        """Configuration and envelope in force at its beginning, then every record up to a day after its end."""
        for type in ("site.configured", "envelope.computed"):
            position = await queries.before(self.models, type, report.site, report.begins)
            if position is not None:
                report = fold_all(report, [await self.bodies.at(position)])
        first = await queries.first_since(self.models, report.site, report.begins)
        if first is None:
            return report
        async for record in self.log.read(first - 1, follow=False):
            if record.site == report.site:
                report = fold_all(report, record.messages)
                if record.messages and record.messages[-1].recorded > report.ends + NIGHT:
                    break
            await asyncio.sleep(0)
        return report

    async def _site(self, asked: str | None) -> str:
        sites = (await queries.page(self.models, "sites", Asked(limit=MOST))).rows
        names = [str(row["id"]) for row in sites]
        if asked in names or (asked is None and len(names) == 1):
            return asked or names[0]
        raise Refusal(
            404,
            "site-unknown",
            "Which site?",
            f"no site {asked or 'was named'}",
            f"?site= {', '.join(names) or 'none'}",
        )


async def _paged(asking: Awaitable[Page]) -> Page:
    try:
        return await asking
    except BadCursor:
        raise Refusal(400, "not-valid", "Not valid", "`cursor` is none of ours", "leave it out to begin anew") from None


def unknown(id: str) -> Refusal:
    """404 for something that nobody wrote."""
    return Refusal(
        404,
        "unknown",
        "Nothing by that name",
        f"no message, vehicle, station or incident `{id[:80]}`",
        "`GET /api/v1/messages`, `/vehicles`, `/incidents` list what there is; a station is written `station:ID`",
    )


def asked_of(request: HttpRequest) -> Asked:
    """Filters, window, cursor and page size of a request.

    Raises:
        Refusal: a moment or number cannot be read.
    """
    equal = {name: request.query[name] for name in FILTERS if request.query.get(name)}
    return Asked(
        equal=equal,
        begins=_moment(request, "from"),
        ends=_moment(request, "to"),
        cursor=request.query.get("cursor"),
        limit=whole(request, "limit", LIMIT, 1, MOST),
    )


def _moment(request: HttpRequest, name: str) -> datetime | None:
    text = request.query.get(name)
    if not text:
        return None
    try:
        moment = datetime.fromisoformat(text.replace(" ", "+"))
        if moment.tzinfo is None:
            raise ValueError("no offset")
    except ValueError:
        raise Refusal(
            400, "not-valid", "Not valid", f"`{name}` is no moment", "write it as 2026-11-25T18:00:00Z"
        ) from None
    return moment.astimezone(UTC)


def _position(request: HttpRequest, name: str, index: int) -> Position | None:
    text = request.query.get(name)
    found = place(text, index) if text else None
    if text and found is None:
        raise Refusal(400, "not-valid", "Not valid", f"`{name}` is no position", "write it as a frame says it: 120.3")
    return found


def _listed(rows: Sequence[Doc], cursor: str | None) -> Mapping[str, Any]:
    return {"items": list(rows), "next": cursor} if cursor else {"items": list(rows)}


STATIONS = ListOf("stations", "station.connected", present.station)
KNOCKING = ListOf("knocking", "station.knocked")
LISTS: Mapping[str, ListOf] = {
    "/sites": ListOf("sites", "site.configured", present.site),
    "/vehicles": ListOf("vehicles", "vehicle.read", present.vehicle),
    "/work": ListOf("work", "work.planned"),
    "/requirements": ListOf("requirements", "requirement.computed"),
    "/envelope": ListOf("envelope", "envelope.computed", from_now=True),
    "/allocations": ListOf("allocations", "allocation.planned"),
    "/sessions": ListOf("sessions", "session.started"),
    "/samples": ListOf("samples", "session.metered"),
    "/readiness": ListOf("readiness", "readiness.assessed"),
    "/incidents": ListOf("incidents", "incident.opened"),
    "/records": ListOf("records", "record.priced"),
    "/imports": ListOf("imports", "schedule.received"),
    "/sources": ListOf("sources", "source.state_changed"),
}
"""Lists by path."""
