"""Rows of the things that stand in a depot: sites, stations with their bays, vehicles, sessions."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from core.messages import Message
from core.messages.base import Body
from core.messages.command import CommandConfirmed, CommandWished
from core.messages.gateway import GatewayStarted
from core.messages.readiness import ReadinessAssessed
from core.messages.session import SessionEnded, SessionMetered, SessionStarted, SessionUpdated, session_id
from core.messages.site import SiteConfig, SiteConfigured
from core.messages.station import (
    ConnectorStatusChanged,
    StationAdmitted,
    StationBooted,
    StationConnected,
    StationDisconnected,
    StationKnocked,
    StationLimited,
)
from core.messages.vehicle import VehicleIdentified, VehicleRead
from gateway.readmodels.concepts import Take, head, plain, words
from gateway.readmodels.redact import shortened
from gateway.readmodels.rows import Doc, Rows, rank, stamp

TOLERANCE = 0.005
"""So much less than the goal still counts as met; see `core/readiness`."""


def _key(site: str, name: str) -> str:
    return f"{site}|{name}"


def _configured(rows: Rows, message: Message, body: SiteConfigured) -> None:
    config = body.config
    root = next((n for n in config.nodes if n.parent is None), None)
    known = rows.get("sites", message.site) or {}
    doc: Doc = {
        **known,
        **head(message),
        "id": config.id,
        "name": config.name or config.id,
        "zone": config.zone,
        "node": root.id if root else None,
        "rating_kw": root.limit_kw if root else None,
        "currency": config.tariff.currency,
        "digest": body.digest,
        "nodes": [node.model_dump(mode="json") for node in config.nodes],
        "sources": {source.id: source.node for source in config.sources},
    }
    rows.put("sites", message.site, doc)
    _declared_stations(rows, message, config)
    _declared_vehicles(rows, message, config)


def _declared_stations(rows: Rows, message: Message, config: SiteConfig) -> None:
    declared = {station.id: station for station in config.stations}
    for key, doc in list(rows.where("stations", site=message.site)):
        if doc["station"] not in declared and doc["declared"]:
            rows.put("stations", key, doc | {"declared": False, "node": None})
    for station in config.stations:
        doc = _station(rows, message.site, station.id)
        doc |= {"declared": True, "node": station.node, "safe_kw": station.safe_kw, "configured_by": message.id}
        for connector in station.connectors:
            bay = doc["evses"].setdefault(str(connector.evse), _bay())
            bay |= {"name": connector.name, "max_kw": connector.max_kw}
        _put_station(rows, doc)


def _declared_vehicles(rows: Rows, message: Message, config: SiteConfig) -> None:
    declared = {vehicle.id for vehicle in config.vehicles}
    for key, doc in list(rows.where("vehicles", site=message.site)):
        if doc["vehicle"] not in declared and doc["declared"]:
            rows.put("vehicles", key, doc | {"declared": False})
    for vehicle in config.vehicles:
        doc = _vehicle(rows, message.site, vehicle.id)
        doc |= {"declared": True, "type": vehicle.type, "priority": vehicle.priority}
        doc |= {"cost_centre": vehicle.cost_centre, "message": message.id}
        _put_vehicle(rows, doc)


def _bay() -> Doc:
    return {"name": "", "max_kw": None, "status": "unknown", "vehicle": None, "session": None, "measured_kw": None}


def _bay_at(doc: Doc, evse: int | None) -> Doc:
    """The bay that a fact is about: as it says, else the only one; of several unnamed ones none, so nothing is kept."""
    if evse:
        found: Doc = doc["evses"].setdefault(str(evse), _bay())
        return found
    return next(iter(doc["evses"].values())) if len(doc["evses"]) == 1 else _bay()


def _station(rows: Rows, site: str, station: str) -> Doc:
    known = rows.get("stations", _key(site, station))
    if known is not None:
        return known | {"evses": {evse: dict(bay) for evse, bay in known["evses"].items()}}
    return {
        "site": site,
        "station": station,
        "node": None,
        "declared": False,
        "connected": False,
        "version": None,
        "since": None,
        "safe_kw": 0.0,
        "evses": {},
        "command": None,
        "wish": None,
        "confirmed": None,
        "hand": None,
        "last_seen": None,
    }


def _put_station(rows: Rows, doc: Doc) -> None:
    rows.put("stations", _key(doc["site"], doc["station"]), doc)


def _vehicle(rows: Rows, site: str, vehicle: str) -> Doc:
    return rows.get("vehicles", _key(site, vehicle)) or {
        "site": site,
        "vehicle": vehicle,
        "declared": False,
        "type": None,
        "soc": None,
        "soc_at": None,
        "soc_source": None,
        "station": None,
        "evse": None,
        "connector": None,
        "departure": None,
        "readiness": None,
        "reason": None,
        "next": None,
    }


def _put_vehicle(rows: Rows, doc: Doc) -> None:
    departure = doc.get("departure")
    order = rank(datetime.fromisoformat(departure)) if departure else 2**61
    rows.put("vehicles", _key(doc["site"], doc["vehicle"]), doc, rank=order)


def _admitted(rows: Rows, message: Message, body: StationAdmitted) -> None:
    doc = _station(rows, message.site, body.station)
    if doc["declared"]:
        return
    doc |= {"declared": True, "node": body.node, "safe_kw": body.safe_kw, "admitted_by": body.who}
    doc["configured_by"] = message.id
    for connector in body.connectors:
        bay = doc["evses"].setdefault(str(connector.evse), _bay())
        bay |= {"name": connector.name, "max_kw": connector.max_kw}
    _put_station(rows, doc)


def _connected(rows: Rows, message: Message, body: StationConnected) -> None:
    doc = _station(rows, message.site, message.at.station or "")
    doc |= {"connected": True, "version": body.version, "since": stamp(message.time), "message": message.id}
    doc |= {"gateway": body.gateway, "epoch": body.epoch, "connection": body.connection, "address": body.address}
    doc["last_seen"] = stamp(message.time)
    _put_station(rows, doc)


def _disconnected(rows: Rows, message: Message, body: StationDisconnected) -> None:
    doc = _station(rows, message.site, message.at.station or "")
    held = (doc.get("gateway"), doc.get("epoch"), doc.get("connection"))
    if held == (body.gateway, body.epoch, body.connection):
        _lost(rows, doc, message)


def _lost(rows: Rows, doc: Doc, message: Message) -> None:
    _put_station(rows, doc | {"connected": False, "since": stamp(message.time), "message": message.id})


def _gateway(rows: Rows, message: Message, body: GatewayStarted) -> None:
    """Connections of that gateway's earlier epochs are lost."""
    for _, doc in list(rows.where("stations", site=message.site)):
        if doc["connected"] and doc.get("gateway") == body.gateway and doc.get("epoch", 0) < body.epoch:
            _lost(rows, doc, message)


