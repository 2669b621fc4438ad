"""Rows of incidents."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from core.messages import Message
from core.messages.incident import IncidentOpened, IncidentResolved, IncidentUpdated
from gateway.readmodels.rows import Rows, rank, stamp
from gateway.readmodels.takes.shared import Take, head, plain, words

LAST = 2**62
"""Behind everything: the rank of what is over."""


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


TAKES: Mapping[str, Take] = {
    "incident.opened": _incident,
    "incident.updated": _incident,
    "incident.resolved": _incident_over,
}
