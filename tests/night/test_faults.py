"""Nights with a fault or without planning: a broken promise is seen."""

from __future__ import annotations

import asyncio
import tomllib
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from gateway.cli.night import Night
from simulators.scenario import Scenario
from simulators.whatif import draw

FOLDER = Path(__file__).parents[2] / "examples" / "bus-142"


def quiet(text: str) -> None:
    """A night that nobody watches."""


def night(tmp_path: Path, scenario: Scenario, **more: Any) -> dict[str, Any]:
    site = tomllib.loads((FOLDER / "site.toml").read_text(encoding="utf-8"))
    return asyncio.run(Night(scenario, site, tmp_path / "night", say=quiet, **more).play())


@pytest.mark.parametrize("fault", ["ignoring_charger", "ignored_grid"])
def test_a_broken_promise_is_seen(tmp_path: Path, fault: str) -> None:
    drawn = draw(FOLDER / "scenario.toml")
    if fault == "ignoring_charger":
        stations = tuple(
            replace(s, quirks=replace(s.quirks, ignores_profiles=True)) if s.id == "CP-10" else s
            for s in drawn.stations
        )
        document = night(tmp_path, replace(drawn, stations=stations))
    else:
        document = night(tmp_path, drawn, ignore_grid=True)
    assert document["ok"] is False
    assert document["overshoot"]["max_kw"] > 0
