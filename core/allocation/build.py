"""From the site's state to an allocation problem: slots, limits at the plug, one demand per stay or expected arrival."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime

from core.allocation.demands import expected as expected_demand
from core.allocation.demands import plugged
from core.allocation.frame import Frame, price_ranks
from core.allocation.problem import Demand, NodeLimit, Problem
from core.allocation.stays import Bay, Site, SiteProblem, Stay
from core.energy_system import Topology
from core.messages.allocation import AllocationAssigned
from core.messages.base import Message
from core.messages.envelope import EnvelopeSegment
from core.messages.requirement import RequirementComputed
from core.messages.site import SiteConfig, VehicleType

__all__ = ["Bay", "SiteProblem", "Stay", "build"]


def build(
    config: SiteConfig,
    *,
    now: datetime,
    horizon_slots: int = 96,
    requirements: Sequence[Message] = (),
    stays: Sequence[Stay] = (),
    limits: Mapping[str, Sequence[EnvelopeSegment]] | None = None,
    hand_limits: Mapping[str, tuple[float, datetime | None]] | None = None,
    offline: Mapping[str, float] | None = None,
    expected: Mapping[str, tuple[datetime, float | None]] | None = None,
    previous: Mapping[tuple[str, int], AllocationAssigned] | None = None,
    topology: Topology | None = None,
) -> SiteProblem:
    """The problem of this site at `now`.

    Args:
        config: the configuration in force.
        now: the decision's moment; the first slot is partial from here.
        horizon_slots: slots of 900 s.
        requirements: messages with `RequirementComputed`, the latest of each departure.
        stays: who is plugged where.
        limits: per node the envelope's segments (kW at the grid side); without one the node's rating holds.
        hand_limits: per station (kW at the plug, until; None: without end).
        offline: per station that cannot be commanded its ceiling (kW at the plug): taken off every node above it.
            Stations without a stay count with their safe level unless they stand here.
        expected: per vehicle that is not plugged yet its arrival and the SoC it may bring.
        previous: per (station, EVSE) the assignment in force.
        topology: the tree with admitted stations; default: the configuration's.
    """
    site = Site(
        config=config,
        topology=topology or Topology.of(config),
        frame=Frame.at(now, horizon_slots),
        now=now,
        hand=hand_limits or {},
        offline=offline or {},
        previous=previous or {},
        kinds=_kinds(config),
        needs=_next_needs(requirements),
    )
    pairs = _demands(site, stays, expected or {})
    problem = Problem(
        begins=site.frame.begins,
        slot_s=900,
        first_s=site.frame.first_s,
        slots=site.frame.count,
        nodes=_nodes(site, limits or {}, {stay.station for stay in stays}),
        demands=tuple(demand for demand, _ in pairs),
        price=price_ranks(site.frame, config.tariff, config.zone),
    )
    return SiteProblem(problem, site.frame, {bay.demand: bay for _, bay in pairs})


def _kinds(config: SiteConfig) -> dict[str, VehicleType]:
    """The type of every vehicle whose type is declared."""
    types = {kind.id: kind for kind in config.vehicle_types}
    return {v.id: types[v.type] for v in config.vehicles if v.type in types}


def _demands(
    site: Site, stays: Sequence[Stay], expected: Mapping[str, tuple[datetime, float | None]]
) -> list[tuple[Demand, Bay]]:
    """One demand of everybody who is plugged in, and of everybody who will be and is known to need something."""
    pairs = [plugged(site, stay) for stay in sorted(stays, key=lambda s: (s.station, s.evse))]
    here = {stay.vehicle for stay in stays}
    for vehicle, (arrival, soc) in sorted(expected.items()):
        if vehicle not in here and vehicle in site.needs and vehicle in site.kinds:
            pairs.append(expected_demand(site, vehicle, arrival, soc))
    return pairs


def _next_needs(requirements: Iterable[Message]) -> dict[str, Message]:
    """Per vehicle the requirement with the earliest departure."""
    found: dict[str, Message] = {}
    for message in requirements:
        body = message.body
        if isinstance(body, RequirementComputed):
            known = found.get(body.vehicle)
            if known is None or body.departs < known.body.departs:  # type: ignore[attr-defined]  # because: only such bodies are kept here
                found[body.vehicle] = message
    return found


def _nodes(site: Site, limits: Mapping[str, Sequence[EnvelopeSegment]], plugged: set[str]) -> tuple[NodeLimit, ...]:
    silent = {
        station.id: site.offline.get(station.id, 0.0 if station.id in plugged else station.safe_kw)
        for station in site.topology.stations.values()
    }
    reserve = _per_slot(site.frame, site.topology.reserve_steps(site.frame.begins, site.frame.ends))
    nodes = []
    for node in site.config.nodes:
        taken = sum(silent[name] for name in site.topology.below(node.id))
        limit = _limits(site.frame, node.limit_kw, limits.get(node.id, ()))
        free = reserve if node.parent is None else [0.0] * site.frame.count
        # Limits hold at the grid meter, energies count at the plug: the chargers' losses lie between them.
        plug = [
            (kw - kept) * site.config.policies.eta_charger - taken for (kw, _), kept in zip(limit, free, strict=True)
        ]
        caps = tuple(site.frame.energy(kw, slot) for slot, kw in enumerate(plug))
        nodes.append(NodeLimit(node.id, node.parent, caps, tuple(source for _, source in limit)))
    return tuple(nodes)


def _per_slot(frame: Frame, steps: Sequence[tuple[datetime, float]]) -> list[float]:
    """The largest value of a step function in each slot."""
    values = []
    for begins, ends in zip(frame.edges, frame.edges[1:], strict=False):
        start = next((kw for at, kw in reversed(steps) if at <= begins), 0.0)
        values.append(max([start, *(kw for at, kw in steps if begins < at < ends)]))
    return values


def _limits(frame: Frame, rating: float, segments: Sequence[EnvelopeSegment]) -> list[tuple[float, str]]:
    """Per slot the least limit that touches it, and who set it."""
    found = []
    for begins, ends in zip(frame.edges, frame.edges[1:], strict=False):
        inside = [(s.import_kw, s.binding_source) for s in segments if s.begins < ends and s.ends > begins]
        found.append(min([(rating, "rating"), *inside], key=lambda limit: limit[0]))
    return found
