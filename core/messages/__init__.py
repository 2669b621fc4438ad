"""Neutral domain messages: the table of all types, and how a message is written and read."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from core.messages import (
    allocation,
    command,
    commercial,
    envelope,
    evidence,
    gateway,
    grid,
    incident,
    readiness,
    requirement,
    session,
    site,
    station,
    vehicle,
    work,
)
from core.messages.base import Body, Message, Physical, Position, Problem, canonical, compose, identify

__all__ = [
    "BODIES",
    "Body",
    "Message",
    "Physical",
    "Position",
    "Problem",
    "UnknownType",
    "compose",
    "dump",
    "identify",
    "line",
    "load",
]

BODIES: Mapping[str, type[Body]] = {
    body.TYPE: body
    for body in (
        evidence.EvidenceReceived,
        evidence.EvidenceSent,
        evidence.EvidenceQuarantined,
        gateway.GatewayStarted,
        gateway.JournalVerified,
        gateway.PeerChanged,
        gateway.TokenChanged,
        site.SiteConfigured,
        station.StationConnected,
        station.StationDisconnected,
        station.StationBooted,
        station.StationSeen,
        station.StationClockMeasured,
        station.StationKnocked,
        station.StationAdmitted,
        station.ConnectorStatusChanged,
        station.StationProblemReported,
        station.StationLimited,
        session.SessionStarted,
        session.SessionUpdated,
        session.SessionMetered,
        session.SessionEnded,
        session.AuthorisationDecided,
        vehicle.VehicleRead,
        vehicle.VehiclePlaced,
        vehicle.VehicleIdentified,
        work.WorkStated,
        work.AssignmentStated,
        work.ScheduleReceived,
        work.WorkPlanned,
        work.WorkWithdrawn,
        work.WorkAssigned,
        work.ScheduleImported,
        requirement.RequirementComputed,
        requirement.RequirementWithdrawn,
        grid.ConstraintStated,
        grid.SourceContacted,
        grid.SourceStateChanged,
        grid.MeterSampled,
        envelope.EnvelopeComputed,
        allocation.AllocationPlanned,
        allocation.AllocationAssigned,
        command.CommandWished,
        command.CommandSent,
        command.CommandAccepted,
        command.CommandRejected,
        command.CommandUnanswered,
        command.CommandConfirmed,
        command.CommandMismatched,
        command.CommandRequested,
        readiness.ReadinessAssessed,
        incident.IncidentOpened,
        incident.IncidentUpdated,
        incident.IncidentResolved,
        commercial.RecordPriced,
    )
}
"""Every message type by its name."""


class UnknownType(ValueError):
    """A message of a type or version that this program does not know; a newer program wrote it."""


def dump(message: Message) -> dict[str, Any]:
    """The message as plain JSON data; what is at its default is left out."""
    head = message.model_dump(mode="json", exclude={"body"}, exclude_defaults=True)
    head["body"] = message.body.model_dump(mode="json", exclude_defaults=True)
    return head


def line(message: Message) -> str:
    """The message as one line of canonical JSON."""
    return canonical(dump(message))


def load(data: Mapping[str, Any] | str | bytes) -> Message:
    """The message that `dump` or `line` wrote.

    Raises:
        UnknownType: the type is not in `BODIES`.
        pydantic.ValidationError: a field does not fit its type.
    """
    raw = dict(json.loads(data) if isinstance(data, str | bytes) else data)
    body = BODIES.get(str(raw.get("type")))
    if body is None:
        raise UnknownType(f"message type {raw.get('type')!r} is not known to this version; next: upgrade busbar")
    raw["body"] = body.model_validate(raw.get("body", {}))
    return Message.model_validate(raw)
