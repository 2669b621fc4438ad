"""What every station was told and what may be in force in it: folded from the steps of the reconciliation."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from functools import cached_property
from typing import Any

from immutables import Map

from core.dispatch.functions import Grid, Watts, arrays, on, seconds
from core.messages import Message
from core.messages.command import (
    CommandAccepted,
    CommandConfirmed,
    CommandMismatched,
    CommandRejected,
    CommandSent,
    CommandUnanswered,
    CommandWished,
    Installed,
)
from core.messages.gateway import GatewayStarted
from core.messages.site import SiteConfigured
from core.messages.station import StationBooted, StationConnected, StationDisconnected, StationLimited


@dataclass(frozen=True, slots=True)
class Connection:
    """The newest connection of a station that the journal knows."""

    gateway: str
    epoch: int
    number: int
    since: datetime
    message: str


@dataclass(frozen=True)
class Possible:
    """A schedule that may be in force; after `void` (a moment) it no longer can."""

    installed: Installed
    call: str
    message: str
    confirmed: bool = False
    since: datetime | None = None
    """When it was confirmed: from then on it hides what lies below it."""
    void: datetime | None = None

    def sample(self, grid: Grid) -> Watts:
        """What the schedule says on the grid, in watts."""
        return on(grid, *self._function)

    @cached_property
    def _function(self) -> tuple[Grid, Watts]:
        return arrays(self.installed.steps)

    @cached_property
    def moments(self) -> frozenset[int]:
        """The seconds at which it steps, ends, hides what lies below it, or becomes void."""
        ends = (self.installed.until, self.since, self.void)
        return frozenset(seconds(m) for m in (*(s.at for s in self.installed.steps), *ends) if m is not None)


@dataclass(frozen=True, slots=True)
class StationState:
    """One station as dispatch sees it."""

    station: str
    connection: Connection | None = None
    lost_at: datetime | None = None
    wish: Message | None = None
    """The last `command.wished`."""
    possible: tuple[Possible, ...] = ()
    """Everything that may be in force: last confirmed, and all sent since and not known to be refused."""
    last: Message | None = None
    """The last step of its reconciliation."""
    confirmed_by: str = ""
    """Id of the last `command.confirmed`."""
    hand: Message | None = None
    """The last `station.limited`."""


@dataclass(frozen=True, slots=True)
class Dispatch:
    """All stations that were ever told something, connected, or capped by hand."""

    stations: Map[str, StationState] = Map()
    guard: timedelta = timedelta(seconds=30)


def fold(state: Dispatch, message: Message) -> Dispatch:
    """The state after one more fact; facts of other concepts, and repeats, change nothing."""
    if isinstance(message.body, SiteConfigured):
        return replace(state, guard=timedelta(seconds=message.body.config.policies.guard_s))
    if isinstance(message.body, GatewayStarted):
        return _gateway_started(state, message, message.body)
    step = _STEPS.get(message.type)
    if step is None or message.at.station is None:
        return state
    known = state.stations.get(message.at.station) or StationState(message.at.station)
    return replace(state, stations=state.stations.set(known.station, step(known, message, message.body, state.guard)))


def _gateway_started(state: Dispatch, message: Message, body: GatewayStarted) -> Dispatch:
    """Connections of that gateway's earlier epochs are lost at that moment."""
    stations = state.stations
    for known in state.stations.values():
        held = known.connection
        if held is not None and held.gateway == body.gateway and held.epoch < body.epoch:
            stations = stations.set(known.station, _lost(known, message))
    return replace(state, stations=stations)


def _lost(known: StationState, message: Message) -> StationState:
    return replace(known, connection=None, lost_at=message.time)


def _connected(known: StationState, message: Message, body: StationConnected, guard: timedelta) -> StationState:
    connection = Connection(body.gateway, body.epoch, body.connection, message.time, message.id)
    return replace(known, connection=connection, lost_at=None)


def _disconnected(known: StationState, message: Message, body: StationDisconnected, guard: timedelta) -> StationState:
    held = known.connection
    if held is None or (held.gateway, held.epoch, held.number) != (body.gateway, body.epoch, body.connection):
        return known
    return _lost(known, message)


def _booted(known: StationState, message: Message, body: StationBooted, guard: timedelta) -> StationState:
    """A start takes the profiles of transactions with it; defaults stay in a station."""
    kept = tuple(p for p in known.possible if p.installed.purpose != "transaction")
    return replace(known, possible=kept)


def _limited(known: StationState, message: Message, body: StationLimited, guard: timedelta) -> StationState:
    return replace(known, hand=message)


def _wished(known: StationState, message: Message, body: CommandWished, guard: timedelta) -> StationState:
    return replace(known, wish=message)


def _sent(known: StationState, message: Message, body: CommandSent, guard: timedelta) -> StationState:
    if any(p.message == message.id for p in known.possible):
        return known
    added = tuple(Possible(i, body.call, message.id) for i in body.installed)
    return replace(known, possible=known.possible + added, last=message)


def _refused(known: StationState, message: Message, body: CommandRejected, guard: timedelta) -> StationState:
    kept = tuple(p for p in known.possible if p.confirmed or p.call != body.call)
    return replace(known, possible=kept, last=message)


def _noted(known: StationState, message: Message, body: Any, guard: timedelta) -> StationState:
    return replace(known, last=message)


def _confirmed(known: StationState, message: Message, body: CommandConfirmed, guard: timedelta) -> StationState:
    """What was confirmed replaces all that was sent before it for the same place.

    The replaced ones are kept for a guard time: a charger may be that slow to follow, so room is counted behind them.
    """
    places = {(i.evse, i.purpose) for i in body.installed}
    sent = [index for index, p in enumerate(known.possible) if p.call == body.call and not p.confirmed]
    border = sent[-1] + 1 if sent else len(known.possible)
    fading = tuple(
        _fade(p, message.time) if (p.installed.evse, p.installed.purpose) in places else p
        for p in known.possible[:border]
        if p.void is None or p.void > message.time - guard
    )
    fresh = tuple(Possible(i, body.call, message.id, confirmed=True, since=message.time) for i in body.installed)
    older = tuple(p for p in fading if p.installed not in body.installed)
    possible = older + fresh + known.possible[border:]
    return replace(known, possible=possible, last=message, confirmed_by=message.id)


def _fade(possible: Possible, void: datetime) -> Possible:
    return replace(possible, void=void if possible.void is None else min(void, possible.void))


_STEPS: Mapping[str, Callable[[StationState, Message, Any, timedelta], StationState]] = {
    StationConnected.TYPE: _connected,
    StationDisconnected.TYPE: _disconnected,
    StationBooted.TYPE: _booted,
    StationLimited.TYPE: _limited,
    CommandWished.TYPE: _wished,
    CommandSent.TYPE: _sent,
    CommandAccepted.TYPE: _noted,
    CommandRejected.TYPE: _refused,
    CommandUnanswered.TYPE: _noted,
    CommandConfirmed.TYPE: _confirmed,
    CommandMismatched.TYPE: _noted,
}
