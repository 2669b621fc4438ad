"""Incidents of the site: limits, meters, sources, schedules, departures."""

from datetime import date, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.incidents import fold, touching, uncontrolled
from core.messages.command import CommandConfirmed, CommandRejected
from core.messages.gateway import JournalVerified
from core.messages.grid import SourceContacted, SourceStateChanged
from core.messages.incident import IncidentUpdated
from core.messages.reasons import missing, sentence, slots
from core.messages.work import Block, ScheduleImported, WorkPlanned
from tests.core.incidents.world import SITE, Depot, moment

INSTANT = timedelta(microseconds=1)


@pytest.fixture
def depot():
    return Depot()


def test_two_readings_above_the_limit_are_an_overshoot(depot):
    depot.limit(moment(), (moment(), moment(60), 260), id="envelope")
    depot.read(moment(1), 260)
    assert depot.decide(moment(1)) == []
    depot.read(moment(1, 5), 260.2)
    assert depot.decide(moment(1, 5)) == []
    depot.read(moment(1, 6), 264.5)
    assert depot.decide(moment(1, 6)) == [("opened", "limit_exceeded", "grid")]
    params = {"node": "grid", "over_kw": 5, "power_kw": 264.5, "limit_kw": 260.0, "source": "operator"}
    assert depot.last.params == params | {"since": moment(1, 5).isoformat()}
    assert depot.last.severity == "critical"
    assert depot.written[-1].at.meter == "main" and "envelope" in depot.written[-1].causes


def test_one_reading_above_the_limit_counts_after_ten_seconds(depot):
    depot.limit(moment(), (moment(), moment(60), 260))
    depot.read(moment(1), 300)
    assert depot.due(moment(1)) == moment(1, 10)
    assert depot.decide(moment(1, 10) - INSTANT) == []
    assert depot.decide(moment(1, 10)) == [("opened", "limit_exceeded", "grid")]


def test_a_larger_overshoot_is_told_and_a_smaller_one_is_not(depot):
    depot.limit(moment(), (moment(), moment(60), 260))
    for second, kw in ((0, 300), (1, 300)):
        depot.read(moment(1, second), kw)
    depot.decide(moment(1, 1))
    depot.read(moment(1, 2), 290)
    assert depot.decide(moment(1, 2)) == []
    depot.read(moment(1, 3), 301.5)
    assert depot.decide(moment(1, 3)) == [("updated", "limit_exceeded", "grid")]
    assert depot.last.params["over_kw"] == 42 and depot.last.params["power_kw"] == 300


def test_an_overshoot_is_over_two_minutes_after_the_first_reading_below(depot):
    depot.limit(moment(), (moment(), moment(60), 260))
    depot.read(moment(1), 300)
    depot.read(moment(1, 1), 300)
    depot.decide(moment(1, 1))
    depot.read(moment(2), 250)
    depot.read(moment(3), 240)
    assert depot.decide(moment(4) - INSTANT) == []
    assert depot.decide(moment(4)) == [("resolved", "limit_exceeded", "grid")]


def test_without_an_envelope_the_rating_is_the_limit(depot):
    depot.read(moment(1), 801)
    depot.read(moment(2), 801)
    depot.decide(moment(2))
    assert (depot.last.params["limit_kw"], depot.last.params["source"]) == (800.0, "rating")


def test_the_limit_is_the_one_at_the_readings_own_time(depot):
    depot.limit(moment(), (moment(), moment(30), 800), (moment(30), moment(60), 260))
    depot.read(moment(29, 59), 500)
    depot.read(moment(30), 260)
    assert depot.decide(moment(31)) == []
    depot.read(moment(60), 790)
    assert depot.decide(moment(61)) == []


def test_old_repeated_and_strange_readings_change_nothing(depot):
    depot.read(moment(5), 900)
    before = depot.state
    depot.read(moment(5), 900)
    depot.read(moment(4), 900)
    depot.read(moment(6), None)
    depot.read(moment(6), 900, meter="unknown")
    assert depot.state == before


def test_an_older_envelope_does_not_replace_a_newer_one(depot):
    depot.limit(moment(5), (moment(), moment(60), 260), id="new")
    depot.limit(moment(4), (moment(), moment(60), 800), id="old")
    assert depot.state.facts.envelope.id == "new"
    depot.limit(moment(5), (moment(), moment(60), 250), id="newest")
    assert depot.state.facts.envelope.id == "newest"


