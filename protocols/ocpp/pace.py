"""How fast something may come: so many at once, then so many per second (a token bucket on the ports' clock)."""

from __future__ import annotations

from datetime import datetime, timedelta


class Bucket:
    """Kept as the moment at which it is full again, so that what it says is exact to the microsecond."""

    def __init__(self, burst: int, per_s: float, now: datetime) -> None:
        self._each = timedelta(seconds=1 / per_s)
        self._burst = burst * self._each
        self._full = now

    def take(self, now: datetime) -> datetime | None:
        """Take one, on credit if none is left; then the moment at which the credit is paid back."""
        ready = self._ready(now)
        self._full = ready + self._burst
        return ready if ready > now else None

    def ask(self, now: datetime) -> datetime | None:
        """Take one if one is left; otherwise the moment from which there is one, and nothing is taken."""
        ready = self._ready(now)
        if ready <= now:
            self._full = ready + self._burst
            return None
        return ready

    def _ready(self, now: datetime) -> datetime:
        # Never further from full than empty: a system clock that is set back must not lock anybody out.
        self._full = min(max(self._full, now), now + self._burst)
        return self._full + self._each - self._burst
