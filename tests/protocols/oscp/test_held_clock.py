"""On the held clock a whole night of heartbeats passes at once, and nobody forgets to let go."""

from __future__ import annotations

import asyncio
from datetime import timedelta

from gateway.clock import HeldClock
from tests.protocols.oscp.harness import T0, Setting, grid_operator
from tests.waiting import GENEROUS_S, until

GREETING = {"required_behaviour": {"heartbeat_interval": 600}}


async def night(hours: int) -> list[str]:
    """The grid operator registers, greets, and sends its heartbeats; returns what happened when."""
    clock = HeldClock(T0)
    clock.failure = asyncio.get_running_loop().create_future()
    async with grid_operator() as operator:
        setting = Setting(operator, clock)
        async with setting.running():
            setting.host.holding = clock.hold
            await operator.register()
            await until(lambda: bool((setting.journal.partner("oscp", "dso") or {}).get("registered")))
            for number in range(hours * 4):
                await clock.sleep_until(clock.now() + timedelta(minutes=15), "dso")
                action, body = "heartbeat", {"offline_mode_at": (clock.now() + timedelta(minutes=30)).isoformat()}
                with clock.hold("dso"):
                    status, _ = await operator.send(*((action, body) if number else ("handshake", GREETING)))
                assert status == 204
        assert not clock.failure.done()
        return [f"{m.time} {m.type}" for m in setting.journal.messages]


async def test_a_night_of_heartbeats_both_ways_is_the_same_each_time() -> None:
    async with asyncio.timeout(GENEROUS_S):
        one, two = await night(8), await night(8)
    assert one == two
    assert len([m for m in one if m.endswith("evidence.received")]) > 32 + 40
    assert len([m for m in one if m.endswith("source.contacted")]) == 32
