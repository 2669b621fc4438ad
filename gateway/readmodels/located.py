"""Coordinates that a message does not state itself, from what is known when it is indexed; what it states stays."""

from __future__ import annotations

from core.messages import Message
from core.messages.envelope import EnvelopeComputed
from core.messages.grid import ConstraintStated, SourceContacted, SourceStateChanged
from gateway.readmodels.rows import Rows


def located(rows: Rows, message: Message) -> dict[str, str]:
    """The vehicle of its session, and the node of the tree at which its station, its source or the whole site hangs."""
    at = message.at
    session = rows.get("sessions", at.session) if at.session else None
    known = {"vehicle": session["vehicle"] if session else None, "node": _node(rows, message)}
    return {name: value for name, value in known.items() if value and getattr(at, name) is None}


def _node(rows: Rows, message: Message) -> str | None:
    found: str | None = None
    if message.at.station is not None:
        station = rows.get("stations", f"{message.site}|{message.at.station}")
        found = station["node"] if station else None
    elif (site := rows.get("sites", message.site)) is not None:
        body = message.body
        if isinstance(body, EnvelopeComputed):
            found = site["node"]
        elif isinstance(body, ConstraintStated | SourceContacted | SourceStateChanged):
            found = site["sources"].get(body.source)
    return found
