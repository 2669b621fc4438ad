"""The hub from outside: a process that is started, asked, told to stop, and started again."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import socket
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import aiohttp

from tests.gateway.cli.conftest import Cli
from tests.waiting import GENEROUS_S, until

FREE = {
    "BUSBAR__HTTP__0__PORT": "0",
    "BUSBAR__ADAPTERS__OCPP__LISTENERS": "[{ port = 0, plain = true, security_profile = 1 }]",
}


@asynccontextmanager
async def serving(config: Path) -> AsyncIterator[tuple[asyncio.subprocess.Process, dict[str, object]]]:
    note = config.parent / "data" / "hub.json"
    arguments = ["-m", "gateway.cli.main", "serve", "--config", str(config)]
    env = os.environ | FREE
    process = await asyncio.create_subprocess_exec(sys.executable, *arguments, env=env, stderr=asyncio.subprocess.PIPE)
    try:
        await until(lambda: note.exists() or process.returncode is not None)
        yield process, json.loads(note.read_text())
    finally:
        if process.returncode is None:
            process.send_signal(signal.SIGTERM)
        _, said = await asyncio.wait_for(process.communicate(), GENEROUS_S)
        (config.parent / "serve.log").write_bytes(said)


async def test_a_first_configuration_serves_stops_when_told_and_starts_again(cli: Cli, tmp_path: Path) -> None:
    await cli("init", "depot")
    config = tmp_path / "depot" / "busbar.toml"
    passwords = []
    for _ in range(2):
        async with serving(config) as (process, note), aiohttp.ClientSession() as http:
            async with http.get(f"{note['url']}/ready") as reply:
                assert (reply.status, (await reply.json())["ready"]) == (200, True)
            told = json.loads(
                (await cli("connect", "ocpp", "CP-01", "--config", config, "--show-password", "--json")).out
            )
            assert str(note["ocpp"][0]) in told["url"][0]
            passwords.append(told["password"])
            login = {"Authorization": aiohttp.encode_basic_auth("CP-01", told["password"])}
            async with http.ws_connect(told["url"][0], headers=login, protocols=["ocpp2.0.1"]) as socket:
                boot = {"reason": "PowerUp", "chargingStation": {"model": "m", "vendorName": "v"}}
                await socket.send_json([2, "1", "BootNotification", boot])
                answer = await socket.receive_json(timeout=GENEROUS_S)
                assert (answer[:2], answer[2]["status"]) == ([3, "1"], "Accepted")
        assert process.returncode == 0
        assert not (tmp_path / "depot" / "data" / "hub.json").exists()
    assert passwords[0] == passwords[1]
    log = (tmp_path / "depot" / "serve.log").read_text()
    assert "this machine alone, without a token" in log
    assert f"busbar is up: {note['url']}, ocpp at {note['ocpp'][0]}" in log


async def test_a_second_hub_on_the_same_data_is_refused_and_says_why(cli: Cli, tmp_path: Path) -> None:
    await cli("init", "depot")
    config = tmp_path / "depot" / "busbar.toml"
    async with serving(config):
        arguments = ["-m", "gateway.cli.main", "serve", "--config", str(config)]
        second = await asyncio.create_subprocess_exec(
            sys.executable, *arguments, env=os.environ | FREE, stderr=asyncio.subprocess.PIPE
        )
        _, told = await asyncio.wait_for(second.communicate(), GENEROUS_S)
        assert second.returncode == 3
        assert b"; next: use that hub, or stop it" in told
        assert b"Traceback" not in told


async def test_a_port_that_somebody_has_is_named_and_doctor_is_the_next_step(cli: Cli, tmp_path: Path) -> None:
    await cli("init", "depot")
    config = tmp_path / "depot" / "busbar.toml"
    with socket.create_server(("127.0.0.1", 0)) as taken:
        env = os.environ | FREE | {"BUSBAR__HTTP__0__PORT": str(taken.getsockname()[1])}
        arguments = ["-m", "gateway.cli.main", "serve", "--config", str(config)]
        hub = await asyncio.create_subprocess_exec(sys.executable, *arguments, env=env, stderr=asyncio.subprocess.PIPE)
        _, told = await asyncio.wait_for(hub.communicate(), GENEROUS_S)
    last = told.decode().splitlines()[-1]
    assert hub.returncode == 3
    assert env["BUSBAR__HTTP__0__PORT"] in last
    assert f"; next: `busbar doctor --config {config}`" in last
    assert "Errno" not in last


async def test_a_folder_in_place_of_the_file_is_told_with_the_file_in_it(cli: Cli, tmp_path: Path) -> None:
    await cli("init", "depot")
    ended = await cli("check", "--config", "depot")
    assert (ended.code, f"name the file in it: {tmp_path / 'depot' / 'busbar.toml'}" in ended.err) == (2, True)


async def test_a_file_in_place_of_a_folder_is_exit_3_and_says_what_to_do(cli: Cli, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    ended = await cli("init", "file")
    assert (ended.code, ended.err) == (
        3,
        "busbar: File exists (file); next: name another place, or take away what is there\n",
    )
