"""Incidents of chargers: silence, refusal, no confirmation, disobedience, faults, strangers."""

from datetime import timedelta

import pytest

from core.incidents import IncidentsState, Open
from core.incidents.conditions import Condition, World
from core.incidents.facts import Facts, Link, Order, Watch
from core.messages.command import CommandConfirmed, CommandMismatched, CommandRejected
from core.messages.gateway import GatewayStarted
from core.messages.reasons import sentence
from core.messages.site import Connector, SiteConfigured
from core.messages.station import (
    ConnectorStatusChanged,
    StationClockMeasured,
    StationConnected,
    StationProblemReported,
    StationSeen,
)
from core.messages.vehicle import VehicleIdentified
from tests.core.incidents.world import CONFIG, Depot, moment

INSTANT = timedelta(microseconds=1)


@pytest.fixture
def depot():
    return Depot()


def test_a_lost_socket_is_an_incident_after_a_minute_and_resolved_two_minutes_after_it_is_back(depot):
    depot.connect("CP-1", moment())
    depot.lose("CP-1", moment(10))
    assert depot.decide(moment(10)) == []
    assert depot.due(moment(10)) == moment(11)
    assert depot.decide(moment(11) - INSTANT) == []
    assert depot.decide(moment(11)) == [("opened", "charger_offline", "CP-1")]
    assert depot.last.params == {"station": "CP-1", "since": moment(10).isoformat(), "safe_kw": 10.0}
    assert depot.written[0].at.station == "CP-1" and depot.written[0].causes == ("f3",)
    assert depot.decide(moment(11)) == []
    depot.connect("CP-1", moment(50), number=2)
    assert depot.decide(moment(50)) == []
    assert depot.due(moment(50)) == moment(52)
    assert depot.decide(moment(52) - INSTANT) == []
    assert depot.decide(moment(52)) == [("resolved", "charger_offline", "CP-1")]
    assert depot.last.opened == moment(11)
    assert depot.written[-1].causes == (depot.written[0].id, "f4")


def test_flapping_is_one_incident(depot):
    depot.connect("CP-1", moment())
    depot.lose("CP-1", moment(1))
    depot.decide(moment(2))
    for minute in range(3, 30, 2):
        depot.connect("CP-1", moment(minute), number=minute)
        assert depot.decide(moment(minute)) == []
        depot.lose("CP-1", moment(minute + 1), number=minute)
        assert depot.decide(moment(minute + 1, seconds=59)) == []


def test_a_later_silence_is_another_incident(depot):
    depot.connect("CP-1", moment())
    for start, number in ((1, 1), (20, 2)):
        depot.lose("CP-1", moment(start), number)
        depot.decide(moment(start + 1))
        depot.connect("CP-1", moment(start + 2), number + 1)
        depot.decide(moment(start + 4))
    names = [m.body.incident for m in depot.written]
    assert names[0] == names[1] != names[2] == names[3]


def test_a_sign_of_life_that_runs_out_is_silence_too(depot):
    depot.connect("CP-1", moment(), fresh=moment(10))
    depot.fact(StationSeen(), moment(5), station="CP-1", fresh_until=moment(15))
    assert depot.state.facts.links["CP-1"].since == moment()
    assert depot.due(moment(5)) == moment(15)
    assert depot.decide(moment(15)) == []
    assert depot.decide(moment(16)) == [("opened", "charger_offline", "CP-1")]
    assert depot.last.params["since"] == moment(15).isoformat()
    depot.fact(StationSeen(), moment(20), station="CP-1", fresh_until=moment(30))
    assert depot.decide(moment(21)) == []
    assert depot.decide(moment(22)) == [("resolved", "charger_offline", "CP-1")]


def test_signs_of_life_that_say_nothing_new_change_nothing(depot):
    depot.connect("CP-1", moment(), fresh=moment(10))
    before = depot.state
    depot.fact(StationSeen(), moment(5), station="CP-1", fresh_until=moment(10))
    depot.fact(StationSeen(), moment(5), station="CP-1")
    depot.fact(StationSeen(), moment(5), station="CP-9", fresh_until=moment(20))
    assert depot.state.facts.links == before.facts.links
    depot.lose("CP-1", moment(6))
    depot.fact(StationSeen(), moment(7), station="CP-1", fresh_until=moment(20))
    assert not depot.state.facts.links["CP-1"].up


