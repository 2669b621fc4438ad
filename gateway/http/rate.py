"""How often one address may ask: a token bucket per address, bounded in number."""

from __future__ import annotations

import math
from collections import OrderedDict


class RateLimit:
    """`per_s` requests a second on average, `burst` at once; 0 per second is no limit."""

    def __init__(self, per_s: float, burst: int, remember: int = 10_000) -> None:
        self._per_s, self._burst, self._remember = per_s, burst, remember
        self._buckets: OrderedDict[str, tuple[float, float]] = OrderedDict()

    def take(self, address: str, now: float) -> int:
        """0 if the address may ask at `now` (monotonic seconds), else the whole seconds to wait."""
        if self._per_s <= 0:
            return 0
        left, since = self._buckets.pop(address, (float(self._burst), now))
        left = min(float(self._burst), left + (now - since) * self._per_s)
        allowed = left >= 1
        self._buckets[address] = (left - 1 if allowed else left, now)
        if len(self._buckets) > self._remember:
            self._buckets.popitem(last=False)
        return 0 if allowed else max(1, math.ceil((1 - left) / self._per_s))
