"""Answers that go on: a writer for event streams over one open response."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, Mapping

from aiohttp import web

from core.ports import HttpRequest

_log = logging.getLogger("busbar.http")


class StreamClosed(ConnectionError):
    """The client is gone; end the handler."""


class StreamWriter:
    """What a streaming handler writes into; headers go out with `start`, or with the first `write`."""

    def __init__(self, request: web.BaseRequest) -> None:
        self._request = request
        self._response: web.StreamResponse | None = None

    @property
    def response(self) -> web.StreamResponse | None:
        """The open response, once started."""
        return self._response

    async def start(
        self, status: int = 200, content_type: str = "text/event-stream", headers: Mapping[str, str] | None = None
    ) -> None:
        """Send status and headers.

        Raises:
            StreamClosed: the client is gone.
        """
        plain = {"Cache-Control": "no-store", "X-Content-Type-Options": "nosniff", "Content-Type": content_type}
        self._response = web.StreamResponse(status=status, headers=plain | dict(headers or {}))
        try:
            await self._response.prepare(self._request)
        except ConnectionError as error:
            raise StreamClosed from error

    async def write(self, data: bytes) -> None:
        """Send a piece and wait until the socket took it, so a slow client slows its own stream only.

        Raises:
            StreamClosed: the client is gone.
        """
        if self._response is None:
            await self.start()
        assert self._response is not None
        if self._request.transport is None or self._request.transport.is_closing():
            raise StreamClosed
        try:
            await self._response.write(data)
        except ConnectionError as error:
            raise StreamClosed from error


StreamHandler = Callable[[HttpRequest, StreamWriter], Awaitable[None]]


async def pump(handler: StreamHandler, request: HttpRequest, writer: StreamWriter) -> None:
    """Run the handler until it or its client ends; its defect ends this stream alone."""
    try:
        await handler(request, writer)
    except StreamClosed:
        return
    except Exception:  # noqa: BLE001 because: this is the boundary of a stream
        _log.exception("stream %s failed", request.path)