def test_the_end_of_an_older_connection_does_not_touch_the_newer_one(depot):
    depot.connect("CP-1", moment(), 1)
    depot.connect("CP-1", moment(1), 2)
    depot.lose("CP-1", moment(2), 1)
    assert depot.state.facts.links["CP-1"].up
    depot.lose("CP-9", moment(2))
    assert "CP-9" not in depot.state.facts.links


def test_a_repeated_or_older_connection_changes_nothing(depot):
    depot.connect("CP-1", moment(1), 2)
    depot.connect("CP-1", moment(5), 2)
    assert depot.state.facts.links["CP-1"].since == moment(1)
    depot.connect("CP-1", moment(0), 1)
    assert depot.state.facts.links["CP-1"].connection == 2
    depot.lose("CP-1", moment(6), 2)
    depot.lose("CP-1", moment(8), 2)
    assert depot.state.facts.links["CP-1"].since == moment(6)


def test_a_restarted_gateway_lost_its_connections(depot):
    depot.connect("CP-1", moment())
    depot.fact(GatewayStarted(gateway="gw", epoch=1), moment(5))
    depot.fact(GatewayStarted(gateway="other", epoch=9), moment(5))
    assert depot.state.facts.links["CP-1"].up
    depot.fact(GatewayStarted(gateway="gw", epoch=2), moment(6))
    assert depot.decide(moment(7)) == [("opened", "charger_offline", "CP-1")]
    depot.fact(GatewayStarted(gateway="gw", epoch=3), moment(8))
    assert depot.state.facts.links["CP-1"].since == moment(6)


def test_silence_under_a_near_departure_is_high_and_under_a_missed_one_critical(depot):
    depot.connect("CP-1", moment())
    depot.park("BUS-1", "CP-1")
    departs = moment(60 * 6)
    depot.assess("BUS-1", departs, "on_track", moment())
    depot.lose("CP-1", moment(10))
    depot.decide(moment(11))
    assert (depot.last.severity, depot.last.departures) == ("medium", ("BUS-1",))
    assert depot.written[-1].at.session == "CP-1/T1"
    assert depot.due(moment(12)) == moment(120)
    assert depot.decide(moment(120) - INSTANT) == []
    assert depot.decide(moment(120)) == [("updated", "charger_offline", "CP-1")]
    assert depot.last.severity == "high"
    depot.assess("BUS-1", departs, "missed", moment(130))
    written = depot.decide(moment(130))
    assert ("updated", "charger_offline", "CP-1") not in written
    depot.decide(moment(240) - INSTANT)
    depot.decide(moment(240))
    assert {m.body.kind: m.body.severity for m in depot.written if m.type == "incident.updated"} == {
        "charger_offline": "critical",
        "missed_charge": "critical",
    }


def test_a_departure_that_is_over_is_touched_no_more(depot):
    depot.connect("CP-1", moment())
    depot.park("BUS-1", "CP-1")
    depot.assess("BUS-1", moment(30), "at_risk", moment())
    depot.assess("BUS-1", moment(600), "on_track", moment())
    depot.lose("CP-1", moment(10))
    depot.decide(moment(11))
    assert depot.last.severity == "high"
    depot.assess("BUS-1", moment(30), "met", moment(31), final=True)
    depot.decide(moment(31))
    assert (depot.last.severity, depot.last.departures) == ("medium", ("BUS-1",))


def test_the_silence_of_a_quarter_of_all_connectors_is_high(depot):
    for station in ("CP-1", "CP-2"):
        depot.connect(station, moment())
    depot.lose("CP-1", moment(1))
    depot.decide(moment(2))
    assert depot.last.severity == "medium"
    depot.lose("CP-2", moment(3))
    depot.decide(moment(4))
    assert {m.body.subject: m.body.severity for m in depot.written} == {"CP-1": "high", "CP-2": "high"}


def test_a_vehicle_that_is_not_plugged_in_or_stands_elsewhere_is_not_touched(depot):
    depot.connect("CP-1", moment())
    depot.park("BUS-1", "CP-1", plugged=False)
    depot.park("BUS-2", "CP-2")
    depot.vehicles[("CP-1", 2)] = "BUS-3"
    for vehicle in ("BUS-1", "BUS-2", "BUS-3"):
        depot.assess(vehicle, moment(60), "at_risk", moment())
    depot.lose("CP-1", moment(1))
    depot.decide(moment(2))
    assert (depot.last.severity, depot.last.departures) == ("medium", ())


