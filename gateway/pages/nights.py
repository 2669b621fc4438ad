"""Which night it is, and from when to when it is drawn."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

NOON = time(12)
EVENING = time(18)
HALF = timedelta(minutes=30)
DAY = timedelta(days=1)


def evening_of(now: datetime, zone: str) -> date:
    """The day in whose evening the present night begins: before noon it is yesterday's."""
    local = now.astimezone(ZoneInfo(zone))
    return local.date() if local.time() >= NOON else local.date() - DAY


def noon(day: date, zone: str) -> tuple[datetime, datetime]:
    """From noon of a day to the next noon, on the site's clock."""
    tz = ZoneInfo(zone)
    return (
        datetime.combine(day, NOON, tz).astimezone(UTC),
        datetime.combine(day + DAY, NOON, tz).astimezone(UTC),
    )


def window(
    day: date, zone: str, arrivals: Sequence[datetime], departures: Sequence[datetime]
) -> tuple[datetime, datetime]:
    """From 18:00, or half an hour before the first arrival, to half an hour after the last morning departure."""
    first, last = noon(day, zone)
    begins = datetime.combine(day, EVENING, ZoneInfo(zone)).astimezone(UTC)
    tonight = [a for a in arrivals if first <= a]
    if tonight:
        begins = max(first, min(begins, min(tonight) - HALF))
    morning = [d for d in departures if begins < d <= last]
    ends = max(morning) + HALF if morning else last - timedelta(hours=4)
    return begins, ends
