"""What pages show, as plain data: filled from the read models by `load`, drawn by `picture` and the templates."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime

from core.messages.incident import Severity
from core.messages.readiness import State

Reading = tuple[datetime, float]
"""When, and how many kW."""


@dataclass(frozen=True, slots=True)
class Span:
    """From `begins` to `ends`, half-open."""

    begins: datetime
    ends: datetime

    def holds(self, moment: datetime) -> bool:
        """Whether the moment lies in it."""
        return self.begins <= moment < self.ends

    def meets(self, begins: datetime, ends: datetime) -> bool:
        """Whether it shares some time with a window."""
        return self.begins < ends and self.ends > begins


@dataclass(frozen=True, slots=True)
class Step(Span):
    """So many kW."""

    kw: float


@dataclass(frozen=True, slots=True)
class Limit(Span):
    """One step of the site's limit, and who set it, in a person's words (`grid operator, by OSCP`)."""

    kw: float
    source: str
    fallback: bool = False
    by: str = ""
    """The protocol by which the source said so, by its published name."""
    heard: datetime | None = None
    """When the source said so; for a fallback: its last sign of life."""
    why: str = ""
    """Id of the message it follows from."""


@dataclass(frozen=True, slots=True)
class Gap(Span):
    """A time without measured values, and why; `assumed_kw` is what a silent station counts with."""

    reason: str
    assumed_kw: float | None = None


@dataclass(frozen=True, slots=True)
class Departure:
    """One departure as the board shows it; charges are fractions, None is unknown."""

    vehicle: str
    departs: datetime
    state: State
    soc_goal: float
    soc: float | None = None
    soc_expected: float | None = None
    """At the departure, by plan; of a departed vehicle: what it left with."""
    final: bool = False
    block: str = ""
    bay: str = ""
    since: datetime | None = None
    """When it came into this state."""
    ready_at: datetime | None = None
    """When the goal is reached; None: not in time, or unknown."""
    left: datetime | None = None
    code: str = ""
    """Of its first reason."""
    sentence: str = ""
    next: str = ""
    why: str = ""

    @property
    def fine(self) -> bool:
        """Nobody has to do anything about it."""
        return self.state in ("met", "on_track")


@dataclass(frozen=True, slots=True)
class NightVehicle:
    """One vehicle's night: where it stood, what it took and what is planned for it, in kW at the plug."""

    departure: Departure
    feeder: str = ""
    stays: tuple[tuple[datetime, datetime], ...] = ()
    measured: tuple[Step, ...] = ()
    planned: tuple[Step, ...] = ()
    gaps: tuple[Gap, ...] = ()


@dataclass(frozen=True, slots=True)
class NightView:
    """A night at a site: both promises, the buses and the limit, on one axis of elapsed time."""

    site: str
    name: str
    zone: str
    day: date
    """The operating day whose evening it begins in."""
    now: datetime
    begins: datetime
    ends: datetime
    limits: tuple[Limit, ...] = ()
    imported: tuple[Step, ...] = ()
    import_planned: tuple[Step, ...] = ()
    building: tuple[Step, ...] = ()
    building_planned: tuple[Step, ...] = ()
    vehicles: tuple[NightVehicle, ...] = ()
    gaps: tuple[Gap, ...] = ()
    """Of the site's own meter."""
    follow: str = ""
    import_kw: float | None = None
    import_at: datetime | None = None
    """When that was measured."""


@dataclass(frozen=True, slots=True)
class Incident:
    """What needs a person, in words; `resolved` is set once positive evidence says that the cause is gone."""

    id: str
    kind: str
    severity: Severity
    subject: str
    sentence: str
    next: str
    opened: datetime
    updated: datetime | None = None
    resolved: datetime | None = None
    departures: tuple[str, ...] = ()
    tried: tuple[str, ...] = ()
    why: str = ""


@dataclass(frozen=True, slots=True)
class NowView:
    """The site at this moment."""

    site: str
    name: str
    zone: str
    now: datetime
    import_kw: float | None = None
    import_at: datetime | None = None
    """When that was measured."""
    limit: Limit | None = None
    departures: tuple[Departure, ...] = ()
    incidents: tuple[Incident, ...] = ()
    follow: str = ""
    parts: tuple[tuple[str, str], ...] = ()
    """What is set up, for an empty page: (what, how many)."""