def _booted(rows: Rows, message: Message, body: StationBooted) -> None:
    doc = _station(rows, message.site, message.at.station or "")
    doc |= {"vendor": body.vendor, "model": body.model, "serial": body.serial, "firmware": body.firmware}
    doc |= {"booted": stamp(message.time), "last_seen": stamp(message.time)}
    _put_station(rows, doc)


def _seen(rows: Rows, message: Message, body: Body) -> None:
    doc = _station(rows, message.site, message.at.station or "")
    _put_station(rows, doc | {"last_seen": stamp(message.time), "fresh_until": stamp(message.fresh_until)})


def _status(rows: Rows, message: Message, body: ConnectorStatusChanged) -> None:
    doc = _station(rows, message.site, message.at.station or "")
    whole = not message.at.evse
    bay = doc if whole else _bay_at(doc, message.at.evse)
    if (bay.get("status_at") or "") > (stamp(message.time) or ""):
        return
    bay |= {"status": body.status, "charging_state": body.charging_state, "error": body.error, "detail": body.detail}
    bay |= {"status_at": stamp(message.time), "status_by": message.id}
    doc["last_seen"] = stamp(message.recorded)
    if body.status == "available" and not whole:
        _leave(rows, message, bay)
    _put_station(rows, doc)


def _leave(rows: Rows, message: Message, bay: Doc) -> None:
    """The plug is out: whoever stood there no longer does."""
    vehicle, station, evse = bay["vehicle"], message.at.station, message.at.evse
    bay |= {"vehicle": None, "session": None, "measured_kw": None, "by": None}
    if vehicle is None:
        return
    doc = _vehicle(rows, message.site, vehicle)
    if (doc["station"], doc["evse"]) == (station, evse):
        _put_vehicle(rows, doc | {"station": None, "evse": None, "connector": None})


