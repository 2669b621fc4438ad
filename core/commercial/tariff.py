"""When a time-of-use tariff changes its price: local wall clock per instant, also across a change of the zone's offset."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from core.messages.site import Tariff, TariffPeriod

_HOUR = timedelta(hours=1)
_MINUTE = timedelta(minutes=1)


def period_at(tariff: Tariff, zone: str, at: datetime) -> TariffPeriod:
    """The period whose price holds at this instant, by local time of day; before the first one the last of the day before."""
    local = at.astimezone(ZoneInfo(zone)).time()
    begun = [period for period in tariff.periods if period.begins <= local]
    return max(begun or tariff.periods, key=lambda period: period.begins)


def boundaries(tariff: Tariff, zone: str, begins: datetime, ends: datetime) -> tuple[datetime, ...]:
    """The moments strictly inside the window at which the price changes, in time order."""
    cuts: list[datetime] = []
    before = period_at(tariff, zone, begins).price_per_kwh
    for moment in sorted({*_starts(tariff, zone, begins, ends), *_shifts(zone, begins, ends)}):
        rate = period_at(tariff, zone, moment).price_per_kwh
        if begins < moment < ends and rate != before:
            cuts.append(moment)
            before = rate
    return tuple(cuts)


def _starts(tariff: Tariff, zone: str, begins: datetime, ends: datetime) -> Iterator[datetime]:
    """Every instant that shows a period's first wall time; an hour that comes twice shows it twice."""
    local = ZoneInfo(zone)
    day, last = begins.astimezone(local).date(), ends.astimezone(local).date()
    while day <= last:
        for period in tariff.periods:
            for fold in (0, 1):
                yield datetime.combine(day, period.begins, local).replace(fold=fold).astimezone(UTC)
        day += timedelta(days=1)


def _shifts(zone: str, begins: datetime, ends: datetime) -> Iterator[datetime]:
    """Every instant within the window at which the zone's offset changes, to the minute."""
    local = ZoneInfo(zone)
    hour = begins.astimezone(UTC).replace(minute=0, second=0, microsecond=0)
    while hour < ends:
        minute = hour + _HOUR
        if hour.astimezone(local).utcoffset() != minute.astimezone(local).utcoffset():
            while (minute - _MINUTE).astimezone(local).utcoffset() == (hour + _HOUR).astimezone(local).utcoffset():
                minute -= _MINUTE
            yield minute
        hour += _HOUR
