"""How long a plan takes, with its reasons and its independent check, beside an LP of the same energies and prices (GLOP).

Run: `python -m benchmarks.allocation [--json]`. Both run in the same process on the same instance, one thread. The LP has
no notion of a missed departure: it is the usual way to write the problem, and its delivered energy must equal ours.
"""

from __future__ import annotations

import json
import random
import sys
import time
from datetime import UTC, datetime
from typing import Any

import numpy as np
from ortools.linear_solver.python import model_builder_helper

from core.allocation import Demand, NodeLimit, Problem, explain, faults, solve

SLOTS = 96
CASES = ((16, 1.5), (16, 0.8), (200, 1.5), (200, 0.9), (200, 0.8), (1_000, 1.5), (1_000, 0.9))
"""(vehicles, energy that the site can bring as a share of what they need)."""


def instance(count: int, share: float, seed: int = 1) -> Problem:
    """An overnight depot: ten connectors to a panel, five panels to a feeder, a site limit that varies by half."""
    rng = random.Random(seed)
    panels = max(1, count // 10)
    power = [0] * panels
    demands, needed = [], 0
    for i in range(count):
        kw, first, end = rng.choice((60, 90, 150)), rng.randint(0, 40), rng.randint(60, SLOTS)
        need = int(rng.choice((250, 350, 450)) * rng.uniform(0.35, 0.9)) * 1000
        caps = tuple(kw * 250 if first <= slot < end else 0 for slot in range(SLOTS))
        demands.append(Demand(f"v{i:04}", f"p{i % panels}", caps, need, deadline_slot=end))
        power[i % panels] += kw * 250
        needed += need
    mean = needed / SLOTS * share
    nodes = [NodeLimit("site", None, tuple(int(mean * rng.uniform(0.5, 1.5)) for _ in range(SLOTS)))]
    groups = [power[first : first + 5] for first in range(0, panels, 5)]
    nodes += [NodeLimit(f"f{i}", "site", (int(sum(group) * 0.34),) * SLOTS) for i, group in enumerate(groups)]
    nodes += [NodeLimit(f"p{p}", f"f{p // 5}", (int(power[p] * 0.45),) * SLOTS) for p in range(panels)]
    price = tuple((slot // 24) % 3 for slot in range(SLOTS))
    return Problem(datetime(2026, 3, 1, 18, tzinfo=UTC), 900, SLOTS, tuple(nodes), tuple(demands), price)


def measure(problem: Problem, repeats: int) -> dict[str, Any]:
    """The best of some runs, CPU seconds: plan, then reasons, then check."""
    best: dict[str, Any] = {}
    for _ in range(repeats):
        begun = time.process_time()
        plan = solve(problem)
        solved = time.process_time()
        explanation = explain(problem, plan)
        explained = time.process_time()
        found = faults(problem, plan)
        ended = time.process_time()
        if not best or ended - begun < best["total_s"]:
            best = {
                "total_s": ended - begun,
                "solve_s": solved - begun,
                "explain_s": explained - solved,
                "check_s": ended - explained,
                "missed": len(plan.missed),
                "least_possible": sum(least for _, _, least in plan.bound),
                "proven": plan.proven,
                "flows": plan.flows,
                "planned_kwh": sum(map(sum, plan.energy.values())) / 1000,
                "shortages": len(explanation.shortages),
                "faults": len(found),
            }
    return best


def linear(problem: Problem) -> dict[str, Any]:
    """The same energies and prices as one LP: most energy first, then the cheap tiers (weights 1000 and rank)."""
    begun = time.process_time()
    model, count = _model(problem)
    built = time.process_time()
    solver = model_builder_helper.ModelSolverHelper("GLOP")
    solver.solve(model)
    ended = time.process_time()
    values = np.asarray(solver.variable_values())[:count]
    return {"lp_build_s": built - begun, "lp_solve_s": ended - built, "lp_planned_kwh": float(values.sum()) / 1000}


def _model(problem: Problem) -> tuple[Any, int]:
    above = {node.id: node.parent for node in problem.nodes}
    caps = {node.id: node.cap_wh for node in problem.nodes}
    cells = [(i, slot) for i, d in enumerate(problem.demands) for slot, cap in enumerate(d.cap_wh) if cap]
    model = model_builder_helper.ModelBuilderHelper()
    model.add_var_array([len(cells)], 0.0, 0.0, False, "wh")
    model.set_maximize(True)
    rows: dict[tuple[str, int], int] = {}
    for var, (i, slot) in enumerate(cells):
        demand = problem.demands[i]
        model.set_var_upper_bound(var, float(demand.cap_wh[slot]))
        model.set_var_objective_coefficient(var, 1000.0 - problem.price[slot])
        _term(model, rows, ("need:" + demand.id, 0), var, demand.need_wh)
        at: str | None = demand.node
        while at is not None:
            _term(model, rows, (at, slot), var, caps[at][slot])
            at = above[at]
    return model, len(cells)


def _term(model: Any, rows: dict[tuple[str, int], int], key: tuple[str, int], var: int, most: int) -> None:
    if key not in rows:
        rows[key] = model.add_linear_constraint()
        model.set_constraint_upper_bound(rows[key], float(most))
    model.add_term_to_constraint(rows[key], var, 1.0)


def main() -> int:
    """Print one line per case; exit 1 where a plan has a fault or brings less than the LP."""
    results, good = [], True
    for count, share in CASES:
        problem = instance(count, share)
        row = {
            "vehicles": count,
            "slots": SLOTS,
            "share": share,
            **measure(problem, 5 if count < 1000 else 3),
            **linear(problem),
        }
        row["ratio_to_lp"] = (row["lp_build_s"] + row["lp_solve_s"]) / row["total_s"]
        row["ratio_to_lp_solve"] = row["lp_solve_s"] / row["total_s"]
        good = good and not row["faults"] and row["planned_kwh"] >= row["lp_planned_kwh"] * (1 - 1e-6)
        results.append(row)
        if "--json" not in sys.argv:
            print(_text(row))
    if "--json" in sys.argv:
        print(json.dumps(results, indent=1))
    return 0 if good else 1


def _text(row: dict[str, Any]) -> str:
    return (
        f"{row['vehicles']:5} x {row['slots']} at {row['share']:.0%}: plan with reasons and check {row['total_s']:.4f} s "
        f"(solve {row['solve_s']:.4f}, reasons {row['explain_s']:.4f}, check {row['check_s']:.4f}), missed {row['missed']} "
        f"(least possible {row['least_possible']}), {row['flows']} flows; LP {row['lp_build_s']:.3f} + {row['lp_solve_s']:.3f} s, "
        f"ratio {row['ratio_to_lp']:.0f} ({row['ratio_to_lp_solve']:.0f} without building it)"
    )


if __name__ == "__main__":
    sys.exit(main())
