"""Work and vehicle become an energy requirement: how much, by when, and from which inputs."""

from core.battery import charge_time, power_at, reached_at, soc_after
from core.requirements.account import compute, consumption_per_km, distance_km, layover_h
from core.requirements.decide import SOC_STEP, RequirementsState, decide, fold, next_deadline
from core.requirements.formula import Energy, Terms, energy, implied_consumption, recompute

__all__ = [
    "SOC_STEP",
    "Energy",
    "RequirementsState",
    "Terms",
    "charge_time",
    "compute",
    "consumption_per_km",
    "decide",
    "distance_km",
    "energy",
    "fold",
    "implied_consumption",
    "layover_h",
    "next_deadline",
    "power_at",
    "reached_at",
    "recompute",
    "soc_after",
]