def test_a_building_above_its_reserve_is_an_incident(depot):
    depot.read(moment(1), 30, "house", "building")
    assert depot.decide(moment(2)) == []
    depot.read(moment(2), 31, "house", "building")
    depot.read(moment(3), 31, "house", "building")
    assert depot.decide(moment(3)) == [("opened", "building_above_reserve", "grid")]
    assert (depot.last.params["limit_kw"], depot.last.params["power_kw"]) == (30.0, 31.0)
    depot.read(moment(360), 45, "house", "building")
    assert depot.decide(moment(362)) == [("resolved", "building_above_reserve", "grid")]


def test_a_lost_source_is_an_incident_until_it_is_current(depot):
    depot.fact(SourceStateChanged(source="operator", state="fallback", reason="silent"), moment(1))
    assert depot.decide(moment(1)) == [("opened", "grid_source_lost", "operator")]
    assert depot.last.params == {"source": "operator", "since": moment(1).isoformat()}
    assert (depot.last.severity, depot.written[-1].at.node) == ("high", "grid")
    depot.fact(SourceStateChanged(source="operator", state="current"), moment(0))
    assert depot.decide(moment(5)) == []
    depot.fact(SourceStateChanged(source="operator", state="current"), moment(7))
    assert depot.decide(moment(9)) == [("resolved", "grid_source_lost", "operator")]


def test_a_source_that_was_never_heard_is_not_told_as_lost_since_the_start(depot):
    depot.fact(SourceStateChanged(source="operator", state="fallback", reason="source_never_heard"), moment(1))
    depot.decide(moment(1))
    text = sentence("grid_source_lost", depot.last.params, zone="UTC")
    assert text == "No signal from operator so far. Its fallback holds."


def test_a_lost_source_says_what_it_allows_now_and_not_what_is_configured(depot):
    steps = ((moment(), moment(60), 80), (moment(60), moment(120), 120))
    depot.limit(moment(1), *steps, binds="operator fallback")
    depot.fact(SourceStateChanged(source="operator", state="fallback", reason="silent"), moment(1))
    assert depot.decide(moment(1)) == [("opened", "grid_source_lost", "operator")]
    assert depot.last.params["fallback_kw"] == 80.0
    assert depot.due(moment(2)) == moment(60)
    assert depot.decide(moment(60)) == [("updated", "grid_source_lost", "operator")]
    assert depot.last.params["fallback_kw"] == 120.0


def test_a_lost_source_whose_fallback_is_not_what_holds_any_more_says_no_number_of_it(depot):
    depot.limit(moment(1), (moment(), moment(60), 80), binds="operator fallback")
    depot.fact(SourceStateChanged(source="operator", state="fallback", reason="silent"), moment(1))
    depot.decide(moment(1))
    depot.limit(moment(2), (moment(), moment(60), 50), binds="cap by hand")
    assert ("updated", "grid_source_lost", "operator") in depot.decide(moment(2))
    [updated] = [m.body for m in depot.written if m.type == "incident.updated"]
    assert "fallback_kw" not in updated.params


def test_a_missed_charge_says_with_what_the_bus_left_once_that_is_known(depot):
    depot.assess("BUS-1", moment(100), "missed", moment(50), "envelope_limited")
    depot.decide(moment(50))
    depot.assess("BUS-1", moment(100), "missed", moment(100), "envelope_limited", final=True)
    assert depot.decide(moment(100)) == [("updated", "missed_charge", "BUS-1")]
    assert "01:40: 50\u00a0%, 95\u00a0% needed." in sentence("missed_charge", depot.last.params, zone="UTC")


def test_a_missed_charge_of_another_departure_has_nothing_of_the_first_one_s_numbers(depot):
    depot.assess("BUS-1", moment(100), "missed", moment(100), "envelope_limited", final=True)
    depot.decide(moment(100))
    assert depot.last.params["left"] and depot.last.params["last_soc"] == 0.5
    depot.assess("BUS-1", moment(600), "missed", moment(150), "envelope_limited")
    depot.decide(moment(160))
    assert depot.last.params == {"vehicle": "BUS-1", "departs": moment(600).isoformat(), "goal_soc": 0.95}


