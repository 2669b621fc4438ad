"""Whole nights over real sockets and a real journal: the promises, and that a broken one is seen."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from gateway import offline
from tests.played import played_once

FOLDER = Path(__file__).parents[2] / "examples" / "bus-142"


@pytest.fixture(scope="module")
def played(tmp_path_factory: pytest.TempPathFactory) -> tuple[int, dict[str, Any], Path]:
    """The night that `busbar demo` plays: its exit code, its document, and the folder with its evidence."""
    night = played_once(tmp_path_factory)
    return night.code, night.document, night.folder


def test_every_promise_is_kept(played: tuple[int, dict[str, Any], Path]) -> None:
    code, document, _ = played
    assert document["broken"] == []
    assert (document["ok"], code) == (True, 0)
    assert document["overshoot"] == {"max_kw": 0.0, "seconds": 0}
    assert {v["readiness"] for v in document["vehicles"]} == {"met"}
    assert len(document["vehicles"]) == 16


def test_the_documentation_names_every_key_of_the_document(played: tuple[int, dict[str, Any], Path]) -> None:
    page = (FOLDER.parents[1] / "docs" / "simulators.md").read_text(encoding="utf-8")
    assert [key for key in played[1] if f"`{key}`" not in page] == []


def test_the_night_was_as_the_scenario_says(played: tuple[int, dict[str, Any], Path]) -> None:
    _, document, _ = played
    kinds = {(i["kind"], i["subject"]) for i in document["incidents"]}
    assert ("charger_offline", "CP-06") in kinds
    assert ("grid_source_lost", "grid-operator") in kinds
    assert document["commands"]["rejected"] >= 1
    assert [row["import_kw"] for row in document["limits"] if row["binding_source"] == "grid-operator fallback"]
    assert len(document["records"]) == 16
    assert document["impossible"] == []


@pytest.fixture(scope="module")
def evidence(played: tuple[int, dict[str, Any], Path]) -> Iterator[offline.Folder]:
    """The night's data folder, read over the API's own handlers."""
    with offline.open(played[2]) as source:
        yield source


def test_the_lineage_of_bus_142_reaches_schedule_grid_plan_command_and_frame(
    played: tuple[int, dict[str, Any], Path], evidence: offline.Folder
) -> None:
    found = [evidence.get(f"/messages/{identity}") for identity in played[1]["lineage"]["BUS-142"]]
    types = [message["type"] for message in found]
    frames = {m["body"].get("protocol") for m in found if m["type"].startswith("evidence.")}
    assert {"readiness.assessed", "requirement.computed", "work.planned", "allocation.planned"} <= set(types)
    assert {"allocation.assigned", "command.wished", "command.confirmed", "constraint.stated"} <= set(types)
    assert {"oscp", "vdv452"} <= frames
    assert any(str(protocol).startswith("ocpp") for protocol in frames)


def test_why_of_the_bus_begins_at_its_outcome_and_shows_the_limit_that_was_lowered(evidence: offline.Folder) -> None:
    tree = evidence.get("/why/BUS-142")
    assert tree["type"] == "readiness.assessed"
    assert "06:20: met" in tree["text"]
    types = {node["type"] for node in _nodes(tree)}
    assert {"requirement.computed", "work.planned", "schedule.received", "constraint.stated"} <= types
    assert {"allocation.assigned", "envelope.computed", "command.confirmed", "session.metered"} <= types
    assert any("260" in node["text"] for node in _nodes(tree) if node["type"] == "constraint.stated")


def _nodes(tree: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield tree
    for child in tree["children"]:
        yield from _nodes(child)


TIMELINE = [
    ("operations & dispatch", "depot & integration", "work.planned", {"work": "vdv452:2026-11-26:1042"}),
    ("operations & dispatch", "dispatch & scheduling", "requirement.computed", {"vehicle": "BUS-142"}),
    ("energy & cost management", "advanced energy & grid", "constraint.stated", {"node": "GRID"}),
    ("smart charging", "load management", "allocation.assigned", {"vehicle": "BUS-142", "station": "CP-10"}),
    ("smart charging", "charger control", "command.confirmed", {"station": "CP-10"}),
    ("smart charging", "charger control", "session.metered", {"station": "CP-10", "vehicle": "BUS-142"}),
    ("incidents & notifications", "detection", "incident.opened", {"station": "CP-06"}),
    ("reporting & insights", "operational dashboards", "readiness.assessed", {"vehicle": "BUS-142"}),
    ("roaming & shared charging", "commercial settlement", "record.priced", {"vehicle": "BUS-142"}),
]
"""Area, subject, type and physical coordinates of every row of the worked example's timeline."""


@pytest.mark.parametrize(("area", "subject", "type", "at"), TIMELINE, ids=[row[2] for row in TIMELINE])
def test_every_moment_of_the_timeline_is_found_by_both_coordinates(
    evidence: offline.Folder, area: str, subject: str, type: str, at: dict[str, str]
) -> None:
    found = evidence.get("/messages", {"area": area, "subject": subject, **at, "limit": "1000"})["items"]
    own = [row for row in found if row["type"] == type]
    assert own
    assert {(row["area"], row["subject"]) for row in found} == {(area, subject)}
    message = evidence.get(f"/messages/{own[0]['id']}")
    assert message["type"] == type
    assert message["causes"]


def test_one_session_id_stands_in_readiness_incident_report_record_and_envelope_evidence(
    evidence: offline.Folder,
) -> None:
    incidents = evidence.get("/incidents", {"limit": "500"})["items"]
    assert not [i for i in incidents if i["resolved"] is None], "the night is over, and nothing needs a person"
    session = next(i["session"] for i in incidents if i["kind"] == "charger_offline" and i["session"])
    rows = evidence.get("/messages", {"session": session, "limit": "1000"})["items"]
    concepts = {row["type"].split(".")[0] for row in rows}
    assert {"session", "allocation", "readiness", "incident", "record"} <= concepts
    (report,) = evidence.get("/reports", {"from": "2026-11-25T12:00:00Z", "to": "2026-11-26T12:00:00Z"})["items"]
    assert report["energy"]["sessions"][session] > 0
    assigned = next(row["id"] for row in rows if row["type"] == "allocation.assigned")
    assert "envelope.computed" in {node["type"] for node in _nodes(evidence.get(f"/why/{assigned}"))}
