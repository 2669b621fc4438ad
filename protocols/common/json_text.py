"""Reads JSON from strangers: never more than an error value, whatever the text holds."""

from __future__ import annotations

import json
import math
import re
from typing import Any

_UNSAFE = re.compile("[\ud800-\udfff\x00]")
_ESCAPES = re.compile(r"\\u(?:[dD][89a-fA-F]|0000)")


class NotJson(ValueError):
    """The text is not JSON, or is nested too deeply to be meant."""


def read_json(raw: str) -> Any:
    """The JSON value in `raw`.

    `NaN` and infinities become the strings that they are written as; lone surrogates and NUL become the
    replacement character, so that every string that comes out can be stored and hashed.

    Raises:
        NotJson: the text is no JSON, holds an absurdly long number, or nests too deeply.
    """
    try:
        value = _DECODER.decode(raw)
    except (ValueError, RecursionError) as error:
        raise NotJson(str(error)[:200]) from None
    return _cleaned(value) if _ESCAPES.search(raw) or _UNSAFE.search(raw) else value


def without_nulls(value: Any) -> Any:
    """The value without object members that are null; peers send them where they mean "absent"."""
    if isinstance(value, dict):
        return {name: without_nulls(member) for name, member in value.items() if member is not None}
    if isinstance(value, list):
        return [without_nulls(member) for member in value]
    return value


def _finite(text: str) -> float | str:
    number = float(text)
    return number if math.isfinite(number) else text


_DECODER = json.JSONDecoder(parse_constant=str, parse_float=_finite)


def _cleaned(value: Any) -> Any:
    if isinstance(value, str):
        return _UNSAFE.sub("�", value)
    if isinstance(value, dict):
        return {_cleaned(name): _cleaned(member) for name, member in value.items()}
    if isinstance(value, list):
        return [_cleaned(member) for member in value]
    return value
