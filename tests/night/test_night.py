"""Whole nights over real sockets and a real journal: the promises, and that a broken one is seen."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from gateway.cli import demo

FOLDER = Path(__file__).parents[2] / "examples" / "bus-142"


@pytest.fixture(scope="module")
def played(tmp_path_factory: pytest.TempPathFactory) -> tuple[int, dict[str, Any], Path]:
    """The night that `busbar demo` plays: its exit code, its document, and the folder with its evidence."""
    keep = tmp_path_factory.mktemp("demo") / "evidence"
    code = demo.run(speed=None, seed=None, scenario=FOLDER, baseline=None, serve=False, as_json=True, keep=keep)
    return code, json.loads((keep / "night.json").read_text(encoding="utf-8")), keep


def test_every_promise_is_kept(played: tuple[int, dict[str, Any], Path]) -> None:
    code, document, _ = played
    assert document["broken"] == []
    assert (document["ok"], code) == (True, 0)
    assert document["overshoot"] == {"max_kw": 0.0, "seconds": 0}
    assert {v["readiness"] for v in document["vehicles"]} == {"met"}
    assert len(document["vehicles"]) == 16


def test_the_night_was_as_the_scenario_says(played: tuple[int, dict[str, Any], Path]) -> None:
    _, document, _ = played
    kinds = {(i["kind"], i["subject"]) for i in document["incidents"]}
    assert ("charger_offline", "CP-06") in kinds
    assert ("grid_source_lost", "grid-operator") in kinds
    assert document["commands"]["rejected"] >= 1
    assert [row["import_kw"] for row in document["limits"] if row["binding_source"] == "grid-operator fallback"]
    assert len(document["records"]) == 16
    assert document["impossible"] == []


def test_the_lineage_of_bus_142_reaches_schedule_grid_plan_command_and_frame(
    played: tuple[int, dict[str, Any], Path],
) -> None:
    from gateway import offline

    _, document, keep = played
    found = []
    with offline.open(keep) as source:
        for identity in document["lineage"]["BUS-142"]:
            found.append(source.get(f"/messages/{identity}", {}))
    types = [message["type"] for message in found]
    frames = {m["body"].get("protocol") for m in found if m["type"].startswith("evidence.")}
    assert {"readiness.assessed", "requirement.computed", "work.planned", "allocation.planned"} <= set(types)
    assert {"allocation.assigned", "command.wished", "command.confirmed", "constraint.stated"} <= set(types)
    assert {"oscp", "vdv452"} <= frames
    assert any(str(protocol).startswith("ocpp") for protocol in frames)


def test_one_session_id_stands_in_readiness_record_and_allocation(
    played: tuple[int, dict[str, Any], Path],
) -> None:
    from gateway import offline

    _, document, keep = played
    session = next(r["session"] for r in document["records"] if r["vehicle"] == "BUS-142")
    with offline.open(keep) as source:
        owners = {
            row["type"].split(".")[0] for row in source.get("/messages", {"session": session, "limit": "1000"})["items"]
        }
    assert {"session", "allocation", "readiness", "record"} <= owners
