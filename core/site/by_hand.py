"""What a cap by hand means before it is stated: refused where it caps nothing, else whose departure it costs, in numbers.

A cap only lowers, so it can never lift a node above its limit. What it can break is a departure; a person may have a
reason for that (a smell, a noise), so it is told and not refused.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from core import allocation as planning
from core.messages.allocation import AllocationPlanned, Outcome
from core.messages.requirement import RequirementComputed
from core.site.memo import Memo
from core.site.stages.plan import problem_of, shared
from core.site.state import SiteState

LESS_KWH = 0.5
"""A departure that is short anyway is touched by a cap that takes more than this from it."""


@dataclass(frozen=True, slots=True)
class Said:
    """A code of `core/messages/reasons` with its numbers."""

    code: str
    params: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Ruling:
    """Why a cap is refused, or what it costs: one line per departure, and what holds if the station falls silent."""

    refused: Said | None = None
    costs: tuple[Said, ...] = ()


def cap(state: SiteState, station: str, kw: float, ends: datetime, now: datetime) -> Ruling:
    """The ruling on `kw` at this station from now until `ends`."""
    config, topology = state.config, state.topology
    known = topology.stations.get(station) if topology is not None else None
    if config is None or topology is None or known is None or not topology.path(known.node):
        return Ruling(Said("station_not_placed", {"station": station}))
    rating = sum(topology.rating(station, evse) for evse in sorted({c.evse for c in known.connectors}))
    if kw > rating:
        return Ruling(Said("cap_above_rating", {"station": station, "asked_kw": kw, "limit_kw": rating}))
    costs = _costs(state, station, kw, ends, now)
    if kw < known.safe_kw:
        costs.append(Said("cap_below_safe", {"station": station, "asked_kw": kw, "safe_kw": known.safe_kw}))
    return Ruling(costs=tuple(costs))


def _costs(state: SiteState, station: str, kw: float, ends: datetime, now: datetime) -> list[Said]:
    """Who is served worse by the plan with the cap than by the plan without it."""
    before = _outcomes(state, now, {})
    after = _outcomes(state, now, {station: (shared(state, station, kw), ends)})
    departs = {
        m.body.vehicle: m.body.departs
        for _, m in sorted(state.requirements.current.items(), reverse=True)
        if isinstance(m.body, RequirementComputed)
    }
    found = []
    for vehicle, outcome in sorted(after.items(), key=lambda item: (departs.get(item[0], now), item[0])):
        old = before.get(vehicle)
        if old is None or outcome.met:
            continue
        if old.met or old.planned_kwh - outcome.planned_kwh > LESS_KWH:
            numbers = {
                "planned_kwh": outcome.planned_kwh,
                "needed_kwh": outcome.needed_kwh,
                "before_kwh": old.planned_kwh,
            }
            found.append(Said("cap_costs", {"vehicle": vehicle, "departs": departs.get(vehicle), **numbers}))
    return found


def _outcomes(state: SiteState, now: datetime, more: Mapping[str, tuple[float, datetime | None]]) -> dict[str, Outcome]:
    """What a plan made now gives each vehicle; nothing where no plan passes its check."""
    assert state.config is not None
    problem = problem_of(state, state.config, now, Memo(), more)
    try:
        made: AllocationPlanned = planning.planned(planning.make(problem, state.config.policies.rule))
    except planning.UnsafePlan:
        return {}
    return {outcome.vehicle: outcome for outcome in made.outcomes}
