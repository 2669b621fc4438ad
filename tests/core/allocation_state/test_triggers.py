"""When a plan is due: which facts ask for one, what a plan ends, and when a slot edge counts."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from core.allocation.state import SLOT, Allocations, due, fold, next_deadline, slot_of
from core.messages import Body, Message, Physical, compose
from core.messages.allocation import AllocationAssigned, AllocationPlanned, Step
from core.messages.envelope import EnvelopeComputed
from core.messages.requirement import RequirementWithdrawn
from core.messages.session import SessionEnded, SessionMetered, SessionStarted, SessionUpdated
from core.messages.site import Node, SiteConfig, SiteConfigured, Vehicle, VehicleType
from core.messages.station import (
    ConnectorStatusChanged,
    StationBooted,
    StationConnected,
    StationDisconnected,
    StationLimited,
)
from core.messages.vehicle import VehicleIdentified

START = datetime(2026, 11, 25, 21, 7, tzinfo=UTC)
EDGE = datetime(2026, 11, 25, 21, 15, tzinfo=UTC)
PLAN = AllocationPlanned(
    rule="plan", triggers=(), inputs="", slot_s=900, needed_kwh=0, planned_kwh=0, missing_kwh=0, outcomes=()
)
PART = AllocationAssigned(plan="p", vehicle=None, steps=(), planned_kwh=0, needed_kwh=None, outcome="met")


def fact(body: Body, id: str = "m", *, time: datetime = START, causes: tuple[str, ...] = (), **at: Any) -> Message:
    where = Physical(**at)
    return compose(body, id=id, time=time, source="t", site="s", at=where, causes=causes)


def told(*messages: Message) -> Allocations:
    state = Allocations()
    for message in messages:
        state = fold(state, message)
    return state


@pytest.mark.parametrize(
    ("body", "trigger"),
    [
        (SiteConfigured(digest="d", config=SiteConfig(id="s", nodes=(Node(id="n", limit_kw=1),))), "configuration"),
        (SessionStarted(transaction="t"), "plug"),
        (SessionEnded(transaction="t"), "unplug"),
        (VehicleIdentified(vehicle=None, by="none"), "vehicle"),
        (EnvelopeComputed(revision=1, segments=()), "envelope"),
        (RequirementWithdrawn(vehicle="v", departs=START), "requirement"),
        (StationLimited(kw=1, who="anna"), "limit"),
        (StationConnected(version="v", gateway="g", epoch=1, connection=1), "station"),
        (StationDisconnected(gateway="g", epoch=1, connection=1), "station"),
    ],
)
def test_what_asks_for_a_plan(body: Body, trigger: str) -> None:
    state = told(fact(body, "cause"))
    assert dict(state.pending) == {trigger: "cause"}
    assert due(state, START, busy=False) == (trigger,)


def test_a_bay_with_an_assignment_that_becomes_free_asks_for_a_plan() -> None:
    state = told(fact(PART, station="A", evse=1))
    free = ConnectorStatusChanged(status="available")
    assert dict(fold(state, fact(free, "free", station="A", evse=1)).pending) == {"unplug": "free"}
    assert fold(state, fact(free, station="A", evse=2)) is state
    assert fold(state, fact(ConnectorStatusChanged(status="occupied"), station="A", evse=1)) is state


@pytest.mark.parametrize(
    "body",
    [
        ConnectorStatusChanged(status="occupied"),
        SessionMetered(transaction="t", soc=0.5),
        SessionUpdated(transaction="t"),
        StationBooted(),
    ],
)
def test_what_does_not_ask_for_a_plan(body: Body) -> None:
    assert told(fact(body)) == Allocations()


def test_of_several_facts_of_one_trigger_the_last_is_cited() -> None:
    state = told(fact(SessionStarted(transaction="t1"), "a"), fact(SessionStarted(transaction="t2"), "b"))
    assert dict(state.pending) == {"plug": "b"}


def test_triggers_are_named_in_order() -> None:
    state = told(fact(SessionStarted(transaction="t"), "a"), fact(StationLimited(kw=1, who="x"), "b"))
    assert due(state, START, busy=True) == ("limit", "plug")


def test_a_plan_ends_exactly_the_triggers_that_it_cites() -> None:
    state = told(
        fact(SessionStarted(transaction="t"), "a"),
        fact(StationLimited(kw=1, who="x"), "b"),
        fact(PLAN, "plan", causes=("a", "other")),
    )
    assert dict(state.pending) == {"limit": "b"}
    assert state.planned is not None and state.planned.id == "plan"


def test_a_fact_that_came_while_the_plan_was_made_asks_for_the_next_one() -> None:
    state = told(
        fact(SessionStarted(transaction="t1"), "a"),
        fact(SessionStarted(transaction="t2"), "b"),
        fact(PLAN, "plan", causes=("a",)),
    )
    assert dict(state.pending) == {"plug": "b"}


def test_the_newest_assignment_of_a_bay_is_in_force() -> None:
    state = told(
        fact(PART, "a", station="A", evse=1), fact(PART, "b", station="A", evse=1), fact(PART, "c", station="A", evse=2)
    )
    assert {bay: m.id for bay, m in state.assigned.items()} == {("A", 1): "b", ("A", 2): "c"}


@pytest.mark.parametrize("at", [{"station": "A"}, {"evse": 1}, {}])
def test_an_assignment_without_a_bay_is_nobody_s(at: dict[str, Any]) -> None:
    assert told(fact(PART, **at)) == Allocations()


def test_slots_are_aligned_to_the_quarter_hour() -> None:
    assert timedelta(minutes=15) == SLOT
    assert slot_of(START) == EDGE - SLOT
    assert slot_of(EDGE) == EDGE
    assert slot_of(EDGE - timedelta(microseconds=1)) == EDGE - SLOT


def test_a_slot_edge_asks_only_while_somebody_charges_and_once() -> None:
    state = told(fact(PLAN, time=START))
    assert due(state, EDGE - timedelta(seconds=1), busy=True) == ()
    assert due(state, EDGE, busy=True) == ("slot",)
    assert due(state, EDGE, busy=False) == ()
    assert due(fold(state, fact(PLAN, time=EDGE)), EDGE, busy=True) == ()


def test_without_a_plan_there_is_no_slot_edge() -> None:
    assert due(Allocations(), EDGE, busy=True) == ()
    assert next_deadline(Allocations(), START, busy=True) is None


def test_the_deadline_is_the_next_slot_edge_while_somebody_charges() -> None:
    state = told(fact(PLAN))
    assert next_deadline(state, START, busy=True) == EDGE
    assert next_deadline(state, EDGE, busy=True) == EDGE + SLOT
    assert next_deadline(state, START, busy=False) is None


CONFIG = SiteConfig(
    id="s",
    nodes=(Node(id="n", limit_kw=1),),
    vehicle_types=(
        VehicleType(id="solo", capacity_kwh=100, curve=((0.0, 60.0), (1.0, 60.0)), consumption=(), eta_battery=1.0),
    ),
    vehicles=(Vehicle(id="bus", type="solo", soh=1.0),),
)
"""At 60 kW the bus gains one point in a minute."""


def charging(vehicle: str | None = "bus") -> Allocations:
    """A plan of 60 kW from 21:07 on, and the first reading under it."""
    part = PART.model_copy(update={"vehicle": vehicle, "steps": (Step(at=START, kw=60),)})
    return told(
        fact(SiteConfigured(digest="d", config=CONFIG), "config"),
        fact(PLAN, "plan", causes=("config",)),
        fact(part, "part", station="A", evse=1),
        reading(0.40, 0),
    )


def reading(soc: float, minutes: float, id: str = "reading") -> Message:
    moment = START + timedelta(minutes=minutes)
    return fact(SessionMetered(transaction="t", soc=soc), id, time=moment, station="A", evse=1)


@pytest.mark.parametrize(
    ("soc", "minutes", "off"),
    [(0.43, 3, False), (0.45, 3, False), (0.4501, 3, True), (0.41, 3, False), (0.4099, 3, True), (0.40, 2, False)],
)
def test_a_state_of_charge_more_than_two_points_off_its_plan_asks_for_one(
    soc: float, minutes: float, off: bool
) -> None:
    state = fold(charging(), reading(soc, minutes, "off"))
    assert dict(state.pending) == ({"soc": "off"} if off else {})


def test_one_slot_has_one_plan_for_that_and_the_next_slot_may_have_another() -> None:
    state = fold(charging(), reading(0.40, 4, "off"))
    plan = PLAN.model_copy(update={"triggers": ("soc",)})
    state = fold(state, fact(plan, "second", time=START + timedelta(minutes=4), causes=("off",)))
    assert due(state, START + timedelta(minutes=4), busy=True) == ()
    for minutes in (5, 7.5):
        state = fold(state, reading(0.40, minutes))
        assert not state.pending
    assert START + timedelta(minutes=8) == EDGE
    assert dict(fold(state, reading(0.40, 8, "again")).pending) == {"soc": "again"}


def test_readings_count_from_the_first_one_under_the_plan_in_force() -> None:
    state = fold(charging(), fact(PLAN, "second", time=START + timedelta(minutes=1)))
    state = fold(state, reading(0.70, 0.5))
    state = fold(state, reading(0.60, 2))
    assert not fold(state, reading(0.62, 4)).pending
    assert fold(state, reading(0.60, 5)).pending


def test_a_vehicle_that_nobody_knows_is_off_no_plan() -> None:
    for vehicle in (None, "stranger"):
        assert not fold(charging(vehicle), reading(0.90, 3)).pending


def test_a_sample_without_a_state_of_charge_says_nothing_about_the_plan() -> None:
    state = charging()
    silent = fact(SessionMetered(transaction="t", power_kw=5.0), time=START + timedelta(minutes=9), station="A", evse=1)
    assert fold(state, silent) is state
