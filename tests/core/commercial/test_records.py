"""One record per ended session, written once."""

from dataclasses import replace
from datetime import timedelta

import pytest

from core.commercial import RecordsState, decide, fold, next_deadline
from core.commercial.allocation import Share
from core.commercial.pricing import Reading
from core.commercial.records import cost_centre
from core.messages import compose
from core.messages.scribe import Scribe
from core.messages.site import Node, SiteConfig, SiteConfigured, Vehicle
from tests.core.commercial.test_pricing import session, utc

CONFIG = SiteConfig(
    id="depot",
    zone="Europe/Berlin",
    nodes=(Node(id="grid", limit_kw=100),),
    vehicles=(Vehicle(id="BUS-142", type="12m", cost_centre="line 31"),),
)
ENDED = session(utc(25, 20), utc(25, 22), 0, 3000, (utc(25, 21), 1500))


def run(state, sessions, now):
    scribe = Scribe("depot", 1, now)
    decide(state, sessions, CONFIG, now, scribe)
    for message in scribe.messages:
        state = fold(state, message)
    return state, scribe.messages


def test_an_ended_session_gets_its_record_once():
    configured = compose(
        SiteConfigured(digest="d", config=CONFIG), id="config", time=utc(25, 1), source="core", site="depot"
    )
    state = fold(RecordsState(), configured)
    state, messages = run(state, {"CP-07/T1": ENDED}, utc(25, 22))
    record = messages[0]
    assert (record.body.session, record.body.cost_centre) == ("CP-07/T1", "line 31")
    assert record.causes == ("begin", "end", "m0", "config")
    at = record.at
    assert (at.session, at.vehicle, at.station, at.evse, at.begins, at.ends) == (
        "CP-07/T1",
        "BUS-142",
        "CP-07",
        1,
        utc(25, 20),
        utc(25, 22),
    )
    assert run(state, {"CP-07/T1": ENDED}, utc(26, 22))[1] == []


def test_a_session_that_runs_gets_none():
    running = replace(ENDED, ended=None)
    assert run(RecordsState(), {"CP-07/T1": running}, utc(26, 22))[1] == []
    assert next_deadline(RecordsState(), {"CP-07/T1": running}, utc(25, 1)) is None


def test_missing_registers_are_waited_for_and_then_the_record_is_incomplete():
    broken = {"CP-07/T1": replace(ENDED, end_wh=None, points=())}
    due = utc(25, 22, 15)
    assert run(RecordsState(), broken, due - timedelta(microseconds=1))[1] == []
    assert next_deadline(RecordsState(), broken, utc(25, 22)) == due
    state, messages = run(RecordsState(), broken, due)
    assert messages[0].body.status == "incomplete"
    assert messages[0].causes == ("begin", "end")
    assert next_deadline(state, broken, utc(25, 22)) is None
    early = {"CP-07/T1": replace(ENDED, begin_wh=None)}
    assert run(RecordsState(), early, utc(25, 22))[1] == []


def test_registers_of_a_session_that_was_told_late_are_waited_for_from_then_on():
    told = utc(26, 3)
    broken = {"CP-07/T1": replace(ENDED, begin_wh=None, told=told)}
    due = told + timedelta(minutes=15)
    assert run(RecordsState(), broken, due - timedelta(microseconds=1))[1] == []
    assert next_deadline(RecordsState(), broken, told) == due
    whole = {"CP-07/T1": replace(broken["CP-07/T1"], begin_wh=0.0)}
    assert [m.body.status for m in run(RecordsState(), whole, told)[1]] == ["complete"]


def test_a_session_that_nobody_saw_at_its_plug_is_its_cards_unless_evidence_disagrees():
    config = CONFIG.model_copy(
        update={"vehicles": (Vehicle(id="BUS-142", type="12m", cost_centre="line 31", tokens=("04AB",)),)}
    )
    for contested, payer in ((False, ("BUS-142", "line 31")), (True, (None, "unassigned"))):
        scribe = Scribe("depot", 1, utc(25, 22))
        unseen = replace(ENDED, vehicle=None, token="04ab", contested=contested)
        decide(RecordsState(), {"CP-07/T1": unseen}, config, utc(25, 22), scribe)
        [record] = scribe.messages
        assert (record.body.vehicle, record.body.cost_centre) == payer
        assert record.at.vehicle == payer[0]


def test_the_end_itself_is_the_moment_of_a_whole_session():
    sessions = {"CP-07/T1": ENDED}
    assert next_deadline(RecordsState(), sessions, utc(25, 21)) == utc(25, 22)
    assert next_deadline(RecordsState(), sessions, utc(25, 22)) is None
    assert run(RecordsState(), sessions, utc(25, 22) - timedelta(microseconds=1))[1] == []


def test_the_first_record_stands_and_other_facts_change_nothing():
    state, messages = run(RecordsState(), {"CP-07/T1": ENDED}, utc(25, 22))
    again = messages[0].model_copy(update={"id": "later"})
    assert fold(state, again) == state
    other = compose(CONFIGLESS, id="x", time=utc(25, 1), source="core", site="depot")
    assert fold(state, other) == state


def test_sessions_are_written_in_the_order_of_their_names():
    sessions = {"B": replace(ENDED, id="B"), "A": replace(ENDED, id="A")}
    assert [m.body.session for m in run(RecordsState(), sessions, utc(25, 22))[1]] == ["A", "B"]


def test_a_strangers_session_is_unassigned_and_never_dropped():
    assert cost_centre(None, CONFIG) == cost_centre("BUS-9", CONFIG) == "unassigned"
    assert cost_centre("BUS-142", CONFIG) == "line 31"


def _other():
    from core.messages.station import StationSeen

    return StationSeen()


CONFIGLESS = _other()


@pytest.mark.parametrize("kind", [RecordsState, Share, Reading])
def test_states_are_never_changed_in_place(kind):
    assert kind.__dataclass_params__.frozen and "__slots__" in vars(kind)