def _identified(rows: Rows, message: Message, body: VehicleIdentified) -> None:
    at = message.at
    doc = _station(rows, message.site, at.station or "")
    bay = _bay_at(doc, at.evse)
    if bay["vehicle"] not in (None, body.vehicle):
        before = bay["session"]
        _leave(rows, message, bay)
        bay["session"] = before
    bay |= {"vehicle": body.vehicle, "by": body.by, "identified_by": message.id}
    _put_station(rows, doc)
    if body.vehicle is not None:
        place = {"station": at.station, "evse": at.evse, "connector": bay["name"] or at.station, "by": body.by}
        _put_vehicle(rows, _vehicle(rows, message.site, body.vehicle) | place | {"message": message.id})
    session = rows.get("sessions", bay["session"]) if bay["session"] else None
    if session is not None:
        _put_session(rows, session | {"vehicle": body.vehicle})
        if body.vehicle is not None and session.get("charge"):
            _charge_read(rows, message.site, body.vehicle, session["charge"])


def _read(rows: Rows, message: Message, body: VehicleRead) -> None:
    if message.at.vehicle is None:
        return
    doc = _vehicle(rows, message.site, message.at.vehicle)
    if body.soc is not None and (doc["soc_at"] or "") < (stamp(message.time) or ""):
        doc |= {"soc": body.soc, "soc_at": stamp(message.time), "soc_source": message.source, "soc_by": message.id}
    if body.odometer_km is not None:
        doc["odometer_km"] = body.odometer_km
    _put_vehicle(rows, doc)


def _session_key(message: Message, transaction: str | None) -> str | None:
    if message.at.session:
        return message.at.session
    return session_id(message.at.station or "", transaction) if transaction else None


def _put_session(rows: Rows, doc: Doc) -> None:
    started = datetime.fromisoformat(doc["started"])
    ended = datetime.fromisoformat(doc["ended"]) if doc["ended"] else None
    rows.put("sessions", doc["session"], doc, rank=rank(started, newest_first=True), begins=started, ends=ended)


def _session(rows: Rows, message: Message, key: str, station: Doc) -> Doc:
    """The session's row; an update or sample of an unknown one opens it."""
    known = rows.get("sessions", key)
    if known is not None:
        return known
    evse = message.at.evse
    bay = _bay_at(station, evse)
    return {
        **head(message),
        "session": key,
        "station": message.at.station,
        "evse": evse,
        "vehicle": bay["vehicle"],
        "token": None,
        "started": stamp(message.time),
        "ended": None,
        "energy_kwh": None,
        "power_kw": None,
        "soc": None,
        "soc_start": None,
        "state": "open",
    }


def _started(rows: Rows, message: Message, body: SessionStarted) -> None:
    key = _session_key(message, body.transaction) or ""
    station = _station(rows, message.site, message.at.station or "")
    doc = _session(rows, message, key, station)
    doc |= {"started": stamp(message.time), "meter_start_wh": body.meter_wh, "message": message.id}
    doc |= {"token": shortened(body.token) if body.token else doc["token"]}
    if message.at.evse is not None:
        doc["evse"] = message.at.evse
        if doc["ended"] is None:
            _bay_at(station, message.at.evse)["session"] = key
    _put_session(rows, doc)
    _put_station(rows, station | {"last_seen": stamp(message.recorded)})


