"""Incidents: one per cause and subject, opened when it needs a person, updated when it matters more, resolved by evidence."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, MutableMapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any

from immutables import Map

from core.incidents.chargers import clocks, commands, faults, offline, strangers, undeclared
from core.incidents.conditions import Condition, World
from core.incidents.departures import departures, doubles
from core.incidents.facts import Facts, note
from core.incidents.site import feeds, journal, limits, meters, plans, sources
from core.messages import Message, compose, identify
from core.messages.incident import IncidentOpened, IncidentResolved, IncidentUpdated
from core.messages.reasons import REASONS
from core.messages.scribe import Scribe

FLAP = timedelta(minutes=2)
"""A cause must be gone so long before its incident is resolved, so that flapping stays one incident."""
LOUD = ("over_kw", "rows", "waiting", "left", "fallback_kw", "skew_s", "way")
"""Numbers whose change or end is worth an update; the others keep the value they had."""
LATE = ("words", "last_soc")
"""What may be told a moment after the incident was opened, and then stays."""
ABOUT = ("departs", "block")
"""What an incident of a vehicle is about: where that is another departure now, every number is another one."""
UNCONTROLLED = "controller_failed"
"""The one kind that no evaluator finds: where `decide` itself fails, whoever called it says so."""

Evaluate = Callable[[Facts, World, datetime], Iterator[Condition]]
Yard = tuple[object, ...]
"""Who stands where, in which session, how the departures look, and what is open."""
Inputs = Callable[[Facts, World, Yard], tuple[object, ...]]

EVALUATORS: tuple[tuple[Evaluate, Inputs], ...] = (
    (offline, lambda facts, world, yard: (facts.links, *yard)),
    (commands, lambda facts, world, yard: (facts.orders, facts.links, *yard)),
    (faults, lambda facts, world, yard: (facts.statuses, facts.problems, *yard)),
    (undeclared, lambda facts, world, yard: (facts.statuses, world.config)),
    (clocks, lambda facts, world, yard: (facts.clocks, world.config)),
    (strangers, lambda facts, world, yard: (facts.identified, *yard)),
    (sources, lambda facts, world, yard: (facts.sources, facts.contacts, facts.envelope, world.config)),
    (meters, lambda facts, world, yard: (facts.watches, world.config)),
    (limits, lambda facts, world, yard: (facts.envelope, world.config)),
    (plans, lambda facts, world, yard: (facts.plan, world.config)),
    (feeds, lambda facts, world, yard: (facts.feeds, facts.waiting, world.config)),
    (journal, lambda facts, world, yard: (facts.journal, world.config)),
    (doubles, lambda facts, world, yard: (world.works,)),
    (departures, lambda facts, world, yard: (world.readiness, world.open)),
)
"""Every kind of condition with what it is evaluated from; a new kind is one more function."""

Key = tuple[str, str]


@dataclass(frozen=True, slots=True)
class Evaluated:
    """What one evaluator said, from which inputs, and until when it says the same."""

    inputs: tuple[object, ...]
    conditions: tuple[Condition, ...]
    until: datetime | None


Known = MutableMapping[Evaluate, Evaluated]
"""What may be remembered between evaluations; without it the conditions are the same."""


@dataclass(frozen=True, slots=True)
class Open:
    """An incident that is not resolved: its opening, and its newest message."""

    opened: Message
    newest: Message

    @property
    def body(self) -> IncidentOpened | IncidentUpdated:
        """Severity, numbers and departures as last written."""
        assert isinstance(self.newest.body, IncidentOpened | IncidentUpdated)
        return self.newest.body


@dataclass(frozen=True, slots=True)
class IncidentsState:
    """Open incidents by (kind, subject), and the facts that conditions are evaluated from."""

    open: Map[Key, Open] = field(default_factory=Map)
    facts: Facts = field(default_factory=Facts)


def fold(state: IncidentsState, message: Message) -> IncidentsState:
    """The state after one more message, its own ones included."""
    body = message.body
    if isinstance(body, IncidentOpened):
        return replace(state, open=state.open.set((body.kind, body.subject), Open(message, message)))
    if isinstance(body, IncidentUpdated | IncidentResolved):
        return _followed(state, message, body)
    facts = note(state.facts, message)
    return state if facts is state.facts else replace(state, facts=facts)


def conditions(state: IncidentsState, world: World, now: datetime, known: Known | None = None) -> tuple[Condition, ...]:
    """At least every condition that holds, whose incident is open, or that time alone can bring; by kind and subject."""
    world, known = replace(world, open=state.open), {} if known is None else known
    standing = tuple((place, plug.plugged, plug.session, plug.began) for place, plug in sorted(world.plugs.items()))
    yard = (world.config, world.readiness, world.open, tuple(sorted(world.vehicles.items())), standing)
    found: list[Condition] = []
    for evaluate, inputs in EVALUATORS:
        given = inputs(state.facts, world, yard)
        before = known.get(evaluate)
        if before is None or not _same(before.inputs, given) or (before.until is not None and now >= before.until):
            fresh = tuple(evaluate(state.facts, world, now))
            before = known[evaluate] = Evaluated(given, fresh, _next(fresh, now))
        found += before.conditions
    return tuple(sorted(found, key=lambda c: (c.kind, c.subject)))


def _same(before: tuple[object, ...], given: tuple[object, ...]) -> bool:
    """The very same maps, and equal rows."""
    return all(a is b or (isinstance(a, tuple) and a == b) for a, b in zip(before, given, strict=True))


def _next(found: Iterable[Condition], now: datetime) -> datetime | None:
    """When an evaluator could say something else by time alone."""
    return min((moment for condition in found for moment in condition.moments if moment > now), default=None)


def decide(state: IncidentsState, found: Iterable[Condition], now: datetime, scribe: Scribe) -> None:
    """Open, update and resolve by what holds now; the same conditions again write nothing."""
    seen: set[Key] = set()
    for condition in found:
        key = (condition.kind, condition.subject)
        seen.add(key)
        known = state.open.get(key)
        if known is None and condition.active and now >= _opens(condition):
            _open(condition, now, scribe)
        elif known is not None and condition.active:
            _update(known, condition, scribe)
        elif known is not None and now >= condition.since + FLAP:
            _resolve(known, condition.causes, scribe)
    for key, known in sorted(state.open.items()):
        if key not in seen:
            _resolve(known, (state.facts.configured_by,), scribe)


def uncontrolled(state: IncidentsState, site: str, detail: str, *, seen: int, now: datetime) -> Message | None:
    """The opening that whoever cannot decide for a site appends; None while it is open. The next decision resolves it."""
    if (UNCONTROLLED, site) in state.open:
        return None
    body = IncidentOpened(
        incident=identify(UNCONTROLLED, site, seen, now),
        kind=UNCONTROLLED,
        subject=site,
        severity=REASONS[UNCONTROLLED].severity,
        params={"site": site, "detail": detail},
    )
    return compose(body, id=body.incident, time=now, source="controller", site=site)


def next_deadline(state: IncidentsState, found: Iterable[Condition], now: datetime) -> datetime | None:
    """The first moment after `now` at which `decide` could write with unchanged facts."""
    moments: list[datetime] = []
    for condition in found:
        known = (condition.kind, condition.subject) in state.open
        moments += condition.moments
        if condition.active != known:
            moments.append(_opens(condition) if condition.active else condition.since + FLAP)
    return min((m for m in moments if m > now), default=None)


def touching(state: IncidentsState, vehicle: str) -> tuple[Message, ...]:
    """The newest message of every open incident that touches this vehicle's departure."""
    found = (known.newest for _, known in sorted(state.open.items()) if vehicle in known.body.departures)
    return tuple(found)


