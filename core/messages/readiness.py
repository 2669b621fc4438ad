"""Whether a vehicle will leave charged, and why (not)."""

from __future__ import annotations

from typing import Any, ClassVar, Literal

from pydantic import Field

from core.messages.base import Body, Message, Plain, Problem, Utc
from core.messages.site import Fraction, Kwh

State = Literal["on_track", "at_risk", "unknown", "met", "departed_short", "missed"]


class Reason(Plain):
    """One code of `core/messages/reasons` with the numbers of its sentence."""

    code: str
    params: dict[str, Any] = Field(default_factory=dict)


class ReadinessAssessed(Body):
    """One assessment of (vehicle, departure), appended when it changed; coordinates name vehicle, work, session."""

    TYPE: ClassVar[str] = "readiness.assessed"
    PROBLEM: ClassVar[Problem] = Problem("reporting & insights", "operational dashboards")

    vehicle: str
    departs: Utc
    state: State
    final: bool = False
    """True for the outcome at the departure, which never changes again."""
    reasons: tuple[Reason, ...] = ()
    """The first is primary."""
    soc: Fraction | None = None
    soc_goal: Fraction
    soc_expected: Fraction | None = None
    """At the deadline, by the plan in force."""
    ready_at: Utc | None = None
    slack_s: int | None = None
    short_kwh: Kwh = 0.0


def assessed(message: Message) -> ReadinessAssessed:
    """The body of a `readiness.assessed`."""
    assert isinstance(message.body, ReadinessAssessed)
    return message.body
