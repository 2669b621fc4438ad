"""Which vehicle stands at which connector."""

from dataclasses import replace
from datetime import timedelta

import pytest

from core.vehicles import VehiclesState, at_plug, identify, next_deadline, vehicle_at
from core.work import Departure
from tests.core.requirements.fleet import CONFIG, DEPARTS, NOW
from tests.core.vehicles.depot import CP1, CP2, folded, placed, plug, read, run, session, sessions, status

EMPTY = VehiclesState()
HERE = {"at_station": "CP-1", "at_evse": 1}


def answer(state, *plugs, departures=(), bay=CP1):
    found = identify(state, sessions(*plugs), CONFIG, departures)[bay]
    return found.vehicle, found.by, found.candidates


def due(vehicle, minutes=0, causes=("planned", "assigned", "later")):
    return Departure(vehicle, DEPARTS, (), causes, NOW + timedelta(minutes=minutes))


def test_a_token_of_the_fleet_names_its_vehicle():
    assert answer(EMPTY, plug(token="T142")) == ("BUS-142", "token", ())


def test_an_evccid_of_the_fleet_names_its_vehicle():
    assert answer(EMPTY, plug(token="E143")) == ("BUS-143", "evccid", ())


def test_a_stranger_is_unknown():
    assert answer(EMPTY, plug(token="VISITOR")) == (None, "none", ())
    assert answer(EMPTY, plug()) == (None, "none", ())


def test_a_bay_where_nobody_is_plugged_in_has_no_answer():
    assert identify(EMPTY, sessions(replace(plug(), plugged=False)), CONFIG, ()) == {}


def test_a_position_says_who_came():
    assert answer(folded(read("BUS-142", **HERE)), plug()) == ("BUS-142", "telematics", ())
    assert answer(folded(read("BUS-142", **HERE)), plug(since=None)) == ("BUS-142", "telematics", ())


def test_a_position_from_long_before_the_plug_in_says_nothing():
    assert answer(folded(read("BUS-142", -15, **HERE)), plug())[0] == "BUS-142"
    assert answer(folded(read("BUS-142", -15.1, **HERE)), plug()) == (None, "none", ())


def test_a_position_elsewhere_says_nothing_and_the_newest_counts():
    state = folded(read("BUS-142", 1, **HERE), read("BUS-142", 2, at_station="CP-2", at_evse=1))
    assert answer(state, plug()) == (None, "none", ())
    state = folded(read("BUS-142", 0, at_station="CP-2", at_evse=1), state=state)
    assert answer(state, plug(CP2), bay=CP2)[0] == "BUS-142"


def test_a_position_needs_station_and_evse():
    assert answer(folded(read("BUS-142", at_station="CP-1")), plug()) == (None, "none", ())


def test_token_and_position_that_agree_are_one_answer_by_the_better_evidence():
    assert answer(folded(read("BUS-142", **HERE)), plug(token="T142")) == ("BUS-142", "token", ())


def test_token_and_position_that_disagree_leave_the_vehicle_unknown():
    found = answer(folded(read("BUS-143", **HERE)), plug(token="T142"))
    assert found == (None, "conflict", ("BUS-142", "BUS-143"))


def test_one_vehicle_claimed_at_two_plugs_is_unknown_at_both():
    plugs = plug(token="T142"), plug(CP2, token="T142")
    assert answer(EMPTY, *plugs) == (None, "conflict", ("BUS-142",))
    assert answer(EMPTY, *plugs, bay=CP2) == (None, "conflict", ("BUS-142",))
    state = folded(read("BUS-142", at_station="CP-2", at_evse=1))
    assert answer(state, plug(token="T142"), plug(CP2)) == (None, "conflict", ("BUS-142",))


def test_a_persons_word_beats_all_evidence_at_that_plug():
    state = folded(placed("BUS-143"), read("BUS-9", **HERE))
    assert answer(state, plug(token="T142")) == ("BUS-143", "person", ())


def test_a_persons_word_takes_the_vehicle_away_from_every_other_plug():
    plugs = plug(token="VISITOR"), plug(CP2, token="T142")
    assert answer(folded(placed("BUS-142")), *plugs, bay=CP2) == (None, "conflict", ("BUS-142",))
    assert answer(folded(placed("BUS-142")), *plugs) == ("BUS-142", "person", ())


def test_of_two_words_about_one_vehicle_the_newer_holds():
    plugs = plug(), plug(CP2)
    state = folded(placed("BUS-142"), placed("BUS-142", CP2, 2))
    assert answer(state, *plugs) == (None, "none", ())
    assert answer(state, *plugs, bay=CP2) == ("BUS-142", "person", ())
    state = folded(placed("BUS-142", CP1, 3), state=state)
    assert answer(state, *plugs)[0] == "BUS-142"


def test_a_newer_word_about_one_bay_replaces_the_older():
    assert answer(folded(placed("BUS-142"), placed("BUS-143", minutes=2)), plug())[0] == "BUS-143"
    assert answer(folded(placed("BUS-143", minutes=2), placed("BUS-142")), plug())[0] == "BUS-143"
    assert answer(folded(placed("BUS-142"), placed("BUS-143")), plug())[0] == "BUS-143", "at one moment the later word"


def test_a_word_from_before_the_plug_in_does_not_count():
    assert answer(folded(placed("BUS-142", minutes=-1)), plug()) == (None, "none", ())
    assert answer(folded(placed("BUS-142", minutes=0)), plug())[0] == "BUS-142"
    assert answer(folded(placed("BUS-142", minutes=-1)), plug(since=None))[0] == "BUS-142"


