"""One HTTP request to a peer: bounded in time and size, no redirects, never an exception."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import aiohttp

MAX_ANSWER = 65536


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back; status 0: nothing did, and `text` says why."""

    status: int
    text: str = ""

    @property
    def ok(self) -> bool:
        """Whether the peer took it."""
        return 200 <= self.status < 300


class Client:
    """The HTTP client of the adapter; time-outs are transport, so they run on wall time."""

    def __init__(self, timeout_s: float) -> None:
        self._timeout = aiohttp.ClientTimeout(total=timeout_s)
        self._session: aiohttp.ClientSession | None = None

    async def send(self, method: str, url: str, headers: Mapping[str, str], body: bytes) -> Answer:
        """Send it once."""
        if self._session is None:
            self._session = aiohttp.ClientSession(timeout=self._timeout, trust_env=False)
        try:
            async with self._session.request(
                method, url, headers=dict(headers), data=body, allow_redirects=False
            ) as response:
                raw = await response.content.read(MAX_ANSWER)
                return Answer(response.status, raw.decode("utf-8", "replace"))
        except TimeoutError:
            return Answer(0, "no answer in time")
        except (aiohttp.ClientError, OSError, ValueError) as error:
            return Answer(0, f"{type(error).__name__}: {error}"[:500])

    async def close(self) -> None:
        """Close the connections."""
        if self._session is not None:
            await self._session.close()
            self._session = None
