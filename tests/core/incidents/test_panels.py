"""Chargers that fall silent together are one incident of their node, and single ones where they did not."""

import pytest

from tests.core.incidents.world import Depot, moment

PANEL = ("CP-1", "CP-2", "CP-3")


@pytest.fixture
def depot():
    made = Depot()
    for station in (*PANEL, "CP-4"):
        made.connect(station, moment(-30))
    return made


def lose(depot, *losses):
    for station, seconds in losses:
        depot.lose(station, moment(0, seconds))


def test_a_panel_that_loses_all_its_chargers_at_once_is_one_incident_after_a_minute(depot):
    lose(depot, ("CP-1", 0), ("CP-2", 4), ("CP-3", 10))
    assert depot.decide(moment(0, 59)) == []
    assert depot.due(moment(0, 59)) == moment(1)
    assert depot.decide(moment(1)) == [("opened", "panel_lost", "panel")]
    assert depot.last.params == {"node": "panel", "count": 3, "since": moment().isoformat()}
    assert depot.last.severity == "critical"
    assert depot.written[-1].at.node == "panel" and len(depot.written[-1].causes) == 3
    assert depot.decide(moment(30)) == []


def test_what_falls_silent_one_after_the_other_has_causes_of_its_own(depot):
    lose(depot, ("CP-1", 0), ("CP-2", 11), ("CP-3", 22))
    assert depot.decide(moment(2)) == [("opened", "charger_offline", name) for name in PANEL]


def test_a_panel_of_which_one_charger_is_still_heard_is_not_lost(depot):
    lose(depot, ("CP-1", 0), ("CP-2", 0))
    assert depot.decide(moment(2)) == [("opened", "charger_offline", name) for name in ("CP-1", "CP-2")]


def test_the_topmost_node_that_lost_all_is_named(depot):
    lose(depot, *((name, 0) for name in (*PANEL, "CP-4")))
    assert depot.decide(moment(2)) == [("opened", "panel_lost", "grid")]
    assert depot.last.params["count"] == 4


def test_a_charger_that_was_silent_before_keeps_its_own_incident(depot):
    lose(depot, ("CP-1", 0))
    assert depot.decide(moment(1)) == [("opened", "charger_offline", "CP-1")]
    lose(depot, ("CP-2", 600), ("CP-3", 601))
    assert ("opened", "panel_lost", "panel") in depot.decide(moment(11))
    assert depot.last.params["count"] == 2
    depot.connect("CP-2", moment(20), 2)
    assert ("resolved", "charger_offline", "CP-1") not in depot.decide(moment(25))
    assert ("charger_offline", "CP-1") in depot.state.open


def test_chargers_that_come_back_one_by_one_end_it_and_are_no_incidents_of_their_own(depot):
    lose(depot, *((name, 0) for name in PANEL))
    depot.decide(moment(1))
    for number, station in enumerate(PANEL):
        depot.connect(station, moment(10, 30 * number), 2)
        assert depot.decide(moment(10, 30 * number)) == []
    assert depot.decide(moment(13)) == [("resolved", "panel_lost", "panel")]
    assert depot.decide(moment(20)) == []


def test_a_charger_that_does_not_come_back_with_its_panel_is_an_incident_then(depot):
    lose(depot, *((name, 0) for name in PANEL))
    depot.decide(moment(1))
    depot.connect("CP-1", moment(10), 2)
    depot.connect("CP-2", moment(10), 2)
    assert depot.decide(moment(10)) == []
    assert depot.decide(moment(12)) == [("resolved", "panel_lost", "panel")]
    assert depot.decide(moment(12)) == [("opened", "charger_offline", "CP-3")]


def open_ones(depot):
    return sorted(depot.state.open)


def test_a_panel_whose_chargers_come_back_for_a_moment_stays_one_incident_of_all_of_them(depot):
    lose(depot, *((name, 0) for name in PANEL))
    depot.decide(moment(1))
    for station in ("CP-1", "CP-2"):
        depot.connect(station, moment(10), 2)
    assert depot.decide(moment(10)) == []
    depot.lose("CP-1", moment(10, 20), 2)
    depot.lose("CP-2", moment(10, 45), 2)
    for minute in (11, 12, 13, 30):
        assert depot.decide(moment(minute, 50)) == []
    assert open_ones(depot) == [("panel_lost", "panel")]
    for station in PANEL:
        depot.connect(station, moment(40), 3)
    assert depot.decide(moment(42)) == [("resolved", "panel_lost", "panel")]
    assert depot.decide(moment(50)) == []


def test_a_charger_whose_silence_goes_on_as_that_of_its_panel_is_an_incident_of_the_panel_alone(depot):
    depot.lose("CP-1", moment(-10))
    assert depot.decide(moment(-9)) == [("opened", "charger_offline", "CP-1")]
    depot.connect("CP-1", moment(0, -30), 2)
    depot.lose("CP-1", moment(), 2)
    lose(depot, ("CP-2", 1), ("CP-3", 2))
    assert depot.decide(moment(1)) == [("opened", "panel_lost", "panel")]
    assert depot.last.params["count"] == 3
    assert depot.decide(moment(2)) == [("resolved", "charger_offline", "CP-1")]
    assert depot.decide(moment(9)) == []
    assert open_ones(depot) == [("panel_lost", "panel")]


def test_a_lost_panel_touches_the_departures_of_all_its_chargers(depot):
    for number, station in enumerate(PANEL):
        depot.park(f"BUS-{number}", station)
        depot.assess(f"BUS-{number}", moment(300), "on_track", moment())
    lose(depot, *((name, 0) for name in PANEL))
    depot.decide(moment(1))
    assert depot.last.departures == ("BUS-0", "BUS-1", "BUS-2")


def test_one_charger_alone_on_its_node_is_no_panel():
    alone = Depot()
    alone.connect("CP-4", moment(-1))
    alone.lose("CP-4", moment())
    assert alone.decide(moment(1)) == [("opened", "charger_offline", "CP-4")]
