"""The golden vectors of the table of states."""

from datetime import timedelta

import pytest

from core.messages.allocation import CutLimit, Shortage
from core.readiness import assess
from tests.core.readiness.facts import CONFIG, assigned, at, planned, plug, requirement, subject


def codes(body):
    return [reason.code for reason in body.reasons]


def test_v1_enough_slack_is_on_track():
    body = assess(subject(at("2:00")), CONFIG, at("2:00"))
    assert (body.state, codes(body)) == ("on_track", [])
    assert body.slack_s == pytest.approx(99.32 * 60, abs=1)
    assert body.ready_at == at("2:00") + timedelta(seconds=body.ready_at.timestamp() - at("2:00").timestamp())
    assert (body.ready_at - at("2:00")).total_seconds() == pytest.approx(155.68 * 60, abs=1)


def test_v2_slack_below_a_tenth_of_the_charging_time_is_at_risk_by_the_envelope():
    body = assess(subject(at("3:30")), CONFIG, at("3:30"))
    assert (body.state, codes(body)) == ("at_risk", ["envelope_limited"])
    assert body.slack_s == pytest.approx(9.32 * 60, abs=1)


def test_v3_preconditioning_takes_its_time_from_the_slack():
    body = assess(subject(at("2:55"), precondition=timedelta(minutes=30)), CONFIG, at("2:55"))
    assert (body.state, codes(body)) == ("at_risk", ["envelope_limited"])
    assert body.slack_s == pytest.approx(14.32 * 60, abs=1)


def test_v4_what_full_power_cannot_reach_is_missed_before_the_departure():
    body = assess(subject(at("4:45")), CONFIG, at("4:45"))
    assert body.state == "missed" and not body.final
    assert codes(body) == ["envelope_limited"]
    assert body.slack_s == pytest.approx(-65.68 * 60, abs=1)


def test_v5_within_the_measuring_tolerance_of_the_goal_is_met():
    body = assess(subject(at("6:10"), soc=0.946), CONFIG, at("6:10"))
    assert (body.state, codes(body), body.short_kwh) == ("met", [], 0)
    assert assess(subject(at("6:10"), soc=0.9449), CONFIG, at("6:10")).state != "met"


def test_v6_unplugged_with_an_old_reading_is_unknown():
    body = assess(subject(at("1:20"), plug=None, soc=0.9), CONFIG, at("2:00"))
    assert (body.state, codes(body), body.slack_s) == ("unknown", ["not_plugged", "soc_stale"], None)
    assert body.soc == 0.9 and body.soc_expected is None


def test_v7_a_block_longer_than_the_battery_is_at_risk_while_it_fits_without_reserve():
    need = requirement(soc_needed=0.9087, soc_target=1.0396, soc_goal=1.0, shortfall_kwh=12.74)
    body = assess(subject(at("2:00"), soc=1.0, requirement=need), CONFIG, at("2:00"))
    assert (body.state, codes(body), body.short_kwh) == ("at_risk", ["block_exceeds_battery"], 12.74)


def test_v8_a_block_that_does_not_fit_at_all_is_missed():
    need = requirement(soc_needed=1.5394, soc_target=1.7334, soc_goal=1.0, shortfall_kwh=236.15)
    body = assess(subject(at("2:00"), soc=1.0, requirement=need), CONFIG, at("2:00"))
    assert (body.state, codes(body)) == ("missed", ["block_exceeds_battery"])
    assert body.reasons[0].params["target_soc"] == 1.7334
    assert body.reasons[0].params["short_kwh"] == body.short_kwh == 236.15


def test_a_block_is_named_whole_also_where_its_name_holds_a_time_of_day():
    need = requirement(soc_target=1.7334, soc_goal=1.0, shortfall_kwh=236.15, works=("table:2026-11-29:BUS-1@05:30",))
    body = assess(subject(at("2:00"), soc=1.0, requirement=need), CONFIG, at("2:00"))
    assert body.reasons[0].params["block"] == "BUS-1@05:30"


def test_the_plan_in_force_names_its_own_reason():
    body = assess(
        subject(at("3:30"), assignment=assigned(("25 20:00", 80), reason="circuit_limited")), CONFIG, at("3:30")
    )
    assert codes(body) == ["circuit_limited"]


def test_the_limit_that_the_plan_is_short_of_is_named_with_its_power():
    cut = CutLimit(node="D2", source="rating", begins=at("1:00"), ends=at("3:30"), kwh=100)
    others = Shortage(vehicles=("BUS-117",), needed_kwh=90, passed_kwh=80, missing_kwh=10, limits=())
    own = Shortage(vehicles=("BUS-103", "BUS-142"), needed_kwh=300, passed_kwh=275, missing_kwh=25, limits=(cut,))
    short = assigned(("25 20:00", 80), reason="circuit_limited")
    body = assess(subject(at("3:30"), assignment=short, plan=planned(others, own)), CONFIG, at("3:30"))
    assert codes(body) == ["circuit_limited"]
    told = {"node": "D2", "limit_kw": 40.0, "until": cut.ends.isoformat()}
    assert {key: body.reasons[0].params.get(key) for key in told} == told
    unplanned = assess(subject(at("3:30"), assignment=short, plan=planned(others)), CONFIG, at("3:30"))
    assert "node" not in unplanned.reasons[0].params


def test_full_power_that_is_late_is_a_window_that_is_too_short():
    now = at("4:36")
    body = assess(subject(now, assignment=assigned(("25 20:00", 150)), plug=plug(power_kw=150.0)), CONFIG, now)
    assert (body.state, codes(body)) == ("at_risk", ["window_too_short"])
