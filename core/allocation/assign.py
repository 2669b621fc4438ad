"""From a plan to its messages: the totals of the plan, and the assignment of every vehicle that changed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import groupby
from typing import Literal

from core.allocation.check import overloads
from core.allocation.explain import Limit, Shortage
from core.allocation.frame import Frame
from core.allocation.planner import Made, trial
from core.allocation.problem import Demand, to_json
from core.allocation.stays import Bay, SiteProblem
from core.messages import allocation
from core.messages.allocation import AllocationAssigned, AllocationPlanned, CutLimit, Outcome, Step
from core.messages.base import Physical, digest
from core.messages.requirement import TOLERANCE
from core.messages.site import Rule

Previous = Mapping[tuple[str, int], AllocationAssigned]
NEAR_WH = 2_000
"""An assignment stays as it is while the new plan moves less than this (or 2 % of the need)."""
MAX_LIMITS = 64
"""Limits told per shortage in a message; the explanation has all."""


@dataclass(frozen=True, slots=True)
class Assignment:
    """One `allocation.assigned` to write: its body, coordinates, and the direct causes beside the plan."""

    body: AllocationAssigned
    at: Physical
    causes: tuple[str, ...]


def settle(made: Made, previous: Previous) -> Made:
    """The same plan, with those previous assignments kept that are near it and still do their job within every limit."""
    if made.plan.rule != "plan":
        return made
    kept = {d.id: d.prefer for d in made.used.problem.demands if _still_good(made, d, previous)}
    if not kept:
        return made
    energy = {**made.plan.energy, **kept}
    plan = replace(made.plan, energy=energy)
    if overloads(made.used.problem, energy):
        return made
    trials = {name: trial(bay, made.used.frame, energy[name]) for name, bay in made.used.bays.items()}
    return replace(made, plan=plan, trials=trials)


def _still_good(made: Made, demand: Demand, previous: Previous) -> bool:
    bay, energy = made.used.bays[demand.id], made.plan.energy[demand.id]
    if not demand.prefer or bay.stay is None or demand.prefer == energy or demand.id in made.plan.missed:
        return False
    if (bay.stay.station, bay.stay.evse) not in previous:
        return False
    if any(wh > cap for wh, cap in zip(demand.prefer, demand.cap_wh, strict=True)):
        return False
    moved = sum(abs(a - b) for a, b in zip(demand.prefer, energy, strict=True))
    if moved > max(NEAR_WH, demand.need_wh // 50):
        return False
    return trial(bay, made.used.frame, demand.prefer).met


def kept(site: SiteProblem, rule: Rule, triggers: Sequence[str], refused: str) -> AllocationPlanned:
    """The message of a moment for which no plan passed the check; it answers its triggers, and nothing changes."""
    return AllocationPlanned(
        rule=rule,
        triggers=tuple(triggers),
        inputs=digest({"problem": to_json(site.problem), "rule": rule}),
        slot_s=site.problem.slot_s,
        needed_kwh=0,
        planned_kwh=0,
        missing_kwh=0,
        outcomes=(),
        proven=False,
        refused=refused,
        kept=True,
    )


def planned(made: Made, triggers: Sequence[str] = (), refused: str = "") -> AllocationPlanned:
    """The plan's own message; `triggers` are what it answers, `refused` what was wrong with the plan before it."""
    real = [d for d in made.site.problem.demands if made.site.bays[d.id].requirement is not None]
    needed = sum(d.need_wh for d in real)
    outcomes = tuple(_outcome(made, d) for d in real)
    short = sum(max(0, d.need_wh - _by_deadline(made, d)) for d in real)
    return AllocationPlanned(
        rule=made.plan.rule,
        triggers=tuple(triggers),
        inputs=made.inputs,
        slot_s=made.site.problem.slot_s,
        needed_kwh=needed / 1000,
        planned_kwh=sum(sum(made.plan.energy[d.id]) for d in made.site.problem.demands) / 1000,
        missing_kwh=short / 1000,
        outcomes=outcomes,
        shortages=tuple(_told(made, shortage) for shortage in made.explanation.shortages),
        proven=made.plan.proven,
        refused=refused,
    )


def _by_deadline(made: Made, demand: Demand) -> int:
    """Wh that the plan brings by the demand's deadline."""
    end = demand.deadline_slot if demand.deadline_slot >= 0 else None
    return sum(made.plan.energy[demand.id][:end])


def _result(made: Made, demand: Demand) -> tuple[Literal["met", "short", "unknown"], str]:
    """(outcome, reason): reached already, else the battery's trial decides; without a SoC nothing is called met."""
    bay = made.site.bays[demand.id]
    reason = made.explanation.reasons.get(demand.id, "") or demand.reason
    if demand.need_wh == 0 and not demand.reason:
        return "met", ""
    if bay.soc is None:
        return "unknown", reason or "soc_unknown"
    if bay.requirement is not None and bay.soc >= bay.goal - TOLERANCE:
        return "met", ""
    result = made.trials[demand.id]
    if result.met and demand.counted:
        return "met", ""
    return "short", reason or ("rule_not_plan" if made.plan.rule != "plan" else "vehicle_limited")


