"""The adapter on the held clock of demo and simulation."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from gateway import clock as clocks
from gateway.clock import HeldClock
from protocols.ocpp.adapter import OcppAdapter
from protocols.ocpp.settings import Listener, Settings
from tests.protocols.ocpp.conftest import Hub, known
from tests.protocols.ocpp.peer import Profiles
from tests.protocols.ports import World
from tests.waiting import until


async def test_a_wish_is_confirmed_before_time_goes_on_and_silence_ends_by_its_own_time(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(clocks, "REQUEST_HOLD_S", 0.2)
    start = datetime.now(UTC)
    clock = HeldClock(start)
    world = World(clock=clock)
    world.directory.stations["CP1"] = known("CP1")
    world.secrets.values["station/CP1"] = b"secret"
    adapter = OcppAdapter(Settings(listeners=(Listener(port=0, plain=True, security_profile=1),)))
    await adapter.start(world.ports)
    hub, profiles = Hub(world, adapter), Profiles("ocpp2.0.1")
    with clock.settle("test"):
        peer = await hub.peer(answer=profiles)
        await peer.boot()
        hub.wish("CP1", (0, 60), (600, 12), transaction="T1")
    told: list[Any] = await world.journal.until("command.confirmed", 2)
    assert [m.time for m in told if m.body.purpose == "transaction"] == [start]
    await until(lambda: profiles.of("SetVariables"))
    peer.answer = lambda action, payload: None
    with clock.settle("test"):
        hub.wish("CP1", (0, 50), (600, 12), transaction="T1")
    [lost] = await world.journal.until("command.unanswered")
    assert lost.time == start + timedelta(seconds=30)
    await peer.close()
    await adapter.stop()
