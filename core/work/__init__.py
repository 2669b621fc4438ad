"""Identity of work, the difference between two imports of a feed, and the departures that follow from it."""

from core.work.departures import AHEAD, OVER, Departure, departures, next_deadline
from core.work.imports import decide, difference, repeated
from core.work.overlaps import Overlap, overlaps
from core.work.state import Planned, WorkState, fold

__all__ = [
    "AHEAD",
    "OVER",
    "Departure",
    "Overlap",
    "Planned",
    "WorkState",
    "decide",
    "departures",
    "difference",
    "fold",
    "next_deadline",
    "overlaps",
    "repeated",
]
