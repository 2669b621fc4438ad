"""Rows of bays: their status, and which vehicle stands there."""

from __future__ import annotations

from collections.abc import Mapping

from core.messages import Message
from core.messages.station import ConnectorStatusChanged
from core.messages.vehicle import VehicleIdentified
from gateway.readmodels.rows import Doc, Rows, stamp
from gateway.readmodels.takes import sessions, stations, vehicles
from gateway.readmodels.takes.shared import Take


def _status(rows: Rows, message: Message, body: ConnectorStatusChanged) -> None:
    doc = stations.at(rows, message)
    whole = not message.at.evse
    bay = doc if whole else stations.bay_at(doc, message.at.evse)
    if (bay.get("status_at") or "") > (stamp(message.time) or ""):
        return
    bay |= {"status": body.status, "charging_state": body.charging_state, "error": body.error, "detail": body.detail}
    bay |= {"status_at": stamp(message.time), "status_by": message.id}
    doc["last_seen"] = stamp(message.recorded)
    if body.status == "available" and not whole:
        _leave(rows, message, bay)
    stations.put(rows, doc)


def _leave(rows: Rows, message: Message, bay: Doc) -> None:
    """The plug is out: whoever stood there no longer does."""
    vehicle, station, evse = bay["vehicle"], message.at.station, message.at.evse
    bay |= {"vehicle": None, "session": None, "measured_kw": None, "by": None}
    if vehicle is None:
        return
    doc = vehicles.row(rows, message.site, vehicle)
    if (doc["station"], doc["evse"]) == (station, evse):
        vehicles.put(rows, doc | {"station": None, "evse": None, "connector": None})


def _identified(rows: Rows, message: Message, body: VehicleIdentified) -> None:
    at = message.at
    doc = stations.at(rows, message)
    bay = stations.bay_at(doc, at.evse)
    if bay["vehicle"] not in (None, body.vehicle):
        before = bay["session"]
        _leave(rows, message, bay)
        bay["session"] = before
    bay |= {"vehicle": body.vehicle, "by": body.by, "identified_by": message.id}
    stations.put(rows, doc)
    if body.vehicle is not None:
        place = {"station": at.station, "evse": at.evse, "connector": bay["name"] or at.station, "by": body.by}
        vehicles.put(rows, vehicles.row(rows, message.site, body.vehicle) | place | {"message": message.id})
    session = rows.get("sessions", bay["session"]) if bay["session"] else None
    if session is not None:
        sessions.put(rows, session | {"vehicle": body.vehicle})
        if body.vehicle is not None and session.get("charge"):
            vehicles.charged(rows, message.site, body.vehicle, session["charge"])


TAKES: Mapping[str, Take] = {"connector.status_changed": _status, "vehicle.identified": _identified}
