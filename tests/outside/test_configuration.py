"""A settings file with a mistake in it: `check` and `serve` end with 2, one line per mistake, and the next step."""

from __future__ import annotations

import pytest

from tests.outside.depot import SETTINGS, SITE, Depot

Mistakes = list[tuple[str, str, tuple[str, ...]]]

MISTAKES: dict[str, Mistakes] = {
    "typing errors and wrong types, with the nearest key": [
        ("safe_kw = 10\n", "save_kw = 10\n", ("save_kw", "`safe_kw`?", "site.toml:")),
        ("limit_kw = 400", 'limit_kw = "much"', ("limit_kw", "site.toml:5")),
    ],
    "names that lead nowhere": [
        ('node = "panel-2"', 'node = "pannel-2"', ("pannel-2", "`CP-03`", "site.toml:24")),
        ('id = "CP-02"', 'id = "CP-01"', ("`CP-01`",)),
        ('type = "solo-12m"\ntokens = ["TAG-1"]', 'type = "solo"\ntokens = ["TAG-1"]', ("solo", "BUS-1")),
    ],
    "safe levels that fit neither a panel nor a fallback": [
        ("safe_kw = 10\n", "safe_kw = 90\n", ("panel-1", "180 kW")),
        ("limit_kw = 200", "limit_kw = 150", ("150 kW",)),
        ("fallback_import_kw = 260", "fallback_import_kw = 50", ("380 kW", "50 kW", "dso")),
    ],
    "a circle in the tree": [
        ('"panel-1", parent = "grid"', '"panel-1", parent = "panel-2"', ("panel-1",)),
        ('"panel-2", parent = "grid"', '"panel-2", parent = "panel-1"', ("panel-2",)),
    ],
    "no TOML": [('id = "depot"', "id = depot", ("site.toml", "line 2"))],
}


@pytest.mark.parametrize("kind", MISTAKES)
async def test_every_mistake_is_named_with_its_line_and_the_next_step(folder: Depot, kind: str) -> None:
    site = SITE
    for right, wrong, _ in MISTAKES[kind]:
        assert right in site
        site = site.replace(right, wrong)
    folder.site_file.write_text(site)
    checked = await folder.busbar("check")
    assert checked.code == 2, checked
    assert "Traceback" not in checked.err
    for _, _, words in MISTAKES[kind]:
        assert all(word in checked.err for word in words), (words, checked.err)
    assert all("next:" in line for line in checked.err.splitlines()), checked.err


async def test_serve_refuses_what_check_refuses_with_the_same_words(folder: Depot) -> None:
    text = SETTINGS.format(**folder.ports).replace("call_timeout_s", "call_timout_s").replace('name = "boss"', "")
    folder.file.write_text(text + "\n[adapters.osccp]\n")
    checked, served = await folder.busbar("check"), await folder.busbar("serve")
    assert (checked.code, served.code) == (2, 2), (checked, served)
    for told in (checked.err, served.err):
        assert "did you mean" in told or "call_timeout_s" in told, told
        assert "oscp" in told and "users[2]" in told, told
        assert len([line for line in told.splitlines() if "next:" in line]) == 3, told
    assert not folder.data.exists() or not (folder.data / "hub.json").exists()


async def test_a_peer_that_speaks_for_a_source_that_is_not_there_is_refused(folder: Depot) -> None:
    text = SETTINGS.format(**folder.ports).replace('"DE-4711" = "dso"', '"DE-4711" = "dsoo"')
    folder.file.write_text(text)
    told = await folder.busbar("check")
    assert (told.code, "`dsoo`" in told.err, "`dso`?" in told.err) == (2, True, True), told.err


async def test_a_secret_in_the_file_is_refused_and_not_repeated(folder: Depot) -> None:
    folder.file.write_text(SETTINGS.format(**folder.ports).replace("file:tokens/boss", "hunter2-hunter2"))
    told = await folder.busbar("check")
    assert told.code == 2
    assert "hunter2" not in told.out + told.err
    assert "file:PATH" in told.err


async def test_check_names_a_reference_that_leads_nowhere_and_a_key_of_another_certificate(folder: Depot) -> None:
    (folder.folder / "tokens" / "boss").unlink()
    (folder.folder / "pki" / "server.key").write_bytes((folder.folder / "pki" / "root.key").read_bytes())
    told = await folder.busbar("check")
    assert told.code == 1, told
    assert "tokens/boss" in told.err and "tls.hub" in told.err, told.err
    served = await folder.busbar("serve")
    assert served.code == 2, served
    assert "next:" in served.err and "Traceback" not in served.err, served.err


async def test_check_is_content_with_what_the_documentation_says(folder: Depot) -> None:
    told = await folder.busbar("check")
    assert (told.code, told.err) == (0, "")
    assert "4 station(s)" in told.out


async def test_a_port_that_is_taken_is_named(folder: Depot, depot: Depot) -> None:
    folder.file.write_text(SETTINGS.format(**{**folder.ports, "ws": depot.ports["ws"]}))
    served = await folder.busbar("serve")
    assert served.code == 3, served
    assert str(depot.ports["ws"]) in served.err and "next:" in served.err, served.err
    assert "Traceback" not in served.err
