"""From nothing to a checked configuration, with certificates and what to type into a charger."""

from __future__ import annotations

import json
import re
import stat
from pathlib import Path

from core.energy_system import faults
from gateway.settings import load
from tests.gateway.cli.conftest import Cli, Hub


async def test_a_first_configuration_is_accepted_by_check(cli: Cli) -> None:
    assert (await cli("init", "depot")).code == 0
    ended = await cli("check", "--config", "depot/busbar.toml")
    assert (ended.code, ended.err) == (0, "")
    assert "fine: 1 site(s), 2 station(s), 2 vehicle(s)" in ended.out
    assert "charging stations connect to ws://127.0.0.1:9220/ocpp/STATION" in ended.out


async def test_a_first_configuration_also_holds_with_every_comment_taken_away(cli: Cli, tmp_path: Path) -> None:
    await cli("init", "depot")
    file = tmp_path / "depot" / "busbar.toml"
    text = re.sub(
        r"(?m)^# (\[\[(?:users|tls|adapters\.ocpp\.listeners)\]\]|host =|port =|name =|role =|token =|certificate =|key =|tls =|mounts =|sources =|password =)",
        r"\1",
        file.read_text(),
    )
    file.write_text(text)
    settings = load(file, {})
    assert [u.name for u in settings.users] == ["control-room"]
    assert settings.http[0].tls == "hub"
    assert faults(settings.configs()[0]) == ()
    assert settings.configs()[0].sources[0].id == "dso"


async def test_init_never_overwrites(cli: Cli, tmp_path: Path) -> None:
    await cli("init", "depot")
    ended = await cli("init", "depot")
    assert ended.code == 2
    assert "edit it, or name another folder" in ended.err


async def test_check_prints_every_problem_with_its_line(cli: Cli, tmp_path: Path) -> None:
    (tmp_path / "busbar.toml").write_text('gatway = "x"\n[[http]]\nport = -1\n')
    ended = await cli("check")
    assert ended.code == 2
    assert sorted(line.split(":")[1].strip() for line in ended.err.splitlines()) == ["busbar.toml", "busbar.toml"]
    assert "did you mean `gateway`?" in ended.err


async def test_check_says_the_same_to_programs_also_of_a_file_that_cannot_be_used(cli: Cli, tmp_path: Path) -> None:
    (tmp_path / "busbar.toml").write_text('gatway = "x"\n')
    ended = await cli("check", "--json")
    told = json.loads(ended.out)
    assert (ended.code, told["ok"]) == (2, False)
    assert [(f["level"], "gatway" in f["where"], bool(f["next"])) for f in told["findings"]] == [("error", True, True)]


async def test_check_says_that_no_listener_serves_an_adapters_peers(cli: Cli, tmp_path: Path) -> None:
    await cli("init", ".")
    file = tmp_path / "busbar.toml"
    whole = file.read_text() + '\n[adapters.oscp]\nbase_url = "http://127.0.0.1:8080"\n'
    file.write_text(whole)
    assert (await cli("check")).code == 0
    file.write_text(whole.replace("# mounts =", "mounts =").replace('"partners", ', ""))
    ended = await cli("check")
    assert ended.code == 1
    assert "adapters.oscp: no listener mounts `partners`" in ended.err
    assert 'next: add "partners" to the `mounts` of an `[[http]]` listener' in ended.err


async def test_check_warns_of_a_peer_that_does_not_answer(cli: Cli, tmp_path: Path) -> None:
    await cli("init", ".")
    file = tmp_path / "busbar.toml"
    peer = (
        '[[sites.sources]]\nid = "dso"\nnode = "grid"\nfallback_import_kw = 120\n[adapters.oscp]\nbase_url = "http://127.0.0.1:1"\n'
        '[[adapters.oscp.peers]]\nname = "grid"\nsite = "depot"\ngroups = { G = "dso" }\ntoken_ref = "file:token"\n'
        'start = "us"\nurl = "http://127.0.0.1:1/oscp/cp/2.0"\n'
    )
    file.write_text(file.read_text() + peer)
    (tmp_path / "token").write_text("a-token-from-a-letter")
    ended = await cli("check")
    assert ended.code == 0, ended.err
    assert "warning: adapters.oscp.peers[0].url: http://127.0.0.1:1/oscp/cp/2.0 does not answer" in ended.out


async def test_check_says_no_when_a_reference_leads_to_nothing(cli: Cli, tmp_path: Path) -> None:
    await cli("init", ".")
    file = tmp_path / "busbar.toml"
    file.write_text(file.read_text() + '[[users]]\nname = "anna"\nrole = "admin"\ntoken = "file:tokens/anna"\n')
    ended = await cli("check", "--json")
    told = json.loads(ended.out)
    assert (ended.code, told["ok"]) == (1, False)
    assert [(f["level"], f["where"]) for f in told["findings"] if f["level"] == "error"] == [("error", "users.anna")]


async def test_check_says_no_to_a_certificate_that_cannot_be_used(cli: Cli, tmp_path: Path) -> None:
    await cli("init", ".")
    file = tmp_path / "busbar.toml"
    file.write_text(
        file.read_text() + '[[tls]]\nname = "hub"\ncertificate = "pki/server.pem"\nkey = "pki/server.key"\n'
    )
    ended = await cli("check")
    assert ended.code == 1
    assert "busbar pki init DIR" in ended.err
    assert (await cli("pki", "init", "pki")).code == 0
    assert (await cli("check")).code == 0
    (tmp_path / "pki" / "server.key").chmod(0o644)
    assert "chmod 600" in (await cli("check")).out


