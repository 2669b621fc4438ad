"""Ceilings: a station counts with the most that it may draw by anything that may be in force in it."""

from __future__ import annotations

import numpy as np
import pytest

from core.dispatch import Outlet, StationState, ceiling
from core.dispatch.ceilings import Instants, ceilings
from core.dispatch.state import Possible
from core.messages.allocation import Step
from core.messages.command import CommandConfirmed, CommandRejected, CommandSent, CommandUnanswered, Installed
from core.messages.gateway import GatewayStarted
from core.messages.station import StationConnected, StationDisconnected
from core.sessions import Plug
from tests.core.dispatch.depot import OUTLETS, Depot, after, epoch

OUTLET = OUTLETS[0]
IDLE = Plug("A", 1)
BUSY = Plug("A", 1, plugged=True, transaction="t1")


def default(kw: float) -> Installed:
    return Installed(evse=0, purpose="default", steps=(Step(at=after(0), kw=kw),), until=None)


def schedule(*steps: tuple[float, float], until: float, transaction: str = "t1") -> Installed:
    plan = tuple(Step(at=after(s), kw=kw) for s, kw in steps)
    return Installed(evse=1, purpose="transaction", steps=plan, until=after(until), transaction=transaction)


def at(station: StationState | None, plug: Plug | None, *seconds: float, outlet: Outlet = OUTLET) -> list[int]:
    grid = np.array([epoch(s) for s in seconds], dtype=np.int64)
    return [int(w) for w in ceiling(outlet, station, plug, grid)]


def told(*possible: Possible) -> StationState:
    return StationState("A", possible=possible)


def confirmed(installed: Installed, void: float | None = None) -> Possible:
    return Possible(installed, "c", "m", confirmed=True, void=None if void is None else after(void))


def sent(installed: Installed) -> Possible:
    return Possible(installed, "c2", "m2")


def test_a_station_that_never_confirmed_counts_with_its_rating_while_a_vehicle_is_plugged() -> None:
    assert at(None, BUSY, 0) == [90_000]


def test_or_while_its_own_meter_shows_power() -> None:
    assert at(None, Plug("A", 1, power_kw=0.5), 0) == [90_000]


def test_an_idle_one_counts_with_its_safe_level_because_it_may_start_by_itself() -> None:
    assert at(None, IDLE, 0) == [5_000]
    assert at(None, None, 0) == [5_000]


def test_a_confirmed_default_holds_while_no_schedule_does() -> None:
    assert at(told(confirmed(default(7))), BUSY, 0) == [7_000]


def test_a_default_that_was_only_sent_does_not_lower_anything() -> None:
    assert at(told(sent(default(7))), BUSY, 0) == [90_000]
    assert at(told(sent(default(7))), IDLE, 0) == [7_000]


def test_a_confirmed_schedule_hides_the_default_until_its_end() -> None:
    station = told(confirmed(default(7)), confirmed(schedule((0, 50), (100, 0), until=200)))
    assert at(station, BUSY, 0, 99, 100, 199, 200) == [50_000, 50_000, 0, 0, 7_000]


def test_for_a_charger_that_follows_at_once_too() -> None:
    station = told(confirmed(default(70)), confirmed(schedule((0, 50), until=200)))
    instants = Instants(np.array([epoch(s) for s in (0, 199, 200)], dtype=np.int64), 60)
    quick, slow = ceilings(OUTLET, station, BUSY, instants)
    assert quick.tolist() == [50_000, 50_000, 70_000]
    assert slow.tolist() == [50_000, 50_000, 70_000]


def test_a_schedule_of_another_transaction_does_not_count() -> None:
    station = told(confirmed(default(7)), confirmed(schedule((0, 50), until=200, transaction="old")))
    assert at(station, BUSY, 0) == [7_000]


def test_until_a_new_schedule_is_confirmed_the_larger_of_old_and_new_counts() -> None:
    old, new = confirmed(schedule((0, 50), until=200)), sent(schedule((0, 20), (100, 80), until=300))
    assert at(told(confirmed(default(7)), old, new), BUSY, 0, 100, 200, 300) == [50_000, 80_000, 80_000, 7_000]


def test_a_schedule_that_was_only_sent_does_not_hide_the_default() -> None:
    assert at(told(confirmed(default(7)), sent(schedule((0, 0), until=200))), BUSY, 0) == [7_000]


def test_what_was_replaced_counts_until_it_has_faded() -> None:
    station = told(
        confirmed(default(7)), confirmed(schedule((0, 50), until=900), void=30), confirmed(schedule((0, 0), until=900))
    )
    assert at(station, BUSY, 29, 30) == [50_000, 0]


def test_no_ceiling_is_above_the_rating() -> None:
    assert at(told(confirmed(schedule((0, 500), until=200))), BUSY, 0) == [90_000]


@pytest.mark.parametrize("evse", [0, 1])
def test_a_default_of_the_station_or_of_the_evse_counts(evse: int) -> None:
    installed = default(7).model_copy(update={"evse": evse})
    assert at(told(confirmed(installed)), BUSY, 0) == [7_000]


