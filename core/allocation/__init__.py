"""Requirements and envelope become an allocation: a flow over integers, with a reason for everything unmet.

`build` makes a problem of the site's state, `make` plans and checks it, `settle` keeps what need not change, and
`planned`/`assign` give the messages. `problem`, `solve`, `explain` and `check` know nothing of sites.
"""

from core.allocation.assign import Assignment, assign, kept, planned, settle
from core.allocation.build import build
from core.allocation.check import faults
from core.allocation.explain import Explanation, Shortage, explain, spare_wh
from core.allocation.planner import Made, UnsafePlan, make
from core.allocation.problem import Demand, NodeLimit, Problem, ProblemError, from_json, to_json
from core.allocation.solve import Budget, Plan, solve
from core.allocation.stays import Bay, SiteProblem, Stay

__all__ = [
    "Assignment",
    "Bay",
    "Budget",
    "Demand",
    "Explanation",
    "Made",
    "NodeLimit",
    "Plan",
    "Problem",
    "ProblemError",
    "Shortage",
    "SiteProblem",
    "Stay",
    "UnsafePlan",
    "assign",
    "build",
    "explain",
    "faults",
    "from_json",
    "kept",
    "make",
    "planned",
    "settle",
    "solve",
    "spare_wh",
    "to_json",
]
