"""A validation error in a person's words: which key, what is wrong with it, what to write instead."""

from __future__ import annotations

import difflib
import types
from collections.abc import Iterator, Mapping
from typing import Any, Union, get_args, get_origin

from pydantic import BaseModel, ValidationError

from gateway.next_step import parted
from gateway.settings.errors import Problem
from gateway.settings.places import Key, Places


def closest(word: str, known: Iterator[str] | tuple[str, ...]) -> str:
    """The next step for a word that is not known."""
    names = sorted(known)
    match = difflib.get_close_matches(word, names, n=1, cutoff=0.5)
    if match:
        return f"did you mean `{match[0]}`?"
    return f"known here: {', '.join(names)}" if names else "none is declared; declare it, or leave this out"


def explain(error: ValidationError, model: type[BaseModel], places: Places, at: Key) -> list[Problem]:
    """One problem per error; `at` is where `model` stands in the file."""
    return [_problem(dict(e), model, places, at) for e in error.errors(include_url=False)]


def _problem(error: Mapping[str, Any], model: type[BaseModel], places: Places, at: Key) -> Problem:
    loc: Key = error["loc"]
    where = places.where(at + loc)
    kind = error["type"]
    if kind == "extra_forbidden":
        inner = _model_at(model, loc[:-1])
        known = tuple(inner.model_fields) if inner else ()
        return Problem(where, f"unknown key `{loc[-1]}`", closest(str(loc[-1]), known))
    if kind == "missing":
        return Problem(where, f"`{loc[-1]}` is missing", "add it; docs/reference/settings.md says what it is")
    what, step = parted(error["msg"].removeprefix("Value error, "), "correct the value")
    return Problem(where, f"{what}{_shown(error.get('input'), loc)}", step)


def _shown(value: Any, loc: Key) -> str:
    """What was given, unless it may be a secret."""
    secret = any(word in str(loc[-1]) for word in ("token", "password", "secret", "key")) if loc else False
    if secret or isinstance(value, dict | list | tuple):
        return ""
    return f" (given: {value!r:.60})"


def _model_at(model: type[BaseModel], loc: Key) -> type[BaseModel] | None:
    """The model that the path leads to."""
    here: Any = model
    for part in loc:
        if isinstance(part, int):
            continue
        if not (isinstance(here, type) and issubclass(here, BaseModel)) or part not in here.model_fields:
            return here if isinstance(here, type) and issubclass(here, BaseModel) else None
        here = _inner(here.model_fields[str(part)].annotation)
    return here if isinstance(here, type) and issubclass(here, BaseModel) else None


def _inner(annotation: Any) -> Any:
    """The model inside a tuple, list or optional."""
    if get_origin(annotation) in (tuple, list, Union, types.UnionType):
        for argument in get_args(annotation):
            found = _inner(argument)
            if isinstance(found, type) and issubclass(found, BaseModel):
                return found
    return annotation
