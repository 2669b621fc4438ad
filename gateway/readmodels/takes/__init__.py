"""What each fact changes in the rows: one small function per fact, one module per concept, all in one table."""

from __future__ import annotations

from collections.abc import Mapping

from gateway.readmodels.takes import (
    bays,
    commerce,
    departures,
    grid,
    incidents,
    plans,
    sessions,
    sites,
    stations,
    vehicles,
    work,
)
from gateway.readmodels.takes.shared import Take

_CONCEPTS = (bays, commerce, departures, grid, incidents, plans, sessions, sites, stations, vehicles, work)

TAKES: Mapping[str, Take] = {type: take for concept in _CONCEPTS for type, take in concept.TAKES.items()}
"""By type of fact; a fact that is not here changes no row."""
