"""How much is kept of what strangers send: ten items a second per address, and a count of the rest."""

from __future__ import annotations

import asyncio
import json
from collections import OrderedDict, deque
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from core.messages.base import canonical
from core.ports import HUB
from gateway.journal.log import Log

PER_SECOND = 10
MAX_ADDRESSES = 4096
MAX_ITEM = 64 * 1024
CUT = 4096
MOST_WAITING = 1000


@dataclass(slots=True)
class _Second:
    began: float
    kept: int = 0
    left_out: int = 0


class Gate:
    """Decides per address; the table of addresses is bounded, the longest silent one is forgotten first."""

    def __init__(self) -> None:
        self._seconds: OrderedDict[str, _Second] = OrderedDict()

    def admit(self, peer: str, item: Mapping[str, Any], now: float) -> bytes | None:
        """The bytes to keep, or None; `now` in monotonic seconds. `left_out` counts what was dropped before this."""
        second = self._seconds.get(peer) or _Second(now)
        if now - second.began >= 1:
            second = _Second(now, left_out=second.left_out)
        self._seconds[peer] = second
        self._seconds.move_to_end(peer)
        if len(self._seconds) > MAX_ADDRESSES:
            self._seconds.popitem(last=False)
        if second.kept >= PER_SECOND:
            second.left_out += 1
            return None
        left_out, second.left_out = second.left_out, 0
        second.kept += 1
        return _bytes(peer, item, left_out)


def _bytes(peer: str, item: Mapping[str, Any], left_out: int) -> bytes:
    data: dict[str, Any] = {"peer": peer, "item": dict(item)}
    if left_out:
        data["left_out"] = left_out
    text = canonical(data).encode("utf-8", "backslashreplace")
    if len(text) <= MAX_ITEM:
        return text
    cut = canonical(data["item"])[:CUT]
    return canonical({**data, "item": {"cut": cut, "bytes": len(text)}}).encode("utf-8", "backslashreplace")


def named(protocol: str, seq: int, time: datetime, kept: bytes) -> dict[str, Any]:
    """An item as it is shown: its id is the place at which it is kept, so it is the same whenever it is asked for."""
    return {"id": f"{protocol}-{seq}", "time": time.isoformat(), **json.loads(kept)}


class Strangers:
    """Takes what strangers sent and returns at once; one task stores it, what comes too fast is left out."""

    def __init__(self, log: Log) -> None:
        self._log = log
        self._waiting: deque[tuple[str, str, Mapping[str, Any]]] = deque(maxlen=MOST_WAITING)
        self._some = asyncio.Event()

    def put(self, protocol: str, peer: str, item: Mapping[str, Any]) -> None:
        """See `core.ports.Ports.stranger`."""
        self._waiting.append((protocol, peer, item))
        self._some.set()

    async def run(self) -> None:
        """Until cancelled."""
        while True:
            await self._some.wait()
            self._some.clear()
            while self._waiting:
                await self._log.refuse(HUB, *self._waiting.popleft())