def test_a_refused_limit_is_an_incident_at_once_until_the_next_confirmation(depot):
    depot.wish("CP-1", moment(), "w1")
    depot.step(CommandRejected, "CP-1", moment(1), "w1")
    assert depot.decide(moment(1)) == [("opened", "profile_refused", "CP-1")]
    told = {"station": "CP-1", "since": moment(1).isoformat(), "why": "because", "ceiling_kw": 90.0}
    assert depot.last.params == told
    assert depot.last.severity == "high"
    assert depot.decide(moment(30)) == []
    depot.step(CommandConfirmed, "CP-1", moment(31), "w1")
    assert depot.decide(moment(33)) == [("resolved", "profile_refused", "CP-1")]


def test_a_limit_that_is_not_obeyed_is_an_incident_until_it_is(depot):
    depot.step(CommandMismatched, "CP-1", moment(1), "w1")
    assert depot.decide(moment(1)) == [("opened", "limit_not_obeyed", "CP-1")]
    depot.step(CommandConfirmed, "CP-1", moment(2), "w1")
    assert depot.decide(moment(4)) == [("resolved", "limit_not_obeyed", "CP-1")]


def test_a_limit_that_is_not_obeyed_says_how_much_of_how_much(depot):
    body = CommandMismatched(wish="w", reason="measured_above_wish", shown_kw=90.0, allowed_kw=60.0)
    depot.fact(body, moment(1), station="CP-1")
    depot.decide(moment(1))
    text = sentence(depot.last.kind, depot.last.params, zone="UTC")
    assert "since 00:01: 90\u00a0kW of 60\u00a0kW." in text


def test_a_wish_without_confirmation_is_an_incident_after_the_policys_time(depot):
    depot.wish("CP-1", moment(), "w1")
    assert depot.due(moment()) == moment(1)
    depot.wish("CP-1", moment(0, 40), "w2")
    assert depot.decide(moment(1) - INSTANT) == []
    assert depot.decide(moment(1)) == [("opened", "command_not_confirmed", "CP-1")]
    assert depot.last.params["since"] == moment().isoformat()
    assert depot.written[-1].causes == ("w1",)
    depot.step(CommandConfirmed, "CP-1", moment(5), "w1")
    assert depot.decide(moment(8)) == []
    confirmed = depot.step(CommandConfirmed, "CP-1", moment(9), "w2")
    assert depot.decide(moment(11)) == [("resolved", "command_not_confirmed", "CP-1")]
    assert depot.written[-1].causes == (depot.written[0].id, confirmed.id)


def test_a_station_that_is_not_connected_is_not_waited_for_and_gets_its_time_when_it_is_back(depot):
    depot.connect("CP-1", moment())
    depot.lose("CP-1", moment(1))
    depot.wish("CP-1", moment(2), "w1")
    assert [w[1] for w in depot.decide(moment(20))] == ["charger_offline"]
    depot.connect("CP-1", moment(30), 2)
    assert depot.decide(moment(31) - INSTANT) == []
    assert depot.decide(moment(31)) == [("opened", "command_not_confirmed", "CP-1")]


def test_a_refusal_is_an_answer_and_not_waited_for(depot):
    depot.wish("CP-1", moment(), "w1")
    depot.step(CommandRejected, "CP-1", moment(0, 10), "w1")
    assert [w[1] for w in depot.decide(moment(5))] == ["profile_refused"]


def test_wishes_that_are_each_confirmed_in_time_are_no_incident_however_many(depot):
    for number in range(1, 30):
        depot.wish("CP-1", moment(number), f"w{number}")
        depot.step(CommandConfirmed, "CP-1", moment(number, 20), f"w{number - 1}")
        assert depot.decide(moment(number, 59)) == []
    assert depot.state.facts.orders["CP-1"].pending == (("w29", moment(29)),)


