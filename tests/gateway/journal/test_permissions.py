"""A user with narrow rights is told what is forbidden, instead of waiting for an answer that cannot come."""

from __future__ import annotations

import asyncio
import json
import subprocess
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from core.messages import Position
from core.ports import NotStored
from gateway.journal import process
from gateway.journal.group import Settings
from gateway.journal.limits import MB, Limits
from gateway.journal.link import Link
from gateway.journal.nats_log import NatsLog
from tests.gateway.journal.contract import message

CONFIG = """
listen: "127.0.0.1:-1"
ports_file_dir: "{folder}"
jetstream {{ store_dir: "{folder}/js", max_file: 600MB, max_mem: 64MB }}
authorization {{ users: [
  {{ user: admin, password: a }}
  {{ user: gw, password: g, permissions: {{
      publish: ["j.depot.gw-1", "$JS.API.STREAM.MSG.GET.JOURNAL"], subscribe: ["_INBOX_busbar.>"] }} }}
] }}
"""


@pytest.fixture
async def url(tmp_path: Path) -> AsyncIterator[str]:
    """A server with two users."""
    config = tmp_path / "server.conf"
    config.write_text(CONFIG.format(folder=tmp_path))
    server = await asyncio.create_subprocess_exec(
        process.find(), "-c", str(config), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    while not (found := list(tmp_path.glob("*.ports"))) or not found[0].read_text().endswith("}"):
        await asyncio.sleep(0.01)
    yield json.loads(found[0].read_text())["nats"][0]
    server.terminate()
    await server.wait()


async def test_a_gateway_may_write_on_its_own_subject_only(url: str) -> None:
    admin = await NatsLog.connect(url, user="admin", password="a", limits=Limits(journal=64 * MB, content=MB))
    log = NatsLog(await Link.open(url, user="gw", password="g"), Settings(bytes), None)
    own = await log.writer("depot", "gw-1", 1)
    assert await own.append([message("a")]) == Position(1, 0)
    foreign = await log.writer("depot", "ctl", 1)
    with pytest.raises(NotStored, match=r"forbids to publish on j\.depot\.ctl; next:"):
        await foreign.append([message("b")])
    assert await admin.last() == 1
    await log.close()
    await admin.close()
