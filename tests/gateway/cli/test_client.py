"""Verbs as thin clients of a running hub: what they ask, what they print, how they end."""

from __future__ import annotations

import io
import json
import zipfile
from pathlib import Path

import pytest

from core.ports import HttpResponse
from gateway.cli.table import table
from tests.gateway.cli.conftest import Cli, Hub


async def test_a_read_verb_prints_a_table_and_dashes_for_what_is_unknown(cli: Cli, hub: Hub) -> None:
    rows = [{"vehicle": "BUS-142", "soc": 0.2, "station": "CP-07"}, {"vehicle": "BUS-7", "soc": None}]
    hub.answers["GET", "/vehicles"] = {"items": rows}
    ended = await cli("vehicles", "--site", "depot", "--data", hub.data)
    assert ended.out.splitlines() == ["vehicle  soc  station", "BUS-142  0.2  CP-07", "BUS-7      -  -"]
    assert hub.asked[-1].query == {"site": "depot"}
    assert hub.asked[-1].headers["busbar-user"] == "anna"


async def test_json_is_the_rows_over_all_pages(cli: Cli, hub: Hub) -> None:
    pages = iter([{"items": [{"session": "a"}], "next": "c1"}, {"items": [{"session": "b"}]}])
    hub.answers = Pages(pages)
    ended = await cli("sessions", "--json", "--data", hub.data)
    assert json.loads(ended.out) == [{"session": "a"}, {"session": "b"}]
    assert hub.asked[-1].query == {"cursor": "c1"}


class Pages(dict):  # type: ignore[type-arg]
    def __init__(self, pages: object) -> None:
        self.pages = pages

    def get(self, key: object, default: object = None) -> object:
        return next(self.pages)  # type: ignore[call-overload]


async def test_nothing_to_show_says_what_that_means(cli: Cli, hub: Hub) -> None:
    hub.answers["GET", "/incidents"] = {"items": []}
    assert (await cli("incidents", "--data", hub.data)).out == "no incident\n"