def test_a_source_that_is_heard_long_enough_again_and_again_is_fine_two_minutes_later(depot):
    depot.fact(SourceContacted(source="operator", kind="heartbeat"), moment(1), fresh_until=moment(1, 29))
    assert depot.decide(moment(1)) == [("opened", "horizon_short", "operator")]
    for seconds in range(60, 180, 20):
        at = moment(1, seconds)
        depot.fact(SourceContacted(source="operator", kind="heartbeat"), at, fresh_until=at + timedelta(minutes=5))
        assert depot.decide(at) == []
    assert depot.decide(moment(4)) == [("resolved", "horizon_short", "operator")]


@pytest.mark.parametrize(("seconds", "opened"), [(29, True), (30, False)])
def test_a_source_heard_for_less_than_chargers_need_says_so(depot, seconds, opened):
    depot.fact(SourceContacted(source="operator", kind="heartbeat"), moment(1), fresh_until=moment(1, seconds))
    assert bool(depot.decide(moment(1))) is opened
    if opened:
        assert depot.last.params == {"source": "operator", "horizon_s": 29.0, "guard_s": 30, "wanted_s": 120}
        assert (depot.last.kind, depot.written[-1].at.node) == ("horizon_short", "grid")


def test_a_contact_without_an_end_says_nothing_about_its_length(depot):
    depot.fact(SourceContacted(source="operator", kind="heartbeat"), moment(1))
    assert depot.decide(moment(1)) == []


def test_a_limit_below_what_chargers_draw_by_themselves_is_an_incident(depot):
    depot.limit(moment(), (moment(), moment(30), 70), (moment(30), moment(60), 69), id="envelope")
    assert depot.decide(moment(1)) == []
    assert depot.due(moment(10)) == moment(30)
    assert depot.decide(moment(30)) == [("opened", "limit_below_safe", "grid")]
    assert depot.last.params == {"node": "grid", "limit_kw": 69.0, "needed_kw": 70.0, "source": "operator"}
    depot.limit(moment(40), (moment(40), moment(90), 70))
    assert depot.decide(moment(42)) == [("resolved", "limit_below_safe", "grid")]


def test_a_limit_that_was_raised_is_fine_two_minutes_later_however_often_it_is_stated_anew(depot):
    depot.limit(moment(), (moment(), moment(90), 69))
    assert depot.decide(moment(1)) == [("opened", "limit_below_safe", "grid")]
    for seconds in range(60, 180, 20):
        at = moment(1, seconds)
        depot.limit(at, (at, moment(90), 100 + seconds))
        assert depot.decide(at) == []
    assert depot.due(moment(3, 50)) == moment(4)
    assert depot.decide(moment(4)) == [("resolved", "limit_below_safe", "grid")]


def test_a_limit_that_is_too_low_again_meanwhile_begins_its_two_minutes_anew(depot):
    depot.limit(moment(), (moment(), moment(90), 69))
    depot.decide(moment(1))
    depot.limit(moment(2), (moment(2), moment(3), 70), (moment(3), moment(90), 69))
    assert depot.decide(moment(2, 30)) == []
    depot.limit(moment(3, 30), (moment(3, 30), moment(90), 70))
    assert depot.decide(moment(5)) == []
    assert depot.decide(moment(5, 30)) == [("resolved", "limit_below_safe", "grid")]


def test_the_building_counts_at_the_root_only_and_by_time_of_day(depot):
    depot.limit(moment(), (moment(), moment(600), 30), node="panel")
    assert depot.decide(moment(1)) == []
    depot.limit(moment(1), (moment(), moment(600), 29), node="panel")
    assert depot.decide(moment(2)) == [("opened", "limit_below_safe", "panel")]
    other = Depot()
    other.limit(moment(), (moment(), moment(600), 90))
    assert other.due(moment(2)) == moment(360)
    assert other.decide(moment(360) - INSTANT) == []
    assert other.decide(moment(360)) == [("opened", "limit_below_safe", "grid")]


def test_rows_that_could_not_be_used_are_an_incident_until_a_whole_import(depot):
    depot.fact(
        ScheduleImported(
            import_id="1", feed="vdv", quarantined=2, refused=(("7", "vehicle_unknown"),), refused_count=4
        ),
        moment(1),
    )
    assert depot.decide(moment(1)) == [("opened", "schedule_incomplete", "vdv")]
    assert depot.last.params == {"feed": "vdv", "rows": 6, "since": moment(1).isoformat()}
    assert depot.written[-1].at.path == "vdv"
    depot.fact(
        ScheduleImported(import_id="2", feed="vdv", quarantined=1, refused=(("7", "vehicle_unknown"),)), moment(2)
    )
    assert depot.decide(moment(2)) == [("updated", "schedule_incomplete", "vdv")]
    depot.fact(ScheduleImported(import_id="3", feed="vdv"), moment(3))
    assert depot.decide(moment(5)) == [("resolved", "schedule_incomplete", "vdv")]


