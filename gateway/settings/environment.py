"""Overrides from the environment: `BUSBAR__HTTP__0__PORT=8443` sets `http[0].port`."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from gateway.settings.errors import Problem
from gateway.settings.places import Key, Places

PREFIX = "BUSBAR__"


def apply(raw: dict[str, Any], env: Mapping[str, str], places: Places) -> list[Problem]:
    """Set what the environment names; `BUSBAR_DATA` is the data folder as every verb means it, seen from where it is typed."""
    problems: list[Problem] = []
    names = {n: n.removeprefix(PREFIX) for n in env if n.startswith(PREFIX)}
    if env.get("BUSBAR_DATA"):
        names["BUSBAR_DATA"] = "DATA"
    for variable in sorted(names):
        at: Key = tuple(int(p) if p.isdigit() else p.lower() for p in names[variable].split("__"))
        value = str(Path(env[variable]).absolute()) if variable == "BUSBAR_DATA" else _value(env[variable])
        if _set(raw, at, value):
            places.override(at, variable)
        else:
            problems.append(
                Problem(
                    f"environment {variable}",
                    "names no table or list entry that exists",
                    "declare it in the file first",
                )
            )
    return problems


def _value(text: str) -> Any:
    """The text as a TOML value where it is one, else as it is: `8443`, `true`, `["api"]`, `some words`."""
    try:
        return tomllib.loads(f"v = {text}")["v"]
    except tomllib.TOMLDecodeError:
        return text


def _set(raw: dict[str, Any], at: Key, value: Any) -> bool:
    """Put the value there; tables are made, list entries must exist."""
    place: Any = raw
    for part in at[:-1]:
        if isinstance(part, str) and isinstance(place, dict):
            place = place.setdefault(part, {})
        elif isinstance(part, int) and isinstance(place, list) and part < len(place):
            place = place[part]
        else:
            return False
    last = at[-1]
    if isinstance(last, str) and last and isinstance(place, dict):
        place[last] = value
        return True
    if isinstance(last, int) and isinstance(place, list) and last < len(place):
        place[last] = value
        return True
    return False
