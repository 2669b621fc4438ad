"""Verbs as thin clients of a running hub: what they ask, what they print, how they end."""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path

import pytest

from core.ports import HttpResponse
from gateway.cli.table import table
from gateway.http import problem
from gateway.settings import HttpListener, TlsContext
from gateway.tls import TlsContexts
from pki.folder import initialise
from tests.gateway.cli.conftest import Cli, Hub


async def test_a_read_verb_prints_a_table_and_dashes_for_what_is_unknown(cli: Cli, hub: Hub) -> None:
    rows = [{"vehicle": "BUS-142", "soc": 0.2, "station": "CP-07"}, {"vehicle": "BUS-7", "soc": None}]
    hub.answers["GET", "/vehicles"] = {"items": rows}
    ended = await cli("vehicles", "--site", "depot", "--data", hub.data)
    assert ended.out.splitlines() == ["vehicle  soc  station", "BUS-142  0.2  CP-07", "BUS-7      -  -"]
    assert hub.asked[-1].query == {"site": "depot"}
    assert hub.asked[-1].headers["busbar-user"] == "anna"


@pytest.mark.parametrize("verb", [("status",), ("departure", "add", "BUS-142", "06:20", "--km", "9")])
async def test_a_hub_whose_certificate_names_another_host_runs_and_is_to_be_named_so(
    cli: Cli, hub: Hub, tmp_path: Path, verb: tuple[str, ...]
) -> None:
    made = initialise(tmp_path / "pki", ("depot.example",), datetime.now(UTC))
    contexts = TlsContexts([TlsContext(name="hub", certificate=made.certificate, key=made.key)])
    await hub.http.start([HttpListener(name="secure", port=0, tls="hub")], contexts)
    note = json.loads((hub.data / "hub.json").read_text())
    (hub.data / "hub.json").write_text(json.dumps(note | {"url": hub.http.addresses["secure"]}))
    ended = await cli(*verb, "--data", hub.data)
    assert (ended.code, "the hub's certificate is not trusted" in ended.err) == (2, True), ended.err
    assert "--url https://NAME:PORT" in ended.err


async def test_windows_that_follow_one_another_and_say_the_same_are_one_line(cli: Cli, hub: Hub) -> None:
    def window(hour: int, node: str, kw: int) -> dict[str, object]:
        begins, ends = (f"2026-11-25T{h:02}:00:00Z" for h in (hour, hour + 1))
        return {"from": begins, "to": ends, "import_kw": kw, "binding_source": "rating", "node": node}

    rows = [window(18, "GRID", 400), window(18, "P1", 90), window(19, "GRID", 400), window(20, "GRID", 300)]
    rows += [window(22, "GRID", 300)]
    hub.answers["GET", "/envelope"] = {"items": rows}
    lines = (await cli("envelope", "--data", hub.data)).out.splitlines()[1:]
    assert [(line.split()[1], line.split()[3], line.split()[4]) for line in lines] == [
        ("18:00:00+00:00", "20:00:00+00:00", "400"),
        ("18:00:00+00:00", "19:00:00+00:00", "90"),
        ("20:00:00+00:00", "21:00:00+00:00", "300"),
        ("22:00:00+00:00", "23:00:00+00:00", "300"),
    ]
    assert json.loads((await cli("envelope", "--json", "--data", hub.data)).out) == rows


async def test_a_goal_that_may_be_a_mistyped_fraction_is_asked_for_again(cli: Cli, hub: Hub) -> None:
    ended = await cli("departure", "add", "BUS-142", "06:20", "--soc", "1.5", "--data", hub.data)
    assert (ended.code, "write percent as 1.5%" in ended.err) == (2, True)


async def test_json_is_the_rows_over_all_pages(cli: Cli, hub: Hub) -> None:
    pages = iter([{"items": [{"session": "a"}], "next": "c1"}, {"items": [{"session": "b"}]}])
    hub.answers = Pages(pages)
    ended = await cli("sessions", "--json", "--data", hub.data)
    assert json.loads(ended.out) == [{"session": "a"}, {"session": "b"}]
    assert hub.asked[-1].query == {"cursor": "c1"}


class Pages(dict):
    def __init__(self, pages: object) -> None:
        self.pages = pages

    def get(self, key: object, default: object = None) -> object:
        return next(self.pages)


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


async def test_a_server_that_is_no_hub_is_told_from_a_hub_without_sites(cli: Cli, hub: Hub) -> None:
    hub.answers["GET", "/sites"] = HttpResponse(200, b"<html>welcome</html>")
    ended = await cli("status", "--data", hub.data)
    assert (ended.code, "no hub" in ended.err) == (3, True)


