"""What puts a departure at risk or makes it unknown, one sentence each."""

from datetime import datetime, timedelta

import pytest
from immutables import Map

from core.messages import Physical
from core.messages.command import CommandConfirmed
from core.messages.station import StationBooted
from core.readiness import assess
from core.readiness.offers import Offer, fold
from core.readiness.outlook import moments, profile
from tests.core.readiness.facts import (
    CONFIG,
    assigned,
    at,
    fact,
    incident,
    installed,
    offered,
    plug,
    requirement,
    steps,
    subject,
)


def judged(now, **changes):
    body = assess(subject(now, **changes), CONFIG, now)
    return body.state, [reason.code for reason in body.reasons]


def test_no_reading_at_all_is_unknown_with_its_reason():
    assert judged(at("2:00"), soc=None) == ("unknown", ["soc_unknown"])
    assert judged(at("2:00"), soc=None, plug=None) == ("unknown", ["not_plugged", "soc_unknown"])


def test_a_departure_after_another_one_is_unknown_however_full_the_vehicle_is_now():
    before = {"before": at("3:00")}
    assert judged(at("2:00"), **before) == ("unknown", ["earlier_departure"])
    assert judged(at("2:00"), soc=1.0, **before) == ("unknown", ["earlier_departure"])
    assert judged(at("6:20"), soc=1.0, **before)[0] == "met"
    body = assess(subject(at("2:00"), **before), CONFIG, at("2:00"))
    assert (body.soc_expected, body.slack_s, body.ready_at) == (None, None, None)


def test_a_vehicle_that_still_stands_at_its_plug_when_its_departure_is_over_is_judged_for_the_next_one():
    before = {"before": at("3:00"), "soc": 0.3}
    over = at("3:30")
    assert judged(over - timedelta(microseconds=1), soc_at=over, **before) == ("unknown", ["earlier_departure"])
    assert judged(over, soc_at=over, **before)[0] == "at_risk"
    assert judged(over, soc_at=over, plug=None, **before) == ("unknown", ["earlier_departure"])
    assert over in moments(subject(over, **before), profile(subject(over), CONFIG), CONFIG.policies)


def test_a_reading_goes_stale_only_while_a_transaction_runs():
    read = at("2:00")
    assert judged(at("2:14"), soc_at=read)[0] == "on_track"
    assert judged(at("2:15"), soc_at=read) == ("at_risk", ["soc_stale"])
    assert judged(at("2:15"), soc_at=read, plug=plug(transaction=None))[0] == "on_track"


def test_a_reading_from_before_the_plug_in_counts_for_half_an_hour():
    fresh = plug(transaction=None, since=at("2:28"), power_kw=None, power_at=None)
    early = {"soc_at": at("2:00"), "plug": fresh, "assignment": assigned(("2:28", 150))}
    assert judged(at("2:29"), **early)[0] == "on_track"
    assert judged(at("2:30"), **early) == ("unknown", ["soc_stale"])


def test_a_stale_reading_at_the_goal_is_not_met():
    assert judged(at("2:00"), soc=0.96) == ("met", [])
    assert judged(at("2:15"), soc=0.96, soc_at=at("2:00")) == ("at_risk", ["soc_stale"])


def test_unplugged_is_at_risk_when_it_must_be_plugged_within_a_quarter_of_an_hour():
    latest = at("6:15") - timedelta(seconds=94.87 * 60)
    before, after = latest - timedelta(minutes=15, seconds=2), latest - timedelta(minutes=14, seconds=58)
    plan = assigned(("25 20:00", 150))
    assert judged(before, plug=None, assignment=plan)[0] == "on_track"
    assert judged(after, plug=None, assignment=plan) == ("at_risk", ["not_plugged"])
    gone = plug(plugged=False, transaction=None)
    assert judged(after, plug=gone, assignment=plan) == ("at_risk", ["not_plugged"])


