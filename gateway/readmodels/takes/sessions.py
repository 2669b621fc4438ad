"""Rows of sessions and of their samples."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from core.messages import Message
from core.messages.session import SessionEnded, SessionMetered, SessionStarted, SessionUpdated, session_id
from gateway.readmodels.redact import shortened
from gateway.readmodels.rows import Doc, Rows, rank, stamp
from gateway.readmodels.takes import stations, vehicles
from gateway.readmodels.takes.shared import Take, head, key


def put(rows: Rows, doc: Doc) -> None:
    """Keep a session's row: the newest first."""
    started = datetime.fromisoformat(doc["started"])
    ended = datetime.fromisoformat(doc["ended"]) if doc["ended"] else None
    rows.put("sessions", doc["session"], doc, rank=rank(started, newest_first=True), begins=started, ends=ended)


def _opened(rows: Rows, message: Message, transaction: str) -> tuple[Doc, Doc]:
    """The rows of the session that a fact is about, and of its station."""
    station = stations.at(rows, message)
    return _session(rows, message, _session_key(message, transaction) or "", station), station


def _kept(rows: Rows, message: Message, doc: Doc, station: Doc) -> None:
    put(rows, doc)
    stations.put(rows, station | {"last_seen": stamp(message.recorded)})


def _session_key(message: Message, transaction: str | None) -> str | None:
    if message.at.session:
        return message.at.session
    return session_id(message.at.station or "", transaction) if transaction else None


def _session(rows: Rows, message: Message, session: str, station: Doc) -> Doc:
    """The session's row; an update or sample of an unknown one opens it."""
    known = rows.get("sessions", session)
    if known is not None:
        return known
    return {
        **head(message),
        "session": session,
        "station": message.at.station,
        "evse": message.at.evse,
        "vehicle": stations.bay_at(station, message.at.evse)["vehicle"],
        "token": None,
        "started": stamp(message.time),
        "ended": None,
        "energy_kwh": None,
        "power_kw": None,
        "soc": None,
        "soc_start": None,
        "state": "open",
        "adopted": True,
    }


def _started(rows: Rows, message: Message, body: SessionStarted) -> None:
    doc, station = _opened(rows, message, body.transaction)
    if not doc.get("adopted"):
        return
    doc |= {"started": stamp(message.time), "meter_start_wh": body.meter_wh, "message": message.id, "adopted": False}
    _energy(doc, doc.get("meter_wh"))
    doc["token"] = shortened(body.token) if body.token else doc["token"]
    if message.at.evse is not None:
        doc["evse"] = message.at.evse
        if doc["ended"] is None:
            _runs(rows, message, doc, stations.bay_at(station, message.at.evse))
    _kept(rows, message, doc, station)


def _runs(rows: Rows, message: Message, doc: Doc, bay: Doc) -> None:
    """At a bay the session runs that began last; the one before is over, as in `core/sessions.py`."""
    other = rows.get("sessions", bay["session"] or "")
    if other is not None and other["session"] != doc["session"] and other["ended"] is None:
        if other["started"] > doc["started"]:
            return
        put(rows, other | {"ended": stamp(message.time), "state": "ended", "power_kw": None, "cut": True})
    bay["session"] = doc["session"]


def _updated(rows: Rows, message: Message, body: SessionUpdated) -> None:
    doc, station = _opened(rows, message, body.transaction)
    doc |= {"charging_state": body.charging_state or doc.get("charging_state"), "message": message.id}
    doc["token"] = shortened(body.token) if body.token else doc["token"]
    _kept(rows, message, doc, station)


def _ended(rows: Rows, message: Message, body: SessionEnded) -> None:
    doc, station = _opened(rows, message, body.transaction)
    if doc["ended"] is not None and not doc.get("cut"):
        return
    doc |= {"cut": False} if doc.get("cut") else {}
    doc |= {"ended": stamp(message.time), "end_reason": body.reason, "state": "ended", "message": message.id}
    doc |= {"power_kw": None, "meter_end_wh": body.meter_wh}
    _energy(doc, body.meter_wh)
    bay = stations.bay_at(station, doc["evse"])
    if bay["session"] == doc["session"]:
        bay |= {"session": None, "measured_kw": 0.0 if bay["measured_kw"] is not None else None}
    _kept(rows, message, doc, station)


def _energy(doc: Doc, register: float | None) -> None:
    """Energy is the difference of registers; without one at the start, the first one seen while it ran stands in."""
    if register is None:
        return
    doc["meter_wh"] = max(register, doc.get("meter_wh") or 0.0)
    if doc.get("meter_start_wh") is None and doc["ended"] is None:
        doc["meter_start_wh"] = register
    if doc.get("meter_start_wh") is not None:
        taken = round((register - doc["meter_start_wh"]) / 1000, 4)
        doc["energy_kwh"] = max(taken, doc["energy_kwh"] or 0.0)


def _metered(rows: Rows, message: Message, body: SessionMetered) -> None:
    at = message.at
    station = stations.at(rows, message)
    bay = stations.bay_at(station, at.evse)
    session = _session_key(message, body.transaction) or bay["session"]
    moment = stamp(message.time)
    if body.power_kw is not None and (bay.get("measured_at") or "") <= (moment or ""):
        bay |= {"measured_kw": body.power_kw, "measured_at": moment, "measured_by": message.id}
    stations.put(rows, station | {"last_seen": stamp(message.recorded)})
    vehicle = bay["vehicle"]
    if session is not None:
        doc = _session(rows, message, session, station)
        vehicle = doc["vehicle"] or vehicle
        doc["vehicle"] = vehicle
        if doc["ended"] is not None and (stamp(message.time) or "") > doc["ended"]:
            return
        if _sampled(doc, message, body):
            _keep_sample(rows, message, doc)
        put(rows, doc)
    if vehicle is not None and body.soc is not None:
        vehicles.charged(rows, message.site, vehicle, _charge(message, body))


def _charge(message: Message, body: SessionMetered) -> Doc:
    return {"soc": body.soc, "soc_at": stamp(message.time), "soc_source": message.at.station, "soc_by": message.id}


def _sampled(doc: Doc, message: Message, body: SessionMetered) -> bool:
    """Whether the sample is no older than what the session has; then it is taken."""
    if (doc.get("sampled") or "") > (stamp(message.time) or ""):
        return False
    doc |= {"sampled": stamp(message.time), "sampled_by": message.id}
    _energy(doc, body.energy_wh)
    if body.power_kw is not None and doc["ended"] is None:
        doc["power_kw"] = body.power_kw
    if body.soc is not None:
        doc |= {"soc": body.soc, "soc_start": body.soc if doc["soc_start"] is None else doc["soc_start"]}
        doc["charge"] = _charge(message, body)
    return True


def _keep_sample(rows: Rows, message: Message, session: Doc) -> None:
    """One row per session and minute: what the session's newest values were; nothing is read for it."""
    doc = {
        **head(message),
        **{name: session[name] for name in ("session", "station", "evse", "vehicle", "power_kw", "energy_kwh", "soc")},
        "time": stamp(message.time),
    }
    place = key(session["session"], stamp(message.time.replace(second=0, microsecond=0)))
    rows.put("samples", place, doc, rank=rank(message.time), begins=message.time, ends=message.time)


TAKES: Mapping[str, Take] = {
    "session.started": _started,
    "session.updated": _updated,
    "session.metered": _metered,
    "session.ended": _ended,
}
