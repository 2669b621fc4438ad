"""Changes to a site's problem between two solves: what batteries accept, and who goes on after its deadline."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from core.allocation.demands import soon
from core.allocation.frame import Frame
from core.allocation.problem import Demand
from core.allocation.stays import SiteProblem


def accepted(problem: SiteProblem, powers: Mapping[str, Sequence[float]]) -> SiteProblem:
    """The same problem with each named demand's own limit lowered to these kW per slot."""
    demands = []
    for demand in problem.problem.demands:
        kws = powers.get(demand.id)
        demands.append(demand if kws is None else _lowered(problem.frame, demand, kws))
    return replace(problem, problem=replace(problem.problem, demands=tuple(demands)))


def _lowered(frame: Frame, demand: Demand, kws: Sequence[float]) -> Demand:
    most = [frame.energy(kw, slot) for slot, kw in enumerate(kws)]
    caps = tuple(min(cap, wh) for cap, wh in zip(demand.cap_wh, most, strict=True))
    binds = tuple(
        "vehicle" if wh < cap else bind for bind, cap, wh in zip(demand.binds, demand.cap_wh, most, strict=True)
    )
    return replace(demand, cap_wh=caps, binds=binds)


def continued(problem: SiteProblem, missed: Mapping[str, int]) -> SiteProblem:
    """The same problem where these demands (and the Wh they lack) go on after their deadlines, uncounted."""
    demands = tuple(_on(problem, d, missed[d.id]) if d.id in missed else d for d in problem.problem.demands)
    return replace(problem, problem=replace(problem.problem, demands=demands))


def _on(problem: SiteProblem, demand: Demand, lacks_wh: int) -> Demand:
    bay = problem.bays[demand.id]
    deadline = demand.deadline_slot
    if bay.stay is None or deadline < 0 or demand.reason in {"charger_offline", "station_not_placed"}:
        return replace(demand, counted=False)
    frame = problem.frame
    accepts = max((kw for _, kw in bay.kind.curve), default=0.0) if bay.kind else bay.stay.max_kw
    most = frame.energy(min(bay.stay.max_kw, accepts), 1)
    end = deadline + soon(lacks_wh, most)
    caps = tuple(cap if slot < deadline else most if slot < end else 0 for slot, cap in enumerate(demand.cap_wh))
    if deadline == 0:
        caps = (frame.energy(min(bay.stay.max_kw, accepts), 0), *caps[1:])
    return replace(demand, cap_wh=caps, counted=False, deadline_slot=-1, buffer_slot=deadline)
