"""A configuration that cannot work is refused with the place, the numbers and the next step."""

from __future__ import annotations

from datetime import time
from decimal import Decimal

import pytest

from core.energy_system import Fault, faults
from core.messages.site import (
    Connector,
    Meter,
    Node,
    Reserve,
    Source,
    Station,
    Tariff,
    TariffPeriod,
    Vehicle,
    VehicleType,
)
from tests.core.energy_system.test_topology import site

ONE = (Connector(evse=1, max_kw=60),)
BUS = VehicleType(id="bus", capacity_kwh=300, curve=((0, 150), (0.8, 150), (1, 20)), consumption=((-10, 2), (20, 1.2)))


def where(*found: Fault) -> list[str]:
    return [f.where for f in found]


def station(id: str, **changes: object) -> Station:
    return Station.model_validate({"id": id, "node": "grid", "connectors": ONE, **changes})


def bus(**changes: object) -> VehicleType:
    return VehicleType.model_validate({**BUS.model_dump(), **changes})


def test_a_sound_configuration_has_no_fault() -> None:
    sound = site(
        vehicle_types=(BUS,),
        vehicles=(Vehicle(id="1", type="bus", tokens=("T",)), Vehicle(id="2", type="bus", evccids=("E",))),
        sources=(Source(id="dso", node="grid", fallback_import_kw=72),),
        meters=(Meter(id="m", node="grid"),),
    )
    assert faults(sound) == ()


def test_a_fault_reads_as_one_line_with_the_next_step() -> None:
    assert str(Fault("nodes.a", "wrong", "mend it")) == "nodes.a: wrong; next: mend it"


@pytest.mark.parametrize(
    ("changes", "place", "words"),
    [
        ({"nodes": (Node(id="g", limit_kw=999), Node(id="g", limit_kw=999))}, "nodes.g", "declared twice"),
        ({"stations": (station("A"), station("A"))}, "stations.A", "declared twice"),
        ({"vehicle_types": (BUS, BUS)}, "vehicle_types.bus", "declared twice"),
        ({"vehicle_types": (BUS,), "vehicles": (Vehicle(id="1", type="bus"),) * 2}, "vehicles.1", "declared twice"),
        ({"sources": (Source(id="d", node="grid", fallback_import_kw=500),) * 2}, "sources.d", "declared twice"),
        ({"meters": (Meter(id="m", node="grid"),) * 2}, "meters.m", "declared twice"),
        ({"stations": (station("A", connectors=ONE * 2),)}, "stations.A", "connector 1 of EVSE 1"),
        ({"stations": (station("A", connectors=()),)}, "stations.A", "no connector"),
        ({"stations": (station("A", node="attic"),)}, "stations.A", "'attic'"),
        ({"sources": (Source(id="d", node="attic", fallback_import_kw=500),)}, "sources.d", "'attic'"),
        ({"meters": (Meter(id="m", node="attic"),)}, "meters.m", "'attic'"),
        ({"vehicles": (Vehicle(id="1", type="tram"),)}, "vehicles.1", "'tram'"),
        ({"zone": "Europe/Nowhere"}, "zone", "Europe/Nowhere"),
        ({"zone": "../etc"}, "zone", "not a time zone"),
        ({"tariff": Tariff(periods=())}, "tariff.periods", "missing"),
        ({"building": (Reserve(begins=time(1, 30), kw=1),)}, "building", "01:30"),
        ({"building": (Reserve(begins=time(0), kw=1), Reserve(begins=time(0), kw=2))}, "building", "rising"),
        ({"vehicle_types": (bus(curve=()),)}, "vehicle_types.bus.curve", "no point"),
        ({"vehicle_types": (bus(curve=((0.5, 1), (0.5, 2))),)}, "vehicle_types.bus.curve", "not rise"),
        ({"vehicle_types": (bus(consumption=()),)}, "vehicle_types.bus.consumption", "no point"),
        ({"vehicle_types": (bus(consumption=((9, 1), (3, 1))),)}, "vehicle_types.bus.consumption", "not rise"),
        ({"vehicle_types": (bus(consumption=((9, 0),)),)}, "vehicle_types.bus.consumption", "above 0"),
        ({"vehicle_types": (bus(capacity_kwh=0),)}, "vehicle_types.bus.capacity_kwh", "0 kWh"),
        ({"vehicle_types": (bus(soc_floor=0.5, soc_ceiling=0.5),)}, "vehicle_types.bus", "floor"),
        ({"stations": (station("A", safe_kw=61),)}, "stations.A", "61"),
    ],
)
def test_what_cannot_work_is_named_where_it_stands(changes: dict[str, object], place: str, words: str) -> None:
    found = [f for f in faults(site(**changes)) if f.where == place and words in f.what]
    assert len(found) == 1
    assert found[0].next


