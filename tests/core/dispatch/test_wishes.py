"""Wishes: reductions at once, raises only into confirmed room, one whole wish per station, renewed at half its horizon."""

from __future__ import annotations

from datetime import timedelta

import numpy as np

from core.dispatch import ceiling, next_deadline
from core.messages.command import CommandWished
from core.messages.station import StationBooted, StationDisconnected, StationLimited
from tests.core.dispatch.depot import OUTLETS, START, Depot, after, epoch


def charging(*stations: str, panel: float = 200.0) -> Depot:
    """Stations that are connected, hold their safe default, and have a bus charging."""
    depot = Depot(panel=((0, round(panel * 1000)),))
    depot.now = after(-100)
    depot.connect("A", "B", "C")
    depot.decide()
    for station in ("A", "B", "C"):
        depot.install(station, "default")
    depot.now = START
    for station in stations:
        depot.plug(station)
    return depot


def test_a_station_gets_its_safe_level_at_first_contact() -> None:
    depot = Depot()
    depot.connect("A")
    wishes = depot.decide()
    assert list(wishes) == ["A"]
    body = wishes["A"].body
    assert isinstance(body, CommandWished)
    assert (body.safe_kw, body.evses, body.reason) == (5.0, (), "first_contact")
    assert body.valid_until == START + depot.horizon


def test_a_station_that_is_not_connected_is_wished_nothing() -> None:
    depot = Depot()
    depot.plug("A")
    depot.want("A", (0, 50))
    assert depot.decide() == {}


def test_the_plan_becomes_a_wish_that_ends_in_the_safe_level() -> None:
    depot = charging("A")
    depot.want("A", (0, 80.05), (600, 40))
    wish = depot.decide()["A"].body
    assert isinstance(wish, CommandWished)
    (evse,) = wish.evses
    assert evse.transaction == "t1"
    assert [(s.at, s.kw) for s in evse.steps] == [
        (START, 80.0),
        (after(600), 40.0),
        (after(1800), 5.0),
    ]
    assert wish.reason == "transaction"


def test_a_wish_cites_its_assignment_the_last_step_and_the_limits() -> None:
    depot = charging("A")
    depot.want("A", (0, 80))
    causes = depot.decide()["A"].causes
    last = depot.state.stations["A"].last
    assert last is not None
    assert causes == ("plan-A", last.id, "envelope")


def test_deciding_again_changes_nothing() -> None:
    depot = charging("A", "B")
    depot.want("A", (0, 80))
    depot.want("B", (0, 90), rank=2)
    assert set(depot.decide()) == {"A", "B"}
    assert depot.decide() == {}
    assert depot.decide(at=5) == {}


def test_a_wish_is_renewed_at_half_its_horizon_and_not_before() -> None:
    depot = charging("A")
    depot.want("A", (0, 80))
    depot.decide()
    depot.install("A", "transaction")
    assert next_deadline(depot.state, depot.site(), START) == after(900)
    assert depot.decide(at=899.9) == {}
    renewed = depot.decide(at=900)["A"].body
    assert isinstance(renewed, CommandWished)
    assert renewed.reason == "renewal"
    assert renewed.valid_until == after(2700)


def test_an_idle_station_needs_no_renewal() -> None:
    depot = charging()
    assert next_deadline(depot.state, depot.site(), START) is None
    assert depot.decide(at=7200) == {}


def test_a_raise_waits_for_the_confirmed_reduction_and_the_guard_time() -> None:
    depot = charging("A", "B", panel=110)
    depot.want("A", (0, 90))
    depot.want("B", (0, 5), rank=2)
    depot.decide()
    for station in ("A", "B"):
        depot.install(station, "transaction")
    depot.want("A", (0, 10), rank=2)
    depot.want("B", (0, 90), rank=1)
    depot.decide(at=60)
    assert depot.kw("A", 60) == 10.0
    assert depot.kw("B", 60) == 15.0  # 110 less A's confirmed 90 and C's safe level: nothing is promised twice
    assert depot.kw("B", 1000) == 15.0
    depot.install("A", "transaction")
    depot.install("B", "transaction")
    freed = depot.decide(at=61)["B"].body
    assert isinstance(freed, CommandWished)
    assert freed.reason == "freed_room"
    assert depot.kw("B", 89) == 15.0
    assert depot.kw("B", 90) == 90.0  # A was confirmed at 60 and may need the guard time to follow


def test_a_reduction_goes_out_at_once_even_where_the_sum_is_too_high_already() -> None:
    depot = charging("A", "B", panel=200)
    depot.want("A", (0, 90))
    depot.want("B", (0, 90), rank=2)
    depot.decide()
    for station in ("A", "B"):
        depot.install(station, "transaction")
    depot.panel = ((0, 100_000),)
    wishes = depot.decide(at=60)
    assert depot.kw("A", 60) == 90.0
    assert depot.kw("B", 60) == 5.0
    body = wishes["B"].body
    assert isinstance(body, CommandWished)
    assert body.reason == "reduction"