def test_without_a_plan_it_is_unknown_and_never_on_track():
    assert judged(at("2:00"), assignment=None) == ("unknown", ["no_allocation"])
    assert judged(at("2:00"), assignment=None, plug=None) == ("unknown", ["not_plugged", "no_allocation"])


def test_an_incident_that_touches_it_puts_it_at_risk_and_a_harmless_one_does_not():
    assert judged(at("2:00"), incidents=(incident("charger_offline"),)) == ("at_risk", ["charger_offline"])
    assert judged(at("2:00"), incidents=(incident("profile_refused"),)) == ("at_risk", ["profile_refused"])
    for kind in ("missed_charge", "grid_source_lost", "of_a_newer_version"):
        assert judged(at("2:00"), incidents=(incident(kind),))[0] == "on_track"


def test_reasons_stand_in_the_order_of_the_closed_list():
    offline = {"soc_at": at("3:00"), "incidents": (incident("charger_offline"),)}
    plan = assigned(("25 20:00", 60))
    assert judged(at("3:30"), assignment=plan, **offline)[1] == ["envelope_limited", "charger_offline", "soc_stale"]


def test_an_incident_brings_its_own_numbers():
    body = assess(
        subject(
            at("2:00"), incidents=(incident("charger_offline", station="CP-07", since="2026-11-26T00:00:00+00:00"),)
        ),
        CONFIG,
        at("2:00"),
    )
    assert body.reasons[0].params == {"station": "CP-07", "since": "2026-11-26T00:00:00+00:00"}


def test_an_incident_that_follows_from_a_departure_lends_it_no_numbers_of_an_earlier_day():
    long = {"soc_needed": 2.2, "soc_target": 2.47, "soc_goal": 1.0, "shortfall_kwh": 514.6}
    older = incident("block_exceeds_battery", vehicle="BUS-142", target_soc=1.5, block="101")
    code = assess(subject(at("2:00"), requirement=requirement(**long), incidents=(older,)), CONFIG, at("2:00")).reasons[
        0
    ]
    assert (code.code, code.params["target_soc"]) == ("block_exceeds_battery", 2.47)
    assert code.params.get("block") != "101"


def test_power_offered_for_three_minutes_and_none_taken_is_not_started():
    still = plug(power_kw=0.0, power_at=at("2:02"))
    plan = {"plug": still, "assignment": assigned(("2:00", 150))}
    assert judged(at("2:02"), **plan)[0] == "on_track"
    assert judged(at("2:03"), **plan) == ("at_risk", ["charging_not_started"])
    silent = plug(power_kw=None, power_at=None, transaction=None)
    assert judged(at("2:03"), plug=silent, assignment=assigned(("2:00", 150))) == ("at_risk", ["charging_not_started"])
    unmetered = plug(power_kw=None, power_at=None)
    assert judged(at("2:03"), plug=unmetered, assignment=assigned(("2:00", 150)))[0] == "on_track"


def test_not_started_counts_from_the_plug_in_and_only_while_connected():
    fresh = plug(power_kw=0.0, power_at=at("2:02"), since=at("2:01"))
    assert judged(at("2:03"), plug=fresh, assignment=assigned(("2:00", 150)))[0] == "on_track"
    assert judged(at("2:04"), plug=fresh, assignment=assigned(("2:00", 150)))[0] == "at_risk"
    assert judged(at("2:04"), plug=fresh, assignment=assigned(("2:00", 150)), connected=False)[0] == "on_track"
    pause = assigned(("2:00", 150), ("2:02", 0), ("2:03", 150))
    assert judged(at("2:05"), plug=plug(power_kw=0.0, since=at("1:00")), assignment=pause)[0] == "on_track"


