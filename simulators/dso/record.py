"""What the grid operator itself knows to be in force: the limits that it sent, and its fallback while it was away."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta

import numpy as np
import numpy.typing as npt

Series = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Stated:
    """A limit that was sent: for [begins, ends) so many kW."""

    sent: datetime
    begins: datetime
    ends: datetime
    kw: float


@dataclass
class LimitRecord:
    """The operator's own book: forecasts, heartbeats and handshakes; nothing of the hub's is in it."""

    rating_kw: float
    fallback_kw: float
    stated: list[Stated] = field(default_factory=list)
    contacts: list[tuple[datetime, datetime | None]] = field(default_factory=list)
    """(sent, offline_mode_at) of each heartbeat; None stands for a handshake."""

    def absences(self, until: datetime) -> list[tuple[datetime, datetime]]:
        """When the operator was offline: from its last `offline_mode_at` until its next handshake."""
        gone: list[tuple[datetime, datetime]] = []
        alive: datetime | None = None
        for sent, offline_at in self.contacts:
            if offline_at is None:
                if alive is not None and alive < sent:
                    gone.append((alive, sent))
                alive = None
            elif alive is None or sent < alive:
                alive = offline_at
        if alive is not None and alive < until:
            gone.append((alive, until))
        return gone

    def series(self, begin: datetime, end: datetime, guard_s: int) -> Series:
        """KW in force at each second of [begin, end); less notice than `guard_s` counts from notice + guard_s."""
        seconds = int((end - begin).total_seconds())
        limits = np.full(seconds, self.rating_kw)
        for said in self.stated:
            first = max(said.begins, said.sent + timedelta(seconds=guard_s))
            limits[_span(begin, first, said.ends, seconds)] = said.kw
        for gone, back in self.absences(end):
            limits[_span(begin, gone, back, seconds)] = self.fallback_kw
        in_force: Series = np.minimum(limits, self.rating_kw)
        return in_force


def _span(begin: datetime, first: datetime, last: datetime, seconds: int) -> slice:
    """Whole seconds of [first, last), counted from `begin`."""
    low = -int(-(first - begin).total_seconds() // 1)
    high = -int(-(last - begin).total_seconds() // 1)
    return slice(min(max(low, 0), seconds), min(max(high, 0), seconds))
