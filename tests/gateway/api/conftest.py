"""A whole hub on a journal in memory, over real HTTP, with a small depot."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from core.messages import Message
from core.messages.site import Connector, Meter, Node, Source, Station, Vehicle, VehicleType
from gateway.clock import SystemClock
from gateway.journal.memory import MemoryLog
from gateway.settings.models import HttpListener, HubSettings, SiteSettings, StationSettings, User
from gateway.wiring import Hub

NOW = datetime(2026, 11, 25, 18, 0, tzinfo=UTC)


class StoppedClock(SystemClock):
    """The system's clock, shifted so that it reads a known evening."""

    def __init__(self) -> None:
        self._shift = NOW - super().now()

    def now(self) -> datetime:
        return super().now() + self._shift

    def set(self, by: timedelta) -> None:
        """Somebody sets it."""
        self._shift += by


def depot() -> SiteSettings:
    bus = VehicleType(id="solo", capacity_kwh=350, curve=((0, 120), (1, 20)), consumption=((5, 1.2),))
    return SiteSettings(
        id="depot",
        name="Depot Nord",
        zone="Europe/Berlin",
        nodes=(Node(id="GRID", kind="grid_connection", limit_kw=300), Node(id="P1", parent="GRID", limit_kw=200)),
        stations=(
            StationSettings(
                id="CP-01", node="P1", safe_kw=6, connectors=(Connector(evse=1, max_kw=150, name="Bay 1"),)
            ),
            StationSettings(
                id="CP-02",
                node="P1",
                safe_kw=6,
                connectors=(Connector(evse=1, max_kw=150, name="Bay 2"), Connector(evse=2, max_kw=150, name="Bay 3")),
            ),
        ),
        vehicle_types=(bus,),
        vehicles=(Vehicle(id="BUS-1", type="solo", tokens=("TOKEN0001",)), Vehicle(id="BUS-2", type="solo")),
        meters=(Meter(id="GRID", node="GRID"), Meter(id="HALL", node="GRID", measures="building")),
        sources=(Source(id="dso", node="GRID", fallback_import_kw=100),),
    )


@dataclass
class Running:
    """The hub and a client of it."""

    hub: Hub
    log: MemoryLog
    client: aiohttp.ClientSession

    async def ask(
        self, method: str, path: str, data: Any = None, *, headers: dict[str, str] | None = None
    ) -> tuple[int, Any, aiohttp.ClientResponse]:
        """Status, document and response at `/api/v1` + path; `data` is bytes as they are, else JSON."""
        body = data if isinstance(data, bytes) or data is None else json.dumps(data).encode()
        base = self.hub.http.addresses["local"]
        url = base + (path if path.endswith(".json") else f"/api/v1{path}")
        async with self.client.request(method, url, data=body, headers=headers) as reply:
            text = await reply.read()
            return reply.status, json.loads(text) if text else None, reply

    async def messages(self, *types: str) -> list[Message]:
        """What the journal holds of these types, in order."""
        return [m async for r in self.log.read(0, follow=False) for m in r.messages if not types or m.type in types]

    async def settled(self) -> int:
        """The position up to which everything is decided; nothing follows from it any more."""
        last = -1
        while last != await self.log.last():
            last = await self.log.last()
            for controller in self.hub.controllers.values():
                await controller.settled(last)
        return last


Start = Callable[..., Awaitable[Running]]


@pytest.fixture
async def start(tmp_path: Path) -> AsyncIterator[Start]:
    made: list[Running] = []
    clock = StoppedClock()  # because: over a restart time goes on

    async def _start(
        log: MemoryLog | None = None, users: tuple[User, ...] = (), data: str = "data", **more: Any
    ) -> Running:
        kept = log or MemoryLog()
        settings = HubSettings(
            data=tmp_path / data, http=(HttpListener(port=0),), sites=(depot(),), users=users, **more
        ).anchored(tmp_path)
        hub = Hub(settings, clock=clock, log=kept)
        await hub.start()
        made.append(Running(hub, kept, aiohttp.ClientSession()))
        await made[-1].settled()
        return made[-1]

    yield _start
    for running in made:
        await running.client.close()
        await running.hub.stop()


@pytest.fixture
async def running(start: Start) -> Running:
    return await start()


__all__ = ["NOW", "Running", "Start", "Station", "depot"]
