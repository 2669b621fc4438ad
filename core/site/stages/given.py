"""What several stages are given out of the folded state."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta

import numpy as np

from core import dispatch, vehicles, work
from core.dispatch import Outlet
from core.dispatch.ceilings import edges
from core.dispatch.functions import seconds
from core.messages import Message
from core.messages.envelope import EnvelopeSegment
from core.messages.site import SiteConfig
from core.requirements import RequirementsState
from core.sessions import Plug
from core.site.memo import Memo
from core.site.state import SiteState
from core.vehicles import Reading
from core.work import Departure


def departures_of(
    state: SiteState, config: SiteConfig, now: datetime, memo: Memo
) -> tuple[tuple[Departure, ...], datetime | None]:
    """The departures of the fleet, and the first moment at which they could be others by time alone."""
    known = memo.departures
    if known is not None and known[0] is state.work and known[1] is config and (known[3] is None or now < known[3]):
        return known[2], known[3]
    found, until = work.departures(state.work, config, now), work.next_deadline(state.work, config, now)
    memo.departures = (state.work, config, found, until)
    return found, until


def standing_by_vehicle(state: SiteState) -> dict[str, Plug]:
    """Where every known vehicle is plugged in now."""
    return {plug.vehicle: plug for _, plug in sorted(state.sessions.plugs.items()) if plug.plugged and plug.vehicle}


def soc_here(state: SiteState, config: SiteConfig, plug: Plug, now: datetime) -> Reading | None:
    """The state of charge of the vehicle at this plug."""
    return vehicles.soc_at(state.vehicles, state.sessions, config, plug.vehicle or "", now, plug)


def configured_by(state: SiteState) -> str:
    """Id of the `site.configured` in force."""
    return state.configured[0] if state.configured else ""


def open_requirements(state: RequirementsState) -> list[Message]:
    """What every departure to come needs."""
    return [message for _, message in sorted(state.current.items())]


def by_node(segments: Iterable[EnvelopeSegment]) -> dict[str, list[EnvelopeSegment]]:
    """Each node's segments, in their order."""
    found: dict[str, list[EnvelopeSegment]] = {}
    for segment in segments:
        found.setdefault(segment.node, []).append(segment)
    return found


def outlets(state: SiteState) -> tuple[Outlet, ...]:
    """Every EVSE of the site that has a place in the tree, with its share of its station's safe level."""
    topology = state.topology
    if topology is None:
        return ()
    found = []
    for station in sorted(topology.stations.values(), key=lambda s: s.id):
        evses = sorted({c.evse for c in station.connectors})
        if not topology.path(station.node):
            continue
        for evse in evses:
            rating = round(topology.rating(station.id, evse) * 1000)
            safe = int(station.safe_kw * 1000) // len(evses)
            found.append(Outlet(station.id, evse, station.node or "", rating, safe))
    return tuple(found)


def most_kw(state: SiteState, config: SiteConfig, outlet: Outlet, now: datetime) -> float:
    """The highest ceiling of an outlet from now up to the end of what it can have been told."""
    known = state.dispatch.stations.get(outlet.station)
    ends = seconds(now + timedelta(seconds=config.policies.wish_horizon_s))
    moments = {seconds(now), *(m for m in edges(known) if seconds(now) < m <= ends)}
    grid = np.array(sorted(moments), dtype=np.int64)
    plug = state.sessions.plugs.get((outlet.station, outlet.evse))
    return int(dispatch.ceiling(outlet, known, plug, grid).max()) / 1000


def first(*moments: datetime | None) -> datetime | None:
    """The first of the moments that there are."""
    return min((m for m in moments if m is not None), default=None)
