"""A hub is stopped once and whole, whoever asks for it and gives up waiting."""

from __future__ import annotations

import asyncio

from tests.gateway.test_controller import House, house

__all__ = ["house"]


async def test_a_stop_whose_asker_gave_up_is_over_for_the_next_one(house: House) -> None:
    assert house.hub.opened is not None
    server = house.hub.opened.server
    assert server is not None
    assert server.pid is not None
    asked = asyncio.create_task(house.hub.stop())
    await asyncio.sleep(0)
    asked.cancel()
    await asyncio.gather(asked, return_exceptions=True)
    await house.hub.stop()
    assert server.pid is None
