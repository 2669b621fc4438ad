"""Stage of the wishes: the plan in force under every limit of the tree, as dispatch needs it."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta

from core import dispatch, envelopes
from core.dispatch import Wanted
from core.dispatch.functions import seconds
from core.dispatch.wishes import Limit, Site
from core.messages.allocation import AllocationAssigned
from core.messages.requirement import RequirementComputed
from core.messages.scribe import Scribe
from core.messages.site import SiteConfig
from core.site.memo import Memo
from core.site.stages.given import by_node, configured_by, outlets
from core.site.state import SiteState


def decide_wishes(state: SiteState, config: SiteConfig, now: datetime, scribe: Scribe, memo: Memo) -> datetime | None:
    """What every connected station shall do."""
    if state.topology is None:
        return None
    site = dispatched(state, config, now)
    dispatch.decide(state.dispatch, site, now, scribe, memo.dispatch)
    return dispatch.next_deadline(state.dispatch, site, now)


def dispatched(state: SiteState, config: SiteConfig, now: datetime) -> Site:
    """What wishes depend on besides the stations' own state."""
    assert state.topology is not None
    topology = state.topology
    horizon = timedelta(seconds=config.policies.wish_horizon_s)
    until = now + horizon + timedelta(seconds=2 * config.policies.guard_s)
    return Site(
        outlets=outlets(state),
        paths={node: topology.path(node) for node in topology.nodes},
        limits=limits(state, config, now, until),
        plugs=state.sessions.plugs,
        wanted=wanted(state),
        safe_kw={station.id: station.safe_kw for station in topology.stations.values()},
        horizon=horizon,
        causes=tuple(c for c in (state.grid.computed_by, configured_by(state)) if c),
    )


def limits(state: SiteState, config: SiteConfig, now: datetime, until: datetime) -> dict[str, Limit]:
    """Per node what may flow at the plugs below it: the envelope with every source falling back when its word ends."""
    assert state.topology is not None
    if config.policies.rule == "uncontrolled":
        return {node: Limit(((seconds(now), 10**12),)) for node in state.topology.nodes}
    segments = envelopes.compute(state.grid, config, now, until, assume_fresh=False)
    reserve = state.topology.reserve_steps(now, until)
    found: dict[str, Limit] = {}
    for node, own in by_node(segments).items():
        kept = reserve if node == state.topology.root else ((now, 0.0),)
        moments = sorted({s.begins for s in own} | {at for at, _ in kept})
        steps = []
        for at in moments:
            limit = next((s.import_kw for s in reversed(own) if s.begins <= at), 0.0)
            free = limit - next((kw for begins, kw in reversed(kept) if begins <= at), 0.0)
            steps.append((seconds(at), int(max(0.0, free) * config.policies.eta_charger * 1000)))
        found[node] = Limit(tuple(steps))
    return found


def wanted(state: SiteState) -> Mapping[tuple[str, int], Wanted]:
    """The assignment in force of every running transaction; one that was made for an earlier plug-in does not count."""
    found = {}
    for bay, message in state.allocations.assigned.items():
        plug = state.sessions.plugs.get(bay)
        body = message.body
        if plug is None or plug.transaction is None or plug.since is None or message.time < plug.since:
            continue
        if isinstance(body, AllocationAssigned) and body.steps:
            found[bay] = Wanted(body.steps, rank(state, body.vehicle), message.id)
    return found


def rank(state: SiteState, vehicle: str | None) -> tuple[object, ...]:
    """Priority class, then the earlier departure; strangers last."""
    bodies = [m.body for m in state.requirements.current.values() if isinstance(m.body, RequirementComputed)]
    own = [(b.priority, b.departs.isoformat()) for b in bodies if b.vehicle == vehicle]
    return min(own, default=(99, ""))
