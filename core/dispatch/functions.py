"""Functions of time: steps in kW sampled as whole watts on a grid of whole seconds."""

from __future__ import annotations

import math
from collections.abc import Sequence
from datetime import datetime

import numpy as np
from numpy.typing import NDArray

from core.messages.allocation import Step

Watts = NDArray[np.int64]
"""Whole watts at the plug, one value per interval of a grid."""

Grid = NDArray[np.int64]
"""Starts of intervals in whole seconds since the epoch, rising; the last interval has no end."""


def seconds(moment: datetime) -> int:
    """Whole seconds since the epoch, rounded down."""
    return math.floor(moment.timestamp())


def watts(kw: float) -> int:
    """Whole watts, nearest."""
    return round(kw * 1000)


def arrays(steps: Sequence[Step]) -> tuple[Grid, Watts]:
    """The seconds at which a step function steps, and the watts from there on."""
    times = np.array([seconds(s.at) for s in steps], dtype=np.int64)
    return times, np.array([watts(s.kw) for s in steps], dtype=np.int64)


def on(grid: Grid, times: Grid, values: Watts) -> Watts:
    """A step function on the grid; before its first step the first value holds."""
    if len(values) == 1:
        return np.full(len(grid), values[0], dtype=np.int64)
    sampled: Watts = values[np.maximum(times.searchsorted(grid, side="right") - 1, 0)]
    return sampled


def sample(steps: Sequence[Step], grid: Grid) -> Watts:
    """Steps on the grid; before the first step the first value holds."""
    return on(grid, *arrays(steps))