def _updated(rows: Rows, message: Message, body: SessionUpdated) -> None:
    key = _session_key(message, body.transaction) or ""
    station = _station(rows, message.site, message.at.station or "")
    doc = _session(rows, message, key, station)
    doc |= {"charging_state": body.charging_state or doc.get("charging_state"), "message": message.id}
    doc["token"] = shortened(body.token) if body.token else doc["token"]
    _put_session(rows, doc)
    _put_station(rows, station | {"last_seen": stamp(message.recorded)})


def _ended(rows: Rows, message: Message, body: SessionEnded) -> None:
    key = _session_key(message, body.transaction) or ""
    station = _station(rows, message.site, message.at.station or "")
    doc = _session(rows, message, key, station)
    doc |= {"ended": stamp(message.time), "end_reason": body.reason, "state": "ended", "message": message.id}
    doc["power_kw"] = None
    _energy(doc, body.meter_wh)
    bay = _bay_at(station, doc["evse"])
    if bay["session"] == key:
        bay |= {"session": None, "measured_kw": 0.0 if bay["measured_kw"] is not None else None}
    _put_session(rows, doc)
    _put_station(rows, station | {"last_seen": stamp(message.recorded)})


def _energy(doc: Doc, register: float | None) -> None:
    """Energy is the difference of registers; without one at the start, the first one seen stands in."""
    if register is None:
        return
    if doc.get("meter_start_wh") is None:
        doc["meter_start_wh"] = register
    taken = round((register - doc["meter_start_wh"]) / 1000, 4)
    doc["energy_kwh"] = max(taken, doc["energy_kwh"] or 0.0)


def _metered(rows: Rows, message: Message, body: SessionMetered) -> None:
    at = message.at
    station = _station(rows, message.site, at.station or "")
    bay = _bay_at(station, at.evse)
    key = _session_key(message, body.transaction) or bay["session"]
    moment = stamp(message.time)
    if body.power_kw is not None and (bay.get("measured_at") or "") <= (moment or ""):
        bay |= {"measured_kw": body.power_kw, "measured_at": moment, "measured_by": message.id}
    _put_station(rows, station | {"last_seen": stamp(message.recorded)})
    vehicle = bay["vehicle"]
    if key is not None:
        doc = _session(rows, message, key, station)
        vehicle = doc["vehicle"] or vehicle
        doc["vehicle"] = vehicle
        if _sampled(doc, message, body):
            _keep_sample(rows, message, doc)
        _put_session(rows, doc)
    if vehicle is not None and body.soc is not None:
        _charge_read(rows, message.site, vehicle, _charge(message, body))


def _charge(message: Message, body: SessionMetered) -> Doc:
    return {"soc": body.soc, "soc_at": stamp(message.time), "soc_source": message.at.station, "soc_by": message.id}


def _charge_read(rows: Rows, site: str, vehicle: str, charge: Doc) -> None:
    """A vehicle's state of charge, where it is newer than what its row has."""
    known = _vehicle(rows, site, vehicle)
    if (known["soc_at"] or "") < (charge["soc_at"] or ""):
        _put_vehicle(rows, known | charge)


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
    minute = message.time.replace(second=0, microsecond=0)
    doc = {
        **head(message),
        **{name: session[name] for name in ("session", "station", "evse", "vehicle", "power_kw", "energy_kwh", "soc")},
        "time": stamp(message.time),
    }
    key = f"{session['session']}|{stamp(minute)}"
    rows.put("samples", key, doc, rank=rank(message.time), begins=message.time, ends=message.time)