def _opens(condition: Condition) -> datetime:
    return condition.opens or condition.since


def _open(condition: Condition, now: datetime, scribe: Scribe) -> None:
    body = IncidentOpened(
        incident=identify(scribe.site, condition.kind, condition.subject, now),
        kind=condition.kind,
        subject=condition.subject,
        severity=condition.severity,
        params=_plain(condition.params),
        departures=condition.departures,
    )
    scribe.write(body, at=condition.at, causes=condition.causes)


def _update(known: Open, condition: Condition, scribe: Scribe) -> None:
    body = known.body
    params = _follow(body.params, _plain(condition.params))
    if (params, body.severity, body.departures) == (body.params, condition.severity, condition.departures):
        return
    updated = IncidentUpdated(
        incident=body.incident,
        kind=body.kind,
        subject=body.subject,
        severity=condition.severity,
        params=params,
        departures=condition.departures,
    )
    scribe.write(updated, at=known.opened.at, causes=(known.opened.id, *condition.causes))


def _follow(before: Mapping[str, Any], now: dict[str, Any]) -> dict[str, Any]:
    """An open incident's numbers: as it was opened, but for those that are loud, or come late; a loud one may be gone."""
    if any(name in now and now[name] != before.get(name) for name in ABOUT):
        return now
    kept = {name: value for name, value in before.items() if name not in LOUD}
    return kept | {name: now[name] for name in (*LOUD, *LATE) if name in now and name not in kept}


def _resolve(known: Open, causes: tuple[str, ...], scribe: Scribe) -> None:
    body = known.body
    resolved = IncidentResolved(
        incident=body.incident, kind=body.kind, subject=body.subject, opened=known.opened.time, params=body.params
    )
    scribe.write(resolved, at=known.opened.at, causes=(known.opened.id, *causes))


def _followed(state: IncidentsState, message: Message, body: IncidentUpdated | IncidentResolved) -> IncidentsState:
    key = (body.kind, body.subject)
    known = state.open.get(key)
    if known is None or known.body.incident != body.incident:
        return state
    if isinstance(body, IncidentResolved):
        return replace(state, open=state.open.delete(key))
    return replace(state, open=state.open.set(key, replace(known, newest=message)))


def _plain(params: Mapping[str, Any]) -> dict[str, Any]:
    """Parameters as JSON data: moments as ISO text, numbers to four decimals, nothing that is unknown."""
    plain: dict[str, Any] = {}
    for name, value in params.items():
        if isinstance(value, datetime):
            plain[name] = value.isoformat()
        elif isinstance(value, float):
            plain[name] = round(value, 4)
        elif value not in (None, "", []):
            plain[name] = value
    return plain
