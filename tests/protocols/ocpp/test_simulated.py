"""The fleet simulator's stations, which know nothing of this adapter, play two hours through it on the held clock."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any, Literal

import pytest

from core.messages import Position
from core.messages.allocation import Step
from core.messages.command import CommandRequested, CommandWished, EvseWish
from core.ports import Request, Wish
from gateway.clock import HeldClock
from protocols.ocpp.adapter import OcppAdapter
from protocols.ocpp.settings import Listener, Settings
from simulators.charger.battery import Battery
from simulators.charger.settings import Endpoint, Quirks, StationSpec
from simulators.charger.station import Station
from tests.protocols.ocpp.conftest import known
from tests.protocols.ports import World

BEGIN = datetime(2026, 11, 25, 17, tzinfo=UTC)
CURVE = ((0.0, 150.0), (0.8, 150.0), (1.0, 15.0))


async def connected(version: Literal["1.6", "2.0.1"]) -> tuple[HeldClock, World, OcppAdapter, Station]:
    """A simulated charger that connects to an adapter on the held clock."""
    clock = HeldClock(BEGIN)
    world = World(clock=clock)
    world.directory.stations["CP1"] = known("CP1")
    world.directory.tokens["TAG-1"] = "BUS-1"
    world.secrets.values["station/CP1"] = b"secret-password-1"
    adapter = OcppAdapter(Settings(listeners=(Listener(port=0, plain=True, security_profile=1),)))
    await adapter.start(world.ports)
    endpoint = Endpoint(f"ws://{adapter.health().listening[0]}/ocpp", {"CP1": "secret-password-1"})
    station = Station(StationSpec("CP1", version, (150.0,), Quirks()), endpoint, clock, seed=3)
    station.start()
    return clock, world, adapter, station


@pytest.mark.parametrize("version", ["1.6", "2.0.1"])
async def test_a_simulated_charger_follows_wishes_through_the_adapter(version: Literal["1.6", "2.0.1"]) -> None:
    clock, world, adapter, station = await connected(version)
    await clock.sleep_until(BEGIN + timedelta(minutes=5), "test")
    await station.plug(1, Battery(350, 0.2, CURVE), "TAG-1", "test")
    await clock.sleep_until(BEGIN + timedelta(minutes=10), "test")
    [started] = world.journal.of("session.started")
    now = clock.now()
    steps = (
        Step(at=now, kw=60),
        Step(at=now + timedelta(minutes=10), kw=30),
        Step(at=now + timedelta(minutes=29), kw=12),
    )
    wish = EvseWish(evse=1, steps=steps, transaction=started.body.transaction)
    body = CommandWished(evses=(wish,), valid_until=now + timedelta(minutes=30), safe_kw=12.0)
    world.desired.put(Wish("depot", "CP1", "wish-1", Position(1, 0), body))
    await clock.sleep_until(BEGIN + timedelta(minutes=60), "test")
    told: list[Any] = [m.body for m in world.journal.of("command.confirmed")]
    assert [b.purpose for b in told if b.wish == "wish-1"] == ["transaction"]
    assert not world.journal.of("command.mismatched")
    assert not world.journal.of("evidence.quarantined")
    assert world.counts["frames_deviating"] == 0

    def power(minute: float) -> float:
        at = BEGIN + timedelta(minutes=minute)
        near = [m for m in world.journal.of("session.metered") if abs(m.time - at) <= timedelta(seconds=31)]
        return float(near[0].body.power_kw)

    assert power(8) == pytest.approx(12, abs=0.1)
    assert power(15) == pytest.approx(60, abs=0.1)
    assert power(25) == pytest.approx(30, abs=0.1)
    assert power(50) == pytest.approx(12, abs=0.1)
    await station.stop()
    await adapter.stop()
    await asyncio.sleep(0)


@pytest.mark.parametrize("version", ["1.6", "2.0.1"])
async def test_a_simulated_charger_begins_the_session_that_it_is_asked_for(version: Literal["1.6", "2.0.1"]) -> None:
    clock, world, adapter, station = await connected(version)

    async def ask(id: str, minute: float, expires: float) -> None:
        body = CommandRequested(act="start", token="TAG-1", expires=BEGIN + timedelta(minutes=expires))
        world.desired.asked.put_nowait(Request("depot", "CP1", 1, id, body))
        await clock.sleep_until(BEGIN + timedelta(minutes=minute), "test")

    await clock.sleep_until(BEGIN + timedelta(minutes=5), "test")
    await ask("nobody there", 6, expires=7)
    await station.plug(1, Battery(350, 0.2, CURVE), "A-STRANGERS-CARD", "test")
    await ask("too late", 8, expires=6)
    assert not world.journal.of("session.started")
    await ask("in time", 9, expires=10)
    await ask("in time", 12, expires=20)
    steps = [(m.body.wish, m.type) for m in world.journal.messages if getattr(m.body, "purpose", "") == "start"]
    assert steps == [
        ("nobody there", "command.sent"),
        ("nobody there", "command.rejected"),
        ("in time", "command.sent"),
        ("in time", "command.accepted"),
    ]
    [started] = world.journal.of("session.started")
    assert started.body.token == "TAG-1"
    assert world.journal.of("session.metered")
    body = CommandRequested(act="stop", transaction=started.body.transaction)
    world.desired.asked.put_nowait(Request("depot", "CP1", 1, "stop", body))
    await clock.sleep_until(BEGIN + timedelta(minutes=14), "test")
    assert [m.body.transaction for m in world.journal.of("session.ended")] == [started.body.transaction]
    await station.stop()
    await adapter.stop()
    await asyncio.sleep(0)
