"""What the freshest readings and the plan in force make of one departure: when ready, with how much slack, how sure."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from core.battery import Curve, charge_time, power_at, reached_at, soc_after
from core.messages import Message
from core.messages.allocation import AllocationAssigned, AllocationPlanned, Step
from core.messages.requirement import TOLERANCE, RequirementComputed
from core.messages.site import Policies, SiteConfig
from core.readiness.offers import least, offered
from core.sessions import Plug
from core.work import OVER

PLUG_IN_LEAD = timedelta(minutes=15)
UNPLUGGED_STALE = timedelta(minutes=30)
MIN_SLACK = timedelta(minutes=10)
SLACK_SHARE = 0.1
NOT_STARTED = timedelta(minutes=3)
BELOW_PLAN_AFTER = timedelta(minutes=5)
BELOW_PLAN = 0.7
REACTION = timedelta(minutes=1)
"""A reading tells nothing about an offer that is so young: the charger and the vehicle need time to follow."""
ALLOWANCE = timedelta(minutes=1)
"""A plan so much slower than full power is slow because something limits it."""


@dataclass(frozen=True, slots=True)
class Subject:
    """All that is known about one departure: its requirement and the latest fact of every input."""

    requirement: Message
    """A `requirement.computed`."""
    before: datetime | None = None
    """When the vehicle leaves for other work before this departure: nobody knows with what it comes back."""
    plug: Plug | None = None
    """Where the vehicle is plugged in now; None where it is not."""
    soc: float | None = None
    soc_at: datetime | None = None
    soc_by: str = ""
    assignment: Message | None = None
    """Its newest `allocation.assigned`."""
    offered: tuple[Step, ...] = ()
    """What its station has confirmed that it may draw: the near past, and what lies ahead."""
    plan: Message | None = None
    """The `allocation.planned` in force; its shortages give a limit its name."""
    connected: bool = True
    """The station of `plug` is connected."""
    silent_since: datetime | None = None
    """When its connection was lost."""
    incidents: tuple[Message, ...] = ()
    """Newest message of every open incident that touches the vehicle, its connector or its circuit."""
    unplugged_at: datetime | None = None
    """When the vehicle's last plug-in ended."""
    unplugged_by: str = ""
    confirmation: str | None = None
    """Id of the last `command.confirmed` at its station."""
    precondition: timedelta = timedelta()
    idle_from: datetime | None = None
    """When the last transaction of the plug-in that is over ended: from then on an older reading still holds."""


@dataclass(frozen=True, slots=True)
class Profile:
    """How this vehicle charges at this connector."""

    curve: Curve
    eta: float
    full_kw: float
    bay: str = ""


@dataclass(frozen=True, slots=True)
class Outlook:
    """Figures of one departure; `soc` and `expected` are only meaningful where `known`."""

    known: bool
    fresh: bool = False
    soc: float = 0.0
    expected: float = 0.0
    ready_at: datetime | None = None
    slack: timedelta | None = None
    threshold: timedelta = MIN_SLACK
    reached: bool = False
    too_late: bool = False
    """Even full power from now on misses the goal, and what it has is not enough for its work."""
    must_plug: bool = False
    not_started: bool = False
    slower_than_full: bool = False
    weak: tuple[str, ...] = ()
    unplugged: tuple[str, ...] = ()
    params: dict[str, Any] = field(default_factory=dict)


def requirement_of(subject: Subject) -> RequirementComputed:
    """The body of the subject's requirement."""
    assert isinstance(subject.requirement.body, RequirementComputed)
    return subject.requirement.body


def profile(subject: Subject, config: SiteConfig) -> Profile:
    """Curve and efficiency of the vehicle's type, and the rating of its connector; unknown: what the plan gives."""
    need, plug = requirement_of(subject), subject.plug
    kinds = {kind.id: kind for kind in config.vehicle_types}
    kind = next((kinds.get(v.type) for v in config.vehicles if v.id == need.vehicle), None)
    curve: Curve = kind.curve if kind and kind.curve else ((0.0, float("inf")),)
    full, bay = float("inf"), ""
    if plug is not None:
        bay = f"{plug.station}/{plug.evse}"
        connectors = [c for s in config.stations if s.id == plug.station for c in s.connectors if c.evse == plug.evse]
        full = max((c.max_kw for c in connectors), default=full)
        bay = next((c.name for c in connectors if c.name), bay)
    return Profile(curve, kind.eta_battery if kind else 1.0, full, bay)


def leaves_before(subject: Subject, now: datetime) -> bool:
    """Whether other work comes first: today's charge and plan say nothing about this departure.

    What stands at its plug when the time of that work is over is back from it, or never left: then they do.
    """
    if subject.before is None or now >= requirement_of(subject).departs:
        return False
    return now < subject.before + OVER or not _plugged(subject)


