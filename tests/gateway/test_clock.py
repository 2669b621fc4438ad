"""The held clock jumps, stands still while held, and wakes one task at a time in a fixed order."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta

import pytest

from gateway import clock as module
from gateway.clock import HeldClock, SystemClock
from tests.waiting import GENEROUS_S

START = datetime(2026, 11, 25, 18, tzinfo=UTC)


def after(seconds: float) -> datetime:
    return START + timedelta(seconds=seconds)


async def test_a_night_passes_without_waiting() -> None:
    clock = HeldClock(START)
    await asyncio.wait_for(clock.sleep_until(after(40_000), "sleeper"), GENEROUS_S)
    assert clock.now() == after(40_000)


async def test_due_tasks_wake_by_moment_then_by_name_one_at_a_time() -> None:
    clock = HeldClock(START)
    order: list[str] = []
    running = 0

    async def task(name: str, moment: datetime) -> None:
        nonlocal running
        await clock.sleep_until(moment, name)
        assert running == 0
        running += 1
        await asyncio.sleep(0)
        await asyncio.sleep(0.001)  # works on something that the clock does not count
        order.append(name)
        running -= 1

    tasks = [task("c", after(5)), task("b", after(5)), task("a", after(9)), task("d", after(1))]
    await asyncio.gather(*tasks)
    assert order == ["d", "b", "c", "a"]


async def test_time_stands_still_while_a_request_is_open() -> None:
    clock = HeldClock(START)
    seen: list[datetime] = []

    async def sleeper() -> None:
        await clock.sleep_until(after(60), "sleeper")
        seen.append(clock.now())

    with clock.hold("request"):
        waiting = asyncio.create_task(sleeper())
        await asyncio.sleep(0.02)
        assert not seen
        assert clock.now() == START
    await waiting
    assert seen == [after(60)]


async def test_wait_ends_with_the_future_and_then_holds_until_the_task_waits_again() -> None:
    clock = HeldClock(START)
    answer: asyncio.Future[int] = asyncio.get_running_loop().create_future()

    async def waiter() -> datetime:
        assert await clock.wait(answer, after(100), "waiter") == 7
        await asyncio.sleep(0.01)
        return clock.now()

    async def other() -> None:
        await clock.sleep_until(after(10), "other")
        answer.set_result(7)
        await clock.sleep_until(after(50), "other")

    moment, _ = await asyncio.gather(waiter(), other())
    assert moment == after(10)


async def test_wait_times_out_on_simulated_time() -> None:
    clock = HeldClock(START)
    never: asyncio.Future[None] = asyncio.get_running_loop().create_future()
    with pytest.raises(TimeoutError):
        await clock.wait(never, after(30), "waiter")
    assert clock.now() == after(30)
    assert not never.done()


async def test_a_promise_holds_until_it_is_kept() -> None:
    clock = HeldClock(START)
    clock.promise("lost:CP-1")
    waiting = asyncio.create_task(clock.sleep_until(after(1), "x"))
    await asyncio.sleep(0.01)
    assert not waiting.done()
    clock.keep("lost:CP-1")
    await asyncio.wait_for(waiting, GENEROUS_S)


async def test_speed_caps_the_pace() -> None:
    clock = HeldClock(START, speed=1000)
    begun = asyncio.get_running_loop().time()
    await clock.sleep_until(after(50), "x")
    assert asyncio.get_running_loop().time() - begun >= 0.045


async def test_an_ended_task_no_longer_holds() -> None:
    clock = HeldClock(START)

    async def short() -> None:
        await clock.sleep_until(after(1), "a")

    async def long() -> None:
        await clock.sleep_until(after(2), "b")

    await asyncio.wait_for(asyncio.gather(short(), long()), GENEROUS_S)


async def test_the_system_clock_waits_and_times_out() -> None:
    clock = SystemClock()
    begun = clock.now()
    await clock.sleep_until(begun + timedelta(milliseconds=20), "x")
    assert clock.now() >= begun + timedelta(milliseconds=20)
    never: asyncio.Future[None] = asyncio.get_running_loop().create_future()
    with pytest.raises(TimeoutError):
        await clock.wait(never, clock.now() + timedelta(milliseconds=5), "x")


class Set(SystemClock):
    """The system's clock, which somebody sets."""

    by = timedelta(0)

    def now(self) -> datetime:
        return super().now() + self.by

    def waits(self, moment: datetime) -> list[asyncio.Task[None]]:
        """Both ways to wait for a moment."""
        never: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        return [
            asyncio.create_task(self.wait(never, moment, "x")),
            asyncio.create_task(self.sleep_until(moment, "y")),
        ]


async def test_a_system_clock_that_is_set_on_wakes_whom_it_passes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "LOOK_S", 0.01)
    clock = Set()
    waits = clock.waits(clock.now() + timedelta(hours=1))
    await asyncio.sleep(0)
    clock.by = timedelta(hours=1)
    late, slept = await asyncio.wait_for(asyncio.gather(*waits, return_exceptions=True), GENEROUS_S)
    assert (type(late), slept) == (TimeoutError, None)


async def test_a_system_clock_that_is_set_back_wakes_nobody_before_his_moment() -> None:
    clock = Set()
    waits = clock.waits(clock.now() + timedelta(milliseconds=50))
    await asyncio.sleep(0)
    clock.by = timedelta(hours=-1)
    done, _ = await asyncio.wait(waits, timeout=0.2)
    assert not done
    for wait in waits:
        wait.cancel()
    await asyncio.gather(*waits, return_exceptions=True)
