"""What each fact changes in the rows: one small function per fact, in one table."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

from core.messages import Message
from core.messages.base import Body
from core.messages.commercial import RecordPriced
from core.messages.envelope import EnvelopeComputed
from core.messages.grid import MeterSampled, SourceContacted, SourceStateChanged
from core.messages.incident import IncidentOpened, IncidentResolved, IncidentUpdated
from core.messages.reasons import next_step, sentence
from core.messages.requirement import RequirementComputed, RequirementWithdrawn
from core.messages.work import ScheduleImported, ScheduleReceived, WorkAssigned, WorkPlanned, WorkWithdrawn
from gateway.readmodels.redact import redacted
from gateway.readmodels.rows import Doc, Rows, rank, stamp

Take = Callable[[Rows, Message, Any], None]
LAST = 2**62
"""Behind everything: the rank of what is over."""


def head(message: Message) -> Doc:
    """What every row has: its site, and the message that it follows from."""
    return {"site": message.site, "message": message.id}


def plain(body: Body) -> Doc:
    """A body as plain data, identifiers shortened."""
    data: Doc = redacted(body.model_dump(mode="json"))
    return data


def words(rows: Rows, message: Message, code: str, params: Mapping[str, Any]) -> Doc:
    """A reason with its sentence and next step, in the site's zone."""
    site = rows.get("sites", message.site)
    zone = site["zone"] if site else "UTC"
    return {
        "code": code,
        "reason": sentence(code, params, zone=zone, now=message.time),
        "next": next_step(code, params, zone=zone, now=message.time),
    }


def _work(rows: Rows, message: Message, body: WorkPlanned) -> None:
    block = body.block
    known = rows.get("work", _work_key(message.site, block.work)) or {}
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


def _work_key(site: str, work: str) -> str:
    return f"{site}|{work}"


def _put_work(rows: Rows, doc: Doc) -> None:
    departs = datetime.fromisoformat(doc["departs"])
    returns = datetime.fromisoformat(doc["returns"]) if doc.get("returns") else departs
    rows.put("work", _work_key(doc["site"], doc["work"]), doc, rank=rank(departs), begins=departs, ends=returns)


def _work_changed(rows: Rows, fact: Message, **fields: Any) -> None:
    known = rows.get("work", _work_key(fact.site, fact.at.work or ""))
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


def _required(rows: Rows, message: Message, body: RequirementComputed) -> None:
    doc = {
        **plain(body),
        **head(message),
        "departure": stamp(body.departs),
        "work": body.works[0] if body.works else None,
        "state": "open",
    }
    if body.reason:
        doc |= words(rows, message, body.reason, {"vehicle": body.vehicle, "departs": body.departs})
    key = f"{message.site}|{body.vehicle}|{stamp(body.departs)}"
    rows.put("requirements", key, doc, rank=rank(body.departs), begins=body.deadline, ends=body.departs)


def _not_required(rows: Rows, message: Message, body: RequirementWithdrawn) -> None:
    key = f"{message.site}|{body.vehicle}|{stamp(body.departs)}"
    known = rows.get("requirements", key)
    if known is not None:
        doc = known | {"state": "withdrawn", "withdrawn_by": message.id, "withdrawn_for": body.reason}
        rows.put("requirements", key, doc, rank=rank(body.departs), begins=body.departs, ends=body.departs)
    assessed = rows.get("readiness", key)
    if assessed is not None and not assessed["final"]:
        rows.drop("readiness", key)
        _forget_departure(rows, message, body)


def _forget_departure(rows: Rows, message: Message, body: RequirementWithdrawn) -> None:
    """A departure that was taken back before its outcome is shown nowhere."""
    key = f"{message.site}|{body.vehicle}"
    vehicle = rows.get("vehicles", key)
    if vehicle is not None and vehicle["departure"] == stamp(body.departs):
        gone = dict.fromkeys(("departure", "readiness", "reason", "next"))
        rows.put("vehicles", key, vehicle | gone, rank=2**61)


def _enveloped(rows: Rows, message: Message, body: EnvelopeComputed) -> None:
    """What was computed replaces everything from its moment on; what has passed stays as it held."""
    now = message.time
    for key, known in list(rows.where("envelope", site=message.site, ends_after=now)):
        begins = datetime.fromisoformat(known["from"])
        if begins >= now:
            rows.drop("envelope", key)
        else:
            doc = known | {"to": stamp(now)}
            rows.put("envelope", key, doc, rank=rank(begins), begins=begins, ends=now)
    for segment in body.segments:
        begins = max(segment.begins, now)
        if segment.ends <= begins:
            continue
        doc = {
            **head(message),
            "node": segment.node,
            "from": stamp(begins),
            "to": stamp(segment.ends),
            "import_kw": segment.import_kw,
            "binding_source": segment.binding_source,
            "runner_up": segment.runner_up,
            "fallback": segment.fallback,
            "revision": body.revision,
        }
        key = f"{message.site}|{segment.node}|{stamp(begins)}"
        rows.put("envelope", key, doc, rank=rank(begins), begins=begins, ends=segment.ends)


