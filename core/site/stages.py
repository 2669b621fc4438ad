"""The stages of a decision, in order: each reads the folded state and writes what changed for its concept."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cached_property

import numpy as np

from core import allocation as planning
from core import commercial, dispatch, envelopes, incidents, readiness, requirements, vehicles, work
from core.allocation import state as allocations
from core.allocation.build import Stay
from core.dispatch import Outlet, StationState, Wanted
from core.dispatch.ceilings import edges, seconds
from core.dispatch.wishes import Limit, Site
from core.incidents.conditions import Condition, World
from core.messages import BODIES, Message, Physical
from core.messages.allocation import AllocationAssigned
from core.messages.envelope import EnvelopeSegment
from core.messages.requirement import RequirementComputed
from core.messages.scribe import Scribe
from core.messages.site import SiteConfig
from core.messages.station import StationLimited
from core.readiness.outlook import Subject, requirement_of
from core.requirements import RequirementsState
from core.sessions import Plug, energy_wh
from core.site.memo import Memo
from core.site.state import SiteState
from core.vehicles import Reading
from core.work import Departure

ARRIVAL = timedelta(minutes=5)
"""From the planned return to the plug."""

Decide = Callable[[SiteState, SiteConfig, datetime, Scribe, Memo], datetime | None]


@dataclass(frozen=True)
class Stage:
    """One stage. `reads` are the message types, or `concept.` prefixes, that can change what it writes.

    `decide` writes what changed, and returns the first moment after now at which it could write with the same state.
    """

    name: str
    reads: tuple[str, ...]
    decide: Decide

    @cached_property
    def types(self) -> tuple[str, ...]:
        """The message types that it reads."""
        return tuple(name for name in BODIES if name.startswith(self.reads))


# -- work, vehicles, requirements -----------------------------------------------------------------------------------


def _work(state: SiteState, config: SiteConfig, now: datetime, scribe: Scribe, memo: Memo) -> datetime | None:
    work.decide(state.work, config, now, scribe)
    return work.next_deadline(state.work, config, now)


def _departures(
    state: SiteState, config: SiteConfig, now: datetime, memo: Memo
) -> tuple[tuple[Departure, ...], datetime | None]:
    """The departures of the fleet, and the first moment at which they could be others by time alone."""
    known = memo.departures
    if known is not None and known[0] is state.work and known[1] is config and (known[3] is None or now < known[3]):
        return known[2], known[3]
    found, until = work.departures(state.work, config, now), work.next_deadline(state.work, config, now)
    memo.departures = (state.work, config, found, until)
    return found, until


def _vehicles(state: SiteState, config: SiteConfig, now: datetime, scribe: Scribe, memo: Memo) -> datetime | None:
    departures, until = _departures(state, config, now, memo)
    vehicles.decide(state.vehicles, state.sessions, config, departures, now, scribe, configured=_configured(state))
    return until


def _requirements(state: SiteState, config: SiteConfig, now: datetime, scribe: Scribe, memo: Memo) -> datetime | None:
    finals = {key: m.id for key, m in state.readiness.last.items() if getattr(m.body, "final", False)}
    departures, until = _departures(state, config, now, memo)
    configured = _configured(state)
    standing = _standing(state)

    def soc(vehicle: str) -> Reading | None:
        return vehicles.soc_at(state.vehicles, state.sessions, config, vehicle, now, standing.get(vehicle))

    requirements.decide(state.requirements, departures, soc, config, now, scribe, configured=configured, finals=finals)
    return _first(requirements.next_deadline(state.requirements, now), until)


def _standing(state: SiteState) -> dict[str, Plug]:
    """Where every known vehicle is plugged in now."""
    return {plug.vehicle: plug for _, plug in sorted(state.sessions.plugs.items()) if plug.plugged and plug.vehicle}


def _soc(state: SiteState, config: SiteConfig, plug: Plug, now: datetime) -> Reading | None:
    return vehicles.soc_at(state.vehicles, state.sessions, config, plug.vehicle or "", now, plug)


def _configured(state: SiteState) -> str:
    return state.configured[0] if state.configured else ""


# -- envelope and plan ----------------------------------------------------------------------------------------------


def _envelope(state: SiteState, config: SiteConfig, now: datetime, scribe: Scribe, memo: Memo) -> datetime | None:
    envelopes.decide(state.grid, config, now, scribe)
    return envelopes.next_deadline(state.grid, config, now)


def _plan(state: SiteState, config: SiteConfig, now: datetime, scribe: Scribe, memo: Memo) -> datetime | None:
    busy = _busy(state)
    triggers = allocations.due(state.allocations, now, busy=busy)
    if triggers and state.topology is not None:
        _plan_anew(state, config, now, triggers, scribe, memo)
    return allocations.next_deadline(state.allocations, now, busy=busy)


def _plan_anew(
    state: SiteState, config: SiteConfig, now: datetime, triggers: tuple[str, ...], scribe: Scribe, memo: Memo
) -> None:
    """One plan for everything that asks for one."""
    previous = {bay: m.body for bay, m in state.allocations.assigned.items() if isinstance(m.body, AllocationAssigned)}
    problem = planning.build(
        config,
        now=now,
        requirements=_open_requirements(state.requirements),
        stays=_stays(state, config, now),
        limits=_by_node(state.grid.segments),
        hand_limits=_hand_limits(state, now),
        offline=_silent(state, now, config),
        expected=_expected(state, _departures(state, config, now, memo)[0], now),
        previous=previous,
        topology=state.topology,
    )
    try:
        made = planning.settle(planning.make(problem, config.policies.rule), previous)
    except planning.UnsafePlan:
        # The independent check found the solver wrong: the plainest rule keeps every limit by itself.
        triggers += ("plan_refused",)
        made = planning.make(problem, "equal-share")
    served = [cause for _, cause in sorted(state.allocations.pending.items())]
    plan = scribe.write(planning.planned(made, triggers), causes=[*served, state.grid.computed_by, _configured(state)])
    for assignment in planning.assign(made, plan.id, previous):
        session = _session_at(state, assignment.at)
        at = assignment.at.model_copy(update={"session": session})
        scribe.write(assignment.body, at=at, causes=(plan.id, *assignment.causes))


def _busy(state: SiteState) -> bool:
    return any(plug.transaction is not None for plug in state.sessions.plugs.values())


def _session_at(state: SiteState, at: Physical) -> str | None:
    plug = state.sessions.plugs.get((at.station or "", at.evse or 0))
    return plug.session if plug else None


def _open_requirements(state: RequirementsState) -> list[Message]:
    return [message for _, message in sorted(state.current.items())]


def _stays(state: SiteState, config: SiteConfig, now: datetime) -> list[Stay]:
    """Everybody who can be told what to draw now: plugged in, with a transaction."""
    assert state.topology is not None
    stays = []
    for (station, evse), plug in sorted(state.sessions.plugs.items()):
        if plug.transaction is None or plug.since is None:
            continue
        reading = _soc(state, config, plug, now) if plug.vehicle else None
        session = state.sessions.sessions.get(plug.session or "")
        taken = energy_wh(session) if session else None
        stays.append(
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
    return stays


def _by_node(segments: Iterable[EnvelopeSegment]) -> dict[str, list[EnvelopeSegment]]:
    found: dict[str, list[EnvelopeSegment]] = {}
    for segment in segments:
        found.setdefault(segment.node, []).append(segment)
    return found


def _hand_limits(state: SiteState, now: datetime) -> dict[str, tuple[float, datetime | None]]:
    found: dict[str, tuple[float, datetime | None]] = {}
    for name, known in sorted(state.dispatch.stations.items()):
        if known.hand is not None and isinstance(known.hand.body, StationLimited):
            ends = known.hand.at.ends
            if ends is None or ends > now:
                found[name] = (known.hand.body.kw, ends)
    return found


def _silent(state: SiteState, now: datetime, config: SiteConfig) -> dict[str, float]:
    """The highest ceiling, up to the end of what it was told, of every station that cannot be told anything."""
    ends = seconds(now + timedelta(seconds=config.policies.wish_horizon_s))
    found: dict[str, float] = {}
    for outlet in outlets(state):
        known = state.dispatch.stations.get(outlet.station)
        if known is not None and known.connection is not None:
            continue
        moments = {seconds(now), *(m for m in edges(known) if seconds(now) < m <= ends)}
        grid = np.array(sorted(moments), dtype=np.int64)
        plug = state.sessions.plugs.get((outlet.station, outlet.evse))
        most = int(dispatch.ceiling(outlet, known, plug, grid).max()) / 1000
        found[outlet.station] = found.get(outlet.station, 0.0) + most
    return found


def _expected(
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


# -- wishes ---------------------------------------------------------------------------------------------------------


def outlets(state: SiteState) -> tuple[Outlet, ...]:
    """Every EVSE of the site that has a place in the tree, with its share of its station's safe level."""
    topology = state.topology
    if topology is None:
        return ()
    found = []
    for station in sorted(topology.stations.values(), key=lambda s: s.id):
        evses = sorted({c.evse for c in station.connectors})
        if not topology.path(station.node):
            continue
        for evse in evses:
            rating = round(topology.rating(station.id, evse) * 1000)
            safe = int(station.safe_kw * 1000) // len(evses)
            found.append(Outlet(station.id, evse, station.node or "", rating, safe))
    return tuple(found)


