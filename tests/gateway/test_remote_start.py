"""A session that does not begin by itself is asked for, through the whole house: fact, decision, frame, session."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Literal

import pytest

from core.messages import Body, Message, Physical, compose
from core.messages.station import ConnectorStatusChanged, StationConnected
from core.messages.vehicle import VehiclePlaced
from gateway.clock import HeldClock
from gateway.journal.memory import MemoryLog
from gateway.settings.models import HttpListener, HubSettings
from gateway.wiring import Hub
from simulators.charger.battery import Battery
from simulators.charger.settings import Endpoint, Quirks, StationSpec
from simulators.charger.station import Station
from tests.gateway.api.conftest import depot

BEGIN = datetime(2026, 11, 25, 18, 0, tzinfo=UTC)
CURVE = ((0.0, 150.0), (0.8, 150.0), (1.0, 15.0))
PLAIN = {"listeners": [{"host": "127.0.0.1", "port": 0, "plain": True, "security_profile": 1}]}


class House:
    """Hubs one after the other on one journal and one clock; `charger` is a simulated one at the newest."""

    def __init__(self, folder: Path) -> None:
        self.clock, self.log, self._folder = HeldClock(BEGIN), MemoryLog(), folder
        self._open: list[Callable[[], Awaitable[None]]] = []
        self.hub: Hub

    async def start(self, **adapters: Any) -> None:
        site = depot()
        policies = site.policies.model_copy(update={"unknown_vehicles": "deny"})
        settings = HubSettings(
            data=self._folder,
            http=(HttpListener(port=0),),
            sites=(site.model_copy(update={"policies": policies}),),
            adapters=adapters,
        ).anchored(self._folder)
        self.hub = Hub(settings, clock=self.clock, log=self.log)
        with self.clock.paused():
            await self.hub.start()
        self._open.append(self.hub.stop)

    async def stop(self) -> None:
        while self._open:
            await self._open.pop()()
        await asyncio.sleep(0)

    def charger(self, version: Literal["1.6", "2.0.1"]) -> Station:
        [known] = [s for _, s in self.hub.settings.stations().values() if s.id == "CP-01"]
        password = (self.hub.secrets.get(known.credential) or b"").decode()
        url = f"ws://{self.hub.adapters['ocpp'].health().listening[0]}/ocpp"
        spec = StationSpec("CP-01", version, (150.0,), Quirks(), phase_s=(1, 2))
        station = Station(spec, Endpoint(url, {"CP-01": password}), self.clock, seed=3)
        self._open.append(station.stop)
        return station

    async def tell(self, body: Body, **at: Any) -> None:
        """A fact of the depot, at CP-01."""
        count = await self.log.last()
        where = Physical(station="CP-01", **at)
        now = self.clock.now()
        await self.hub.journal.append(
            "depot", [compose(body, id=f"told-{count}", time=now, source="test", site="depot", at=where)]
        )

    async def wait(self, **span: float) -> None:
        await self.clock.sleep_until(self.clock.now() + timedelta(**span), "test")

    async def of(self, *types: str) -> list[Message]:
        return [m async for r in self.log.read(0, follow=False) for m in r.messages if m.type in types]


@pytest.fixture
async def house(tmp_path: Path) -> AsyncIterator[House]:
    made = House(tmp_path)
    yield made
    await made.stop()


@pytest.mark.parametrize("version", ["1.6", "2.0.1"])
async def test_a_bus_whose_card_was_not_shown_is_started_with_its_own(
    house: House, version: Literal["1.6", "2.0.1"]
) -> None:
    await house.start(ocpp=PLAIN)
    station = house.charger(version)
    station.start()
    await house.wait(minutes=2)
    await station.plug(1, Battery(350, 0.2, CURVE), "A-STRANGERS-CARD", "test")
    await house.wait(minutes=2)
    assert await house.of("session.started", "command.requested") == []
    assert house.hub.peers() == {"ocpp": {"CP-01": True, "CP-02": False}}, "a declared one is known before it ever came"
    await house.tell(VehiclePlaced(who="anna"), evse=1, vehicle="BUS-1")
    await house.wait(minutes=2)
    (request,) = await house.of("command.requested")
    steps = [m for m in await house.of("command.sent", "command.accepted") if m.body.model_dump()["wish"] == request.id]
    assert [(m.type, m.body.model_dump()["purpose"]) for m in steps] == [
        ("command.sent", "start"),
        ("command.accepted", "start"),
    ]
    assert request.id in steps[0].causes
    (started,) = await house.of("session.started")
    assert started.body.model_dump()["token"] == "TOKEN0001"
    await house.wait(minutes=20)
    assert len(await house.of("command.requested")) == 1
    metered = [m.body.model_dump()["power_kw"] for m in await house.of("session.metered")]
    assert max(kw for kw in metered if kw is not None) > 10


async def test_a_request_that_no_station_took_is_taken_after_a_restart_and_only_once(house: House) -> None:
    await house.start()
    await house.tell(StationConnected(version="ocpp2.0.1", gateway="elsewhere", epoch=1, connection=1))
    await house.tell(ConnectorStatusChanged(status="occupied"), evse=1, connector=1)
    await house.tell(VehiclePlaced(who="anna"), evse=1, vehicle="BUS-1")
    await house.wait(seconds=61)
    (request,) = await house.of("command.requested")
    await house.stop()

    for _ in range(2):
        await house.start(ocpp=PLAIN)
        station = house.charger("2.0.1")
        station.plugged[1], station.outlets[1].battery = "A-STRANGERS-CARD", Battery(350, 0.2, CURVE)
        station.start()
        await house.wait(seconds=30)
        await house.stop()
    sent = [m for m in await house.of("command.sent") if m.body.model_dump()["purpose"] == "start"]
    assert [m.body.model_dump()["wish"] for m in sent] == [request.id]
    assert len(await house.of("session.started")) == 1
