"""A running OCPP adapter on a free port, with two stations that it knows."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from itertools import count
from typing import Any

import pytest

from core.messages import Position
from core.messages.allocation import Step
from core.messages.command import CommandWished, EvseWish
from core.messages.site import Connector
from core.ports import KnownStation, Wish
from protocols.ocpp.adapter import OcppAdapter
from protocols.ocpp.settings import Listener, Settings
from tests.protocols.ocpp.peer import Peer
from tests.protocols.ports import World

NUMBERS = count(1)


def known(name: str, connectors: int = 1) -> KnownStation:
    places = tuple(Connector(evse=n, max_kw=150) for n in range(1, connectors + 1))
    return KnownStation(id=name, site="depot", connectors=places, safe_kw=12.0, credential=f"station/{name}")


@dataclass
class Hub:
    world: World
    adapter: OcppAdapter

    @property
    def address(self) -> str:
        return self.adapter.health().listening[0]

    async def peer(self, name: str = "CP1", **options: Any) -> Peer:
        return await Peer.open(self.address, name, **options)

    def wish(
        self, name: str, *levels: tuple[float, float], transaction: str | None = None, horizon: float = 900
    ) -> Wish:
        """A wish for EVSE 1: (seconds from now, kW) steps; ends after `horizon` seconds."""
        now, number = self.world.clock.now(), next(NUMBERS)
        steps = tuple(Step(at=now + timedelta(seconds=at), kw=kw) for at, kw in levels)
        body = CommandWished(
            evses=(EvseWish(evse=1, steps=steps, transaction=transaction),),
            valid_until=now + timedelta(seconds=horizon),
            safe_kw=12.0,
        )
        wish = Wish("depot", name, f"wish-{number}", Position(number, 0), body)
        self.world.desired.put(wish)
        return wish


def settings(**changes: Any) -> Settings:
    quick: dict[str, Any] = {
        "listeners": (Listener(port=0, plain=True, security_profile=1),),
        "retry_s": 0.05,
        "boot_wait_s": 5,
    }
    return Settings(**{**quick, **changes})


@pytest.fixture
def world() -> World:
    made = World()
    for name in ("CP1", "CP2", "CP 1/a"):
        made.directory.stations[name] = known(name)
        made.secrets.values[f"station/{name}"] = b"secret"
    made.directory.tokens["BUS-142"] = "BUS-142"
    return made


@pytest.fixture
async def hub(world: World) -> AsyncIterator[Hub]:
    async with _running(world, settings()) as running:
        yield running


@pytest.fixture
async def impatient(world: World) -> AsyncIterator[Hub]:
    """A hub that waits a second for an answer: for tests of what happens then."""
    async with _running(world, settings(call_timeout_s=1)) as running:
        yield running


@asynccontextmanager
async def _running(world: World, chosen: Settings) -> AsyncIterator[Hub]:
    adapter = OcppAdapter(chosen)
    await adapter.start(world.ports)
    yield Hub(world, adapter)
    await adapter.stop()
    assert world.counts["adapter_failures"] == 0