def _outcome(made: Made, demand: Demand) -> Outcome:
    bay = made.site.bays[demand.id]
    outcome, reason = _result(made, demand)
    return Outcome(
        vehicle=bay.vehicle or "",
        met=outcome == "met",
        needed_kwh=bay.needed_kwh,
        planned_kwh=_by_deadline(made, demand) / 1000,
        reason=reason,
    )


def _told(made: Made, shortage: Shortage) -> allocation.Shortage:
    """The shortage in kWh at the plug; own limits of one vehicle become one line, and the sums stay exact."""
    names = [made.site.bays[name].vehicle or name for name in shortage.demands]
    lines = [_line(made.used.frame, [limit]) for limit in shortage.limits if not limit.own]
    own = [limit for limit in shortage.limits if limit.own]
    lines += [_line(made.used.frame, list(run)) for _, run in groupby(own, key=lambda limit: limit.node)]
    if len(lines) > MAX_LIMITS:
        rest = lines[MAX_LIMITS - 1 :]
        lines = [*lines[: MAX_LIMITS - 1], _merged(rest)]
    return allocation.Shortage(
        vehicles=tuple(names),
        needed_kwh=shortage.needed_wh / 1000,
        passed_kwh=shortage.passed_wh / 1000,
        missing_kwh=shortage.missing_wh / 1000,
        limits=tuple(lines),
    )


def _line(frame: Frame, limits: Sequence[Limit]) -> CutLimit:
    return CutLimit(
        node=limits[0].node,
        source=limits[0].source,
        begins=frame.edges[min(limit.first for limit in limits)],
        ends=frame.edges[max(limit.end for limit in limits)],
        kwh=sum(limit.wh for limit in limits) / 1000,
    )


def _merged(lines: Sequence[CutLimit]) -> CutLimit:
    return CutLimit(
        node="others",
        source="several",
        begins=min(line.begins for line in lines),
        ends=max(line.ends for line in lines),
        kwh=round(sum(line.kwh for line in lines), 3),
    )


def assign(made: Made, plan_id: str, previous: Previous | None = None) -> tuple[Assignment, ...]:
    """The assignments that differ from the previous ones, in the order of (station, EVSE); expected vehicles get none."""
    found = []
    for demand in made.site.problem.demands:
        bay = made.site.bays[demand.id]
        if bay.stay is None:
            continue
        body = _assigned(made, demand, bay, plan_id)
        old = (previous or {}).get((bay.stay.station, bay.stay.evse))
        if old is None or not _same(made.used.frame, old, body):
            found.append(Assignment(body, _where(bay), _causes(bay)))
    return tuple(found)


def _assigned(made: Made, demand: Demand, bay: Bay, plan_id: str) -> AllocationAssigned:
    outcome, reason = _result(made, demand)
    result = made.trials[demand.id]
    return AllocationAssigned(
        plan=plan_id,
        vehicle=bay.vehicle,
        steps=made.used.frame.steps(made.plan.energy[demand.id]),
        planned_kwh=sum(made.plan.energy[demand.id]) / 1000,
        needed_kwh=bay.needed_kwh,
        soc_at_deadline=None if result.soc is None else round(min(1.0, max(0.0, result.soc)), 4),
        ready_at=result.ready_at,
        outcome=outcome,
        reason=reason,
    )


def _same(frame: Frame, old: AllocationAssigned, new: AllocationAssigned) -> bool:
    """Equal from now on: the same power at every moment, the same vehicle, outcome and reason."""
    if (old.vehicle, old.outcome, old.reason) != (new.vehicle, new.outcome, new.reason):
        return False
    return _from_now(frame, old.steps) == _from_now(frame, new.steps)


def _from_now(frame: Frame, steps: Sequence[Step]) -> list[tuple[object, float]]:
    running = next((s.kw for s in reversed(steps) if s.at <= frame.begins), 0.0)
    found: list[tuple[object, float]] = [(frame.begins, running)]
    for step in steps:
        if step.at > frame.begins and step.kw != found[-1][1]:
            found.append((step.at, step.kw))
    return found


def _where(bay: Bay) -> Physical:
    assert bay.stay is not None
    return Physical(vehicle=bay.vehicle, station=bay.stay.station, evse=bay.stay.evse)


def _causes(bay: Bay) -> tuple[str, ...]:
    assert bay.stay is not None
    requirement = bay.requirement.id if bay.requirement else ""
    return tuple(cause for cause in (requirement, bay.stay.began) if cause)
