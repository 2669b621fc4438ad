"""The simulated grid operator: its conversation, and its own record of what is in force."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta

import pytest

from simulators.clock import SystemClock
from simulators.dso.provider import CapacityProvider, NoPartner, run_dso
from simulators.dso.record import LimitRecord, Stated
from simulators.dso.script import Block, DsoScript, Forecast
from tests.simulators.heldclock import HeldClock
from tests.simulators.hub import FIRST_TOKEN, Hub
from tests.waiting import GENEROUS_S

BEGIN = datetime(2026, 11, 25, 17, tzinfo=UTC)


def at(minutes: float) -> datetime:
    return BEGIN + timedelta(minutes=minutes)


def record(**more) -> LimitRecord:
    return LimitRecord(rating_kw=900, fallback_kw=190, **more)


def test_a_limit_with_notice_holds_from_its_first_second_to_its_last():
    series = record(stated=[Stated(at(0), at(10), at(20), 260)]).series(BEGIN, at(30), 30)
    assert series[599] == 900 and series[600] == 260 and series[1199] == 260 and series[1200] == 900


def test_a_limit_without_notice_counts_from_the_guard_time_after_its_message():
    series = record(stated=[Stated(at(10), at(5), at(20), 260)]).series(BEGIN, at(30), 30)
    assert series[629] == 900 and series[630] == 260


def test_a_later_message_replaces_only_the_span_that_it_covers():
    said = [Stated(at(0), at(1), at(60), 800), Stated(at(2), at(10), at(20), 260)]
    series = record(stated=said).series(BEGIN, at(60), 30)
    assert [series[m * 60 + 1] for m in (5, 15, 25)] == [800, 260, 800]


def test_the_rating_caps_what_a_message_allows():
    assert record(stated=[Stated(at(0), at(1), at(9), 5000)]).series(BEGIN, at(9), 30).max() == 900


def test_the_fallback_holds_from_offline_mode_at_until_the_next_handshake():
    contacts = [(at(0), None), (at(0), at(10)), (at(5), at(15)), (at(20), at(40)), (at(25), None), (at(25), at(40))]
    found = record(contacts=contacts, stated=[Stated(at(0), at(0), at(60), 800)])
    assert found.absences(at(39)) == [(at(15), at(25))]
    series = found.series(BEGIN, at(39), 30)
    assert [series[m * 60] for m in (14, 15, 24, 25)] == [800, 190, 190, 800]


def test_an_operator_that_stays_away_is_in_fallback_to_the_end():
    assert record(contacts=[(at(0), None), (at(0), at(10))]).absences(at(60)) == [(at(10), at(60))]


async def test_it_registers_shakes_hands_sends_limits_and_comes_back_after_its_silence():
    clock = HeldClock(BEGIN)
    script = DsoScript(
        group="g1",
        begin=at(1),
        end=at(120),
        rating_kw=900,
        fallback_kw=190,
        forecasts=(Forecast(at(2), (Block(at(30), at(60), 260),)),),
        silent_from=at(40),
        handshake_again=at(70),
    )
    async with Hub(clock, interval_s=300) as hub:
        provider = CapacityProvider(script, f"{hub.url}/oscp/fp/2.0", FIRST_TOKEN, clock)
        await provider.start()
        await clock.sleep_until(at(90), "test")
        assert provider.problem() is None
        await provider.stop()
    await clock.stop()
    assert [action for action, _ in hub.oscp[:3]] == ["register", "handshake", "heartbeat"]
    block = hub.actions("update_group_capacity_forecast")[0]["forecasted_blocks"][0]
    assert block == {
        "capacity": 260,
        "phase": "ALL",
        "unit": "KW",
        "start_time": "2026-11-25T17:30:00Z",
        "end_time": "2026-11-25T18:00:00Z",
    }
    assert len(hub.actions("handshake")) == 2
    assert provider.record.absences(at(90)) == [(at(46), at(70))]
    assert [action for _, action, _ in provider.received] == [
        "register",
        "handshake_acknowledge",
        "handshake_acknowledge",
    ]


class Hurried(SystemClock):
    """The system's clock, but its sleeps take no time."""

    ahead = timedelta()

    def now(self) -> datetime:
        return super().now() + self.ahead

    async def sleep_until(self, moment: datetime, who: str) -> None:
        self.ahead += max(timedelta(), moment - self.now())
        await asyncio.sleep(0)


async def test_a_hub_that_refuses_the_token_ends_the_conversation_at_once_and_the_step_is_named():
    clock = Hurried()
    script = DsoScript("g1", clock.now(), clock.now() + timedelta(days=365), 900, 190, ())
    async with Hub(clock) as hub, asyncio.timeout(GENEROUS_S):
        with pytest.raises(NoPartner, match=r"register to .*HTTP 401"):
            await run_dso(script, f"{hub.url}/oscp/fp/2.0", "not-the-token", clock=clock)
