"""What each cost centre owes: sums of priced records, whose parts add up to the whole."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from decimal import Decimal

from core.messages.commercial import RecordPriced


@dataclass(frozen=True, slots=True)
class Share:
    """One cost centre's sessions in one currency."""

    cost_centre: str
    currency: str
    sessions: int
    energy_kwh: Decimal
    cost: Decimal
    incomplete: int
    """Sessions without a bill because a register is missing."""


def by_cost_centre(records: Iterable[RecordPriced]) -> tuple[Share, ...]:
    """The shares, in the order of cost centre and currency."""
    groups: dict[tuple[str, str], list[RecordPriced]] = {}
    for record in records:
        groups.setdefault((record.cost_centre, record.currency), []).append(record)
    return tuple(
        Share(
            cost_centre=centre,
            currency=currency,
            sessions=len(group),
            energy_kwh=sum((r.energy_kwh for r in group), Decimal(0)),
            cost=sum((r.cost for r in group), Decimal(0)),
            incomplete=sum(r.status == "incomplete" for r in group),
        )
        for (centre, currency), group in sorted(groups.items())
    )
