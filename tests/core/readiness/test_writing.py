"""When an assessment is written, and when silence is right."""

from datetime import timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.messages.requirement import RequirementWithdrawn
from core.readiness import ReadinessState, fold, next_deadline, waiting
from core.readiness.outlook import Outlook, Profile, Subject
from tests.core.readiness.facts import CONFIG, Night, assigned, at, fact, incident, later, plug, requirement, subject


def test_the_same_inputs_write_nothing_twice():
    night = Night()
    assert len(night.decide(at("2:00"), subject(at("2:00")))) == 1
    assert night.decide(at("2:00"), subject(at("2:00"))) == []


def test_a_message_names_its_coordinates_and_the_latest_fact_of_each_input():
    night = Night()
    night.decide(at("2:00"), subject(at("2:00"), incidents=(incident("charger_offline"),), unplugged_by="earlier"))
    message = night.written[0]
    assert message.causes == ("req", "assigned", "confirmed", "soc", "earlier", "plugged", "sample", "incident")
    where = message.at
    assert (where.vehicle, where.work, where.station, where.evse, where.session, where.ends) == (
        "BUS-142",
        "feed:2026-11-26:31/2",
        "CP-07",
        1,
        "CP-07/T1",
        at("6:20"),
    )


def test_an_unplugged_vehicle_without_work_has_no_such_coordinates():
    night = Night()
    night.decide(at("2:00"), subject(at("2:00"), plug=None, assignment=None, requirement=requirement(works=())))
    message = night.written[0]
    assert (message.at.work, message.at.station, message.causes) == (None, None, ("req", "confirmed", "soc"))


def test_small_drifts_are_silent_and_large_ones_are_not():
    night = Night()
    night.decide(at("2:00"), subject(at("2:00")))
    assert night.decide(at("2:01"), subject(at("2:01"), soc=0.353)) == []
    assert night.decide(at("2:01"), subject(at("2:01"), soc=0.40)) != []


def test_a_new_goal_is_written():
    night = Night()
    night.decide(at("2:00"), subject(at("2:00")))
    assert night.decide(at("2:00"), subject(at("2:00"), requirement=requirement(soc_goal=0.951))) != []


def test_ten_minutes_of_slack_are_news():
    night = Night()
    night.decide(at("2:00"), subject(at("2:00"), soc=0.35))
    assert night.decide(at("2:09"), subject(at("2:09"), soc=0.35)) == []
    assert night.decide(at("2:10"), subject(at("2:10"), soc=0.35)) != []


def test_a_recovery_counts_after_two_minutes():
    night = Night()
    assert night.decide(at("3:30"), subject(at("3:30")))[0].state == "at_risk"
    better = {"assignment": assigned(("25 20:00", 150)), "plug": plug(power_kw=150.0)}
    held = night.decide(at("3:31"), subject(at("3:31"), **better))
    assert (held[0].state, held[0].reasons[0].code) == ("at_risk", "recovering")
    assert night.decide(at("3:32"), subject(at("3:31"), **better)) == []
    assert next_deadline(night.state, [subject(at("3:31"), **better)], CONFIG, at("3:32")) == at("3:33")
    assert night.decide(at("3:33"), subject(at("3:31"), **better))[0].state == "on_track"


def test_a_recovery_that_fails_starts_again():
    night = Night()
    better = {"assignment": assigned(("25 20:00", 150)), "plug": plug(power_kw=150.0)}
    night.decide(at("3:30"), subject(at("3:30")))
    night.decide(at("3:31"), subject(at("3:31"), **better))
    assert night.decide(at("3:32"), subject(at("3:32")))[0].reasons[0].code == "envelope_limited"
    assert night.decide(at("3:33"), subject(at("3:33"), **better))[0].reasons[0].code == "recovering"
    assert night.decide(at("3:34"), subject(at("3:34"), **better)) == []


def test_knowing_again_is_on_track_at_once_and_the_goal_is_met_at_once():
    night = Night()
    night.decide(at("2:00"), subject(at("2:00"), soc=None))
    assert night.decide(at("2:01"), subject(at("2:01")))[0].state == "on_track"
    night.decide(at("3:30"), subject(at("3:30")))
    assert night.decide(at("3:31"), subject(at("3:31"), soc=0.95))[0].state == "met"


def left(soc=0.95, when="6:16", **changes):
    read = changes.pop("soc_at", at(when))
    return subject(read, soc=soc, plug=None, soc_at=read, unplugged_at=at(when), unplugged_by="gone", **changes)


@pytest.mark.parametrize(
    ("soc", "state", "short"),
    [
        (0.945, "met", 0.0),
        (0.9449, "departed_short", 1.642),
        (0.698, "departed_short", 81.144),
        (0.6979, "missed", 81.176),
    ],
)
def test_the_outcome_is_decided_by_the_charge_at_unplugging(soc, state, short):
    night = Night()
    outcome = night.decide(at("6:20"), left(soc))[0]
    assert (outcome.state, outcome.final) == (state, True)
    assert outcome.short_kwh == pytest.approx(short, abs=0.001)
    assert (outcome.soc, outcome.soc_expected, outcome.slack_s) == (soc, None, None)
    assert "gone" in night.written[0].causes


