"""Facts about work: blocks as a feed states them, the difference to what was known, and which vehicle runs which block."""

from __future__ import annotations

from datetime import date
from typing import Annotated, ClassVar, Literal

from pydantic import Field

from core.messages.base import Body, Message, Plain, Problem, Utc
from core.messages.site import Fraction

_DEPOT = Problem("operations & dispatch", "depot & integration")

Provenance = Literal["feed", "link_sum", "shape", "stops", "speed", "derived", "unknown"]


class Leg(Plain):
    """One trip of a block, in order; metres may be unknown (None), never 0 for "not stated"."""

    begins: Utc
    ends: Utc
    kind: Literal["service", "deadrun"] = "service"
    line: str = ""
    distance_m: float | None = None
    provenance: Provenance = "unknown"


class Block(Plain):
    """Work as neutral data: one block on one operating day, or one departure by hand."""

    feed: str
    operating_day: date
    block: str
    departs: Utc
    returns: Utc | None = None
    distance_m: float | None = None
    provenance: Provenance = "unknown"
    depot_out: str | None = None
    depot_in: str | None = None
    depot_leg: Literal["stated", "derived", "unknown"] = "stated"
    vehicle_type: str | None = None
    vehicle: str | None = None
    """Only where the feed itself assigns (plain table, a person)."""
    route: str | None = None
    duty: str | None = None
    legs: tuple[Leg, ...] = ()
    energy_kwh: Annotated[float, Field(ge=0)] | None = None
    """Stated by the feed instead of a distance."""
    target_soc: Fraction | None = None
    """Stated by the feed instead of a distance."""

    @property
    def work(self) -> str:
        """The identity of this work across re-imports: feed, operating day and block; never a row number."""
        return f"{self.feed}:{self.operating_day.isoformat()}:{self.block}"


class WorkStated(Body):
    """One block as a feed states it, translated; takes effect when the import's `schedule.received` follows."""

    TYPE: ClassVar[str] = "work.stated"
    PROBLEM: ClassVar[Problem] = _DEPOT

    import_id: str
    block: Block

    def key(self, message: Message) -> tuple[str, ...]:
        """One per (import, work)."""
        return (self.import_id, self.block.work)


class AssignmentStated(Body):
    """One row of an assignment feed: this vehicle runs this block on this operating day (None: nobody any more)."""

    TYPE: ClassVar[str] = "assignment.stated"
    PROBLEM: ClassVar[Problem] = _DEPOT

    import_id: str
    operating_day: date
    block: str
    vehicle: str | None

    def key(self, message: Message) -> tuple[str, ...]:
        """One per (import, operating day, block)."""
        return (self.import_id, self.operating_day.isoformat(), self.block)


class ScheduleReceived(Body):
    """A whole import stands in the journal: its rows precede it and take effect with it."""

    TYPE: ClassVar[str] = "schedule.received"
    PROBLEM: ClassVar[Problem] = _DEPOT

    import_id: str
    feed: str
    format: Literal["vdv452", "table", "assignments", "hand"]
    content: str
    """SHA-256 of the file."""
    covers_from: date | None = None
    covers_until: date | None = None
    """Operating days (inclusive) for which this import is complete: work missing in it is withdrawn. None: it only adds."""
    stated: int = 0
    quarantined: int = 0
    kept: tuple[str, ...] = ()
    """Works whose rows were set aside: they are not withdrawn, what was known about them holds."""
    taken_back: tuple[str, ...] = ()
    """Works that are withdrawn one by one, whatever it covers: a person takes back what a person stated."""
    who: str = ""
    why: str = ""

    def key(self, message: Message) -> tuple[str, ...]:
        """One per import."""
        return (self.import_id,)


class WorkPlanned(Body):
    """The core took work over: new, or changed against an earlier import of the same feed."""

    TYPE: ClassVar[str] = "work.planned"
    PROBLEM: ClassVar[Problem] = _DEPOT

    block: Block
    change: Literal["new", "changed"]
    fields: tuple[str, ...] = ()
    """Which fields changed."""


class WorkWithdrawn(Body):
    """Work that a complete import no longer holds."""

    TYPE: ClassVar[str] = "work.withdrawn"
    PROBLEM: ClassVar[Problem] = _DEPOT


class WorkAssigned(Body):
    """Which vehicle runs a piece of work (None: nobody any more); decided by the dispatch system, never by the hub."""

    TYPE: ClassVar[str] = "work.assigned"
    PROBLEM: ClassVar[Problem] = _DEPOT

    vehicle: str | None


class ScheduleImported(Body):
    """The outcome of an import: counts, and what was refused and why."""

    TYPE: ClassVar[str] = "schedule.imported"
    PROBLEM: ClassVar[Problem] = _DEPOT

    import_id: str
    feed: str
    new: int = 0
    changed: int = 0
    unchanged: int = 0
    withdrawn: int = 0
    assigned: int = 0
    quarantined: int = 0
    refused: tuple[tuple[str, str], ...] = ()
    """(row, reason) of rows that the core refused: an unknown vehicle, a departure in the past; at most 100."""
    refused_count: int = 0
    """All of them, also beyond the 100."""
    over: int = 0
    """Departures of a calendar (VDV 452) that were over when it came first: passed over, there is nothing to correct."""

    def key(self, message: Message) -> tuple[str, ...]:
        """One per import."""
        return (self.import_id,)
