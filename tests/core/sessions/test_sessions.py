"""Sessions: one per (station, transaction), whatever order and however often its facts arrive."""

from __future__ import annotations

import random
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from itertools import count

from hypothesis import given
from hypothesis import strategies as st

from core.messages import Body, Message, Physical, compose
from core.messages.commercial import RecordPriced
from core.messages.session import SessionEnded, SessionMetered, SessionStarted, SessionUpdated
from core.messages.station import ConnectorStatusChanged, StationSeen
from core.messages.vehicle import VehicleIdentified
from core.sessions import Left, Plug, Session, Sessions, energy_wh, fold, running

START = datetime(2026, 11, 25, 21, tzinfo=UTC)
IDS = count(1)


def fact(body: Body, seconds: float = 0, *, evse: int | None = 1, station: str | None = "CP", id: str = "") -> Message:
    moment = START + timedelta(seconds=seconds)
    where = Physical(station=station, evse=evse)
    return compose(body, id=id or f"m{next(IDS)}", time=moment, source="t", site="s", at=where)


def told(*messages: Message) -> Sessions:
    state = Sessions()
    for message in messages:
        state = fold(state, message)
    return state


def plug(state: Sessions) -> Plug:
    return state.plugs[("CP", 1)]


def session(state: Sessions, transaction: str = "t1") -> Session:
    return state.sessions[f"CP/{transaction}"]


STARTED = SessionStarted(transaction="t1", token="TAG", meter_wh=1000.0, charging_state="charging")
OCCUPIED = ConnectorStatusChanged(status="occupied", charging_state="ev_connected")
FREE = ConnectorStatusChanged(status="available")


def test_plugging_in_begins_a_plug_in_named_by_its_message() -> None:
    message = fact(OCCUPIED, id="plug-in")
    state = told(message, fact(OCCUPIED, 5))
    assert (plug(state).plugged, plug(state).since, plug(state).began) == (True, START, "plug-in")
    assert plug(state).status == "occupied"
    assert plug(state).charging_state == "ev_connected"


def test_a_start_of_a_transaction_is_a_plug_in_too() -> None:
    state = told(fact(STARTED, 3, id="start"))
    assert (plug(state).plugged, plug(state).began, plug(state).since) == (True, "start", START + timedelta(seconds=3))
    assert (plug(state).transaction, plug(state).session, plug(state).token) == ("t1", "CP/t1", "TAG")
    assert plug(state).charging_state == "charging"
    assert session(state).begin_wh == 1000.0
    assert session(state).started_by == "start"
    assert not session(state).adopted


def test_a_session_opens_once() -> None:
    once = told(fact(STARTED, 0))
    again = fold(once, fact(SessionStarted(transaction="t1", meter_wh=5.0), 60))
    assert again == once


def test_unplugging_ends_the_plug_in_and_forgets_its_readings() -> None:
    state = told(fact(STARTED), fact(SessionMetered(transaction="t1", power_kw=50.0, soc=0.5), 60), fact(FREE, 90))
    assert plug(state) == Plug("CP", 1, status="available", status_by=plug(state).status_by)
    assert not plug(state).plugged


def test_a_fault_keeps_the_plug_in() -> None:
    state = told(fact(OCCUPIED), fact(ConnectorStatusChanged(status="faulted", error="GroundFailure"), 9, id="f"))
    assert (plug(state).plugged, plug(state).status, plug(state).error) == (True, "faulted", "GroundFailure")
    assert plug(state).status_by == "f"
    assert plug(state).charging_state == "ev_connected"


def test_readings_at_the_plug_are_the_newest_ones() -> None:
    newer = fact(SessionMetered(transaction="t1", power_kw=50.0, soc=0.5), 60, id="new")
    older = fact(SessionMetered(transaction="t1", power_kw=20.0, soc=0.2), 30, id="old")
    state = told(fact(STARTED), newer, older)
    assert (plug(state).power_kw, plug(state).power_by, plug(state).power_at) == (50.0, "new", newer.time)
    assert (plug(state).soc, plug(state).soc_by, plug(state).soc_at) == (0.5, "new", newer.time)


def test_a_sample_of_zero_is_a_reading_and_none_is_not() -> None:
    state = told(
        fact(STARTED),
        fact(SessionMetered(transaction="t1", power_kw=50.0, soc=0.5), 60),
        fact(SessionMetered(transaction="t1", power_kw=0.0), 120),
    )
    assert (plug(state).power_kw, plug(state).soc) == (0.0, 0.5)