async def test_pki_init_tells_what_goes_where_and_never_overwrites(cli: Cli, tmp_path: Path) -> None:
    ended = await cli("pki", "init", "pki", "--name", "hub.example", "--name", "10.0.0.7", "--json")
    told = json.loads(ended.out)
    assert Path(told["root"]).is_file()
    assert stat.S_IMODE(Path(told["key"]).stat().st_mode) == 0o600
    again = await cli("pki", "init", "pki")
    assert again.code == 2
    assert "lock out stations" in again.err


async def test_connect_prints_what_to_type_into_the_charger(cli: Cli, tmp_path: Path) -> None:
    await cli("init", ".")
    ended = await cli("connect", "ocpp", "CP-01", "--config", "busbar.toml", "--show-password", "--json")
    told = json.loads(ended.out)
    assert told["url"] == ["ws://127.0.0.1:9220/ocpp/CP-01"]
    assert told["user"] == "CP-01"
    (kept,) = (tmp_path / "data" / "secrets").iterdir()
    assert told["password"] == kept.read_text()


async def test_a_password_goes_into_a_new_file_that_nobody_else_may_read(cli: Cli, tmp_path: Path) -> None:
    await cli("init", ".")
    asked = ("connect", "ocpp", "CP-01", "--config", "busbar.toml", "--password-to", "cp.password")
    ended = await cli(*asked)
    (kept,) = (tmp_path / "data" / "secrets").iterdir()
    assert (tmp_path / "cp.password").read_text() == kept.read_text()
    assert kept.read_text() not in ended.out
    assert stat.S_IMODE((tmp_path / "cp.password").stat().st_mode) == 0o600
    again = await cli(*asked)
    assert (again.code, "name a new file" in again.err) == (2, True)


async def test_a_password_is_not_printed_into_a_pipe_unasked(cli: Cli) -> None:
    await cli("init", ".")
    ended = await cli("connect", "ocpp", "CP-01", "--config", "busbar.toml")
    assert "--show-password" in ended.out


async def test_connect_does_not_know_a_station_that_nobody_declared(cli: Cli) -> None:
    await cli("init", ".")
    ended = await cli("connect", "ocpp", "CP-99", "--config", "busbar.toml")
    assert ended.code == 1
    assert "--accept" in ended.err


async def test_a_running_hub_says_which_address_it_really_bound(cli: Cli, hub: Hub) -> None:
    ended = await cli("connect", "ocpp", "CP 1", "--data", hub.data, "--json")
    assert json.loads(ended.out)["url"] == ["ws://127.0.0.1:9/ocpp/CP%201"]
    note = json.loads((hub.data / "hub.json").read_text())
    (hub.data / "hub.json").write_text(json.dumps(note | {"ocpp": ["127.0.0.1:7"]}))
    ended = await cli("connect", "ocpp", "CP 1", "--data", hub.data, "--json")
    assert json.loads(ended.out)["url"] == ["ws://127.0.0.1:7/ocpp/CP%201"]


async def test_who_knocks_is_listed_and_let_in(cli: Cli, hub: Hub) -> None:
    hub.answers["GET", "/stations"] = {"items": [{"station": "CP-99", "reason": "station_unknown", "count": 3}]}
    ended = await cli("connect", "ocpp", "--knocking", "--data", hub.data)
    assert "CP-99" in ended.out
    assert hub.asked[-1].query == {"knocking": "1"}
    hub.answers["POST", "/stations"] = {}
    ended = await cli(
        "connect", "ocpp", "CP-99", "--accept", "--node", "p1", "--connectors", "90,90", "--data", hub.data
    )
    assert ended.code == 0
    assert json.loads(hub.asked[-1].body) == {
        "station": "CP-99",
        "site": "depot",
        "node": "p1",
        "connectors_kw": [90.0, 90.0],
    }
    assert "connectors = [{ evse = 1, max_kw = 90 }, { evse = 2, max_kw = 90 }]" in ended.out


async def test_who_was_let_in_is_told_what_to_type_before_the_rows_know_him(cli: Cli, hub: Hub) -> None:
    await cli("init", ".")
    hub.answers["GET", "/stations"] = {"items": []}
    hub.answers["POST", "/stations"] = {}
    ended = await cli("connect", "ocpp", "CP-99", "--accept", "--connectors", "90", "--config", "busbar.toml", "--json")
    assert (ended.code, ended.err) == (0, "")
    assert json.loads(ended.out)["user"] == "CP-99"


async def test_what_the_installation_page_says_to_type_is_accepted(cli: Cli, tmp_path: Path) -> None:
    page = (Path(__file__).resolve().parents[3] / "docs" / "installation.md").read_text()
    data, snippet = re.findall(r"```toml\n(.*?)```", page, re.DOTALL)
    await cli("init", ".")
    await cli("pki", "init", "pki", "--name", "depot.example")
    (tmp_path / "tokens").mkdir()
    (tmp_path / "tokens" / "control-room").write_text("x")
    file = tmp_path / "busbar.toml"
    (line,) = [line for line in file.read_text().splitlines() if line.startswith("data = ")]
    here = data.strip().replace("/var/lib/busbar", str(tmp_path / "lib"))
    file.write_text(file.read_text().replace(line, here) + snippet)
    ended = await cli("check")
    assert (ended.code, ended.err) == (0, "")
    assert "nobody needs a token" not in ended.out
    told = json.loads((await cli("connect", "ocpp", "CP-01", "--config", "busbar.toml", "--json")).out)
    assert told["url"] == ["wss://depot.example:9220/ocpp/CP-01"]
