"""`POST /sites/{site}/schedules`: a schedule file of any supported format, answered when the core has taken it over."""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from itertools import islice
from typing import Any, NamedTuple
from urllib.parse import unquote
from zoneinfo import ZoneInfo

from core import work
from core.messages import Message, Position
from core.messages.reasons import next_step, sentence
from core.messages.scribe import Scribe
from core.messages.site import SiteConfig
from core.messages.work import ScheduleImported, ScheduleReceived, WorkStated
from core.ports import HttpRequest, HttpResponse
from core.work import WorkState
from gateway.api.answers import POSITION, Refusal, answered, flag
from gateway.api.evidence import Desk, who
from gateway.api.telemetry import config_of
from gateway.http.problems import Problem
from gateway.journal.log import Record
from protocols import table, vdv
from protocols.common.imports import Days, Quarantined, Translation

HORIZON_DAYS = 14
WITHIN_S = 30.0
"""Wall time after which the answer is 202: stored, still being taken over."""
MOST_WORK = 20_000
"""Pieces of work of one import: three weeks of a thousand buses."""
FOLDED_S = 5.0
"""So long an answer waits until the work that it speaks of is folded."""
SHOWN = 100
FILE_LOST = frozenset({"wrong_encoding", "file_incomplete"})
"""Why a whole file of a feed was set aside: then the tables in it are missing because of that."""
REMEMBERED = 500
FORMATS = ("auto", "vdv452", "table", "assignments", "departures")
ONLY: Mapping[str, table.Kind] = {"assignments": "assignments", "departures": "departures"}
"""Formats that say which kind of table it is."""


class Closed(NamedTuple):
    """The core's closing word on an import, and where it stands."""

    body: ScheduleImported
    position: Position


class Imports:
    """Waits for the core's closing word on an import; fed with every record of the journal."""

    def __init__(self) -> None:
        self._closed: OrderedDict[str, Closed] = OrderedDict()
        self._waiting: dict[str, list[asyncio.Future[Closed]]] = {}

    def take(self, record: Record) -> None:
        """Note what closes in this record."""
        for index, message in enumerate(record.messages):
            body = message.body
            if isinstance(body, ScheduleImported):
                self._close(Closed(body, Position(record.seq, index)), message.causes)

    def _close(self, closed: Closed, causes: Sequence[str]) -> None:
        for received in causes:
            self._closed[received] = closed
            for future in self._waiting.pop(received, []):
                if not future.done():
                    future.set_result(closed)
        while len(self._closed) > REMEMBERED:
            self._closed.popitem(last=False)

    async def closed(self, received: str, within_s: float) -> Closed | None:
        """The outcome of the import that this `schedule.received` completes; None where it takes longer."""
        known = self._closed.get(received)
        if known is not None:
            return known
        future: asyncio.Future[Closed] = asyncio.get_running_loop().create_future()
        self._waiting.setdefault(received, []).append(future)
        try:
            return await asyncio.wait_for(future, within_s)
        except TimeoutError:
            return None
        finally:
            self._forget(received, future)

    def _forget(self, received: str, future: asyncio.Future[Closed]) -> None:
        left = [f for f in self._waiting.get(received, []) if f is not future]
        if left:
            self._waiting[received] = left
        else:
            self._waiting.pop(received, None)


@dataclass(frozen=True, slots=True)
class Import:
    """One import as it was asked for."""

    config: SiteConfig
    translation: Translation
    evidence: Message
    messages: Sequence[Message]
    """What follows from the translation; `schedule.received` ends it."""

    @property
    def received(self) -> ScheduleReceived:
        """What completes it."""
        body = self.messages[-1].body
        assert isinstance(body, ScheduleReceived)
        return body

    @property
    def unusable(self) -> bool:
        """Whether nothing in it can be used, and something had to be set aside."""
        said = self.translation
        return not said.blocks and not said.assignments and bool(said.quarantined)

    def repeated(self, state: WorkState, now: datetime) -> ScheduleImported | None:
        """Its outcome where it is in force already."""
        blocks = [m.body.block for m in self.messages if isinstance(m.body, WorkStated)]
        return work.repeated(state, self.received, blocks, self.config, now)

    def decided(self, state: WorkState, now: datetime) -> tuple[ScheduleImported, WorkState]:
        """What the controller would make of it, and the work that is known then: the same fold and decision, on a copy."""
        scribe = Scribe(self.config.id, 0, now)
        for message in self.messages:
            state = work.fold(state, message)
        work.decide(state, self.config, now, scribe)
        for message in scribe.messages:
            state = work.fold(state, message)
        closings = (m.body for m in scribe.messages if isinstance(m.body, ScheduleImported))
        return next(body for body in closings if body.import_id == self.received.import_id), state

    def doubles(self, state: WorkState, now: datetime) -> Iterator[work.Overlap]:
        """Blocks of this import that overlap another one of their vehicle."""
        works = {block.work for block in self.translation.blocks}
        orders = {(told.operating_day, told.block) for told in self.translation.assignments}
        for found in work.overlaps(state.works, now):
            blocks = (found.first.block, found.second.block)
            if any(b.work in works or (b.operating_day, b.block) in orders for b in blocks):
                yield found