def test_a_sample_without_transaction_belongs_to_the_running_session() -> None:
    state = told(fact(STARTED), fact(SessionMetered(energy_wh=1500.0), 60))
    assert [p.energy_wh for p in session(state).points] == [1500.0]


def test_a_sample_without_session_is_still_a_reading_at_the_plug() -> None:
    state = told(fact(SessionMetered(power_kw=3.0), 60))
    assert plug(state).power_kw == 3.0
    assert state.sessions == Sessions().sessions


def test_meter_values_of_an_unknown_transaction_adopt_a_session() -> None:
    state = told(fact(SessionMetered(transaction="t1", energy_wh=5.0), 60, id="first"))
    assert session(state).adopted
    assert session(state).begin_wh is None
    assert plug(state).session == "CP/t1"
    late = fold(state, fact(STARTED, 0, id="late"))
    assert not session(late).adopted
    assert (session(late).begin_wh, session(late).started, session(late).started_by) == (1000.0, START, "late")
    assert len(session(late).points) == 1


def test_a_missing_evse_is_taken_from_the_session() -> None:
    state = told(fact(STARTED), fact(SessionMetered(transaction="t1", soc=0.4), 60, evse=None))
    assert plug(state).soc == 0.4
    assert running(state, "CP", None) == session(state)
    assert running(state, "CP", 1) == session(state)
    assert running(state, "CP", 2) is None
    assert running(state, "XX", None) is None


def test_two_running_sessions_make_a_missing_evse_unknown() -> None:
    state = told(fact(STARTED), fact(SessionStarted(transaction="t2"), evse=2))
    assert running(state, "CP", None) is None


def test_an_end_closes_the_session_and_leaves_the_vehicle_plugged() -> None:
    state = told(
        fact(STARTED),
        fact(SessionMetered(transaction="t1", power_kw=50.0), 60),
        fact(SessionEnded(transaction="t1", meter_wh=9000.0), 120, id="end"),
    )
    ended = session(state)
    assert (ended.ended, ended.ended_by, ended.end_wh) == (START + timedelta(seconds=120), "end", 9000.0)
    assert energy_wh(ended) == 8000.0
    assert (plug(state).plugged, plug(state).session, plug(state).transaction) == (True, None, None)
    assert (plug(state).power_kw, plug(state).power_by, plug(state).charging_state) == (0.0, "end", "idle")
    assert plug(state).power_at == START + timedelta(seconds=120)


def test_an_end_of_an_older_session_does_not_touch_the_running_one() -> None:
    state = told(fact(STARTED), fact(SessionStarted(transaction="t2"), 60), fact(SessionEnded(transaction="t1"), 90))
    assert plug(state).session == "CP/t2"
    assert session(state).ended is not None


def test_nothing_after_the_end_opens_it_again() -> None:
    ended = told(fact(STARTED), fact(SessionEnded(transaction="t1", meter_wh=2000.0), 100))
    after_end = fold(ended, fact(SessionUpdated(transaction="t1", charging_state="charging"), 110))
    assert after_end == ended
    again = fold(ended, fact(SessionEnded(transaction="t1", meter_wh=1.0), 120))
    assert again == ended


def test_a_late_sample_of_an_ended_session_is_kept_at_its_own_time() -> None:
    state = told(
        fact(STARTED),
        fact(SessionMetered(transaction="t1", energy_wh=1500.0), 60),
        fact(SessionEnded(transaction="t1", meter_wh=2000.0), 100),
        fact(SessionMetered(transaction="t1", energy_wh=1200.0, soc=0.9), 30),
    )
    assert [p.energy_wh for p in session(state).points] == [1200.0, 1500.0]
    assert plug(state).soc is None


def test_an_orphan_stop_is_a_session_that_never_ran() -> None:
    state = told(fact(SessionEnded(transaction="t1", meter_wh=2000.0), 100))
    assert session(state).adopted
    assert session(state).ended is not None
    assert ("CP", 1) not in state.plugs or plug(state).session is None
    late = fold(state, fact(STARTED, 0))
    assert energy_wh(session(late)) == 1000.0
    assert ("CP", 1) not in late.plugs or plug(late).session is None


