"""A pull consumer without acknowledgements: messages from a sequence on, renewed whenever anything is doubtful."""

from __future__ import annotations

import asyncio
import contextlib
import json
import secrets
from collections import deque
from collections.abc import AsyncGenerator, AsyncIterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from nats.aio.msg import Msg
from nats.errors import Error

from gateway.journal.group import Unanswered
from gateway.journal.link import ApiError, Link

BATCH = 64
EXPIRES_S = 5.0
LOOK_S = 0.5
INACTIVE_S = 30

_NANO = 1_000_000_000


class Lost(Exception):
    """The consumer is gone or silent: make a new one from the last sequence that was read."""


@dataclass(frozen=True, slots=True)
class Pulled:
    """A stored message as a consumer delivers it."""

    seq: int
    subject: str
    data: bytes
    time: datetime
    """When it was stored, by the server's clock."""
    pending: int
    """How many wait behind it."""


class Pull:
    """One ephemeral consumer; `async for` ends with `Lost` only."""

    def __init__(self, link: Link, stream: str, config: Mapping[str, Any]) -> None:
        self._link, self._stream, self._config = link, stream, config
        self._name = f"r{secrets.token_hex(8)}"
        self._inbox = link.nc.new_inbox()
        self._generation = link.generation
        self._got: deque[Msg] = deque()
        self._news = asyncio.Event()
        self._asked = 0.0

    async def messages(self) -> AsyncGenerator[Pulled, None]:
        """All messages, as they come.

        Raises:
            Lost: see there.
        """
        try:
            subscription = await self._link.nc.subscribe(self._inbox, cb=self._receive)
        except Error as error:
            raise Lost(str(error)) from error
        try:
            await self._create()
            async for message in self._receive_all():
                yield message
        finally:
            with contextlib.suppress(Error):
                await subscription.unsubscribe()
            await self._delete()

    async def _create(self) -> None:
        config = {
            "name": self._name,
            "ack_policy": "none",
            "replay_policy": "instant",
            "inactive_threshold": INACTIVE_S * _NANO,
            "mem_storage": True,
            **self._config,
        }
        request = {"stream_name": self._stream, "config": config, "action": "create"}
        try:
            await self._link.api(f"CONSUMER.CREATE.{self._stream}.{self._name}", request)
        except (Unanswered, ApiError) as error:
            raise Lost(str(error)) from error

    async def _delete(self) -> None:
        with contextlib.suppress(Error):
            if self._link.nc.is_connected:
                await self._link.nc.publish(self._link.subject(f"CONSUMER.DELETE.{self._stream}.{self._name}"), b"")

    async def _receive(self, message: Msg) -> None:
        self._got.append(message)
        self._news.set()

    async def _receive_all(self) -> AsyncGenerator[Pulled, None]:
        open_requests = 0
        while True:
            if open_requests <= 0:
                await self._ask()
                open_requests = BATCH
            message = await self._next()
            if message.headers and "Status" in message.headers:
                open_requests = self._status(message)
                continue
            open_requests -= 1
            yield _pulled(message)

    async def _ask(self) -> None:
        request = json.dumps({"batch": BATCH, "expires": int(EXPIRES_S * _NANO)}).encode()
        subject = self._link.subject(f"CONSUMER.MSG.NEXT.{self._stream}.{self._name}")
        try:
            await self._link.nc.publish(subject, request, self._inbox)
        except Error as error:
            raise Lost(str(error)) from error
        self._asked = asyncio.get_running_loop().time()

    def _status(self, message: Msg) -> int:
        """How many are still outstanding after a status message; 404 and 408 only say that the request has ended."""
        status = (message.headers or {}).get("Status")
        if status in ("404", "408"):
            return 0
        raise Lost(f"status {status}")

    async def _next(self) -> Msg:
        while not self._got:
            self._news.clear()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(LOOK_S):
                    await self._news.wait()
            silent = asyncio.get_running_loop().time() - self._asked > 2 * EXPIRES_S
            if not self._got and (silent or self._link.generation != self._generation or self._link.nc.is_closed):
                raise Lost("silent")
        return self._got.popleft()


@contextlib.asynccontextmanager
async def until_lost(link: Link, stream: str, config: Mapping[str, Any]) -> AsyncIterator[AsyncIterator[Pulled]]:
    """The messages of a new consumer, which ends with the block; where it is lost, the block ends."""
    with contextlib.suppress(Lost):
        async with contextlib.aclosing(Pull(link, stream, config).messages()) as messages:
            yield messages


def _pulled(message: Msg) -> Pulled:
    metadata = message.metadata
    return Pulled(metadata.sequence.stream, message.subject, message.data, metadata.timestamp, metadata.num_pending)
