from __future__ import annotations

import json
import re
from itertools import pairwise
from pathlib import Path

import pytest

from core.allocation import ProblemError
from core.messages.base import canonical
from core.planning import plan

DOCS = Path(__file__).parents[3] / "docs" / "allocation.md"


def example() -> dict[str, object]:
    block = re.search(r"```json\n(.*?)```", DOCS.read_text(encoding="utf-8"), re.DOTALL)
    assert block is not None
    return json.loads(block.group(1))


def test_the_documented_example_gives_the_documented_answer() -> None:
    answer = plan(example())
    assert answer["format"] == "busbar.plan/1"
    assert (answer["missed"], answer["proven"], answer["faults"]) == (["BUS-7"], True, [])
    assert [(o["id"], o["met"], o["reason"]) for o in answer["outcomes"]] == [
        ("BUS-142", True, ""),
        ("BUS-7", False, "outranked"),
    ]
    assert (answer["needed_kwh"], answer["planned_kwh"]) == (150.0, 125.0)
    shortage = answer["shortages"][0]
    assert (shortage["needed_kwh"], shortage["passed_kwh"], shortage["missing_kwh"]) == (150.0, 125.0, 25.0)
    assert {limit["source"] for limit in shortage["limits"]} == {"dso"}


def test_steps_say_power_where_it_changes_and_end_in_zero() -> None:
    steps = plan(example())["outcomes"][0]["steps"]
    assert steps[-1]["kw"] == 0
    assert all(a["kw"] != b["kw"] for a, b in pairwise(steps))
    assert steps[0]["at"].endswith("+00:00")


def test_energy_in_the_steps_is_the_planned_energy() -> None:
    problem = {
        "begins": "2026-03-01T18:00:00+00:00", "slot_s": 900, "first_s": 300, "slots": 3,
        "nodes": [{"id": "s", "parent": None, "cap_wh": 9000}],
        "demands": [{"id": "a", "node": "s", "cap_wh": [3000, 9000, 9000], "need_wh": 21000}],
    }  # fmt: skip
    outcome = plan(problem)["outcomes"][0]
    assert [s["kw"] for s in outcome["steps"]] == [36.0, 0.0]
    assert outcome["steps"][1]["at"] == "2026-03-01T18:35:00+00:00"
    assert outcome["spare_kwh"] == 0
    assert (outcome["needed_kwh"], outcome["planned_kwh"]) == (21.0, 21.0)


def test_the_same_problem_gives_the_same_bytes() -> None:
    assert canonical(plan(example())) == canonical(plan(example()))


@pytest.mark.parametrize("rule", ["equal-share", "first-come", "uncontrolled"])
def test_a_baseline_can_be_asked_for(rule: str) -> None:
    answer = plan({**example(), "rule": rule})
    assert (answer["rule"], answer["proven"]) == (rule, False)
    assert bool(answer["faults"]) == (rule == "uncontrolled")
    assert "spare_kwh" not in answer["outcomes"][0]


def test_bad_input_is_refused_with_its_place() -> None:
    with pytest.raises(ProblemError, match="rule: 'best' is none of plan, equal-share"):
        plan({**example(), "rule": "best"})
    with pytest.raises(ProblemError, match="problem: an object is needed"):
        plan([])
    with pytest.raises(ProblemError, match="slots is missing"):
        plan({k: v for k, v in example().items() if k != "slots"})
