"""The stages of a decision one by one: what each is given, and the moment that each names."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

from core import vehicles
from core.allocation.state import slot_of
from core.dispatch.functions import seconds
from core.messages import Physical, Position, compose
from core.messages.allocation import AllocationAssigned
from core.messages.evidence import EvidenceReceived
from core.messages.incident import IncidentOpened
from core.messages.scribe import Scribe
from core.messages.session import SessionMetered, SessionStarted
from core.messages.station import StationLimited
from core.site import Memo, SiteState, fold
from core.site.stages import STAGES, consequences, plan, wishes
from core.site.stages.given import departures_of, most_kw, outlets
from tests.core.site.depot import START, site
from tests.core.site.play import Play, Record
from tests.core.site.stories import opened


def deadline(play: Play, name: str) -> datetime | None:
    """The moment that one stage names at rest."""
    stage = next(s for s in STAGES if s.name == name)
    scribe = Scribe("depot", play.state.seen, play.now)
    assert play.state.config is not None
    found = stage.decide(play.state, play.state.config, play.now, scribe, Memo())
    assert scribe.messages == []
    return found


def charging() -> Play:
    play = opened()
    play.work([("bus-1", play.now + timedelta(hours=3), 150)])
    play.arrive("A", vehicle="bus-1")
    play.serve("A")
    return play


def test_facts_follow_from_each_other_in_the_order_of_the_stages() -> None:
    names = "work vehicles requirements starts envelope plan wishes readiness incidents records"
    assert [stage.name for stage in STAGES] == names.split()


def test_work_vehicles_and_requirements_are_looked_at_when_a_departure_is_over() -> None:
    play = opened()
    over = datetime(2026, 11, 25, 4, 0, tzinfo=UTC) + timedelta(days=1, minutes=30)
    assert deadline(play, "work") == deadline(play, "vehicles") == deadline(play, "requirements") == over


def test_a_requirement_of_work_by_hand_is_over_half_an_hour_after_its_departure() -> None:
    play = charging()
    assert deadline(play, "requirements") == START + timedelta(hours=3, minutes=30)


def test_the_envelope_is_looked_at_when_its_source_turns_stale() -> None:
    play = opened()
    assert deadline(play, "envelope") is None
    play.contact(fresh_s=600)
    assert deadline(play, "envelope") == play.now + timedelta(seconds=600)


def test_a_plan_is_looked_at_at_slot_edges_while_somebody_charges() -> None:
    assert deadline(opened(), "plan") is None
    play = charging()
    assert deadline(play, "plan") == slot_of(play.now) + timedelta(minutes=15)


def test_wishes_are_looked_at_at_half_their_horizon() -> None:
    assert deadline(opened(), "wishes") is None
    play = charging()
    assert deadline(play, "wishes") == play.now + timedelta(minutes=15)


def test_readiness_and_incidents_name_their_moments() -> None:
    play = charging()
    assert deadline(play, "readiness") is not None
    found = deadline(play, "incidents")
    assert found is not None
    assert play.now < found <= play.now + timedelta(minutes=15)  # the connection counts as alive for so long


def test_a_session_without_its_register_is_waited_for() -> None:
    play = opened()
    assert deadline(play, "records") is None
    play.tell(SessionStarted(transaction="t"), station="A", evse=1)
    play.stop("A")
    assert deadline(play, "records") == play.now + timedelta(minutes=15)


def test_the_root_keeps_the_building_s_reserve_free_from_the_moment_on_at_which_it_holds() -> None:
    play = opened()
    six = datetime(2026, 11, 26, 5, 0, tzinfo=UTC)
    found = wishes.limits(play.state, site(), six - timedelta(minutes=10), six + timedelta(minutes=10))
    assert [(t - seconds(six), w) for t, w in found["grid"].steps] == [(-600, 94_000), (0, 56_400)]
    assert [w for _, w in found["p1"].steps] == [141_000]
    assert set(found) == {node.id for node in site().nodes}


def test_a_wish_knows_what_holds_two_guard_times_behind_its_end() -> None:
    play = opened()
    play.contact(fresh_s=86_400)
    policies = site().policies
    behind_s = policies.wish_horizon_s + 2 * policies.guard_s - 1
    play.constrain(50, begins_s=behind_s)
    steps = dict(wishes.dispatched(play.state, site(), play.now).limits["grid"].steps)
    assert steps[seconds(play.now + timedelta(seconds=behind_s))] < min(
        w for t, w in steps.items() if t <= seconds(play.now)
    )


def test_an_uncontrolled_site_has_no_limits() -> None:
    play = opened("uncontrolled")
    found = wishes.limits(play.state, site(rule="uncontrolled"), START, START + timedelta(hours=1))
    assert {w for limit in found.values() for _, w in limit.steps} == {10**12}


def test_an_assignment_without_steps_wants_nothing() -> None:
    play = charging()
    assert set(wishes.wanted(play.state)) == {("A", 1)}
    message = play.state.allocations.assigned[("A", 1)]
    assert isinstance(message.body, AllocationAssigned)
    empty = message.model_copy(update={"body": message.body.model_copy(update={"steps": ()})})
    allocations = replace(play.state.allocations, assigned=play.state.allocations.assigned.set(("A", 1), empty))
    assert wishes.wanted(replace(play.state, allocations=allocations)) == {}


def test_an_assignment_that_was_made_at_the_moment_of_the_plug_in_counts() -> None:
    play = charging()
    plug = play.state.sessions.plugs[("A", 1)]
    made = play.state.allocations.assigned[("A", 1)].time
    for since, counts in ((made, True), (made + timedelta(microseconds=1), False)):
        sessions = replace(
            play.state.sessions, plugs=play.state.sessions.plugs.set(("A", 1), replace(plug, since=since))
        )
        assert bool(wishes.wanted(replace(play.state, sessions=sessions))) is counts


def test_who_charges_is_planned_with_its_reading_its_rating_and_what_it_took() -> None:
    play = charging()
    play.wait(60)
    play.meter("A", soc=0.45, power_kw=50, wh=2500)
    (stay,) = plan.stays(play.state, site(), play.now)
    plug = play.state.sessions.plugs[("A", 1)]
    assert (stay.station, stay.evse, stay.vehicle, stay.transaction) == ("A", 1, "bus-1", plug.transaction)
    assert (stay.soc, stay.max_kw, stay.delivered_kwh) == (0.45, 150.0, 3.0)
    assert (stay.since, stay.began) == (plug.since, plug.began)


def test_who_is_plugged_without_a_transaction_is_not_planned() -> None:
    play = opened()
    play.plug("A")
    assert plan.stays(play.state, site(), play.now) == []
    assert not plan.busy(play.state)
    play.start("A", vehicle="bus-1")
    assert plan.busy(play.state)


def test_a_silent_charger_s_incident_names_the_bus_that_it_touches() -> None:
    play = charging()
    play.disconnect("A")
    play.wait(120)
    opened_ = [m.body for m in play.decided() if isinstance(m.body, IncidentOpened)]
    offline = next(b for b in opened_ if b.kind == "charger_offline")
    assert (offline.subject, offline.departures) == ("A", ("bus-1",))


def test_readiness_rests_on_plug_reading_assignment_plan_and_confirmation() -> None:
    play = charging()
    subjects = consequences.subjects(play.state, site(), play.now)
    subject = next(s for s in subjects if s.plug is not None)
    assert subject.soc == 0.4
    assert subject.assignment == play.state.allocations.assigned[("A", 1)]
    assert subject.plan == play.state.allocations.planned
    assert subject.confirmation == play.state.dispatch.stations["A"].confirmed_by
    assert subject.connected
    assert subject.unplugged_at is None
    play.disconnect("A")
    assert not next(s for s in consequences.subjects(play.state, site(), play.now) if s.plug is not None).connected


def test_after_the_plug_is_out_the_last_station_and_reading_still_count() -> None:
    play = charging()
    play.unplug("A")
    key = next(s for s in consequences.subjects(play.state, site(), play.now) if s.unplugged_at is not None)
    assert (key.plug, key.unplugged_at, key.soc) == (None, play.now, 0.4)
    assert key.confirmation == play.state.dispatch.stations["A"].confirmed_by


def test_only_facts_from_outside_are_remembered_as_heard_and_evidence_is_not() -> None:
    play = charging()
    assert {source for source, _ in play.state.heard} == {"test"}
    frame = EvidenceReceived(protocol="ocpp", peer="A", frame="[]")
    before = play.state.heard
    play.tell(frame, station="A")
    assert play.state.heard == before


def test_folding_counts_what_was_folded_and_moves_the_position_on() -> None:
    play = Play(site())
    fact = play.log[0].messages[0]
    state = fold(SiteState("depot"), fact, Position(5, 0))
    assert (state.seen, dict(state.versions)) == (5, {"site.configured": 1})
    again = fact.model_copy(update={"id": "x"})
    assert dict(fold(state, again, Position(6, 0)).versions) == {"site.configured": 2}
    assert state.configured == (fact.id, getattr(fact.body, "digest", ""))


def test_a_late_sample_of_the_bus_before_is_not_the_charge_of_the_bus_that_stands_there_now() -> None:
    play = opened()
    play.arrive("A", vehicle="bus-1", soc=0.8)
    transaction = play.state.sessions.plugs[("A", 1)].transaction
    kept = play.now + timedelta(seconds=60)
    play.wait(120)
    play.unplug("A")
    play.wait(120)
    play.plug("A")
    play.start("A", vehicle="bus-2")
    play.wait(60)
    late = compose(
        SessionMetered(transaction=transaction, soc=0.9, energy_wh=3000),
        id="late",
        time=kept,
        recorded=play.now,
        source="test",
        site="depot",
        at=Physical(station="A", evse=1),
    )
    play.record(Record(play.state.seen + 1, (late,)))
    assert vehicles.soc(play.state.vehicles, play.state.sessions, site(), "bus-2", play.now) is None
    play.meter("A", soc=0.3, power_kw=50)
    reading = vehicles.soc(play.state.vehicles, play.state.sessions, site(), "bus-2", play.now)
    assert reading is not None
    assert reading.value == 0.3


def test_what_may_flow_at_an_outlet_is_looked_at_as_far_ahead_as_its_station_is_told() -> None:
    play = opened()
    play.work([("bus-1", play.now + timedelta(hours=3), 150)])
    play.tell(StationLimited(kw=10, who="anna"), station="A", ends=play.now + timedelta(minutes=10))
    play.arrive("A", vehicle="bus-1")
    play.serve("A")
    outlet = next(o for o in outlets(play.state) if o.station == "A")
    told = {s: most_kw(play.state, site(wish_horizon_s=s), outlet, play.now) for s in (600, 1800)}
    assert told[600] == 10.0
    assert told[1800] > 10.0


def test_departures_are_looked_at_anew_at_the_very_moment_that_ends_them() -> None:
    play, memo = charging(), Memo()
    assert play.state.config is not None
    departures, until = departures_of(play.state, play.state.config, play.now, memo)
    assert departures and until is not None
    just_before = until - timedelta(microseconds=1)
    assert departures_of(play.state, play.state.config, just_before, memo) == (departures, until)
    assert departures_of(play.state, play.state.config, until, memo)[1] != until


def test_since_when_a_bus_took_nothing_is_known_after_the_plug_is_out() -> None:
    play = charging()
    play.wait(60)
    play.stop("A")
    stopped = play.now
    play.wait(60)
    play.unplug("A")
    left = next(s for s in consequences.subjects(play.state, site(), play.now) if s.unplugged_at is not None)
    assert (left.idle_from, left.unplugged_at) == (stopped, play.now)


def test_a_sample_of_now_is_the_charge_of_the_bus_that_stands_there() -> None:
    play = charging()
    play.wait(60)
    play.meter("A", soc=0.52, power_kw=50)
    assert play.state.vehicles.metered["bus-1"].value == 0.52


def test_a_state_begins_before_the_first_record() -> None:
    assert SiteState("depot").seen == 0


def test_readiness_rests_on_what_was_confirmed_for_the_transaction_that_runs() -> None:
    play = charging()
    (subject,) = (s for s in consequences.subjects(play.state, site(), play.now) if s.plug is not None)
    wish = play.wish("A")
    assert wish is not None
    assert max(step.kw for step in subject.offered) == max(step.kw for step in wish.evses[0].steps) > 5
    play.stop("A")
    play.start("A", vehicle="bus-1")
    (again,) = (s for s in consequences.subjects(play.state, site(), play.now) if s.plug is not None)
    assert again.offered == ()