def test_seven_tenths_of_what_may_flow_are_enough_and_less_is_too_little():
    plan = assigned(("25 20:00", 100))
    for takes, told in ((70.0, "on_track"), (69.9, "at_risk")):
        drawn = plug(power_kw=takes, power_at=at("2:14"))
        assert (
            judged(at("2:14"), soc=0.05, plug=drawn, assignment=plan, requirement=requirement(plug_kwh=480))[0] == told
        )


def test_a_plan_that_the_station_has_not_confirmed_asks_nothing_of_the_vehicle():
    still = plug(power_kw=0.0, power_at=at("2:09"))
    plan = assigned(("2:00", 150))
    assert judged(at("2:10"), plug=still, assignment=plan, offered=())[0] == "on_track"
    late = {"plug": still, "assignment": plan, "offered": offered(("2:08", 150))}
    assert judged(at("2:10"), **late)[0] == "on_track"
    assert judged(at("2:11"), **late) == ("at_risk", ["charging_not_started"])


def test_a_reduction_that_a_station_took_early_is_not_power_below_the_plan():
    plan = assigned(("2:00", 80), ("2:15", 0), ("2:30", 150))
    early = offered(("2:00", 80), ("2:14", 0), ("2:31", 150))
    weak = plug(power_kw=0.0, power_at=at("2:14"))
    assert judged(at("2:14"), soc=0.55, plug=weak, assignment=plan, offered=early)[0] == "on_track"
    slow = plug(power_kw=17.0, power_at=at("2:14"))
    assert judged(at("2:14"), soc=0.55, plug=slow, assignment=plan, offered=early)[0] == "on_track"


def test_a_reading_from_before_the_offer_tells_nothing_about_it():
    for read, state in (("2:00", "on_track"), ("2:01", "at_risk")):
        old = plug(power_kw=0.0, power_at=at(read))
        assert judged(at("2:04"), plug=old, assignment=assigned(("2:00", 150)))[0] == state


def test_a_renewed_offer_goes_on_and_does_not_begin_again():
    first = Offer("T1", offered(("2:00", 80), ("2:20", 60)))
    body = CommandConfirmed(wish="w", installed=(installed(("2:05", 80), ("2:12", 0)),))
    renewed = fold(Map({("CP-07", 1): first}), fact(body, "again", at("2:05"), at=Physical(station="CP-07")))
    assert renewed[("CP-07", 1)].steps == steps(("2:00", 80), ("2:12", 0))


def test_a_new_transaction_does_not_inherit_the_offer_of_the_last_one():
    first = Offer("T0", offered(("2:00", 80)))
    body = CommandConfirmed(wish="w", installed=(installed(("2:05", 80)),))
    renewed = fold(Map({("CP-07", 1): first}), fact(body, "again", at("2:05"), at=Physical(station="CP-07")))
    assert renewed[("CP-07", 1)] == Offer("T1", steps(("2:05", 80)))


def test_what_was_offered_long_ago_is_forgotten_and_what_flows_since_then_is_not():
    past = Offer("T1", offered(("1:00", 80), ("1:20", 0), ("1:40", 60)))
    for moment, kept in (("1:45", steps(("1:20", 0), ("1:40", 60))), ("2:30", steps(("1:40", 60)))):
        body = CommandConfirmed(wish="w", installed=(installed((moment, 60)),))
        after = fold(Map({("CP-07", 1): past}), fact(body, "again", at(moment), at=Physical(station="CP-07")))
        assert after[("CP-07", 1)].steps == kept


def test_an_offer_ends_with_its_schedule_and_with_a_start_of_the_station():
    assert offered(("2:00", 80), until="2:30") == steps(("2:00", 80), ("2:30", 0))
    held = Map({("CP-07", 1): Offer("T1", steps(("2:00", 80))), ("CP-08", 1): Offer("T2", ())})
    assert list(fold(held, fact(StationBooted(), "boot", at("2:10"), at=Physical(station="CP-07")))) == [("CP-08", 1)]


