"""What stands beside the journal of a running hub: the live stream, strangers, the nightly check; and a journal that is full."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from random import Random
from typing import Any

import aiohttp
import pytest

from core.messages.gateway import JournalVerified
from core.ports import HUB
from gateway.journal.nightly import Verified
from gateway.journal.opening import state_in
from gateway.settings.models import HttpListener, HubSettings, JournalSettings
from gateway.wiring import Hub
from tests.gateway.api.conftest import StoppedClock, depot
from tests.waiting import GENEROUS_S, until

CSV = b"operating_day,vehicle,departure,distance_km\n2026-11-26,BUS-1,06:20,180\n"
OCPP = {"listeners": [{"host": "127.0.0.1", "port": 0, "security_profile": 1, "plain": True}]}
MB = 1024 * 1024


@asynccontextmanager
async def hub(data: Path, journal: JournalSettings, **more: Any) -> AsyncIterator[tuple[Hub, aiohttp.ClientSession]]:
    """A hub on the embedded server, and a client of it."""
    settings = HubSettings(data=data, http=(HttpListener(port=0),), sites=(depot(),), journal=journal, **more)
    running = Hub(settings.anchored(data.parent), clock=StoppedClock())
    await running.start()
    try:
        async with aiohttp.ClientSession(running.http.addresses["local"]) as client:
            yield running, client
    finally:
        await running.stop()


async def metrics(client: aiohttp.ClientSession) -> str:
    async with client.get("/metrics") as reply:
        return await reply.text()


async def post(client: aiohttp.ClientSession, path: str, **sent: Any) -> tuple[int, Any]:
    async with client.post(f"/api/v1{path}", **sent) as reply:
        return reply.status, await reply.json()


async def test_every_message_comes_once_more_on_the_live_stream_also_over_a_restart(tmp_path: Path) -> None:
    found: list[str] = []
    for day in ("26", "27"):
        async with hub(tmp_path / "data", JournalSettings()) as (running, client):
            assert running.opened is not None
            heard = await running.opened.log.link.nc.subscribe("event.work.>")
            await post(client, "/sites/depot/schedules", data=CSV.replace(b"11-26", b"11-" + day.encode()))
            async with asyncio.timeout(GENEROUS_S):
                while len(found) < (3 if day == "26" else 6):
                    event = await heard.next_msg(GENEROUS_S)
                    found.append((event.headers or {})["ce-type"])

            async def caught_up(client: aiohttp.ClientSession = client) -> bool:
                return 'busbar_journal_lag_messages{reader="live"} 0.0' in await metrics(client)

            await until(caught_up)
    assert found.count("work.planned") == 2
    assert found.count("work.assigned") == 2
    async with hub(tmp_path / "data", JournalSettings(live=False)) as (running, _):
        assert "live stream" not in {task.get_name() for task in running.beside._tasks}


async def test_what_a_stranger_sent_is_kept_beside_the_journal(tmp_path: Path) -> None:
    async with hub(tmp_path / "data", JournalSettings(), adapters={"ocpp": OCPP}) as (running, client):
        url = f"ws://{running.adapters['ocpp'].health().listening[0]}/ocpp/NOBODY"
        with pytest.raises(aiohttp.WSServerHandshakeError, match="404"):
            await client.ws_connect(url, protocols=("ocpp2.0.1",))

        async def kept() -> bool:
            return bool(await running.log.refused(HUB, "ocpp"))

        await until(kept)
        async with client.get("/api/v1/refused/ocpp") as reply:
            (item,) = (await reply.json())["items"]
        assert item["peer"] == "127.0.0.1"
        async with client.get("/api/v1/refused/ocpp", params={"id": item["id"]}) as reply:
            assert (await reply.json())["items"] == [item]
        async with client.get("/api/v1/refused/ocpp", params={"id": "ocpp-999"}) as reply:
            assert (await reply.json())["items"] == []
        assert item["item"] == {"path": "/ocpp/NOBODY", "reason": "station_unknown", "versions": ["ocpp2.0.1"]}


async def test_damage_found_at_night_is_an_incident_of_every_site_until_it_is_gone(tmp_path: Path) -> None:
    async with hub(tmp_path / "data", JournalSettings(verify_at=None)) as (running, client):
        await running.beside.verified(Verified(False, 17, "record 18 on j.depot.ctl is not what was acknowledged"))

        async def opened() -> bool:
            async with client.get("/api/v1/incidents?state=open") as reply:
                return any(i["kind"] == "journal_damaged" for i in (await reply.json())["items"])

        await until(opened)
        assert "busbar_journal_whole 0.0" in await metrics(client)
        facts = [m.body async for r in running.log.read(0, follow=False) for m in r.messages]
        (fact,) = [body for body in facts if isinstance(body, JournalVerified)]
        assert (fact.whole, fact.records) == (False, 17)
        await running.beside.verified(Verified(True, 18))
        assert "busbar_journal_whole 1.0" in await metrics(client)
        facts = [m.body async for r in running.log.read(0, follow=False) for m in r.messages]
        assert [body.whole for body in facts if isinstance(body, JournalVerified)] == [False, True]


async def test_a_full_journal_says_so_everywhere_keeps_what_it_has_and_goes_on_with_a_higher_limit(
    tmp_path: Path,
) -> None:
    small = JournalSettings(max_bytes=MB, content_max_bytes=MB)
    async with hub(tmp_path / "data", small) as (running, client):
        answers = []
        for number in range(200):
            file = CSV + b"#" + bytes(str(number), "ascii") + _noise(number)
            answers.append(await post(client, "/sites/depot/schedules", data=file))
            if answers[-1][0] == 503:
                break
        status, told = answers[-1]
        assert status == 503
        assert "next" in told
        async with client.get("/ready") as reply:
            assert reply.status == 503
            waiting = (await reply.json())["waiting"]["journal"]
        assert "journal is full" in waiting
        assert "next: raise `journal.max_bytes`" in waiting
        shown = await metrics(client)
        assert 'busbar_journal_append_failed_total{reason="full"} 1.0' in shown
        assert "busbar_journal_limit_bytes 1.048576e+06" in shown
        last = await running.log.last()
        before = [m.id async for r in running.log.read(0, follow=False) for m in r.messages]
    assert (state_in(tmp_path / "data") / "high_water").exists()
    async with hub(tmp_path / "data", JournalSettings(max_bytes=64 * MB, content_max_bytes=MB)) as (running, client):
        after = [m.id async for r in running.log.read(0, follow=False) if r.seq <= last for m in r.messages]
        assert after == before
        assert (await post(client, "/sites/depot/schedules", data=CSV.replace(b"180", b"170")))[0] == 200
        async with client.get("/ready") as reply:
            assert reply.status == 200


def _noise(seed: int) -> bytes:
    return Random(seed).randbytes(40_000).hex().encode()
