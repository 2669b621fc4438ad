"""The texts of reasons with their parameters filled in: each value in words with its unit, an optional part only where it is whole."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from core.messages import words

_PART = re.compile(r"\[([^\[\]]*)\]")
_SLOT = re.compile(r"\{(\w+)(?::(\w+))?\}")
_COMMAND_OR_SLOT = re.compile(rf"`[^`]*`|{_SLOT.pattern}")


def names(template: str) -> frozenset[str]:
    """The parameters that a text uses."""
    return frozenset(name for name, _ in _SLOT.findall(template))


def required(template: str) -> frozenset[str]:
    """The parameters that a text uses outside of its optional parts."""
    return names(_PART.sub("", template))


def given(params: Mapping[str, Any], name: str) -> bool:
    """Whether a parameter has a value; zero is one."""
    return params.get(name) not in (None, "")


def fill(template: str, params: Mapping[str, Any], zone: str, now: datetime | None) -> str:
    """The text with its values in words, those of a command as they are typed into a shell; never raises."""

    def optional(part: re.Match[str]) -> str:
        return part[1] if all(given(params, name) for name in names(part[1])) else ""

    def slot(match: re.Match[str]) -> str:
        return _value(match[1], params.get(match[1]), match[2] or "", zone, now)

    def argument(match: re.Match[str]) -> str:
        return words.typed(slot(match)) if given(params, match[1]) else words.UNKNOWN

    def either(match: re.Match[str]) -> str:
        return _SLOT.sub(argument, match[0]) if match[0].startswith("`") else slot(match)

    return _COMMAND_OR_SLOT.sub(either, _PART.sub(optional, template))


def _value(name: str, value: Any, spec: str, zone: str, now: datetime | None) -> str:
    """One parameter in words: by `time`, else by the unit at the end of its name, else as it is."""
    if value is None or value == "":
        return words.UNKNOWN
    if spec == "time":
        return _time(value, zone, now)
    if spec not in ("", "up") and isinstance(value, int):
        return words.count(value, spec)
    unit = name.rsplit("_", 1)[-1] if "_" in name else ""
    if isinstance(value, int | float) and not isinstance(value, bool):
        return _number(unit, float(value), spec == "up")
    if isinstance(value, list | tuple):
        return words.listed([str(v) for v in value])
    return str(value)


def _number(unit: str, value: float, up: bool) -> str:
    if unit == "soc":
        return words.percent(value, up=up)
    if unit == "s":
        return words.span(value)
    if unit in words.UNITS:
        return words.amount(value, words.UNITS[unit], up=up)
    return f"{value:g}"


def _time(value: Any, zone: str, now: datetime | None) -> str:
    try:
        moment = value if isinstance(value, datetime) else datetime.fromisoformat(str(value))
    except ValueError:
        return str(value)
    return words.moment(moment, zone, now=now) if moment.tzinfo else str(value)
