"""Whether a vehicle charges as its plan expects: its state of charge now, against the first reading under that plan."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from core.battery import soc_after
from core.messages import Message
from core.messages.allocation import AllocationAssigned
from core.messages.site import SiteConfig

OFF_PLAN = 0.02
"""A state of charge so far off its plan asks for a new one."""


@dataclass(frozen=True, slots=True)
class Begun:
    """The first reading at a bay under the plan in force."""

    soc: float
    at: datetime


def off_plan(config: SiteConfig, assigned: Message, begun: Begun, soc: float, at: datetime) -> bool:
    """Whether this reading is not where the steps of the assignment lead from the first one."""
    body = assigned.body
    assert isinstance(body, AllocationAssigned)
    vehicle = next((v for v in config.vehicles if v.id == body.vehicle), None)
    kind = next((t for t in config.vehicle_types if vehicle is not None and t.id == vehicle.type), None)
    if vehicle is None or kind is None or not kind.curve or kind.capacity_kwh <= 0:
        return False
    capacity = kind.capacity_kwh * vehicle.soh
    expected = soc_after(kind.curve, capacity, kind.eta_battery, begun.soc, body.steps, begun.at, at)
    return abs(soc - expected) > OFF_PLAN + 1e-9
