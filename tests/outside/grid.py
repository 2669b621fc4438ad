"""A grid operator's system as a stranger builds it: an OSCP 2.0 capacity provider over plain HTTP."""

from __future__ import annotations

import asyncio
import json
import uuid
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import aiohttp
from aiohttp import web

from tests.outside.depot import FIRST_TOKEN, Depot
from tests.waiting import GENEROUS_S, until

GROUP = "DE-4711"


def moment(seconds: float) -> str:
    """So many seconds from now, as OSCP writes it."""
    return (datetime.now(UTC) + timedelta(seconds=seconds)).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def block(kw: float, begins_s: float = 0, ends_s: float = 3600, **changes: Any) -> dict[str, Any]:
    """One block of a forecast."""
    plain = {"capacity": kw, "phase": "ALL", "unit": "KW", "start_time": moment(begins_s), "end_time": moment(ends_s)}
    return plain | changes


def forecast(*blocks: dict[str, Any], group: str = GROUP, kind: str = "CONSUMPTION") -> dict[str, Any]:
    """A forecast for a group."""
    return {"group_id": group, "type": kind, "forecasted_blocks": list(blocks)}


@dataclass
class Told:
    """What the answer to a request said."""

    status: int
    message: str


@dataclass
class GridOperator:
    """Listens on a free port, remembers what the hub sends, and checks its token."""

    hub: str
    address: str = ""
    port: int = 0
    token: str = FIRST_TOKEN
    """What the hub is called with: token A, then the one that the hub gave."""
    ours: str = field(default_factory=lambda: f"B-{uuid.uuid4()}")
    """What the hub must call with."""
    got: list[tuple[str, Any, dict[str, str]]] = field(default_factory=list)
    refused: int = 0
    issued: str | None = None
    """Token A where this side gave it to the hub, which then begins."""
    away: bool = False
    """Whether it takes nothing at the moment, as behind a proxy whose server is gone."""

    async def handle(self, request: web.Request) -> web.Response:
        """One request of the hub."""
        action = request.match_info["action"]
        if self.away:
            return web.Response(status=503)
        known = {f"Token {self.ours}", *([f"Token {self.issued}"] if self.issued else [])}
        if request.headers.get("Authorization") not in known or not request.headers.get("X-Request-ID"):
            self.refused += 1
            return web.json_response({"message": "who are you?"}, status=401)
        body = await request.json()
        self.got.append((action, body, dict(request.headers)))
        if action == "register":
            self.token = body["token"]
        return web.Response(status=204)

    def heard(self, action: str) -> list[Any]:
        """The bodies of the hub's requests of that kind."""
        return [body for name, body, _ in self.got if name == action]

    def requests(self, action: str) -> set[tuple[str, str]]:
        """The hub's requests of that kind, as id and body: one that is repeated as it was is the same request."""
        return {(headers["X-Request-ID"], json.dumps(body)) for name, body, headers in self.got if name == action}

    async def send(self, action: str, body: Any, *, method: str = "POST", **changes: Any) -> Told:
        """A request to the hub; `headers` are added, and taken away where they are None."""
        headers = {"Authorization": f"Token {self.token}", "X-Request-ID": str(uuid.uuid4())}
        headers = {k: v for k, v in (headers | changes.pop("headers", {})).items() if v is not None}
        content = {"data": body} if isinstance(body, bytes | str) else {"json": body}
        async with (
            aiohttp.ClientSession() as http,
            http.request(method, f"{self.hub}/oscp/fp/2.0/{action}", headers=headers, **content) as reply,
        ):
            document = await reply.json(content_type=None) if reply.status not in (204, 413) else {}
            return Told(reply.status, str((document or {}).get("message", "")))

    async def register(self) -> Told:
        """Register with our token and address."""
        return await self.send("register", self.registration())

    def registration(self) -> dict[str, Any]:
        """What a registration says about us."""
        return {"token": self.ours, "version_url": [{"version": "2.0", "base_url": self.address}]}

    async def handshake(self, interval_s: int = 30) -> Told:
        """Greet."""
        return await self.send("handshake", {"required_behaviour": {"heartbeat_interval": interval_s}})

    async def beat(self, ahead_s: float = 300) -> Told:
        """A heartbeat that is good for so long."""
        return await self.send("heartbeat", {"offline_mode_at": moment(ahead_s)})

    async def introduce(self) -> None:
        """Registration with its exchange of tokens, and a handshake."""
        before = len(self.heard("register"))
        assert (await self.register()).status == 204
        await until(lambda: len(self.heard("register")) > before)
        assert (await self.handshake()).status == 204
        await until(lambda: self.heard("handshake_acknowledge"))


@asynccontextmanager
async def grid_operator(
    depot: Depot, change: Callable[[GridOperator], None] = lambda _: None
) -> AsyncIterator[GridOperator]:
    """A grid operator that listens."""
    operator = GridOperator(depot.url)
    change(operator)
    app = web.Application()
    app.router.add_post("/oscp/cp/2.0/{action}", operator.handle)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", operator.port)
    await site.start()
    assert runner.addresses
    operator.address = f"http://127.0.0.1:{runner.addresses[0][1]}/oscp/cp/2.0"
    try:
        yield operator
    finally:
        await asyncio.wait_for(runner.cleanup(), GENEROUS_S)
