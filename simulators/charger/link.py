"""One WebSocket connection of a station: OCPP-J frames, one call at a time in each direction."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from datetime import timedelta
from typing import Any
from urllib.parse import quote

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidHandshake, InvalidURI
from websockets.typing import Subprotocol

from simulators.charger.facts import Payload, Refused
from simulators.charger.settings import Endpoint
from simulators.clock import Clock

CALL, RESULT, ERROR = 2, 3, 4
ANSWER_WITHIN = timedelta(seconds=30)

Handler = Callable[[str, Payload], Payload]


class Lost(Exception):
    """The connection is gone, or was never there."""


class Unanswered(Exception):
    """The peer did not answer within its time."""


class Link:
    """Calls out and answers in over one socket."""

    def __init__(self, socket: ClientConnection, clock: Clock, who: str, handler: Handler, number: int) -> None:
        self._socket, self._clock, self._who, self._handler = socket, clock, who, handler
        self._number, self._sent = number, 0
        self._turn = asyncio.Lock()
        self._open: dict[str, asyncio.Future[Payload]] = {}
        self.closed: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._reader = asyncio.create_task(self._read())

    async def call(self, action: str, payload: Payload, who: str) -> Payload:
        """The peer's answer; simulated time stands still from sending to it.

        Raises:
            Lost: the connection closed before the answer.
            Unanswered: no answer within 30 s.
            Refused: the peer answered with CALLERROR.
        """
        if self._turn.locked():
            await self._clock.wait(self._turn.acquire(), None, who)
        else:
            await self._turn.acquire()
        try:
            return await self._exchange(action, payload, who)
        finally:
            self._turn.release()

    async def close(self) -> None:
        """Close the socket and stop reading."""
        await self._socket.close()
        await asyncio.wait([self._reader])

    async def _exchange(self, action: str, payload: Payload, who: str) -> Payload:
        self._sent += 1
        unique = f"{self._number}.{self._sent}"
        answer: asyncio.Future[Payload] = asyncio.get_running_loop().create_future()
        self._open[unique] = answer
        try:
            with self._clock.hold(who):
                await self._send([CALL, unique, action, payload])
                return await self._clock.wait(answer, self._clock.now() + ANSWER_WITHIN, who)
        except TimeoutError as late:
            raise Unanswered(action) from late
        finally:
            del self._open[unique]

    async def _send(self, frame: list[Any]) -> None:
        try:
            await self._socket.send(json.dumps(frame, separators=(",", ":")))
        except ConnectionClosed as gone:
            raise Lost from gone

    async def _read(self) -> None:
        try:
            async for raw in self._socket:
                await self._receive(raw)
        except (ConnectionClosed, Lost):
            pass
        finally:
            for answer in self._open.values():
                if not answer.done():
                    answer.set_exception(Lost())
            if not self.closed.done():
                self.closed.set_result(None)

    async def _receive(self, raw: str | bytes) -> None:
        try:
            frame = json.loads(raw)
        except ValueError:
            return
        if not isinstance(frame, list) or len(frame) < 3:
            return
        if frame[0] == CALL and len(frame) == 4:
            await self._send(self._answer(*frame[1:]))
        elif frame[0] in (RESULT, ERROR):
            self._settle(frame)

    def _answer(self, unique: Any, action: str, payload: Payload) -> list[Any]:
        try:
            return [RESULT, unique, self._handler(action, payload)]
        except Refused as refused:
            return [ERROR, unique, refused.code, refused.text, {}]
        except (KeyError, TypeError, ValueError, IndexError, AttributeError) as problem:
            return [ERROR, unique, "FormationViolation" if self._is_16 else "FormatViolation", str(problem)[:255], {}]

    @property
    def _is_16(self) -> bool:
        return self._socket.subprotocol == "ocpp1.6"

    def _settle(self, frame: list[Any]) -> None:
        answer = self._open.get(str(frame[1]))
        if answer is None or answer.done():
            return
        if frame[0] == RESULT:
            answer.set_result(frame[2])
        else:
            answer.set_exception(Refused(str(frame[2]), str(frame[3]) if len(frame) > 3 else ""))


async def open_link(
    endpoint: Endpoint, identity: str, subprotocol: str, clock: Clock, handler: Handler, number: int
) -> Link:
    """Connect as `identity`; raises `Lost` where the server cannot be reached or refuses."""
    try:
        socket = await connect(
            f"{endpoint.url.rstrip('/')}/{quote(identity, safe='')}",
            subprotocols=[Subprotocol(subprotocol)],
            additional_headers=endpoint.headers(identity),
            ssl=endpoint.ssl,
            compression=None,
            proxy=None,
        )
    except (OSError, InvalidHandshake, InvalidURI, TimeoutError) as problem:
        raise Lost(str(problem)) from problem
    if socket.subprotocol != subprotocol:
        await socket.close(1002, "subprotocol")
        raise Lost(f"the server does not speak {subprotocol}")
    return Link(socket, clock, f"station:{identity}", handler, number)
