"""A data folder that a hub left behind: read, replayed and rebuilt without a hub, over the real journal."""

from __future__ import annotations

import shutil
from pathlib import Path

import aiohttp
import pytest

from gateway import offline
from gateway.cli.errors import CliError
from gateway.journal.opening import open_journal
from gateway.settings.models import HttpListener, HubSettings
from gateway.wiring import Hub
from tests.gateway.api.conftest import StoppedClock, depot

CSV = b"operating_day,vehicle,departure,distance_km\n2026-11-26,BUS-1,06:20,180\n"


async def night(data: Path) -> None:
    """A hub that took one schedule, and stopped."""
    settings = HubSettings(data=data, http=(HttpListener(port=0),), sites=(depot(),)).anchored(data.parent)
    hub = Hub(settings, clock=StoppedClock())
    await hub.start()
    try:
        url = f"{hub.http.addresses['local']}/api/v1/sites/depot/schedules"
        async with aiohttp.ClientSession() as client, client.post(url, data=CSV) as reply:
            assert reply.status == 200
        await hub.controllers["depot"].settled(await hub.log.last())
    finally:
        await hub.stop()


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    import asyncio

    data = tmp_path_factory.mktemp("offline") / "data"
    asyncio.run(night(data))
    return data


def test_the_same_lists_are_answered_without_a_hub(folder: Path) -> None:
    with offline.open(folder) as opened:
        (site,) = opened.get("/sites")["items"]
        assert site["id"] == "depot"
        (work,) = opened.get("/work", {"vehicle": "BUS-1", "after": 10**9})["items"]
        assert work["vehicle"] == "BUS-1"
        tree = opened.get("/why/BUS-1", {"depth": None})
        assert tree["children"]
        message = opened.get(f"/messages/{tree['id']}")
        assert message["type"] == "readiness.assessed"


def test_what_is_not_there_is_said_as_by_a_hub(folder: Path) -> None:
    with offline.open(folder) as opened:
        with pytest.raises(CliError, match="NOBODY"):
            opened.get("/why/NOBODY")
        with pytest.raises(CliError, match="nothing is served"):
            opened.get("/nonsense")


def test_reading_appends_nothing(folder: Path) -> None:
    import asyncio

    async def last() -> int:
        journal = await open_journal(folder, read_only=True)
        try:
            return await journal.log.last()
        finally:
            await journal.close()

    before = asyncio.run(last())
    with offline.open(folder) as opened:
        opened.get("/vehicles")
    assert asyncio.run(last()) == before


def test_replay_and_rebuild_find_the_same(folder: Path) -> None:
    told = offline.replay(folder, verify=True)
    assert (told["differences"], told["decisions"] > 1) == ([], True)
    assert offline.rebuild(folder)["differences"] == []


def test_a_folder_without_a_journal_is_said(tmp_path: Path) -> None:
    with pytest.raises(CliError, match="no journal"), offline.open(tmp_path):
        pass


def test_a_journal_that_cannot_be_read_as_a_whole_is_told_with_what_to_do(folder: Path, tmp_path: Path) -> None:
    """The rows are up to date, so the damage shows where everything is read again."""
    copy = tmp_path / "damaged"
    shutil.copytree(folder, copy)
    with offline.open(copy) as opened:
        opened.get("/sites")
    (block,) = (copy / "journal").rglob("JOURNAL/msgs/1.blk")
    content = bytearray(block.read_bytes())
    middle = len(content) // 2
    content[middle : middle + 60] = bytes(byte ^ 0x55 for byte in content[middle : middle + 60])
    block.write_bytes(content)
    for read in (lambda f: f.replay(verify=True), lambda f: f.rebuild()):
        with offline.open(copy) as opened, pytest.raises(CliError, match="damaged") as told:
            read(opened)
        assert (told.value.code, "backup" in told.value.next) == (1, True)
    with offline.open(copy) as opened:
        assert opened.get("/sites")["items"], "what had been read before is still there"


def test_read_models_that_cannot_be_written_are_told_with_what_to_do(folder: Path, tmp_path: Path) -> None:
    copy = tmp_path / "taken"
    shutil.copytree(folder, copy)
    (copy / "readmodels.sqlite").unlink()
    (copy / "readmodels.sqlite").mkdir()
    with pytest.raises(CliError, match="the read models cannot be written: unable to open") as told, offline.open(copy):
        pass
    assert (told.value.code, "made again from the journal" in told.value.next) == (3, True)
    (copy / "readmodels.sqlite").rmdir()
    with offline.open(copy) as opened:
        assert opened.get("/sites")["items"]
