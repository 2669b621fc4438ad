"""Priced records of sessions, kept apart from the physical energy transfer."""

from __future__ import annotations

from decimal import Decimal
from typing import ClassVar, Literal

from core.messages.base import Body, Message, Plain, Problem, Utc


class PricedLine(Plain):
    """One part of a record: energy of one tariff period."""

    begins: Utc
    ends: Utc
    energy_kwh: Decimal
    price_per_kwh: Decimal
    cost: Decimal
    quality: Literal["measured", "interpolated"] = "measured"


class RecordPriced(Body):
    """The priced record of one session; coordinates name session, vehicle, station."""

    TYPE: ClassVar[str] = "record.priced"
    PROBLEM: ClassVar[Problem] = Problem("roaming & shared charging", "commercial settlement")

    session: str
    vehicle: str | None
    cost_centre: str
    begins: Utc
    ends: Utc
    energy_kwh: Decimal
    cost: Decimal
    currency: str
    tariff: str
    status: Literal["complete", "incomplete"]
    """`incomplete`: a register is missing; nothing is billed silently."""
    lines: tuple[PricedLine, ...]

    def key(self, message: Message) -> tuple[str, ...]:
        """One per session and tariff."""
        return (self.session, self.tariff)
