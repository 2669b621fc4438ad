"""The append path of adapters and people: what it says while nothing can be stored, and afterwards."""

from __future__ import annotations

import shutil

import pytest

from core.messages import compose
from core.messages.vehicle import VehicleRead
from core.ports import NotStored
from tests.gateway.api.conftest import NOW
from tests.gateway.test_controller import House, house
from tests.waiting import until

__all__ = ["house"]


async def test_a_hub_is_ready_again_once_the_journal_takes_appends_although_nobody_appends(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    ready = house.hub.http.ready_checks["journal"]
    message = compose(VehicleRead(soc=0.5), id="r1", time=NOW, source="person:me", site="depot")
    real = shutil.disk_usage

    async def refused() -> bool:
        try:
            await house.hub.journal.append("depot", [message])
        except NotStored:
            return True
        return False

    with monkeypatch.context() as patch:
        patch.setattr(shutil, "disk_usage", lambda path: real(path)._replace(free=1 << 20))
        await until(refused)
        assert "1 MB left" in str(ready())
    await until(lambda: ready() is None)
