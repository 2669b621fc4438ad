"""The connection to a NATS server as the journal needs it: nothing buffered, every failure an error of the waiting call."""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import re
import time
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from nats.aio.client import Client
from nats.aio.msg import Msg
from nats.errors import Error, NoServersError

from core.ports import NotStored
from gateway.journal.group import Unanswered
from gateway.journal.log import Damaged

REQUEST_S = 2.0
UNAVAILABLE = 503
CONNECT_S = 10.0
CLOSE_S = 5.0
LOG_EVERY_S = 10.0
MAX_PAYLOAD = 1024 * 1024
"""Headers and body together; above that the server drops the connection."""

_FORBIDDEN = re.compile(r"permissions violation for publish to \"([^\"]+)\"", re.IGNORECASE)

log = logging.getLogger(__name__)


class ApiError(Exception):
    """JetStream's API answered with an error."""

    def __init__(self, code: int, err_code: int, text: str) -> None:
        super().__init__(f"{text} ({code}/{err_code})")
        self.code, self.err_code, self.text = code, err_code, text


class Link:
    """One connection; `generation` counts reconnects, so that readers renew their consumers at once."""

    def __init__(self, nc: Client, prefix: str) -> None:
        self.nc = nc
        self.generation = 0
        self.renew: list[Callable[[], Awaitable[None]]] = []
        """Called after each reconnect."""
        self._prefix = prefix
        self._forbidden: dict[str, float] = {}
        self._logged = -LOG_EVERY_S
        self._connected = False
        self._cut: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._last: Exception | None = None

    @classmethod
    async def open(
        cls, url: str, *, user: str | None = None, password: str | None = None, domain: str | None = None
    ) -> Link:
        """Connect.

        Raises:
            ConnectionError: the server cannot be reached, or refuses us.
        """
        link = cls(Client(), f"$JS.{domain}.API" if domain else "$JS.API")
        try:
            async with asyncio.timeout(CONNECT_S):
                await link._connect(url, user, password)
        except (Error, NoServersError, OSError, TimeoutError) as error:
            raise ConnectionError(
                f"cannot connect to the journal's server at {url}: {link._last or error}; next: see whether it runs and the user is right"
            ) from error
        return link

    async def _connect(self, url: str, user: str | None, password: str | None) -> None:
        credentials = {"user": user, "password": password} if user else {}
        await self.nc.connect(
            [url],
            name="busbar journal",
            ping_interval=5,
            max_outstanding_pings=2,
            max_reconnect_attempts=1,
            reconnect_time_wait=0.1,  # type: ignore[arg-type]  # because: declared int, used as seconds
            pending_size=0,  # because: what cannot be sent now must fail now, not go out later
            error_cb=self._on_error,
            reconnected_cb=self._on_reconnect,
            disconnected_cb=self._on_disconnect,
            inbox_prefix="_INBOX_busbar",
            **credentials,  # type: ignore[arg-type]  # because: one type for both keys
        )
        self.nc.options["max_reconnect_attempts"] = -1  # a first failure is told, a later one is lived through
        self._connected = True

    async def _on_error(self, error: Exception) -> None:
        self._last = error
        found = _FORBIDDEN.search(str(error))
        if found:
            self._forbidden[found[1]] = time.monotonic()
        if self._connected and time.monotonic() - self._logged > LOG_EVERY_S:
            self._logged = time.monotonic()
            log.warning("the journal's connection: %s", error)

    async def _on_disconnect(self) -> None:
        self._cut.set_result(None)
        self._cut = asyncio.get_running_loop().create_future()

    async def _on_reconnect(self) -> None:
        self.generation += 1
        for renew in self.renew:
            try:
                await renew()
            except (Unanswered, ApiError, Damaged) as error:
                log.warning("after a reconnect: %s", error)

    async def request(self, subject: str, body: bytes, headers: Mapping[str, str] | None = None) -> Msg:
        """One request, answered within two seconds.

        Raises:
            Unanswered: nothing is known about what became of it.
            NotStored: this user may not publish there.
        """
        if not self.nc.is_connected:
            raise Unanswered("not connected")
        sent = time.monotonic()
        try:
            return await self._request(subject, body, dict(headers) if headers else None)
        except (Error, OSError, TimeoutError) as error:
            if self._forbidden.get(subject, -1) >= sent:
                raise NotStored(
                    f"the server forbids to publish on {subject}; next: give this user the right"
                ) from error
            raise Unanswered(f"{type(error).__name__} on {subject}") from error

    async def _request(self, subject: str, body: bytes, headers: dict[str, str] | None) -> Msg:
        """Ends at a lost connection too: the answer cannot come any more, and two seconds are long for a peer."""
        asked = asyncio.ensure_future(self.nc.request(subject, body, timeout=REQUEST_S, headers=headers))
        cut = self._cut
        try:
            await asyncio.wait((asked, cut), return_when=asyncio.FIRST_COMPLETED)
            if not asked.done():
                raise ConnectionResetError("the connection was lost")
            return asked.result()
        finally:
            asked.cancel()

    async def api(self, operation: str, data: Mapping[str, Any] | None = None) -> dict[str, Any]:
        """A call of JetStream's API by its operation (`STREAM.INFO.JOURNAL`).

        Raises:
            Unanswered: no answer.
            ApiError: it says no.
        """
        message = await self.request(self.subject(operation), json.dumps(data).encode() if data else b"")
        answer: dict[str, Any] = json.loads(message.data)
        if "error" in answer:
            error = answer["error"]
            if error.get("code") == UNAVAILABLE:
                raise Unanswered(error.get("description", ""))
            raise ApiError(error.get("code", 0), error.get("err_code", 0), error.get("description", ""))
        return answer

    def subject(self, operation: str) -> str:
        """The subject of an operation of JetStream's API."""
        return f"{self._prefix}.{operation}"

    async def close(self) -> None:
        """Close; never hangs."""
        with contextlib.suppress(Error, TimeoutError, OSError):
            await asyncio.wait_for(self.nc.close(), CLOSE_S)