def test_the_oldest_wish_counts_however_many_follow(depot):
    for number in range(40):
        depot.wish("CP-1", moment(number), f"w{number}")
    pending = depot.state.facts.orders["CP-1"].pending
    assert (len(pending), pending[0], pending[-1]) == (16, ("w0", moment(0)), ("w39", moment(39)))


def test_a_repeated_wish_does_not_start_the_wait_again(depot):
    depot.wish("CP-1", moment(), "w1")
    depot.step(CommandConfirmed, "CP-1", moment(0, 5), "w1")
    assert depot.state.facts.orders["CP-1"].pending == ()
    depot.wish("CP-1", moment(15), "w2")
    depot.wish("CP-1", moment(15, 30), "w2")
    assert depot.state.facts.orders["CP-1"].pending == (("w2", moment(15)),)


def test_a_faulted_connector_is_an_incident_until_it_says_otherwise(depot):
    depot.fact(ConnectorStatusChanged(status="faulted", error="GroundFailure"), moment(1), station="CP-1", evse=1)
    depot.fact(ConnectorStatusChanged(status="available"), moment(1), station="CP-1", evse=2)
    depot.park("BUS-1", "CP-1", 2)
    depot.assess("BUS-1", moment(60), "at_risk", moment())
    assert depot.decide(moment(1)) == [("opened", "charger_fault", "CP-1/1")]
    assert depot.last.params == {
        "station": "CP-1",
        "bay": "A1",
        "error": "GroundFailure",
        "since": moment(1).isoformat(),
    }
    assert depot.last.departures == () and depot.written[-1].at.evse == 1
    depot.fact(ConnectorStatusChanged(status="faulted"), moment(0), station="CP-1", evse=1)
    assert depot.last.params["error"] == "GroundFailure"
    depot.fact(ConnectorStatusChanged(status="available"), moment(3), station="CP-1", evse=1)
    assert depot.decide(moment(5)) == [("resolved", "charger_fault", "CP-1/1")]


def test_a_fault_says_its_makers_words_also_where_they_come_a_moment_later(depot):
    words = "E-42 insulation low"
    depot.fact(ConnectorStatusChanged(status="faulted", error="Other", words=words), moment(1), station="CP-1", evse=1)
    depot.fact(ConnectorStatusChanged(status="faulted"), moment(1), station="CP-2", evse=2)
    depot.decide(moment(1))
    first, second = (m.body for m in depot.written)
    assert "reports a fault at bay A1: Other (E-42 insulation low), since" in sentence(
        first.kind, first.params, zone="UTC"
    )
    assert "words" not in second.params
    told = depot.fact(StationProblemReported(part="Rectifier", words="77 hot"), moment(2), station="CP-2", evse=2)
    assert depot.decide(moment(2)) == [("updated", "charger_fault", "CP-2/2")]
    assert depot.last.params["words"] == "77 hot" and told.id in depot.written[-1].causes
    depot.fact(StationProblemReported(part="Rectifier", words="78 hotter"), moment(3), station="CP-2", evse=2)
    assert depot.decide(moment(3)) == []


def test_what_a_part_said_long_before_or_of_another_bay_is_not_about_this_fault(depot):
    depot.fact(StationProblemReported(part="Fan", words="slow"), moment(-30), station="CP-1")
    depot.fact(StationProblemReported(part="Fan", words="stuck"), moment(1), station="CP-1", evse=2)
    depot.fact(ConnectorStatusChanged(status="faulted"), moment(1), station="CP-1", evse=1)
    depot.decide(moment(1))
    assert "words" not in depot.last.params


def test_a_bay_without_a_name_is_called_by_station_and_evse(depot):
    depot.fact(ConnectorStatusChanged(status="faulted"), moment(1), station="CP-1", evse=2)
    depot.decide(moment(1))
    assert depot.last.params["bay"] == "CP-1/2"


@pytest.mark.parametrize(("by", "kind"), [("none", "unknown_vehicle"), ("conflict", "vehicle_conflict")])
def test_a_stranger_is_an_incident_after_two_minutes(depot, by, kind):
    depot.park(None, "CP-1", since=moment(1))
    body = VehicleIdentified(vehicle=None, by=by, candidates=("BUS-1", "BUS-2"), since="plugged")
    depot.fact(body, moment(1), station="CP-1", evse=1)
    assert depot.decide(moment(3) - INSTANT) == []
    assert depot.decide(moment(3)) == [("opened", kind, "CP-1/1")]
    assert depot.last.params == {"bay": "A1", "since": moment(1).isoformat(), "candidates": ["BUS-1", "BUS-2"]}
    depot.fact(VehicleIdentified(vehicle="BUS-1", by="person", since="plugged"), moment(9), station="CP-1", evse=1)
    assert depot.decide(moment(10)) == []
    assert depot.decide(moment(11)) == [("resolved", kind, "CP-1/1")]