def test_a_word_ends_when_the_plug_is_out():
    state = folded(placed("BUS-142"), status("occupied", 2), status("available", 3, CP2))
    assert answer(state, plug())[0] == "BUS-142"
    assert answer(folded(status("available", 3), state=state), plug()) == (None, "none", ())


@pytest.mark.parametrize(("minutes", "vehicle"), [(-61, None), (-60, "BUS-142"), (15, "BUS-142"), (16, None)])
def test_the_plan_speaks_where_the_only_planned_return_fits_the_only_silent_plug(minutes, vehicle):
    found = answer(EMPTY, plug(), departures=[due("BUS-142", minutes)])
    assert found == (vehicle, "plan" if vehicle else "none", ())


def test_the_plan_is_silent_where_two_vehicles_or_two_plugs_would_fit():
    both = [due("BUS-142"), due("BUS-143")]
    assert answer(EMPTY, plug(), departures=both) == (None, "none", ())
    assert answer(EMPTY, plug(), plug(CP2), departures=both[:1]) == (None, "none", ())


def test_the_plan_never_names_a_stranger_who_showed_a_card_or_a_vehicle_seen_elsewhere():
    assert answer(EMPTY, plug(token="VISITOR"), departures=[due("BUS-142")]) == (None, "none", ())
    seen = plug(CP2, token="T142")
    assert answer(EMPTY, plug(), seen, departures=[due("BUS-142")]) == (None, "none", ())
    doubted = plug(CP2, token="T142"), plug(("CP-3", 1), token="T142")
    assert answer(EMPTY, plug(), *doubted, departures=[due("BUS-142")]) == (None, "none", ())


def test_the_plan_needs_a_known_return_and_a_known_plug_in():
    assert answer(EMPTY, plug(), departures=[replace(due("BUS-142"), back=None)])[1] == "none"
    assert answer(EMPTY, plug(since=None), departures=[due("BUS-142")])[1] == "none"


def test_the_plan_uses_the_first_departure_of_a_vehicle():
    later = Departure("BUS-142", DEPARTS + timedelta(hours=9), (), ("p2",), NOW + timedelta(hours=9))
    assert answer(EMPTY, plug(), departures=[due("BUS-142"), later])[1] == "plan"


def test_an_answer_is_written_with_its_causes_and_only_when_it_changed():
    seen = sessions(plug(token="T142", session="s1"), running=[session()])
    state, (message,) = run(EMPTY, seen)
    assert message.causes == ("plug-CP-1", "start-s1", "cfg")
    assert (message.at.station, message.at.evse, message.at.vehicle, message.at.session) == ("CP-1", 1, "BUS-142", "s1")
    assert (message.body.vehicle, message.body.by, message.body.since) == ("BUS-142", "token", "plug-CP-1")
    _, (message,) = run(state, sessions(plug(token="T143")))
    assert message.body.vehicle == "BUS-143"


def test_a_word_a_position_and_the_plan_are_causes_too():
    word = placed("BUS-142")
    assert word.id in run(folded(word), sessions(plug()))[1][0].causes
    position = read("BUS-142", **HERE)
    assert position.id in run(folded(position), sessions(plug()))[1][0].causes
    assert run(EMPTY, sessions(plug()), [due("BUS-142")])[1][0].causes == ("plug-CP-1", "planned", "assigned", "cfg")
    shown = plug(token="T142", status_by="status")
    assert run(EMPTY, sessions(shown))[1][0].causes == ("plug-CP-1", "status", "cfg")


def test_a_new_plug_in_of_the_same_vehicle_is_a_new_answer():
    state, _ = run(EMPTY, sessions(plug(token="T142")))
    _, written = run(state, sessions(replace(plug(token="T142"), began="again")))
    assert [m.body.since for m in written] == ["again"]


def test_a_plug_in_without_an_opening_message_is_named_by_its_session():
    _, (message,) = run(EMPTY, sessions(replace(plug(session="s1"), began="")))
    assert message.body.since == "s1"
    _, (message,) = run(EMPTY, sessions(replace(plug(), began="")))
    assert message.body.since == ""


def test_who_stands_where_is_answered_until_unplugged():
    seen = sessions(plug(token="T142"))
    state, _ = run(EMPTY, seen)
    assert vehicle_at(state, "CP-1", 1) == "BUS-142"
    assert vehicle_at(state, "CP-2", 1) is None
    assert at_plug(state, seen, "BUS-142") == seen.plugs[CP1]
    assert at_plug(state, seen, "BUS-143") is None
    assert at_plug(state, sessions(), "BUS-142") is None
    assert at_plug(state, sessions(replace(plug(), plugged=False)), "BUS-142") is None
    assert at_plug(state, sessions(replace(plug(), began="again")), "BUS-142") is None
    gone = folded(status("available", 5), state=state)
    assert vehicle_at(gone, "CP-1", 1) is None
    assert at_plug(gone, seen, "BUS-142") is None


def test_nothing_about_identity_depends_on_passing_time():
    assert next_deadline(EMPTY, NOW) is None


def test_letters_case_and_blanks_of_a_token_do_not_matter():
    assert answer(EMPTY, plug(token=" t142 ")) == ("BUS-142", "token", ())
    assert answer(EMPTY, plug(token="e143")) == ("BUS-143", "evccid", ())


def test_half_a_position_or_an_older_one_replaces_nothing():
    known = folded(read("BUS-142", 1, **HERE))
    for later in (read("BUS-142", 2, at_station="CP-2"), read("BUS-142", 2, at_evse=1)):
        assert folded(later, state=known).positions == known.positions
    assert folded(read("BUS-142", 0, at_station="CP-2", at_evse=1), state=known).positions == known.positions
