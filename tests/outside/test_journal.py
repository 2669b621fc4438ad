"""The journal as its operator meets it: locked, damaged, full, away; each with what is wrong and the next step."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
from pathlib import Path

import aiohttp
import pytest

from tests.outside.chargers import charging_station
from tests.outside.depot import Depot
from tests.outside.test_killed import servers_of
from tests.waiting import until


async def test_a_second_hub_on_the_same_folder_is_refused_and_the_first_goes_on(depot: Depot) -> None:
    second = await depot.busbar("serve")
    assert second.code == 3, second
    assert "next:" in second.err and "Traceback" not in second.err, second.err
    assert str(depot.process.pid) in second.err, second.err
    assert (await depot.busbar("status")).code == 0


async def test_a_journal_that_was_cut_is_not_written_to_and_the_hub_says_which_record(folder: Depot) -> None:
    await folder.start().ready()
    async with charging_station("1.6", folder.station_url(), "CP-01", folder.password("CP-01")) as charger:
        await charger.boot()
    assert folder.end() == 0
    kept = folder.data / "kept"
    shutil.copytree(folder.data / "journal" / "js", kept)
    await folder.start().ready()
    async with charging_station("1.6", folder.station_url(), "CP-01", folder.password("CP-01")) as charger:
        await charger.boot()
        await charger.begin("TAG-1")
    assert folder.end() == 0
    shutil.rmtree(folder.data / "journal" / "js")
    kept.rename(folder.data / "journal" / "js")

    served = await folder.busbar("serve")
    assert served.code == 3, served
    assert "Traceback" not in served.err
    assert "record" in served.err and "next:" in served.err, served.err


async def test_a_journals_server_that_dies_is_started_again_and_no_frame_is_lost(folder: Depot) -> None:
    await folder.start().ready()
    async with charging_station("2.0.1", folder.station_url(), "CP-02", folder.password("CP-02")) as charger:
        await charger.boot()
        await charger.begin("TAG-2")
        for wh in range(1000, 1100, 10):
            if wh == 1050:
                [server] = servers_of(folder)
                os.kill(server, signal.SIGKILL)
            await charger.meter(wh, 40)

    async def samples() -> bool:
        return len(await folder.messages("session.metered", station="CP-02")) == 11

    await until(samples)
    assert folder.end() == 0
    assert servers_of(folder) == []


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can mount a small disk to fill")
async def test_a_full_disk_answers_nobody_wrongly_and_goes_on_when_there_is_space_again(folder: Depot) -> None:
    folder.data.mkdir()
    disk = ["mount", "-t", "tmpfs", "-o", "size=40m", "tmpfs", str(folder.data)]
    if subprocess.run(disk, capture_output=True).returncode:
        pytest.skip("this machine does not let us mount a small disk")
    try:
        await folder.start().ready()
        ballast = folder.data / "ballast"
        async with charging_station("1.6", folder.station_url(), "CP-01", folder.password("CP-01")) as charger:
            await charger.boot()
            fill(ballast)
            charger._response_timeout = 2

            async def stored() -> bool:
                try:
                    return await charger.status("Available") is not None
                except TimeoutError:
                    return False

            async def refused() -> bool:
                return not await stored() and await folder.counted("busbar_journal_append_failed_total") > 0

            await until(refused)
            assert "next:" in folder.said()
            async with aiohttp.ClientSession() as http, http.get(f"{folder.url}/ready") as reply:
                assert reply.status == 503, await reply.text()
            ballast.unlink()
            await until(stored)
        assert folder.end() == 0
    finally:
        folder.end()
        subprocess.run(["umount", str(folder.data)], check=True)


def fill(ballast: Path) -> None:
    """Leave no space on that disk."""
    with ballast.open("wb", buffering=0) as file:
        try:
            while True:
                file.write(b"\0" * 65_536)
        except OSError:
            pass