def look(subject: Subject, vehicle: Profile, policies: Policies, now: datetime) -> Outlook:
    """The outlook at `now`. Time enters only by the moments that `moments` names."""
    need = requirement_of(subject)
    unplugged = () if _plugged(subject) else ("not_plugged",)
    soc, measured = subject.soc, subject.soc_at
    if soc is None or measured is None or _lost(subject, now) or leaves_before(subject, now):
        return Outlook(known=False, unplugged=unplugged, params=_params(subject, vehicle, None))
    stale = _stale_at(subject, policies)
    ready, expected, slack, threshold = _project(subject, vehicle, soc, measured)
    least = _least(subject, vehicle, soc)
    late = need.deadline - subject.precondition
    return Outlook(
        known=True,
        fresh=stale is None or now < stale,
        soc=soc,
        expected=expected,
        ready_at=ready,
        slack=slack,
        threshold=threshold,
        reached=soc >= need.soc_goal - TOLERANCE,
        too_late=least is not None and now >= late - least and soc < need.soc_needed,
        must_plug=bool(unplugged) and (least is None or now >= late - least - PLUG_IN_LEAD),
        not_started=_not_started(subject, now),
        slower_than_full=ready is None or least is None or ready - _begins(subject, measured) > least + ALLOWANCE,
        weak=_weak(subject, vehicle, soc),
        unplugged=unplugged,
        params=_params(subject, vehicle, least)
        | {"takes_kw": _finite(power_at(vehicle.curve, soc, vehicle.full_kw))}
        | {"expected_soc": expected, "ready": ready, "slack_s": _s(slack)}
        | {"needed_slack_s": _s(threshold)}
        | _idle_params(subject, now),
    )


def moments(subject: Subject, vehicle: Profile, policies: Policies) -> Iterator[datetime]:
    """Every moment at which `look` could change with the same inputs."""
    if subject.before is not None:
        yield subject.before + OVER
    if subject.soc is not None and subject.soc_at is not None:
        yield from filter(None, (_stale_at(subject, policies), subject.soc_at + UNPLUGGED_STALE))
        least = _least(subject, vehicle, subject.soc)
        if least is not None:
            latest = requirement_of(subject).deadline - subject.precondition - least
            yield from (latest, latest - PLUG_IN_LEAD)
    for step in subject.offered:
        yield from (step.at, step.at + NOT_STARTED)
    for moment in (subject.plug.since, subject.plug.ended) if subject.plug is not None else ():
        if moment is not None:
            yield moment + NOT_STARTED


def _plugged(subject: Subject) -> bool:
    return subject.plug is not None and subject.plug.plugged


def _lost(subject: Subject, now: datetime) -> bool:
    """A reading from before this plug-in, or of a vehicle that is not plugged in, counts for half an hour."""
    assert subject.soc_at is not None
    plug = subject.plug
    if plug is not None and plug.plugged and (plug.since is None or subject.soc_at >= plug.since):
        return False
    return now >= subject.soc_at + UNPLUGGED_STALE


def _stale_at(subject: Subject, policies: Policies) -> datetime | None:
    """When the reading stops being fresh: while a transaction runs; a standing vehicle keeps its charge."""
    if subject.plug is None or subject.plug.transaction is None or subject.soc_at is None:
        return None
    return subject.soc_at + timedelta(seconds=policies.soc_stale_s)


def _steps(subject: Subject) -> tuple[Step, ...]:
    body = subject.assignment.body if subject.assignment else None
    return tuple(sorted(body.steps, key=lambda s: s.at)) if isinstance(body, AllocationAssigned) else ()


def _begins(subject: Subject, measured: datetime) -> datetime:
    """From where the plan is projected: the reading, or the plan's first step where that is later."""
    steps = _steps(subject)
    return max(measured, steps[0].at) if steps else measured


def _project(
    subject: Subject, vehicle: Profile, soc: float, measured: datetime
) -> tuple[datetime | None, float, timedelta | None, timedelta]:
    """(ready at, SoC at the deadline, slack, threshold) of the plan in force, from the reading on."""
    need = requirement_of(subject)
    if soc >= need.soc_goal:
        return None, soc, None, MIN_SLACK
    steps = _real(subject, vehicle, soc)
    late = need.deadline - subject.precondition
    facts = (vehicle.curve, need.capacity_kwh, vehicle.eta, soc)
    expected = soc_after(*facts, steps, measured, max(late, measured))
    day = late + timedelta(days=1)
    ready = reached_at(*facts, need.soc_goal, steps, measured, day)
    if ready is None:
        # A plan that ends a hair below the goal is on the goal: readings are rounded, and so are its steps.
        ready = reached_at(*facts, need.soc_goal - TOLERANCE, steps, measured, day)
    if ready is None:
        return None, expected, None, MIN_SLACK
    threshold = max(MIN_SLACK, SLACK_SHARE * _flowing(steps, measured, ready))
    return ready, expected, late - ready, threshold