def test_the_word_about_an_earlier_plug_in_says_nothing_about_this_one(depot):
    depot.park(None, "CP-1", since=moment(1))
    depot.fact(VehicleIdentified(vehicle=None, by="none", since="an earlier one"), moment(1), station="CP-1", evse=1)
    assert depot.decide(moment(30)) == []


def test_a_stranger_that_left_is_over(depot):
    depot.park(None, "CP-1", since=moment(1))
    depot.fact(VehicleIdentified(vehicle=None, by="none", since="plugged"), moment(1), station="CP-1", evse=1)
    depot.decide(moment(3))
    depot.park(None, "CP-1", since=moment(1), plugged=False)
    assert depot.decide(moment(20)) == [("resolved", "unknown_vehicle", "CP-1/1")]


def test_where_all_is_well_nothing_is_due(depot):
    depot.connect("CP-1", moment())
    depot.wish("CP-1", moment(), "w1")
    depot.step(CommandConfirmed, "CP-1", moment(), "w1")
    assert depot.due(moment()) is None


def test_a_departure_whose_time_has_passed_leaves_the_next_one_to_be_touched(depot):
    depot.connect("CP-1", moment())
    depot.park("BUS-1", "CP-1")
    depot.assess("BUS-1", moment(5), "missed", moment(5))
    depot.assess("BUS-1", moment(600), "on_track", moment())
    depot.lose("CP-1", moment(10))
    depot.decide(moment(11))
    offline = next(m.body for m in depot.written if m.body.kind == "charger_offline")
    assert offline.severity == "medium"


@pytest.mark.parametrize("kind", [Condition, World, Facts, Link, Order, Watch, Open, IncidentsState])
def test_states_are_never_changed_in_place(kind):
    assert kind.__dataclass_params__.frozen and "__slots__" in vars(kind)


def test_a_connection_of_the_same_moment_as_the_loss_is_the_newer_one(depot):
    depot.connect("CP-1", moment())
    depot.lose("CP-1", moment(5))
    depot.connect("CP-1", moment(5), 2)
    assert depot.state.facts.links["CP-1"].up


def test_a_clock_that_is_behind_does_not_hide_that_a_station_is_back(depot):
    depot.connect("CP-1", moment())
    depot.lose("CP-1", moment(5))
    body = StationConnected(version="ocpp2.0.1", gateway="other", epoch=1, connection=1)
    depot.fact(body, moment(4), station="CP-1")
    assert depot.state.facts.links["CP-1"].up
    depot.connect("CP-1", moment(6), 2)
    assert depot.state.facts.links["CP-1"].gateway == "gw"


def test_an_older_connection_of_the_same_gateway_is_a_repeat(depot):
    depot.connect("CP-1", moment(5), 2)
    depot.connect("CP-1", moment(9), 1)
    assert depot.state.facts.links["CP-1"].connection == 2


def test_a_free_connector_does_not_end_the_fault_of_the_other_one(depot):
    depot.fact(ConnectorStatusChanged(status="faulted"), moment(1), station="CP-1", evse=1, connector=1)
    depot.fact(ConnectorStatusChanged(status="available"), moment(2), station="CP-1", evse=1, connector=2)
    assert depot.decide(moment(2)) == [("opened", "charger_fault", "CP-1/1")]
    assert depot.decide(moment(9)) == []
    depot.fact(ConnectorStatusChanged(status="available"), moment(10), station="CP-1", evse=1, connector=1)
    assert depot.decide(moment(12)) == [("resolved", "charger_fault", "CP-1/1")]


