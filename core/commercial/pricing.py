"""The price of one session: its register cut at tariff boundaries, Decimal throughout, nothing estimated in silence."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import ROUND_HALF_UP, Decimal
from itertools import pairwise

from core.commercial.tariff import boundaries, period_at
from core.messages.commercial import PricedLine, RecordPriced
from core.messages.site import Tariff
from core.sessions import Session

_MWH = Decimal("0.001")
"""Registers are taken to a thousandth of a watt-hour, so that lines add up to the session exactly."""
_WHOLE = Decimal(1)
_CARRIED = Decimal("0.0001")
"""Sums are carried with four decimals; an invoice rounds."""
UNASSIGNED = "unassigned"


@dataclass(frozen=True, slots=True)
class Reading:
    """The register at a moment (Wh), and whether it was read or lies on a line between two readings."""

    time: datetime
    wh: Decimal
    measured: bool


def price(session: Session, tariff: Tariff, zone: str, cost_centre: str) -> RecordPriced:
    """The record of an ended session.

    A missing register at begin or end, or one that runs backwards, makes it `incomplete`: no lines, no energy, no cost.
    """
    ended = session.ended or session.started
    readings = _readings(session)
    lines = () if readings is None else _lines(readings, tariff, zone)
    return RecordPriced(
        session=session.id,
        vehicle=session.vehicle,
        cost_centre=cost_centre,
        begins=session.started,
        ends=ended,
        energy_kwh=sum((line.energy_kwh for line in lines), Decimal(0)),
        cost=sum((line.cost for line in lines), Decimal(0)).quantize(_CARRIED, ROUND_HALF_UP),
        currency=tariff.currency,
        tariff=tariff.id,
        status="incomplete" if readings is None else "complete",
        lines=lines,
    )


def _readings(session: Session) -> tuple[Reading, ...] | None:
    """The register from begin to end, in time order; None where it is missing or runs backwards."""
    if session.begin_wh is None or session.end_wh is None or session.ended is None:
        return None
    begin, end = _wh(session.begin_wh), _wh(session.end_wh)
    between = sorted((p for p in session.points if session.started < p.time < session.ended), key=lambda p: p.time)
    known = [
        Reading(session.started, begin, True),
        *(Reading(p.time, _within(_wh(p.energy_wh), begin, end), True) for p in between),
        Reading(session.ended, end, True),
    ]
    falls = any(later.wh < earlier.wh for earlier, later in pairwise(known))
    return None if falls else tuple(known)


def _within(wh: Decimal, begin: Decimal, end: Decimal) -> Decimal:
    """A register between those of begin and end, which OCPP 1.6 states in whole watt-hours: less than one is their rounding."""
    if begin - _WHOLE < wh < begin:
        return begin
    return end if end < wh < end + _WHOLE else wh


def _lines(readings: Sequence[Reading], tariff: Tariff, zone: str) -> tuple[PricedLine, ...]:
    """One line per stretch of one price."""
    begins, ends = readings[0], readings[-1]
    cuts = [_at(readings, moment) for moment in boundaries(tariff, zone, begins.time, ends.time)]
    return tuple(_line(one, other, tariff, zone) for one, other in pairwise((begins, *cuts, ends)))


def _line(begins: Reading, ends: Reading, tariff: Tariff, zone: str) -> PricedLine:
    rate = period_at(tariff, zone, begins.time).price_per_kwh
    energy = (ends.wh - begins.wh) / 1000
    return PricedLine(
        begins=begins.time,
        ends=ends.time,
        energy_kwh=energy,
        price_per_kwh=rate,
        cost=energy * rate,
        quality="measured" if begins.measured and ends.measured else "interpolated",
    )


def _at(readings: Sequence[Reading], moment: datetime) -> Reading:
    """The register at a moment: as read, else on the straight line between its neighbours."""
    for before, after in pairwise(readings):
        if before.time == moment:
            return before
        if before.time < moment < after.time:
            share = Decimal((moment - before.time) / (after.time - before.time))
            return Reading(moment, _wh(before.wh + (after.wh - before.wh) * share), False)
    return readings[-1]


def _wh(value: float | Decimal) -> Decimal:
    return Decimal(str(value)).quantize(_MWH, ROUND_HALF_UP)
