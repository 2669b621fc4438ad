"""How the API answers: JSON with the journal's position, or a problem document; and how it reads what it is asked."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError

from core.messages import Position
from core.ports import HttpRequest, HttpResponse
from gateway.http.problems import Problem
from protocols.common.json_text import NotJson, read_json

BEHIND = 10**6
"""Behind every message of a record."""
POSITION = "Busbar-Position"
_MOMENT = re.compile(rb'(T\d\d:\d\d:\d\d(?:\.(?!000000)\d{6})?)(?:\.000000)?\+00:00"')
"""Moments as rows keep them, so that they sort; people and programs get the short form."""
M = TypeVar("M", bound=BaseModel)


class Refusal(Exception):
    """The request cannot be served; `problem` says why and what to do next."""

    def __init__(
        self,
        status: int,
        slug: str,
        title: str,
        detail: str,
        next: str,
        headers: Mapping[str, str] | None = None,
        **extra: Any,
    ) -> None:
        super().__init__(detail)
        self.problem = Problem(status, slug, title, detail, next, headers or {}, extra)


def answered(data: Any, status: int = 200, position: Position | None = None) -> HttpResponse:
    """A JSON answer; to a write with the journal's position of what became durable."""
    headers = {} if position is None else {POSITION: str(position.seq)}
    return HttpResponse(status, json.dumps(data, ensure_ascii=False).encode(), headers=headers)


def tagged(data: Any, request: HttpRequest) -> HttpResponse:
    """A JSON answer with its ETag; 304 where the client has it already."""
    body = _MOMENT.sub(rb'\1Z"', json.dumps(data, ensure_ascii=False).encode())
    tag = f'"{hashlib.sha256(body).hexdigest()[:24]}"'
    headers = {"ETag": tag, "Cache-Control": "no-cache"}
    known = {part.strip().removeprefix("W/") for part in request.headers.get("if-none-match", "").split(",")}
    return HttpResponse(304, b"", headers=headers) if tag in known else HttpResponse(200, body, headers=headers)


def json_body(request: HttpRequest) -> Any:
    """The body as JSON.

    Raises:
        Refusal: it is not JSON in UTF-8.
    """
    try:
        return read_json(request.body.decode("utf-8"))
    except (UnicodeDecodeError, NotJson) as error:
        raise Refusal(
            422, "not-json", "Not JSON", f"the body is not JSON in UTF-8: {error}", "see /openapi.json"
        ) from None


def model_body(request: HttpRequest, model: type[M]) -> M:
    """The body as that model.

    Raises:
        Refusal: it is not JSON, or a field does not fit.
    """
    try:
        return model.model_validate(json_body(request))
    except ValidationError as error:
        raise Refusal(422, "not-valid", "Not valid", wrong(error), "correct it; see /openapi.json") from None


def wrong(error: ValidationError) -> str:
    """What does not fit, field by field, without the values."""
    parts = (f"{'.'.join(str(p) for p in e['loc']) or 'body'}: {e['msg']}" for e in error.errors()[:5])
    return "; ".join(parts)


def flag(request: HttpRequest, name: str) -> bool:
    """Whether a query parameter says yes."""
    return request.query.get(name, "").lower() in {"1", "true", "yes"}


def place(text: str, index: int) -> Position | None:
    """A place in the journal as it is written, `120.3`; of a whole record, `120`, the place `index` in it."""
    seq, _, own = text.partition(".")
    if not text.isascii() or not seq.isdigit() or not (own or "0").isdigit() or len(text) > 18:
        return None
    return Position(int(seq), int(own) if own else index)


def whole(request: HttpRequest, name: str, default: int, least: int, most: int) -> int:
    """A query parameter as a whole number within bounds.

    Raises:
        Refusal: it is none.
    """
    text = request.query.get(name)
    if text is None or text == "":
        return default
    if not text.isascii() or not text.isdigit() or len(text) > 15:
        raise Refusal(400, "not-valid", "Not valid", f"`{name}` is no whole number", f"write it as {name}={default}")
    return max(least, min(most, int(text)))
