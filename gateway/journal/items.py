"""One item's line: the canonical JSON of a message and its random bytes, written out by hand because every append waits for it."""

from __future__ import annotations

import base64
from datetime import UTC, datetime
from json.encoder import encode_basestring as quoted
from typing import Any

from core.messages import Message, Physical, dump
from core.messages.base import canonical

_FIELDS = ("id", "type", "version", "time", "recorded", "source", "site", "at", "causes", "fresh_until", "body")
_AT = tuple(sorted(Physical.model_fields))
_KNOWN = tuple(Message.model_fields) == _FIELDS


def line(message: Message, nonce: bytes) -> str:
    """`canonical({**dump(message), "n": base64 of nonce})`; a test holds the two together.

    Raises:
        ValueError: a value that JSON cannot hold.
    """
    n = base64.b64encode(nonce).decode("ascii")
    if not _KNOWN or message.time.tzinfo is not UTC:
        return canonical({**dump(message), "n": n})
    return _line(message, n)


def _line(message: Message, n: str) -> str:
    body = _object(message.body.__pydantic_serializer__.to_python(message.body, mode="json", exclude_defaults=True))
    time = _moment(message.time)
    recorded = time if message.recorded == message.time else _moment(message.recorded)
    causes = f'"causes":[{",".join(map(quoted, message.causes))}],' if message.causes else ""
    fresh = f'"fresh_until":{_moment(message.fresh_until)},' if message.fresh_until is not None else ""
    version = f',"version":{message.version}' if message.version != 1 else ""
    return (
        f'{{{_at(message.at)}"body":{body},{causes}{fresh}"id":{quoted(message.id)},"n":"{n}","recorded":{recorded},'
        f'"site":{quoted(message.site)},"source":{quoted(message.source)},"time":{time},"type":{quoted(message.type)}'
        f"{version}}}"
    )


def _object(fields: dict[str, Any]) -> str:
    return "{" + ",".join([f'"{key}":{_json(value)}' for key, value in sorted(fields.items())]) + "}"


def _json(value: Any) -> str:
    if type(value) is str:
        return quoted(value)
    return str(value) if type(value) is int else canonical(value)


def _at(at: Physical) -> str:
    values = at.__dict__
    stated = [f'"{key}":{_value(value)}' for key in _AT if (value := values[key]) is not None]
    return f'"at":{{{",".join(stated)}}},' if stated else ""


def _value(value: str | int | datetime) -> str:
    if isinstance(value, datetime):
        return _moment(value)
    return quoted(value) if isinstance(value, str) else str(value)


def _moment(value: datetime) -> str:
    text = value.isoformat()
    return f'"{text[:-6]}Z"' if text.endswith("+00:00") else f'"{text}"'
