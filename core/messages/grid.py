"""Limits from outside in neutral form, contact with their sources, and the site's own meters."""

from __future__ import annotations

from typing import ClassVar, Literal

from core.messages.base import Body, Message, Plain, Problem, Utc
from core.messages.site import Kw

_GRID = Problem("energy & cost management", "advanced energy & grid")


class Segment(Plain):
    """One step of a limit over time, half-open. 0 is a limit; None is "no statement"."""

    begins: Utc
    ends: Utc
    kw: Kw | None


class ConstraintStated(Body):
    """A source states limits for a window: it replaces what that source said for the span it covers, and keeps the rest."""

    TYPE: ClassVar[str] = "constraint.stated"
    PROBLEM: ClassVar[Problem] = _GRID

    source: str
    direction: Literal["import", "export"]
    role: Literal["limit", "fallback", "target"] = "limit"
    """`fallback` holds while the source is stale; `target` never widens a limit."""
    segments: tuple[Segment, ...]
    request: str
    """The source's own request id."""

    def key(self, message: Message) -> tuple[str, ...]:
        """One per (source, request id, direction, role)."""
        return (self.source, self.request, self.direction, self.role)


class SourceContacted(Body):
    """A source gave a sign of life; the header's `fresh_until` says until when it counts as present."""

    TYPE: ClassVar[str] = "source.contacted"
    PROBLEM: ClassVar[Problem] = _GRID

    source: str
    kind: Literal["handshake", "heartbeat"]
    """Only a handshake ends a fallback."""


class SourceStateChanged(Body):
    """The core's decision that a source is current or in fallback."""

    TYPE: ClassVar[str] = "source.state_changed"
    PROBLEM: ClassVar[Problem] = _GRID

    source: str
    state: Literal["current", "fallback"]
    reason: str = ""


class MeterSampled(Body):
    """A reading of a site meter: import and export are two non-negative numbers, never one signed one."""

    TYPE: ClassVar[str] = "meter.sampled"
    PROBLEM: ClassVar[Problem] = Problem("energy & cost management", "energy system")

    measures: Literal["import", "building"]
    import_kw: Kw | None = None
    export_kw: Kw | None = None
    import_kwh: float | None = None
    """The register."""

    def key(self, message: Message) -> tuple[str, ...]:
        """One per (source, meter, measured at)."""
        return (message.source, message.at.meter or "", message.time.isoformat())
