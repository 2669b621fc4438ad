"""Every start of a gateway is an epoch of its own: what it says bears it, so that nothing of two starts is taken for one."""

from __future__ import annotations

from core.messages.gateway import GatewayStarted
from core.messages.station import StationConnected
from tests.gateway.test_remote_start import PLAIN, House, house

__all__ = ["house"]


async def test_a_connection_bears_the_epoch_of_the_start_in_which_it_was_made(house: House) -> None:
    for _ in range(2):
        await house.start(ocpp=PLAIN)
        house.charger("2.0.1").start()
        await house.wait(minutes=2)
        await house.stop()
    said = [m for m in await house.of("gateway.started", "station.connected") if m.site == "depot"]
    told = [m.body.epoch for m in said if isinstance(m.body, GatewayStarted | StationConnected)]
    assert told == [1, 1, 2, 2]
