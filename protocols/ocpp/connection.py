"""One authenticated socket of one station: frames in, frames out, and at most one open call of ours (OCPP-J 4.1.1)."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import logging
from collections import OrderedDict
from dataclasses import dataclass
from datetime import datetime, timedelta

from websockets.asyncio.server import ServerConnection
from websockets.exceptions import ConnectionClosed

from core.ports import Clock
from protocols.ocpp.dialect import Dialect
from protocols.ocpp.pace import Bucket
from protocols.ocpp.records import Records
from protocols.ocpp.rpc import Error, MessageId, Result

log = logging.getLogger(__name__)

LATE = timedelta(minutes=10)
"""So long an answer to a call that timed out is still matched."""
KEPT_ANSWERS = 64


@dataclass(frozen=True, slots=True)
class Arrived:
    """An answer of the station to one of our calls, as text and as read."""

    frame: Result | Error
    raw: str


class Lost(Exception):
    """The socket closed while a call was open: its outcome is unknown."""


class Connection:
    """A station's socket with its open call, late calls and the answers that a retry gets again."""

    def __init__(
        self,
        socket: ServerConnection,
        dialect: Dialect,
        records: Records,
        generation: int,
        clock: Clock,
        bucket: Bucket,
    ) -> None:
        self.socket = socket
        self.dialect = dialect
        self.records = records
        self.generation = generation
        """Counts the connections of this station; a newer one fences the older."""
        self.clock = clock
        self.bucket = bucket
        self.fenced = False
        self.opened = clock.now()
        self._calls = 0
        self._open: tuple[str, asyncio.Future[Arrived | None]] | None = None
        self._late: OrderedDict[str, datetime] = OrderedDict()
        self._answers: OrderedDict[tuple[MessageId, bytes], str] = OrderedDict()

    def next_call(self) -> str:
        """A call id that no other connection of this station has had."""
        self._calls += 1
        return f"{self.records.ports.epoch}.{self.generation}.{self._calls}"

    async def send(self, text: str) -> None:
        """Send a frame; a closed socket is noticed by its reader."""
        self.records.ports.report("frames_sent", {"protocol": "ocpp", "version": self.dialect.subprotocol})
        with contextlib.suppress(ConnectionClosed):
            await self.socket.send(text)

    async def call(self, ident: str, text: str, until: datetime, who: str) -> Arrived:
        """Send our call and wait for its answer.

        Raises:
            TimeoutError: no answer until then; a later one is still matched for ten minutes.
            Lost: the socket closed.
        """
        future: asyncio.Future[Arrived | None] = asyncio.get_running_loop().create_future()
        self._open = (ident, future)
        try:
            with self.clock.hold(f"{who}:call"):
                await self.send(text)
                arrived = await self.clock.wait(future, until, who)
        except TimeoutError:
            self._late[ident] = self.clock.now() + LATE
            raise
        finally:
            self._open = None
        if arrived is None:
            raise Lost
        return arrived

    def arrive(self, arrived: Arrived) -> bool | str:
        """Match an answer: True for the open call, its id for a late one, False for none of ours."""
        ident = str(arrived.frame.id)
        if self._open is not None and self._open[0] == ident and not self._open[1].done():
            self._open[1].set_result(arrived)
            return True
        expires = self._late.pop(ident, None)
        return ident if expires is not None and expires >= self.clock.now() else False

    def lose(self) -> None:
        """The socket is gone: whoever waits for an answer learns it."""
        self.fenced = True
        if self._open is not None and not self._open[1].done():
            self._open[1].set_result(None)

    def remembered(self, ident: MessageId, raw: str) -> str | None:
        """The answer that the same request got before on this connection."""
        return self._answers.get((ident, _digest(raw)))

    def remember(self, ident: MessageId, raw: str, answer: str) -> None:
        """Keep an answer for a retry."""
        self._answers[ident, _digest(raw)] = answer
        if len(self._answers) > KEPT_ANSWERS:
            self._answers.popitem(last=False)

    async def close(self, code: int, reason: str) -> None:
        """Close the socket, telling the station why."""
        with contextlib.suppress(ConnectionClosed):
            await self.socket.close(code, reason)


def _digest(raw: str) -> bytes:
    return hashlib.sha256(raw.encode(errors="replace")).digest()
