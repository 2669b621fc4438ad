"""VDV 451 files (`.x10`): record types, charsets, end counts, NULL; columns are found by name (VDV 451, 4)."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date

from protocols.common.imports import BadFeed, Quarantined

_TOKEN = re.compile(r'[ \t]*(?:"((?:[^"]|"")*)"|([^;"]*))[ \t]*(;|$)')
_CHARSET = re.compile(rb'^chs;[ \t]*"?([^"\r\n;]+)', re.MULTILINE)
_HIGH = re.compile(rb"[\x80-\x9f]")
_CHARSETS = {
    "ISO88591": "latin-1",
    "LATIN1": "latin-1",
    "ISO885915": "iso8859-15",
    "WINDOWS1252": "cp1252",
    "CP1252": "cp1252",
    "ANSI": "cp1252",
    "UTF8": "utf-8-sig",
    "ASCII": "ascii",
    "USASCII": "ascii",
}
MAX_LINE = 65_536


class BadValue(ValueError):
    """A row whose value cannot be used."""


@dataclass(frozen=True, slots=True)
class Row:
    """One record; values by column name, None where the file says NULL or nothing."""

    table: str
    line: int
    values: Mapping[str, str | None]

    def text(self, *names: str) -> str | None:
        """The first of these columns that says something."""
        for name in names:
            if value := self.values.get(name):
                return value
        return None

    def maybe(self, *names: str) -> int | None:
        """The first of these columns that holds a number.

        Raises:
            BadValue: it holds something else.
        """
        value = self.text(*names)
        if value is None:
            return None
        try:
            return int(value)
        except ValueError as error:
            raise BadValue(f"{self.table} line {self.line}: {names[0]} is {value!r}, not a whole number") from error

    def number(self, *names: str) -> int:
        """As `maybe`, but it must be there.

        Raises:
            BadValue: it is missing or not a number.
        """
        value = self.maybe(*names)
        if value is None:
            raise BadValue(f"{self.table} line {self.line}: {names[0]} is missing")
        return value

    def day(self, name: str) -> date:
        """A date as YYYYMMDD.

        Raises:
            BadValue: it is missing or no date.
        """
        value = self.number(name)
        try:
            return date(value // 10_000, value // 100 % 100, value % 100)
        except (ValueError, OverflowError) as error:
            raise BadValue(f"{self.table} line {self.line}: {name} is {value}, not a date YYYYMMDD") from error

    def __str__(self) -> str:
        return f"{self.table} line {self.line}: " + "; ".join(str(value) for value in self.values.values())


@dataclass(slots=True)
class Feed:
    """All tables of an export by name, and what had to be set aside while reading."""

    tables: dict[str, list[Row]] = field(default_factory=dict)
    broken_rows: list[tuple[Row, str]] = field(default_factory=list)
    """Records whose number of values does not fit; what could be told apart is in the row."""
    quarantined: list[Quarantined] = field(default_factory=list)

    def rows(self, table: str) -> list[Row]:
        """The records of a table; none where it is missing."""
        return self.tables.get(table, [])


def detect(name: str, head: bytes) -> bool:
    """Whether this looks like a VDV 452 export: an `.x10` file, or a ZIP that holds one."""
    if head.startswith(b"PK"):
        return b".x10" in head.lower()
    return name.lower().endswith(".x10") or head.lstrip(b"\xef\xbb\xbf").startswith(b"mod;")


def read(files: Mapping[str, bytes]) -> Feed:
    """Read every `.x10` file; a broken one is set aside.

    Raises:
        BadFeed: no such file at all, or one that ends before its `eof` (a truncated transfer).
    """
    feed = Feed()
    names = sorted(name for name in files if name.lower().endswith(".x10") or files[name][:4] == b"mod;")
    if not names:
        raise BadFeed("format_unknown", "no .x10 file in it, and VDV 452 is a folder or a ZIP of these")
    for name in names:
        try:
            text = decode(files[name])
        except UnicodeError as error:
            feed.quarantined.append(Quarantined(name, "wrong_encoding", f"{name}: {error}; the file was set aside"))
            continue
        _read_file(feed, name, text)
    return feed


def decode(content: bytes) -> str:
    """The text of a file by its `chs` line; ISO 8859-1 is read as Windows-1252 where it holds such characters.

    Raises:
        UnicodeError: an unknown charset, or bytes that do not fit it.
    """
    found = _CHARSET.search(content[:4096])
    declared = found.group(1).decode("ascii", "replace").strip() if found else "ISO8859-1"
    codec = _CHARSETS.get(re.sub(r"[^A-Z0-9]", "", declared.upper()))
    if content[:2] in (b"\xff\xfe", b"\xfe\xff") or codec is None:
        raise UnicodeError(f"charset {declared!r} is not one of ISO8859-1, ISO8859-15, WINDOWS-1252, UTF-8")
    if content.startswith(b"\xef\xbb\xbf"):
        codec = "utf-8-sig"
    if codec == "latin-1" and _HIGH.search(content):
        codec = "cp1252"
    try:
        return content.decode(codec)
    except UnicodeDecodeError as error:
        raise UnicodeError(f"declared as {declared}, but byte {error.start} does not fit it") from error


@dataclass(slots=True)
class _Open:
    """The table that is being read."""

    name: str
    columns: list[str] = field(default_factory=list)
    rows: list[Row] = field(default_factory=list)
    broken: list[tuple[Row, str]] = field(default_factory=list)

    @property
    def count(self) -> int:
        """Records so far, good and broken."""
        return len(self.rows) + len(self.broken)


def _read_file(feed: Feed, name: str, text: str) -> None:
    table: _Open | None = None
    ended = False
    for number, raw in enumerate(text.split("\n"), 1):
        line = raw.rstrip("\r")
        kind, _, rest = line.partition(";")
        match kind.strip().lower():
            case "tbl":
                table = _Open((_text(rest) or [""])[0].upper())
            case "atr" if table:
                table.columns = [column.upper() for column in _text(rest)]
            case "rec" if table:
                _record(table, number, rest)
            case "end" if table:
                _close(feed, name, table, rest)
                table = None
            case "eof":
                ended = True
    if not ended:
        raise BadFeed("feed_truncated", f"{name} has no eof line: the transfer was cut off", name)
    if table is not None:
        detail = f"{name}: table {table.name} has no end line; the file was set aside"
        feed.quarantined.append(Quarantined(name, "file_incomplete", detail))


def _record(table: _Open, number: int, rest: str) -> None:
    try:
        values = list(_split(rest))
        problem = ""
    except BadValue as error:
        values, problem = [part.strip() for part in rest[:MAX_LINE].split(";")], str(error)
    if len(values) == len(table.columns) + 1 and not values[-1]:
        values.pop()  # because: some exporters end every line with a separator
    row = Row(table.name, number, dict(zip(table.columns, values, strict=False)))
    if not problem and len(values) != len(table.columns):
        problem = f"{len(values)} values for {len(table.columns)} columns"
    if problem:
        table.broken.append((row, f"{table.name} line {number}: {problem}"))
    else:
        table.rows.append(row)


def _close(feed: Feed, name: str, table: _Open, rest: str) -> None:
    """The table is whole only if its `end` line counts as many records as there are."""
    stated = rest.strip().strip('"')
    if not stated.isdigit() or int(stated) != table.count:
        detail = f"{name}: table {table.name} has {table.count} records, its end line says {stated}; it was set aside"
        feed.quarantined.append(Quarantined(name, "file_incomplete", detail))
        return
    feed.tables.setdefault(table.name, []).extend(table.rows)
    feed.broken_rows.extend(table.broken)


def _split(rest: str) -> Iterator[str | None]:
    """The values of a line: quoted text, else bare words; NULL and nothing are None.

    Raises:
        BadValue: a quote that does not close, or a line longer than a record may be.
    """
    if len(rest) > MAX_LINE:
        raise BadValue("the line is too long")
    if '"' not in rest:
        for part in rest.split(";"):
            bare = part.strip()
            yield None if bare in ("", "NULL") else bare
        return
    position = 0
    while True:
        found = _TOKEN.match(rest, position)
        if found is None:
            raise BadValue("a quote is not closed")
        quoted, bare, more = found.groups()
        word = (bare or "").strip()
        yield quoted.replace('""', '"') if quoted is not None else (None if word in ("", "NULL") else word)
        if not more:
            return
        position = found.end()


def _text(rest: str) -> list[str]:
    try:
        return [value or "" for value in _split(rest)]
    except BadValue:
        return []
