"""The demo's night as `--serve` ends it: short and without buses, because only its end is looked at."""

from __future__ import annotations

import asyncio
import os
import signal
import tomllib
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import aiohttp
import pytest

from gateway import clock
from gateway.cli.night import Night
from simulators.whatif import draw
from tests.waiting import GENEROUS_S, until

FOLDER = Path(__file__).parents[3] / "examples" / "bus-142"


async def test_pages_that_stay_open_are_read_as_long_as_one_likes_and_ctrl_c_ends_them_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    drawn = draw(FOLDER / "scenario.toml")
    short = replace(drawn, end=drawn.begin + timedelta(minutes=2), visits=())
    site = tomllib.loads((FOLDER / "site.toml").read_text(encoding="utf-8"))
    told: list[str] = []
    night = asyncio.create_task(Night(short, site, tmp_path / "night", say=told.append, stay=True).play())
    try:
        (line,) = await until(lambda: night.done() or [line for line in told if "stay open" in line])
        monkeypatch.setattr(clock, "STUCK_HOLD_S", 0.0)
        await asyncio.wait({night}, timeout=2.5)
        assert not night.done(), night.exception()
        async with aiohttp.ClientSession() as http, http.get(line.split()[5].rstrip(";")) as page:
            assert page.status == 200
        monkeypatch.undo()
        os.kill(os.getpid(), signal.SIGINT)
        document = await asyncio.wait_for(night, GENEROUS_S)
    finally:
        night.cancel()
        await asyncio.gather(night, return_exceptions=True)
    assert document["journal"]["messages"] > 0
