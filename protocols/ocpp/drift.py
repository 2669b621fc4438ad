"""How far a station's clock is off: what it dates now against the hub's clock, told once and again where it changed."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from protocols.common.times import stated_time
from protocols.ocpp.facts import parts

STEADY = timedelta(minutes=5)
"""So long what arrives must be off by the same: what waited in a station that was offline comes in faster than it was dated."""
JITTER_S = 60.0
"""Nobody needs a station's clock to be known better than by this."""


class Drift:
    """The clock of a station as one connection shows it."""

    def __init__(self) -> None:
        self._since: datetime | None = None
        self._skew_s = 0.0
        self._told: float | None = None

    def hear(self, payload: dict[str, Any], now: datetime) -> float | None:
        """Take the newest date of a frame that tells of now; by how much the clock is ahead, where that is news."""
        dated = newest(payload)
        if dated is None or payload.get("offline") is True:
            return None
        skew_s = round((dated - now).total_seconds())
        if self._since is None or abs(skew_s - self._skew_s) > JITTER_S:
            self._since, self._skew_s = now, skew_s
        if now - self._since < STEADY or (self._told is not None and abs(skew_s - self._told) <= JITTER_S):
            return None
        self._told = skew_s
        return skew_s


def newest(payload: dict[str, Any]) -> datetime | None:
    """The newest moment that a transaction's event or meter values state."""
    entries = [payload, *parts(payload, "meterValue")]
    dates = (stated_time(entry.get("timestamp")) for entry in entries if isinstance(entry, dict))
    return max((date for date in dates if date is not None), default=None)
