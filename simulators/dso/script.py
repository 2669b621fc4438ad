"""What the simulated grid operator does during the night, and when."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True)
class Block:
    """So many kW for [begins, ends)."""

    begins: datetime
    ends: datetime
    kw: float


@dataclass(frozen=True)
class Forecast:
    """An update_group_capacity_forecast: sent at a moment, with its blocks."""

    at: datetime
    blocks: tuple[Block, ...]
    type: str = "CONSUMPTION"


@dataclass(frozen=True)
class DsoScript:
    """The operator's night: registration, forecasts, one absence that a new handshake ends."""

    group: str
    begin: datetime
    end: datetime
    rating_kw: float
    fallback_kw: float
    forecasts: tuple[Forecast, ...] = ()
    silent_from: datetime | None = None
    handshake_again: datetime | None = None
    beats_ahead: int = 2
    """offline_mode_at lies so many heartbeat intervals ahead."""
