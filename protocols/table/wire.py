"""Rows of a plain table, from CSV (comma, semicolon or tab) or JSON; columns by name, everything as text."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from protocols.common.imports import BadFeed

MAX_ROWS = 100_000
MAX_FIELD = 10_000

ALIASES: Mapping[str, str] = {
    "departs": "departure",
    "departure_time": "departure",
    "returns": "arrival",
    "arrival_time": "arrival",
    "km": "distance_km",
    "distance": "distance_km",
    "energy_kwh": "kwh",
    "soc": "target_soc",
    "day": "operating_day",
    "date": "operating_day",
    "type": "vehicle_type",
}
COLUMNS = (
    "operating_day",
    "block",
    "vehicle",
    "departure",
    "arrival",
    "distance_km",
    "kwh",
    "target_soc",
    "line",
    "vehicle_type",
)


@dataclass(frozen=True, slots=True)
class Row:
    """One row: its number for people (the header is line 1), its values by column name, and what is wrong with its shape."""

    number: int
    values: Mapping[str, str]
    decimal_comma: bool = False
    problem: str = ""

    def text(self, column: str) -> str:
        """The value without blanks around it; empty where the row says nothing."""
        return self.values.get(column, "").strip()

    def __str__(self) -> str:
        return f"row {self.number}: " + ", ".join(f"{name}={value}" for name, value in self.values.items() if value)


@dataclass(frozen=True, slots=True)
class Table:
    """The columns that are known, those that are not, and all rows."""

    columns: frozenset[str]
    unknown: tuple[str, ...]
    rows: tuple[Row, ...]


def detect(name: str, head: bytes) -> bool:
    """Whether this looks like a plain table: CSV or JSON by its name, or a known column in its first line."""
    if name.lower().endswith((".csv", ".json", ".tsv")):
        return True
    first = head.lstrip(b"\xef\xbb\xbf").split(b"\n", 1)[0].decode("utf-8", "replace")
    return any(_named(part) in ("departure", "vehicle", "block") for part in first.replace(";", ",").split(","))


def read(content: bytes) -> Table:
    """The rows of a table.

    Raises:
        BadFeed: not UTF-8, no header, or too long.
    """
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        detail = f"byte {error.start} is not UTF-8"
        raise BadFeed("wrong_encoding", detail) from error
    return _from_json(text) if text.lstrip()[:1] in ("[", "{") else _from_csv(text)


def _named(column: str) -> str:
    plain = column.strip().strip('"').lower().replace(" ", "_").replace("-", "_")
    return ALIASES.get(plain, plain)


def _table(columns: list[str], rows: Iterator[Row]) -> Table:
    found: list[Row] = []
    for row in rows:
        if len(found) >= MAX_ROWS:
            raise BadFeed("table_too_long", f"more than {MAX_ROWS} rows; split the file by operating day")
        found.append(row)
    known = frozenset(columns) & frozenset(COLUMNS)
    if not known:
        detail = f"no known column in the first line; expected some of {', '.join(COLUMNS)}"
        raise BadFeed("not_a_table", detail)
    return Table(known, tuple(name for name in columns if name not in known), tuple(found))


def _from_csv(text: str) -> Table:
    first = text.split("\n", 1)[0]
    delimiter = max(",;\t", key=first.count)
    try:
        lines = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, skipinitialspace=True, strict=False)
        columns = [_named(name) for name in next(lines, [])]
        return _table(columns, _csv_rows(columns, lines, delimiter == ";"))
    except csv.Error as error:
        raise BadFeed("not_a_table", f"not readable as CSV: {error}") from error


def _csv_rows(columns: list[str], lines: Any, decimal_comma: bool) -> Iterator[Row]:
    for values in lines:
        if not any(value.strip() for value in values):
            continue
        problem = ""
        if len(values) != len(columns):
            problem = f"{len(values)} values for {len(columns)} columns"
        elif any(len(value) > MAX_FIELD for value in values):
            problem = f"a value is longer than {MAX_FIELD} characters (a quote that is not closed?)"
        row = dict(zip(columns, (value[:MAX_FIELD] for value in values), strict=False))
        yield Row(lines.line_num, row, decimal_comma, problem)


def _from_json(text: str) -> Table:
    try:
        data = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise BadFeed("not_a_table", f"not readable as JSON: {error}") from error
    if isinstance(data, dict):
        data = next((data[key] for key in ("departures", "assignments", "rows") if key in data), [data])
    if not isinstance(data, list):
        raise BadFeed("not_a_table", 'expected a list of rows, or {"departures": [...]}')
    columns = dict.fromkeys(_named(str(name)) for item in data if isinstance(item, dict) for name in item)
    return _table(list(columns), _json_rows(data))


def _json_rows(data: list[Any]) -> Iterator[Row]:
    for number, item in enumerate(data, 1):
        if not isinstance(item, dict):
            yield Row(number, {"row": str(item)[:200]}, problem="not an object with column names")
            continue
        flat = all(value is None or isinstance(value, str | int | float) for value in item.values())
        values = {_named(str(name)): "" if value is None else str(value) for name, value in item.items()}
        yield Row(number, values, problem="" if flat else "a value is a list or an object")
