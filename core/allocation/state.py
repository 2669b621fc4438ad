"""When a plan is due, and which plan is in force: triggers, the last plan, and every EVSE's assignment."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

from immutables import Map

from core.allocation.pace import Begun, off_plan
from core.messages import Message
from core.messages.allocation import AllocationAssigned, AllocationPlanned
from core.messages.envelope import EnvelopeComputed
from core.messages.requirement import RequirementComputed, RequirementWithdrawn
from core.messages.session import SessionEnded, SessionMetered, SessionStarted
from core.messages.site import SiteConfig, SiteConfigured
from core.messages.station import ConnectorStatusChanged, StationConnected, StationDisconnected, StationLimited
from core.messages.vehicle import VehicleIdentified

SLOT = timedelta(seconds=900)
PACE = "soc"
"""The trigger of a state of charge that is off its plan."""

TRIGGERS: Mapping[str, str] = {
    SiteConfigured.TYPE: "configuration",
    SessionStarted.TYPE: "plug",
    SessionEnded.TYPE: "unplug",
    VehicleIdentified.TYPE: "vehicle",
    EnvelopeComputed.TYPE: "envelope",
    RequirementComputed.TYPE: "requirement",
    RequirementWithdrawn.TYPE: "requirement",
    StationLimited.TYPE: "limit",
    StationConnected.TYPE: "station",
    StationDisconnected.TYPE: "station",
}
"""Which facts ask for a new plan; an unplugging is told by its connector's status."""

Bay = tuple[str, int]


@dataclass(frozen=True, slots=True)
class Allocations:
    """The plan in force, the assignment of every EVSE, and triggers that no plan has served yet."""

    planned: Message | None = None
    assigned: Map[Bay, Message] = Map()
    pending: Map[str, str] = Map()
    """Trigger to the id of its latest message."""
    config: SiteConfig | None = None
    begun: Map[Bay, Begun] = Map()
    """The first state of charge that was read at each bay under the plan in force."""
    paced: datetime | None = None
    """When a plan was made last because a state of charge was off it."""


def fold(state: Allocations, message: Message) -> Allocations:
    """The state after one more fact. A plan ends exactly the triggers whose messages it cites."""
    body = message.body
    if isinstance(body, AllocationPlanned):
        left = {trigger: cause for trigger, cause in state.pending.items() if cause not in message.causes}
        paced = message.time if PACE in body.triggers else state.paced
        return replace(state, planned=message, pending=Map(left), begun=Map(), paced=paced)
    if isinstance(body, AllocationAssigned):
        if message.at.station is None or message.at.evse is None:
            return state
        return replace(state, assigned=state.assigned.set((message.at.station, message.at.evse), message))
    if isinstance(body, SessionMetered):
        return _read(state, message, body)
    if isinstance(body, SiteConfigured):
        state = replace(state, config=body.config)
    trigger = TRIGGERS.get(message.type)
    if isinstance(body, ConnectorStatusChanged) and body.status == "available":
        trigger = "unplug" if (message.at.station, message.at.evse) in state.assigned else None
    return state if trigger is None else replace(state, pending=state.pending.set(trigger, message.id))


def _read(state: Allocations, message: Message, body: SessionMetered) -> Allocations:
    """A state of charge against its plan; off it asks for one plan per slot, since each slot makes one anyway."""
    bay = (message.at.station or "", message.at.evse or 0)
    assigned, plan = state.assigned.get(bay), state.planned
    if body.soc is None or assigned is None or plan is None or state.config is None or message.time < plan.time:
        return state
    begun = state.begun.get(bay)
    if begun is None:
        return replace(state, begun=state.begun.set(bay, Begun(body.soc, message.time)))
    served = state.paced is not None and slot_of(message.time) <= slot_of(state.paced)
    if PACE in state.pending or served or not off_plan(state.config, assigned, begun, body.soc, message.time):
        return state
    return replace(state, pending=state.pending.set(PACE, message.id))


def slot_of(moment: datetime) -> datetime:
    """The start of the slot that a moment lies in; slots are aligned to the clock."""
    length = int(SLOT.total_seconds())
    return datetime.fromtimestamp(int(moment.timestamp()) // length * length, tz=UTC)


def due(state: Allocations, now: datetime, *, busy: bool) -> tuple[str, ...]:
    """What asks for a plan now; a slot edge asks only while somebody is plugged in."""
    triggers = tuple(sorted(state.pending))
    if busy and state.planned is not None and slot_of(state.planned.time) < slot_of(now):
        triggers += ("slot",)
    return triggers


def next_deadline(state: Allocations, now: datetime, *, busy: bool) -> datetime | None:
    """The next slot edge while somebody is plugged in."""
    return slot_of(now) + SLOT if busy and state.planned is not None else None
