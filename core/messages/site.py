"""The site's configuration as a fact: topology, safe levels, vehicles, sources with fallback, policies, tariffs."""

from __future__ import annotations

from datetime import time
from decimal import Decimal
from typing import Annotated, ClassVar, Literal

from pydantic import Field

from core.messages.base import Body, Message, Plain, Problem

Fraction = Annotated[float, Field(ge=0, le=1)]
Kw = Annotated[float, Field(ge=0, allow_inf_nan=False)]
Kwh = Annotated[float, Field(ge=0, allow_inf_nan=False)]
Rule = Literal["plan", "equal-share", "first-come", "uncontrolled"]


class Node(Plain):
    """One node of the tree of limits: grid connection > feeder > panel. Exactly one node has no parent."""

    id: str
    parent: str | None = None
    kind: Literal["grid_connection", "feeder", "panel"] = "panel"
    limit_kw: Kw
    """The static rating; never exceeded, whatever a signal allows."""


class Connector(Plain):
    """One connector of a station; `name` is what people call the bay."""

    evse: Annotated[int, Field(ge=1)]
    connector: Annotated[int, Field(ge=1)] = 1
    max_kw: Kw
    name: str = ""


class Station(Plain):
    """A charging station: its place in the tree, its connectors, and what it may draw by itself."""

    id: str
    node: str | None = None
    """None: it may connect and is shown, and gets 0 kW."""
    connectors: tuple[Connector, ...]
    safe_kw: Kw = 0.0
    """Per station: drawn after silence, when its last schedule has run out; the sum of all fits every node."""


class VehicleType(Plain):
    """What is known about a type: battery, acceptance, consumption. Curves are (x, y) points, clamped at their ends."""

    id: str
    capacity_kwh: Kwh
    """Usable (net) capacity when new."""
    curve: tuple[tuple[Fraction, Kw], ...]
    """Power accepted at the plug by SoC: ((soc, kW), ...), soc rising."""
    consumption: tuple[tuple[float, float], ...]
    """kWh per km by ambient temperature: ((deg C, kWh/km), ...), temperature rising."""
    standing_kw: Kw = 0.0
    eta_battery: Annotated[float, Field(gt=0, le=1)] = 0.95
    soc_floor: Fraction = 0.10
    soc_ceiling: Fraction = 1.0


class Vehicle(Plain):
    """A vehicle of the fleet; tokens and EVCCIDs are how a charger recognises it."""

    id: str
    type: str
    tokens: tuple[str, ...] = ()
    evccids: tuple[str, ...] = ()
    soh: Annotated[float, Field(gt=0, le=1)] = 1.0
    priority: Annotated[int, Field(ge=0, le=9)] = 1
    """Priority class; 0 is served first."""
    cost_centre: str = "fleet"


class Source(Plain):
    """A source of limits from outside (grid operator, market). It starts in fallback until its first contact."""

    id: str
    node: str
    """The node of the tree that its limits hold for."""
    fallback_import_kw: Kw
    mode_on_stale: Literal["switch_now", "hold_until_exhausted"] = "switch_now"


class Meter(Plain):
    """A meter of the site: the grid meter measures a node's import, a building meter the load beside charging."""

    id: str
    node: str
    measures: Literal["import", "building"] = "import"


class Reserve(Plain):
    """The building's reserve: from this local time of day on, so many kW are kept free at the grid connection."""

    begins: time
    kw: Kw


class TariffPeriod(Plain):
    """From this local time of day on, energy costs so much per kWh."""

    begins: time
    price_per_kwh: Decimal


class Tariff(Plain):
    """A time-of-use tariff: periods over the local day, the first at 00:00."""

    id: str = "flat"
    currency: str = "EUR"
    periods: tuple[TariffPeriod, ...] = (TariffPeriod(begins=time(0), price_per_kwh=Decimal("0.25")),)


class DefaultWork(Plain):
    """What a vehicle with no known work gets: be at this SoC by this local time."""

    ready_by: time = time(5, 0)
    soc: Fraction = 0.9


class Policies(Plain):
    """How this site decides where the facts leave room."""

    rule: Rule = "plan"
    """`allocation.rule`: the plan, or one of the baselines for comparison."""
    energy_margin: Annotated[float, Field(ge=0, le=1)] = 0.10
    reserve_soc: Fraction = 0.05
    reserve_km: Annotated[float, Field(ge=0)] = 0.0
    ambient_c: float = 5.0
    buffer_s: Annotated[int, Field(ge=0)] = 1200
    """Plan to be ready so long before the deadline where the envelope allows it."""
    unplug_lead_s: Annotated[int, Field(ge=0)] = 300
    guard_s: Annotated[int, Field(ge=1)] = 30
    """How long a charger may need to follow a new limit, with clock skew; raises wait so long after reductions."""
    wish_horizon_s: Annotated[int, Field(ge=120)] = 1800
    confirm_within_s: Annotated[int, Field(ge=5)] = 60
    soc_stale_s: Annotated[int, Field(ge=60)] = 900
    unknown_vehicles: Literal["leftover", "deny"] = "leftover"
    remote_start: Literal["own", "never"] = "own"
    """Whether the core asks for the session of a recognised vehicle that is plugged in and waits."""
    unknown_vehicle_kwh: Kwh = 100.0
    default_work: DefaultWork = DefaultWork()
    default_deadrun_km: Annotated[float, Field(ge=0)] = 5.0
    """Allowance for each depot leg that a feed does not state."""
    eta_charger: Annotated[float, Field(gt=0, le=1)] = 0.94
    carbon_kg_per_kwh: Annotated[float, Field(ge=0)] = 0.35


class SiteConfig(Plain):
    """Everything that the core knows about a site's set-up; no secrets, no addresses."""

    id: str
    name: str = ""
    zone: str = "UTC"
    nodes: tuple[Node, ...]
    stations: tuple[Station, ...] = ()
    vehicle_types: tuple[VehicleType, ...] = ()
    vehicles: tuple[Vehicle, ...] = ()
    sources: tuple[Source, ...] = ()
    meters: tuple[Meter, ...] = ()
    building: tuple[Reserve, ...] = ()
    """Empty: no building load. Otherwise periods over the local day, the first at 00:00."""
    tariff: Tariff = Tariff()
    policies: Policies = Policies()


class SiteConfigured(Body):
    """The controller's record of the configuration in force, appended when its digest differs from the folded one."""

    TYPE: ClassVar[str] = "site.configured"
    PROBLEM: ClassVar[Problem] = Problem("energy & cost management", "energy system")

    digest: str
    config: SiteConfig

    def key(self, message: Message) -> tuple[str, ...]:
        """One per content and moment."""
        return (message.site, self.digest, message.time.isoformat())
