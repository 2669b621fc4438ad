"""Stages of the plan: the envelope, and one plan for everything that asks for one."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta

from core import allocation as planning
from core import envelopes
from core.allocation import state as allocations
from core.allocation.build import Stay
from core.allocation.stays import SiteProblem
from core.messages import Physical
from core.messages.allocation import AllocationAssigned
from core.messages.scribe import Scribe
from core.messages.site import Rule, SiteConfig
from core.messages.station import StationLimited
from core.sessions import energy_wh
from core.site.memo import Memo
from core.site.stages.given import by_node, configured_by, departures_of, most_kw, open_requirements, outlets, soc_here
from core.site.state import SiteState
from core.work import Departure

ARRIVAL = timedelta(minutes=5)
"""From the planned return to the plug."""
LONGEST = 400
"""Characters of what a check found; the first faults say what kind of defect it is."""

Previous = Mapping[tuple[str, int], AllocationAssigned]


def decide_envelope(state: SiteState, config: SiteConfig, now: datetime, scribe: Scribe, memo: Memo) -> datetime | None:
    """What each node may carry when."""
    envelopes.decide(state.grid, config, now, scribe)
    return envelopes.next_deadline(state.grid, config, now)


def decide_plan(state: SiteState, config: SiteConfig, now: datetime, scribe: Scribe, memo: Memo) -> datetime | None:
    """A plan, where something asks for one."""
    charging = busy(state)
    triggers = allocations.due(state.allocations, now, busy=charging)
    if triggers and state.topology is not None:
        _plan_anew(state, config, now, triggers, scribe, memo)
    return allocations.next_deadline(state.allocations, now, busy=charging)


def _plan_anew(
    state: SiteState, config: SiteConfig, now: datetime, triggers: tuple[str, ...], scribe: Scribe, memo: Memo
) -> None:
    """One plan for everything that asks for one."""
    problem = problem_of(state, config, now, memo)
    previous = _previous(state)
    made, refused = _checked(problem, config.policies.rule, previous)
    triggers += ("plan_refused",) if refused else ()
    served = [cause for _, cause in sorted(state.allocations.pending.items())]
    causes = [*served, state.grid.computed_by, configured_by(state)]
    if made is None:
        scribe.write(planning.kept(problem, config.policies.rule, triggers, refused), causes=causes)
        return
    plan = scribe.write(planning.planned(made, triggers, refused), causes=causes)
    for assignment in planning.assign(made, plan.id, previous):
        session = _session_at(state, assignment.at)
        at = assignment.at.model_copy(update={"session": session})
        scribe.write(assignment.body, at=at, causes=(plan.id, *assignment.causes))


def problem_of(
    state: SiteState,
    config: SiteConfig,
    now: datetime,
    memo: Memo,
    capped: Mapping[str, tuple[float, datetime | None]] | None = None,
) -> SiteProblem:
    """What a plan made now has to solve; `capped` are caps by hand that are not stated yet."""
    return planning.build(
        config,
        now=now,
        requirements=open_requirements(state.requirements),
        stays=stays(state, config, now),
        limits=by_node(state.grid.segments),
        hand_limits={**hand_limits(state, now), **(capped or {})},
        offline=silent(state, now, config),
        expected=expected(state, departures_of(state, config, now, memo)[0], now),
        previous=_previous(state),
        topology=state.topology,
    )


def _previous(state: SiteState) -> Previous:
    """The assignment in force at each bay."""
    return {bay: m.body for bay, m in state.allocations.assigned.items() if isinstance(m.body, AllocationAssigned)}


def _checked(problem: SiteProblem, rule: Rule, previous: Previous) -> tuple[planning.Made | None, str]:
    """A plan that passed the check, and what was wrong with the one before it; None where none passes.

    A fault is a defect of the solver. It must not stop a site: the plainest rule keeps every limit by itself, and where
    that fails too the last assignments stay, under limits that the wishes keep in any case.
    """
    refused = ""
    try:
        return planning.settle(planning.make(problem, rule), previous), ""
    except planning.UnsafePlan as fault:
        refused = str(fault)[:LONGEST]
    try:
        return planning.make(problem, "equal-share"), refused
    except planning.UnsafePlan:
        return None, refused


def busy(state: SiteState) -> bool:
    """Whether a transaction runs anywhere."""
    return any(plug.transaction is not None for plug in state.sessions.plugs.values())


def _session_at(state: SiteState, at: Physical) -> str | None:
    plug = state.sessions.plugs.get((at.station or "", at.evse or 0))
    return plug.session if plug else None


def stays(state: SiteState, config: SiteConfig, now: datetime) -> list[Stay]:
    """Everybody who can be told what to draw now: plugged in, with a transaction."""
    assert state.topology is not None
    found = []
    for (station, evse), plug in sorted(state.sessions.plugs.items()):
        if plug.transaction is None or plug.since is None:
            continue
        reading = soc_here(state, config, plug, now) if plug.vehicle else None
        session = state.sessions.sessions.get(plug.session or "")
        taken = energy_wh(session) if session else None
        found.append(
            Stay(
                station=station,
                evse=evse,
                vehicle=plug.vehicle,
                since=plug.since,
                max_kw=state.topology.rating(station, evse),
                soc=reading.value if reading else None,
                transaction=plug.transaction,
                began=plug.began,
                delivered_kwh=max(0.0, (taken or 0.0) / 1000),
            )
        )
    return found


def hand_limits(state: SiteState, now: datetime) -> dict[str, tuple[float, datetime | None]]:
    """The caps by hand that hold: kW for each EVSE, and end, per station."""
    found: dict[str, tuple[float, datetime | None]] = {}
    for name, known in sorted(state.dispatch.stations.items()):
        if known.hand is not None and isinstance(known.hand.body, StationLimited):
            ends = known.hand.at.ends
            if ends is None or ends > now:
                found[name] = (shared(state, name, known.hand.body.kw), ends)
    return found


def shared(state: SiteState, station: str, kw: float) -> float:
    """What a cap of a station leaves each of its EVSEs, as its wishes share it."""
    known = state.topology.stations.get(station) if state.topology is not None else None
    return kw / max(1, len({c.evse for c in known.connectors})) if known is not None else kw


def silent(state: SiteState, now: datetime, config: SiteConfig) -> dict[str, float]:
    """The highest ceiling, up to the end of what it was told, of every station that cannot be told anything."""
    found: dict[str, float] = {}
    for outlet in outlets(state):
        known = state.dispatch.stations.get(outlet.station)
        if known is not None and known.connection is not None:
            continue
        found[outlet.station] = found.get(outlet.station, 0.0) + most_kw(state, config, outlet, now)
    return found


def expected(
    state: SiteState, departures: Iterable[Departure], now: datetime
) -> dict[str, tuple[datetime, float | None]]:
    """Vehicles that are planned to come back before their next departure, and are not plugged in yet."""
    here = {plug.vehicle for plug in state.sessions.plugs.values() if plug.plugged}
    found: dict[str, tuple[datetime, float | None]] = {}
    for departure in departures:
        if departure.back is None or departure.vehicle in here or departure.vehicle in found:
            continue
        if departure.departs > now:
            found[departure.vehicle] = (max(departure.back, now) + ARRIVAL, None)
    return found
