"""The command line against a real hub: every verb finds what it expects."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from gateway.cli.main import run
from tests.gateway.api.conftest import Running
from tests.waiting import GENEROUS_S

CSV = "operating_day,vehicle,departure,distance_km\n2026-11-26,BUS-1,06:20,180\n2026-11-26,BUS-9,06:20,180\nx\n"
Cli = Callable[..., Awaitable[tuple[int, str, str]]]


@pytest.fixture
def cli(running: Running, capsys: pytest.CaptureFixture[str]) -> Cli:
    async def call(*arguments: str) -> tuple[int, str, str]:
        data = str(running.hub.settings.data)
        code = await asyncio.to_thread(run, [*arguments, "--data", data])
        told = capsys.readouterr()
        await running.hub.controllers["depot"].settled(await running.log.last())
        assert await running.hub.api.models.reached(await running.log.last(), GENEROUS_S)
        return code, told.out, told.err

    return call


async def test_an_import_says_what_changed_and_what_was_set_aside(cli: Cli, tmp_path: Path) -> None:
    file = tmp_path / "plan.csv"
    file.write_text(CSV)
    code, out, err = await cli("import", str(file))
    assert (code, err) == (0, "")
    assert "added 1" in out
    assert "row_malformed" in out
    code, out, _ = await cli("import", str(file), "--dry-run", "--json")
    assert json.loads(out)[0]["answer"]["unchanged"] == 1


async def test_a_broken_file_says_what_to_do_next(cli: Cli, tmp_path: Path) -> None:
    file = tmp_path / "plan.csv"
    file.write_bytes(b"vehicle,departure\nB\xfcs,06:20\n")
    code, _, err = await cli("import", str(file))
    assert code == 2
    assert "UTF-8" in err
    assert "plan.csv" in err


async def test_a_departure_by_hand_is_taken_back(cli: Cli) -> None:
    assert (await cli("departure", "add", "BUS-1", "06:20", "--km", "180", "--why", "a charter"))[0] == 0
    code, out, _ = await cli("departure", "remove", "BUS-1", "06:20", "--dry-run")
    assert (code, "(nothing is changed yet)" in out) == (0, True)
    code, out, _ = await cli("departure", "remove", "BUS-1", "06:20", "--why", "cancelled")
    assert (code, "The departure of BUS-1 at 06:20 is taken back (journal position" in out) == (0, True)
    code, _, err = await cli("departure", "remove", "BUS-1", "06:20")
    assert (code, "was stated by hand" in err) == (1, True)


async def test_acts_are_done_and_seen(cli: Cli) -> None:
    for arguments in (
        ("departure", "add", "BUS-1", "06:20", "--km", "180"),
        ("assign", "BUS-1", "Bay 3", "--why", "seen"),
        ("limit", "CP-01", "20", "--for", "2h", "--why", "test"),
        ("connect", "ocpp", "CP-77", "--accept", "--node", "P1", "--connectors", "90,90"),
    ):
        code, out, err = await cli(*arguments)
        assert (code, err) == (0, ""), arguments
        assert out


@pytest.mark.parametrize("verb", ["status", "vehicles", "stations", "sessions", "envelope", "incidents", "records"])
async def test_every_read_verb_finds_its_list(cli: Cli, verb: str) -> None:
    code, out, err = await cli(verb)
    assert (code, err) == (0, "")
    assert out
    code, out, _ = await cli(verb, "--json", "--site", "depot")
    assert (code, isinstance(json.loads(out), list)) == (0, True)


async def test_why_trace_replay_and_rebuild(cli: Cli) -> None:
    await cli("departure", "add", "BUS-1", "06:20", "--km", "180")
    await cli("limit", "CP-01", "20", "--for", "2h")
    code, out, _ = await cli("why", "BUS-1")
    assert (code, "BUS-1 leaves at 06:20" in out) == (0, True), out
    code, out, _ = await cli("why", "station:CP-01")
    assert (code, "limits CP-01 to 20" in out) == (0, True)
    code, _, err = await cli("why", "NOBODY")
    assert (code, "NOBODY" in err) == (1, True)
    assert (await cli("trace", "CP-01"))[0] == 0
    assert (await cli("replay", "--verify"))[0] == 0
    assert (await cli("rebuild"))[0] == 0
