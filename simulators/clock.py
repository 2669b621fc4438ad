"""The clock that simulators are handed: a structural type, and the system's own clock for use against any server."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable
from contextlib import AbstractContextManager, nullcontext
from datetime import UTC, datetime
from typing import Protocol, TypeVar

T = TypeVar("T")


class Clock(Protocol):
    """Time for all that a simulator does; on a held clock it stands still while anybody holds it."""

    def now(self) -> datetime:
        """The present moment, aware UTC."""

    async def sleep_until(self, moment: datetime, who: str) -> None:
        """Return at `moment`; `sleep_until(now(), who)` is a turn: due now, one owner after the other."""

    async def wait(self, future: Awaitable[T], until: datetime | None, who: str) -> T:
        """The result of `future`, or `TimeoutError` at `until`; the future is not cancelled."""

    def hold(self, who: str) -> AbstractContextManager[None]:
        """While held, simulated time stands still."""


class SystemClock:
    """The machine's own time; holding does nothing."""

    def now(self) -> datetime:
        """The present moment, aware UTC."""
        return datetime.now(UTC)

    async def sleep_until(self, moment: datetime, who: str) -> None:
        """Sleep until `moment`; returns at once when it has passed."""
        await asyncio.sleep(max(0.0, (moment - self.now()).total_seconds()))

    async def wait(self, future: Awaitable[T], until: datetime | None, who: str) -> T:
        """The result of `future`, or `TimeoutError` at `until`."""
        shielded = asyncio.shield(asyncio.ensure_future(future))
        if until is None:
            return await shielded
        async with asyncio.timeout(max(0.0, (until - self.now()).total_seconds())):
            return await shielded

    def hold(self, who: str) -> AbstractContextManager[None]:
        """Nothing: real time cannot be held."""
        return nullcontext()
