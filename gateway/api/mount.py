"""Puts the API on a hub: one table of endpoints over the handlers, and what feeds them."""

from __future__ import annotations

import dataclasses
import logging
from collections.abc import Callable, Sequence
from importlib.metadata import PackageNotFoundError, version
from typing import TYPE_CHECKING, Any

from sqlalchemy.exc import SQLAlchemyError

from core.ports import Handler, HttpRequest, HttpResponse
from core.site import SiteState
from gateway import replay
from gateway.api import documents
from gateway.api.acts import Acts, Cap, Charge, Departure, DepartureGone, NewStation, Place
from gateway.api.answers import answered, json_body, tagged
from gateway.api.events import Events
from gateway.api.evidence import Desk
from gateway.api.reads import FILTERS, LISTS, UNWRITTEN, Reads
from gateway.api.routes import BASE, FILE, JSON, Endpoint, Query, mount_all
from gateway.api.schedules import Imports, Schedules
from gateway.api.telemetry import Readings, Telemetry
from gateway.gauges import Gauges
from gateway.readmodels import ReadModels

if TYPE_CHECKING:
    from gateway.wiring import Hub

_log = logging.getLogger("busbar.api")
LAG = {"reader": "readmodels"}
BEHIND = 1000
"""Records that the read models may lag before this hub counts as not ready."""
DRY = Query("dry_run", "say what would change, change nothing", "boolean")
ONE = (Query("id", "only the item with this id"),)
AFTER = Query("after", "wait until the read models have this journal position", "integer")
PAGE = (
    *(Query(name, f"only rows with this {name}") for name in FILTERS),
    Query("from", "only what reaches beyond this moment (ISO 8601)"),
    Query("to", "only what begins before this moment"),
    Query("limit", "rows of a page, at most 1000", "integer"),
    Query("cursor", "where the page before ended"),
    AFTER,
)


@dataclasses.dataclass(frozen=True, slots=True)
class Api:
    """What was mounted: the read models to close, and the handlers for pages and demo."""

    models: ReadModels
    reads: Reads
    schedules: Schedules
    endpoints: Sequence[Endpoint]

    async def close(self) -> None:
        """Stop filling the read models and close their database."""
        await self.models.close()


async def mount(hub: Hub) -> Api:
    """Serve the API on the hub's HTTP host; called once, before the listeners open. Close what it returns at the end.

    A database that is away stops no site: reads are 503 until it is back.
    """
    models = ReadModels(hub.settings.database_url, hub.gather_s)
    try:
        await models.open()
    except (SQLAlchemyError, OSError) as error:
        _log.warning("read models cannot be opened: %s; next: see `database` in the settings", error)
    reads = Reads(models, hub.log, hub.clock, lambda site: _state(hub, site), hub.feed.seq)
    desk, imports, events = Desk(hub), Imports(), Events(hub.log, hub.feed.seq)
    gauges = Gauges(hub.metrics, hub.clock, lambda site: _state(hub, site), tuple(hub.controllers))
    hub.metrics.looks += [gauges.look]
    for take in (imports.take, events.take, gauges.take):
        hub.feed.follow(take)
    models.applied.append(lambda seq: hub.metrics.set("journal_lag_messages", hub.feed.seq - seq, LAG))
    hub.http.ready_checks["readmodels"] = lambda: _lagging(hub, models)
    if hub.projecting:
        hub.feed.follow(models.take)
        models.start(hub.log, hub.feed.seq)
    schedules = Schedules(desk, imports)
    acts = Acts(desk, schedules)
    served = [*writes(desk, schedules, acts), *_again(hub, models), *lists(reads)]
    served += _machines(served)
    mount_all(hub.http, served)
    hub.http.stream(f"{BASE}/events", events.stream, mount="api")
    return Api(models, reads, schedules, served)


def _lagging(hub: Hub, models: ReadModels) -> str | None:
    if not models.opened:
        return "the read models' database cannot be opened"
    if models.trouble is not None:
        return f"the read models cannot be written: {models.trouble}; next: {UNWRITTEN}"
    behind = hub.feed.seq - models.seq
    return f"the read models are {behind} records behind" if behind > BEHIND else None


def _state(hub: Hub, site: str) -> SiteState | None:
    controller = hub.controllers.get(site)
    return controller.state if controller is not None else None


