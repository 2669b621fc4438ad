"""The tree of limits: paths, ratings, the building's reserve by local time."""

from __future__ import annotations

import dataclasses
from datetime import UTC, datetime, time, timedelta

import pytest

from core.energy_system import Topology
from core.messages.site import Connector, Node, Reserve, SiteConfig, Station
from core.messages.station import StationAdmitted


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def site(**changes: object) -> SiteConfig:
    values: dict[str, object] = {
        "id": "depot",
        "zone": "Europe/Berlin",
        "nodes": (
            Node(id="panel", parent="feeder", limit_kw=200),
            Node(id="grid", kind="grid_connection", limit_kw=800),
            Node(id="feeder", parent="grid", limit_kw=400),
            Node(id="other", parent="grid", limit_kw=400),
        ),
        "stations": (
            Station(id="B", node="panel", connectors=(Connector(evse=1, max_kw=90),), safe_kw=5),
            Station(
                id="A",
                node="feeder",
                connectors=(
                    Connector(evse=1, max_kw=60),
                    Connector(evse=1, connector=2, max_kw=40),
                    Connector(evse=2, max_kw=150),
                ),
                safe_kw=7,
            ),
            Station(id="C", connectors=(Connector(evse=1, max_kw=60),), safe_kw=3),
        ),
        "building": (Reserve(begins=time(0), kw=20), Reserve(begins=time(6), kw=60), Reserve(begins=time(22), kw=30)),
    }
    return SiteConfig.model_validate({**values, **changes})


TREE = Topology.of(site())


def test_the_root_is_the_node_without_a_parent() -> None:
    assert TREE.root == "grid"
    assert set(TREE.nodes) == {"grid", "feeder", "panel", "other"}


def test_a_path_leads_from_a_node_up_to_the_root() -> None:
    assert TREE.path("panel") == ("panel", "feeder", "grid")
    assert TREE.path("grid") == ("grid",)


def test_no_node_and_an_unknown_node_have_an_empty_path() -> None:
    assert TREE.path(None) == ()
    assert TREE.path("attic") == ()


def test_a_circle_ends_the_path_instead_of_hanging() -> None:
    circle = Topology.of(site(nodes=(Node(id="a", parent="b", limit_kw=1), Node(id="b", parent="a", limit_kw=1))))
    assert circle.path("a") == ("a", "b")
    assert circle.root == ""


def test_a_node_knows_the_stations_at_it_and_under_it() -> None:
    assert TREE.below("grid") == ("A", "B")
    assert TREE.below("panel") == ("B",)
    assert TREE.below("other") == ()


def test_safe_levels_add_up_below_a_node() -> None:
    assert TREE.safe_kw("grid") == 12
    assert TREE.safe_kw("panel") == 5


def test_an_evse_is_as_strong_as_its_strongest_connector_and_a_station_is_the_sum() -> None:
    assert TREE.rating("A", 1) == 60
    assert TREE.rating("A", 2) == 150
    assert TREE.rating("A") == 210


def test_an_undeclared_evse_counts_as_the_strongest_and_an_unknown_station_as_nothing() -> None:
    assert TREE.rating("A", 7) == 150
    assert TREE.rating("Z", 1) == 0
    assert TREE.rating("Z") == 0


def test_an_admitted_station_is_in_the_tree_but_the_configuration_wins() -> None:
    new = StationAdmitted(station="N", node="other", connectors=(Connector(evse=1, max_kw=22),), safe_kw=2)
    same = StationAdmitted(station="B", node="other", connectors=(Connector(evse=1, max_kw=22),))
    tree = Topology.of(site(), (new, same))
    assert tree.below("other") == ("N",)
    assert tree.rating("N", 1) == 22
    assert tree.safe_kw("other") == 2
    assert tree.stations["B"].node == "panel"


def reserve_over(tree: Topology, begins: datetime, ends: datetime) -> float:
    """The largest step of a half-open window."""
    return max(kw for _, kw in tree.reserve_steps(begins, ends))


