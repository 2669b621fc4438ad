"""Stages of the consequences: readiness, incidents and commercial records."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime

from core import commercial, incidents, readiness, vehicles
from core.dispatch import StationState
from core.incidents.conditions import Condition, World
from core.messages import Message
from core.messages.allocation import AllocationAssigned, Step
from core.messages.requirement import RequirementComputed
from core.messages.scribe import Scribe
from core.messages.site import SiteConfig
from core.readiness.outlook import Subject
from core.sessions import Plug
from core.site.memo import Memo
from core.site.stages.given import first, most_kw, outlets, standing_by_vehicle
from core.site.state import SiteState
from core.vehicles import Reading


def decide_readiness(
    state: SiteState, config: SiteConfig, now: datetime, scribe: Scribe, memo: Memo
) -> datetime | None:
    """Only departures about which something is new are looked at: most facts concern one vehicle."""
    moments: list[datetime | None] = []
    memo.for_config(config)
    for message, need, plug, assigned, before in _waiting(state):
        key = (need.vehicle, need.departs.isoformat())
        given = (before, *_given(state, message, plug, assigned, state.readiness.last.get(key)))
        if memo.is_given(key, given, now):
            moments.append(memo.subjects[key][2])
            continue
        subject = _subject(state, config, now, message, assigned, plug, before)
        deadline, said = _assess(state, config, now, key, subject, scribe, memo)
        moments.append(deadline)
        if not said:
            memo.keep(key, given, None if plug else _usable_until(subject))
    return first(*moments)


def _assess(
    state: SiteState,
    config: SiteConfig,
    now: datetime,
    key: tuple[str, str],
    subject: Subject,
    scribe: Scribe,
    memo: Memo,
) -> tuple[datetime | None, bool]:
    """The deadline of one departure's assessment, and whether it had to be written."""
    last = state.readiness.last.get(key)
    if memo.is_assessed(key, subject, last, now):
        return memo.subjects[key][2], False
    written = len(scribe.messages)
    readiness.decide(state.readiness, [subject], config, now, scribe)
    deadline = readiness.next_deadline(state.readiness, [subject], config, now)
    said = len(scribe.messages) > written
    if not said:
        memo.subjects[key] = (subject, last, deadline)
    return deadline, said


def _given(
    state: SiteState, requirement: Message, plug: Plug | None, assigned: Message | None, last: Message | None
) -> tuple[object, ...]:
    """All that a departure's subject is made of; while these are the same objects it is the same subject."""
    assert isinstance(requirement.body, RequirementComputed)
    vehicle = requirement.body.vehicle
    left = state.sessions.left.get(vehicle)
    return (
        requirement,
        last,
        plug,
        left,
        assigned,
        state.allocations.planned,
        state.incidents.open,
        state.vehicles.read.get(vehicle),
        state.vehicles.metered.get(vehicle),
        state.sessions.sessions.get(plug.session) if plug and plug.session else None,
        state.readiness.offers.get((plug.station, plug.evse)) if plug else None,
        _station(state, plug, left.station if left else None),
    )


def _usable_until(subject: Subject) -> datetime | None:
    return None if subject.soc_at is None else subject.soc_at + vehicles.UNPLUGGED_AFTER


def subjects(state: SiteState, config: SiteConfig, now: datetime) -> list[Subject]:
    """Every departure without an outcome, with all that is known about it."""
    return [
        _subject(state, config, now, message, assigned, plug, before)
        for message, _, plug, assigned, before in _waiting(state)
    ]


Waits = tuple[Message, RequirementComputed, Plug | None, Message | None, datetime | None]


def _waiting(state: SiteState) -> Iterator[Waits]:
    """The requirement of every departure without an outcome, where its vehicle is plugged in, its assignment, and
    the vehicle's departure before it."""
    assigned, standing = _assigned(state), standing_by_vehicle(state)
    earlier: dict[str, datetime] = {}
    for message in readiness.waiting(state.readiness):
        need = message.body
        assert isinstance(need, RequirementComputed)
        yield message, need, standing.get(need.vehicle), assigned.get(need.vehicle), earlier.get(need.vehicle)
        earlier[need.vehicle] = need.departs


def _assigned(state: SiteState) -> dict[str | None, Message]:
    """Every vehicle's own assignment; one that moved has one at both bays, and the newer is its own."""
    newest = sorted(state.allocations.assigned.items(), key=lambda item: (item[1].time, item[0]))
    return {m.body.vehicle: m for _, m in newest if isinstance(m.body, AllocationAssigned)}


def _subject(
    state: SiteState,
    config: SiteConfig,
    now: datetime,
    requirement: Message,
    assigned: Message | None,
    plug: Plug | None,
    before: datetime | None,
) -> Subject:
    body = requirement.body
    assert isinstance(body, RequirementComputed)
    left = state.sessions.left.get(body.vehicle)
    reading = _last_reading(state, config, body.vehicle, now, plug)
    station = _station(state, plug, left.station if left else None)
    return Subject(
        requirement=requirement,
        before=before,
        plug=plug,
        soc=reading.value if reading else None,
        soc_at=reading.measured if reading else None,
        soc_by=reading.message if reading else "",
        assignment=assigned,
        offered=_offered(state, plug),
        plan=state.allocations.planned,
        connected=station is not None and station.connection is not None,
        silent_since=station.lost_at if station is not None else None,
        incidents=incidents.touching(state.incidents, body.vehicle),
        unplugged_at=left.at if left else None,
        unplugged_by=left.by if left else "",
        idle_from=left.ended if left else None,
        confirmation=(station.confirmed_by or None) if station else None,
    )


def _offered(state: SiteState, plug: Plug | None) -> tuple[Step, ...]:
    """What was confirmed for the transaction that runs at this plug."""
    known = state.readiness.offers.get((plug.station, plug.evse)) if plug is not None else None
    if plug is None or known is None or known.transaction != plug.transaction:
        return ()
    return known.steps


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


def decide_incidents(
    state: SiteState, config: SiteConfig, now: datetime, scribe: Scribe, memo: Memo
) -> datetime | None:
    """What needs a person, opened, updated, resolved."""
    found = _conditions(state, config, now, memo)
    incidents.decide(state.incidents, found, now, scribe)
    return incidents.next_deadline(state.incidents, found, now)


def _conditions(state: SiteState, config: SiteConfig, now: datetime, memo: Memo) -> tuple[Condition, ...]:
    standing = {bay: plug.vehicle for bay, plug in state.sessions.plugs.items() if plug.vehicle is not None}

    def ceiling_kw(station: str) -> float:
        return sum(most_kw(state, config, o, now) for o in outlets(state) if o.station == station)

    world = World(config, state.sessions.plugs, standing, state.readiness.last, ceiling_kw, state.work.works)
    return incidents.conditions(state.incidents, world, now, memo.conditions)


def decide_records(state: SiteState, config: SiteConfig, now: datetime, scribe: Scribe, memo: Memo) -> datetime | None:
    """What each session costs."""
    commercial.decide(state.records, state.sessions.sessions, config, now, scribe)
    return commercial.next_deadline(state.records, state.sessions.sessions, now)
