"""One demand per stay or expected arrival: what it needs, when and how fast energy can reach it, and how surely."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta

from core.allocation.frame import Frame
from core.allocation.problem import Demand
from core.allocation.stays import Bay, Site, Stay
from core.messages.requirement import RequirementComputed

LEFTOVER = 10
"""The class after all that a configuration can name: vehicles that nobody knows."""
ROUNDING_WH = 100
"""Added to each need: what the rounding of power down to 0.1 kW may cost over the steps."""


def plugged(site: Site, stay: Stay) -> tuple[Demand, Bay]:
    """The demand and bay of a vehicle that stands at a connector."""
    name = f"{stay.station}/{stay.evse}"
    message = site.needs.get(stay.vehicle or "")
    kind = site.kinds.get(stay.vehicle or "")
    node = _node_of(site, stay.station)
    bay = Bay(name, stay.vehicle, stay, message, kind=kind)
    blank = Demand(name, node or site.topology.root, (0,) * site.frame.count, 0, counted=False, connector=stay.station)
    if node is None or stay.station in site.offline:
        blank = replace(blank, reason="charger_offline" if node else "station_not_placed")
        if message is not None:
            demand, bay = _known(site, blank, bay, 0.0, site.now)
            return replace(demand, reason=blank.reason), bay
        return blank, bay
    if stay.vehicle is None:
        return _unknown(site, blank, stay), bay
    if message is None:
        return blank, bay
    return _known(site, blank, bay, stay.max_kw, site.now)


def _node_of(site: Site, station: str) -> str | None:
    known = site.topology.stations.get(station)
    node = known.node if known else None
    return node if node in site.topology.nodes else None


def _unknown(site: Site, blank: Demand, stay: Stay) -> Demand:
    policies = site.config.policies
    if policies.unknown_vehicles == "deny":
        return replace(blank, reason="stranger_denied", priority=LEFTOVER)
    caps, binds = _caps(site, stay.station, stay.max_kw, None, site.now, site.frame.ends)
    need = max(0.0, policies.unknown_vehicle_kwh - stay.delivered_kwh)
    whole = int(need * 1000) // 25 * 25
    return replace(blank, cap_wh=caps, binds=binds, need_wh=whole, priority=LEFTOVER, reason="leftover_only")


def _known(site: Site, blank: Demand, bay: Bay, max_kw: float, begins: datetime) -> tuple[Demand, Bay]:
    """The demand of a vehicle with a requirement, from `begins` on at up to `max_kw`."""
    assert bay.requirement is not None
    assert isinstance(bay.requirement.body, RequirementComputed)
    body = bay.requirement.body
    frame, policies = site.frame, site.config.policies
    soc = bay.stay.soc if bay.stay is not None and bay.stay.soc is not None else bay.soc
    soc = body.soc_now if soc is None and bay.stay is not None else soc
    bay = replace(bay, soc=soc, goal=body.soc_goal, capacity_kwh=body.capacity_kwh, deadline=body.deadline)
    late = body.deadline <= site.now
    need = _need_wh(bay, body)
    until = min(_late_until(frame, need, max_kw) if late else body.deadline, frame.ends)
    accepts = max((kw for s, kw in bay.kind.curve), default=max_kw) if bay.kind else None
    caps, binds = _caps(site, blank.connector, max_kw, accepts, begins, until)
    demand = replace(
        blank,
        cap_wh=caps,
        binds=binds,
        need_wh=need,
        priority=body.priority,
        deadline_slot=frame.whole_before(until),
        buffer_slot=frame.count if late else frame.whole_before(until - timedelta(seconds=policies.buffer_s)),
        counted=not late,
        prefer=_previous(site, bay),
        reason="deadline_passed" if late else "soc_unknown" if soc is None else "",
    )
    return demand, bay


def soon(lacks_wh: int, most_wh: int) -> int:
    """How many slots a late vehicle gets: what it needs at full power and an hour; it must not wait for a cheap tariff."""
    return -(-lacks_wh // max(most_wh, 1)) + 4


def _late_until(frame: Frame, need_wh: int, max_kw: float) -> datetime:
    return frame.edges[min(frame.count, soon(need_wh, frame.energy(max_kw, 1)))]


def _need_wh(bay: Bay, body: RequirementComputed) -> int:
    """Wh at the plug; where the SoC is unknown, what the work itself takes, never nothing and never a full battery."""
    needed = bay.needed_kwh
    if needed is None:
        eta = bay.kind.eta_battery if bay.kind else 1.0
        known = body.plug_kwh
        needed = known if known is not None else min(body.consumption_kwh + body.reserve_kwh, body.capacity_kwh) / eta
    if needed <= 0:
        return 0
    return -(-int(needed * 1000 + ROUNDING_WH) // 25) * 25


def _caps(
    site: Site, station: str, max_kw: float, accepts: float | None, begins: datetime, ends: datetime
) -> tuple[tuple[int, ...], tuple[str, ...]]:
    """Wh per slot that can reach a vehicle, and what sets it: connector, vehicle or a limit set by hand."""
    frame = site.frame
    # Only whole slots count: a power that holds for a part of a slot cannot be promised its average.
    first, end = frame.first_at(begins), frame.whole_before(ends)
    hand_kw, hand_until = site.hand.get(station, (max_kw, frame.begins))
    caps, binds = [], []
    for slot in range(frame.count):
        options = [(max_kw, "connector")]
        if accepts is not None:
            options.append((accepts, "vehicle"))
        if hand_until is None or frame.edges[slot] < hand_until:
            options.append((hand_kw, "hand"))
        kw, bind = min(options, key=lambda option: option[0])
        caps.append(frame.energy(kw, slot) if first <= slot < end else 0)
        binds.append(bind)
    return tuple(caps), tuple(binds)


def _previous(site: Site, bay: Bay) -> tuple[int, ...]:
    if bay.stay is None:
        return ()
    old = site.previous.get((bay.stay.station, bay.stay.evse))
    if old is None or old.vehicle != bay.vehicle:
        return ()
    return tuple(site.frame.energy(kw, slot) for slot, kw in enumerate(site.frame.powers(old.steps)))


def expected(site: Site, vehicle: str, arrival: datetime, soc: float | None) -> tuple[Demand, Bay]:
    """A vehicle on its way: its capacity is planned at the root, since nobody knows its bay yet."""
    name = f"expected:{vehicle}"
    strongest = max((c.max_kw for s in site.topology.stations.values() for c in s.connectors), default=0.0)
    blank = Demand(name, site.topology.root, (0,) * site.frame.count, 0, connector=name)
    bay = Bay(name, vehicle, None, site.needs[vehicle], soc=soc, kind=site.kinds[vehicle])
    return _known(site, blank, bay, strongest, max(arrival, site.now))