def test_a_session_that_does_not_begin_or_ended_too_early_is_not_started():
    waits = plug(transaction=None, since=at("2:00"), power_kw=None, power_at=None)
    assert judged(at("2:02"), plug=waits)[0] == "on_track"
    assert judged(at("2:03"), plug=waits) == ("at_risk", ["charging_not_started"])
    over = plug(transaction=None, since=at("1:00"), ended=at("2:00"), power_kw=0.0, power_at=at("2:00"))
    assert judged(at("2:02"), plug=over)[0] == "on_track"
    assert judged(at("2:03"), plug=over) == ("at_risk", ["charging_not_started"])
    assert judged(at("2:03"), plug=over, soc=0.95) == ("met", [])


def test_what_does_not_start_says_since_when_and_of_how_much():
    still = plug(power_kw=0.0, power_at=at("2:05"))
    facts = subject(at("2:05"), plug=still, assignment=assigned(("2:00", 150)))
    told = assess(facts, CONFIG, at("2:05")).reasons[0].params
    assert (datetime.fromisoformat(told["since"]), told["asked_kw"]) == (at("2:00"), 150.0)


def test_less_is_judged_by_the_least_that_was_offered_in_the_five_minutes_before():
    weak = plug(power_kw=17.0, power_at=at("2:15"))
    plan = {"plug": weak, "assignment": assigned(("2:00", 80)), "soc": 0.55}
    for raised, state in (("2:10", "at_risk"), ("2:11", "on_track")):
        rising = offered(("2:00", 20), (raised, 80))
        assert judged(at("2:15"), offered=rising, **plan)[0] == state


def test_much_less_than_planned_for_five_minutes_is_projected_and_named():
    weak = plug(power_kw=17.0, power_at=at("2:05"))
    body = assess(subject(at("2:05"), soc=0.43, plug=weak, assignment=assigned(("2:00", 80))), CONFIG, at("2:05"))
    assert (body.state, body.reasons[0].code) == ("at_risk", "power_below_plan")
    assert body.soc_expected == pytest.approx(0.43 + 17 * 0.95 * (250 / 60) / 322, abs=0.002)
    assert body.reasons[0].params["power_kw"] == 17.0 and body.reasons[0].params["asked_kw"] == 80.0
    early = plug(power_kw=17.0, power_at=at("2:04"))
    assert judged(at("2:05"), soc=0.43, plug=early, assignment=assigned(("2:00", 80)))[0] == "on_track"
    enough = plug(power_kw=56.0, power_at=at("2:05"))
    assert judged(at("2:05"), soc=0.43, plug=enough, assignment=assigned(("2:00", 80)))[0] == "on_track"


def test_little_power_in_the_taper_is_the_vehicles_own_limit():
    weak = plug(power_kw=3.0, power_at=at("2:05"))
    assert judged(at("2:05"), soc=0.85, plug=weak, assignment=assigned(("2:00", 80)))[1][0] == "vehicle_limited"


def test_what_is_enough_for_the_work_is_never_called_missed():
    now = at("6:14")
    assert judged(now, soc=0.69)[0] == "missed"
    assert judged(now, soc=0.70)[0] == "at_risk"


def test_a_departure_time_passed_below_the_need_is_missed():
    need = requirement(deadline=at("6:40"))
    assert judged(at("6:19"), soc=0.69, requirement=need, assignment=assigned(("25 20:00", 150)))[0] == "missed"
    assert judged(at("6:20"), soc=0.70)[0] == "at_risk"


def test_a_vehicle_not_seen_leaving_says_so_after_a_quarter_of_an_hour():
    assert judged(at("6:34"), soc=0.96) == ("met", [])
    assert judged(at("6:35"), soc=0.96) == ("met", ["late_arrival"])
    assert "late_arrival" in judged(at("6:35"), soc=0.80)[1]


