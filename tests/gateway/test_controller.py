"""The site controller's shell on the real journal: long decisions in parts, and what a defect of the core leaves alone."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator, Callable
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from core.incidents import UNCONTROLLED
from core.messages import Message
from core.messages.station import StationLimited
from core.messages.work import ScheduleImported
from core.ports import NotStored
from core.site import Memo, SiteState
from core.site import decide as core_decide
from core.site import fold as core_fold
from gateway import controller as shell
from gateway.desired import LocalDesired
from gateway.journal.log import Record
from gateway.replay import replay
from gateway.settings.models import HttpListener, HubSettings
from gateway.wiring import Hub
from tests.gateway.api.conftest import StoppedClock, depot
from tests.waiting import GENEROUS_S, until

HEAD = b"operating_day,block,vehicle,departure,distance_km,line\n"


class House:
    """A hub with two depots on the embedded server, and one client."""

    def __init__(self, data: Path) -> None:
        self._data, self.clock = data, StoppedClock()
        self.client = aiohttp.ClientSession()
        self.hub: Hub

    async def start(self) -> Hub:
        sites = (depot(), depot().model_copy(update={"id": "other", "stations": ()}))
        settings = HubSettings(data=self._data, http=(HttpListener(port=0),), sites=sites).anchored(self._data)
        self.hub = Hub(settings, clock=self.clock)
        await self.hub.start()
        return self.hub

    async def post(self, path: str, data: Any) -> tuple[int, Any]:
        """Status and document; `data` is bytes as they are, else JSON."""
        sent = {"data": data} if isinstance(data, bytes) else {"json": data}
        url = f"{self.hub.http.addresses['local']}/api/v1{path}"
        async with self.client.post(url, **sent) as reply:
            return reply.status, await reply.json()

    async def ready(self) -> tuple[int, Any]:
        async with self.client.get(f"{self.hub.http.addresses['local']}/ready") as reply:
            return reply.status, await reply.json()

    async def records(self) -> list[Record]:
        return [record async for record in self.hub.log.read(0, follow=False)]

    async def messages(self, type: str) -> list[Message]:
        return [m for record in await self.records() for m in record.messages if m.type == type]


@pytest.fixture
async def house(tmp_path: Path) -> AsyncIterator[House]:
    made = House(tmp_path)
    await made.start()
    yield made
    await made.client.close()
    await made.hub.stop()


def rows(count: int, line: Callable[[int], bytes] = lambda n: b"") -> bytes:
    """Blocks of one day; the first two have a vehicle."""
    buses = (b"BUS-1", b"BUS-2")
    return HEAD + b"".join(
        b"2026-11-26,%d,%s,12:00,10,%s\n" % (n, buses[n] if n < 2 else b"", line(n)) for n in range(count)
    )


def decisions(records: list[Record]) -> list[Record]:
    """Those that hold work."""
    return [r for r in records if r.head.now is not None and r.messages[0].type.startswith("work.")]


async def test_an_import_larger_than_a_record_is_taken_over_in_parts_and_replayed(house: House) -> None:
    status, told = await house.post("/sites/depot/schedules", rows(4300))
    assert (status, told["added"], told["assigned"]) == (200, 4300, 2)
    parts = decisions(await house.records())
    assert [len(r.messages) for r in parts[:4]] == [1000] * 4
    assert [r.head.most for r in parts] == [None] * len(parts)
    assert (await replay(house.hub.log, verify=True))["differences"] == []


async def test_a_decision_that_has_too_many_bytes_is_cut_smaller_and_replayed(house: House) -> None:
    noise = random.Random(1)
    status, told = await house.post("/sites/depot/schedules", rows(900, lambda n: noise.randbytes(700).hex().encode()))
    assert (status, told["added"], told["assigned"]) == (200, 900, 2)
    parts = decisions(await house.records())
    (most,) = {r.head.most for r in parts}
    assert most is not None
    assert most == max(len(r.messages) for r in parts) < 500
    assert (await replay(house.hub.log, verify=True))["differences"] == []


async def test_what_is_read_at_a_start_is_folded_at_once_and_does_not_wait_in_memory(house: House) -> None:
    await house.post("/sites/depot/schedules", rows(3))
    site = shell.SiteController("depot", house.hub.log, LocalDesired(), house.hub.clock)
    for record in await house.records():
        site.take(record)
        assert site.seen == record.seq
    assert len(site.state.work.works) == 3


async def test_a_process_that_dies_between_two_parts_is_followed_by_one_that_goes_on(house: House) -> None:
    site = house.hub.controllers["depot"]
    posted = asyncio.create_task(house.post("/sites/depot/schedules", rows(2300)))

    async def begun() -> bool:
        return len(decisions(await house.records())) >= 2

    await until(begun)
    assert site._task is not None
    site._task.cancel()
    posted.cancel()
    await house.hub.stop()
    await house.start()

    async def closed() -> bool:
        return bool(await house.messages("schedule.imported"))

    await until(closed)
    (closing,) = await house.messages("schedule.imported")
    assert isinstance(closing.body, ScheduleImported)
    assert (closing.body.new, closing.body.unchanged, closing.body.assigned) == (2300, 0, 2)
    ids = [m.at.work for m in await house.messages("work.planned")]
    assert len(ids) == len(set(ids)) == 2300
    assert (await replay(house.hub.log, verify=True))["differences"] == []


async def test_a_defect_in_a_decision_stops_one_site_until_it_decides_again(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(state: SiteState, now: datetime, memo: Memo | None = None, **more: Any) -> list[Message]:
        if state.site == "depot":
            raise ZeroDivisionError("a defect")
        return core_decide(state, now, memo, **more)

    with monkeypatch.context() as patch:
        patch.setattr(shell, "decide", broken)
        await house.post("/stations/CP-01/limit", {"kw": 5, "for_s": 60})
        waiting = house.hub.controllers["depot"].settled(await house.hub.log.last())
        with pytest.raises(NotStored, match=r"depot is not controlled: ZeroDivisionError: a defect; next:"):
            await asyncio.wait_for(waiting, GENEROUS_S)
        status, told = await house.ready()
        assert (status, "depot is not controlled" in told["waiting"]["site depot"]) == (503, True)
        await house.post("/stations/CP-01/limit", {"kw": 6, "for_s": 60})
        assert (await house.post("/sites/other/schedules", rows(3)))[1]["added"] == 3

        async def told() -> list[Message]:
            return [m for m in await house.messages("incident.opened") if m.body.model_dump()["kind"] == UNCONTROLLED]

        (incident,) = await until(told)
        assert (incident.site, incident.body.model_dump()["subject"]) == ("depot", "depot")
    await house.post("/stations/CP-01/limit", {"kw": 7, "for_s": 60})
    await house.hub.controllers["depot"].settled(await house.hub.log.last())
    assert (await house.ready())[0] == 200
    resolved = [m.body.model_dump()["kind"] for m in await house.messages("incident.resolved")]
    assert UNCONTROLLED in resolved


async def test_a_fact_that_cannot_be_folded_stops_one_site_and_a_restart_after_the_repair_goes_on(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(state: SiteState, message: Message, *more: Any) -> SiteState:
        if isinstance(message.body, StationLimited):
            raise KeyError("a defect")
        return core_fold(state, message, *more)

    with monkeypatch.context() as patch:
        patch.setattr(shell, "fold", broken)
        await house.post("/stations/CP-01/limit", {"kw": 5, "for_s": 60})

        async def lost() -> bool:
            return (await house.ready())[0] == 503

        await until(lost)
        told = (await house.ready())[1]["waiting"]["site depot"]
        assert "station.limited" in told
        assert "next:" in told
        await house.post("/stations/CP-01/limit", {"kw": 6, "for_s": 60})
        with pytest.raises(NotStored, match="not controlled"):
            await house.hub.controllers["depot"].settled(await house.hub.log.last())
        assert (await house.post("/sites/other/schedules", rows(3)))[1]["added"] == 3
        await house.hub.stop()
        await house.start()
        assert "depot is not controlled" in (await house.ready())[1]["waiting"]["site depot"]
        assert (await house.post("/sites/other/schedules", rows(4)))[1]["added"] == 1
        await house.hub.stop()
    await house.start()

    async def resolved() -> bool:
        return any(m.body.model_dump()["kind"] == UNCONTROLLED for m in await house.messages("incident.resolved"))

    await until(resolved)
    assert (await house.ready())[0] == 200
    assert house.hub.controllers["depot"].state.dispatch.stations["CP-01"].hand is not None


async def test_a_clock_that_is_set_back_leaves_its_site_controlled_and_is_told_once(
    house: House, caplog: pytest.LogCaptureFixture
) -> None:
    await house.post("/sites/depot/departures", {"vehicle": "BUS-1", "time": "06:20", "km": 150, "why": "a test"})
    before = await house.messages("requirement.computed")
    house.clock.set(timedelta(seconds=-30))
    for soc in (0.6, 0.4):
        status, told = await house.post("/sites/depot/charges", {"vehicle": "BUS-1", "soc": soc, "why": "a test"})
        assert status == 200, told
        await house.hub.controllers["depot"].settled(await house.hub.log.last())
    assert (await house.ready())[0] == 200
    after = await house.messages("requirement.computed")
    assert len(after) > len(before)
    assert [m.time for m in after] == sorted(m.time for m in after)
    assert caplog.text.count("site depot: the clock was set back") == 1
    assert (await replay(house.hub.log, verify=True))["differences"] == []