def dispatched(state: SiteState, config: SiteConfig, now: datetime) -> Site:
    """What wishes depend on besides the stations' own state."""
    assert state.topology is not None
    topology = state.topology
    horizon = timedelta(seconds=config.policies.wish_horizon_s)
    until = now + horizon + timedelta(seconds=2 * config.policies.guard_s)
    return Site(
        outlets=outlets(state),
        paths={node: topology.path(node) for node in topology.nodes},
        limits=_limits(state, config, now, until),
        plugs=state.sessions.plugs,
        wanted=_wanted(state),
        safe_kw={station.id: station.safe_kw for station in topology.stations.values()},
        horizon=horizon,
        causes=tuple(c for c in (state.grid.computed_by, _configured(state)) if c),
    )


def _limits(state: SiteState, config: SiteConfig, now: datetime, until: datetime) -> dict[str, Limit]:
    """Per node what may flow at the plugs below it: the envelope with every source falling back when its word ends."""
    assert state.topology is not None
    if config.policies.rule == "uncontrolled":
        return {node: Limit(((seconds(now), 10**12),)) for node in state.topology.nodes}
    segments = envelopes.compute(state.grid, config, now, until, assume_fresh=False)
    reserve = state.topology.reserve_steps(now, until)
    found: dict[str, Limit] = {}
    for node, own in _by_node(segments).items():
        kept = reserve if node == state.topology.root else ((now, 0.0),)
        moments = sorted({s.begins for s in own} | {at for at, _ in kept})
        steps = []
        for at in moments:
            limit = next((s.import_kw for s in reversed(own) if s.begins <= at), 0.0)
            free = limit - next((kw for begins, kw in reversed(kept) if begins <= at), 0.0)
            steps.append((seconds(at), int(max(0.0, free) * config.policies.eta_charger * 1000)))
        found[node] = Limit(tuple(steps))
    return found


