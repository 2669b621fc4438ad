"""When a plan is due: which facts ask for one, what a plan ends, and when a slot edge counts."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from core.allocation.state import SLOT, Allocations, due, fold, next_deadline, slot_of
from core.messages import Body, Message, Physical, compose
from core.messages.allocation import AllocationAssigned, AllocationPlanned
from core.messages.envelope import EnvelopeComputed
from core.messages.requirement import RequirementWithdrawn
from core.messages.session import SessionEnded, SessionMetered, SessionStarted, SessionUpdated
from core.messages.site import Node, SiteConfig, SiteConfigured
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