async def test_a_verb_that_changes_something_needs_a_running_hub(cli: Cli, tmp_path: Path) -> None:
    ended = await cli("assign", "BUS-142", "CP-07/1", "--data", tmp_path)
    assert ended.code == 3
    assert "busbar serve" in ended.err


async def test_a_departure_by_hand_has_one_goal(cli: Cli, hub: Hub) -> None:
    hub.answers["POST", "/sites/depot/departures"] = {"id": "m1"}
    hub.answers["GET", "/sites"] = {"items": [{"id": "depot", "zone": "Europe/Berlin"}]}
    days = ("2099-01-02T05:20:00Z", "2099-01-01T05:20:00Z", "2020-01-01T05:20:00Z")
    hub.answers["GET", "/work"] = {"items": [{"block": "BUS-142@06:20", "departs": day} for day in days]}
    ended = await cli("departure", "add", "BUS-142", "6:20", "--km", "180", "--why", "a charter", "--data", hub.data)
    assert ended.out == "BUS-142 leaves at 2099-01-01 06:20:00+01:00 (journal position 77)\n"
    (posted,) = [json.loads(request.body) for request in hub.asked if request.method == "POST"]
    assert posted == {"vehicle": "BUS-142", "time": "6:20", "km": 180.0, "why": "a charter"}
    assert (await cli("departure", "add", "BUS-142", "06:20", "--data", hub.data)).code == 2
    two = await cli("departure", "add", "BUS-142", "06:20", "--km", "1", "--soc", "0.5", "--data", hub.data)
    assert two.code == 2


async def test_a_limit_by_hand_says_how_long_and_why(cli: Cli, hub: Hub) -> None:
    hub.answers["POST", "/stations/CP-07/limit"] = {}
    await cli("limit", "CP-07", "20", "--for", "1h30m", "--why", "noise", "--data", hub.data)
    assert json.loads(hub.asked[-1].body) == {"kw": 20.0, "for_s": 5400, "why": "noise"}
    assert (await cli("limit", "CP-07", "20", "--for", "soon", "--data", hub.data)).code == 2


async def test_a_limit_by_hand_says_whose_departure_it_costs(cli: Cli, hub: Hub) -> None:
    cost = {"what": "BUS-142 gets 12 kWh by its departure.", "next": "cap it shorter."}
    hub.answers["POST", "/stations/CP-07/limit"] = {"costs": [cost]}
    ended = await cli("limit", "CP-07", "5", "--for", "2h", "--dry-run", "--data", hub.data)
    assert (ended.code, hub.asked[-1].query["dry_run"]) == (0, "true")
    assert "would draw at most 5 kW" in ended.out
    assert "BUS-142 gets 12 kWh by its departure. Next: cap it shorter." in ended.out


async def test_a_limit_that_is_refused_ends_with_one_and_the_next_step(cli: Cli, hub: Hub) -> None:
    told = problem(409, "cap-above-rating", "Refused", "Refused: CP-07 gives at most 90 kW.", "name less than that")
    hub.answers["POST", "/stations/CP-07/limit"] = told
    ended = await cli("limit", "CP-07", "900", "--for", "2h", "--data", hub.data)
    assert ended.code == 1
    assert "at most 90 kW" in ended.err and "name less than that" in ended.err


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


async def test_refused_rows_of_an_import_are_shown_with_their_next_step(cli: Cli, hub: Hub, tmp_path: Path) -> None:
    refused = {"row": "table:BUS-9@07:00", "reason": "vehicle_unknown", "what": "...", "next": "declare the vehicle."}
    hub.answers["POST", "/sites/depot/schedules"] = {"added": 1, "refused_count": 1, "refused": [refused]}
    (tmp_path / "plan.csv").write_text("x")
    ended = await cli("import", "plan.csv", "--data", hub.data)
    assert ended.out.startswith("plan.csv: added 1, refused 1\n")
    assert "declare the vehicle." in ended.out


async def test_a_file_that_is_refused_is_named_as_the_place(cli: Cli, hub: Hub, tmp_path: Path) -> None:
    hub.answers["POST", "/sites/depot/schedules"] = problem(
        422, "t", "t", "neither VDV 452 nor a table", "name the format"
    )
    (tmp_path / "plan.bin").write_text("x")
    ended = await cli("import", "plan.bin", "--data", hub.data)
    assert ended.code == 2
    assert ended.err == "busbar: neither VDV 452 nor a table (plan.bin); next: name the format\n"


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


