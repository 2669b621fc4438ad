"""Plain tables for terminals and pipes: aligned columns, two blanks between, no lines."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from datetime import datetime, tzinfo
from typing import Any
from unicodedata import category

_MOMENT = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|\+00:00)")

Row = Mapping[str, Any]


def cell(value: Any) -> str:
    """A value as people read it; unknown is a dash, never zero. Control characters of strangers do not reach a terminal."""
    if value is None or value == "":
        return "-"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return f"{value:.2f}".rstrip("0").rstrip(".")
    text = json.dumps(value, ensure_ascii=False) if isinstance(value, dict | list) else str(value)
    return "".join(c if c.isprintable() or category(c) == "Zs" else "\N{REPLACEMENT CHARACTER}" for c in text)


def moment(value: Any, zone: tzinfo) -> Any:
    """Text with its moments as people read them: in their zone, without fractions; anything else as it is."""

    def told(found: re.Match[str]) -> str:
        return datetime.fromisoformat(found[0]).astimezone(zone).isoformat(" ", "seconds")

    return _MOMENT.sub(told, value) if isinstance(value, str) else value


def columns_of(rows: Sequence[Row], preferred: Sequence[str]) -> list[str]:
    """The preferred columns that occur, else all whose values are plain."""
    chosen = [c for c in preferred if any(c in row for row in rows)]
    if chosen:
        return chosen
    plain = dict.fromkeys(k for row in rows for k, v in row.items() if not isinstance(v, dict | list))
    return list(plain)


def table(rows: Sequence[Row], preferred: Sequence[str] = (), none: str = "nothing to show") -> str:
    """The rows under their column names; numbers stand right."""
    if not rows:
        return none
    names = columns_of(rows, preferred)
    body = [[cell(row.get(name)) for name in names] for row in rows]
    right = [all(isinstance(r.get(n), int | float | None) for r in rows) for n in names]
    widths = [max(len(line[i]) for line in [names, *body]) for i in range(len(names))]
    lines = [[name.replace("_", " ") for name in names], *body]
    return "\n".join(_line(line, widths, right) for line in lines)


def _line(cells: Sequence[str], widths: Sequence[int], right: Sequence[bool]) -> str:
    padded = (c.rjust(w) if r else c.ljust(w) for c, w, r in zip(cells, widths, right, strict=True))
    return "  ".join(padded).rstrip()
