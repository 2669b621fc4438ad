"""What every change of rows shares: how one is written, and what each row has."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from core.messages import Message
from core.messages.base import Body
from core.messages.reasons import next_step, sentence
from gateway.readmodels.redact import redacted
from gateway.readmodels.rows import Doc, Rows

Take = Callable[[Rows, Message, Any], None]
"""What one fact changes."""


def head(message: Message) -> Doc:
    """What every row has: its site, and the message that it follows from."""
    return {"site": message.site, "message": message.id}


def plain(body: Body) -> Doc:
    """A body as plain data, identifiers shortened."""
    data: Doc = redacted(body.model_dump(mode="json"))
    return data


def words(rows: Rows, message: Message, code: str, params: Mapping[str, Any]) -> Doc:
    """A reason with its sentence and next step, in the site's zone."""
    zone = zone_of(rows, message.site)
    return {
        "code": code,
        "reason": sentence(code, params, zone=zone, now=message.time),
        "next": next_step(code, params, zone=zone, now=message.time),
    }


def zone_of(rows: Rows, site: str) -> str:
    """The zone that people at the site read times in."""
    known = rows.get("sites", site)
    return str(known["zone"]) if known else "UTC"


def key(*parts: str | None) -> str:
    """The natural key of a row."""
    return "|".join(str(part) for part in parts)
