"""Waiting until something is so: the limit only ends a test that would wait for ever, it is never what is tested."""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Awaitable, Callable
from typing import Any

GENEROUS_S = 60.0
"""Far more than a machine needs that is many times slower than ours."""
FIRST_S, LONGEST_S = 0.005, 0.05
"""How long between two questions: longer each time, because who asks takes time away from who is to answer."""


async def until(asked: Callable[[], Any | Awaitable[Any]], within_s: float = GENEROUS_S) -> Any:
    """Ask until the answer is truthy, and return it; the last answer stands in the failure."""
    answer: Any = None
    pause = FIRST_S
    try:
        async with asyncio.timeout(within_s):
            while not (answer := await _told(asked)):
                await asyncio.sleep(pause)
                pause = min(2 * pause, LONGEST_S)
    except TimeoutError:
        raise AssertionError(f"not within {within_s} s; the last answer was {answer!r}") from None
    return answer


async def _told(asked: Callable[[], Any | Awaitable[Any]]) -> Any:
    answer = asked()
    return await answer if inspect.isawaitable(answer) else answer
