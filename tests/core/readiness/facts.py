"""One vehicle with a departure at 06:20, as the golden vectors state it, and ways to vary it."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from immutables import Map

from core.messages import Message, Physical, compose
from core.messages.allocation import AllocationAssigned, AllocationPlanned, Shortage, Step
from core.messages.command import CommandConfirmed, Installed
from core.messages.incident import IncidentOpened
from core.messages.readiness import ReadinessAssessed
from core.messages.requirement import RequirementComputed
from core.messages.scribe import Scribe
from core.messages.site import Connector, Node, SiteConfig, Station, Vehicle, VehicleType
from core.readiness import ReadinessState, decide, fold
from core.readiness.offers import fold as confirmed
from core.readiness.outlook import Subject
from core.sessions import Plug
from tests.core.reasons.filled import unfilled

ZONE = ZoneInfo("Europe/Berlin")
SITE = "depot"
CONFIG = SiteConfig(
    id=SITE,
    zone="Europe/Berlin",
    nodes=(Node(id="grid", kind="grid_connection", limit_kw=800),),
    stations=(Station(id="CP-07", node="grid", connectors=(Connector(evse=1, max_kw=150, name="D2"),)),),
    vehicle_types=(
        VehicleType(
            id="12m",
            capacity_kwh=322,
            curve=((0.0, 150.0), (0.8, 150.0), (1.0, 15.0)),
            consumption=((5.0, 1.7),),
            eta_battery=0.95,
        ),
    ),
    vehicles=(Vehicle(id="BUS-142", type="12m"),),
)


def at(text: str) -> datetime:
    """A local moment of the morning of 26 November; `25 23:00` is the evening before."""
    day, _, clock = text.rpartition(" ")
    hours, minutes = clock.split(":")
    return datetime(2026, 11, int(day or 26), int(hours), int(minutes), tzinfo=ZONE)


def fact(body: Any, id: str, time: datetime, **more: Any) -> Message:
    return compose(body, id=id, time=time, source="test", site=SITE, **more)


def requirement(**changes: Any) -> Message:
    body: dict[str, Any] = {
        "vehicle": "BUS-142",
        "works": ("feed:2026-11-26:31/2",),
        "departs": at("6:20"),
        "deadline": at("6:15"),
        "soc_needed": 0.698,
        "soc_target": 0.95,
        "soc_goal": 0.95,
        "capacity_kwh": 322,
        "consumption_kwh": 192.56,
        "reserve_kwh": 16.1,
        "soc_now": None,
        "soc_measured": None,
        "battery_kwh": None,
        "plug_kwh": 203.368,
        "grid_kwh": None,
    }
    return fact(RequirementComputed.model_validate(body | changes), "req", at("25 20:00"))


def steps(*pairs: tuple[str, float]) -> tuple[Step, ...]:
    return tuple(Step(at=at(moment), kw=kw) for moment, kw in pairs)


def assigned(*pairs: tuple[str, float], reason: str = "") -> Message:
    body = AllocationAssigned(
        plan="plan",
        vehicle="BUS-142",
        steps=steps(*pairs),
        planned_kwh=203,
        needed_kwh=203.368,
        outcome="met",
        reason=reason,
    )
    return fact(body, "assigned", at("25 20:00"), at=Physical(station="CP-07", evse=1))


def planned(*shortages: Shortage) -> Message:
    body = AllocationPlanned(
        rule="plan",
        triggers=("slot",),
        inputs="0" * 64,
        slot_s=900,
        needed_kwh=300,
        planned_kwh=275,
        missing_kwh=25,
        outcomes=(),
        shortages=shortages,
    )
    return fact(body, "plan", at("25 20:00"))


def plug(**changes: Any) -> Plug:
    base = Plug(
        "CP-07",
        1,
        plugged=True,
        since=at("25 22:40"),
        began="plugged",
        transaction="T1",
        session="CP-07/T1",
        power_kw=80.0,
        power_at=at("25 22:41"),
        power_by="sample",
    )
    return replace(base, **changes)


def installed(*pairs: tuple[str, float], until: str | None = None) -> Installed:
    """A schedule of the running transaction."""
    ends = at(until) if until else None
    return Installed(evse=1, purpose="transaction", steps=steps(*pairs), until=ends, transaction="T1")


def offered(*pairs: tuple[str, float], until: str | None = None) -> tuple[Step, ...]:
    """What the station confirmed for the transaction at the first of these moments."""
    body = CommandConfirmed(wish="wish", installed=(installed(*pairs, until=until),))
    message = fact(body, "confirmed", at(pairs[0][0]), at=Physical(station="CP-07"))
    return confirmed(Map(), message)[("CP-07", 1)].steps


def subject(now: datetime, soc: float | None = 0.35, **changes: Any) -> Subject:
    """The vehicle at `now`; its station has confirmed what is planned, unless the changes say otherwise."""
    plan = changes.get("assignment", assigned(("25 20:00", 80)))
    base = Subject(
        requirement=requirement(),
        plug=plug(),
        soc=soc,
        soc_at=None if soc is None else now,
        soc_by="" if soc is None else "soc",
        assignment=assigned(("25 20:00", 80)),
        offered=plan.body.steps if plan is not None else (),
        confirmation="confirmed",
    )
    return replace(base, **changes)


def incident(kind: str, id: str = "incident", **params: Any) -> Message:
    body = IncidentOpened(incident=id, kind=kind, subject="CP-07", severity="high", params=params)
    return fact(body, id, at("0:00"))


class Night:
    """Decides again and again, folding what is written."""

    def __init__(self) -> None:
        self.state = ReadinessState()
        self.written: list[Message] = []

    def decide(self, now: datetime, *subjects: Subject) -> list[ReadinessAssessed]:
        scribe = Scribe(SITE, len(self.written), now)
        decide(self.state, subjects, CONFIG, now, scribe)
        for message in scribe.messages:
            self.state = fold(self.state, message)
        self.written += scribe.messages
        assert unfilled(scribe.messages) == []
        bodies = [m.body for m in scribe.messages]
        return [b for b in bodies if isinstance(b, ReadinessAssessed)]


def later(moment: datetime, **span: float) -> datetime:
    return moment + timedelta(**span)