def test_a_default_of_another_evse_does_not() -> None:
    installed = default(7).model_copy(update={"evse": 2})
    assert at(told(confirmed(installed)), BUSY, 0) == [90_000]


def test_a_refused_schedule_no_longer_counts() -> None:
    depot = Depot()
    depot.connect("A")
    installed = schedule((0, 80), until=900)
    depot.tell("A", CommandSent(wish="w", call="c1", installed=(installed,)))
    assert len(depot.state.stations["A"].possible) == 1
    depot.reject("A", (installed,), "c1")
    assert not depot.state.stations["A"].possible


def test_a_refusal_of_another_call_changes_nothing() -> None:
    depot = Depot()
    installed = schedule((0, 80), until=900)
    depot.tell("A", CommandSent(wish="w", call="c1", installed=(installed,)))
    depot.tell("A", CommandRejected(wish="w", call="c0"))
    assert len(depot.state.stations["A"].possible) == 1


def test_what_was_not_answered_may_be_in_force() -> None:
    depot = Depot()
    installed = schedule((0, 80), until=900)
    depot.tell("A", CommandSent(wish="w", call="c1", installed=(installed,)))
    depot.tell("A", CommandUnanswered(wish="w", call="c1", installed=(installed,)))
    assert [p.installed for p in depot.state.stations["A"].possible] == [installed]


def test_a_repeated_fact_changes_nothing() -> None:
    depot = Depot()
    message = depot.tell("A", CommandSent(wish="w", call="c1", installed=(default(5),)))
    before = depot.state
    from core.dispatch import fold

    assert fold(before, message) == before


def test_a_confirmation_replaces_only_what_was_sent_before_it() -> None:
    depot = Depot()
    first, second, third = (schedule((0, kw), until=900) for kw in (80, 40, 60))
    depot.tell("A", CommandSent(wish="w", call="c1", installed=(first,)))
    depot.tell("A", CommandSent(wish="w", call="c2", installed=(second,)))
    depot.tell("A", CommandSent(wish="w", call="c3", installed=(third,)))
    depot.tell("A", CommandConfirmed(wish="w", call="c2", installed=(second,)), at=10)
    possible = depot.state.stations["A"].possible
    assert [(p.installed, p.confirmed, p.void) for p in possible] == [
        (first, False, after(10)),
        (second, True, None),
        (third, False, None),
    ]


def test_a_confirmation_of_a_schedule_leaves_the_default_alone() -> None:
    depot = Depot()
    depot.tell("A", CommandSent(wish="w", call="c1", installed=(default(5),)))
    depot.tell("A", CommandConfirmed(wish="w", call="c1", installed=(default(5),)))
    depot.tell("A", CommandConfirmed(wish="w", call="c2", installed=(schedule((0, 9), until=9),)), at=50)
    assert [(p.installed.purpose, p.void) for p in depot.state.stations["A"].possible] == [
        ("default", None),
        ("transaction", None),
    ]


def test_what_has_faded_is_forgotten_at_the_next_confirmation() -> None:
    depot = Depot()
    for index, kw in enumerate((80, 40, 60)):
        installed = schedule((0, kw), until=9000)
        depot.tell("A", CommandConfirmed(wish="w", call=f"c{index}", installed=(installed,)), at=index * 100)
    assert [p.installed.steps[0].kw for p in depot.state.stations["A"].possible] == [40, 60]


def test_a_start_of_the_gateway_loses_the_connections_of_its_earlier_epochs() -> None:
    depot = Depot()
    depot.tell("A", StationConnected(version="v", gateway="g", epoch=1, connection=1))
    depot.tell("B", StationConnected(version="v", gateway="other", epoch=1, connection=1))
    depot.tell("C", StationConnected(version="v", gateway="g", epoch=2, connection=1))
    depot.tell("", GatewayStarted(gateway="g", epoch=2), at=9)
    lost = depot.state.stations["A"]
    assert lost.connection is None
    assert lost.lost_at == after(9)
    assert depot.state.stations["B"].connection is not None
    assert depot.state.stations["C"].connection is not None


@pytest.mark.parametrize("other", [("h", 1, 1), ("g", 2, 1), ("g", 1, 2)])
def test_the_end_of_an_older_connection_does_not_touch_a_newer_one(other: tuple[str, int, int]) -> None:
    depot = Depot()
    depot.tell("A", StationConnected(version="v", gateway="g", epoch=1, connection=1))
    depot.tell("A", StationDisconnected(gateway=other[0], epoch=other[1], connection=other[2]))
    assert depot.state.stations["A"].connection is not None
    depot.tell("A", StationDisconnected(gateway="g", epoch=1, connection=1), at=5)
    assert depot.state.stations["A"].connection is None
    assert depot.state.stations["A"].lost_at == after(5)
    depot.tell("A", StationConnected(version="v", gateway="g", epoch=1, connection=3), at=7)
    assert depot.state.stations["A"].lost_at is None
