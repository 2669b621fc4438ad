"""The simulated scheduler: posts its VDV 452 export and the assignment of vehicles to a hub."""

from __future__ import annotations

import logging
import ssl
from datetime import datetime, timedelta
from http import HTTPStatus

import aiohttp

from simulators.clock import Clock, SystemClock

log = logging.getLogger(__name__)

WHO = "scheduler"
_TRIES = 5


class NotTaken(Exception):
    """The hub did not take a file; the text is its answer."""


async def run_scheduler(
    files: list[tuple[str, bytes]],
    url: str,
    *,
    at: datetime | None = None,
    token: str | None = None,
    trust: ssl.SSLContext | None = None,
    clock: Clock | None = None,
) -> None:
    """Post each (name, content) to `url`, in order, at a moment; a hub that is away or busy is tried again every 30 s of the clock.

    Raises:
        NotTaken: a file was refused, or the hub could not be used in five tries.
    """
    clock = clock or SystemClock()
    await clock.sleep_until(at or clock.now(), WHO)
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    roots = aiohttp.TCPConnector(ssl=trust or True)
    async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=60), connector=roots) as http:
        for name, content in files:
            await _send(http, url, headers | {"X-File-Name": name}, content, clock)


async def _send(http: aiohttp.ClientSession, url: str, headers: dict[str, str], content: bytes, clock: Clock) -> None:
    said = ""
    for attempt in range(_TRIES):
        if attempt:
            await clock.sleep_until(clock.now() + timedelta(seconds=30), WHO)
        with clock.hold(WHO):
            status, said = await _answer(http, url, headers, content)
        log.info("%s: %s", headers["X-File-Name"], said)
        if status is not None and status < 400:
            return
        if status is not None and status < 500 and status != HTTPStatus.TOO_MANY_REQUESTS:
            break
    raise NotTaken(f"{headers['X-File-Name']}: {said}")


async def _answer(
    http: aiohttp.ClientSession, url: str, headers: dict[str, str], content: bytes
) -> tuple[int | None, str]:
    """The status and what the hub says; without a status where it cannot be reached."""
    try:
        async with http.post(url, data=content, headers=headers) as answer:
            return answer.status, f"HTTP {answer.status} {(await answer.text())[:300]}"
    except (aiohttp.ClientError, TimeoutError) as problem:
        return None, str(problem) or type(problem).__name__
