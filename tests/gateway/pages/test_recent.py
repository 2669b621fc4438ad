"""What was made a moment ago serves everybody: made once for all who ask, at most once a second, never stale for long."""

from __future__ import annotations

import asyncio
import time

import pytest

from gateway.pages import recent
from gateway.pages.recent import Recent
from tests.waiting import GENEROUS_S, until


class Kitchen:
    """Counts how often something is made, and how far the rows were then."""

    def __init__(self) -> None:
        self.position = 1
        self.made = 0
        self.slow = asyncio.Event()
        self.slow.set()
        self.recent: Recent[int] = Recent(lambda: self.position)

    async def make(self) -> int:
        self.made += 1
        number = self.made
        await self.slow.wait()
        return number


async def test_what_shows_the_newest_rows_is_made_once() -> None:
    kitchen = Kitchen()
    assert await kitchen.recent.get("a", kitchen.make) == (1, 1)
    assert await kitchen.recent.newest("a", kitchen.make) == (1, 1)
    assert await kitchen.recent.get("b", kitchen.make) == (2, 1)


async def test_many_who_ask_at_once_share_one_making() -> None:
    kitchen = Kitchen()
    found = await asyncio.gather(*(kitchen.recent.newest("a", kitchen.make) for _ in range(20)))
    assert set(found) == {(1, 1)}


async def test_a_reader_gets_what_was_made_a_moment_ago_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(recent, "READ_S", GENEROUS_S)
    kitchen = Kitchen()
    await kitchen.recent.get("a", kitchen.make)
    kitchen.position = 2
    assert await kitchen.recent.get("a", kitchen.make) == (1, 1)


async def test_a_stream_waits_until_it_may_be_made_again_and_then_has_the_newest_rows() -> None:
    kitchen, begun = Kitchen(), time.monotonic()
    await kitchen.recent.get("a", kitchen.make)
    kitchen.position = 2
    found = await asyncio.gather(*(kitchen.recent.newest("a", kitchen.make) for _ in range(5)))
    assert set(found) == {(2, 2)}
    assert time.monotonic() - begun >= recent.LEAST_S


async def test_rows_that_come_while_it_is_made_do_not_make_everybody_make_it_again() -> None:
    kitchen = Kitchen()
    kitchen.slow.clear()
    waiting = [asyncio.create_task(kitchen.recent.newest("a", kitchen.make)) for _ in range(5)]
    await until(lambda: kitchen.made)
    kitchen.position = 9
    kitchen.slow.set()
    assert set(await asyncio.gather(*waiting)) == {(1, 1)}


async def test_while_it_is_made_again_the_last_one_serves(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(recent, "LEAST_S", 0.0)
    kitchen = Kitchen()
    await kitchen.recent.get("a", kitchen.make)
    kitchen.position = 2
    kitchen.slow.clear()
    making = asyncio.create_task(kitchen.recent.newest("a", kitchen.make))
    await until(lambda: kitchen.made == 2)
    assert await kitchen.recent.get("a", kitchen.make) == (1, 1)
    kitchen.slow.set()
    assert await making == (2, 2)


async def test_what_somebody_did_is_seen_at_once() -> None:
    kitchen = Kitchen()
    await kitchen.recent.get("a", kitchen.make)
    kitchen.position = 2
    kitchen.recent.forget()
    assert await kitchen.recent.get("a", kitchen.make) == (2, 2)


async def test_what_cannot_be_made_is_not_remembered() -> None:
    kitchen = Kitchen()

    async def broken() -> int:
        raise OSError("disk")

    with pytest.raises(OSError, match="disk"):
        await kitchen.recent.get("a", broken)
    assert await kitchen.recent.get("a", kitchen.make) == (1, 1)


async def test_only_so_many_are_kept() -> None:
    kitchen = Kitchen()
    for number in range(recent.KEPT + 1):
        await kitchen.recent.get(number, kitchen.make)
    made = kitchen.made
    await kitchen.recent.get(recent.KEPT, kitchen.make)
    assert kitchen.made == made
    await kitchen.recent.get(0, kitchen.make)
    assert kitchen.made == made + 1


async def test_what_was_being_made_when_somebody_did_something_serves_nobody_who_asks_later() -> None:
    kitchen = Kitchen()
    kitchen.slow.clear()
    early = asyncio.create_task(kitchen.recent.get("a", kitchen.make))
    await asyncio.sleep(0)
    kitchen.position = 2
    kitchen.recent.forget()
    kitchen.slow.set()
    assert await early == (1, 1)
    assert await kitchen.recent.get("a", kitchen.make) == (2, 2)
