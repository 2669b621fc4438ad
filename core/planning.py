"""The same decision on a what-if: a problem as JSON in, the allocation with outcomes, reasons and shortages out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, get_args

from core.allocation import (
    Explanation,
    Plan,
    Problem,
    ProblemError,
    explain,
    faults,
    from_json,
    solve,
    spare_wh,
    to_json,
)
from core.allocation.explain import Shortage
from core.allocation.problem import slot_length_s, slot_moment
from core.messages.base import digest
from core.messages.site import Rule


def plan(problem_json: Mapping[str, Any]) -> dict[str, Any]:
    """The allocation for a problem (`docs/allocation.md` has its form); `rule` beside its fields chooses a baseline.

    Energies are at the plug, in kWh; moments in UTC. The same problem gives the same answer, byte for byte.

    Raises:
        ProblemError: the problem contradicts itself; the text says where and what.
    """
    if not isinstance(problem_json, Mapping):
        raise ProblemError("problem: an object is needed")
    fields = dict(problem_json)
    rule = _rule(fields.pop("rule", "plan"))
    problem = from_json(fields)
    answer = solve(problem, rule)
    explanation = explain(problem, answer)
    spare = spare_wh(problem, answer) if rule == "plan" else {}
    return {
        "format": "busbar.plan/1",
        "inputs": digest({"problem": to_json(problem), "rule": rule}),
        "rule": rule,
        "proven": answer.proven,
        "missed": list(answer.missed),
        "needed_kwh": sum(d.need_wh for d in problem.demands) / 1000,
        "planned_kwh": sum(map(sum, answer.energy.values())) / 1000,
        "outcomes": _outcomes(problem, answer, explanation, spare),
        "shortages": [_shortage(problem, shortage) for shortage in explanation.shortages],
        "faults": list(faults(problem, answer)),
    }


def _rule(value: Any) -> Rule:
    if value not in get_args(Rule):
        raise ProblemError(f"rule: {value!r} is none of {', '.join(get_args(Rule))}")
    known: Rule = value
    return known


def _outcomes(
    problem: Problem, answer: Plan, explanation: Explanation, spare: Mapping[str, int]
) -> list[dict[str, Any]]:
    rows = []
    for demand in problem.demands:
        energy = answer.energy[demand.id]
        row = {
            "id": demand.id,
            "met": demand.id in answer.met,
            "needed_kwh": demand.need_wh / 1000,
            "planned_kwh": sum(energy) / 1000,
            "reason": explanation.reasons.get(demand.id, ""),
            "steps": _steps(problem, energy),
        }
        if demand.id in spare:
            row["spare_kwh"] = spare[demand.id] / 1000
        rows.append(row)
    return rows


def _steps(problem: Problem, energy: Sequence[int]) -> list[dict[str, Any]]:
    """Power at the plug wherever it changes; 0 from the horizon's end on."""
    steps: list[dict[str, Any]] = []
    last = 0.0
    for slot, wh in enumerate(energy):
        kw = round(wh * 3.6 / slot_length_s(problem, slot), 3)
        if kw != last:
            steps.append({"at": slot_moment(problem, slot).isoformat(), "kw": kw})
            last = kw
    if last:
        steps.append({"at": slot_moment(problem, problem.slots).isoformat(), "kw": 0.0})
    return steps


def _shortage(problem: Problem, shortage: Shortage) -> dict[str, Any]:
    return {
        "vehicles": list(shortage.demands),
        "needed_kwh": shortage.needed_wh / 1000,
        "passed_kwh": shortage.passed_wh / 1000,
        "missing_kwh": shortage.missing_wh / 1000,
        "limits": [
            {
                "node": limit.node,
                "source": limit.source,
                "begins": slot_moment(problem, limit.first).isoformat(),
                "ends": slot_moment(problem, limit.end).isoformat(),
                "kwh": limit.wh / 1000,
            }
            for limit in shortage.limits
        ],
    }
