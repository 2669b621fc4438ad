"""The same night without planning: what the planning is worth."""

from __future__ import annotations

import json
from pathlib import Path

from gateway.cli import demo

FOLDER = Path(__file__).parents[2] / "examples" / "bus-142"


def test_without_planning_bus_142_does_not_leave_charged(tmp_path: Path) -> None:
    keep = tmp_path / "evidence"
    code = demo.run(
        speed=None, seed=None, scenario=FOLDER, baseline="equal-share", serve=False, as_json=True, keep=keep
    )
    document = json.loads((keep / "night.json").read_text(encoding="utf-8"))
    (bus,) = [v for v in document["vehicles"] if v["vehicle"] == "BUS-142"]
    assert bus["readiness"] in {"missed", "departed_short"}
    assert code == 0
    assert document["rule"] == "equal-share"
