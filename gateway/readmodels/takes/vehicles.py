"""Rows of vehicles."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from core.messages import Message
from core.messages.vehicle import VehicleRead
from gateway.readmodels.rows import Doc, Rows, rank, stamp
from gateway.readmodels.takes.shared import Take, key


def row(rows: Rows, site: str, vehicle: str) -> Doc:
    """A vehicle's row, or the one to begin with."""
    return rows.get("vehicles", key(site, vehicle)) or {
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


def put(rows: Rows, doc: Doc) -> None:
    """Keep a vehicle's row: by its departure, those without one behind."""
    departure = doc.get("departure")
    order = rank(datetime.fromisoformat(departure)) if departure else 2**61
    rows.put("vehicles", key(doc["site"], doc["vehicle"]), doc, rank=order)


def _read(rows: Rows, message: Message, body: VehicleRead) -> None:
    if message.at.vehicle is None:
        return
    doc = row(rows, message.site, message.at.vehicle)
    if body.soc is not None and (doc["soc_at"] or "") < (stamp(message.time) or ""):
        doc |= {"soc": body.soc, "soc_at": stamp(message.time), "soc_source": message.source, "soc_by": message.id}
    if body.odometer_km is not None:
        doc["odometer_km"] = body.odometer_km
    put(rows, doc)


def charged(rows: Rows, site: str, vehicle: str, charge: Doc) -> None:
    """A vehicle's state of charge, where it is newer than what its row has."""
    known = row(rows, site, vehicle)
    if (known["soc_at"] or "") < (charge["soc_at"] or ""):
        put(rows, known | charge)


TAKES: Mapping[str, Take] = {"vehicle.read": _read}
