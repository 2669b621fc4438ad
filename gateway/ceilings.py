"""The most that each connector may draw now, by everything that may be in force in its station; decided by `core/dispatch`."""

from __future__ import annotations

from datetime import datetime

import numpy as np

from core.dispatch import ceiling
from core.site import SiteState
from core.site.stages.given import outlets

Connector = tuple[str, int]
"""Station and EVSE."""


def ceilings(state: SiteState | None, now: datetime, station: str | None = None) -> dict[Connector, float]:
    """KW by connector, of one station or of all; empty where nobody controls the site here."""
    if state is None:
        return {}
    grid = np.array([int(now.timestamp())], dtype=np.int64)
    dispatch, plugs = state.dispatch.stations, state.sessions.plugs
    return {
        (o.station, o.evse): int(ceiling(o, dispatch.get(o.station), plugs.get((o.station, o.evse)), grid)[0]) / 1000
        for o in outlets(state)
        if station in (None, o.station)
    }
