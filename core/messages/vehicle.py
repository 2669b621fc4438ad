"""Facts about vehicles: readings with their source and age, and which vehicle stands at which connector."""

from __future__ import annotations

from typing import ClassVar, Literal

from core.messages.base import Body, Message, Problem
from core.messages.site import Fraction

_VEHICLE = Problem("operations & dispatch", "vehicle state")

Evidence = Literal["person", "token", "evccid", "telematics", "plan", "none", "conflict"]


class VehicleRead(Body):
    """A reading that a vehicle or a person gave outside of charging (telematics, dashboard)."""

    TYPE: ClassVar[str] = "vehicle.read"
    PROBLEM: ClassVar[Problem] = _VEHICLE

    soc: Fraction | None = None
    odometer_km: float | None = None
    at_station: str | None = None
    at_evse: int | None = None

    def key(self, message: Message) -> tuple[str, ...]:
        """One per (source, vehicle, measured at)."""
        return (message.source, message.at.vehicle or "", message.time.isoformat())


class VehiclePlaced(Body):
    """A person says which vehicle stands at a connector; holds until unplugged."""

    TYPE: ClassVar[str] = "vehicle.placed"
    PROBLEM: ClassVar[Problem] = _VEHICLE

    who: str
    why: str = ""


class VehicleIdentified(Body):
    """The core's decision which vehicle a plug-in belongs to; coordinates name connector and vehicle (None: unknown)."""

    TYPE: ClassVar[str] = "vehicle.identified"
    PROBLEM: ClassVar[Problem] = _VEHICLE

    vehicle: str | None
    by: Evidence
    candidates: tuple[str, ...] = ()
    since: str = ""
    """The plug-in that it holds for: the id of the message that began it."""
