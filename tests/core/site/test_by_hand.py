"""What a cap by hand means: refused where it caps nothing, else told with the departures that it costs."""

from __future__ import annotations

from datetime import timedelta

import pytest

from core import allocation as planning
from core.allocation.planner import UnsafePlan
from core.messages.readiness import assessed
from core.messages.site import Connector
from core.messages.station import StationAdmitted, StationLimited
from core.site.by_hand import cap
from core.site.stages.plan import hand_limits
from tests.core.site.depot import START
from tests.core.site.play import Play
from tests.core.site.stories import opened

HOURS = timedelta(hours=1)


def charging(*rows: tuple[str, int, str]) -> Play:
    play = opened()
    play.work([(vehicle, play.now + 8 * HOURS, 150) for _, _, vehicle in rows])
    for station, evse, vehicle in rows:
        play.arrive(station, evse, vehicle=vehicle)
        play.serve(station)
    return play


def codes(play: Play, station: str, kw: float, hours: float = 3) -> list[str]:
    return [said.code for said in cap(play.state, station, kw, play.now + hours * HOURS, play.now).costs]


def test_a_cap_that_stops_a_bus_names_its_departure_with_the_numbers() -> None:
    play = charging(("A", 1, "bus-1"), ("B", 1, "bus-2"))
    ruling = cap(play.state, "A", 0.0, play.now + 8 * HOURS, play.now)
    assert ruling.refused is None
    said = next(s for s in ruling.costs if s.code == "cap_costs")
    assert (said.params["vehicle"], said.params["departs"]) == ("bus-1", START + 8 * HOURS)
    assert said.params["planned_kwh"] == 0
    assert said.params["before_kwh"] == pytest.approx(said.params["needed_kwh"], abs=0.2)
    assert [s.params["vehicle"] for s in ruling.costs if s.code == "cap_costs"] == ["bus-1"]


def test_what_a_bus_does_after_its_next_departure_is_judged_when_that_one_is_over() -> None:
    play = opened()
    play.work([("bus-1", play.now + 8 * HOURS, 20), ("bus-1", play.now + 20 * HOURS, 200)])
    play.arrive("A", 1, vehicle="bus-1", soc=0.5)

    def states() -> list[tuple[str, list[str]]]:
        last = [assessed(message) for _, message in sorted(play.state.readiness.last.items())]
        return [(body.state, [reason.code for reason in body.reasons]) for body in last if body.vehicle == "bus-1"]

    assert states() == [("met", []), ("unknown", ["earlier_departure"])]
    play.wait(8 * 3600)
    play.unplug("A", 1)
    play.wait(3 * 3600)
    play.arrive("A", 1, vehicle="bus-1", soc=0.4)
    (_, (state, why)) = states()
    assert state != "unknown" and "earlier_departure" not in why


def test_a_cap_also_names_whom_it_makes_shorter_than_he_is_anyway() -> None:
    play = opened()
    play.work([("bus-1", play.now + HOURS, 200)])
    play.arrive("A", 1, vehicle="bus-1", soc=0.2)
    play.serve("A")
    ruling = cap(play.state, "A", 20.0, play.now + HOURS, play.now)
    (said,) = [s for s in ruling.costs if s.code == "cap_costs"]
    assert said.params["planned_kwh"] < said.params["before_kwh"] < said.params["needed_kwh"]
    assert codes(play, "A", 150.0) == []


def test_a_cap_that_leaves_enough_costs_nothing() -> None:
    play = charging(("A", 1, "bus-1"))
    assert codes(play, "A", 60.0) == []
    assert codes(play, "A", 0.0, hours=0.25) == ["cap_below_safe"]


def test_asking_what_a_cap_costs_changes_nothing() -> None:
    play = charging(("A", 1, "bus-1"))
    before = play.state
    cap(play.state, "A", 0.0, play.now + HOURS, play.now)
    assert play.state is before
    assert play.settle() == []


def test_a_cap_below_the_safe_level_says_what_silence_lets_flow() -> None:
    play = opened()
    assert play.state.topology is not None
    safe = play.state.topology.stations["A"].safe_kw
    said = cap(play.state, "A", safe / 2, play.now + HOURS, play.now).costs[-1]
    assert (said.code, said.params["safe_kw"]) == ("cap_below_safe", safe)
    assert codes(play, "A", safe) == []


def test_above_the_rating_of_all_its_outlets_a_cap_caps_nothing() -> None:
    play = opened()
    assert play.state.topology is not None
    rating = sum(play.state.topology.rating("C", evse) for evse in (1, 2))
    refused = cap(play.state, "C", rating + 0.1, play.now + HOURS, play.now).refused
    assert refused is not None
    assert (refused.code, refused.params["limit_kw"]) == ("cap_above_rating", rating)
    assert cap(play.state, "C", rating, play.now + HOURS, play.now).refused is None


def test_a_station_without_a_place_in_the_tree_has_nothing_to_cap() -> None:
    play = opened()
    body = StationAdmitted(station="N", node=None, connectors=(Connector(evse=1, max_kw=60),), who="anna")
    play.tell(body, station="N")
    for station in ("N", "nowhere"):
        refused = cap(play.state, station, 5.0, play.now + HOURS, play.now).refused
        assert refused is not None
        assert refused.code == "station_not_placed"


def test_the_plan_shares_a_cap_among_a_stations_outlets_as_its_wishes_do() -> None:
    play = opened()
    play.tell(StationLimited(kw=40, who="anna"), station="C")
    assert hand_limits(play.state, play.now) == {"C": (20.0, None)}


def test_where_no_plan_passes_its_check_nothing_is_said_about_departures(monkeypatch: pytest.MonkeyPatch) -> None:
    def make(problem: object, rule: str = "plan") -> None:
        raise UnsafePlan("p1 carries 3 kWh too much in slot 4")

    play = charging(("A", 1, "bus-1"))
    monkeypatch.setattr(planning, "make", make)
    assert codes(play, "A", 0.0) == ["cap_below_safe"]
