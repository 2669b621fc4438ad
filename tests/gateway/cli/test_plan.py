"""A what-if from the command line: the example as it stands in the repository, and what bad input gets."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.gateway.cli.conftest import Cli

EXAMPLE = Path(__file__).parents[3] / "examples" / "what-if.json"


async def test_the_example_misses_one_departure_and_says_why_in_numbers_that_add_up(cli: Cli) -> None:
    ended = await cli("plan", EXAMPLE)
    told = json.loads(ended.out)
    assert (ended.code, told["missed"], told["proven"], told["faults"]) == (1, ["BUS-145"], True, [])
    (shortage,) = told["shortages"]
    assert sum(limit["kwh"] for limit in shortage["limits"]) == shortage["passed_kwh"]
    assert shortage["needed_kwh"] - shortage["passed_kwh"] == shortage["missing_kwh"] == 10
    outcomes = {row["id"]: row for row in told["outcomes"]}
    assert outcomes["BUS-145"]["reason"] == "envelope_limited"
    assert sum(row["planned_kwh"] for row in outcomes.values()) == told["planned_kwh"]
    assert (await cli("plan", EXAMPLE, "--json")).out == ended.out


async def test_people_get_a_table_and_the_shortage_in_words(cli: Cli) -> None:
    ended = await cli("plan", EXAMPLE, "--table")
    assert ended.code == 1
    assert "BUS-145: 250 kWh needed, 240 kWh can pass, 10 kWh missing; what passes:" in ended.out
    assert "grid  grid operator" in ended.out


async def test_everybody_served_is_exit_0(cli: Cli, tmp_path: Path) -> None:
    problem = json.loads(EXAMPLE.read_text())
    problem["demands"].pop()
    (tmp_path / "possible.json").write_text(json.dumps(problem))
    assert (await cli("plan", "possible.json")).code == 0


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("{", "not JSON"),
        ("[]", "an object is needed"),
        ("{}", "is missing"),
        ("[" * 100_000, "nested too deeply"),
        (EXAMPLE.read_text().replace("250000", "-1"), "demands[BUS-145].need_wh: -1 is outside"),
        (EXAMPLE.read_text().replace('"parent": "grid"', '"parent": "moon"'), "moon"),
        (EXAMPLE.read_text().replace('"slots"', '"slotz": 1, "slots"'), "slotz"),
        (EXAMPLE.read_text().replace('"format"', '"rule": "best", "format"'), "rule: 'best' is none of"),
    ],
)
async def test_a_problem_that_cannot_be_used_is_refused_with_its_place(
    cli: Cli, tmp_path: Path, text: str, says: str
) -> None:
    (tmp_path / "problem.json").write_text(text)
    ended = await cli("plan", "problem.json")
    assert (ended.code, ended.out) == (2, "")
    assert says in ended.err
    assert "problem.json" in ended.err
    assert "; next: " in ended.err


async def test_a_problem_that_is_not_there_is_exit_3(cli: Cli) -> None:
    assert (await cli("plan", "nowhere.json")).code == 3