def test_a_plan_that_ends_short_is_at_risk_with_what_it_reaches():
    plan = assigned(("25 20:00", 80), ("3:00", 0))
    body = assess(subject(at("2:00"), assignment=plan), CONFIG, at("2:00"))
    assert (body.state, body.slack_s, body.ready_at) == ("at_risk", None, None)
    assert body.soc_expected == pytest.approx(0.35 + 80 * 0.95 / 322, abs=1e-6)
    assert body.short_kwh == pytest.approx((0.95 - body.soc_expected) * 322)


def test_waiting_in_the_plan_does_not_raise_the_wanted_slack():
    plan = assigned(("25 20:00", 0), ("4:25", 150))
    now = at("2:00")
    assert judged(now, assignment=plan, plug=plug(power_kw=0.0))[0] == "on_track"


def test_a_pause_between_two_parts_of_the_plan_does_not_raise_the_wanted_slack_either():
    pause = assigned(("25 20:00", 80), ("2:10", 0), ("5:05", 150))
    through = assigned(("25 20:00", 80))
    states = [judged(at("2:00"), soc=0.6, assignment=plan)[0] for plan in (through, pause)]
    assert states == ["on_track", "on_track"]


def test_ten_minutes_are_wanted_however_short_the_charging():
    now = at("5:30")
    quick = {"soc": 0.9, "plug": plug(power_kw=None, power_at=None)}
    ready = assess(subject(now, assignment=assigned(("25 20:00", 150)), **quick), CONFIG, now)
    assert ready.state == "on_track"
    late = at("5:30") + timedelta(seconds=ready.slack_s) - timedelta(minutes=10)
    assert judged(late - timedelta(seconds=1), assignment=assigned(("25 20:00", 150)), **quick)[0] == "on_track"
    assert judged(late + timedelta(seconds=2), assignment=assigned(("25 20:00", 150)), **quick)[0] == "at_risk"


def test_at_the_goal_there_is_nothing_to_be_ready_for():
    body = assess(subject(at("2:00"), soc=0.95), CONFIG, at("2:00"))
    assert (body.state, body.ready_at, body.slack_s, body.soc_expected) == ("met", None, None, 0.95)


def test_a_reading_of_the_moment_of_plugging_in_belongs_to_the_plug_in():
    fresh = plug(since=at("2:00"), power_kw=None, power_at=None)
    assert judged(at("2:40"), soc_at=at("2:00"), plug=fresh, assignment=assigned(("2:39", 150))) != (
        "unknown",
        ["soc_stale"],
    )
    assert judged(at("2:40"), soc_at=at("1:59"), plug=fresh, assignment=assigned(("2:39", 150))) == (
        "unknown",
        ["soc_stale"],
    )


def test_exactly_what_the_work_takes_is_not_missed_when_its_time_has_passed():
    assert judged(at("6:21"), soc=0.698)[0] == "at_risk"
    assert judged(at("6:21"), soc=0.6979)[0] == "missed"


def test_preconditioning_also_brings_the_latest_start_forward():
    latest = at("6:15") - timedelta(seconds=94.87 * 60) - timedelta(minutes=30)
    early = timedelta(minutes=30)
    assert judged(latest - timedelta(seconds=2), precondition=early)[0] == "at_risk"
    assert judged(latest + timedelta(seconds=2), precondition=early)[0] == "missed"


def test_a_plan_that_ends_a_hair_below_the_goal_is_ready_when_it_is_within_the_tolerance():
    plan = assigned(("25 20:00", 80), ("4:35", 0))
    body = assess(subject(at("2:00"), assignment=plan), CONFIG, at("2:00"))
    assert 0.945 < body.soc_expected < 0.95
    assert body.state == "on_track"
    assert at("4:30") < body.ready_at <= at("4:35")


def test_at_exactly_the_goal_less_the_tolerance_it_is_met():
    assert judged(at("2:00"), soc=0.95 - 0.005)[0] == "met"
    assert judged(at("2:00"), soc=0.95 - 0.0051)[0] != "met"
