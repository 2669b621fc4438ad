"""The JSON schemas of the OCPP versions, compiled when first needed; the only place that touches the `ocpp` package."""

from __future__ import annotations

import json
from collections.abc import Callable
from functools import lru_cache
from importlib import resources
from typing import Any

import fastjsonschema

_FOLDERS = {"ocpp1.6": "v16", "ocpp2.0.1": "v201"}

Payload = dict[str, Any]


@lru_cache(maxsize=256)
def _validator(subprotocol: str, action: str, answer: bool) -> Callable[[Any], Any]:
    folder = _FOLDERS[subprotocol]
    asked = "" if folder == "v16" else "Request"
    name = f"{action}{'Response' if answer else asked}.json"
    text = resources.files("ocpp").joinpath(folder, "schemas", name).read_text(encoding="utf-8-sig")
    compiled: Callable[[Any], Any] = fastjsonschema.compile(json.loads(text))
    return compiled


def violation(subprotocol: str, action: str, payload: Payload, *, answer: bool = False) -> str | None:
    """What the payload violates in its schema, or None; an unknown action is a violation too."""
    try:
        _validator(subprotocol, action, answer)(payload)
    except FileNotFoundError:
        return f"unknown action {action}"
    except fastjsonschema.JsonSchemaException as problem:
        return str(problem)
    return None
