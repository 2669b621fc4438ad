"""Readings with source and age, people's words and decisions, folded by vehicle and bay."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime

from immutables import Map

from core.messages.base import Message
from core.messages.session import SessionMetered
from core.messages.station import ConnectorStatusChanged
from core.messages.vehicle import Evidence, VehicleIdentified, VehiclePlaced, VehicleRead

Bay = tuple[str, int]
"""(station, EVSE)."""


@dataclass(frozen=True, slots=True)
class Reading:
    """A state of charge (0..1): when it was measured, what said so, and the message that holds it."""

    value: float
    measured: datetime
    source: str
    message: str


@dataclass(frozen=True, slots=True)
class Position:
    """Where a vehicle said it stands."""

    bay: Bay
    time: datetime
    message: str


@dataclass(frozen=True, slots=True)
class Placement:
    """A person's word which vehicle stands at a bay."""

    vehicle: str
    time: datetime
    message: str


@dataclass(frozen=True, slots=True)
class Identified:
    """The decision in force for one plug-in."""

    vehicle: str | None
    by: Evidence
    since: str
    message: str
    candidates: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class VehiclesState:
    """The freshest readings and positions by vehicle, people's words and decisions by bay."""

    read: Map[str, Reading] = Map()
    metered: Map[str, Reading] = Map()
    """The last state of charge that a charger measured, also after the plug is out."""
    positions: Map[str, Position] = Map()
    placed: Map[Bay, Placement] = Map()
    identified: Map[Bay, Identified] = Map()


def fold(state: VehiclesState, message: Message) -> VehiclesState:
    """The state after one more message; older readings and repeats change nothing."""
    handler = _FOLDS.get(message.type)
    return handler(state, message) if handler else state


def _bay(message: Message) -> Bay | None:
    at = message.at
    return None if at.station is None or at.evse is None else (at.station, at.evse)


def _fold_read(state: VehiclesState, message: Message) -> VehiclesState:
    body, vehicle = message.body, message.at.vehicle
    assert isinstance(body, VehicleRead)
    if vehicle is None:
        return state
    known = state.read.get(vehicle)
    if body.soc is not None and (known is None or message.time > known.measured):
        reading = Reading(body.soc, message.time, message.source, message.id)
        state = replace(state, read=state.read.set(vehicle, reading))
    position = state.positions.get(vehicle)
    if body.at_station and body.at_evse and (position is None or message.time > position.time):
        found = Position((body.at_station, body.at_evse), message.time, message.id)
        state = replace(state, positions=state.positions.set(vehicle, found))
    return state


def _fold_metered(state: VehiclesState, message: Message) -> VehiclesState:
    body, bay = message.body, _bay(message)
    assert isinstance(body, SessionMetered)
    found = state.identified.get(bay) if bay else None
    if body.soc is None or found is None or found.vehicle is None:
        return state
    known = state.metered.get(found.vehicle)
    if known is not None and message.time <= known.measured:
        return state
    reading = Reading(body.soc, message.time, message.source, message.id)
    return replace(state, metered=state.metered.set(found.vehicle, reading))


def _fold_placed(state: VehiclesState, message: Message) -> VehiclesState:
    bay, vehicle = _bay(message), message.at.vehicle
    known = state.placed.get(bay) if bay else None
    if bay is None or vehicle is None or (known is not None and message.time < known.time):
        return state
    return replace(state, placed=state.placed.set(bay, Placement(vehicle, message.time, message.id)))


def _fold_identified(state: VehiclesState, message: Message) -> VehiclesState:
    body, bay = message.body, _bay(message)
    assert isinstance(body, VehicleIdentified)
    if bay is None:
        return state
    before = state.identified.get(bay)
    if before is not None and before.vehicle is not None and before.vehicle != body.vehicle:
        state = _forget_metered(state, before)
    found = Identified(body.vehicle, body.by, body.since, message.id, body.candidates)
    return replace(state, identified=state.identified.set(bay, found))


def _forget_metered(state: VehiclesState, before: Identified) -> VehiclesState:
    """What was measured under a name that proved wrong is not that vehicle's reading."""
    assert before.vehicle is not None
    return replace(state, metered=_without(state.metered, before.vehicle))


def _fold_status(state: VehiclesState, message: Message) -> VehiclesState:
    """Unplugged: a person's word and the decision end with the plug-in."""
    body, bay = message.body, _bay(message)
    assert isinstance(body, ConnectorStatusChanged)
    if body.status != "available" or bay is None:
        return state
    placed = state.placed.delete(bay) if bay in state.placed else state.placed
    identified = state.identified.delete(bay) if bay in state.identified else state.identified
    return replace(state, placed=placed, identified=identified)


def _without(values: Map[str, Reading], key: str) -> Map[str, Reading]:
    return values.delete(key) if key in values else values


_FOLDS: Mapping[str, Callable[[VehiclesState, Message], VehiclesState]] = {
    VehicleRead.TYPE: _fold_read,
    SessionMetered.TYPE: _fold_metered,
    VehiclePlaced.TYPE: _fold_placed,
    VehicleIdentified.TYPE: _fold_identified,
    ConnectorStatusChanged.TYPE: _fold_status,
}