def test_energy_is_unknown_without_a_begin_register() -> None:
    assert energy_wh(session(told(fact(SessionMetered(transaction="t1", energy_wh=7e6), 60)))) is None
    assert energy_wh(session(told(fact(STARTED)))) is None
    assert energy_wh(session(told(fact(STARTED), fact(SessionMetered(transaction="t1", energy_wh=1800.0), 9)))) == 800.0


def test_a_token_shown_later_is_taken_over_once() -> None:
    state = told(
        fact(SessionStarted(transaction="t1")),
        fact(SessionUpdated(transaction="t1", token="T1", charging_state="charging"), 5),
        fact(SessionUpdated(transaction="t1", token="T2"), 6),
    )
    assert (session(state).token, plug(state).token, plug(state).charging_state) == ("T1", "T1", "charging")


def test_the_identified_vehicle_stands_in_the_session_and_is_remembered_at_the_plug() -> None:
    state = told(fact(STARTED), fact(VehicleIdentified(vehicle="BUS-142", by="token")))
    assert session(state).vehicle == "BUS-142"
    assert plug(state).vehicle == "BUS-142"
    state = fold(state, fact(FREE, 90, id="gone"))
    assert (plug(state).vehicle, plug(state).last_vehicle) == (None, "BUS-142")
    assert state.left["BUS-142"] == Left("CP", 1, START + timedelta(seconds=90), "gone")
    assert fold(state, fact(FREE, 99)).left == state.left
    unknown = fold(fold(state, fact(OCCUPIED, 99)), fact(VehicleIdentified(vehicle=None, by="none"), 99))
    assert plug(unknown).last_vehicle == "BUS-142"


def test_the_next_session_of_a_plug_in_is_the_same_vehicles() -> None:
    identified = fact(VehicleIdentified(vehicle="BUS-142", by="token"), 1)
    first = told(fact(STARTED), identified, fact(SessionEnded(transaction="t1"), 60))
    for again in (SessionStarted(transaction="t2", token="tag "), SessionStarted(transaction="t2")):
        assert session(fold(first, fact(again, 90)), "t2").vehicle == "BUS-142"
    other = fold(first, fact(SessionStarted(transaction="t2", token="OTHER"), 90))
    assert session(other, "t2").vehicle is None
    unplugged = told(*[fact(STARTED), identified, fact(FREE, 80), fact(SessionStarted(transaction="t2"), 90)])
    assert session(unplugged, "t2").vehicle is None


def test_a_session_knows_when_its_end_was_heard_of_and_that_its_vehicle_is_contested() -> None:
    late = fact(SessionEnded(transaction="t1", meter_wh=2000.0), 60).model_copy(
        update={"recorded": START + timedelta(hours=9)}
    )
    state = told(fact(STARTED), fact(VehicleIdentified(vehicle=None, by="conflict", candidates=("A", "B")), 1), late)
    assert (session(state).told, session(state).contested) == (START + timedelta(hours=9), True)


def test_the_next_session_of_a_plug_in_whose_vehicle_is_contested_is_contested_too() -> None:
    conflict = fact(VehicleIdentified(vehicle=None, by="conflict", candidates=("A", "B")), 1)
    first = told(fact(STARTED), conflict, fact(SessionEnded(transaction="t1"), 60))
    assert session(fold(first, fact(SessionStarted(transaction="t2", token="TAG"), 90)), "t2").contested
    assert not session(fold(first, fact(SessionStarted(transaction="t2", token="OTHER"), 90)), "t2").contested
    settled = fold(first, fact(VehicleIdentified(vehicle="A", by="token"), 70))
    assert not session(fold(settled, fact(SessionStarted(transaction="t2", token="TAG"), 90)), "t2").contested


def test_a_card_that_is_told_after_the_end_is_still_the_sessions() -> None:
    shown = fact(SessionUpdated(transaction="t1", token="TAG"), 5)
    state = told(fact(SessionStarted(transaction="t1")), fact(SessionEnded(transaction="t1"), 60), shown)
    assert (session(state).token, plug(state).session, plug(state).charging_state) == ("TAG", None, "idle")