def writes(desk: Desk, schedules: Schedules, acts: Acts) -> list[Endpoint]:
    """What changes something; each is answered when it is durable."""
    telemetry = Telemetry(desk)
    return [
        Endpoint(
            "POST",
            "/sites/{site}/telemetry",
            telemetry.post,
            "Readings of vehicles and meters, one or many; idempotent by (source, subject, measured_at).",
            body=Readings,
            max_body=JSON,
        ),
        Endpoint(
            "POST",
            "/sites/{site}/schedules",
            schedules.post,
            "A schedule file: VDV 452, a plain table, or assignments; answered when it was taken over.",
            query=(
                Query("format", "auto (default), vdv452, table, assignments or departures"),
                Query("feed", "the feed's name; by default its format's"),
                DRY,
                Query("why", "why, for the record"),
            ),
            body="application/octet-stream",
            max_body=FILE,
        ),
        *(
            Endpoint(
                "POST", f"/sites/{{site}}/{name}", handler, f"{says}; the answer says what it changes.", (DRY,), body
            )
            for name, handler, says, body in (
                ("departures", acts.departure, "A departure by hand", Departure),
                ("departures/remove", acts.departure_gone, "A departure by hand is taken back", DepartureGone),
                ("assignments", acts.place, "Which vehicle stands at a bay", Place),
                ("charges", acts.charge, "The state of charge that a person read from a vehicle", Charge),
            )
        ),
        Endpoint(
            "POST",
            "/stations/{station}/limit",
            acts.cap,
            "Cap a station for a while; the answer says which departures that costs.",
            query=(DRY,),
            body=Cap,
        ),
        Endpoint("POST", "/stations", acts.admit, "Let a station in.", body=NewStation),
        Endpoint("POST", "/reload", acts.reload, "Read the configuration again.", role="admin"),
    ]


def _again(hub: Hub, models: ReadModels) -> list[Endpoint]:
    async def replayed(request: HttpRequest) -> HttpResponse:
        asked: Any = json_body(request) if request.body else {}
        verify = isinstance(asked, dict) and bool(asked.get("verify"))
        return answered(await replay.replay(hub.log, verify=verify))

    async def rebuilt(request: HttpRequest) -> HttpResponse:
        return answered(await models.rebuild(hub.log))

    return [
        Endpoint("POST", "/replay", replayed, "Fold the journal again and decide again.", role="admin"),
        Endpoint("POST", "/rebuild", rebuilt, "Drop the read models and make them again.", role="admin"),
    ]


def lists(reads: Reads) -> list[Endpoint]:
    """What only reads."""
    found = [
        Endpoint("GET", path, reads.listing(of), f"The read model `{of.table}`, filtered by both coordinates.", PAGE)
        for path, of in LISTS.items()
    ]
    knocking = Query("knocking", "who asked and is not known", "boolean")
    frames = (
        Query("limit", "the newest so many, at most 1000", "integer"),
        Query("since", "what is newer than this position"),
        Query("before", "what is older than this position"),
    )
    window = (Query("site", "the site; may be left out where there is one"), Query("from", "begin"), Query("to", "end"))
    single: list[tuple[str, Handler, str, Sequence[Query]]] = [
        ("/stations", reads.stations, "Stations now, or who knocks.", (*PAGE, knocking)),
        ("/stations/{station}/frames", reads.frames, "Frames of a station, oldest first.", (*frames, AFTER)),
        ("/messages", reads.messages, "The index of all messages, newest first.", PAGE),
        ("/messages/{id}", reads.message, "One message as it stands in the journal.", (AFTER,)),
        ("/why/{id...}", reads.why, "The lineage as a tree.", (Query("depth", "levels", "integer"), AFTER)),
        ("/lineage/{vehicle}", reads.lineage_of, "Ids from a vehicle's outcome to the raw frames.", (AFTER,)),
        ("/reports", reads.report, "The report of a window.", (*window, AFTER)),
    ]
    content = "What a piece of evidence was, byte by byte; large files too."
    return [
        *found,
        *(Endpoint("GET", path, handler, says, query) for path, handler, says, query in single),
        Endpoint(
            "GET", "/refused/{protocol}", reads.refused, "What strangers sent, oldest first.", ONE, role="operator"
        ),
        Endpoint("GET", "/messages/{id}/content", reads.content, content, (AFTER,), role="operator"),
    ]


def _machines(others: Sequence[Endpoint]) -> list[Endpoint]:
    try:
        ours = version("busbar-hub")
    except PackageNotFoundError:
        ours = "0"
    events = Endpoint("GET", "/events", _streamed, "The event stream (SSE), resumable by `Last-Event-ID`.")

    def serve(document: Callable[[], Any]) -> Handler:
        async def answer(request: HttpRequest) -> HttpResponse:
            return tagged(document(), request)

        return answer

    described = [*others, events]
    return [
        Endpoint("GET", "/openapi.json", serve(lambda: documents.openapi(described, ours)), "This document.", base=""),
        Endpoint(
            "GET", "/asyncapi.json", serve(lambda: documents.asyncapi(ours)), "The live stream as AsyncAPI 3.", base=""
        ),
        Endpoint("GET", "/schemas", serve(documents.schemas), "The JSON Schemas of all messages."),
    ]


async def _streamed(request: HttpRequest) -> HttpResponse:
    """Never called: the host serves the stream itself; the table only describes it."""
    raise AssertionError(request.path)
