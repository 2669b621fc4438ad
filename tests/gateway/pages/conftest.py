"""A whole hub on a journal in memory, in the middle of a small night, and a client that follows nothing by itself."""

from __future__ import annotations

import html
import re
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp
import pytest
import pytest_asyncio

from gateway.journal.memory import MemoryLog
from gateway.settings.models import User
from gateway.wiring import Hub
from tests.gateway.pages.depot import build, tell

TOKENS = {"viewer": "v-token-0001", "operator": "o-token-0001"}


@dataclass
class Running:
    """The hub and a client of it."""

    hub: Hub
    log: MemoryLog
    client: aiohttp.ClientSession

    @property
    def base(self) -> str:
        """Where it listens."""
        return self.hub.http.addresses["local"]

    async def get(self, path: str, **more: Any) -> tuple[int, str, aiohttp.ClientResponse]:
        """Status, text and response."""
        async with self.client.get(self.base + path, allow_redirects=False, **more) as reply:
            return reply.status, await reply.text(), reply

    async def post(self, path: str, fields: dict[str, str], **more: Any) -> tuple[int, str, aiohttp.ClientResponse]:
        """The same for a form."""
        async with self.client.post(self.base + path, data=fields, allow_redirects=False, **more) as reply:
            return reply.status, await reply.text(), reply


def field(text: str, name: str) -> str:
    """The value of a form's field."""
    found = re.search(rf'name="{name}" value="([^"]*)"', text)
    assert found, f"no field {name}"
    return html.unescape(found.group(1))


async def form_token(running: Running, **more: object) -> str:
    """The token of the station's form."""
    _, text, _ = await running.get("/s/nord/stations/CP-02", **more)
    return field(text[text.index('class="act"') :], "token")


Start = Callable[..., Awaitable[Running]]


@pytest.fixture
async def start(tmp_path: Path) -> AsyncIterator[Start]:
    made: list[Running] = []

    async def _start(*, users: bool = False, night: bool = True, **more: Any) -> Running:
        known = tuple(User(name=n, role=n, token=f"file:{n}.token") for n in TOKENS) if users else ()  # type: ignore[arg-type]  # because: the names are roles
        for name, token in TOKENS.items():
            (tmp_path / f"{name}.token").write_text(token)
        hub, log = build(tmp_path, users=known, **more)
        made.append(await started(hub, log, night=night))
        return made[-1]

    yield _start
    for running in made:
        await running.client.close()
        await running.hub.stop()


@pytest.fixture
async def running(start: Start) -> Running:
    return await start()


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def shared(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Running]:
    """One hub for tests that change nothing."""
    hub, log = build(tmp_path_factory.mktemp("hub"))
    running = await started(hub, log, night=True)
    yield running
    await running.client.close()
    await hub.stop()


async def started(hub: Hub, log: MemoryLog, *, night: bool) -> Running:
    await hub.start()
    if night:
        await tell(hub)
    jar = aiohttp.CookieJar(unsafe=True)  # because: cookies of an address are wanted
    return Running(hub, log, aiohttp.ClientSession(cookie_jar=jar))
