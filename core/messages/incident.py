"""Incidents: one per cause, not one per message."""

from __future__ import annotations

from typing import Any, ClassVar, Literal

from pydantic import Field

from core.messages.base import Body, Message, Problem, Utc

_DETECTION = Problem("incidents & notifications", "detection")

Severity = Literal["low", "medium", "high", "critical"]


class _Incident(Body):
    """Common to all of an incident's messages. `incident` names cause and subject and is reused never."""

    PROBLEM: ClassVar[Problem] = _DETECTION

    incident: str
    kind: str
    """A code of `core/messages/reasons`."""
    subject: str
    """What it is about: a station, vehicle, source or node id."""

    def key(self, message: Message) -> tuple[str, ...]:
        """One per (incident, moment)."""
        return (self.incident, message.time.isoformat())


class IncidentOpened(_Incident):
    """Something needs a person, or will."""

    TYPE: ClassVar[str] = "incident.opened"

    severity: Severity
    params: dict[str, Any] = Field(default_factory=dict)
    """The numbers of the sentence in `core/messages/reasons`."""
    departures: tuple[str, ...] = ()
    """Vehicles whose departure it touches."""


class IncidentUpdated(_Incident):
    """Severity, numbers or touched departures changed."""

    TYPE: ClassVar[str] = "incident.updated"

    severity: Severity
    params: dict[str, Any] = Field(default_factory=dict)
    departures: tuple[str, ...] = ()


class IncidentResolved(_Incident):
    """Positive evidence that the cause is gone."""

    TYPE: ClassVar[str] = "incident.resolved"

    opened: Utc
    params: dict[str, Any] = Field(default_factory=dict)