def test_a_feed_that_is_imported_every_minute_is_whole_two_minutes_after_its_first_whole_import(depot):
    depot.fact(ScheduleImported(import_id="1", feed="vdv", quarantined=2), moment(1))
    depot.decide(moment(1))
    for minute in (2, 3):
        depot.fact(ScheduleImported(import_id=f"{minute}", feed="vdv"), moment(minute))
        assert depot.decide(moment(minute)) == []
    assert depot.decide(moment(4)) == [("resolved", "schedule_incomplete", "vdv")]


def test_an_assignment_that_came_before_its_schedule_is_no_broken_row_once_the_schedule_is_there(depot):
    waits = tuple((f"2026-11-29 {block}", "work_not_known_yet") for block in ("201", "202"))
    depot.fact(ScheduleImported(import_id="1", feed="dispatch", refused=waits, refused_count=2), moment(1))
    assert depot.decide(moment(1)) == [("opened", "schedule_incomplete", "dispatch")]
    assert (depot.last.params["rows"], depot.last.params["waiting"]) == (2, 2)
    for minute, number in ((5, "201"), (6, "202")):
        block = Block(
            feed="vdv",
            operating_day=date(2026, 11, 29),
            block=number,
            departs=moment(600),
        )
        depot.fact(WorkPlanned(block=block, change="new"), moment(minute))
        if number == "201":
            assert depot.decide(moment(minute)) == [("updated", "schedule_incomplete", "dispatch")]
            text = sentence("schedule_incomplete", depot.last.params, zone="UTC")
            assert "with 1 row that could not be used, 1 waiting for their schedule" in text
    assert depot.decide(moment(6)) == [("resolved", "schedule_incomplete", "dispatch")]


def test_a_damaged_journal_is_an_incident_until_it_verifies_again(depot):
    depot.fact(JournalVerified(whole=True, records=3), moment(0))
    assert depot.decide(moment(0)) == []
    depot.fact(JournalVerified(whole=False, records=3, detail="record 4 is missing"), moment(1))
    ((what, kind, subject),) = depot.decide(moment(1))
    assert (what, kind) == ("opened", "journal_damaged")
    assert (depot.last.params["detail"], depot.last.severity) == ("record 4 is missing", "critical")
    depot.fact(JournalVerified(whole=True, records=2), moment(0, 30))
    assert depot.decide(moment(4)) == []
    depot.fact(JournalVerified(whole=True, records=9), moment(5))
    assert depot.decide(moment(7)) == [("resolved", "journal_damaged", subject)]


def test_two_blocks_of_one_bus_at_once_are_an_incident_until_one_of_them_is_another_bus_s(depot):
    depot.runs("BUS-1", "41", moment(2400), moment(2700))
    depot.runs("BUS-1", "42", moment(2640), moment(2900), since=moment(3))
    assert depot.decide(moment(3)) == []
    assert depot.due(moment(3)) == moment(480)
    assert depot.decide(moment(480)) == [("opened", "blocks_overlap", "BUS-1")]
    at = {"back": moment(2700).isoformat(), "departs": moment(2640).isoformat()}
    assert depot.last.params == {"vehicle": "BUS-1", "block": "41", "other": "42", **at}
    assert (depot.last.departures, depot.written[-1].causes) == (("BUS-1",), ("w41", "a41", "w42", "a42"))
    depot.runs("BUS-2", "42", moment(2640), moment(2900), since=moment(490))
    assert depot.decide(moment(490)) == [("resolved", "blocks_overlap", "BUS-1")]


def test_two_blocks_at_once_are_nobody_s_business_any_more_when_the_second_begins(depot):
    depot.runs("BUS-1", "41", moment(200), moment(300))
    depot.runs("BUS-1", "42", moment(240), moment(400))
    assert depot.decide(moment(3)) == [("opened", "blocks_overlap", "BUS-1")]
    assert depot.due(moment(3)) == moment(240)
    assert depot.decide(moment(240)) == [("resolved", "blocks_overlap", "BUS-1")]


