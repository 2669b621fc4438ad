"""Where a key stands in a TOML file: `tomllib` keeps no line numbers, and a person needs one."""

from __future__ import annotations

import re
from collections.abc import Mapping

Path = tuple[str | int, ...]

_PART = re.compile(r"""\s*(?:"([^"]*)"|'([^']*)'|([A-Za-z0-9_-]+))\s*(?:\.|$)""")
_KEY = re.compile(r"""\s*((?:"[^"]*"|'[^']*'|[A-Za-z0-9_.\s-])+?)\s*=""")
_HEADER = re.compile(r"\s*(\[\[?)\s*([^\]]+?)\s*\]\]?\s*(?:#.*)?$")
_QUOTED = re.compile(r'"(?:\\.|[^"\\])*"|\'[^\']*\'|#.*$')


def _parts(dotted: str) -> tuple[str, ...]:
    return tuple(a or b or c for a, b, c in _PART.findall(dotted.strip()))


class _Scan:
    """One pass over the file: the table that is open, how many of each array there are, the brackets still open."""

    def __init__(self) -> None:
        self.found: dict[Path, int] = {}
        self._table: Path = ()
        self._counts: dict[Path, int] = {}
        self._depth = 0

    def line(self, number: int, text: str) -> None:
        if self._depth == 0:
            header, key = _HEADER.match(text), _KEY.match(text)
            if header:
                self._open(number, _parts(header[2]), array=header[1] == "[[")
                return
            if key:
                self.found.setdefault(self._table + _parts(key[1]), number)
        bare = _QUOTED.sub("", text)
        self._depth = max(0, self._depth + sum(map(bare.count, "[{")) - sum(map(bare.count, "]}")))

    def _open(self, number: int, parts: tuple[str, ...], *, array: bool) -> None:
        path: Path = ()
        for part in parts[:-1]:
            path = self._inside((*path, part))
        path = (*path, parts[-1]) if parts else path
        if array:
            self._counts[path] = self._counts.get(path, 0) + 1
        self._table = self._inside(path)
        self.found.setdefault(self._table, number)

    def _inside(self, path: Path) -> Path:
        count = self._counts.get(path)
        return path if count is None else (*path, count - 1)


def scan(text: str) -> Mapping[Path, int]:
    """The line (from 1) of every table header and of every key at the start of a line, by its path."""
    scan = _Scan()
    for number, line in enumerate(text.splitlines(), start=1):
        scan.line(number, line)
    return scan.found


def nearest(found: Mapping[Path, int], path: Path) -> int | None:
    """The line of `path`, else of the closest thing around it that has a line of its own."""
    while path:
        if path in found:
            return found[path]
        path = path[:-1]
    return None
