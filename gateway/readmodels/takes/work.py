"""Rows of work and of the schedules that it comes from."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from core.messages import Message
from core.messages.work import ScheduleImported, ScheduleReceived, WorkAssigned, WorkPlanned, WorkWithdrawn
from gateway.readmodels.rows import Doc, Rows, rank, stamp
from gateway.readmodels.takes.shared import Take, head, key, plain, words


def _work(rows: Rows, message: Message, body: WorkPlanned) -> None:
    block = body.block
    known = rows.get("work", key(message.site, block.work)) or {}
    doc = {
        **block.model_dump(mode="json"),
        **head(message),
        "work": block.work,
        "vehicle": known.get("vehicle"),
        "stated_vehicle": block.vehicle,
        "state": "planned",
        "change": body.change,
        "fields": list(body.fields),
        "assigned_by": known.get("assigned_by"),
    }
    _put_work(rows, doc)


def _put_work(rows: Rows, doc: Doc) -> None:
    departs = datetime.fromisoformat(doc["departs"])
    returns = datetime.fromisoformat(doc["returns"]) if doc.get("returns") else departs
    rows.put("work", key(doc["site"], doc["work"]), doc, rank=rank(departs), begins=departs, ends=returns)


def _work_changed(rows: Rows, fact: Message, **fields: Any) -> None:
    known = rows.get("work", key(fact.site, fact.at.work or ""))
    if known is not None:
        _put_work(rows, known | fields)


def _withdrawn(rows: Rows, message: Message, body: WorkWithdrawn) -> None:
    _work_changed(rows, message, state="withdrawn", message=message.id)


def _assigned(rows: Rows, message: Message, body: WorkAssigned) -> None:
    _work_changed(rows, message, vehicle=body.vehicle, assigned_by=message.id)


def _received(rows: Rows, message: Message, body: ScheduleReceived) -> None:
    known = rows.get("imports", body.import_id) or {}
    doc = {**known, **plain(body), **head(message), "state": "received", "received": stamp(message.time)}
    rows.put("imports", body.import_id, doc, rank=rank(message.time, newest_first=True), begins=message.time)


def _imported(rows: Rows, message: Message, body: ScheduleImported) -> None:
    known = rows.get("imports", body.import_id) or {}
    refused = [
        {"row": row, "code": code, **words(rows, message, code, {"row": row, "feed": body.feed, "detail": row})}
        for row, code in body.refused
    ]
    doc = {**known, **plain(body), **head(message), "refused": refused, "state": "imported"}
    doc["imported"] = stamp(message.time)
    rows.put("imports", body.import_id, doc, rank=rank(message.time, newest_first=True), begins=message.time)


TAKES: Mapping[str, Take] = {
    "work.planned": _work,
    "work.withdrawn": _withdrawn,
    "work.assigned": _assigned,
    "schedule.received": _received,
    "schedule.imported": _imported,
}
