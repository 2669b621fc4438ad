"""From a site's problem to its plan: solve, try the plan on each battery, check it, and say what each vehicle gets."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from core.allocation.adapt import accepted, continued
from core.allocation.check import faults
from core.allocation.explain import Explanation, explain
from core.allocation.frame import Frame
from core.allocation.problem import to_json
from core.allocation.solve import Budget, Plan, solve
from core.allocation.stays import Bay, SiteProblem
from core.allocation.taper import relay
from core.battery import power_at, reached_at, soc_after
from core.messages.allocation import Step
from core.messages.base import digest
from core.messages.site import Rule

ROUNDS = 3
"""How often a plan is laid anew because a battery would not take it."""
SOC_TOLERANCE = 0.0005


@dataclass(frozen=True, slots=True)
class Trial:
    """What a battery makes of its steps: SoC at the deadline, when the goal is reached, whether it tapers."""

    soc: float | None
    ready_at: datetime | None
    met: bool
    tapers: bool = False
    """It takes less than is planned."""


@dataclass(frozen=True, slots=True)
class Made:
    """A plan with everything that is said about it. `site` is the problem as asked, `used` the one that the plan obeys."""

    site: SiteProblem
    used: SiteProblem
    plan: Plan
    explanation: Explanation
    trials: Mapping[str, Trial]
    inputs: str
    """SHA-256 of the problem as asked, with the rule."""


class UnsafePlan(ArithmeticError):
    """The independent check found a fault: a defect of the solver; the plan must not be used."""


def make(site: SiteProblem, rule: Rule = "plan", budget: Budget | None = None) -> Made:
    """The plan of this site by this rule, checked against every limit.

    Raises:
        UnsafePlan: the check contradicts the solver.
    """
    bench = _Bench()
    current, plan = _fitted(site, rule, budget, bench)
    explanation = explain(current.problem, plan)
    used = current
    if plan.missed and rule == "plan":
        used, plan = _go_on(current, plan, budget)
    used, plan = _tapered(site, used, plan, bench)
    _verify(used, plan)
    trials = bench.trials(used, plan)
    return Made(site, used, plan, explanation, trials, digest({"problem": to_json(site.problem), "rule": rule}))


class _Bench:
    """Tries plans on batteries; what was tried before is not tried again."""

    def __init__(self) -> None:
        self._known: dict[tuple[str, tuple[int, ...]], Trial] = {}

    def trials(self, site: SiteProblem, plan: Plan) -> dict[str, Trial]:
        """Every bay's trial under this plan."""
        found = {}
        for name, bay in site.bays.items():
            key = (name, plan.energy[name])
            if key not in self._known:
                self._known[key] = trial(bay, site.frame, plan.energy[name])
            found[name] = self._known[key]
        return found

    def refused(self, site: SiteProblem, plan: Plan) -> tuple[str, ...]:
        """Those whose battery does not get there, although the plan gives it enough."""
        trials = self.trials(site, plan)
        counted = {d.id for d in site.problem.demands if d.counted} & plan.met
        return tuple(name for name, t in trials.items() if t.tapers and not t.met and name in counted)


def _fitted(site: SiteProblem, rule: Rule, budget: Budget | None, bench: _Bench) -> tuple[SiteProblem, Plan]:
    """The plan and the problem that it solves: solved anew where a battery would not take what was planned."""
    current, plan = site, solve(site.problem, rule, budget)
    powers: dict[str, tuple[float, ...]] = {}
    for _ in range(ROUNDS if rule == "plan" else 0):
        refused = bench.refused(current, plan)
        if not refused:
            break
        powers |= {name: _acceptance(current.bays[name], current.frame, plan.energy[name]) for name in refused}
        current = accepted(site, powers)
        plan = solve(current.problem, rule, budget)
    return current, plan


def _tapered(site: SiteProblem, used: SiteProblem, plan: Plan, bench: _Bench) -> tuple[SiteProblem, Plan]:
    """What no round could fit is laid by hand into the room that is left."""
    refused = bench.refused(used, plan) if plan.rule == "plan" else ()
    if not refused:
        return used, plan
    fresh = {d.id: d for d in site.problem.demands}
    demands = tuple(fresh[d.id] if d.id in refused else d for d in used.problem.demands)
    free = replace(used, problem=replace(used.problem, demands=demands))
    return free, relay(free, plan, refused)


def _go_on(current: SiteProblem, plan: Plan, budget: Budget | None) -> tuple[SiteProblem, Plan]:
    """The missed go on charging after their deadline with what is left; the counts stay those of the first plan."""
    needs = {d.id: d.need_wh for d in current.problem.demands}
    longer = continued(current, {name: needs[name] - sum(plan.energy[name]) for name in plan.missed})
    after = solve(longer.problem, "plan", budget)
    if any(name in after.missed for name in plan.met):
        return current, plan
    return longer, replace(after, proven=plan.proven, bound=plan.bound)


def _verify(current: SiteProblem, plan: Plan) -> None:
    if plan.rule == "uncontrolled":
        return
    found = faults(current.problem, plan)
    if found:
        raise UnsafePlan("; ".join(found))


def trial(bay: Bay, frame: Frame, energies: Sequence[int]) -> Trial:
    """The steps of these energies, tried on the bay's battery up to its deadline (or the horizon's end)."""
    if bay.kind is None or bay.soc is None or not bay.capacity_kwh:
        return Trial(None, None, False)
    steps = frame.steps(energies)
    ends = min(bay.deadline or frame.ends, frame.ends)
    if ends <= frame.begins:
        ends = frame.ends
    curve, eta = bay.kind.curve, bay.kind.eta_battery
    soc = soc_after(curve, bay.capacity_kwh, eta, bay.soc, steps, frame.begins, ends)
    goal = bay.goal - SOC_TOLERANCE
    ready = reached_at(curve, bay.capacity_kwh, eta, bay.soc, goal, steps, frame.begins, ends) if soc >= goal else None
    given = sum(energies) / 1000 * eta / bay.capacity_kwh
    tapers = soc < min(bay.goal, bay.soc + given) - SOC_TOLERANCE
    return Trial(soc, ready, soc >= goal, tapers)


def _acceptance(bay: Bay, frame: Frame, energies: Sequence[int]) -> tuple[float, ...]:
    """What the battery takes at the end of each slot on its way (kW); at its goal once it is there."""
    assert bay.kind is not None and bay.soc is not None
    curve, soc, powers = bay.kind.curve, bay.soc, []
    for slot, wh in enumerate(energies):
        if wh:
            begins, ends = frame.edges[slot], frame.edges[slot + 1]
            step = Step(at=begins, kw=frame.power(wh, slot))
            soc = soc_after(curve, bay.capacity_kwh, bay.kind.eta_battery, soc, [step], begins, ends)
        powers.append(power_at(curve, min(soc, bay.goal)))
    return tuple(powers)