def _real(subject: Subject, vehicle: Profile, soc: float) -> tuple[Step, ...]:
    """The plan's steps, capped by what the vehicle is seen to take where that is far below them."""
    steps = _steps(subject)
    seen = subject.plug.power_kw if subject.plug else None
    if seen is None or not _weak(subject, vehicle, soc):
        return steps
    return tuple(Step(at=step.at, kw=min(step.kw, seen)) for step in steps)


def _flowing(steps: tuple[Step, ...], begins: datetime, ends: datetime) -> timedelta:
    """How long something flows between the two moments."""
    total = timedelta()
    for index, step in enumerate(steps):
        until = min(steps[index + 1].at, ends) if index + 1 < len(steps) else ends
        if step.kw > 0:
            total += max(timedelta(), until - max(step.at, begins))
    return total


def _least(subject: Subject, vehicle: Profile, soc: float) -> timedelta | None:
    """How long full power takes to the goal; None where it never gets there."""
    need = requirement_of(subject)
    return charge_time(vehicle.curve, need.capacity_kwh, vehicle.eta, soc, need.soc_goal, vehicle.full_kw)


def _not_started(subject: Subject, now: datetime) -> bool:
    """Plugged in and connected for three minutes, and nothing flows that may: no transaction, or none of its power."""
    since = _idle_since(subject, now)
    return since is not None and now >= since + NOT_STARTED


def _idle_since(subject: Subject, now: datetime) -> datetime | None:
    """Since when nothing flows although it may; None where something does, or nobody can say."""
    plug = subject.plug
    if plug is None or not plug.plugged or plug.since is None or not subject.connected:
        return None
    if plug.transaction is None:
        return None if plug.power_kw else max(plug.since, plug.ended or plug.since)
    _, since = offered(subject.offered, now)
    if since is None or plug.power_kw != 0 or plug.power_at is None or plug.power_at < since + REACTION:
        return None
    return max(since, plug.since)


def _weak(subject: Subject, vehicle: Profile, soc: float) -> tuple[str, ...]:
    """Why less flows than may: the vehicle's own taper, else the charger; empty where it fits."""
    plug = subject.plug
    if plug is None or not plug.plugged or not plug.power_kw or plug.power_at is None:
        return ()
    _, since = offered(subject.offered, plug.power_at)
    if since is None or plug.power_at < since + BELOW_PLAN_AFTER:
        return ()
    takes = power_at(vehicle.curve, soc, least(subject.offered, plug.power_at - BELOW_PLAN_AFTER, plug.power_at))
    if plug.power_kw >= BELOW_PLAN * takes:
        return ()
    tapers = power_at(vehicle.curve, soc) < max(power for _, power in vehicle.curve)
    return ("vehicle_limited",) if tapers else ("power_below_plan",)


def _params(subject: Subject, vehicle: Profile, least: timedelta | None) -> dict[str, Any]:
    """The numbers of the sentences."""
    need, plug = requirement_of(subject), subject.plug
    asked, since = offered(subject.offered, plug.power_at) if plug and plug.power_at else (None, None)
    return {
        "silent_since": subject.silent_since,
        "full_kw": _finite(vehicle.full_kw),
        "vehicle": need.vehicle,
        "departs": need.departs,
        "goal_soc": need.soc_goal,
        "target_soc": need.soc_target,
        "last_soc": subject.soc,
        "read": subject.soc_at,
        "since": since,
        "needed_kwh": need.plug_kwh,
        "bay": vehicle.bay,
        "station": plug.station if plug else subject.assignment.at.station if subject.assignment else None,
        "power_kw": plug.power_kw if plug else None,
        "asked_kw": asked,
        "least_s": _s(least),
        "by": None if least is None else need.deadline - subject.precondition - least,
        "block": ", ".join(work.split(":", 2)[-1] for work in need.works),
    } | _limit(subject)


def _idle_params(subject: Subject, now: datetime) -> dict[str, Any]:
    """Since when it takes nothing, of how much; both are other numbers where something flows."""
    since = _idle_since(subject, now)
    return {} if since is None else {"since": since, "asked_kw": offered(subject.offered, now)[0] or None}


def _limit(subject: Subject) -> dict[str, Any]:
    """The limit that the plan's shortage names for this vehicle."""
    body = subject.plan.body if subject.plan else None
    if not isinstance(body, AllocationPlanned):
        return {}
    vehicle = requirement_of(subject).vehicle
    for shortage in body.shortages:
        if vehicle in shortage.vehicles and shortage.limits:
            cut = shortage.limits[0]
            cut_kw = cut.kwh / max((cut.ends - cut.begins).total_seconds() / 3600, 1e-9)
            named = {"node": cut.node, "source": cut.source, "until": cut.ends, "cut_kw": cut_kw}
            return named | {"missing_kwh": shortage.missing_kwh}
    return {}


def _finite(kw: float) -> float | None:
    return kw if math.isfinite(kw) else None


def _s(span: timedelta | None) -> float | None:
    return None if span is None else span.total_seconds()
