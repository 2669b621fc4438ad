"""Conditions of departures: what their assessments say that a person can act on."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta
from itertools import groupby
from typing import Any

from core.incidents.conditions import (
    Condition,
    World,
    edges,
    severity_of,
)
from core.incidents.facts import Facts
from core.messages import Message, Physical
from core.messages.readiness import assessed
from core.messages.reasons import REASONS
from core.work import AHEAD, overlaps

FORGOTTEN = timedelta(hours=1)
"""A departure stops needing a person so long after it, when the vehicle's next one is known."""
_FROM_READINESS: Mapping[str, tuple[str, ...]] = {
    "not_plugged": ("at_risk", "missed"),
    "charging_not_started": ("at_risk", "missed"),
    "power_below_plan": ("at_risk", "missed"),
    "soc_stale": ("at_risk",),
    "late_arrival": ("at_risk", "missed", "met"),
    "block_exceeds_battery": ("at_risk", "missed"),
}
"""Readiness reasons that a person can act on, and in which states they are incidents."""


def departures(facts: Facts, world: World, now: datetime) -> Iterator[Condition]:
    """What the assessments of each vehicle say that a person can act on."""
    by_vehicle: dict[str, list[Message]] = {}
    for message in world.readiness.values():
        by_vehicle.setdefault(assessed(message).vehicle, []).append(message)
    for vehicle, messages in by_vehicle.items():
        messages.sort(key=lambda m: assessed(m).departs)
        found = [_missed(vehicle, messages, world, now)]
        found += [_reasoned(kind, states, vehicle, messages, world, now) for kind, states in _FROM_READINESS.items()]
        yield from filter(None, found)


def doubles(facts: Facts, world: World, now: datetime) -> Iterator[Condition]:
    """Two blocks of one vehicle at once, as their feeds state it, until the second one begins."""
    found = [one for one in overlaps(world.works, now) if one.code == "blocks_overlap"]
    for vehicle, rows in groupby(found, key=lambda one: one.vehicle):
        one = next(rows)
        begins = one.params["departs"]
        said = Condition(
            one.code,
            vehicle,
            begins <= now + AHEAD,
            max(m for p in (one.first, one.second) for m in (p.since, p.assigned_at) if m is not None),
            tuple(i for p in (one.first, one.second) for i in (p.by, p.assigned_by) if i),
            one.params,
            REASONS[one.code].severity,
            (vehicle,),
            Physical(vehicle=vehicle, work=one.second.block.work, block=one.second.block.block),
            moments=(begins - AHEAD, begins),
        )
        yield said


def _missed(vehicle: str, messages: list[Message], world: World, now: datetime) -> Condition | None:
    """A departure that is or was missed, until it is over and the next one is known."""
    last = messages[-1]
    for message in messages:
        body = assessed(message)
        if body.state == "missed" and not _over(message, last, now):
            params = {"vehicle": vehicle, "departs": body.departs, "goal_soc": body.soc_goal}
            params |= {"last_soc": body.soc, "left": True} if body.final else {}
            return _of_departure("missed_charge", message, True, params, now, moments=(body.departs + FORGOTTEN,))
    if ("missed_charge", vehicle) not in world.open:
        return None
    gone = max((m.time for m in messages if not assessed(m).final), default=last.time)
    return _of_departure("missed_charge", last, False, {}, now, since=gone)


def _reasoned(
    kind: str, states: tuple[str, ...], vehicle: str, messages: list[Message], world: World, now: datetime
) -> Condition | None:
    """A reason of an open departure, unless a charger's own incident is the cause."""
    for message in messages:
        body = assessed(message)
        codes = [reason.code for reason in body.reasons]
        caused = any(code in REASONS and REASONS[code].touches for code in codes)
        over = body.final or _over(message, messages[-1], now)
        if body.state in states and kind in codes and not caused and not over:
            params = next(reason.params for reason in body.reasons if reason.code == kind)
            return _of_departure(kind, message, True, params, now, moments=(body.departs + FORGOTTEN,))
    if (kind, vehicle) not in world.open:
        return None
    newest = max(messages, key=lambda m: m.time)
    return _of_departure(kind, newest, False, {}, now)


def _over(message: Message, last: Message, now: datetime) -> bool:
    """Whether a departure is history: long past, and the vehicle's next one is known."""
    return message is not last and now >= assessed(message).departs + FORGOTTEN


def _of_departure(
    kind: str,
    message: Message,
    active: bool,
    params: Mapping[str, Any],
    now: datetime,
    since: datetime | None = None,
    moments: tuple[datetime, ...] = (),
) -> Condition:
    body = assessed(message)
    return Condition(
        kind,
        body.vehicle,
        active,
        since or message.time,
        (message.id,),
        params,
        severity_of(kind, [body], now),
        (body.vehicle,),
        message.at,
        moments=(*moments, *edges([body])),
    )