def test_a_missed_departure_is_an_incident_critical_within_two_hours(depot):
    depot.assess("BUS-1", moment(300), "missed", moment(100), "envelope_limited")
    assert depot.decide(moment(100)) == [("opened", "missed_charge", "BUS-1")]
    assert (depot.last.severity, depot.last.departures) == ("high", ("BUS-1",))
    assert depot.last.params == {"vehicle": "BUS-1", "departs": moment(300).isoformat(), "goal_soc": 0.95}
    assert depot.due(moment(110)) == moment(180)
    assert depot.decide(moment(180) - INSTANT) == []
    assert depot.decide(moment(180)) == [("updated", "missed_charge", "BUS-1")]
    depot.assess("BUS-1", moment(300), "at_risk", moment(200), "recovering")
    assert depot.decide(moment(202)) == [("resolved", "missed_charge", "BUS-1")]


def test_an_incident_of_a_vehicle_follows_the_departure_that_it_is_about(depot):
    depot.assess("BUS-1", moment(900), "missed", moment(1), "block_exceeds_battery")
    depot.decide(moment(1))
    depot.assess("BUS-1", moment(300), "missed", moment(2), "envelope_limited")
    assert ("updated", "missed_charge", "BUS-1") in depot.decide(moment(2))
    message = next(m for m in reversed(depot.written) if m.body.kind == "missed_charge")
    assert message.body.params["departs"] == moment(300).isoformat()


def test_a_missed_outcome_stays_until_an_hour_after_it_when_the_next_departure_is_known(depot):
    depot.assess("BUS-1", moment(300), "missed", moment(300), final=True)
    depot.decide(moment(300))
    assert depot.last.params["left"] is True and depot.last.params["last_soc"] == 0.5
    assert depot.decide(moment(400)) == []
    depot.assess("BUS-1", moment(900), "on_track", moment(310))
    other = Depot()
    other.readiness = depot.readiness
    other.decide(moment(359))
    assert other.last.kind == "missed_charge"
    assert other.due(moment(359)) == moment(360)
    assert depot.decide(moment(400)) == [("resolved", "missed_charge", "BUS-1")]


@pytest.mark.parametrize(
    ("code", "state", "opened"),
    [
        ("not_plugged", "at_risk", True),
        ("not_plugged", "unknown", False),
        ("soc_stale", "at_risk", True),
        ("soc_stale", "unknown", False),
        ("power_below_plan", "at_risk", True),
        ("charging_not_started", "missed", True),
        ("late_arrival", "met", True),
        ("block_exceeds_battery", "at_risk", True),
        ("envelope_limited", "at_risk", False),
    ],
)
def test_reasons_that_a_person_can_act_on_are_incidents(depot, code, state, opened):
    depot.assess("BUS-1", moment(300), state, moment(1), "envelope_limited", code)
    written = [w for w in depot.decide(moment(1)) if w[1] != "missed_charge"]
    assert written == ([("opened", code, "BUS-1")] if opened else [])
    if opened:
        message = next(m for m in depot.written if m.body.kind == code)
        assert (message.causes, message.body.params, message.at.vehicle) == (
            ("r2",),
            dict.fromkeys(slots(code), "BUS-1"),
            "BUS-1",
        )


def test_a_departure_never_seen_leaving_is_history_when_the_next_one_is_known(depot):
    depot.assess("BUS-1", moment(300), "at_risk", moment(315), "late_arrival")
    assert depot.decide(moment(315)) == [("opened", "late_arrival", "BUS-1")]
    assert depot.decide(moment(400)) == []
    depot.assess("BUS-1", moment(900), "on_track", moment(310))
    assert depot.decide(moment(360) - INSTANT) == []
    assert depot.decide(moment(400)) == [("resolved", "late_arrival", "BUS-1")]


def test_a_symptom_of_a_chargers_own_incident_is_none_of_its_own(depot):
    depot.assess("BUS-1", moment(300), "at_risk", moment(1), "charger_offline", "soc_stale")
    assert depot.decide(moment(1)) == []


def test_an_outcome_has_no_symptoms(depot):
    depot.assess("BUS-1", moment(300), "met", moment(301), "late_arrival", final=True)
    assert depot.decide(moment(301)) == []