def test_two_roots_are_refused_and_named() -> None:
    (fault, *_) = faults(site(nodes=(Node(id="grid", limit_kw=1), Node(id="feeder", limit_kw=1)), stations=()))
    assert fault.where == "nodes"
    assert "2 nodes have no parent (grid, feeder)" in fault.what


def test_no_root_at_all_is_refused() -> None:
    circle = (Node(id="a", parent="b", limit_kw=1), Node(id="b", parent="a", limit_kw=1))
    found = faults(site(nodes=circle, stations=()))
    assert where(*found) == ["nodes", "nodes.a", "nodes.b"]
    assert "0 nodes have no parent (none)" in found[0].what
    assert "a > b > a" in found[1].what


def test_a_parent_that_nobody_declared_is_refused() -> None:
    nodes = (Node(id="grid", limit_kw=999), Node(id="x", parent="y", limit_kw=1))
    found = faults(site(nodes=nodes, stations=()))
    assert where(*found) == ["nodes.x"]
    assert "'y'" in found[0].what


def test_two_vehicles_must_not_share_a_token_but_one_may_name_it_twice() -> None:
    one = Vehicle(id="1", type="bus", tokens=("T", "T"), evccids=("E",))
    assert faults(site(vehicle_types=(BUS,), vehicles=(one,))) == ()
    shared = faults(site(vehicle_types=(BUS,), vehicles=(one, Vehicle(id="2", type="bus", tokens=("T",)))))
    assert ["'T' in tokens" in f.what for f in shared] == [True]
    shared = faults(site(vehicle_types=(BUS,), vehicles=(one, Vehicle(id="2", type="bus", evccids=("E",)))))
    assert ["'E' in evccids" in f.what for f in shared] == [True]


def test_two_bays_must_not_have_the_same_name_but_two_cables_of_one_may() -> None:
    def named(*evses: int) -> tuple[Station, ...]:
        cables = [Connector(evse=e, connector=i + 1, max_kw=60, name="bay 1") for i, e in enumerate(evses)]
        return (station("A", connectors=tuple(cables)),)

    assert faults(site(stations=named(1, 1))) == ()
    assert ["'bay 1'" in f.what for f in faults(site(stations=named(1, 2)))] == [True]


def test_a_tariff_that_begins_late_and_runs_backwards_has_two_faults() -> None:
    periods = tuple(TariffPeriod(begins=time(h), price_per_kwh=Decimal(1)) for h in (6, 5))
    assert where(*faults(site(tariff=Tariff(periods=periods)))) == ["tariff.periods", "tariff.periods"]


def test_safe_levels_that_do_not_fit_a_node_are_refused_with_the_numbers() -> None:
    nodes = (Node(id="grid", limit_kw=100), Node(id="panel", parent="grid", limit_kw=19))
    stations = tuple(station(s, node="panel", safe_kw=10) for s in "AB")
    (fault,) = faults(site(nodes=nodes, stations=stations))
    assert fault.where == "nodes.panel"
    assert fault.what == "safe levels 20 kW + building reserve 0 kW = 20 kW exceed its rating of 19 kW"
    assert fault.next == "lower safe levels by 1 kW, or raise its rating"


def test_the_largest_building_reserve_counts_at_the_root() -> None:
    nodes = (Node(id="grid", limit_kw=79), Node(id="panel", parent="grid", limit_kw=20))
    stations = tuple(station(s, node="panel", safe_kw=10) for s in "AB")
    (fault,) = faults(site(nodes=nodes, stations=stations))
    assert fault.where == "nodes.grid"
    assert "safe levels 20 kW + building reserve 60 kW = 80 kW" in fault.what


def test_safe_levels_and_reserve_must_fit_every_fallback() -> None:
    sources = (
        Source(id="dso", node="grid", fallback_import_kw=72),
        Source(id="market", node="grid", fallback_import_kw=71.5),
        Source(id="local", node="panel", fallback_import_kw=4),
    )
    found = faults(site(sources=sources))
    assert where(*found) == ["sources.market", "sources.local"]
    assert "exceed its fallback of 71.5 kW" in found[0].what
    assert "building reserve 0 kW" in found[1].what