def test_a_session_that_was_told_days_late_is_kept_until_it_can_have_its_record() -> None:
    late = START + timedelta(days=3)
    told_late = [
        m.model_copy(update={"recorded": late}) for m in (fact(STARTED), fact(SessionEnded(transaction="t1"), 9))
    ]
    state = told(*told_late, fact(SessionStarted(transaction="t2"), 3 * 86_400))
    assert set(state.sessions) == {"CP/t1", "CP/t2"}
    assert set(fold(state, fact(SessionStarted(transaction="t3"), 6 * 86_400)).sessions) == {"CP/t2", "CP/t3"}


def test_a_session_whose_end_was_lost_is_over_when_the_next_one_begins() -> None:
    state = told(fact(STARTED), fact(SessionStarted(transaction="t2", token="B"), 100))
    first = session(state)
    assert (first.ended, first.end_wh, first.cut) == (START + timedelta(seconds=100), None, True)
    assert plug(state).transaction == "t2"
    late = fold(state, fact(SessionEnded(transaction="t1", meter_wh=2500.0), 90))
    first = session(late)
    assert (first.ended, energy_wh(first), first.cut) == (START + timedelta(seconds=90), 1500.0, False)
    assert (plug(late).transaction, session(late, "t2").ended) == ("t2", None)


def test_a_session_that_is_told_late_does_not_take_the_place_of_the_one_that_runs() -> None:
    state = told(fact(SessionStarted(transaction="t2", token="B"), 100), fact(STARTED, 0))
    assert (plug(state).transaction, plug(state).token) == ("t2", "B")
    assert session(state, "t2").ended is None
    over = fold(state, fact(SessionEnded(transaction="t1", meter_wh=2500.0), 90))
    assert (energy_wh(session(over)), plug(over).transaction) == (1500.0, "t2")


def priced(name: str) -> RecordPriced:
    zero = Decimal(0)
    return RecordPriced(
        session=name, vehicle=None, cost_centre="c", begins=START, ends=START, energy_kwh=zero, cost=zero,
        currency="EUR", tariff="t", status="complete", lines=(),
    )  # fmt: skip


def test_a_priced_session_needs_its_meter_points_no_more() -> None:
    state = told(fact(STARTED), fact(SessionMetered(transaction="t1", energy_wh=1500.0), 60), fact(priced("CP/t1")))
    assert session(state).points == ()
    assert fold(state, fact(priced("CP/none"))) == state


def test_sessions_that_ended_two_days_ago_are_forgotten() -> None:
    ended = told(fact(STARTED), fact(SessionEnded(transaction="t1"), 100))
    day = 86_400
    kept = fold(ended, fact(SessionStarted(transaction="t2"), 2 * day + 100))
    assert set(kept.sessions) == {"CP/t1", "CP/t2"}
    gone = fold(ended, fact(SessionStarted(transaction="t2"), 2 * day + 101))
    assert set(gone.sessions) == {"CP/t2"}


def test_facts_that_name_no_station_change_nothing() -> None:
    for body in (STARTED, OCCUPIED, SessionMetered(transaction="t1"), SessionEnded(transaction="t1")):
        assert told(fact(body, station=None)) == Sessions()
    assert told(fact(OCCUPIED, evse=None)) == Sessions()
    assert told(fact(VehicleIdentified(vehicle="B", by="token"), evse=None)) == Sessions()


NIGHT = [
    fact(OCCUPIED, 0),
    fact(STARTED, 1),
    *[
        fact(SessionMetered(transaction="t1", energy_wh=1000.0 + s, power_kw=60.0, soc=s / 7200), s)
        for s in range(60, 3600, 600)
    ],
    fact(SessionEnded(transaction="t1", meter_wh=9000.0), 3600),
]


@given(st.randoms(use_true_random=False))
def test_meter_points_are_the_same_in_whatever_order_samples_arrive(chance: random.Random) -> None:
    shuffled = NIGHT[2:-1].copy()
    chance.shuffle(shuffled)
    straight, mixed = told(*NIGHT), told(*NIGHT[:2], *shuffled, NIGHT[-1])
    assert session(straight).points == session(mixed).points


def test_every_record_played_twice_at_once_and_a_day_later_changes_nothing() -> None:
    once = told(*NIGHT)
    assert told(*[m for m in NIGHT for _ in range(2)]) == once
    assert told(*NIGHT, *NIGHT[1:]) == once


def at_connector(body: Body, connector: int | None, seconds: float = 0) -> Message:
    message = fact(body, seconds)
    return message.model_copy(update={"at": message.at.model_copy(update={"connector": connector})})


