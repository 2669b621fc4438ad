"""Stages of the fleet: its work, which vehicle stands where, and what each departure needs."""

from __future__ import annotations

from datetime import datetime

from core import requirements, starts, vehicles, work
from core.messages.readiness import assessed
from core.messages.requirement import RequirementComputed
from core.messages.scribe import Scribe
from core.messages.site import SiteConfig
from core.site.memo import Memo
from core.site.stages.given import configured_by, departures_of, first, soc_here, standing_by_vehicle
from core.site.state import SiteState
from core.vehicles import Reading


def decide_work(state: SiteState, config: SiteConfig, now: datetime, scribe: Scribe, memo: Memo) -> datetime | None:
    """Work that was stated, and departures that are over."""
    work.decide(state.work, config, now, scribe)
    return work.next_deadline(state.work, config, now)


def decide_vehicles(state: SiteState, config: SiteConfig, now: datetime, scribe: Scribe, memo: Memo) -> datetime | None:
    """Which vehicle stands at which plug."""
    departures, until = departures_of(state, config, now, memo)
    vehicles.decide(state.vehicles, state.sessions, config, departures, now, scribe, configured=configured_by(state))
    return until


def decide_requirements(
    state: SiteState, config: SiteConfig, now: datetime, scribe: Scribe, memo: Memo
) -> datetime | None:
    """What each departure needs."""
    finals = {key: m.id for key, m in state.readiness.last.items() if assessed(m).final}
    departures, until = departures_of(state, config, now, memo)
    configured = configured_by(state)
    standing = standing_by_vehicle(state)

    def soc(vehicle: str) -> Reading | None:
        return vehicles.soc_at(state.vehicles, state.sessions, config, vehicle, now, standing.get(vehicle))

    requirements.decide(state.requirements, departures, soc, config, now, scribe, configured=configured, finals=finals)
    return first(requirements.next_deadline(state.requirements, now), until)


def decide_starts(state: SiteState, config: SiteConfig, now: datetime, scribe: Scribe, memo: Memo) -> datetime | None:
    """Sessions that a departure wants and that do not begin by themselves."""
    connected = {name for name, known in state.dispatch.stations.items() if known.connection is not None}
    starts.decide(state.starts, state.sessions, config, connected, _wanting(state, config, now), now, scribe)
    return starts.next_deadline(state.starts, state.sessions, config, now)


def _wanting(state: SiteState, config: SiteConfig, now: datetime) -> set[str]:
    """The plugged vehicles that are not known to be at their goal."""
    found = set()
    for vehicle, plug in standing_by_vehicle(state).items():
        bodies = [m.body for key, m in state.requirements.current.items() if key[0] == vehicle]
        goals = [body.soc_goal for body in bodies if isinstance(body, RequirementComputed)]
        reading = soc_here(state, config, plug, now) if plug.transaction is None else None
        if goals and plug.transaction is None and (reading is None or reading.value < max(goals)):
            found.add(vehicle)
    return found
