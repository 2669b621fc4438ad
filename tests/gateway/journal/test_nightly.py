"""The nightly verification."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, time, timedelta
from pathlib import Path

import pytest

from gateway.journal.nightly import Verified, nightly, verify, wait_s
from gateway.journal.opening import open_journal
from tests.gateway.journal.test_opening import fill, flip_a_bit
from tests.waiting import GENEROUS_S


@pytest.mark.parametrize(
    ("now", "hours"), [((2, 59), 1 / 60), ((3, 0), 24), ((3, 1), 24 - 1 / 60), ((0, 0), 3), ((23, 0), 4)]
)
def test_it_is_due_once_a_day(now: tuple[int, int], hours: float) -> None:
    assert wait_s(datetime(2026, 11, 25, *now, tzinfo=UTC), time(3)) == pytest.approx(hours * 3600)


async def test_a_whole_journal_is_told(tmp_path: Path) -> None:
    await fill(tmp_path, 30)
    opened = await open_journal(tmp_path)
    found = await verify(opened.log)
    assert (found.whole, found.records, found.detail) == (True, 30, "")
    await opened.close()


async def test_a_flipped_bit_is_told_with_its_record(tmp_path: Path) -> None:
    await fill(tmp_path, 30)
    await flip_a_bit(tmp_path)
    opened = await open_journal(tmp_path)
    told: asyncio.Future[Verified] = asyncio.get_running_loop().create_future()

    async def hear(found: Verified) -> None:
        told.set_result(found)

    soon = (datetime.now(UTC) + timedelta(seconds=1)).time()
    task = asyncio.create_task(nightly(opened.log, soon, hear))
    found = await asyncio.wait_for(told, GENEROUS_S)
    task.cancel()
    assert not found.whole
    assert "record" in found.detail
    await opened.close()
