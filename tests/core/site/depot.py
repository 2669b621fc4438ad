"""A synthetic depot for whole-site tests: two feeders, three panels, five stations (one with two EVSEs), six buses."""

from __future__ import annotations

from datetime import UTC, datetime, time
from decimal import Decimal
from typing import Any

from core.messages.site import (
    Connector,
    Meter,
    Node,
    Policies,
    Reserve,
    SiteConfig,
    Source,
    Station,
    Tariff,
    TariffPeriod,
    Vehicle,
    VehicleType,
)

START = datetime(2026, 11, 25, 20, 0, 10, tzinfo=UTC)
BAYS = (("A", 1), ("B", 1), ("C", 1), ("C", 2), ("D", 1), ("E", 1))
STATIONS = ("A", "B", "C", "D", "E")
VEHICLES = ("bus-1", "bus-2", "bus-3", "bus-4", "bus-5", "bus-6")


def token(vehicle: str) -> str:
    """The card that goes with a bus."""
    return f"card-{vehicle}"


def site(**policies: Any) -> SiteConfig:
    """The depot; keyword arguments change its policies."""
    return SiteConfig(
        id="depot",
        zone="Europe/Berlin",
        nodes=(
            Node(id="grid", kind="grid_connection", limit_kw=300),
            Node(id="north", parent="grid", kind="feeder", limit_kw=200),
            Node(id="south", parent="grid", kind="feeder", limit_kw=160),
            Node(id="p1", parent="north", limit_kw=150),
            Node(id="p2", parent="north", limit_kw=120),
            Node(id="p3", parent="south", limit_kw=160),
        ),
        stations=(
            _station("A", "p1", 150),
            _station("B", "p1", 90),
            Station(id="C", node="p2", connectors=(_connector(1, 75), _connector(2, 75)), safe_kw=6),
            _station("D", "p3", 150),
            _station("E", "p3", 60),
        ),
        vehicle_types=(
            VehicleType(
                id="solo",
                capacity_kwh=350,
                curve=((0.0, 150.0), (0.8, 150.0), (1.0, 20.0)),
                consumption=((-10.0, 1.9), (20.0, 1.2)),
            ),
        ),
        vehicles=tuple(Vehicle(id=v, type="solo", tokens=(token(v),)) for v in VEHICLES),
        sources=(Source(id="dso", node="grid", fallback_import_kw=120),),
        meters=(Meter(id="M", node="grid"), Meter(id="MB", node="grid", measures="building")),
        building=(Reserve(begins=time(0), kw=20), Reserve(begins=time(6), kw=60)),
        tariff=Tariff(
            periods=(
                TariffPeriod(begins=time(0), price_per_kwh=Decimal("0.20")),
                TariffPeriod(begins=time(6), price_per_kwh=Decimal("0.30")),
            )
        ),
        policies=Policies(**policies),
    )


def _station(name: str, node: str, kw: float) -> Station:
    return Station(id=name, node=node, connectors=(_connector(1, kw),), safe_kw=5)


def _connector(evse: int, kw: float) -> Connector:
    return Connector(evse=evse, max_kw=kw)
