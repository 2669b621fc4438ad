"""What holds for every module of the core: values are frozen and have slots, but for the few that are named here."""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Iterator
from dataclasses import is_dataclass

import core

CHANGED = {
    "core.dispatch.wishes.Memory",
    "core.requirements.account._Account",
    "core.site.memo.Memo",
    "core.vehicles.identity._Claims",
    "core.work.imports._Outcome",
}
"""What a process remembers to be quick, and what one function gathers; none of it is ever a fact."""
CACHED = {"core.dispatch.state.Possible", "core.site.stages.Stage", "core.work.departures.Departure"}
"""What follows from these is computed once and kept in them, which slots have no place for."""


def values() -> Iterator[type]:
    for module in pkgutil.walk_packages(core.__path__, "core."):
        for found in vars(importlib.import_module(module.name)).values():
            if isinstance(found, type) and is_dataclass(found) and found.__module__ == module.name:
                yield found


def named(kind: type) -> str:
    return f"{kind.__module__}.{kind.__qualname__}"


def test_every_value_is_frozen() -> None:
    mutable = {named(kind) for kind in values() if not kind.__dataclass_params__.frozen}  # type: ignore[attr-defined]  # because: dataclasses states it of every one
    assert mutable == CHANGED


def test_every_value_has_slots() -> None:
    assert {named(kind) for kind in values() if "__slots__" not in vars(kind)} == CACHED