def test_a_clock_that_is_off_is_one_incident_until_it_is_right(depot):
    depot.fact(StationClockMeasured(skew_s=-299), moment(), station="CP-2")
    depot.fact(StationClockMeasured(skew_s=-7200), moment(1), station="CP-1")
    assert depot.decide(moment(1)) == [("opened", "clock_skew", "CP-1")]
    text = sentence("clock_skew", depot.last.params, zone="UTC")
    assert text.startswith("The clock of CP-1 is 2\u00a0h\u00a000\u00a0min behind:")
    depot.fact(StationClockMeasured(skew_s=3600), moment(30), station="CP-1")
    assert depot.decide(moment(30)) == [("updated", "clock_skew", "CP-1")]
    assert depot.last.params["way"] == "ahead"
    depot.fact(StationClockMeasured(skew_s=2), moment(60), station="CP-1")
    assert depot.decide(moment(61)) == []
    assert depot.decide(moment(62)) == [("resolved", "clock_skew", "CP-1")]


def test_a_connector_that_nobody_declared_is_an_incident_until_the_configuration_knows_it(depot):
    for evse in (1, 2, 3):
        depot.fact(ConnectorStatusChanged(status="available"), moment(), station="CP-1", evse=evse)
    depot.fact(ConnectorStatusChanged(status="available"), moment(), station="CP-1")
    depot.fact(ConnectorStatusChanged(status="available"), moment(), station="ADMITTED-BY-HAND", evse=7)
    assert depot.decide(moment()) == [("opened", "connector_undeclared", "CP-1/3")]
    depot.fact(ConnectorStatusChanged(status="occupied"), moment(1), station="CP-1", evse=3)
    assert depot.decide(moment(1)) == []
    first, *others = CONFIG.stations
    more = first.model_copy(update={"connectors": (*first.connectors, Connector(evse=3, max_kw=90))})
    depot.config = CONFIG.model_copy(update={"stations": (more, *others)})
    depot.fact(SiteConfigured(digest="e", config=depot.config), moment(2), "new")
    assert depot.decide(moment(2)) == [("resolved", "connector_undeclared", "CP-1/3")]
    assert "new" in depot.written[-1].causes


def test_an_undeclared_evse_with_two_connectors_is_one_incident_and_a_station_that_names_any_number_has_few(depot):
    for connector in (2, 1):
        depot.fact(ConnectorStatusChanged(status="available"), moment(), station="CP-1", evse=3, connector=connector)
    assert depot.decide(moment()) == [("opened", "connector_undeclared", "CP-1/3")]
    for evse in range(100, 200):
        depot.fact(ConnectorStatusChanged(status="available"), moment(1), station="CP-2", evse=evse)
    assert [subject for _, _, subject in depot.decide(moment(1))] == [f"CP-2/{evse}" for evse in range(100, 108)]


def test_of_two_connectors_that_fail_at_once_the_first_one_says_why(depot):
    for evse, order in ((1, (1, 2)), (2, (2, 1))):
        for connector in order:
            fault = ConnectorStatusChanged(status="faulted", error=f"of {connector}")
            depot.fact(fault, moment(1), station="CP-1", evse=evse, connector=connector)
    depot.decide(moment(1))
    assert [m.body.params["error"] for m in depot.written] == ["of 1", "of 1"]


def test_a_station_that_is_not_declared_any_more_has_no_incidents(depot):
    depot.connect("CP-1", moment())
    depot.connect("CP-2", moment())
    depot.fact(StationClockMeasured(skew_s=-7200), moment(1), station="CP-1")
    depot.fact(ConnectorStatusChanged(status="faulted"), moment(1), station="CP-1", evse=1)
    depot.lose("CP-1", moment(1))
    depot.lose("CP-2", moment(1, 30))
    mine = [("charger_fault", "CP-1/1"), ("charger_offline", "CP-1"), ("clock_skew", "CP-1")]
    assert [row[1:] for row in depot.decide(moment(3))] == [*mine[:2], ("charger_offline", "CP-2"), mine[2]]
    depot.config = CONFIG.model_copy(update={"stations": CONFIG.stations[1:]})
    depot.fact(SiteConfigured(digest="e", config=depot.config), moment(4), "new")
    assert [row for row in depot.decide(moment(4)) if row[0] == "resolved"] == [("resolved", *row) for row in mine]
    assert "new" in depot.written[-1].causes
    depot.lose("CP-1", moment(5), number=2)
    assert depot.decide(moment(9)) == []