def _wished(rows: Rows, message: Message, body: CommandWished) -> None:
    doc = _station(rows, message.site, message.at.station or "")
    doc["wish"] = {**plain(body), "id": message.id, "time": stamp(message.time)}
    _put_station(rows, doc)


def _stepped(rows: Rows, message: Message, body: Any) -> None:
    doc = _station(rows, message.site, message.at.station or "")
    step = message.type.partition(".")[2]
    told = {"step": step, "time": stamp(message.time), "id": message.id, "wish": body.wish, "code": body.reason}
    if body.reason:
        asked = {"station": doc["station"], "detail": body.reason}
        told |= words(rows, message, body.reason, asked)
    doc["command"] = told
    if isinstance(body, CommandConfirmed):
        doc["confirmed"] = {
            "id": message.id,
            "time": stamp(message.time),
            "installed": [i.model_dump(mode="json") for i in body.installed],
        }
    _put_station(rows, doc)


def _limited(rows: Rows, message: Message, body: StationLimited) -> None:
    doc = _station(rows, message.site, message.at.station or "")
    doc["hand"] = {**plain(body), "until": stamp(message.at.ends), "id": message.id}
    _put_station(rows, doc)


def _knocked(rows: Rows, message: Message, body: StationKnocked) -> None:
    station = message.at.station or "?"
    key = f"{station}|{body.reason}"
    known = rows.get("knocking", key) or {"first": stamp(message.time), "count": 0}
    doc = known | head(message) | words(rows, message, body.reason, {"station": station, "address": body.address})
    doc |= {"station": station, "address": body.address, "versions": list(body.versions)}
    doc |= {"last": stamp(message.time), "count": known["count"] + body.times}
    rows.put("knocking", key, doc, rank=rank(message.time, newest_first=True), begins=message.time)


def _assessed(rows: Rows, message: Message, body: ReadinessAssessed) -> None:
    site = rows.get("sites", message.site)
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
        "zone": site["zone"] if site else "UTC",
    }
    doc["reasons"] = [words(rows, message, r.code, {"vehicle": body.vehicle} | r.params) for r in body.reasons]
    key = f"{message.site}|{body.vehicle}|{stamp(body.departs)}"
    known = rows.get("readiness", key)
    doc["since"] = known["since"] if known and known["state"] == body.state else stamp(message.time)
    rows.put("readiness", key, doc, rank=rank(body.departs), begins=body.departs, ends=body.departs)
    _next_departure(rows, message, body, doc)


def _next_departure(rows: Rows, message: Message, body: ReadinessAssessed, told: Doc) -> None:
    """A vehicle's row shows its open departure, else the last one."""
    doc = _vehicle(rows, message.site, body.vehicle)
    shown, departs = doc["departure"], stamp(body.departs) or ""
    open_one = doc.get("readiness") in ("on_track", "at_risk", "unknown")
    if shown is not None and shown != departs and (shown < departs) == open_one:
        return
    fields = ("departure", "readiness", "reason", "next", "soc_goal", "soc_expected", "ready_at", "short_kwh")
    _put_vehicle(rows, doc | {name: told[name] for name in fields} | {"readiness_by": message.id})


TAKES: Mapping[str, Take] = {
    "site.configured": _configured,
    "gateway.started": _gateway,
    "station.admitted": _admitted,
    "station.connected": _connected,
    "station.disconnected": _disconnected,
    "station.booted": _booted,
    "station.seen": _seen,
    "station.limited": _limited,
    "station.knocked": _knocked,
    "connector.status_changed": _status,
    "vehicle.identified": _identified,
    "vehicle.read": _read,
    "session.started": _started,
    "session.updated": _updated,
    "session.metered": _metered,
    "session.ended": _ended,
    "command.wished": _wished,
    "command.sent": _stepped,
    "command.accepted": _stepped,
    "command.rejected": _stepped,
    "command.unanswered": _stepped,
    "command.confirmed": _stepped,
    "command.mismatched": _stepped,
    "readiness.assessed": _assessed,
}
"""What each fact about things changes."""
