"""Waiting until something is so: the limit only ends a test that would wait for ever, it is never what is tested."""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Awaitable, Callable
from typing import Any

GENEROUS_S = 60.0
"""Far more than a machine needs that is many times slower than ours."""


async def until(asked: Callable[[], Any | Awaitable[Any]], within_s: float = GENEROUS_S) -> Any:
    """Ask until the answer is truthy, and return it; the last answer stands in the failure."""
    answer: Any = None
    try:
        async with asyncio.timeout(within_s):
            while not (answer := await _told(asked)):
                await asyncio.sleep(0.005)
    except TimeoutError:
        raise AssertionError(f"not within {within_s} s; the last answer was {answer!r}") from None
    return answer


async def _told(asked: Callable[[], Any | Awaitable[Any]]) -> Any:
    answer = asked()
    return await answer if inspect.isawaitable(answer) else answer