def test_the_other_connector_of_an_evse_does_not_end_the_plug_in() -> None:
    state = told(at_connector(OCCUPIED, 1), fact(STARTED, 5))
    assert plug(state).connector == 1
    assert fold(state, at_connector(FREE, 2, 9)) is state
    assert fold(state, at_connector(ConnectorStatusChanged(status="unavailable"), 2, 9)) is state
    assert not plug(fold(state, at_connector(FREE, 1, 9))).plugged
    assert not plug(fold(state, at_connector(FREE, None, 9))).plugged


def test_after_the_plug_in_either_connector_counts() -> None:
    state = told(at_connector(OCCUPIED, 1), at_connector(FREE, 1, 5), at_connector(OCCUPIED, 2, 9))
    assert (plug(state).plugged, plug(state).connector) == (True, 2)


def test_a_fault_does_not_change_which_connector_is_occupied() -> None:
    state = told(at_connector(OCCUPIED, 2), at_connector(ConnectorStatusChanged(status="faulted"), None, 5))
    assert plug(state).connector == 2


def test_a_reading_that_names_neither_evse_nor_a_running_transaction_belongs_nowhere() -> None:
    assert told(fact(SessionMetered(power_kw=3.0), evse=None)) == Sessions()


def test_what_comes_after_the_end_does_not_start_the_session_again() -> None:
    state = told(fact(STARTED), fact(SessionEnded(transaction="t1"), 60))
    late = fact(SessionUpdated(transaction="t1", charging_state="charging", token="LATE"), 61)
    assert fold(state, late) == state
    assert plug(state).session is None


def test_only_an_occupied_connector_begins_a_plug_in() -> None:
    for status in ("reserved", "unavailable", "faulted", "unknown"):
        state = told(fact(ConnectorStatusChanged.model_validate({"status": status})))
        assert not plug(state).plugged
        assert plug(state).status == status


def test_of_two_samples_of_one_moment_the_first_stands() -> None:
    state = told(
        fact(STARTED),
        fact(SessionMetered(transaction="t1", power_kw=50.0, soc=0.5, energy_wh=1500.0), 60, id="first"),
        fact(SessionMetered(transaction="t1", power_kw=20.0, soc=0.2, energy_wh=1600.0), 60, id="second"),
    )
    assert (plug(state).power_kw, plug(state).soc) == (50.0, 0.5)
    assert [p.message for p in session(state).points] == ["first"]


def test_the_end_of_a_session_of_which_nobody_knows_the_evse_closes_it() -> None:
    state = told(fact(SessionStarted(transaction="t1"), evse=None), fact(SessionEnded(transaction="t1"), 60, evse=None))
    assert session(state).ended == START + timedelta(seconds=60)
    assert state.plugs == Sessions().plugs


def test_a_late_sample_tells_nothing_of_the_plug_in_that_began_since() -> None:
    late = fact(SessionMetered(power_kw=50.0, soc=0.9, energy_wh=500.0), 5)
    state = told(fact(STARTED, 10))
    assert fold(state, late) == state
    first = fact(SessionMetered(power_kw=50.0, soc=0.9, energy_wh=1500.0), 10)
    assert plug(fold(state, first)).soc == 0.9
    assert len(session(fold(state, first)).points) == 1


def test_facts_of_other_concepts_change_nothing() -> None:
    state = told(fact(STARTED))
    assert fold(state, fact(StationSeen(), 5)) is state


def test_a_plug_in_knows_since_when_nothing_is_charged_any_more() -> None:
    ended = told(fact(STARTED), fact(SessionEnded(transaction="t1"), 120))
    assert plug(ended).ended == START + timedelta(seconds=120)
    again = fold(ended, fact(SessionStarted(transaction="t2"), 180))
    assert plug(again).ended is None
    free = fold(fold(ended, fact(VehicleIdentified(vehicle="bus", by="token", since="x"), 130)), fact(FREE, 200))
    assert free.left["bus"].ended == START + timedelta(seconds=120)


def test_a_vehicle_is_named_at_its_plug_also_where_the_session_is_not_known_any_more() -> None:
    state = told(fact(STARTED))
    forgotten = replace(state, sessions=state.sessions.delete("CP/t1"))
    after = fold(forgotten, fact(VehicleIdentified(vehicle="BUS-142", by="person"), 5))
    assert (plug(after).vehicle, "CP/t1" in after.sessions) == ("BUS-142", False)