def _wanted(state: SiteState) -> Mapping[tuple[str, int], Wanted]:
    """The assignment in force of every running transaction; one that was made for an earlier plug-in does not count."""
    found = {}
    for bay, message in state.allocations.assigned.items():
        plug = state.sessions.plugs.get(bay)
        body = message.body
        if plug is None or plug.transaction is None or plug.since is None or message.time < plug.since:
            continue
        if isinstance(body, AllocationAssigned) and body.steps:
            found[bay] = Wanted(body.steps, _rank(state, body.vehicle), message.id)
    return found


def _rank(state: SiteState, vehicle: str | None) -> tuple[object, ...]:
    """Priority class, then the earlier departure; strangers last."""
    bodies = [m.body for m in state.requirements.current.values() if isinstance(m.body, RequirementComputed)]
    own = [(b.priority, b.departs.isoformat()) for b in bodies if b.vehicle == vehicle]
    return min(own, default=(99, ""))


def _wishes(state: SiteState, config: SiteConfig, now: datetime, scribe: Scribe, memo: Memo) -> datetime | None:
    if state.topology is None:
        return None
    site = dispatched(state, config, now)
    dispatch.decide(state.dispatch, site, now, scribe)
    return dispatch.next_deadline(state.dispatch, site, now)


# -- consequences ---------------------------------------------------------------------------------------------------


def _subjects(state: SiteState, config: SiteConfig, now: datetime) -> list[Subject]:
    # A vehicle that moved has an assignment at both bays: the newer one is its own, whatever order a map is read in.
    newest = sorted(state.allocations.assigned.items(), key=lambda item: (item[1].time, item[0]))
    assigned = {m.body.vehicle: m for _, m in newest if isinstance(m.body, AllocationAssigned)}
    standing = _standing(state)
    found = []
    for message in _open_requirements(state.requirements):
        assert isinstance(message.body, RequirementComputed)
        plug = standing.get(message.body.vehicle)
        found.append(_subject(state, config, now, message, assigned, plug))
    return found


def _subject(
    state: SiteState,
    config: SiteConfig,
    now: datetime,
    requirement: Message,
    assigned: Mapping[str | None, Message],
    plug: Plug | None,
) -> Subject:
    body = requirement.body
    assert isinstance(body, RequirementComputed)
    left = state.sessions.left.get(body.vehicle)
    reading = _last_reading(state, config, body.vehicle, now, plug)
    station = _station(state, plug, left.station if left else None)
    return Subject(
        requirement=requirement,
        plug=plug,
        soc=reading.value if reading else None,
        soc_at=reading.measured if reading else None,
        soc_by=reading.message if reading else "",
        assignment=assigned.get(body.vehicle),
        plan=state.allocations.planned,
        connected=station is not None and station.connection is not None,
        incidents=incidents.touching(state.incidents, body.vehicle),
        unplugged_at=left.at if left else None,
        unplugged_by=left.by if left else "",
        confirmation=(station.confirmed_by or None) if station else None,
    )