async def test_the_data_folder_comes_from_the_environment_or_from_the_demo(
    cli: Cli, hub: Hub, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("BUSBAR_DATA", str(hub.data))
    assert "depot" in (await cli("status")).out
    monkeypatch.delenv("BUSBAR_DATA")
    (tmp_path / "var").mkdir()
    (tmp_path / "var" / "demo").symlink_to(hub.data)
    assert "depot" in (await cli("status")).out


async def test_a_refusal_of_the_hub_is_told_with_its_next_step(cli: Cli, hub: Hub) -> None:
    ended = await cli("limit", "CP-99", "20", "--for", "2h", "--data", hub.data)
    assert ended.code == 1
    assert "there is no such thing" in ended.err
    assert "next: see `busbar stations`" in ended.err


async def test_a_wrong_token_is_exit_2(cli: Cli, hub: Hub, tmp_path: Path) -> None:
    (tmp_path / "wrong").write_text("wrong")
    ended = await cli("status", "--data", hub.data, "--token-file", tmp_path / "wrong")
    assert ended.code == 2
    assert "token" in ended.err


async def test_a_hub_that_does_not_answer_is_exit_3(cli: Cli) -> None:
    ended = await cli("status", "--url", "http://127.0.0.1:1")
    assert ended.code == 3
    assert "next: see that it runs" in ended.err
    assert (await cli("status", "--url", "file:///etc/passwd")).code == 2


async def test_a_verb_that_changes_something_needs_a_running_hub(cli: Cli, tmp_path: Path) -> None:
    ended = await cli("assign", "BUS-142", "CP-07/1", "--data", tmp_path)
    assert ended.code == 3
    assert "busbar serve" in ended.err


async def test_a_departure_by_hand_has_one_goal(cli: Cli, hub: Hub) -> None:
    hub.answers["POST", "/sites/depot/departures"] = {"id": "m1"}
    ended = await cli("departure", "add", "BUS-142", "06:20", "--km", "180", "--data", hub.data)
    assert ended.out == "BUS-142 leaves at 06:20 (journal position 77)\n"
    assert json.loads(hub.asked[-1].body) == {"vehicle": "BUS-142", "time": "06:20", "km": 180.0}
    assert (await cli("departure", "add", "BUS-142", "06:20", "--data", hub.data)).code == 2
    two = await cli("departure", "add", "BUS-142", "06:20", "--km", "1", "--soc", "0.5", "--data", hub.data)
    assert two.code == 2


async def test_a_limit_by_hand_says_how_long_and_why(cli: Cli, hub: Hub) -> None:
    hub.answers["POST", "/stations/CP-07/limit"] = {}
    await cli("limit", "CP-07", "20", "--for", "1h30m", "--why", "noise", "--data", hub.data)
    assert json.loads(hub.asked[-1].body) == {"kw": 20.0, "for_s": 5400, "why": "noise"}
    assert (await cli("limit", "CP-07", "20", "--for", "soon", "--data", hub.data)).code == 2


async def test_a_vehicles_place_is_a_station_an_evse_or_a_bay(cli: Cli, hub: Hub) -> None:
    hub.answers["POST", "/sites/depot/assignments"] = {}
    await cli("assign", "BUS-142", "CP-07/2", "--data", hub.data)
    assert json.loads(hub.asked[-1].body) == {"vehicle": "BUS-142", "station": "CP-07", "evse": 2, "why": ""}
    await cli("assign", "BUS-142", "D2", "--data", hub.data)
    assert json.loads(hub.asked[-1].body)["station"] == "D2"
    assert (await cli("assign", "BUS-142", "CP-07/x", "--data", hub.data)).code == 2


async def test_an_imported_file_arrives_as_it_is_and_its_quarantine_is_shown(
    cli: Cli, hub: Hub, tmp_path: Path
) -> None:
    row = {"row": 7, "reason": "vehicle_unknown", "next": "declare BUS-9"}
    hub.answers["POST", "/sites/depot/schedules"] = {"added": 3, "changed": 1, "quarantined": [row]}
    (tmp_path / "plan ä.csv").write_bytes(b"a;b\n\xff")
    ended = await cli("import", "plan ä.csv", "--dry-run", "--data", hub.data)
    assert hub.asked[-1].body == b"a;b\n\xff"
    assert hub.asked[-1].query == {"format": "auto", "dry_run": "true"}
    assert hub.asked[-1].headers["x-file-name"] == "plan%20%C3%A4.csv"
    assert "added 3, changed 1" in ended.out
    assert "vehicle_unknown" in ended.out


async def test_a_folder_is_imported_as_one_archive_that_is_equal_for_equal_content(
    cli: Cli, hub: Hub, tmp_path: Path
) -> None:
    hub.answers["POST", "/sites/depot/schedules"] = {}
    (tmp_path / "vdv" / "deep").mkdir(parents=True)
    (tmp_path / "vdv" / "deep" / "rec_frt.x10").write_text("x")
    for _ in range(2):
        await cli("import", "vdv", "--data", hub.data)
    bodies = [r.body for r in hub.asked if r.method == "POST"]
    assert bodies[0] == bodies[1]
    assert zipfile.ZipFile(io.BytesIO(bodies[0])).namelist() == ["deep/rec_frt.x10"]
    assert (await cli("import", "nowhere.zip", "--data", hub.data)).code == 3


async def test_a_long_import_names_the_place_to_look(cli: Cli, hub: Hub, tmp_path: Path) -> None:
    hub.answers["POST", "/sites/depot/schedules"] = HttpResponse(202, b'{"id": "abc"}')
    (tmp_path / "plan.csv").write_text("x")
    assert "busbar why abc" in (await cli("import", "plan.csv", "--data", hub.data)).out


async def test_reload_says_what_changed(cli: Cli, hub: Hub) -> None:
    hub.answers["POST", "/reload"] = {"changed": ["sites.depot.policies.guard_s"]}
    assert "guard_s" in (await cli("reload", "--data", hub.data)).out


async def test_why_draws_the_tree_down_to_the_evidence(cli: Cli, hub: Hub) -> None:
    leaf = {"id": "f1", "text": "frame"}
    tree = {
        "id": "r1",
        "text": "BUS-142 met",
        "children": [{"id": "a1", "text": "plan", "children": [leaf], "more": 2}, leaf],
    }
    hub.answers["GET", "/why/BUS-142"] = tree
    ended = await cli("why", "BUS-142", "--data", hub.data)
    assert ended.out.splitlines() == [
        "BUS-142 met  [r1]",
        "├─ plan  [a1]",
        "│  ├─ frame  [f1]",
        "│  └─ and 2 more",
        "└─ frame  [f1]",
    ]


async def test_trace_prints_frames_and_exports_one_object_per_line(cli: Cli, hub: Hub) -> None:
    frame = {"time": "t", "direction": "received", "text": '[2,"1","Heartbeat",{}]', "position": "5.0"}
    hub.answers["GET", "/stations/CP-07/frames"] = {"items": [frame]}
    assert (await cli("trace", "CP-07", "--data", hub.data)).out == 't  received  [2,"1","Heartbeat",{}]\n'
    assert json.loads((await cli("trace", "CP-07", "--json", "--data", hub.data)).out) == frame


async def test_replay_of_a_running_hub_says_no_at_the_first_difference(cli: Cli, hub: Hub) -> None:
    hub.answers["POST", "/replay"] = {"records": 10, "messages": 40, "differences": []}
    assert (await cli("replay", "--data", hub.data)).code == 0
    hub.answers["POST", "/replay"] = {"differences": [{"position": "7.0", "what": "other wish"}]}
    ended = await cli("replay", "--data", hub.data)
    assert (ended.code, "other wish" in ended.out) == (1, True)


def test_a_strangers_name_cannot_steer_the_terminal() -> None:
    shown = table([{"station": "CP\x1b[2J\n01"}])
    assert "\x1b" not in shown
    assert len(shown.splitlines()) == 2


async def test_a_what_if_needs_no_hub(cli: Cli, tmp_path: Path) -> None:
    (tmp_path / "broken.json").write_text("{")
    assert (await cli("plan", "broken.json")).code == 2
    assert (await cli("plan", "nowhere.json")).code == 3
    (tmp_path / "empty.json").write_text("{}")
    ended = await cli("plan", "empty.json")
    assert ended.code == 2
    assert "docs/allocation.md" in ended.err
