"""A condition: one cause at one subject, with the departures that it touches and a severity by consequence."""

from __future__ import annotations

from collections.abc import Callable, Container, Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any

from immutables import Map

from core.messages import Message, Physical
from core.messages.incident import Severity
from core.messages.readiness import ReadinessAssessed, assessed
from core.messages.reasons import REASONS
from core.messages.site import SiteConfig
from core.sessions import Plug
from core.work import Planned

CRITICAL_WITHIN = timedelta(hours=2)
"""A departure so near that becomes missed makes its incident critical."""
CHARGING_FOR = timedelta(hours=4)
"""A silent charger that charges for a departure so near is of high severity."""
_RANK: tuple[Severity, ...] = ("low", "medium", "high", "critical")


@dataclass(frozen=True, slots=True)
class World:
    """What other concepts know, at one moment."""

    config: SiteConfig
    plugs: Map[tuple[str, int], Plug] = field(default_factory=Map)
    vehicles: Mapping[tuple[str, int], str] = field(default_factory=dict)
    """Which known vehicle stands where."""
    readiness: Map[tuple[str, str], Message] = field(default_factory=Map)
    """The last assessment of each (vehicle, departure)."""
    ceiling_kw: Callable[[str], float | None] = lambda station: None
    """What a station counts with; asked only where a sentence says it."""
    works: Map[str, Planned] = field(default_factory=Map)
    """All work that is known."""
    open: Container[tuple[str, str]] = ()
    """(kind, subject) of every open incident."""

    def idle(self, kind: str, subject: str, active: bool) -> bool:
        """Whether it neither holds nor is an open incident: nothing can follow from it."""
        return not active and (kind, subject) not in self.open


@dataclass(frozen=True, slots=True)
class Condition:
    """One cause at one subject: whether it holds, since when (or since when it is gone), and on what that rests."""

    kind: str
    subject: str
    active: bool
    since: datetime
    causes: tuple[str, ...] = ()
    params: Mapping[str, Any] = field(default_factory=dict)
    severity: Severity = "low"
    departures: tuple[str, ...] = ()
    at: Physical = field(default_factory=Physical)
    opens: datetime | None = None
    """From when on it is an incident; None: from `since` on."""
    moments: tuple[datetime, ...] = ()
    """When it could change by time alone."""


def stated(
    kind: str, subject: str, active: bool, message: Message, params: Mapping[str, Any], at: Physical
) -> Condition:
    """A condition that one message states, with its kind's own severity."""
    return Condition(kind, subject, active, message.time, (message.id,), params, REASONS[kind].severity, at=at)


def weighed(condition: Condition, world: World, now: datetime, floor: Severity = "low") -> Condition:
    """The condition of a station or EVSE with the departures that it touches, and its severity by consequence."""
    if not condition.active:
        return condition
    at = condition.at
    here = (p for place, p in sorted(world.plugs.items()) if place[0] == at.station and at.evse in (None, place[1]))
    session = next((plug.session for plug in here if plug.session), None)
    there = replace(condition, at=at.model_copy(update={"session": session}))
    return _touching(there, departing(world, at.station or "", at.evse, now), now, floor)


def weighed_all(condition: Condition, world: World, now: datetime, stations: Iterable[str]) -> Condition:
    """The condition of several stations with the departures that it touches, and its severity by consequence."""
    if not condition.active:
        return condition
    touched = [body for station in stations for body in departing(world, station, None, now)]
    return _touching(condition, touched, now, REASONS[condition.kind].severity)


def _touching(condition: Condition, touched: list[ReadinessAssessed], now: datetime, floor: Severity) -> Condition:
    return replace(
        condition,
        severity=max(severity_of(condition.kind, touched, now), floor, key=_RANK.index),
        departures=tuple(sorted({body.vehicle for body in touched})),
        moments=(*condition.moments, *(body.departs - CHARGING_FOR for body in touched), *edges(touched)),
    )


def departing(world: World, station: str, evse: int | None, now: datetime) -> list[ReadinessAssessed]:
    """The next open departure of every vehicle that is plugged in there."""
    found = []
    for place, vehicle in sorted(world.vehicles.items()):
        plug = world.plugs.get(place)
        if place[0] != station or evse not in (None, place[1]) or plug is None or not plug.plugged:
            continue
        bodies = [assessed(m) for (name, _), m in world.readiness.items() if name == vehicle]
        found += sorted((b for b in bodies if not b.final and b.departs > now), key=lambda b: b.departs)[:1]
    return found


def severity_of(kind: str, touched: list[ReadinessAssessed], now: datetime) -> Severity:
    """By consequence: critical where a departure within two hours is missed, high where one is at risk, else the kind's own."""
    worst: Severity = REASONS[kind].severity
    for body in touched:
        if body.state == "missed" and now >= body.departs - CRITICAL_WITHIN:
            worst = "critical"
        elif body.state in ("missed", "at_risk"):
            worst = max(worst, "high", key=_RANK.index)
    return worst


def edges(touched: list[ReadinessAssessed]) -> tuple[datetime, ...]:
    """When severity or the touched departures change by time alone."""
    return tuple(m for body in touched for m in (body.departs - CRITICAL_WITHIN, body.departs))