class Schedules:
    """The endpoint, and the one way in for departures that a person adds."""

    def __init__(self, desk: Desk, imports: Imports) -> None:
        self._desk, self._imports = desk, imports

    async def post(self, request: HttpRequest) -> HttpResponse:
        """Translate, store, wait until the core has taken it over; with `dry_run` say what would change."""
        config = config_of(self._desk, request.params["site"])
        name = unquote(request.headers.get("x-file-name", "")) or request.query.get("name", "schedule")
        format = self._format(request, name)
        asked = await asyncio.to_thread(self._translate, request, config, format)
        found = self._prepared(request, config, asked, name, why=request.query.get("why", ""))
        if flag(request, "dry_run"):
            return self.dry(found)
        return await self.take(found)

    def prepared(self, request: HttpRequest, config: SiteConfig, translation: Translation, why: str) -> Import:
        """An import that came by another path than a file."""
        return self._prepared(request, config, translation, f"{request.method} {request.path}", why=why)

    async def take(self, found: Import, more: Mapping[str, Any] | None = None) -> HttpResponse:
        """Store an import and answer with what the core made of it, and with `more`."""
        told = dict(more or {})
        for item in found.translation.quarantined:
            self._desk.count(found.translation.format, item.reason)
        if found.unusable:
            position = await self._desk.append(found.config.id, [found.evidence, *found.messages[:-1]])
            return _refused(found, str(position.seq))
        state = self._desk.hub.controllers[found.config.id].state.work
        known = found.repeated(state, self._desk.now())
        if known is not None:
            position = await self._desk.append(found.config.id, [found.evidence])
            told |= self._told(found, known, state) | {"repeated": True}
            return answered(told, 200, position)
        position = await self._desk.append(found.config.id, [found.evidence, *found.messages])
        received = found.messages[-1].id
        closed = await self._imports.closed(received, WITHIN_S)
        if closed is None:
            return answered(told | {"id": received, "look_at": "/api/v1/imports"}, 202, position)
        controller = self._desk.hub.controllers[found.config.id]
        await controller.settled_within(closed.position.seq, FOLDED_S)
        answer = self._told(found, closed.body, controller.state.work) | told
        return answered(answer, 200, max(position, closed.position))

    def _told(self, found: Import, outcome: ScheduleImported, after: WorkState) -> dict[str, Any]:
        """The outcome, with the work as it is then."""
        told, now = _told(found, outcome), self._desk.now()
        rows = (_double(one, found.config.zone, now) for one in found.doubles(after, now))
        return told | {"warnings": [*told["warnings"], *islice(rows, SHOWN)]}

    def _format(self, request: HttpRequest, name: str) -> str:
        asked = request.query.get("format", "auto") or "auto"
        if asked not in FORMATS:
            raise Refusal(
                422, "format-unknown", "No such format", f"`{asked[:40]}` is none", f"one of {', '.join(FORMATS)}"
            )
        if asked != "auto":
            return asked
        if vdv.detect(name, request.body):
            return "vdv452"
        return "table" if table.detect(name, request.body[:4096]) else "unknown"

    def _translate(self, request: HttpRequest, config: SiteConfig, format: str) -> Translation:
        feed = request.query.get("feed", "")
        if format == "vdv452":
            files = request.body if request.body[:2] == b"PK" else {"export.x10": request.body}
            return vdv.translate(files, feed=feed or "vdv452", zone=config.zone, days=self._days(config))
        if format == "unknown":
            first = request.body[:200].decode("utf-8", "replace")
            detail = "neither VDV 452 nor a table"
            aside = Quarantined(first, "format_unknown", detail)
            return Translation(feed or "unknown", "table", "", quarantined=(aside,))
        found = table.translate(
            request.body,
            feed=feed or "table",
            zone=config.zone,
            days=self._days(config),
            now=self._desk.now(),
            only=ONLY.get(format),
        )
        return replace(found, feed="assignments") if found.format == "assignments" and not feed else found

    def _days(self, config: SiteConfig) -> Days:
        today = self._desk.now().astimezone(ZoneInfo(config.zone)).date()
        return today - timedelta(days=1), today + timedelta(days=HORIZON_DAYS - 1)

    def _prepared(
        self, request: HttpRequest, config: SiteConfig, translation: Translation, subject: str, *, why: str
    ) -> Import:
        evidence = self._desk.received(request, config.id, translation.format, subject)
        count = len(translation.blocks) + len(translation.assignments)
        if count > MOST_WORK:
            detail = f"{count} pieces of work; at most {MOST_WORK} are taken at once, send one period at a time"
            against = Quarantined(subject[:200], "file_too_large", detail)
            translation = replace(translation, blocks=(), assignments=(), quarantined=(against,))
        messages = vdv.messages(
            translation,
            vdv.import_id(config.id, translation.feed, translation.content),
            f"feed:{translation.feed}",
            config.id,
            self._desk.now(),
            evidence.id,
            who=who(request),
            why=why,
        )
        return Import(config, translation, evidence, messages)

    def dry(self, found: Import, more: Mapping[str, Any] | None = None) -> HttpResponse:
        """What the controller would say; nothing is stored."""
        if found.unusable:
            return _refused(found, None)
        told = {"dry_run": True, **(more or {})}
        state, now = self._desk.hub.controllers[found.config.id].state.work, self._desk.now()
        known = found.repeated(state, now)
        outcome, after = (known, state) if known is not None else found.decided(state, now)
        return answered(self._told(found, outcome, after) | told)