async def test_where_one_file_cannot_be_read_none_is_sent(cli: Cli, hub: Hub, tmp_path: Path) -> None:
    hub.answers["POST", "/sites/depot/schedules"] = {}
    (tmp_path / "plan.csv").write_text("x")
    assert (await cli("import", "plan.csv", "nowhere.zip", "--data", hub.data)).code == 3
    assert [request for request in hub.asked if request.method == "POST"] == []


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


async def test_trace_asks_for_older_frames_until_it_has_as_many_as_were_wanted(cli: Cli, hub: Hub) -> None:
    frames = [{"time": "t", "direction": "sent", "text": str(n), "position": f"{n}.0"} for n in range(2500)]

    def newest(query: Mapping[str, str]) -> dict[str, object]:
        end = int(query["before"].partition(".")[0]) if "before" in query else len(frames)
        return {"items": frames[max(0, end - min(1000, int(query["limit"]))) : end]}

    hub.answers["GET", "/stations/CP-07/frames"] = newest
    for wanted in (2400, 5000):
        ended = await cli("trace", "CP-07", "--json", "--at-most", str(wanted), "--data", hub.data)
        told = [int(json.loads(line)["text"]) for line in ended.out.splitlines()]
        assert told == list(range(max(0, 2500 - wanted), 2500))


async def test_trace_of_a_station_that_said_nothing_tells_it_from_one_that_nobody_knows(cli: Cli, hub: Hub) -> None:
    hub.answers["GET", "/stations/CP-07/frames"] = {"items": []}
    hub.answers["GET", "/stations"] = {"items": [{"station": "CP-07"}]}
    ended = await cli("trace", "CP-07", "--data", hub.data)
    assert (ended.code, ended.out) == (0, "")
    assert "no frame of CP-07 yet" in ended.err
    hub.answers["GET", "/stations"] = {"items": []}
    ended = await cli("trace", "CP-07", "--data", hub.data)
    assert (ended.code, "no station `CP-07`" in ended.err) == (1, True)


async def test_trace_follows_a_running_hub_only(cli: Cli, tmp_path: Path) -> None:
    ended = await cli("trace", "CP-07", "--follow", "--data", tmp_path)
    assert (ended.code, "busbar serve" in ended.err) == (3, True)


async def test_trace_goes_on_with_what_is_newer_until_the_hub_is_gone(cli: Cli, hub: Hub) -> None:
    one, two = ({"time": "t", "direction": "sent", "text": f"[{n}]", "position": f"{n}.0"} for n in (5, 6))
    answers = iter([{"items": [one]}, {"items": [two]}, problem(503, "t", "t", "the hub ends", "start it")])
    hub.answers = Pages(answers)
    ended = await cli("trace", "CP-07", "--follow", "--data", hub.data)
    assert [line.split()[-1] for line in ended.out.splitlines()] == ["[5]", "[6]"]
    assert [request.query.get("since") for request in hub.asked] == [None, "5.0", "6.0"]
    assert (ended.code, "the hub ends" in ended.err) == (3, True)


async def test_a_station_may_be_asked_about_without_its_prefix_and_may_have_no_limit_yet(cli: Cli, hub: Hub) -> None:
    hub.answers["GET", "/stations"] = {"items": [{"station": "CP-07"}]}
    ended = await cli("why", "CP-07", "--data", hub.data)
    assert (ended.code, "CP-07 was given no limit yet" in ended.err) == (1, True)
    hub.answers["GET", "/why/station%3ACP-07"] = {"id": "w1", "text": "CP-07 shall draw 10 kW"}
    assert (await cli("why", "CP-07", "--data", hub.data)).out == "CP-07 shall draw 10 kW  [w1]\n"


async def test_moments_are_told_in_the_zone_of_their_site(cli: Cli, hub: Hub) -> None:
    hub.answers["GET", "/sites"] = {"items": [{"id": "depot", "zone": "Europe/Berlin"}]}
    reason = "not seen since 2026-11-26T05:20:00.511576+00:00."
    row = {"vehicle": "BUS-142", "site": "depot", "departure": "2026-11-26T05:20:00.123Z", "reason": reason}
    hub.answers["GET", "/vehicles"] = {"items": [row]}
    told = (await cli("vehicles", "--data", hub.data)).out
    assert "2026-11-26 06:20:00+01:00" in told
    assert "not seen since 2026-11-26 06:20:00+01:00." in told
    assert json.loads((await cli("vehicles", "--json", "--data", hub.data)).out) == [row]


async def test_replay_of_a_running_hub_says_no_at_the_first_difference(cli: Cli, hub: Hub) -> None:
    hub.answers["POST", "/replay"] = {"records": 10, "messages": 40, "differences": []}
    assert (await cli("replay", "--data", hub.data)).code == 0
    hub.answers["POST", "/replay"] = {"differences": [{"position": "7.0", "what": "other wish"}]}
    ended = await cli("replay", "--data", hub.data)
    assert (ended.code, "other wish" in ended.out) == (1, True)


