"""From rows of the read models to connectors: what each was asked, what it does, and whether it is in trouble."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from gateway import terms
from gateway.ceilings import Connector
from gateway.pages.from_rows import moment, sure
from gateway.pages.vehicle_rows import level
from gateway.pages.views import ConnectorRow, Incident
from gateway.readmodels.rows import Doc

BAD_STEPS = ("rejected", "unanswered", "mismatched")
BAD_STATES = ("faulted", "unavailable")


def connectors_of(
    doc: Doc, trouble: Incident | None, now: datetime, most: Mapping[Connector, float]
) -> list[ConnectorRow]:
    """A station's connectors in order; `trouble` is its worst open incident, `most` the ceilings in force."""
    command = doc.get("command") or {}
    bad = (
        not doc["connected"]
        or command.get("step") in BAD_STEPS
        or any(bay["status"] in BAD_STATES for bay in doc["evses"].values())
    )
    return [
        ConnectorRow(
            station=doc["station"],
            evse=int(evse),
            bay=bay["name"],
            node=doc["node"] or "",
            online=doc["connected"],
            since=moment(doc["since"]),
            status=_status(doc, bay, asked),
            vehicle=bay["vehicle"],
            by=bay.get("by") or "",
            asked_kw=asked,
            kw=bay["measured_kw"] if doc["connected"] else None,
            most_kw=most.get((doc["station"], int(evse))),
            wish=command.get("step", ""),
            wish_at=moment(command.get("time")),
            last_frame=moment(doc["last_seen"]),
            sentence=trouble.sentence if trouble else "",
            next=trouble.next if trouble else "",
            trouble=bad or trouble is not None,
        )
        for evse, bay in sorted(doc["evses"].items(), key=lambda entry: int(entry[0]))
        for asked in (_wished(doc, int(evse), now),)
    ]


def _status(doc: Doc, bay: Mapping[str, Any], asked: float | None) -> str:
    if not doc["connected"]:
        return "silent" if doc["since"] else "never connected"
    state = bay.get("charging_state")
    if not state and bay["status"] == "occupied" and (bay["measured_kw"] or 0) > 0:
        state = "charging"  # because: OCPP 2 says so in its transaction, not at its connector
    if state == "suspended_evse" and asked == 0:
        return "paused, as asked"  # because: it does what it was told, that is no trouble of the charger
    return terms.term(terms.STATES, state or bay["status"])


def _wished(doc: Doc, evse: int, now: datetime) -> float | None:
    wish = doc.get("wish")
    if not wish:
        return None
    if sure(wish["valid_until"]) <= now:
        return float(wish["safe_kw"])
    steps = next((w["steps"] for w in wish["evses"] if w["evse"] == evse), None)
    return None if steps is None else level({"steps": steps}, now)