def test_the_outcome_never_changes_again():
    night = Night()
    night.decide(at("6:20"), left(0.95))
    assert night.decide(at("6:40"), left(0.50)) == []
    assert next_deadline(night.state, [left(0.50)], CONFIG, at("6:21")) is None
    other = night.written[0].model_copy(update={"id": "other", "time": at("7:00")})
    assert fold(night.state, other) == night.state


def test_an_outcome_tells_the_cause_first_then_the_numbers():
    night = Night()
    night.decide(at("4:45"), subject(at("4:45")))
    outcome = night.decide(at("6:20"), left(0.60))[0]
    assert [r.code for r in outcome.reasons] == ["envelope_limited", "departed_missed"]
    numbers = outcome.reasons[1].params
    assert numbers["last_soc"] == 0.6 and numbers["goal_soc"] == 0.95 and numbers["short_kwh"] == 112.7
    assert numbers["left"] == at("6:16").isoformat()


def test_recovering_is_not_the_cause_of_an_outcome():
    night = Night()
    night.decide(at("3:30"), subject(at("3:30")))
    night.decide(at("3:31"), subject(at("3:31"), assignment=assigned(("25 20:00", 150)), plug=plug(power_kw=150.0)))
    assert [r.code for r in night.decide(at("6:20"), left(0.80))[0].reasons] == ["departed_short"]


def test_unplugged_long_before_the_departure_is_a_move_not_the_departure():
    night = Night()
    assert not night.decide(at("6:20"), left(0.95, when="5:19"))[0].final
    night = Night()
    assert night.decide(at("6:20"), left(0.95, when="5:20"))[0].final


def test_plugged_in_again_is_not_gone():
    night = Night()
    again = subject(at("6:19"), soc=0.96, unplugged_at=at("6:00"))
    assert not night.decide(at("6:20"), again)[0].final


def test_nothing_is_final_before_the_departure():
    night = Night()
    assert not any(body.final for body in night.decide(at("6:19"), left(0.95)))


def test_a_vehicle_that_leaves_late_with_its_goal_is_met_and_late():
    night = Night()
    outcome = night.decide(at("6:40"), left(0.95, when="6:36"))[0]
    assert (outcome.state, [r.code for r in outcome.reasons]) == ("met", ["departed_late"])
    assert outcome.reasons[0].params["late_s"] == 960
    on_the_edge = Night().decide(at("6:40"), left(0.95, when="6:35"))[0]
    assert [r.code for r in on_the_edge.reasons] == ["departed_late"]
    assert [r.code for r in Night().decide(at("6:40"), left(0.95, when="6:34"))[0].reasons] == []


def test_a_departure_missed_at_its_time_stays_missed_however_full_it_leaves_later():
    night = Night()
    assert night.decide(at("6:20"), subject(at("6:20"), soc=0.60))[0].state == "missed"
    outcome = night.decide(at("7:30"), left(0.95, when="7:30"))[0]
    assert (outcome.state, outcome.final) == ("missed", True)


def test_a_departure_called_missed_too_early_may_still_be_met():
    night = Night()
    assert night.decide(at("4:45"), subject(at("4:45")))[0].state == "missed"
    assert night.decide(at("6:20"), left(0.95))[0].state == "met"


def test_an_old_reading_at_unplugging_is_unknown_unless_nothing_was_charged_since():
    assert Night().decide(at("6:20"), left(0.96, soc_at=at("6:02")))[0].state == "met"
    stale = Night().decide(at("6:20"), left(0.96, soc_at=at("6:01")))[0]
    assert (stale.state, stale.final, stale.reasons[0].code) == ("unknown", True, "soc_stale")
    assert Night().decide(at("6:20"), left(0.96, soc_at=at("5:00"), idle_from=at("5:10")))[0].state == "met"
    night = Night()
    night.decide(at("5:00"), subject(at("5:00"), soc=0.96))
    assert night.decide(at("6:20"), left(0.96, soc_at=at("5:00")))[0].state == "met"


def test_leaving_without_any_reading_is_unknown():
    outcome = Night().decide(at("6:20"), subject(at("6:10"), soc=None, plug=None, unplugged_at=at("6:16")))[0]
    assert (outcome.state, outcome.final, outcome.reasons[0].code) == ("unknown", True, "soc_unknown")


def test_withdrawn_work_is_forgotten_but_an_outcome_is_kept():
    gone = fact(RequirementWithdrawn(vehicle="BUS-142", departs=at("6:20")), "withdrawn", at("5:00"))
    night = Night()
    night.decide(at("2:00"), subject(at("2:00")))
    assert not fold(night.state, gone).last
    over = fact(
        RequirementWithdrawn(vehicle="BUS-142", departs=at("6:20"), reason="departure_over"), "over", at("6:50")
    )
    assert fold(night.state, over) == night.state
    night.decide(at("6:20"), left(0.95))
    assert fold(night.state, gone) == night.state
    assert fold(ReadinessState(), gone) == ReadinessState()


