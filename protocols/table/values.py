"""Values of a plain table: days, local times, numbers and shares, with what is wrong in words."""

from __future__ import annotations

import math
import re
from datetime import UTC, date, datetime
from zoneinfo import ZoneInfo

from protocols.common.imports import DAY_S, next_wall_clock, wall_clock
from protocols.table.wire import Row

_CLOCK = re.compile(r"(\d{1,2}):(\d{2})(?::(\d{2}))?")
MAX_HOUR = 47
LEAST_PERCENT = 5.0
"""A bare number from 0 to 1 is a fraction, from here on it is percent; between them it may be either, mistyped."""


class BadRow(ValueError):
    """A row that cannot be used: `reason` is a code, the text says what is wrong."""

    def __init__(self, reason: str, detail: str) -> None:
        super().__init__(detail)
        self.reason = reason


def day_of(row: Row) -> date | None:
    """The operating day as YYYY-MM-DD or YYYYMMDD; None where the row names none.

    Raises:
        BadRow: `day_invalid`.
    """
    text = row.text("operating_day")
    if not text:
        return None
    try:
        return date.fromisoformat(text)
    except ValueError as error:
        raise BadRow("day_invalid", f"operating_day is {text!r}; write it as 2026-11-25") from error


def moment(row: Row, column: str, day: date | None, zone: ZoneInfo, now: datetime | None) -> datetime:
    """A time in UTC: `HH:MM` on the operating day (hours to 47), or ISO 8601, local where it has no offset.

    Without a day, `HH:MM` means the next such time after `now`.

    Raises:
        BadRow: `time_invalid` or `day_missing`.
    """
    text = row.text(column)
    if found := _CLOCK.fullmatch(text):
        return _on_clock(column, text, _seconds(column, text, found), day, zone, now)
    try:
        parsed = datetime.fromisoformat(text)
        if "T" not in text.upper() and " " not in text:
            raise ValueError("a day without a time")
        if parsed.tzinfo is not None:
            return parsed.astimezone(UTC)
        seconds = parsed.hour * 3600 + parsed.minute * 60 + parsed.second
        return wall_clock(parsed.date(), seconds, zone)
    except (ValueError, OverflowError) as error:
        raise BadRow("time_invalid", f"{column} is {text!r}; write it as 06:20 or 2026-11-25T06:20") from error


def _seconds(column: str, text: str, found: re.Match[str]) -> int:
    hours, minutes, seconds = (int(part or 0) for part in found.groups())
    if hours > MAX_HOUR or minutes > 59 or seconds > 59:
        raise BadRow("time_invalid", f"{column} is {text!r}, no time of a day (hours up to {MAX_HOUR} after midnight)")
    return hours * 3600 + minutes * 60 + seconds


def _on_clock(column: str, text: str, seconds: int, day: date | None, zone: ZoneInfo, now: datetime | None) -> datetime:
    if day is not None:
        return wall_clock(day, seconds, zone)
    if now is None:
        raise BadRow("day_missing", f"{column} is {text!r} without a day; add a column operating_day")
    return next_wall_clock(seconds, zone, now)


def arrival(row: Row, departs: datetime, day: date, zone: ZoneInfo) -> datetime | None:
    """When the vehicle is back; `HH:MM` before the departure means the next day; None where the row names none.

    Raises:
        BadRow: `time_invalid` or `arrival_before_departure`.
    """
    text = row.text("arrival")
    if not text:
        return None
    found = moment(row, "arrival", day, zone, None)
    if found <= departs and (clock := _CLOCK.fullmatch(text)):
        found = wall_clock(day, _seconds("arrival", text, clock) + DAY_S, zone)
    if found <= departs:
        raise BadRow("arrival_before_departure", f"arrival {text} is not after the departure")
    return found


def number(row: Row, column: str, most: float) -> float | None:
    """A number from 0 to `most`; None where the row names none.

    Raises:
        BadRow: `number_invalid`.
    """
    text = row.text(column)
    if not text:
        return None
    try:
        value = float(text.replace(",", ".") if row.decimal_comma else text)
    except ValueError:
        value = math.nan
    if not 0 <= value <= most:
        raise BadRow("number_invalid", f"{column} is {text!r}, not a number from 0 to {most:g}")
    return value


def share(row: Row, column: str) -> float | None:
    """A share as 0.9, 90 or 90 %; None where the row names none.

    Raises:
        BadRow: `number_invalid`.
    """
    text = row.text(column)
    bare = text.removesuffix("%").strip()
    value = number(Row(row.number, {column: bare}, row.decimal_comma), column, 100)
    if value is None or (bare == text and value <= 1):
        return value
    if bare == text and value < LEAST_PERCENT:
        raise BadRow("number_invalid", f"{column} is {text!r}: a fraction goes up to 1; write percent as {text} %")
    return value / 100
