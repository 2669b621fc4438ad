"""A running host on free ports, and a plain client."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from core.ports import Clock
from gateway.http import HttpHost, Users
from gateway.metrics import Metrics
from gateway.secrets import FileSecrets
from gateway.settings import HttpListener, User
from gateway.tls import TlsContexts

TOKENS = {"VIEWER": "v-token", "OPERATOR": "o-token", "ADMIN": "a-token"}


def users(tmp_path: Path) -> Users:
    named = [User(name=n.lower(), role=n.lower(), token=f"env:{n}") for n in TOKENS]
    return Users(named, FileSecrets(tmp_path, env=TOKENS))


@dataclass
class Running:
    host: HttpHost
    metrics: Metrics
    client: aiohttp.ClientSession
    listeners: list[HttpListener] = field(default_factory=list)

    async def open(self, *listeners: HttpListener) -> None:
        await self.host.start(listeners or (HttpListener(port=0),), TlsContexts([]))

    async def ask(
        self, method: str, path: str, *, listener: str = "local", token: str | None = None, **more: Any
    ) -> tuple[int, Any, aiohttp.ClientResponse]:
        headers = dict(more.pop("headers", {}))
        if token:
            headers["Authorization"] = f"Bearer {token}"
        url = self.host.addresses[listener] + path
        async with self.client.request(method, url, headers=headers, allow_redirects=False, **more) as reply:
            text = await reply.read()
            data = await reply.json(content_type=None) if "json" in reply.content_type else text
            return reply.status, data, reply


Build = Callable[..., Awaitable[Running]]


@pytest.fixture
async def build(tmp_path: Path) -> AsyncIterator[Build]:
    made: list[Running] = []

    async def _build(*, known: Users | None = None, clock: Clock | None = None) -> Running:
        metrics = Metrics()
        who = known or Users([], FileSecrets(tmp_path))
        made.append(Running(HttpHost(who, metrics, clock), metrics, aiohttp.ClientSession()))
        return made[-1]

    yield _build
    for running in made:
        await running.client.close()
        await running.host.stop()
