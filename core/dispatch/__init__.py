"""Allocation and what stations confirmed become wishes; ceilings say who may draw how much now."""

from core.dispatch.ceilings import Outlet, ceiling
from core.dispatch.state import Dispatch, StationState, fold
from core.dispatch.wishes import Memory, Wanted, decide, next_deadline

__all__ = ["Dispatch", "Memory", "Outlet", "StationState", "Wanted", "ceiling", "decide", "fold", "next_deadline"]
