"""A hub for these tests: takes schedules and readings, speaks OSCP as a flexibility provider, controls nothing."""

from __future__ import annotations

import asyncio
from typing import Any

import aiohttp
from aiohttp import web

FIRST_TOKEN = "token-a"
OUR_TOKEN = "token-c"


class Hub:
    """`oscp` keeps (action, body), `files` the schedules, `readings` the telemetry."""

    def __init__(self, clock: Any, interval_s: int = 300) -> None:
        self.clock, self.interval_s = clock, interval_s
        self.oscp: list[tuple[str, dict[str, Any]]] = []
        self.files: list[tuple[str, bytes]] = []
        self.readings: list[dict[str, Any]] = []
        self.tokens: list[str | None] = []
        self.answer_registration = True
        self._tasks: set[asyncio.Task[None]] = set()
        self._peer: dict[str, str] = {}

    async def __aenter__(self) -> Hub:
        app = web.Application(client_max_size=4_000_000)
        app.router.add_post("/oscp/fp/2.0/{action}", self._oscp)
        app.router.add_post("/api/v1/sites/{site}/telemetry", self._telemetry)
        app.router.add_post("/api/v1/sites/{site}/schedules", self._schedules)
        self._runner = web.AppRunner(app)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", 0).start()
        self.url = f"http://127.0.0.1:{self._runner.addresses[0][1]}"
        return self

    async def __aexit__(self, *_: object) -> None:
        await asyncio.gather(*self._tasks)
        await self._runner.cleanup()

    def actions(self, name: str) -> list[dict[str, Any]]:
        return [body for action, body in self.oscp if action == name]

    async def _telemetry(self, request: web.Request) -> web.Response:
        self.tokens.append(request.headers.get("Authorization"))
        self.readings += (await request.json())["readings"]
        return web.json_response({})

    async def _schedules(self, request: web.Request) -> web.Response:
        self.files.append((request.headers["X-File-Name"], await request.read()))
        return web.json_response({})

    async def _oscp(self, request: web.Request) -> web.Response:
        action, body = request.match_info["action"], await request.json()
        expected = FIRST_TOKEN if action == "register" else OUR_TOKEN
        if request.headers["Authorization"] != f"Token {expected}" or "X-Request-ID" not in request.headers:
            return web.json_response({"message": "no"}, status=401)
        self.oscp.append((action, body))
        if action == "register" and self.answer_registration:
            self._peer = {"url": body["version_url"][0]["base_url"], "token": body["token"]}
            ours = {"version": "2.0", "base_url": f"{self.url}/oscp/fp/2.0"}
            self._soon("register", {"token": OUR_TOKEN, "version_url": [ours]})
        if action == "handshake":
            asked = {"heartbeat_interval": self.interval_s, "measurement_configuration": []}
            self._soon("handshake_acknowledge", {"required_behaviour": asked})
        return web.Response(status=204)

    def _soon(self, action: str, body: dict[str, Any]) -> None:
        async def call() -> None:
            await self.clock.sleep_until(self.clock.now(), "hub:oscp")
            with self.clock.hold("hub:oscp"):
                headers = {"Authorization": f"Token {self._peer['token']}"}
                url = f"{self._peer['url']}/{action}"
                async with aiohttp.ClientSession() as http, http.post(url, json=body, headers=headers) as answer:
                    assert answer.status == 204

        task = asyncio.create_task(call())
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
