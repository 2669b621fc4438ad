"""A small depot for the tests of this folder: one feeder, two panels, buses with a taper, and a tariff."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, time, timedelta
from decimal import Decimal

from core.allocation import Stay
from core.messages.base import Message, compose
from core.messages.envelope import EnvelopeSegment
from core.messages.requirement import RequirementComputed
from core.messages.site import (
    Connector,
    Node,
    Policies,
    Reserve,
    SiteConfig,
    Station,
    Tariff,
    TariffPeriod,
    Vehicle,
    VehicleType,
)

NOW = datetime(2026, 11, 24, 19, 7, 12, tzinfo=UTC)
DEADLINE = datetime(2026, 11, 25, 5, 15, tzinfo=UTC)
BUS = VehicleType(
    id="bus-12",
    capacity_kwh=350.0,
    curve=((0.0, 150.0), (0.8, 150.0), (1.0, 20.0)),
    consumption=((5.0, 1.3),),
    eta_battery=0.95,
)


def config(
    count: int = 4, *, limit_kw: float = 600.0, policies: Policies | None = None, flat: bool = False
) -> SiteConfig:
    """A site with `count` stations of 150 kW on two panels."""
    cheap = (
        TariffPeriod(begins=time(0), price_per_kwh=Decimal("0.20")),
        TariffPeriod(begins=time(6), price_per_kwh=Decimal("0.30")),
        TariffPeriod(begins=time(22), price_per_kwh=Decimal("0.20")),
    )
    return SiteConfig(
        id="depot",
        zone="Europe/Berlin",
        nodes=(
            Node(id="grid", kind="grid_connection", limit_kw=limit_kw),
            Node(id="p1", parent="grid", limit_kw=500),
            Node(id="p2", parent="grid", limit_kw=500),
        ),
        stations=tuple(
            Station(id=f"S{i}", node=f"p{i % 2 + 1}", connectors=(Connector(evse=1, max_kw=150),), safe_kw=6.0)
            for i in range(count)
        ),
        vehicle_types=(BUS,),
        vehicles=tuple(Vehicle(id=f"B{i}", type="bus-12") for i in range(count)),
        building=(Reserve(begins=time(0), kw=20), Reserve(begins=time(6), kw=60)),
        tariff=Tariff() if flat else Tariff(periods=cheap),
        policies=policies or Policies(),
    )


def requirement(
    vehicle: str,
    soc: float | None = 0.3,
    goal: float = 0.75,
    deadline: datetime = DEADLINE,
    priority: int = 1,
    departs: datetime | None = None,
) -> Message:
    """What a vehicle needs, as the requirements module writes it."""
    need = None if soc is None else max(0.0, goal - soc) * 350
    body = RequirementComputed(
        vehicle=vehicle,
        works=("w",),
        departs=departs or deadline + timedelta(seconds=300),
        deadline=deadline,
        soc_needed=goal - 0.05,
        soc_target=goal,
        soc_goal=goal,
        capacity_kwh=350.0,
        consumption_kwh=150.0,
        reserve_kwh=20.0,
        soc_now=soc,
        soc_measured=NOW,
        battery_kwh=need,
        plug_kwh=None if need is None else need / 0.95,
        grid_kwh=None if need is None else need / 0.95 / 0.94,
        priority=priority,
    )
    return compose(body, id=f"r-{vehicle}", time=NOW, source="core", site="depot")


def stay(index: int, soc: float | None = 0.3, vehicle: str | None = "") -> Stay:
    """Bus `index` at station `index`."""
    name = f"B{index}" if vehicle == "" else vehicle
    return Stay(f"S{index}", 1, name, NOW - timedelta(minutes=10), 150.0, soc, began=f"plug-{index}")


def segment(node: str, begins: datetime, hours: float, kw: float, source: str = "dso") -> EnvelopeSegment:
    """One window of a node's limit."""
    ends = begins + timedelta(hours=hours)
    return EnvelopeSegment(node=node, begins=begins, ends=ends, import_kw=kw, binding_source=source)


def everybody(count: int, soc: float | None = 0.3, **more: object) -> tuple[Sequence[Message], Sequence[Stay]]:
    """Requirements and stays of `count` buses."""
    return (
        [requirement(f"B{i}", soc, **more) for i in range(count)],
        [stay(i, soc) for i in range(count)],
    )