@dataclass(frozen=True, slots=True)
class VehicleRow:
    """Where a bus is, how full, and how old that reading is."""

    vehicle: str
    type: str = ""
    bay: str = ""
    by: str = ""
    """How it is known that it stands there (`token`, `person`)."""
    soc: float | None = None
    soc_at: datetime | None = None
    stale: bool = False
    kw: float | None = None
    departure: Departure | None = None


@dataclass(frozen=True, slots=True)
class Row:
    """One line of a list of values: what, value, where it comes from, when it was measured, its why."""

    name: str
    value: str
    source: str = ""
    at: datetime | None = None
    why: str = ""


@dataclass(frozen=True, slots=True)
class Charge:
    """A state of charge at a moment."""

    at: datetime
    soc: float


@dataclass(frozen=True, slots=True)
class SessionRow:
    """One charging transaction."""

    id: str
    station: str
    begins: datetime
    ends: datetime | None = None
    energy_kwh: float | None = None
    cost: str = ""


@dataclass(frozen=True, slots=True)
class Statement:
    """What one owner says of a session: whose decision it is, in words, when, and the message that says so."""

    owner: str
    text: str
    at: datetime | None
    why: str
    page: str = ""
    """A page of the site that shows more."""


@dataclass(frozen=True, slots=True)
class SessionView:
    """One charging session, and everybody who speaks of it by its id."""

    site: str
    zone: str
    now: datetime
    session: str
    station: str
    vehicle: str
    begins: datetime
    ends: datetime | None
    energy_kwh: float | None
    soc_start: float | None
    soc: float | None
    statements: tuple[Statement, ...]


@dataclass(frozen=True, slots=True)
class VehicleView:
    """One bus: will it leave charged, and why (not)."""

    site: str
    zone: str
    now: datetime
    row: VehicleRow
    begins: datetime
    ends: datetime
    needed_kwh: float | None = None
    asked_kw: float | None = None
    inputs: tuple[Row, ...] = ()
    changes: tuple[Row, ...] = ()
    charge: tuple[Charge, ...] = ()
    charge_planned: tuple[Charge, ...] = ()
    asked: tuple[Step, ...] = ()
    taken: tuple[Step, ...] = ()
    sessions: tuple[SessionRow, ...] = ()
    incidents: tuple[Incident, ...] = ()
    """Open ones of this bus that its departure does not tell already."""


@dataclass(frozen=True, slots=True)
class ConnectorRow:
    """One connector: what it was told and what it does."""

    station: str
    evse: int
    bay: str = ""
    node: str = ""
    online: bool = False
    since: datetime | None = None
    """Online or silent since."""
    status: str = "unknown"
    vehicle: str | None = None
    by: str = ""
    asked_kw: float | None = None
    kw: float | None = None
    most_kw: float | None = None
    """Its ceiling: the most that it may draw now, by everything that may be in force in it."""
    wish: str = ""
    """What the last wish became."""
    wish_at: datetime | None = None
    last_frame: datetime | None = None
    sentence: str = ""
    next: str = ""
    trouble: bool = False


@dataclass(frozen=True, slots=True)
class Frame:
    """A frame that a station sent or got."""

    id: str
    at: datetime
    direction: str
    subject: str
    text: str


@dataclass(frozen=True, slots=True)
class StationView:
    """One station: what it does, what it was told, what it said."""

    site: str
    zone: str
    now: datetime
    station: str
    connectors: tuple[ConnectorRow, ...]
    frames: tuple[Frame, ...] = ()
    vehicles: tuple[str, ...] = ()
    """Those that may be named in the form."""
    safe_kw: float | None = None
    model: str = ""
    incidents: tuple[Incident, ...] = ()


@dataclass(frozen=True, slots=True)
class WhyNode:
    """One message of a lineage, and what it follows from."""

    id: str
    kind: str
    title: str
    at: datetime
    source: str
    causes: tuple[WhyNode, ...] = ()
    more: int = 0
    """Further causes, only counted."""
    again: bool = False
    """Its causes stand elsewhere in the same tree."""
    raw: str = ""
    """Of evidence: how the frame begins."""


@dataclass(frozen=True, slots=True)
class WhyView:
    """Where something comes from, down to the raw frames."""

    asked: str
    zone: str
    now: datetime
    root: WhyNode
    site: str = ""


@dataclass(frozen=True, slots=True)
class SiteLine:
    """A site in one line, for the first page of several."""

    site: str
    name: str
    departures: tuple[Departure, ...] = ()
