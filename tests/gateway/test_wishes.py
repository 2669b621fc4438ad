"""Wishes as other processes find them."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import aclosing
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from core.messages import Physical, Position, compose
from core.messages.command import CommandRequested, CommandWished
from core.messages.station import StationConnected
from core.ports import Request, Wish
from gateway.desired import FollowedWishes, LocalDesired, SharedWishes
from gateway.journal import auth
from gateway.journal.memory import MemoryLog
from gateway.journal.opening import open_journal
from gateway.settings.models import HttpListener, HubSettings
from gateway.wiring import Hub
from tests.gateway.api.conftest import StoppedClock, depot
from tests.waiting import GENEROUS_S, until

NOW = datetime(2026, 11, 25, 18, 0, tzinfo=UTC)


def wish(station: str, seq: int, kw: float = 6) -> Wish:
    body = CommandWished(safe_kw=kw, valid_until=NOW, evses=())
    return Wish("depot", station, f"w{station}{seq}", Position(seq, 0), body)


class Counting(MemoryLog):
    """Counts what is put."""

    puts = 0

    async def wish(self, site: str, station: str, value: Any) -> None:
        self.puts += 1
        await asyncio.sleep(0)
        await super().wish(site, station, value)


@pytest.fixture
async def shared() -> AsyncIterator[tuple[Counting, LocalDesired]]:
    log, desired = Counting(), LocalDesired()
    desired.shared = SharedWishes(log, desired, ("depot",))
    task = asyncio.create_task(desired.shared.run(every_s=0.05))
    yield log, desired
    task.cancel()
    await asyncio.wait([task])


async def test_of_each_station_the_newest_wish_is_put_and_nobody_waits(shared: tuple[Counting, LocalDesired]) -> None:
    log, desired = shared
    for seq in range(1, 50):
        desired.publish(wish("A", seq))
        desired.publish(wish("B", seq, kw=seq))
    follower = FollowedWishes(log).follow("depot")
    async with aclosing(follower), asyncio.timeout(GENEROUS_S):  # type: ignore[type-var]  # because: it is a generator
        seen = {(w := await anext(follower)).station: w for _ in range(2)}
    assert seen == {"A": wish("A", 49), "B": wish("B", 49, kw=49)}
    assert log.puts <= 4


async def test_what_others_see_is_set_right_by_itself(shared: tuple[Counting, LocalDesired]) -> None:
    log, desired = shared
    desired.publish(wish("A", 7))

    async def right() -> bool:
        return (await log.wished("depot")).get("A", {}).get("id") == "wA7"

    await until(right)
    await MemoryLog.wish(log, "depot", "A", {"id": "old", "position": [3, 0], "wish": {}})
    await until(right)


async def test_an_older_wish_is_never_followed_after_a_newer_one() -> None:
    log = MemoryLog()
    desired = LocalDesired()
    desired.shared = SharedWishes(log, desired, ("depot",))
    task = asyncio.create_task(desired.shared.run())
    desired.publish(wish("A", 7))
    follower = FollowedWishes(log).follow("depot")
    async with asyncio.timeout(GENEROUS_S):
        assert (await anext(follower)).position.seq == 7
    old = LocalDesired()
    late = SharedWishes(log, old, ("depot",))
    late.put(wish("A", 5))
    await late._put()
    coming = asyncio.ensure_future(anext(follower))
    await asyncio.sleep(0.02)
    assert not coming.done()
    desired.publish(wish("A", 8))
    assert (await asyncio.wait_for(coming, GENEROUS_S)).position.seq == 8
    task.cancel()


async def test_a_gateway_in_another_process_follows_what_the_controller_wishes(tmp_path: Path) -> None:
    one = Hub(_settings(tmp_path / "one"), clock=StoppedClock())
    await one.start()
    connected = StationConnected(version="ocpp2.0.1", gateway="main", epoch=1, connection=1)
    fact = compose(connected, id="c1", time=one.clock.now(), source="ocpp", site="depot", at=Physical(station="CP-01"))
    await one.journal.append("depot", [fact])
    assert one.opened is not None
    server = one.opened.server
    assert server is not None
    user = auth.load(tmp_path / "one" / "nats.auth")
    opened = await open_journal(tmp_path / "other", nats=server.url, user=user.user, password=user.password)
    settings = _settings(tmp_path / "two").model_copy(update={"gateway": "second", "controls": False})
    two = Hub(settings, clock=StoppedClock(), log=opened.log)
    await two.start()
    try:
        follower = FollowedWishes(two.log).follow("depot")
        async with asyncio.timeout(GENEROUS_S):
            seen = await anext(follower)
        assert {"CP-01": seen} == one.desired.newest("depot")
        assert two.controllers["depot"].state.configured == one.controllers["depot"].state.configured
        writers = {r.writer async for r in one.log.read(0, follow=False)}
        assert writers == {"ctl", "gw-main", "gw-second"}
    finally:
        await two.stop()
        await opened.close()
        await one.stop()


def _settings(data: Path) -> HubSettings:
    return HubSettings(data=data, http=(HttpListener(port=0),), sites=(depot(),)).anchored(data.parent)


async def test_a_request_is_told_once_to_whoever_follows_also_if_he_comes_later() -> None:
    desired = LocalDesired()
    for id in ("r1", "r2"):
        desired.ask(request_to("A", id))
    follower = desired.requests("depot")
    async with aclosing(follower), asyncio.timeout(GENEROUS_S):  # type: ignore[type-var]  # because: it is a generator
        assert (await anext(follower)).id == "r2"
        desired.ask(request_to("A", "r3"))
        assert (await anext(follower)).id == "r3"
    later = desired.requests("depot")
    async with aclosing(later):  # type: ignore[type-var]  # because: it is a generator
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.05):
                await anext(later)


async def test_another_process_finds_new_requests_in_the_journal() -> None:
    log = MemoryLog()
    writer = await log.writer("depot", "ctl", 1)
    asked = request_to("A", "r1")
    fact = compose(
        asked.body, id=asked.id, time=NOW, source="core", site="depot", at=Physical(station="A", evse=asked.evse)
    )
    await writer.append([fact.model_copy(update={"id": "r0"})])
    follower = FollowedWishes(log).requests("depot")
    async with aclosing(follower), asyncio.timeout(GENEROUS_S):  # type: ignore[type-var]  # because: it is a generator
        told = asyncio.ensure_future(anext(follower))
        await asyncio.sleep(0.05)
        await writer.append([fact])
        assert await told == asked


def request_to(station: str, id: str) -> Request:
    return Request("depot", station, 1, id, CommandRequested(act="start", token="CARD", expires=NOW))