def _planned(rows: Rows, message: Message, body: Body) -> None:
    doc = {**plain(body), **head(message), "kind": "plan", "time": stamp(message.time)}
    for outcome in doc["outcomes"]:
        if outcome["reason"]:
            told = words(rows, message, outcome["reason"], outcome)
            outcome |= {"what": told["reason"], "next": told["next"]}
    rows.put("allocations", message.id, doc, rank=rank(message.time, newest_first=True), begins=message.time)


def _allocated(rows: Rows, message: Message, body: Body) -> None:
    at = message.at
    doc = {**plain(body), **head(message), "kind": "assigned", "time": stamp(message.time)}
    doc |= {"station": at.station, "evse": at.evse, "work": at.work, "session": at.session, "departure": stamp(at.ends)}
    if doc.get("reason"):
        told = words(rows, message, doc["reason"], {"vehicle": doc["vehicle"], "needed_kwh": doc["needed_kwh"]})
        doc |= {"code": told["code"], "reason": told["reason"], "next": told["next"]}
    rows.put("allocations", message.id, doc, rank=rank(message.time, newest_first=True), begins=message.time)


def _incident(rows: Rows, message: Message, body: IncidentOpened | IncidentUpdated) -> None:
    known = rows.get("incidents", body.incident)
    opened = message.time if known is None else datetime.fromisoformat(known["opened"])
    doc = {
        **(known or {}),
        **plain(body),
        **head(message),
        **words(rows, message, body.kind, body.params),
        "opened": stamp(opened),
        "resolved": None,
        "state": "open",
        "station": message.at.station,
        "vehicle": message.at.vehicle,
        "node": message.at.node,
        "session": message.at.session,
        "opened_by": known["opened_by"] if known else message.id,
    }
    rows.put("incidents", body.incident, doc, rank=rank(opened, newest_first=True), begins=opened)


def _incident_over(rows: Rows, message: Message, body: IncidentResolved) -> None:
    known = rows.get("incidents", body.incident) or {
        **plain(body),
        **words(rows, message, body.kind, body.params),
        "opened": stamp(body.opened),
        "opened_by": None,
    }
    doc = known | head(message) | {"resolved": stamp(message.time), "state": "resolved"}
    order = LAST + rank(body.opened, newest_first=True)
    rows.put("incidents", body.incident, doc, rank=order, begins=body.opened, ends=message.time)


def _record(rows: Rows, message: Message, body: RecordPriced) -> None:
    doc = {**plain(body), **head(message), "station": message.at.station, "evse": message.at.evse}
    doc |= {"energy_kwh": float(body.energy_kwh), "cost": float(body.cost), "from": stamp(body.begins)}
    doc |= {"to": stamp(body.ends), "cost_exact": str(body.cost)}
    if body.status == "incomplete":
        doc |= words(rows, message, "register_missing", {"session": body.session, "edge": "start or end"})
    key = f"{body.session}|{body.tariff}"
    rows.put("records", key, doc, rank=rank(body.ends, newest_first=True), begins=body.begins, ends=body.ends)


def _meter(rows: Rows, message: Message, body: MeterSampled) -> None:
    meter = message.at.meter or ""
    doc = {**plain(body), **head(message), "meter": meter, "node": message.at.node, "time": stamp(message.time)}
    key = f"{message.site}|meter:{meter}|{stamp(message.time)}"
    rows.put("samples", key, doc, rank=rank(message.time), begins=message.time, ends=message.time)
    site = rows.get("sites", message.site)
    if site is None or body.import_kw is None:
        return
    name = "measured" if body.measures == "import" and message.at.node in (None, site.get("node")) else "building"
    if body.measures == "import" and name == "building":
        return
    if (site.get(f"{name}_at") or "") < (stamp(message.time) or ""):
        site |= {f"{name}_kw": body.import_kw, f"{name}_at": stamp(message.time), f"{name}_by": message.id}
        rows.put("sites", message.site, site)


def _contacted(rows: Rows, message: Message, body: SourceContacted) -> None:
    key = f"{message.site}|{body.source}"
    known = rows.get("sources", key) or {"source": body.source, "state": "fallback"}
    doc = known | head(message) | {"contacted": stamp(message.time), "fresh_until": stamp(message.fresh_until)}
    rows.put("sources", key, doc)


def _source(rows: Rows, message: Message, body: SourceStateChanged) -> None:
    key = f"{message.site}|{body.source}"
    known = rows.get("sources", key) or {}
    doc = known | head(message) | {"source": body.source, "state": body.state, "since": stamp(message.time)}
    if body.reason:
        doc |= words(rows, message, body.reason, {"source": body.source, "since": message.time})
    rows.put("sources", key, doc)


TAKES: Mapping[str, Take] = {
    "work.planned": _work,
    "work.withdrawn": _withdrawn,
    "work.assigned": _assigned,
    "schedule.received": _received,
    "schedule.imported": _imported,
    "requirement.computed": _required,
    "requirement.withdrawn": _not_required,
    "envelope.computed": _enveloped,
    "allocation.planned": _planned,
    "allocation.assigned": _allocated,
    "incident.opened": _incident,
    "incident.updated": _incident,
    "incident.resolved": _incident_over,
    "record.priced": _record,
    "meter.sampled": _meter,
    "source.contacted": _contacted,
    "source.state_changed": _source,
}
"""What each fact about work, plans, limits and money changes."""
