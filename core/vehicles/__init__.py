"""What is known about each vehicle: readings with source and age, and which one stands at which connector."""

from core.vehicles.charge import UNPLUGGED_AFTER, soc, soc_at
from core.vehicles.identity import Answer, at_plug, decide, identify, next_deadline, vehicle_at
from core.vehicles.state import Identified, Placement, Position, Reading, VehiclesState, fold

__all__ = [
    "UNPLUGGED_AFTER",
    "Answer",
    "Identified",
    "Placement",
    "Position",
    "Reading",
    "VehiclesState",
    "at_plug",
    "decide",
    "fold",
    "identify",
    "next_deadline",
    "soc",
    "soc_at",
    "vehicle_at",
]
