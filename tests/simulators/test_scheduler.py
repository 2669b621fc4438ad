"""The simulated scheduler's files."""

from __future__ import annotations

import io
import re
import zipfile
from datetime import date
from pathlib import Path

import pytest

from simulators.night import files
from simulators.scheduler.sender import NotTaken, run_scheduler
from simulators.scheduler.vdv452 import BlockRow, assignments, export
from simulators.whatif import draw
from tests.simulators.heldclock import HeldClock
from tests.simulators.hub import Hub

DAY = date(2026, 11, 26)
SCENARIO = Path(__file__).parents[2] / "examples" / "bus-142" / "scenario.toml"
BLOCK = BlockRow(1042, 1, 15, 22800, 67200, 180_000, 4_000)


def tables(content: bytes) -> dict[str, list[list[str]]]:
    folder = zipfile.ZipFile(io.BytesIO(content))
    found = {}
    for name in folder.namelist():
        lines = folder.read(name).decode("iso8859-1").split("\r\n")
        rows = [re.split(r"; ?", line)[1:] for line in lines if line.startswith("rec;")]
        assert f"end; {len(rows)}" in lines and lines[-2] == "eof; 1"
        assert next(line for line in lines if line.startswith("atr;")).count(";") == (
            next(line for line in lines if line.startswith("frm;")).count(";")
        )
        found[name.removesuffix(".x10").upper()] = rows
    return found


def test_a_block_is_a_pull_out_a_service_trip_and_a_pull_in_and_its_links_add_up():
    found = tables(export([BLOCK], DAY, [(1, "SOLO-12")], [(142, 1, "BUS-142")]))
    assert [row[2] for row in found["REC_FRT"]] == ["22800", "23400", "66600"]
    assert sum(int(row[-1]) for row in found["REC_SEL"]) == 180_000
    assert sum(int(row[-1]) for row in found["SEL_FZT_FELD"]) == 67200 - 22800
    assert found["FIRMENKALENDER"][0][1] == "20261126"
    assert found["REC_UMLAUF"][0][2:] == ["1042", "900101", "2", "900101", "2", "1"]


def test_the_same_blocks_give_the_same_bytes():
    assert export([BLOCK], DAY, [], []) == export([BLOCK], DAY, [], [])


def test_the_scenario_sends_18_blocks_and_who_runs_them():
    (name, content), (other, rows) = files(draw(SCENARIO))
    assert (name, other) == ("vdv452.zip", "assignments.csv")
    assert len(tables(content)["REC_UMLAUF"]) == 18 and len(tables(content)["REC_FRT"]) == 54
    lines = rows.decode().splitlines()
    assert lines[0] == "operating_day,block,vehicle" and "2026-11-26,1042,BUS-142" in lines and len(lines) == 19


def test_assignments_are_plain_csv():
    assert assignments(DAY, [(1, "A")]) == b"operating_day,block,vehicle\n2026-11-26,1,A\n"


async def test_a_hub_that_is_away_is_tried_again_and_then_named():
    clock = HeldClock(draw(SCENARIO).begin)
    with pytest.raises(NotTaken, match=r"a.csv"):
        await run_scheduler([("a.csv", b"")], "http://127.0.0.1:9/x", clock=clock)
    assert (clock.now() - draw(SCENARIO).begin).total_seconds() == 120
    await clock.stop()


async def test_a_file_that_is_refused_is_not_sent_again():
    clock = HeldClock(draw(SCENARIO).begin)
    async with Hub(clock) as hub:
        with pytest.raises(NotTaken, match=r"a.csv: HTTP 404"):
            await run_scheduler([("a.csv", b""), ("b.csv", b"")], f"{hub.url}/nowhere", clock=clock)
        assert hub.files == []
    assert clock.now() == draw(SCENARIO).begin
    await clock.stop()
