"""Who charges, where, when, at what power; what could not be met and why."""

from __future__ import annotations

from typing import ClassVar, Literal

from core.messages.base import Body, Plain, Problem, Utc
from core.messages.site import Fraction, Kw, Kwh, Rule

_LOAD = Problem("smart charging", "load management")


class Step(Plain):
    """From this moment on, so many kW (at the plug), until the next step."""

    at: Utc
    kw: Kw


class CutLimit(Plain):
    """One limit of a min cut: this node was full in these windows with so much energy."""

    node: str
    source: str
    begins: Utc
    ends: Utc
    kwh: Kwh


class Shortage(Plain):
    """Why a vehicle's need cannot be met, in numbers that add up: needed - passed = missing (kWh, all named vehicles together)."""

    vehicles: tuple[str, ...]
    needed_kwh: Kwh
    passed_kwh: Kwh
    missing_kwh: Kwh
    limits: tuple[CutLimit, ...]


class Outcome(Plain):
    """What the plan gives one vehicle."""

    vehicle: str
    met: bool
    needed_kwh: Kwh | None
    planned_kwh: Kwh
    reason: str = ""
    """A code of `core/messages/reasons`; empty where met."""


class AllocationPlanned(Body):
    """A plan was made for a trigger; it ends the trigger also where no assignment changed."""

    TYPE: ClassVar[str] = "allocation.planned"
    PROBLEM: ClassVar[Problem] = _LOAD

    rule: Rule
    triggers: tuple[str, ...]
    inputs: str
    """SHA-256 over all inputs of the plan."""
    slot_s: int
    needed_kwh: Kwh
    planned_kwh: Kwh
    missing_kwh: Kwh
    outcomes: tuple[Outcome, ...]
    shortages: tuple[Shortage, ...] = ()
    proven: bool = True
    """The number of missed departures is proven least."""
    refused: str = ""
    """What the check found wrong with the plan of this site's rule; empty where it was used."""
    kept: bool = False
    """No plan passed the check: the assignments of the last one stay in force."""


class AllocationAssigned(Body):
    """One vehicle's part of a plan, appended when it changed; coordinates name vehicle, station, EVSE."""

    TYPE: ClassVar[str] = "allocation.assigned"
    PROBLEM: ClassVar[Problem] = _LOAD

    plan: str
    """Id of the `allocation.planned` that it belongs to."""
    vehicle: str | None
    steps: tuple[Step, ...]
    """Step function in kW; the last step is 0 or holds until the horizon's end."""
    planned_kwh: Kwh
    needed_kwh: Kwh | None
    soc_at_deadline: Fraction | None = None
    ready_at: Utc | None = None
    """When the plan reaches the goal; None where it does not."""
    outcome: Literal["met", "short", "unknown"]
    reason: str = ""
