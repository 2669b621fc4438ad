"""Compiled JSON schemas, lazily per action: strict for what we send, lenient for what comes in."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from importlib.resources import files
from typing import Any

import fastjsonschema

from protocols.ocpp.rpc import Fault

_CODES: dict[str, Fault] = {
    "required": "OccurrenceConstraintViolation",
    "minItems": "OccurrenceConstraintViolation",
    "maxItems": "OccurrenceConstraintViolation",
    "type": "TypeConstraintViolation",
    "additionalProperties": "FormatViolation",
}


@dataclass(frozen=True, slots=True)
class Flaw:
    """What a schema says about a payload; `fatal` where the lenient schema refuses it too."""

    code: Fault
    text: str
    fatal: bool


class Schemas:
    """The schemas of one protocol version, as `package` ships them; `request` is the pattern of a request's file name."""

    def __init__(self, package: str, request: str) -> None:
        self._package, self._request = package, request
        self._compiled: dict[tuple[str, bool], Callable[[Any], Any]] = {}

    def request(self, action: str, payload: dict[str, Any]) -> Flaw | None:
        """What is wrong with an incoming request; unknown members and over-long strings alone are not fatal."""
        return self._judge(self._request.format(action), payload)

    def response(self, action: str, payload: dict[str, Any]) -> Flaw | None:
        """What is wrong with an incoming answer."""
        return self._judge(f"{action}Response", payload)

    def _judge(self, name: str, payload: dict[str, Any]) -> Flaw | None:
        strict = self._complaint(name, payload, lenient=False)
        if strict is None:
            return None
        fatal = self._complaint(name, payload, lenient=True)
        worst = fatal or strict
        return Flaw(_CODES.get(worst.rule or "", "PropertyConstraintViolation"), worst.message[:200], fatal is not None)

    def _complaint(
        self, name: str, payload: dict[str, Any], *, lenient: bool
    ) -> fastjsonschema.JsonSchemaValueException | None:
        try:
            self._check(name, lenient)(payload)
        except fastjsonschema.JsonSchemaValueException as complaint:
            return complaint
        return None

    def _check(self, name: str, lenient: bool) -> Callable[[Any], Any]:
        if (name, lenient) not in self._compiled:
            schema = json.loads(files(self._package).joinpath("schemas", f"{name}.json").read_text("utf-8-sig"))
            body = _lenient(schema) if lenient else schema
            compiled: Callable[[Any], Any] = partial(
                fastjsonschema.compile(body, use_default=False, use_formats=False), name_prefix="payload"
            )
            self._compiled[name, lenient] = compiled
        return self._compiled[name, lenient]


def _lenient(schema: Any) -> Any:
    if isinstance(schema, list):
        return [_lenient(part) for part in schema]
    if not isinstance(schema, dict):
        return schema
    return {
        name: _lenient(part)
        for name, part in schema.items()
        if not (name == "additionalProperties" and part is False)
        and not (name == "maxLength" and isinstance(part, int))
    }
