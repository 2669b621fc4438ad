"""Rows of departures: what each needs, and whether it will be ready."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from core.messages import Message
from core.messages.readiness import ReadinessAssessed
from core.messages.requirement import TOLERANCE, RequirementComputed, RequirementWithdrawn
from gateway.readmodels.rows import Doc, Rows, rank, stamp
from gateway.readmodels.takes import vehicles
from gateway.readmodels.takes.shared import Take, head, key, plain, words, zone_of


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
    place = key(message.site, body.vehicle, stamp(body.departs))
    rows.put("requirements", place, doc, rank=rank(body.departs), begins=body.deadline, ends=body.departs)


def _not_required(rows: Rows, message: Message, body: RequirementWithdrawn) -> None:
    place = key(message.site, body.vehicle, stamp(body.departs))
    known = rows.get("requirements", place)
    if known is not None:
        doc = known | {"state": "withdrawn", "withdrawn_by": message.id, "withdrawn_for": body.reason}
        rows.put("requirements", place, doc, rank=rank(body.departs), begins=body.departs, ends=body.departs)
    assessed = rows.get("readiness", place)
    if assessed is not None and not assessed["final"]:
        rows.drop("readiness", place)
        _forget_departure(rows, message, body)


def _forget_departure(rows: Rows, message: Message, body: RequirementWithdrawn) -> None:
    """A departure that was taken back before its outcome is shown nowhere."""
    vehicle = vehicles.row(rows, message.site, body.vehicle)
    if vehicle["departure"] == stamp(body.departs):
        vehicles.put(rows, vehicle | dict.fromkeys(("departure", "readiness", "reason", "next")))


def _assessed(rows: Rows, message: Message, body: ReadinessAssessed) -> None:
    first = body.reasons[0] if body.reasons else None
    told: Mapping[str, Any] = {"code": None, "reason": None, "next": None}
    if first is not None:
        told = words(rows, message, first.code, {"vehicle": body.vehicle, "departs": body.departs} | first.params)
    doc = {
        **plain(body),
        **head(message),
        **told,
        "departure": stamp(body.departs),
        "readiness": body.state,
        "work": message.at.work,
        "session": message.at.session,
        "station": message.at.station,
        "evse": message.at.evse,
        "soc_at_departure": body.soc if body.final else None,
        "soc_required": round(max(0.0, body.soc_goal - TOLERANCE), 4),
        "assessed": stamp(message.time),
        "zone": zone_of(rows, message.site),
    }
    doc["reasons"] = [words(rows, message, r.code, {"vehicle": body.vehicle} | r.params) for r in body.reasons]
    place = key(message.site, body.vehicle, stamp(body.departs))
    known = rows.get("readiness", place)
    doc["since"] = known["since"] if known and known["state"] == body.state else stamp(message.time)
    rows.put("readiness", place, doc, rank=rank(body.departs), begins=body.departs, ends=body.departs)
    _next_departure(rows, message, body, doc)


def _next_departure(rows: Rows, message: Message, body: ReadinessAssessed, told: Doc) -> None:
    """A vehicle's row shows its open departure, else the last one."""
    doc = vehicles.row(rows, message.site, body.vehicle)
    shown, departs = doc["departure"], stamp(body.departs) or ""
    row = None if shown is None else rows.get("readiness", key(message.site, body.vehicle, shown))
    open_one = row is not None and not row["final"]
    if shown is not None and shown != departs and (shown < departs) == open_one:
        return
    fields = ("departure", "readiness", "reason", "next", "soc_goal", "soc_expected", "ready_at", "short_kwh")
    vehicles.put(rows, doc | {name: told[name] for name in fields} | {"readiness_by": message.id})


TAKES: Mapping[str, Take] = {
    "requirement.computed": _required,
    "requirement.withdrawn": _not_required,
    "readiness.assessed": _assessed,
}
