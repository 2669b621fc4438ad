"""A minimal central system for these tests: accepts everything, keeps every frame, can call stations."""

from __future__ import annotations

import asyncio
import json
from typing import Any

from websockets.asyncio.server import Server, ServerConnection, serve
from websockets.exceptions import ConnectionClosed

from simulators.charger.wire import violation

Payload = dict[str, Any]


class Csms:
    """Every frame must satisfy its schema; `calls` keeps (station, action, payload)."""

    def __init__(self, clock: Any) -> None:
        self.clock = clock
        self.calls: list[tuple[str, str, Payload]] = []
        self.violations: list[str] = []
        self.authorisations: list[str | None] = []
        self.sockets: dict[str, ServerConnection] = {}
        self.token_status = "Accepted"
        self._answers: dict[str, asyncio.Future[Payload]] = {}
        self._server: Server | None = None
        self._number = 0

    async def __aenter__(self) -> Csms:
        self._server = await serve(
            self._serve,
            "127.0.0.1",
            0,
            subprotocols=["ocpp2.0.1", "ocpp1.6"],
            ping_interval=None,
        )
        return self

    async def __aexit__(self, *_: object) -> None:
        assert self._server is not None
        self._server.close()
        await self._server.wait_closed()

    @property
    def url(self) -> str:
        assert self._server is not None
        port = next(iter(self._server.sockets)).getsockname()[1]
        return f"ws://127.0.0.1:{port}/ocpp"

    def of(self, station: str, action: str) -> list[Payload]:
        return [payload for who, what, payload in self.calls if (who, what) == (station, action)]

    async def call(self, station: str, action: str, payload: Payload) -> Payload:
        self._number += 1
        unique = f"c{self._number}"
        future: asyncio.Future[Payload] = asyncio.get_running_loop().create_future()
        self._answers[unique] = future
        socket = self.sockets[station]
        assert violation(str(socket.subprotocol), action, payload) is None
        with self.clock.hold("csms"):
            await socket.send(json.dumps([2, unique, action, payload]))
            answer = await future
        problem = violation(str(socket.subprotocol), action, answer, answer=True)
        if problem:
            self.violations.append(f"{action}: {problem}")
        return answer

    async def _serve(self, socket: ServerConnection) -> None:
        assert socket.request is not None
        station = socket.request.path.rsplit("/", 1)[-1]
        self.authorisations.append(socket.request.headers.get("Authorization"))
        self.sockets[station] = socket
        try:
            async for raw in socket:
                await self._receive(station, socket, json.loads(raw))
        except ConnectionClosed:
            pass

    async def _receive(self, station: str, socket: ServerConnection, frame: list[Any]) -> None:
        if frame[0] != 2:
            future = self._answers.pop(str(frame[1]), None)
            if future is not None:
                future.set_result(frame[2] if frame[0] == 3 else {"error": frame[2]})
            return
        _, unique, action, payload = frame
        problem = violation(str(socket.subprotocol), action, payload)
        if problem:
            self.violations.append(f"{station} {action}: {problem}")
        self.calls.append((station, action, payload))
        await socket.send(json.dumps([3, unique, self._answer(str(socket.subprotocol), action, payload)]))

    def _answer(self, version: str, action: str, payload: Payload) -> Payload:
        info = {"status": self.token_status}
        if action == "BootNotification":
            return {"currentTime": self.clock.now().isoformat(), "interval": 300, "status": "Accepted"}
        if action == "Heartbeat":
            return {"currentTime": self.clock.now().isoformat()}
        if action == "StartTransaction":
            return {"transactionId": 1000 + len(self.calls), "idTagInfo": info}
        if action == "Authorize":
            return {"idTagInfo": info} if version == "ocpp1.6" else {"idTokenInfo": info}
        return {}
