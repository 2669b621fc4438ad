"""Invented nights for pages: a depot of any size with arrivals, charging, a lowered limit and things that go wrong."""

from __future__ import annotations

import random
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

from core.messages.readiness import State
from gateway.pages.views import Departure, Gap, Limit, NightVehicle, NightView, Step

ZONE = "Europe/Berlin"
IDS = (131, 118, 127, 109, 133, 115, 140, 122, 136, 111, 142, 125, 117, 104, 129, 120)


def moment(text: str, day: date = date(2026, 11, 25)) -> datetime:
    """`18:30` on the evening's day, times before noon on the next, in Berlin."""
    hour, minute = map(int, text.split(":"))
    of = day if hour >= 12 else day + timedelta(days=1)
    return datetime(of.year, of.month, of.day, hour, minute, tzinfo=ZoneInfo(ZONE)).astimezone(UTC)


def night(
    count: int = 16, *, now: str = "01:12", follow: str = "", day: date = date(2026, 11, 25), seed: int = 1
) -> NightView:
    """A night in which the limit falls to 260 kW from 00:30 to 04:30 and two departures need a person."""
    rng = random.Random(seed)
    at = moment(now, day)
    begins, ends = moment("18:00", day), moment("08:10", day)
    factor = max(count / 16, 1 / 16)
    limits = limits_of(day, factor)
    vehicles = tuple(_vehicle(i, count, at, day, rng, follow) for i in range(count))
    building = tuple(_building(begins, ends, factor, rng))
    total = _total(vehicles, building, begins, ends)
    return NightView(
        site="nord",
        name="Depot Nord",
        zone=ZONE,
        day=day,
        now=at,
        begins=begins,
        ends=ends,
        limits=limits,
        imported=tuple(s for s in total if s.ends <= at),
        import_kw=next((s.kw for s in reversed(total) if s.ends <= at), None),
        import_at=at,
        import_planned=tuple(s for s in total if s.ends > at),
        building=tuple(s for s in building if s.ends <= at),
        building_planned=tuple(s for s in building if s.ends > at),
        vehicles=vehicles,
        follow=follow,
    )


def limits_of(day: date, factor: float) -> tuple[Limit, ...]:
    """800 kW, 260 kW from 00:30 to 04:30, 800 kW again, scaled to the fleet."""
    begins, ends = moment("12:00", day), moment("11:00", day)
    fall, rise = moment("00:30", day), moment("04:30", day)
    return (
        Limit(begins, fall, 800 * factor, "grid connection"),
        Limit(fall, rise, 260 * factor, "grid operator, by OSCP", heard=moment("23:30", day)),
        Limit(rise, ends, 800 * factor, "grid connection"),
    )


def name_of(index: int) -> str:
    """`BUS-131` ..."""
    return f"BUS-{IDS[index]}" if index < len(IDS) else f"BUS-{1000 + index}"


def _vehicle(index: int, count: int, now: datetime, day: date, rng: random.Random, follow: str) -> NightVehicle:
    departs = moment("04:10", day) + timedelta(minutes=round(210 * index / max(count - 1, 1) / 5) * 5)
    arrives = moment("18:35", day) + timedelta(minutes=round(315 * index / max(count - 1, 1)))
    bus = name_of(index)
    state: State = "met" if departs < moment("05:20", day) else "on_track"
    if index % 16 == 12 and count > 1:
        state = "at_risk"
    if index % 16 == 14 and count > 1:
        state = "unknown"
    steps = _charging(arrives, departs, day, rng, index)
    gaps: tuple[Gap, ...] = ()
    if state == "at_risk":
        begins, ends = moment("23:20", day), moment("00:00", day)
        steps = [s for s in steps if s.ends <= begins] + [Step(ends, departs - timedelta(minutes=10), 17.0)]
        gaps = (Gap(begins, ends, "offline 40 min", 20.0),)
    goal = 0.85 + (index % 6) * 0.02
    soc = None if state == "unknown" else min(goal, 0.3 + 0.05 * (count - index) / max(count / 16, 1))
    if state == "met":
        soc = goal + 0.004
    return NightVehicle(
        Departure(
            vehicle=bus,
            departs=departs,
            state=state,
            soc_goal=goal,
            soc=soc,
            soc_expected=None if state == "unknown" else 0.71 if state == "at_risk" else goal + 0.004,
            block=f"{17 + index}/{index % 3 + 1}",
            bay=f"{'ABCD'[index % 4]}{index // 4 + 1}",
            ready_at=_ready(state, departs, day),
            sentence=_sentence(state, departs),
            next=_next(state),
            why=f"m-{bus}",
        ),
        feeder=f"feeder {index % 4 + 1}",
        stays=((arrives, departs),),
        measured=tuple(_cut(s, now) for s in steps if s.begins < now),
        planned=tuple(Step(max(s.begins, now), s.ends, s.kw) for s in steps if s.ends > now),
        gaps=gaps,
    )


def _cut(step: Step, now: datetime) -> Step:
    return replace(step, ends=min(step.ends, now))


def _ready(state: State, departs: datetime, day: date) -> datetime | None:
    if state == "met":
        return moment("00:15", day)
    return departs - timedelta(minutes=75) if state == "on_track" else None


def _sentence(state: State, departs: datetime) -> str:
    if state == "at_risk":
        return "Charger D2 gives 17 of 60 kW since 00:00. At this rate 71 % at 06:50, 95 % needed: 84 kWh short."
    return "No state of charge since 00:29, last 43 %." if state == "unknown" else ""


def _next(state: State) -> str:
    if state == "at_risk":
        return "re-plug at D2; if it stays low, move to A1, free from 04:10."
    return "read the dashboard and enter the value." if state == "unknown" else ""


def _charging(arrives: datetime, departs: datetime, day: date, rng: random.Random, index: int) -> list[Step]:
    """Some before the limit falls, little while it is low, the rest after."""
    fall, rise = moment("00:30", day), moment("04:30", day)
    steps: list[Step] = []
    at, power = arrives + timedelta(minutes=10), 40.0 + 10 * (index % 5)
    while at < departs - timedelta(minutes=20):
        ends = at + timedelta(minutes=15)
        if at < fall:
            kw = power if (at - arrives) < timedelta(hours=2, minutes=20) else 0.0
        elif at < rise:
            kw = 24.0 if (at - fall) // timedelta(minutes=25) % 4 == index % 4 and departs > rise else 0.0
        else:
            kw = power / 2 if departs - at > timedelta(minutes=30) else 0.0
        steps.append(Step(at, min(ends, fall) if at < fall < ends else ends, round(kw * rng.uniform(0.9, 1.0), 1)))
        at = steps[-1].ends
    return [s for s in steps if s.kw > 0]


def _building(begins: datetime, ends: datetime, factor: float, rng: random.Random) -> list[Step]:
    out, at = [], begins
    while at < ends:
        out.append(Step(at, at + timedelta(minutes=12), round(factor * rng.uniform(40, 60), 1)))
        at += timedelta(minutes=12)
    return out


def _total(
    vehicles: tuple[NightVehicle, ...], building: tuple[Step, ...], begins: datetime, ends: datetime
) -> list[Step]:
    """Import per 3 minutes: everything measured and planned, and 2 % of losses."""
    steps = [s for v in vehicles for s in (*v.measured, *v.planned)] + list(building)
    out, at = [], begins
    while at < ends:
        kw = sum(s.kw for s in steps if s.begins <= at < s.ends)
        out.append(Step(at, at + timedelta(minutes=3), round(kw * 1.02, 1)))
        at += timedelta(minutes=3)
    return out