def test_a_reason_of_a_departure_that_is_gone_is_resolved_by_the_assessment_that_no_longer_has_it(depot):
    depot.assess("BUS-1", moment(300), "at_risk", moment(1), "not_plugged")
    depot.decide(moment(1))
    better = depot.assess("BUS-1", moment(300), "on_track", moment(5))
    assert depot.decide(moment(7)) == [("resolved", "not_plugged", "BUS-1")]
    assert depot.written[-1].causes == (depot.written[0].id, better.id)


def test_a_withdrawn_departure_takes_its_incidents_with_it(depot):
    depot.assess("BUS-1", moment(300), "at_risk", moment(1), "not_plugged")
    depot.decide(moment(1))
    depot.readiness = depot.readiness.delete(("BUS-1", moment(300).isoformat()))
    assert depot.decide(moment(1, 1)) == [("resolved", "not_plugged", "BUS-1")]
    assert depot.written[-1].causes == (depot.written[0].id, "f1")


def test_open_incidents_that_touch_a_vehicle_are_found_by_it(depot):
    depot.assess("BUS-1", moment(300), "at_risk", moment(1), "not_plugged")
    depot.decide(moment(1))
    assert touching(depot.state, "BUS-1") == (depot.written[0],)
    assert touching(depot.state, "BUS-2") == ()


def test_a_word_about_another_incident_of_the_same_subject_changes_nothing(depot):
    depot.assess("BUS-1", moment(300), "at_risk", moment(1), "not_plugged")
    depot.decide(moment(1))
    before = depot.state
    strange = depot.written[0].body.model_dump() | {"incident": "other"}
    depot.fact(IncidentUpdated.model_validate(strange), moment(2))
    assert depot.state == before


def test_a_site_that_is_not_controlled_is_told_once_and_the_next_decision_resolves_it(depot):
    opened = uncontrolled(depot.state, SITE, "KeyError: 'x'", seen=7, now=moment(1))
    depot.state = fold(depot.state, opened)
    assert (opened.body.severity, opened.source, missing(opened.body.kind, opened.body.params)) == (
        "critical",
        "controller",
        frozenset(),
    )
    assert uncontrolled(depot.state, SITE, "KeyError: 'x'", seen=8, now=moment(2)) is None
    assert depot.decide(moment(3)) == [("resolved", "controller_failed", SITE)]


@settings(max_examples=100, deadline=None)
@given(
    facts=st.lists(
        st.tuples(
            st.sampled_from(["connect", "lose", "wish", "refuse", "confirm", "over", "under", "risk", "miss", "fine"]),
            st.integers(1, 900),
        ),
        max_size=12,
    ),
    share=st.floats(0.0001, 0.9999),
)
def test_nothing_is_written_strictly_before_the_next_deadline(facts, share):
    depot, now = Depot(), moment()
    depot.park("BUS-1", "CP-1")
    for number, (what, seconds) in enumerate(facts):
        now += timedelta(seconds=seconds)
        act = {
            "connect": lambda now, n: depot.connect("CP-1", now, n, fresh=now + timedelta(minutes=10)),
            "lose": lambda now, n: depot.lose("CP-1", now, max(0, n - 1)),
            "wish": lambda now, n: depot.wish("CP-1", now, f"w{n}"),
            "refuse": lambda now, n: depot.step(CommandRejected, "CP-1", now, "w"),
            "confirm": lambda now, n: depot.step(CommandConfirmed, "CP-1", now, f"w{n - 1}"),
            "over": lambda now, n: depot.read(now, 900),
            "under": lambda now, n: depot.read(now, 100),
            "risk": lambda now, n: depot.assess("BUS-1", moment(180), "at_risk", now, "not_plugged"),
            "miss": lambda now, n: depot.assess("BUS-1", moment(180), "missed", now),
            "fine": lambda now, n: depot.assess("BUS-1", moment(180), "on_track", now),
        }[what]
        act(now, number)
        depot.decide(now)
        assert depot.decide(now) == []
    due = depot.due(now) or now + timedelta(days=3)
    assert depot.decide(now + (due - now) * share) == []
    assert depot.decide(due - INSTANT) == []
    assert (depot.due(due) or due + INSTANT) > due


def test_of_two_states_of_a_source_at_one_moment_the_later_counts(depot):
    depot.fact(SourceStateChanged(source="operator", state="fallback"), moment(1))
    depot.fact(SourceStateChanged(source="operator", state="current"), moment(1))
    assert depot.decide(moment(1)) == []
