"""Everything that a site's controller knows, folded from the journal in stream order."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

from immutables import Map

from core import commercial as records
from core import dispatch, envelopes, incidents, readiness, requirements, sessions, starts, vehicles, work
from core.allocation import state as allocation
from core.allocation.state import Allocations
from core.commercial import RecordsState
from core.dispatch import Dispatch
from core.energy_system import Topology
from core.envelopes import GridState
from core.incidents import IncidentsState
from core.messages import Message, Position
from core.messages.session import SessionMetered
from core.messages.site import SiteConfig, SiteConfigured
from core.messages.station import ConnectorStatusChanged, StationAdmitted
from core.readiness import ReadinessState
from core.requirements import RequirementsState
from core.sessions import Sessions
from core.site.heard import Heard, Place, place, remember, repeated
from core.starts import Starts
from core.vehicles import VehiclesState
from core.work import WorkState


@dataclass(frozen=True, slots=True)
class SiteState:
    """One part per concept; each is folded by the module that owns it."""

    site: str
    seen: int = 0
    """The last folded stream sequence."""
    decided: datetime | None = None
    """The moment of the newest decision: a site's time goes on from there, also where the clock was set back."""
    config: SiteConfig | None = None
    configured: tuple[str, str] | None = None
    """Message id and digest of the `site.configured` in force."""
    admitted: Map[str, StationAdmitted] = Map()
    topology: Topology | None = None
    work: WorkState = field(default_factory=WorkState)
    sessions: Sessions = field(default_factory=Sessions)
    vehicles: VehiclesState = field(default_factory=VehiclesState)
    requirements: RequirementsState = field(default_factory=RequirementsState)
    grid: GridState = field(default_factory=GridState)
    allocations: Allocations = field(default_factory=Allocations)
    dispatch: Dispatch = field(default_factory=Dispatch)
    readiness: ReadinessState = field(default_factory=ReadinessState)
    incidents: IncidentsState = field(default_factory=IncidentsState)
    records: RecordsState = field(default_factory=RecordsState)
    starts: Starts = field(default_factory=Starts)
    versions: Map[str, int] = Map()
    """Per message type how many were folded: what tells a decision that its inputs are unchanged."""
    heard: Map[Place, Heard] = Map()
    """Per (source, station) the newest facts from outside; the core's own are read back once."""


PARTS: Mapping[str, Callable[[Any, Message], Any]] = {
    "work": work.fold,
    "sessions": sessions.fold,
    "vehicles": vehicles.fold,
    "requirements": requirements.fold,
    "grid": envelopes.fold,
    "allocations": allocation.fold,
    "dispatch": dispatch.fold,
    "readiness": readiness.fold,
    "incidents": incidents.fold,
    "records": records.fold,
    "starts": starts.fold,
}


def fold(state: SiteState, message: Message, position: Position) -> SiteState:
    """The state after one more message of the stream; the same messages in the same order give the same state.

    A fact from outside that was folded before changes nothing but `seen`; so do frames, of which nothing is decided.
    """
    if message.type.startswith("evidence."):
        return replace(state, seen=position.seq)
    if message.source == "core":
        state = replace(state, decided=max(message.time, state.decided or message.time))
    elif repeated(state.heard.get(place(message)), message):
        return replace(state, seen=position.seq)
    else:
        state = replace(state, heard=remember(state.heard, message))
    state = _folded(state, message, position)
    body = message.body
    if isinstance(body, SiteConfigured):
        return _placed(replace(state, config=body.config, configured=(message.id, body.digest)))
    if isinstance(body, StationAdmitted):
        return _placed(replace(state, admitted=state.admitted.set(body.station, body)))
    return state


def _folded(state: SiteState, message: Message, position: Position) -> SiteState:
    """Every part after the message."""
    changed: dict[str, Any] = {}
    beside = message.type == ConnectorStatusChanged.TYPE and sessions.of_other_connector(state.sessions, message)
    for name, part in PARTS.items():
        if name == "vehicles" and _of_an_earlier_plug_in(changed.get("sessions", state.sessions), message):
            continue
        if beside and name in ("vehicles", "allocations"):
            continue
        before = getattr(state, name)
        after = part(before, message)
        if after is not before:
            changed[name] = after
    versions = state.versions.set(message.type, state.versions.get(message.type, 0) + 1)
    return replace(state, seen=position.seq, versions=versions, **changed)


def _of_an_earlier_plug_in(plugs: Sessions, message: Message) -> bool:
    """A sample that comes late says nothing about the vehicle that stands there since."""
    if message.type != SessionMetered.TYPE or message.at.station is None or message.at.evse is None:
        return False
    plug = plugs.plugs.get((message.at.station, message.at.evse))
    return plug is not None and plug.since is not None and message.time < plug.since


def _placed(state: SiteState) -> SiteState:
    """The tree follows from configuration and admitted stations."""
    if state.config is None:
        return state
    return replace(state, topology=Topology.of(state.config, (a for _, a in sorted(state.admitted.items()))))
