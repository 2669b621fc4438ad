"""Nights with a fault: a broken promise is seen, and an impossible one is told apart from it."""

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


def test_a_charger_that_ignores_its_profile_is_seen_and_an_impossible_departure_is_excused(tmp_path: Path) -> None:
    """One night for both, because whole nights are dear: the impossible scenario with a disobedient charger in it."""
    drawn = draw(FOLDER / "impossible.toml")
    stations = tuple(
        replace(s, quirks=replace(s.quirks, ignores_profiles=True)) if s.id == "CP-10" else s for s in drawn.stations
    )
    document = night(tmp_path, replace(drawn, stations=stations))
    assert document["ok"] is False
    assert document["overshoot"]["max_kw"] > 0
    assert any("above the limit" in promise for promise in document["broken"])
    (bus,) = [v for v in document["vehicles"] if v["vehicle"] == "BUS-133"]
    assert bus["readiness"] in {"departed_short", "missed"}
    assert bus["reason"]
    assert bus["soc_at_departure"] < bus["soc_required"]
    (row,) = document["impossible"]
    cut = row["cut"]
    assert (row["vehicle"], cut["vehicles"]) == ("BUS-133", ["BUS-133"])
    assert cut["needed_kwh"] - cut["passed_kwh"] == pytest.approx(row["missing_kwh"])
    assert [limit["at"] for limit in cut["limits"]] == ["CP-15"]
    assert not any("BUS-133" in promise for promise in document["broken"])


def test_a_hub_that_ignores_the_grid_operator_is_seen(tmp_path: Path) -> None:
    document = night(tmp_path, draw(FOLDER / "scenario.toml"), ignore_grid=True)
    assert document["ok"] is False
    assert document["overshoot"]["max_kw"] > 0