def test_the_reserve_follows_the_local_time_of_day() -> None:
    assert TREE.reserve_kw(at("2026-11-25T04:59:59")) == 20
    assert TREE.reserve_kw(at("2026-11-25T05:00")) == 60
    assert TREE.reserve_kw(at("2026-11-25T20:59:59")) == 60
    assert TREE.reserve_kw(at("2026-11-25T21:00")) == 30
    assert TREE.reserve_kw(at("2026-11-25T22:59:59")) == 30
    assert TREE.reserve_kw(at("2026-11-25T23:00")) == 20


def test_no_building_needs_no_reserve() -> None:
    tree = Topology.of(site(building=()))
    assert tree.reserve_kw(at("2026-11-25T12:00")) == 0
    assert reserve_over(tree, at("2026-11-25T12:00"), at("2026-11-26T12:00")) == 0


def test_before_the_first_period_the_last_one_of_the_day_holds() -> None:
    tree = Topology.of(site(building=(Reserve(begins=time(6), kw=1), Reserve(begins=time(20), kw=2))))
    assert tree.reserve_kw(at("2026-11-25T01:00")) == 2


def test_the_reserve_of_a_window_steps_at_the_local_edges() -> None:
    steps = TREE.reserve_steps(at("2026-11-25T20:00"), at("2026-11-26T06:00"))
    assert steps == (
        (at("2026-11-25T20:00"), 60),
        (at("2026-11-25T21:00"), 30),
        (at("2026-11-25T23:00"), 20),
        (at("2026-11-26T05:00"), 60),
    )


def test_the_window_is_half_open() -> None:
    assert reserve_over(TREE, at("2026-11-26T00:00"), at("2026-11-26T05:00")) == 20
    assert reserve_over(TREE, at("2026-11-26T00:00"), at("2026-11-26T05:00:01")) == 60


def test_a_step_without_a_change_is_not_a_step() -> None:
    tree = Topology.of(site(building=(Reserve(begins=time(0), kw=5), Reserve(begins=time(6), kw=5))))
    assert tree.reserve_steps(at("2026-11-25T00:00"), at("2026-11-26T00:00")) == ((at("2026-11-25T00:00"), 5),)


def by_seconds(tree: Topology, begins: datetime, ends: datetime, step: timedelta) -> float:
    moments = [begins + i * step for i in range(int((ends - begins) / step))]
    return max(tree.reserve_kw(m) for m in moments)


def test_the_repeated_hour_of_autumn_is_seen() -> None:
    building = (Reserve(begins=time(0), kw=1), Reserve(begins=time(2), kw=90), Reserve(begins=time(2, 30), kw=5))
    tree = Topology.of(site(building=building))
    begins, ends = at("2026-10-25T00:40"), at("2026-10-25T01:20")
    assert by_seconds(tree, begins, ends, timedelta(minutes=1)) == 90
    assert reserve_over(tree, begins, ends) == 90
    assert tree.reserve_steps(begins, ends) == ((begins, 5), (at("2026-10-25T01:00"), 90))


def test_the_missing_hour_of_spring_is_seen() -> None:
    building = (Reserve(begins=time(0), kw=1), Reserve(begins=time(2, 30), kw=90), Reserve(begins=time(3, 15), kw=5))
    tree = Topology.of(site(building=building))
    begins, ends = at("2026-03-29T00:50"), at("2026-03-29T01:30")
    assert tree.reserve_steps(begins, ends) == (
        (begins, 1),
        (at("2026-03-29T01:00"), 90),
        (at("2026-03-29T01:15"), 5),
    )


def test_a_connector_without_power_counts_as_nothing() -> None:
    weak = Station(id="W", node="grid", connectors=(Connector(evse=1, max_kw=0.5),))
    assert Topology.of(site(stations=(weak,))).rating("W", 1) == 0.5


def test_a_tree_does_not_change_under_its_users() -> None:
    with pytest.raises(dataclasses.FrozenInstanceError):
        TREE.root = "other"  # type: ignore[misc]  # because: that it fails is the test
