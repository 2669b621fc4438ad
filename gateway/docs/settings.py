"""The settings reference and its JSON Schema, from the models."""

from __future__ import annotations

import json
import types
from collections.abc import Iterator
from enum import Enum
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from pydantic import BaseModel
from pydantic.fields import FieldInfo

from gateway.docs.text import page as make_page
from gateway.docs.text import table
from gateway.registry import AdapterMissing, available, find
from gateway.settings.models import HubSettings
from gateway.settings.words import meaning

Section = tuple[str, type[BaseModel]]


def schema() -> str:
    """The JSON Schema of the settings file."""
    return json.dumps(HubSettings.model_json_schema(), indent=1, sort_keys=True, default=str) + "\n"


def page() -> str:
    """Every key with its type, default and meaning, one table per TOML table."""
    head = (
        "One TOML file. Unknown keys are refused with the nearest known one. The environment overrides: "
        "`BUSBAR__HTTP__0__PORT=8443` sets `port` of the first `[[http]]`, `BUSBAR_DATA` sets `data`, relative to where it is typed. "
        "A secret is never written here, only where it is: `file:PATH` (relative to this file), `env:NAME`, or `data:NAME` "
        '(made by the hub, in `<data>/secrets`). `[[sites]]` may hold only `file = "site.toml"`; that file then holds the site\'s keys. '
        "Paths are relative to the file that they stand in. The same as a JSON Schema: [settings.schema.json](settings.schema.json)."
    )
    parts = [head]
    for name, model in sections("", HubSettings):
        parts.append(_section(name or "top level", model))
    for name in sorted(available()):
        parts += _adapter(name)
    return make_page("Settings", *parts)


def _adapter(name: str) -> list[str]:
    try:
        model = find(name).Settings
    except AdapterMissing:
        return []
    return [_section(section, inner) for section, inner in sections(f"adapters.{name}", model)]


def sections(name: str, model: type[BaseModel]) -> Iterator[Section]:
    """The model and all models inside it, each with the TOML table that it stands in."""
    yield name, model
    for key, field in model.model_fields.items():
        inner, many = inside(field.annotation)
        if inner is not None:
            yield from sections(f"{name}.{key}".strip(".") + ("[]" if many else ""), inner)


def inside(annotation: Any) -> tuple[type[BaseModel] | None, bool]:
    """(the model inside an annotation, whether there may be many)."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation, False
    origin = get_origin(annotation)
    for argument in get_args(annotation) if origin is not Literal else ():
        found, many = inside(argument)
        if found is not None:
            return found, many or origin in (tuple, list)
    return None, False


def _section(name: str, model: type[BaseModel]) -> str:
    heading = f"[[{name[:-2]}]]" if name.endswith("[]") else f"[{name}]" if name != "top level" else name
    doc = (model.__doc__ or "").split("\n\n")[0]
    rows = [_row(model, key, field) for key, field in model.model_fields.items()]
    return f"## `{heading.replace('[].', '.')}`\n\n{' '.join(doc.split())}\n\n{table(('key', 'type', 'default', 'meaning'), rows)}"


def _row(model: type[BaseModel], key: str, field: FieldInfo) -> tuple[str, str, str, str]:
    return f"`{key}`", words(field.annotation, field), _default(field), field.description or meaning(model, key)


def _default(field: FieldInfo) -> str:
    if field.is_required():
        return "needed"
    value = field.get_default(call_default_factory=True)
    if value is None or value in ((), {}, ""):
        return "none"
    if isinstance(value, BaseModel) or (isinstance(value, tuple) and value and isinstance(value[0], BaseModel)):
        return "see below"
    return f"`{json.dumps(list(value) if isinstance(value, tuple) else value, default=str)}`"


def words(annotation: Any, field: FieldInfo | None = None) -> str:
    """A type as people write it in TOML, with its bounds."""
    origin, arguments = get_origin(annotation), get_args(annotation)
    if origin is Annotated:
        return words(arguments[0])
    if origin in (Union, types.UnionType):
        return " or ".join(words(a) for a in arguments if a is not type(None))
    if origin is Literal:
        return " / ".join(f"`{a}`" for a in arguments)
    if origin in (tuple, list):
        return f"list of {words(arguments[0])}" if arguments[-1] is Ellipsis or origin is list else "list"
    if origin is dict:
        return "table"
    name = _PLAIN.get(getattr(annotation, "__name__", ""), "")
    if not name and isinstance(annotation, type):
        name = (
            "text" if issubclass(annotation, Enum | str) else "table" if issubclass(annotation, BaseModel) else "value"
        )
    bounds = _bounds(field) if field else ""
    return f"{name}{bounds}"


_PLAIN = {
    "str": "text",
    "int": "integer",
    "float": "number",
    "bool": "true/false",
    "Path": "path",
    "time": "local time",
    "Decimal": "number",
}


def _bounds(field: FieldInfo) -> str:
    signs = {"ge": "\N{GREATER-THAN OR EQUAL TO}", "gt": ">", "le": "\N{LESS-THAN OR EQUAL TO}", "lt": "<"}
    known = [(sign, getattr(m, name)) for m in field.metadata for name, sign in signs.items() if hasattr(m, name)]
    found = [f"{sign} {bound if isinstance(bound, int) else format(bound, 'g')}" for sign, bound in known]
    return f" {', '.join(found)}" if found else ""
