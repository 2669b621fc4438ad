"""A site's decisions one by one: when it plans, what a hand may cap, who counts, what ends with the plug."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from core import allocation as planning
from core.allocation.planner import Made, UnsafePlan
from core.allocation.stays import SiteProblem
from core.messages import Message, Position
from core.messages.allocation import AllocationAssigned, AllocationPlanned
from core.messages.command import CommandWished
from core.messages.incident import IncidentOpened
from core.messages.site import Connector, Rule, Station
from core.messages.station import ConnectorStatusChanged, StationAdmitted, StationLimited
from core.messages.vehicle import VehicleIdentified, VehicleRead
from core.site import Memo, SiteState, decide, fold, next_deadline
from core.site.stages import consequences, plan, wishes
from core.site.stages.given import outlets
from core.work import departures
from tests.core.site.depot import START, STATIONS, site
from tests.core.site.play import Play
from tests.core.site.stories import opened


def of_type(messages: list[Message], kind: type) -> list[Message]:
    return [m for m in messages if isinstance(m.body, kind)]


def kw_now(play: Play, station: str, evse: int = 1) -> float:
    """What the newest wish of that EVSE allows now."""
    wish = play.wish(station)
    assert wish is not None
    part = next(e for e in wish.evses if e.evse == evse)
    return [s.kw for s in part.steps if s.at <= play.now][-1]


def charging(*arrivals: tuple[str, int, str], rule: str = "plan", opening: Play | None = None) -> Play:
    play = opening or opened(rule)
    play.work([(vehicle, play.now + timedelta(hours=3), 150) for _, _, vehicle in arrivals])
    for station, evse, vehicle in arrivals:
        play.arrive(station, evse, vehicle=vehicle)
        play.serve(station)
    return play


def test_without_a_configuration_nothing_is_decided_and_nothing_is_due() -> None:
    assert decide(SiteState("depot"), START) == []
    assert next_deadline(SiteState("depot"), START) is None


def test_the_first_plan_answers_the_configuration() -> None:
    play = Play(site())
    assert [p.triggers for p in play.plans()] == [("configuration", "envelope", "requirement")]


def test_every_trigger_is_served_by_one_plan_and_once() -> None:
    play = opened()
    before = len(play.plans())
    play.tell(StationLimited(kw=50, who="anna"), station="A")
    assert [p.triggers for p in play.plans()[before:]] == [("limit",)]
    assert play.settle() == []
    assert play.wait(600) == [] or not of_type(play.wait(0), AllocationPlanned)


def test_a_plan_cites_what_it_serves_the_envelope_and_the_configuration() -> None:
    play = opened()
    limited = play.tell(StationLimited(kw=50, who="anna"), station="A")
    plan = of_type(play.decided(), AllocationPlanned)[-1]
    assert play.state.configured is not None
    assert plan.causes == (limited.id, play.state.grid.computed_by, play.state.configured[0])


def test_several_triggers_share_a_plan() -> None:
    play = opened()
    before = len(play.plans())
    play.tell(StationLimited(kw=50, who="anna"), station="A", settle=False)
    play.disconnect("B")
    assert [p.triggers for p in play.plans()[before:]] == [("limit", "station")]


def test_a_slot_edge_plans_anew_while_somebody_charges() -> None:
    play = charging(("A", 1, "bus-1"))
    before = len(play.plans())
    play.wait(1800)
    assert [p.triggers for p in play.plans()[before:] if "slot" in p.triggers] == [("slot",), ("slot",)]


def test_a_slot_edge_passes_a_depot_in_which_nobody_charges() -> None:
    play = charging(("A", 1, "bus-1"))
    play.unplug("A")
    before = len(play.plans())
    play.wait(3600)
    assert not [p for p in play.plans()[before:] if "slot" in p.triggers]


def test_a_bus_that_arrives_is_identified_planned_and_wished() -> None:
    play = charging(("A", 1, "bus-1"))
    identified = of_type(play.decided(), VehicleIdentified)[-1]
    assert (identified.at.station, identified.at.evse, identified.at.vehicle) == ("A", 1, "bus-1")
    assigned = of_type(play.decided(), AllocationAssigned)[-1]
    assert (assigned.at.station, assigned.at.evse, assigned.at.vehicle) == ("A", 1, "bus-1")
    assert assigned.at.session == play.state.sessions.plugs[("A", 1)].session
    wished = [m for m in of_type(play.decided(), CommandWished) if m.at.station == "A"][-1]
    assert {m.id for m in of_type(play.decided(), AllocationAssigned)} & set(wished.causes)
    assert kw_now(play, "A") > 5


def test_two_buses_at_one_station_have_a_schedule_each() -> None:
    play = charging(("C", 1, "bus-1"), ("C", 2, "bus-2"))
    wish = play.wish("C")
    assert wish is not None
    assert [e.evse for e in wish.evses] == [1, 2]
    assert {e.transaction for e in wish.evses} == {play.state.sessions.plugs[("C", n)].transaction for n in (1, 2)}


def test_a_cap_by_hand_holds_in_plan_and_wish() -> None:
    play = charging(("A", 1, "bus-1"))
    play.tell(StationLimited(kw=20, who="anna"), station="A", ends=play.now + timedelta(minutes=20))
    play.serve("A")
    assert kw_now(play, "A") <= 20
    body = play.state.allocations.assigned[("A", 1)].body
    assert isinstance(body, AllocationAssigned)
    assert max(s.kw for s in body.steps if s.at <= play.now + timedelta(minutes=14)) <= 20
    play.wait(1900)
    play.serve("A")
    assert kw_now(play, "A") > 20


@pytest.mark.parametrize(("ends_s", "counts"), [(None, True), (1, True), (0, False), (-5, False)])
def test_a_cap_by_hand_counts_until_its_end(ends_s: float | None, counts: bool) -> None:
    play = opened()
    ends = None if ends_s is None else play.now + timedelta(seconds=ends_s)
    play.tell(StationLimited(kw=20, who="anna"), station="A", ends=ends)
    assert plan.hand_limits(play.state, play.now) == ({"A": (20.0, ends)} if counts else {})


def test_a_station_without_a_place_in_the_tree_gets_nothing() -> None:
    lost = Station(id="X", node=None, connectors=(Connector(evse=1, max_kw=50),))
    strange = Station(id="Y", node="nowhere", connectors=(Connector(evse=1, max_kw=50),))
    config = site().model_copy(update={"stations": (*site().stations, lost, strange)})
    play = Play(config)
    play.connect("X", "Y", "A")
    play.arrive("X", vehicle="bus-1")
    assert play.wish("X") is None
    assert play.wish("Y") is None
    assert play.wish("A") is not None
    assert {o.station for o in outlets(play.state)} == set(STATIONS)


def test_a_station_that_nobody_declared_changes_nothing_for_the_others() -> None:
    play = charging(("A", 1, "bus-1"))
    play.connect("stranger")
    play.arrive("stranger", vehicle=None)
    assert play.wish("stranger") is None
    assert kw_now(play, "A") > 5


def test_an_admitted_station_is_dispatched_from_then_on() -> None:
    play = opened()
    play.connect("Z")
    assert play.wish("Z") is None
    body = StationAdmitted(station="Z", node="p3", connectors=(Connector(evse=1, max_kw=22),), who="anna")
    play.tell(body)
    wish = play.wish("Z")
    assert wish is not None
    assert wish.safe_kw == 0
    assert next(o for o in outlets(play.state) if o.station == "Z").rating_w == 22_000


def test_an_outlet_has_its_own_rating_and_its_share_of_the_safe_level() -> None:
    found = {(o.station, o.evse): (o.node, o.rating_w, o.safe_w) for o in outlets(opened().state)}
    assert found[("A", 1)] == ("p1", 150_000, 5_000)
    assert found[("C", 1)] == found[("C", 2)] == ("p2", 75_000, 3_000)
    assert list(found) == [("A", 1), ("B", 1), ("C", 1), ("C", 2), ("D", 1), ("E", 1)]


def test_unplugging_ends_the_schedule_and_frees_the_room() -> None:
    play = charging(("A", 1, "bus-1"), ("B", 1, "bus-2"))
    play.unplug("A")
    wish = play.wish("A")
    assert wish is not None
    assert wish.evses == ()
    plan = play.plans()[-1]
    assert "unplug" in plan.triggers
    assert [m.at.station for m in of_type(play.decided(), AllocationPlanned)[-1:]] == [None]


def test_what_was_planned_for_an_earlier_bus_does_not_count_for_the_next() -> None:
    play = charging(("A", 1, "bus-1"))
    assert wishes.wanted(play.state)
    play.unplug("A")
    play.wait(10)
    assert ("A", 1) in play.state.allocations.assigned
    play.plug("A")
    assert wishes.wanted(play.state) == {}


@pytest.mark.parametrize("rule", ["equal-share", "first-come", "uncontrolled"])
def test_a_baseline_plans_by_its_rule(rule: str) -> None:
    play = charging(("A", 1, "bus-1"), ("D", 1, "bus-2"), rule=rule)
    assert {p.rule for p in play.plans()} == {rule}
    assert play.wish("A") is not None


def test_uncontrolled_means_full_power_whatever_the_limits_say() -> None:
    play = charging(("A", 1, "bus-1"), ("B", 1, "bus-2"), ("D", 1, "bus-3"), rule="uncontrolled")
    for station in ("A", "B", "D"):
        play.serve(station)
    play.wait(60)
    assert [kw_now(play, s) for s in ("A", "B", "D")] == [150.0, 90.0, 150.0]


def test_under_every_other_rule_the_limits_hold() -> None:
    for rule in ("plan", "equal-share", "first-come"):
        play = charging(("A", 1, "bus-1"), ("B", 1, "bus-2"), ("D", 1, "bus-3"), rule=rule)
        # The operator was never heard: its fallback of 120 kW, less 20 kW for the building, less the chargers' losses.
        assert sum(kw_now(play, s) for s in ("A", "B", "D")) + 6 + 5 <= (120 - 20) * 0.94


def test_the_operator_s_word_widens_the_limit_and_its_silence_narrows_it_again() -> None:
    play = charging(("A", 1, "bus-1"), ("D", 1, "bus-2"))
    play.work([(bus, play.now + timedelta(hours=2), 200) for bus in ("bus-1", "bus-2")])
    narrow = kw_now(play, "A") + kw_now(play, "D")
    play.constrain(260, lasts_s=40_000)
    play.contact(fresh_s=3600)
    _serve_all(play)
    assert kw_now(play, "A") + kw_now(play, "D") > narrow + 50
    play.wait(3600)
    assert kw_now(play, "A") + kw_now(play, "D") <= (120 - 20) * 0.94 - 16


def _serve_all(play: Play) -> None:
    for _ in range(3):
        for station in STATIONS:
            play.serve(station)
        play.wait(40)


def test_a_new_configuration_is_planned_by_at_once() -> None:
    play = charging(("A", 1, "bus-1"))
    before = len(play.plans())
    stations = tuple(s.model_copy(update={"safe_kw": 4.0}) for s in site().stations)
    play.configure(site(rule="equal-share").model_copy(update={"stations": stations}))
    assert "configuration" in play.plans()[before].triggers
    assert play.plans()[-1].rule == "equal-share"
    wish = play.wish("B")
    assert wish is not None
    assert wish.safe_kw == 4.0
    assert play.state.topology is not None
    assert play.state.topology.stations["B"].safe_kw == 4.0


def test_a_plan_that_the_check_refuses_is_replaced_by_the_plainest_rule(monkeypatch: pytest.MonkeyPatch) -> None:
    real = planning.make

    def make(problem: SiteProblem, rule: Rule = "plan") -> Made:
        if rule == "plan":
            raise UnsafePlan("p1 carries 3 kWh too much in slot 4")
        return real(problem, rule)

    play = opened()
    monkeypatch.setattr(planning, "make", make)
    play.arrive("A", vehicle="bus-1")
    plan = play.plans()[-1]
    assert plan.rule == "equal-share"
    assert plan.triggers[-1] == "plan_refused"
    assert kw_now(play, "A") > 5
    assert play.settle() == []


def test_a_bus_that_is_off_its_plan_gets_a_new_one_once_in_a_slot() -> None:
    play = charging(("A", 1, "bus-1"))
    play.memo = Memo()
    play.wait(60)
    plug = play.state.sessions.plugs[("A", 1)]
    assert plug.soc is not None
    for minutes in range(1, 10):
        play.wait(60)
        play.meter("A", soc=plug.soc + minutes / 100, power_kw=0.0)
    made = [plan for plan in play.plans() if "soc" in plan.triggers]
    assert len(made) == 1
    assert made[0].triggers == ("soc",)


def test_a_refused_plan_is_an_incident_until_one_passes(monkeypatch: pytest.MonkeyPatch) -> None:
    real = planning.make

    def make(problem: SiteProblem, rule: Rule = "plan") -> Made:
        if rule == "plan":
            raise UnsafePlan("p1 carries 3 kWh too much in slot 4")
        return real(problem, rule)

    play = opened()
    with monkeypatch.context() as patched:
        patched.setattr(planning, "make", make)
        play.arrive("A", vehicle="bus-1")
    plan = of_type(play.decided(), AllocationPlanned)[-1]
    opened_one = next(m for m in of_type(play.decided(), IncidentOpened) if m.body.kind == "plan_refused")
    assert plan.body.refused == opened_one.body.params["detail"] == "p1 carries 3 kWh too much in slot 4"
    assert ("plan_refused", "depot") in play.state.incidents.open
    play.wait(20 * 60)
    assert ("plan_refused", "depot") not in play.state.incidents.open


def test_a_site_for_which_no_plan_passes_goes_on_with_the_last_good_one(monkeypatch: pytest.MonkeyPatch) -> None:
    def make(problem: SiteProblem, rule: Rule = "plan") -> Made:
        raise UnsafePlan(f"{rule}: p1 carries 3 kWh too much in slot 4")

    play = charging(("A", 1, "bus-1"))
    play.memo = Memo()
    play.settle()
    before, wish = dict(play.state.allocations.assigned), play.wish("A")
    with monkeypatch.context() as patched:
        patched.setattr(planning, "make", make)
        play.tell(StationLimited(kw=40, who="anna"), station="D")
        play.wait(60)
        assert play.settle() == []
        play.wait(20 * 60)
    plan = next(p for p in play.plans() if "limit" in p.triggers)
    assert (plan.kept, plan.refused) == (True, "plan: p1 carries 3 kWh too much in slot 4")
    assert dict(play.state.allocations.assigned) == before
    assert wish is not None and kw_now(play, "A") > 5
    assert ("plan_infeasible", "depot") in play.state.incidents.open
    play.wait(20 * 60)
    assert not play.plans()[-1].kept
    assert ("plan_infeasible", "depot") not in play.state.incidents.open


def test_a_refused_plan_is_told_in_the_same_decision(monkeypatch: pytest.MonkeyPatch) -> None:
    def make(problem: SiteProblem, rule: Rule = "plan") -> Made:
        raise UnsafePlan("p1 carries 3 kWh too much in slot 4")

    play = charging(("A", 1, "bus-1"))
    play.memo = Memo()
    play.settle()
    monkeypatch.setattr(planning, "make", make)
    play.wait(16 * 60)
    refused = next(
        r.messages for r in play.log if r.decided and any(getattr(m.body, "kept", False) for m in r.messages)
    )
    assert [m.body.kind for m in of_type(list(refused), IncidentOpened)] == ["plan_infeasible"]


def test_the_free_connector_beside_the_one_in_use_is_no_unplugging() -> None:
    play = charging(("A", 1, "bus-1"))
    plans = len(play.plans())
    play.tell(ConnectorStatusChanged(status="available"), station="A", evse=1, connector=2)
    assert play.state.vehicles.identified[("A", 1)].vehicle == "bus-1"
    assert len(play.plans()) == plans
    play.tell(ConnectorStatusChanged(status="available"), station="A", evse=1, connector=1)
    assert ("A", 1) not in play.state.vehicles.identified


def test_a_station_that_cannot_be_told_counts_with_its_ceiling() -> None:
    play = charging(("A", 1, "bus-1"), ("C", 1, "bus-2"))
    assert plan.silent(play.state, play.now, site()) == {}
    ceiling = max(s.kw for e in _wish(play, "C").evses for s in e.steps)
    play.disconnect("C")
    silent = plan.silent(play.state, play.now, site())
    assert silent == {"C": pytest.approx(max(ceiling, 3.0) + 3.0)}
    far = play.now + timedelta(hours=2)
    assert plan.silent(play.state, far, site()) == {"C": pytest.approx(6.0)}


def _wish(play: Play, station: str) -> CommandWished:
    wish = play.wish(station)
    assert wish is not None
    return wish


def test_a_bus_on_its_way_back_is_expected_after_its_return() -> None:
    play = opened()
    departs = play.now + timedelta(minutes=30)
    play.work([("bus-1", departs, 100), ("bus-1", departs + timedelta(hours=8), 100)])
    assert plan.expected(play.state, departures(play.state.work, site(), play.now), play.now) == {
        "bus-1": (departs + timedelta(hours=3, minutes=5), None),
    }
    play.arrive("A", vehicle="bus-1")
    assert plan.expected(play.state, departures(play.state.work, site(), play.now), play.now) == {}


def test_who_leaves_first_goes_first_and_strangers_last() -> None:
    play = opened()
    play.work([("bus-1", play.now + timedelta(hours=9), 100), ("bus-2", play.now + timedelta(hours=5), 100)])
    first, later, stranger = (wishes.rank(play.state, v) for v in ("bus-2", "bus-1", None))
    assert first < later < stranger


def test_a_bus_that_moved_is_judged_by_its_newest_assignment() -> None:
    play = charging(("A", 1, "bus-1"))
    play.unplug("A")
    play.wait(60)
    charging(("D", 1, "bus-1"), opening=play)
    subject = next(s for s in consequences.subjects(play.state, site(), play.now) if s.plug is not None)
    assert subject.assignment is not None
    assert subject.assignment.at.station == "D"
    assert subject.connected


def test_a_fact_that_is_folded_again_only_moves_the_position_on() -> None:
    play = opened()
    again = next(r for r in play.log if r.messages[0].type == "station.connected").messages[0]
    assert fold(play.state, again, Position(999, 0)) == replace(play.state, seen=999)
    new = again.model_copy(update={"id": "another"})
    assert fold(play.state, new, Position(999, 0)).versions != play.state.versions


@pytest.mark.parametrize("back_s", [1, 30, 240])
def test_a_clock_that_is_set_back_stands_still_until_it_has_caught_up(back_s: int) -> None:
    play = charging(("A", 1, "bus-1"))
    play.work([("bus-1", play.now + timedelta(hours=3), 150), ("bus-2", play.now + timedelta(hours=4), 150)])
    play.wait(600)
    before = len(play.decided())
    newest = max(m.time for m in play.decided())
    play.now = newest - timedelta(seconds=back_s)
    play.tell(VehicleRead(soc=0.2), vehicle="bus-2")
    decided = play.decided()[before:]
    assert "requirement.computed" in {m.type for m in decided}
    assert {m.time for m in decided} == {newest}
    due = play.deadline()
    assert due is not None
    assert due > newest