def test_departures_of_days_ago_are_forgotten():
    night = Night()
    night.decide(at("2:00"), subject(at("2:00")))
    for days, kept in ((2, 2), (3, 1)):
        body = night.written[0].body.model_copy(update={"departs": at("6:20") + timedelta(days=days)})
        message = fact(body, "next", at("6:20") + timedelta(days=2, microseconds=days - 2))
        assert len(fold(night.state, message).last) == kept


def test_an_older_assessment_does_not_replace_a_newer_one():
    night = Night()
    night.decide(at("2:00"), subject(at("2:00")))
    older = night.written[0].model_copy(update={"id": "older", "time": at("1:00")})
    assert fold(night.state, older) == night.state
    assert fold(night.state, requirement()).last == night.state.last


def test_a_departure_stays_open_until_somebody_sees_it_leave_however_late():
    night = Night()
    night.state = fold(night.state, requirement())
    night.decide(at("6:20"), subject(at("6:20"), soc=0.60))
    over = RequirementWithdrawn(vehicle="BUS-142", departs=at("6:20"), reason="departure_over")
    night.state = fold(night.state, fact(over, "over", at("6:50")))
    assert [m.id for m in waiting(night.state)] == ["req"]
    outcome = night.decide(at("9:10"), left(0.70, when="9:10"))[0]
    assert (outcome.state, outcome.final) == ("missed", True)
    assert waiting(night.state) == []
    assert waiting(fold(night.state, requirement())) == []


def test_work_that_is_taken_back_does_not_wait_for_an_outcome():
    night = Night()
    night.state = fold(night.state, requirement())
    gone = fact(RequirementWithdrawn(vehicle="BUS-142", departs=at("6:20")), "withdrawn", at("5:00"))
    assert waiting(fold(night.state, gone)) == []


def test_missed_at_its_time_stays_missed_also_while_it_goes_on_charging():
    night = Night()
    night.decide(at("6:20"), subject(at("6:20"), soc=0.60))
    assert night.decide(at("7:00"), subject(at("7:00"), soc=0.96))[0].state == "missed"
    assert night.decide(at("7:10"), left(0.96, when="7:10"))[0].state == "missed"


@pytest.mark.parametrize(("soc", "state"), [(0.95, "met"), (0.80, "missed"), (0.60, "missed"), (None, "unknown")])
def test_a_departure_that_nobody_saw_gets_its_outcome_after_twelve_hours(soc, state):
    night = Night()
    night.decide(at("6:20"), subject(at("6:20"), soc=soc))
    assert not any(body.final for body in night.decide(at("18:19"), subject(at("18:19"), soc=soc)))
    outcome = night.decide(at("18:20"), subject(at("18:20"), soc=soc))[0]
    assert (outcome.state, outcome.final) == (state, True)
    assert "late_arrival" in [reason.code for reason in outcome.reasons]


@settings(max_examples=150, deadline=None)
@given(
    soc=st.one_of(st.none(), st.floats(0.2, 1.0)),
    power=st.sampled_from([0.0, 17.0, 80.0, 150.0]),
    plugged=st.booleans(),
    transaction=st.sampled_from([None, "T1"]),
    age=st.integers(0, 3600),
    start=st.integers(0, 6 * 3600),
    plan=st.sampled_from([None, (("25 20:00", 80.0),), (("2:30", 150.0), ("5:00", 0.0)), (("4:25", 150.0),)]),
    share=st.floats(0.0001, 0.9999),
    stood=st.integers(0, 3600),
)
def test_nothing_is_written_strictly_before_the_next_deadline(
    soc, power, plugged, transaction, age, start, plan, share, stood
):
    now = later(at("1:00"), seconds=start)
    there = plug(
        plugged=plugged, transaction=transaction, power_kw=power, power_at=now, since=later(now, seconds=-stood)
    )
    about = subject(
        now,
        soc=soc,
        plug=there,
        soc_at=None if soc is None else later(now, seconds=-age),
        assignment=None if plan is None else assigned(*plan),
        unplugged_at=None if plugged else at("6:16"),
    )
    night = Night()
    night.decide(now, about)
    due = next_deadline(night.state, [about], CONFIG, now)
    until = due or now + timedelta(days=2)
    assert night.decide(now + (until - now) * share, about) == []
    assert night.decide(until - timedelta(microseconds=1), about) == []


@pytest.mark.parametrize("kind", [Outlook, Profile, Subject, ReadinessState])
def test_states_are_never_changed_in_place(kind):
    assert kind.__dataclass_params__.frozen and "__slots__" in vars(kind)


def test_a_departure_that_nobody_saw_is_looked_at_again_a_quarter_of_an_hour_later():
    night = Night()
    here = subject(at("6:34"), soc=0.96)
    night.decide(at("6:34"), here)
    assert next_deadline(night.state, [here], CONFIG, at("6:34")) == at("6:35")
    assert [r.code for r in night.decide(at("6:35"), here)[0].reasons] == ["late_arrival"]
