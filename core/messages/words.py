"""The one formatter: numbers with units, shares, moments and spans as people read them on page, CLI, mail and API."""

from __future__ import annotations

import math
import shlex
from collections.abc import Mapping
from datetime import datetime, timedelta
from decimal import Decimal
from zoneinfo import ZoneInfo

NBSP = "\u00a0"
UNKNOWN = "?"
_DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
UNITS: Mapping[str, str] = {"kw": "kW", "kwh": "kWh", "a": "A", "v": "V", "km": "km", "c": "°C", "kg": "kg"}
"""Unit by the last part of a field's name."""


def _whole(value: float, up: bool) -> int:
    """Rounded down (what we have) or up (what is needed); a millionth of binary noise does not move it."""
    steady = round(value, 6)
    return math.ceil(steady) if up else math.floor(steady)


def _figure(value: float, up: bool) -> str:
    if abs(value) < 10 and round(value, 6) != 0:
        return f"{_whole(value * 10, up) / 10:.1f}"
    return f"{_whole(value, up):,}"


def amount(value: float | None, unit: str, *, up: bool = False) -> str:
    """`230 kW`, below 10 with one decimal; down for what we have, up for what is needed; None is `?`."""
    return UNKNOWN if value is None else f"{_figure(float(value), up)}{NBSP}{unit}"


def percent(fraction: float | None, *, up: bool = False, tenths: bool = False) -> str:
    """A fraction 0..1 as `64 %`, or `64.2 %`; down for what we have, up for what is needed; None is `?`."""
    if fraction is None:
        return UNKNOWN
    figure = f"{_whole(fraction * 1000, up) / 10:.1f}" if tenths else _whole(float(fraction) * 100, up)
    return f"{figure}{NBSP}%"


def money(value: Decimal | None, currency: str) -> str:
    """`12.40 EUR`; None is `?`."""
    return UNKNOWN if value is None else f"{value:,.2f}{NBSP}{currency}"


def span(seconds: float | timedelta | None) -> str:
    """`20 s`, `43 min`, `2 h 05 min`; None is `?`."""
    if seconds is None:
        return UNKNOWN
    total = int(seconds.total_seconds() if isinstance(seconds, timedelta) else seconds)
    if abs(total) < 60:
        return f"{total}{NBSP}s"
    hours, minutes = divmod(abs(total) // 60, 60)
    sign = "-" if total < 0 else ""
    return f"{sign}{hours}{NBSP}h{NBSP}{minutes:02d}{NBSP}min" if hours else f"{sign}{minutes}{NBSP}min"


def moment(value: datetime | None, zone: str, *, now: datetime | None = None) -> str:
    """`06:20` in the site's zone, with `Thu 26 Nov` where it is not today; the hour that a clock change repeats names its zone."""
    if value is None:
        return UNKNOWN
    local = value.astimezone(ZoneInfo(zone))
    text = f"{local:%H:%M}"
    if _repeated(local):
        text += f" {local.tzname()}"
    if now is not None and now.astimezone(ZoneInfo(zone)).date() != local.date():
        text += f" {_DAYS[local.weekday()]} {local.day} {_MONTHS[local.month - 1]}"
    return text


def _repeated(local: datetime) -> bool:
    """Whether this wall time comes twice: the same digits have two offsets, and both are real."""
    first, second = local.replace(fold=0), local.replace(fold=1)
    before, after = first.utcoffset(), second.utcoffset()
    return before is not None and after is not None and before > after


def count(number: int, noun: str) -> str:
    """`1 row`, `2 rows`."""
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def typed(name: str) -> str:
    """A name as it is typed into a shell: whoever copies a command copies one word, whatever a stranger calls himself."""
    return shlex.quote("".join(letter if letter.isprintable() else UNKNOWN for letter in name))


def listed(items: tuple[str, ...] | list[str]) -> str:
    """`A, B and C`; an empty list is `none`."""
    if not items:
        return "none"
    return items[0] if len(items) == 1 else f"{', '.join(items[:-1])} and {items[-1]}"