def _told(found: Import, outcome: ScheduleImported) -> dict[str, Any]:
    said = found.translation
    return {
        "added": outcome.new,
        "changed": outcome.changed,
        "removed": outcome.withdrawn,
        "unchanged": outcome.unchanged,
        "assigned": outcome.assigned,
        "over": outcome.over,
        "refused_count": outcome.refused_count,
        "quarantined_count": len(said.quarantined),
        "id": found.messages[-1].id,
        "import": outcome.import_id,
        "feed": said.feed,
        "format": said.format,
        "covers": [str(day) for day in (said.covers_from, said.covers_until) if day is not None],
        "quarantined": [_row(said, item, found.config) for item in said.quarantined[:SHOWN]],
        "warnings": [_row(said, item, found.config) for item in said.warnings[:SHOWN]],
        "refused": [_core_row(said, row, reason, found.config) for row, reason in outcome.refused],
    }


def _row(said: Translation, item: Quarantined, config: SiteConfig) -> dict[str, Any]:
    told = {"feed": said.feed, "row": item.item[:120], "detail": item.detail}
    step = next_step(item.reason, told, zone=config.zone)
    return {"table": said.feed, "row": item.item[:200], "reason": item.reason, "what": item.detail, "next": step}


def _double(found: work.Overlap, zone: str, now: datetime) -> dict[str, Any]:
    what, step = (text(found.code, found.params, zone=zone, now=now) for text in (sentence, next_step))
    row = f"{found.second.block.operating_day} {found.second.block.block}"
    return {"row": row, "reason": found.code, "what": what, "next": step}


def _core_row(said: Translation, row: str, reason: str, config: SiteConfig) -> dict[str, Any]:
    told = {"feed": said.feed, "row": row, "vehicle": row.rsplit(" ", 1)[-1], "detail": row}
    if reason == "vehicle_unknown":
        told["vehicle"] = next((b.vehicle or "?" for b in said.blocks if b.work == row), told["vehicle"])
    what = sentence(reason, told, zone=config.zone)
    return {"row": row, "reason": reason, "what": what, "next": next_step(reason, told, zone=config.zone)}


def _refused(found: Import, position: str | None) -> HttpResponse:
    """Nothing of it can be used: the problem, with the reason of what was set aside last, or of the file that lacks therefore."""
    said = found.translation
    last = said.quarantined[-1]
    lost = [item for item in said.quarantined if item.reason in FILE_LOST and last.reason == "table_missing"]
    if lost:
        last = lost[0]._replace(detail=f"{lost[0].detail}; {last.detail}")
    told = {"feed": said.feed, "row": last.item[:120], "detail": last.detail}
    rows = [_row(said, item, found.config) for item in said.quarantined[:SHOWN]]
    extra: dict[str, Any] = {"reason": last.reason, "quarantined": rows}
    if position is not None:
        extra |= {"evidence": found.evidence.id}
    return Problem(
        422,
        last.reason.replace("_", "-"),
        "Nothing of it can be used",
        last.detail,
        next_step(last.reason, told, zone=found.config.zone),
        {POSITION: position} if position is not None else {},
        extra,
    ).response(f"/api/v1/sites/{found.config.id}/schedules")
