"""Settings: one file in, a whole hub out, or every problem with its place and the next step."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pytest

from core.messages.site import SiteConfig
from gateway.settings import HubSettings, Problem, SettingsError, load

SITE = """
id = "depot"
zone = "Europe/Berlin"
nodes = [{ id = "grid", kind = "grid_connection", limit_kw = 400 }]
[[stations]]
id = "CP-01"
node = "grid"
connectors = [{ evse = 1, max_kw = 90 }]
safe_kw = 6
"""
HUB = """
data = "var"
[[http]]
name = "local"
port = 0
[[sites]]
file = "site.toml"
"""


def read(tmp_path: Path, hub: str = HUB, site: str = SITE, env: Mapping[str, str] | None = None) -> HubSettings:
    (tmp_path / "hub.toml").write_text(hub)
    (tmp_path / "site.toml").write_text(site)
    return load(tmp_path / "hub.toml", env or {})


def refused(
    tmp_path: Path, hub: str = HUB, site: str = SITE, env: Mapping[str, str] | None = None
) -> tuple[Problem, ...]:
    with pytest.raises(SettingsError) as caught:
        read(tmp_path, hub, site, env)
    return caught.value.problems


def test_a_site_in_a_file_of_its_own_holds_exactly_what_the_core_is_told(tmp_path: Path) -> None:
    (config,) = read(tmp_path).configs()
    assert type(config) is SiteConfig
    assert config == SiteConfig.model_validate(config.model_dump())
    assert [s.id for s in config.stations] == ["CP-01"]


def test_paths_are_relative_to_the_file(tmp_path: Path) -> None:
    settings = read(tmp_path, HUB + '[[tls]]\nname = "hub"\ncertificate = "a.pem"\nkey = "a.key"\n')
    assert settings.data == tmp_path / "var"
    assert settings.tls[0].certificate == tmp_path / "a.pem"


def test_a_stations_password_stays_out_of_what_the_core_is_told(tmp_path: Path) -> None:
    settings = read(tmp_path, site=SITE + 'password = "file:cp.secret"\n')
    assert settings.aliases() == {"station/CP-01": f"file:{tmp_path / 'cp.secret'}"}
    assert "secret" not in settings.configs()[0].model_dump_json()


def test_a_secret_in_the_file_is_refused_and_not_repeated(tmp_path: Path) -> None:
    (problem,) = refused(tmp_path, site=SITE + 'password = "hunter2"\n')
    assert problem.where == "site.toml:10 sites[0].stations[0].password"
    assert "file:PATH" in problem.what
    assert "hunter2" not in str(problem)


def test_an_unknown_key_is_refused_with_its_line_and_the_nearest_known_one(tmp_path: Path) -> None:
    (problem,) = refused(tmp_path, HUB.replace("port =", "prot ="))
    assert str(problem) == "hub.toml:5 http[0].prot: unknown key `prot`; next: did you mean `port`?"


def test_an_unknown_key_deep_in_an_included_file_is_found(tmp_path: Path) -> None:
    (problem,) = refused(tmp_path, site=SITE + "[policies]\nenergy_margn = 0.1\n")
    assert problem.where == "site.toml:11 sites[0].policies.energy_margn"
    assert problem.next == "did you mean `energy_margin`?"


def test_all_problems_are_told_at_once(tmp_path: Path) -> None:
    hub = HUB.replace("port = 0", "port = 70000") + "natz = 1\n"
    problems = refused(
        tmp_path, hub.replace('data = "var"', 'data = "var"\ndatabse = ""'), SITE.replace("safe_kw = 6", "safe_kw = -1")
    )
    assert [p.where.split()[1] for p in problems] == [
        "http[0].port",
        "sites[0].stations[0].safe_kw",
        "sites[0].natz",
        "databse",
    ]


def test_a_cyclic_tree_is_refused_by_the_cores_own_check(tmp_path: Path) -> None:
    site = SITE.replace(
        "limit_kw = 400 }]",
        'limit_kw = 400 },\n  { id = "a", parent = "b", limit_kw = 1 }, { id = "b", parent = "a", limit_kw = 1 }]',
    )
    problems = refused(tmp_path, site=site)
    assert any("circle" in p.what and p.where == "site.toml:4 sites[0].nodes[1]" for p in problems)


def test_safe_levels_that_do_not_fit_are_refused_with_the_numbers(tmp_path: Path) -> None:
    (problem,) = refused(tmp_path, site=SITE.replace("limit_kw = 400", "limit_kw = 5"))
    assert "6 kW" in problem.what
    assert problem.where == "site.toml:4 sites[0].nodes[0]"


def test_the_environment_overrides_and_is_named_when_it_is_wrong(tmp_path: Path) -> None:
    assert read(tmp_path, env={"BUSBAR__HTTP__0__PORT": "81"}).http[0].port == 81
    assert read(tmp_path, env={"BUSBAR__GATEWAY": "west"}).gateway == "west"
    assert read(tmp_path, env={"BUSBAR_DATA": "/elsewhere"}).data == Path("/elsewhere")
    assert read(tmp_path, env={"BUSBAR_DATA": "near"}).data == Path.cwd() / "near"
    (problem,) = refused(tmp_path, env={"BUSBAR__HTTP__0__PORT": "many"})
    assert problem.where == "environment BUSBAR__HTTP__0__PORT"
    (problem,) = refused(tmp_path, env={"BUSBAR__HTTP__7__PORT": "81"})
    assert problem.where == "environment BUSBAR__HTTP__7__PORT"


def test_an_address_that_others_reach_needs_users(tmp_path: Path) -> None:
    open_ = HUB.replace("port = 0", 'host = "0.0.0.0"')
    (problem,) = refused(tmp_path, open_)
    assert problem.where == "hub.toml:5 http[0].host"
    read(tmp_path, open_ + '[[users]]\nname = "a"\nrole = "viewer"\ntoken = "env:A"\n')
    read(tmp_path, HUB.replace("port = 0", 'host = "0.0.0.0"\nmounts = ["partners"]'))


def test_a_tls_name_that_nobody_declared_is_refused(tmp_path: Path) -> None:
    (problem,) = refused(tmp_path, HUB.replace("port = 0", 'tls = "hub"'))
    assert "`hub`" in problem.what


def test_a_tls_name_inside_an_adapters_table_is_looked_up_too(tmp_path: Path) -> None:
    (problem,) = refused(tmp_path, HUB + '[[adapters.ocpp.listeners]]\ntls = "hub"\n')
    assert problem.where == "hub.toml:9 adapters.ocpp.listeners[0].tls"


def test_a_wrong_adapter_setting_is_told_at_its_line(tmp_path: Path) -> None:
    (problem,) = refused(tmp_path, HUB + "[adapters.ocpp]\nheartbeat = 300\n")
    assert (
        str(problem) == "hub.toml:9 adapters.ocpp.heartbeat: unknown key `heartbeat`; next: did you mean `heartbeat_s`?"
    )


def test_a_station_in_two_sites_is_refused(tmp_path: Path) -> None:
    (problem,) = refused(tmp_path, HUB + '[[sites]]\nfile = "site.toml"\nid = "other"\n')
    assert "two sites" in problem.what


def test_an_adapter_that_nobody_offers_is_refused(tmp_path: Path) -> None:
    (problem,) = refused(tmp_path, HUB + "[adapters.ocppp]\n")
    assert problem.next == "did you mean `ocpp`?"
    assert problem.where == "hub.toml:8 adapters.ocppp"


@pytest.mark.parametrize(
    ("text", "what"), [("data = [", "not TOML"), ("data = 1\ndata = 2", "not TOML"), ("http = 3", "valid tuple")]
)
def test_what_is_not_the_shape_of_a_configuration_is_one_clear_problem(tmp_path: Path, text: str, what: str) -> None:
    (problem,) = refused(tmp_path, text)
    assert what in problem.what


def test_a_missing_file_and_a_missing_included_file_are_named(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="no such file"):
        load(tmp_path / "nowhere.toml", {})
    (problem,) = refused(tmp_path, HUB.replace("site.toml", "sight.toml"))
    assert problem.where == str(tmp_path / "sight.toml")


def test_without_any_file_content_one_loopback_listener_serves_everything(tmp_path: Path) -> None:
    settings = read(tmp_path, "")
    assert [(h.host, h.mounts, h.rate) for h in settings.http] == [
        ("127.0.0.1", ("pages", "api", "partners", "pki", "uploads", "metrics"), 0.0)
    ]


def test_a_next_step_that_a_model_names_itself_is_said_once(tmp_path: Path) -> None:
    (problem,) = refused(tmp_path, HUB + "[[adapters.ocpp.listeners]]\nport = 9220\n")
    assert problem.what == "a listener without tls carries passwords in the clear"
    assert 'tls = "name"' in problem.next and "plain = true" in problem.next
    assert str(problem).count("next:") == 1