def test_numbers_and_their_units_stay_together_with_the_blanks_that_texts_use() -> None:
    assert "90\N{NARROW NO-BREAK SPACE}%" in table([{"text": "90\N{NARROW NO-BREAK SPACE}%"}])


def test_a_strangers_name_cannot_steer_the_terminal() -> None:
    shown = table([{"station": "CP\x1b[2J\n01"}])
    assert "\x1b" not in shown
    assert len(shown.splitlines()) == 2


async def test_a_negative_limit_is_told_as_such_and_not_as_an_option(cli: Cli, hub: Hub) -> None:
    for typed in (("-3",), ("-3.5", "--for", "2h")):
        ended = await cli("limit", "CP-07", *typed, "--data", hub.data)
        assert (ended.code, "the limit must be 0 kW or more" in ended.err) == (2, True)
    assert "No such option" in (await cli("limit", "CP-07", "3", "--fro", "2h", "--data", hub.data)).err


async def test_what_an_act_changes_for_whom_is_told_after_it(cli: Cli, hub: Hub) -> None:
    change = {"what": "BUS-7 06:20: now on track, then at risk.", "next": "re-plug it."}
    hub.answers["POST", "/sites/depot/assignments"] = {"consequences": [change]}
    ended = await cli("assign", "BUS-142", "CP-07/1", "--dry-run", "--data", hub.data)
    assert (ended.code, hub.asked[-1].query["dry_run"]) == (0, "true")
    assert ended.out.splitlines()[0].startswith("BUS-142 would stand at CP-07/1")
    assert ended.out.splitlines()[1] == "BUS-7 06:20: now on track, then at risk. Next: re-plug it."


async def test_a_state_of_charge_is_typed_as_a_dashboard_shows_it(cli: Cli, hub: Hub) -> None:
    hub.answers["POST", "/sites/depot/charges"] = {}
    for typed in ("43", "43%", "43,0"):
        ended = await cli("soc", "BUS-142", typed, "--data", hub.data)
        assert (json.loads(hub.asked[-1].body)["soc"], "has 43%" in ended.out) == (0.43, True)
    for typed in ("430", "much", "0.43"):
        ended = await cli("soc", "BUS-142", typed, "--data", hub.data)
        assert (ended.code, "write it as 43 or 43%" in ended.err) == (2, True)


async def test_a_configuration_that_is_refused_is_told_line_by_line(cli: Cli, hub: Hub) -> None:
    each = [{"where": f"busbar.toml:{line}", "what": "wrong", "next": f"step {line}"} for line in (5, 7)]
    hub.answers["POST", "/reload"] = problem(422, "s", "Not reloaded", "all", "correct these", problems=each)
    ended = await cli("reload", "--data", hub.data)
    assert ended.code == 2
    assert ended.err.splitlines() == [
        "busbar: busbar.toml:5: wrong; next: step 5",
        "busbar: busbar.toml:7: wrong; next: step 7",
        "busbar: Not reloaded; next: correct these",
    ]


async def test_nothing_that_fits_a_filter_is_told_from_nothing_at_all(cli: Cli, hub: Hub) -> None:
    hub.answers["GET", "/vehicles"] = {"items": []}
    ended = await cli("vehicles", "--vehicle", "BUS-9", "--data", hub.data)
    assert ended.out == "nothing fits --vehicle BUS-9; leave that out to see what there is\n"


async def test_who_was_turned_away_is_shown_with_the_id_to_ask_for(cli: Cli, hub: Hub) -> None:
    kept = {
        "id": "ocpp-12",
        "time": "2026-11-26T00:12:00+00:00",
        "peer": "192.0.2.1",
        "item": {"reason": "password_wrong"},
    }
    hub.answers["GET", "/refused/ocpp"] = {"items": [kept]}
    ended = await cli("trace", "--refused", "ocpp", "--data", hub.data)
    assert ended.code == 0
    assert all(text in ended.out for text in ("ocpp-12", "2026-11-26 ", "192.0.2.1", "password_wrong"))
    ended = await cli("trace", "--refused", "ocpp", "ocpp-12", "--json", "--data", hub.data)
    assert json.loads(ended.out) == kept
    assert [r.query for r in hub.asked if "refused" in r.path][-1] == {"id": "ocpp-12"}
    hub.answers["GET", "/refused/ocpp"] = {"items": []}
    assert (await cli("trace", "--refused", "ocpp", "ocpp-13", "--data", hub.data)).code == 1
    assert (await cli("trace", "--data", hub.data)).code == 2
