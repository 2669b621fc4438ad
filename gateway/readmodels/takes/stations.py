"""Rows of stations with their bays: what is declared, whether they are connected, what they were told."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from core.messages import Message
from core.messages.base import Body
from core.messages.command import CommandConfirmed, CommandWished
from core.messages.gateway import GatewayStarted
from core.messages.site import Connector
from core.messages.station import (
    StationAdmitted,
    StationBooted,
    StationConnected,
    StationDisconnected,
    StationKnocked,
    StationLimited,
)
from gateway.readmodels.rows import Doc, Rows, rank, stamp
from gateway.readmodels.takes.shared import Take, head, key, plain, words, zone_of


def at(rows: Rows, message: Message) -> Doc:
    """The row of the station that a fact is about."""
    return row(rows, message.site, message.at.station or "")


def row(rows: Rows, site: str, station: str) -> Doc:
    """A station's row, or the one to begin with."""
    known = rows.get("stations", key(site, station))
    if known is not None:
        return known | {"evses": {evse: dict(seen) for evse, seen in known["evses"].items()}}
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


def put(rows: Rows, doc: Doc) -> None:
    """Keep a station's row."""
    rows.put("stations", key(doc["site"], doc["station"]), doc)


def bay() -> Doc:
    """A bay of which nothing is known yet."""
    return {"name": "", "max_kw": None, "status": "unknown", "vehicle": None, "session": None, "measured_kw": None}


def bay_at(doc: Doc, evse: int | None) -> Doc:
    """The bay that a fact is about: as it says, else the only one; of several unnamed ones none, so nothing is kept."""
    if evse:
        found: Doc = doc["evses"].setdefault(str(evse), bay())
        return found
    return next(iter(doc["evses"].values())) if len(doc["evses"]) == 1 else bay()


def fitted(doc: Doc, connectors: Iterable[Connector]) -> Doc:
    """A station's row with the bays that its connectors make."""
    for connector in connectors:
        doc["evses"].setdefault(str(connector.evse), bay()).update(name=connector.name, max_kw=connector.max_kw)
    return doc


def _admitted(rows: Rows, message: Message, body: StationAdmitted) -> None:
    doc = row(rows, message.site, body.station)
    if doc["declared"]:
        return
    doc |= {"declared": True, "node": body.node, "safe_kw": body.safe_kw, "admitted_by": body.who}
    doc["configured_by"] = message.id
    put(rows, fitted(doc, body.connectors))


def _connected(rows: Rows, message: Message, body: StationConnected) -> None:
    doc = at(rows, message)
    doc |= {"connected": True, "version": body.version, "since": stamp(message.time), "message": message.id}
    doc |= {"gateway": body.gateway, "epoch": body.epoch, "connection": body.connection, "address": body.address}
    doc["last_seen"] = stamp(message.time)
    put(rows, doc)


def _disconnected(rows: Rows, message: Message, body: StationDisconnected) -> None:
    doc = at(rows, message)
    held = (doc.get("gateway"), doc.get("epoch"), doc.get("connection"))
    if held == (body.gateway, body.epoch, body.connection):
        _lost(rows, doc, message)


def _lost(rows: Rows, doc: Doc, message: Message) -> None:
    since = {"since": stamp(message.time), "zone": zone_of(rows, doc["site"])}
    put(rows, doc | since | {"connected": False, "message": message.id})


def _gateway(rows: Rows, message: Message, body: GatewayStarted) -> None:
    """Connections of that gateway's earlier epochs are lost."""
    for _, doc in list(rows.where("stations", site=message.site)):
        if doc["connected"] and doc.get("gateway") == body.gateway and doc.get("epoch", 0) < body.epoch:
            _lost(rows, doc, message)


def _booted(rows: Rows, message: Message, body: StationBooted) -> None:
    doc = at(rows, message)
    doc |= {"vendor": body.vendor, "model": body.model, "serial": body.serial, "firmware": body.firmware}
    doc |= {"booted": stamp(message.time), "last_seen": stamp(message.time)}
    put(rows, doc)


def _seen(rows: Rows, message: Message, body: Body) -> None:
    doc = at(rows, message)
    put(rows, doc | {"last_seen": stamp(message.time), "fresh_until": stamp(message.fresh_until)})


def _wished(rows: Rows, message: Message, body: CommandWished) -> None:
    doc = at(rows, message)
    doc["wish"] = {**plain(body), "id": message.id, "time": stamp(message.time)}
    put(rows, doc)


def _stepped(rows: Rows, message: Message, body: Any) -> None:
    """The last step; a no, or more than was told, stands until the next confirmation, whatever was tried since."""
    doc = at(rows, message)
    step = message.type.partition(".")[2]
    stands = (doc.get("command") or {}).get("step") in ("rejected", "mismatched")
    if body.purpose != "clear" and not (stands and step in ("sent", "accepted", "unanswered")):
        told = {"step": step, "time": stamp(message.time), "id": message.id, "wish": body.wish}
        code = _said_no(body.reason) if step == "rejected" else body.reason
        if step in ("rejected", "unanswered", "mismatched") and code:
            told |= words(rows, message, code, {"station": doc["station"], "detail": body.reason})
        doc["command"] = told
    if isinstance(body, CommandConfirmed):
        doc["confirmed"] = {
            "id": message.id,
            "time": stamp(message.time),
            "installed": [i.model_dump(mode="json") for i in body.installed],
        }
    put(rows, doc)


def _said_no(word: str) -> str:
    """The reason behind a station's own word for no."""
    known = ("NotSupported", "NotImplemented", "UnknownComponent", "UnknownVariable")
    return "not_supported" if word in known else "call_rejected"


def _limited(rows: Rows, message: Message, body: StationLimited) -> None:
    doc = at(rows, message)
    doc["hand"] = {**plain(body), "until": stamp(message.at.ends), "id": message.id}
    put(rows, doc)


def _knocked(rows: Rows, message: Message, body: StationKnocked) -> None:
    station = message.at.station or "?"
    place = key(station, body.reason)
    known = rows.get("knocking", place) or {"first": stamp(message.time), "count": 0}
    doc = known | head(message) | words(rows, message, body.reason, {"station": station, "address": body.address})
    doc |= {"station": station, "address": body.address, "versions": list(body.versions)}
    doc |= {"last": stamp(message.time), "count": known["count"] + body.times}
    rows.put("knocking", place, doc, rank=rank(message.time, newest_first=True), begins=message.time)


TAKES: Mapping[str, Take] = {
    "gateway.started": _gateway,
    "station.admitted": _admitted,
    "station.connected": _connected,
    "station.disconnected": _disconnected,
    "station.booted": _booted,
    "station.seen": _seen,
    "station.limited": _limited,
    "station.knocked": _knocked,
    "command.wished": _wished,
    "command.sent": _stepped,
    "command.accepted": _stepped,
    "command.rejected": _stepped,
    "command.unanswered": _stepped,
    "command.confirmed": _stepped,
    "command.mismatched": _stepped,
}
