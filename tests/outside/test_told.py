"""What an operator tells a running hub: read the settings again, stop; open sockets go on, and it says what changed."""

from __future__ import annotations

import asyncio
import signal
import ssl
import time

import aiohttp
import pytest
import websockets

from tests.outside.chargers import Profiles, charging_station
from tests.outside.depot import SETTINGS, SITE, Depot, make_pki
from tests.waiting import until

ANOTHER = """
[[stations]]
id = "CP-05"
node = "panel-2"
connectors = [{ evse = 1, max_kw = 60 }]
safe_kw = 5
"""


async def test_a_reload_drops_no_socket_says_what_changed_and_takes_nothing_from_a_bad_file(folder: Depot) -> None:
    await folder.start().ready()
    profiles = Profiles()
    async with charging_station(
        "2.0.1", folder.station_url(), "CP-01", folder.password("CP-01"), profiles=profiles
    ) as charger:
        await charger.boot()
        await until(lambda: profiles.limits("TxDefaultProfile") == [10.0])

        folder.site_file.write_text(SITE.replace("limit_kw = 400", "limit_kw = 4"))
        refused = await folder.busbar("reload")
        assert refused.code in (1, 2), refused
        assert "next:" in refused.err and "Traceback" not in refused.err
        assert (await folder.items("/sites"))[0]["rating_kw"] == 400
        await charger.heartbeat()

        # a safe level and a station more
        folder.site_file.write_text(SITE.replace("safe_kw = 10", "safe_kw = 12", 1) + ANOTHER)
        taken = await folder.busbar("reload")
        assert taken.code == 0, taken
        assert "sites.depot.stations" in taken.out, taken.out
        await until(lambda: profiles.limits("TxDefaultProfile") == [12.0])
        await charger.heartbeat()
        async with charging_station("1.6", folder.station_url(), "CP-05", folder.password("CP-05")) as new:
            assert (await new.boot()).status == "Accepted"

        # the same by signal
        folder.site_file.write_text(SITE)
        assert folder.process is not None
        folder.process.send_signal(signal.SIGHUP)
        await until(lambda: profiles.limits("TxDefaultProfile") == [10.0])
        await until(lambda: "reloaded" in folder.said())

        async def gone() -> bool:
            try:
                async with charging_station("1.6", folder.station_url(), "CP-05", "x"):
                    return False
            except websockets.InvalidStatus as answer:
                return answer.response.status_code == 404

        await until(gone)
        await charger.heartbeat()
        folder.file.write_text(SETTINGS.format(**folder.ports).replace("call_timeout_s = 5", "call_timeout_s = 6"))
        waits = await folder.busbar("reload")
        assert waits.code == 0 and "restart" in waits.out + waits.err, waits
    assert folder.end() == 0


async def test_a_certificate_that_was_replaced_is_shown_to_new_connections_and_open_ones_go_on(folder: Depot) -> None:
    await folder.start().ready()
    pki = folder.folder / "pki"
    roots = ssl.create_default_context(cafile=str(pki / "root.pem"))
    password = folder.password("CP-01")
    async with charging_station("1.6", folder.station_url(tls=True), "CP-01", password, roots=roots) as charger:
        await charger.boot()
        pki.rename(folder.folder / "pki-old")
        make_pki(pki)
        reloaded = await folder.busbar("reload")
        assert reloaded.code == 0, reloaded
        fresh = ssl.create_default_context(cafile=str(pki / "root.pem"))
        with pytest.raises(ssl.SSLError):
            async with charging_station("1.6", folder.station_url(tls=True), "CP-02", "x", roots=roots):
                pass
        async with charging_station(
            "1.6", folder.station_url(tls=True), "CP-02", folder.password("CP-02"), roots=fresh
        ) as other:
            assert (await other.boot()).status == "Accepted"
        await charger.heartbeat()


async def test_a_hub_that_is_told_to_stop_is_gone_in_ten_seconds_whoever_is_connected(folder: Depot) -> None:
    await folder.start().ready()
    url = f"{folder.url}/api/v1"
    async with (
        aiohttp.ClientSession(headers=folder.login("control-room")) as http,
        charging_station("1.6", folder.station_url(), "CP-01", folder.password("CP-01")) as charger,
        http.get(f"{url}/events") as stream,
    ):
        assert stream.status == 200
        await charger.boot()
        # somebody sends a body that never ends
        _reader, writer = await asyncio.open_connection("127.0.0.1", folder.ports["http"])
        writer.write(
            b"POST /api/v1/sites/depot/schedules HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100000\r\n"
            b"Authorization: Bearer token-of-control-room\r\n\r\nvehicle,"
        )
        await writer.drain()
        begun = time.monotonic()
        assert await asyncio.to_thread(folder.end) == 0, folder.said()
        assert time.monotonic() - begun < 10
        with pytest.raises(websockets.ConnectionClosed) as closed:
            await charger.heartbeat()
        assert closed.value.rcvd is not None
        assert closed.value.rcvd.code == 1001
        writer.close()
    assert not (folder.data / "hub.json").exists()
    assert "Traceback" not in folder.said(), folder.said()
