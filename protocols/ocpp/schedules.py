"""Wishes become charging schedules, and schedules that are read back are compared with them; pure."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from core.messages.allocation import Step
from core.messages.command import Installed
from protocols.common.times import read_time
from protocols.ocpp.dialect import Composite, Excess, Profile, Purpose

LEAD = timedelta(seconds=5)
"""Schedules begin so far in the past, so that a station whose clock is a little behind has a period at once."""
EDGE = timedelta(seconds=3)
"""Whole-second offsets and a little skew move the edges of a schedule that is read back by so much."""
VOLTS = 230
PHASES = 3
MOST_WATTS = 1e9
"""Above it a limit is none."""
_RANK = {"max": 0, "default": 1, "transaction": 3}
"""Which profile stands above which; an EVSE's own default is one above the station's."""


@dataclass(frozen=True, slots=True)
class Target:
    """A profile that shall be in the station: what, where, until when; without the moment of its encoding."""

    id: int
    evse: int
    purpose: Purpose
    stack: int
    steps: tuple[Step, ...]
    until: datetime | None
    transaction: str | None = None
    share: int = 1
    """On EVSE 0: how many EVSEs each draw this much; the journal is told the sum."""


def encode(target: Target, now: datetime, most_periods: int = 24) -> Profile:
    """The target as a station gets it: whole seconds, tenths of a watt, both rounded to the lower power."""
    start = now.replace(microsecond=0) - LEAD
    end = None if target.until is None else int((target.until - start).total_seconds())
    periods = _shorten(_periods(target.steps, start, now, end), most_periods)
    steps = tuple(Step(at=start + timedelta(seconds=at), kw=w * target.share / 1000) for at, w in periods)
    installed = Installed(
        evse=target.evse,
        purpose=target.purpose,
        steps=steps,
        until=None if end is None else start + timedelta(seconds=end),
        transaction=target.transaction,
    )
    return Profile(
        target.id, target.evse, target.purpose, target.stack, start, periods, end, target.transaction, installed
    )


def _periods(steps: Sequence[Step], start: datetime, now: datetime, end: int | None) -> tuple[tuple[int, float], ...]:
    """Offsets rise strictly from 0; a reduction begins a moment early rather than late, a raise late."""
    periods: list[tuple[int, float]] = []
    for step in steps:
        watts = math.floor(step.kw * 10_000 + 1e-6) / 10
        offset = (step.at - start).total_seconds()
        falls = bool(periods) and watts < periods[-1][1]
        at = 0 if step.at <= now or not periods else max(0, math.floor(offset) if falls else math.ceil(offset))
        if end is not None and at >= end:
            break
        while periods and periods[-1][0] >= at:
            periods.pop()
        if periods and watts > periods[-1][1]:
            at = max(at, math.ceil(offset))  # a peak within one second is gone, and what is left is a raise
        if not periods or periods[-1][1] != watts:
            periods.append((at if periods else 0, watts))
    return tuple(periods) or ((0, 0.0),)


def _shorten(periods: tuple[tuple[int, float], ...], most: int) -> tuple[tuple[int, float], ...]:
    """At most so many periods; the rest becomes one with its lowest limit."""
    if len(periods) <= most:
        return periods
    tail = periods[most - 1 :]
    return (*periods[: most - 1], (tail[0][0], min(watts for _, watts in tail)))


def limit_at(
    profiles: Sequence[Installed], moment: datetime, share: int, edge: timedelta = timedelta(0)
) -> float | None:
    """The kW that one EVSE may draw at `moment`: station maximum against transaction or default; None is "no statement".

    `share` is the number of EVSEs that an EVSE 0 default is the sum for. With an `edge` the largest value from so long
    before until so long after the moment counts, so that a change may come a little early or late.
    """
    ranks: dict[int, float] = {}
    for profile in profiles:
        if _at(profile, moment) is None:
            continue
        around = (_at(profile, at) for at in (moment - edge, moment, moment + edge))
        kw = max(value for value in around if value is not None)
        rank = _RANK[profile.purpose] + int(profile.purpose == "default" and profile.evse > 0)
        ranks[rank] = kw / share if rank == _RANK["default"] else kw
    top = ranks.pop(_RANK["max"], None)
    known = [kw for kw in (ranks[max(ranks)] if ranks else None, top) if kw is not None]
    return min(known) if known else None


def _at(profile: Installed, moment: datetime) -> float | None:
    if profile.until is not None and moment >= profile.until:
        return None
    return next((step.kw for step in reversed(profile.steps) if step.at <= moment), None)


def composite(
    start: object, unit: object, periods: Sequence[Any], now: datetime, duration_s: int | None = None
) -> Composite | None:
    """A composite schedule in kW; amperes count with 230 V and three phases unless the period says otherwise.

    None where it cannot be compared: in another unit, or over before now.
    """
    begin = read_time(start, now).time
    until = begin + timedelta(seconds=min(duration_s, 10**7)) if duration_s and duration_s > 0 else None
    if unit not in ("W", "A") or (until is not None and until <= now):
        return None
    steps = []
    for period in periods:
        at, limit = (period.get("startPeriod"), period.get("limit")) if isinstance(period, dict) else (None, None)
        if (
            isinstance(at, bool)
            or not isinstance(at, int)
            or isinstance(limit, bool)
            or not isinstance(limit, int | float)
        ):
            return None
        limit = min(max(limit, 0), MOST_WATTS)
        phases = period.get("numberPhases")
        watts = limit if unit == "W" else limit * VOLTS * (phases if isinstance(phases, int) and phases > 0 else PHASES)
        steps.append((begin + timedelta(seconds=min(max(at, 0), 10**7)), watts / 1000))
    return Composite(tuple(sorted(steps)), until)


def excess(read: Composite, profiles: Sequence[Installed], now: datetime, until: datetime, share: int) -> Excess | None:
    """What was read back that is more than what was wished between `now` and `until`, as far as it says anything."""
    if not read.steps or read.steps[0][0] > now + LEAD + EDGE:
        return Excess("composite_empty")
    until = min(until, read.until or until)
    edges = {at for at, _ in read.steps} | {step.at for profile in profiles for step in profile.steps}
    edges |= {profile.until + EDGE for profile in profiles if profile.until}
    for moment in sorted({now} | {m for at in edges for m in (at, at + EDGE) if now < m < until}):
        allowed = limit_at(profiles, moment, share, EDGE)
        stated = next(kw for at, kw in reversed(read.steps) if at <= max(moment, read.steps[0][0]))
        if allowed is not None and stated > allowed * 1.005 + 0.01:
            return Excess("composite_above_wish", stated, allowed)
    return None
