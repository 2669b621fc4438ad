"""The slots of a plan: on the clock's quarter hours, the first one partial from now; power to energy and back."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from zoneinfo import ZoneInfo

from core.messages.allocation import Step
from core.messages.site import Tariff

SLOT_S = 900
QUANTUM_S = 36
"""0.1 kW over 36 s is 1 Wh: in slots of whole multiples every tenth of a kW is a whole number of Wh."""


@dataclass(frozen=True, slots=True)
class Frame:
    """`count` slots from `begins`; lengths are whole multiples of 36 s, so that rounding costs nothing."""

    begins: datetime
    edges: tuple[datetime, ...]
    """The slots' beginnings and the end of the last one."""
    first_s: int
    """Length of the first slot as counted: rounded down, so that it never promises more than fits."""

    @classmethod
    def at(cls, now: datetime, count: int) -> Frame:
        """Slots from now on."""
        begins = now.astimezone(UTC).replace(microsecond=0)
        past = int(begins.timestamp()) % SLOT_S
        left = SLOT_S - past
        first = begins + timedelta(seconds=left)
        edges = (begins, *(first + timedelta(seconds=SLOT_S * i) for i in range(count)))
        return cls(begins, edges, max(QUANTUM_S, left // QUANTUM_S * QUANTUM_S))

    @property
    def count(self) -> int:
        """How many slots there are."""
        return len(self.edges) - 1

    @property
    def ends(self) -> datetime:
        """The horizon's end."""
        return self.edges[-1]

    def unit(self, slot: int) -> int:
        """Wh of 0.1 kW over the slot."""
        return (SLOT_S if slot else self.first_s) // QUANTUM_S

    def energy(self, kw: float, slot: int) -> int:
        """Wh of this power over the slot, rounded down to 0.1 kW."""
        return max(0, math.floor(kw * 10 + 1e-6)) * self.unit(slot)

    def power(self, wh: int, slot: int) -> float:
        """Power of this energy over the slot (kW), rounded down to 0.1 kW."""
        return wh // self.unit(slot) / 10

    def first_at(self, moment: datetime) -> int:
        """The first slot that lies wholly at or after the moment; 0 for the past and for the second that slots begin in."""
        if moment.replace(microsecond=0) <= self.begins:
            return 0
        return next((i for i, edge in enumerate(self.edges[:-1]) if edge >= moment), self.count)

    def whole_before(self, moment: datetime) -> int:
        """How many slots end by the moment: the first one that is too late to count on."""
        return sum(edge <= moment for edge in self.edges[1:])

    def steps(self, energies: Sequence[int]) -> tuple[Step, ...]:
        """The power steps of these energies (Wh per slot): one where the power changes, the last is 0."""
        return self.steps_of([self.power(wh, slot) for slot, wh in enumerate(energies)])

    def steps_of(self, powers: Sequence[float]) -> tuple[Step, ...]:
        """The steps of these powers (kW per slot)."""
        found: list[Step] = []
        for slot, kw in enumerate(powers):
            if not found or kw != found[-1].kw:
                found.append(Step(at=self.edges[slot], kw=kw))
        if found and found[-1].kw:
            found.append(Step(at=self.ends, kw=0.0))
        return tuple(found)

    def powers(self, steps: Sequence[Step]) -> list[float]:
        """The least power that these steps give in each slot (kW); 0 before the first."""
        powers = []
        for begins, ends in zip(self.edges, self.edges[1:], strict=False):
            start = next((s.kw for s in reversed(steps) if s.at <= begins), 0.0)
            powers.append(min([start, *(s.kw for s in steps if begins < s.at < ends)]))
        return powers


def price_ranks(frame: Frame, tariff: Tariff, zone: str) -> tuple[int, ...]:
    """The rank of each slot's tariff tier by local time of day; equal prices share a rank."""
    local = ZoneInfo(zone)
    prices = [_price_at(tariff, edge.astimezone(local)) for edge in frame.edges[:-1]]
    ranks = {price: rank for rank, price in enumerate(sorted(set(prices)))}
    return tuple(ranks[price] for price in prices)


def _price_at(tariff: Tariff, local: datetime) -> Decimal:
    begun = [period for period in tariff.periods if period.begins <= local.time()]
    return (begun or tariff.periods)[-1].price_per_kwh
