"""Rows of sites, and what their configuration declares."""

from __future__ import annotations

from collections.abc import Mapping

from core.messages import Message
from core.messages.site import SiteConfig, SiteConfigured
from gateway.readmodels.rows import Doc, Rows
from gateway.readmodels.takes import stations, vehicles
from gateway.readmodels.takes.shared import Take, head


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
    for _, doc in list(rows.where("stations", site=message.site)):
        if doc["station"] not in declared and doc["declared"]:
            stations.put(rows, doc | {"declared": False, "node": None})
    for station in config.stations:
        doc = stations.row(rows, message.site, station.id)
        doc |= {"declared": True, "node": station.node, "safe_kw": station.safe_kw, "configured_by": message.id}
        stations.put(rows, stations.fitted(doc, station.connectors))


def _declared_vehicles(rows: Rows, message: Message, config: SiteConfig) -> None:
    declared = {vehicle.id for vehicle in config.vehicles}
    for _, doc in list(rows.where("vehicles", site=message.site)):
        if doc["vehicle"] not in declared and doc["declared"]:
            vehicles.put(rows, doc | {"declared": False})
    for vehicle in config.vehicles:
        doc = vehicles.row(rows, message.site, vehicle.id)
        doc |= {"declared": True, "type": vehicle.type, "priority": vehicle.priority}
        doc |= {"cost_centre": vehicle.cost_centre, "message": message.id}
        vehicles.put(rows, doc)


TAKES: Mapping[str, Take] = {"site.configured": _configured}
