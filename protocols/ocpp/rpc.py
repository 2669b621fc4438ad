"""OCPP-J frames (1.6J section 4, 2.0.1 part 4 section 4): CALL, CALLRESULT, CALLERROR, read leniently and written strictly."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any, Literal

from protocols.common.json_text import NotJson, read_json

MessageId = str | int | float
MAX_ID = 255

Fault = Literal[
    "RpcFrameworkError",
    "MessageTypeNotSupported",
    "FormatViolation",
    "PropertyConstraintViolation",
    "OccurrenceConstraintViolation",
    "TypeConstraintViolation",
    "NotImplemented",
    "ProtocolError",
    "InternalError",
]
"""Error codes in the spelling of 2.0.1; a version's dialect writes its own."""


@dataclass(frozen=True, slots=True)
class Call:
    """A request; its id is echoed in the JSON type that it came in."""

    id: MessageId
    action: str
    payload: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Result:
    """The positive answer to one of our calls."""

    id: MessageId
    payload: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Error:
    """The negative answer to one of our calls."""

    id: MessageId
    code: str
    text: str


@dataclass(frozen=True, slots=True)
class Unreadable:
    """A frame that is none of the three: why, and to which id an error answer would go (None: the id is unknown)."""

    fault: Fault
    why: str
    id: MessageId | None = None
    answerable: bool = True
    """Never answer what is itself an answer."""


Frame = Call | Result | Error | Unreadable


def parse(raw: str | bytes) -> Frame:
    """The frame in `raw`; what cannot be read comes back as `Unreadable`."""
    if isinstance(raw, bytes):
        return Unreadable("RpcFrameworkError", "a binary frame; OCPP-J frames are text")
    try:
        value = read_json(raw)
    except NotJson as error:
        return Unreadable("RpcFrameworkError", f"not JSON: {error}")
    if not isinstance(value, list) or not value:
        return Unreadable("RpcFrameworkError", "not a JSON array")
    kind, ident = value[0], _id(value)
    if ident is None:
        return Unreadable("RpcFrameworkError", _no_id(value), answerable=kind not in (3, 4, 5))
    if isinstance(kind, bool) or kind not in (2, 3, 4):
        return Unreadable(
            "MessageTypeNotSupported", f"message type {str(kind)[:20]!r} is unknown", ident, kind not in (5, 6)
        )
    return _call(ident, value) if kind == 2 else _answer(int(kind), ident, value)


def call(id: str, action: str, payload: dict[str, Any]) -> str:
    """A CALL as text."""
    return _text([2, id, action, payload])


def result(id: MessageId, payload: dict[str, Any]) -> str:
    """A CALLRESULT as text."""
    return _text([3, id, payload])


def error(id: MessageId, code: str, text: str) -> str:
    """A CALLERROR as text; the description is cut at 255 characters."""
    return _text([4, id, code, text[:255], {}])


_ENCODER = json.JSONEncoder(separators=(",", ":"), ensure_ascii=False, allow_nan=False)


def _text(frame: list[Any]) -> str:
    return _ENCODER.encode(frame)


def _id(value: list[Any]) -> MessageId | None:
    ident = value[1] if len(value) > 1 else None
    if isinstance(ident, bool) or not isinstance(ident, str | int | float):
        return None
    return ident if len(str(ident)) <= MAX_ID else None


def _no_id(value: list[Any]) -> str:
    long = len(value) > 1 and isinstance(value[1], str | int | float) and not isinstance(value[1], bool)
    return f"the message id is longer than {MAX_ID} characters" if long else "the message id is missing or not a string"


def _call(ident: MessageId, value: list[Any]) -> Frame:
    if len(value) < 4 or not isinstance(value[2], str) or not isinstance(value[3], dict):
        return Unreadable("FormatViolation", "a CALL is [2, id, action, {payload}]", ident)
    return Call(ident, value[2], value[3])


def _answer(kind: int, ident: MessageId, value: list[Any]) -> Frame:
    if kind == 3 and len(value) >= 3 and isinstance(value[2], dict):
        return Result(ident, value[2])
    if kind == 4 and len(value) >= 3 and isinstance(value[2], str):
        return Error(ident, value[2], str(value[3]) if len(value) > 3 else "")
    return Unreadable("FormatViolation", "an answer that cannot be read", ident, answerable=False)