def test_a_limit_known_in_advance_is_kept_from_a_guard_time_before() -> None:
    depot = charging("A")
    depot.panel = ((0, 200_000), (900, 50_000), (1200, 200_000))
    depot.want("A", (0, 90))
    depot.decide()
    assert depot.kw("A", 869) == 90.0
    assert depot.kw("A", 870) == 40.0  # 50 less the safe levels of B and C
    assert depot.kw("A", 1199) == 40.0
    assert depot.kw("A", 1200) == 90.0


def test_scarce_room_goes_by_rank() -> None:
    depot = charging("A", "B", panel=100)
    depot.want("A", (0, 90), rank=2)
    depot.want("B", (0, 90), rank=1)
    depot.decide()
    assert depot.kw("B", 0) == 90.0
    assert depot.kw("A", 0) == 5.0


def test_a_cap_by_hand_holds_until_it_ends() -> None:
    depot = charging("A")
    depot.want("A", (0, 90))
    depot.tell("A", StationLimited(kw=20, who="anna"), ends=600)
    depot.decide()
    assert depot.kw("A", 0) == 20.0
    assert depot.kw("A", 599) == 20.0
    assert depot.kw("A", 600) == 90.0


def test_the_root_limit_counts_besides_the_panel() -> None:
    depot = charging("A")
    depot.root = 60_000
    depot.want("A", (0, 90))
    depot.decide()
    assert depot.kw("A", 0) == 50.0


def test_a_new_transaction_gets_a_wish_of_its_own() -> None:
    depot = charging("A")
    depot.want("A", (0, 80))
    depot.decide()
    depot.plug("A", "t2")
    wish = depot.decide(at=10)["A"].body
    assert isinstance(wish, CommandWished)
    assert wish.reason == "transaction"
    assert wish.evses[0].transaction == "t2"


def test_a_changed_safe_level_is_told() -> None:
    depot = charging()
    site = depot.site()
    changed = dict(site.safe_kw) | {"A": 7.0}
    from dataclasses import replace

    from core.dispatch import decide
    from core.messages.scribe import Scribe

    scribe = Scribe("depot", 1, depot.now)
    decide(depot.state, replace(site, safe_kw=changed), depot.now, scribe)
    (message,) = scribe.messages
    assert isinstance(message.body, CommandWished)
    assert (message.at.station, message.body.safe_kw, message.body.reason) == ("A", 7.0, "safe_level")


def test_after_a_reconnection_nothing_is_wished_anew_while_the_old_wish_holds() -> None:
    depot = charging("A")
    depot.want("A", (0, 80))
    depot.decide()
    connection = depot.state.stations["A"].connection
    assert connection is not None
    gone = StationDisconnected(gateway="g", epoch=1, connection=connection.number)
    depot.tell("A", gone, at=100)
    assert depot.decide() == {}
    depot.connect("A")
    assert depot.decide(at=200) == {}


def test_a_boot_takes_the_schedule_of_the_transaction_with_it() -> None:
    depot = charging("A")
    depot.want("A", (0, 80))
    depot.decide()
    depot.install("A", "transaction")
    depot.tell("A", StationBooted(), at=120)
    grid = np.array([epoch(120)], dtype=np.int64)
    most = [ceiling(o, depot.state.stations.get(o.station), depot.plugs.get((o.station, 1)), grid) for o in OUTLETS]
    assert sum(int(w[0]) for w in most) == 15_000


def test_the_horizon_is_the_policy_s() -> None:
    depot = charging("A")
    depot.horizon = timedelta(minutes=10)
    depot.want("A", (0, 80))
    wish = depot.decide()["A"].body
    assert isinstance(wish, CommandWished)
    assert wish.valid_until == after(600)


def test_room_that_one_station_takes_is_not_given_to_the_next_one_too() -> None:
    depot = charging("A", "B", "C", panel=110)
    depot.want("A", (0, 90))
    depot.want("B", (0, 5), rank=2)
    depot.want("C", (0, 5), rank=3)
    depot.decide()
    for station in ("A", "B", "C"):
        depot.install(station, "transaction")
    depot.want("A", (0, 10), rank=3)
    depot.want("B", (0, 50), rank=1)
    depot.want("C", (0, 50), rank=2)
    depot.decide(at=60)
    assert (depot.kw("B", 60), depot.kw("C", 60)) == (
        15.0,
        5.0,
    )  # 110 less A's confirmed 90: the first one has all of it


def test_what_was_replaced_counts_for_a_guard_time_also_where_it_is_replaced_again_meanwhile() -> None:
    depot = charging("A")
    depot.want("A", (0, 90))
    depot.decide()
    high = depot.install("A", "transaction")
    for at, kw in ((60, 20), (70, 10)):
        depot.want("A", (0, kw))
        depot.decide(at=at)
        depot.install("A", "transaction")
    assert high in [p.installed for p in depot.state.stations["A"].possible]
    depot.want("A", (0, 9))
    depot.decide(at=90)
    depot.install("A", "transaction")
    assert high not in [p.installed for p in depot.state.stations["A"].possible]


def test_a_wish_holds_its_last_step_up_to_its_end_and_says_it_once() -> None:
    depot = charging("A")
    depot.want("A", (0, 80), (depot.horizon.total_seconds(), 70))
    wish = depot.decide()["A"].body
    assert isinstance(wish, CommandWished)
    assert [step.at for step in wish.evses[0].steps] == [START, START + depot.horizon]
