"""The message reference and the JSON Schemas of all neutral messages, from the models."""

from __future__ import annotations

import json
from typing import Any

from core.messages import BODIES, Body, Message
from gateway.docs.settings import words
from gateway.docs.text import page as make_page
from gateway.docs.text import table


def page() -> str:
    """Every message type with both coordinates' fixed part and its fields."""
    head = (
        "Every message has a header (`id`, `type`, `version`, `time`, `recorded`, `source`, `site`, `at`: the physical coordinate, `causes`, "
        "`fresh_until`) and the body listed here. The problem coordinate is fixed by the type. Units stand in names; times are UTC. "
        "As JSON Schemas: [messages.schema.json](messages.schema.json)."
    )
    return make_page("Messages", head, *(_type(name, body) for name, body in BODIES.items()))


def _type(name: str, body: type[Body]) -> str:
    doc = " ".join((body.__doc__ or "").split())
    problem = (
        f"Problem coordinate: {body.PROBLEM.area} \N{RIGHTWARDS ARROW} {body.PROBLEM.subject}. Version {body.VERSION}."
    )
    rows = [
        (f"`{key}`", words(f.annotation, f), "needed" if f.is_required() else "optional")
        for key, f in body.model_fields.items()
    ]
    fields = table(("field", "type", ""), rows) if rows else "No fields of its own."
    return f"## `{name}`\n\n{doc}\n\n{problem}\n\n{fields}"


def schema() -> str:
    """The header's schema and each body's, by type."""
    header: dict[str, Any] = Message.model_json_schema()
    bodies = {name: body.model_json_schema() for name, body in BODIES.items()}
    return json.dumps({"header": header, "bodies": bodies}, indent=1, sort_keys=True) + "\n"