def _last_reading(
    state: SiteState, config: SiteConfig, vehicle: str, now: datetime, plug: Plug | None
) -> Reading | None:
    """The freshest reading; after the plug is out, the last one that the charger measured."""
    left = state.sessions.left.get(vehicle)
    known = vehicles.soc_at(state.vehicles, state.sessions, config, vehicle, now, plug)
    if known is not None or left is None or left.soc is None or left.soc_at is None:
        return known
    return Reading(left.soc, left.soc_at, f"charger {left.station}", left.soc_by)


def _station(state: SiteState, plug: Plug | None, last: str | None) -> StationState | None:
    name = plug.station if plug else last
    return state.dispatch.stations.get(name) if name else None


def _readiness(state: SiteState, config: SiteConfig, now: datetime, scribe: Scribe, memo: Memo) -> datetime | None:
    """Only departures about which something is new are looked at: most facts concern one vehicle."""
    moments: list[datetime | None] = []
    memo.for_config(config)
    for subject in _subjects(state, config, now):
        key = _key_of(subject)
        last = state.readiness.last.get(key)
        if memo.is_assessed(key, subject, last, now):
            moments.append(memo.subjects[key][2])
            continue
        written = len(scribe.messages)
        readiness.decide(state.readiness, [subject], config, now, scribe)
        deadline = readiness.next_deadline(state.readiness, [subject], config, now)
        moments.append(deadline)
        if len(scribe.messages) == written:
            memo.subjects[key] = (subject, last, deadline)
    return _first(*moments)


def _key_of(subject: Subject) -> tuple[str, str]:
    need = requirement_of(subject)
    return need.vehicle, need.departs.isoformat()


def _conditions(state: SiteState, config: SiteConfig, now: datetime, memo: Memo) -> tuple[Condition, ...]:
    standing = {bay: plug.vehicle for bay, plug in state.sessions.plugs.items() if plug.vehicle is not None}
    world = World(config=config, plugs=state.sessions.plugs, vehicles=standing, readiness=state.readiness.last)
    return incidents.conditions(state.incidents, world, now, memo.conditions)


def _incidents(state: SiteState, config: SiteConfig, now: datetime, scribe: Scribe, memo: Memo) -> datetime | None:
    found = _conditions(state, config, now, memo)
    incidents.decide(state.incidents, found, now, scribe)
    return incidents.next_deadline(state.incidents, found, now)


def _records(state: SiteState, config: SiteConfig, now: datetime, scribe: Scribe, memo: Memo) -> datetime | None:
    commercial.decide(state.records, state.sessions.sessions, config, now, scribe)
    return commercial.next_deadline(state.records, state.sessions.sessions, now)


def _first(*moments: datetime | None) -> datetime | None:
    return min((m for m in moments if m is not None), default=None)


_SITE = ("site.configured", "station.admitted")
_PLUGS = ("connector.", "session.", "vehicle.")
_STANDING = ("connector.", "session.started", "session.updated", "session.ended", "vehicle.")
"""Who stands where; meter values do not change it."""
_ORDERS = ("command.", "allocation.")

STAGES: tuple[Stage, ...] = (
    Stage("work", (*_SITE, "work.", "assignment.", "schedule."), _work),
    Stage("vehicles", (*_SITE, *_STANDING, "work."), _vehicles),
    Stage("requirements", (*_SITE, *_PLUGS, "work.", "requirement.", "readiness."), _requirements),
    Stage("envelope", (*_SITE, "constraint.", "source.", "envelope."), _envelope),
    Stage(
        "plan",
        (*_SITE, *_STANDING, "requirement.", "envelope.", "allocation.", "station."),
        _plan,
    ),
    Stage(
        "wishes",
        (
            *_SITE,
            "connector.",
            "session.started",
            "session.updated",
            "session.ended",
            "allocation.",
            "requirement.",
            "constraint.",
            "source.",
            "envelope.",
            "station.connected",
            "station.disconnected",
            "station.booted",
            "station.limited",
            "gateway.",
            "command.wished",
            "command.rejected",
            "command.confirmed",
        ),
        _wishes,
    ),
    Stage(
        "readiness",
        (
            *_SITE,
            *_PLUGS,
            "requirement.",
            "allocation.",
            "incident.",
            "station.",
            "gateway.",
            "command.confirmed",
            "readiness.",
        ),
        _readiness,
    ),
    Stage(
        "incidents",
        (
            *_SITE,
            "connector.",
            "session.started",
            "session.updated",
            "session.ended",
            "vehicle.",
            "station.",
            "gateway.",
            "command.",
            "readiness.",
            "source.",
            "meter.",
            "envelope.",
            "schedule.",
            "incident.",
        ),
        _incidents,
    ),
    Stage("records", (*_SITE, "session.", "vehicle.", "record."), _records),
)
"""In the order in which the facts follow from each other."""
