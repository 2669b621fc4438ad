"""The choice of whom to keep, over the cut rows: its LP relaxation with a safe bound (GLOP) and its integer form (SCIP)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from ortools.linear_solver.python import model_builder_helper

from core.allocation.network import Bools
from core.allocation.rows import Row

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Choice:
    """A point of the master: the share of each demand that is kept, and how many of the class at most can be."""

    keep: Floats
    at_most: int


@dataclass(frozen=True, slots=True)
class Master:
    """Keep the most of `now`; `fixed` classes (members, count) keep their count; nobody else is there."""

    now: Bools
    fixed: tuple[tuple[Bools, int], ...]

    @property
    def active(self) -> Bools:
        """Every demand that may be kept."""
        active = self.now.copy()
        for members, _ in self.fixed:
            active |= members
        return active

    def relax(self, rows: list[Row]) -> Choice | None:
        """The LP's optimum, with a bound that holds whatever GLOP rounded; None: no result."""
        matrix, rhs, equal = self._matrix(rows)
        solver = _run("GLOP", matrix, rhs, equal, self.now[self.active], whole=False)
        if solver is None:
            return None
        duals = np.asarray(solver.dual_values(), np.float64)
        duals = np.where(equal, duals, np.maximum(duals, 0.0))
        # Any such duals bound the objective: y.b + sum max(0, c - yA); GLOP's own objective need not.
        reduced = np.maximum(0.0, self.now[self.active] - duals @ matrix)
        bound = float(duals @ rhs + reduced.sum())
        return Choice(self._spread(solver), int(np.floor(bound + 1e-6)))

    def whole(self, rows: list[Row], nodes: int) -> Choice | None:
        """The integer optimum within so many nodes of the search (counted, so that equal inputs end equally)."""
        matrix, rhs, equal = self._matrix(rows)
        solver = _run(
            "SCIP", matrix, rhs, equal, self.now[self.active], whole=True, parameters=f"limits/nodes = {nodes}"
        )
        if solver is None:
            return None
        return Choice(np.round(self._spread(solver)), int(np.floor(solver.best_objective_bound() + 1e-6)))

    def _spread(self, solver: Any) -> Floats:
        keep = np.zeros(len(self.now), np.float64)
        keep[self.active] = np.clip(np.asarray(solver.variable_values(), np.float64), 0.0, 1.0)
        return keep

    def _matrix(self, rows: list[Row]) -> tuple[Floats, Floats, Bools]:
        active = self.active
        lines: list[Floats] = []
        rhs: list[float] = []
        for row in rows:
            weight = row.weight[active].astype(np.float64)
            scale = max(1.0, float(weight.max(initial=0.0)))
            least = row.least_missed(active)
            if least <= 0:
                continue
            support = (weight > 0).astype(np.float64)
            lines += [weight / scale, support]
            rhs += [row.cap / scale, float(support.sum() - least)]
        tied = len(lines)
        for members, count in self.fixed:
            lines.append(members[active].astype(np.float64))
            rhs.append(float(count))
        equal = np.arange(len(lines)) >= tied
        return np.array(lines, np.float64).reshape(len(lines), int(active.sum())), np.array(rhs), equal


def _run(
    engine: str, matrix: Floats, rhs: Floats, equal: Bools, counted: Bools, *, whole: bool, parameters: str = ""
) -> Any | None:
    model = model_builder_helper.ModelBuilderHelper()
    count = matrix.shape[1]
    model.add_var_array([count], 0.0, 1.0, whole, "keep")
    model.set_maximize(True)
    for var in np.flatnonzero(counted):
        model.set_var_objective_coefficient(int(var), 1.0)
    for line, (row, bound) in enumerate(zip(matrix, rhs, strict=True)):
        model.add_linear_constraint()
        model.set_constraint_upper_bound(line, float(bound))
        if equal[line]:
            model.set_constraint_lower_bound(line, float(bound))
        for var in np.flatnonzero(row):
            model.add_term_to_constraint(line, int(var), float(row[var]))
    solver = model_builder_helper.ModelSolverHelper(engine)
    if parameters:
        solver.set_solver_specific_parameters(parameters)
    solver.solve(model)
    return solver if solver.has_solution() else None
