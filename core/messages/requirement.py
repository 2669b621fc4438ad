"""What a vehicle needs for its work, with every input it was computed from."""

from __future__ import annotations

from typing import ClassVar

from core.messages.base import Body, Plain, Problem, Utc
from core.messages.site import Fraction, Kwh

TOLERANCE = 0.005
"""Measuring tolerance of a state of charge: the goal less this is met."""
_DISPATCH = Problem("operations & dispatch", "dispatch & scheduling")


class Input(Plain):
    """One input of a requirement: its value, unit, where it came from and when it was measured."""

    name: str
    value: float | str | None
    unit: str = ""
    source: str = ""
    measured: Utc | None = None


class RequirementComputed(Body):
    """Energy for one vehicle and one departure (or several blocks without a stay between them). SoC unknown: e_* is None."""

    TYPE: ClassVar[str] = "requirement.computed"
    PROBLEM: ClassVar[Problem] = _DISPATCH

    vehicle: str
    works: tuple[str, ...]
    """In order; empty where the site's default stands in for unknown work."""
    departs: Utc
    """The planned departure."""
    deadline: Utc
    """Be ready by: departure less the unplug lead."""
    soc_needed: float
    """Floor plus consumption without margin and reserve: below it the departure is missed."""
    soc_target: float
    """Uncapped: above the ceiling is a fact about the work, not an error."""
    soc_goal: Fraction
    shortfall_kwh: Kwh = 0.0
    capacity_kwh: Kwh
    """Usable today: net capacity times state of health."""
    consumption_kwh: Kwh
    reserve_kwh: Kwh
    soc_now: Fraction | None
    soc_measured: Utc | None
    battery_kwh: Kwh | None
    """Into the battery."""
    plug_kwh: Kwh | None
    """At the plug."""
    grid_kwh: Kwh | None
    """At the grid meter."""
    priority: int = 1
    reason: str = ""
    """A code of `core/messages/reasons` where a default or an override stands in (`default_work`, `block_exceeds_battery`)."""
    inputs: tuple[Input, ...] = ()


class RequirementWithdrawn(Body):
    """The departure is over or its work is gone; nothing is needed for it any more."""

    TYPE: ClassVar[str] = "requirement.withdrawn"
    PROBLEM: ClassVar[Problem] = _DISPATCH

    vehicle: str
    departs: Utc
    reason: str = ""
