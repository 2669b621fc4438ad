"""The place of every setting: which file and line, or which environment variable."""

from __future__ import annotations

from pathlib import Path

from gateway.settings import lines

Key = tuple[str | int, ...]


def dotted(at: Key) -> str:
    """A path as people write it: `sites[0].stations[2].safe_kw`."""
    text = ""
    for part in at:
        text += f"[{part}]" if isinstance(part, int) else f".{part}" if text else str(part)
    return text


class Places:
    """Collected while reading; asked when something is wrong."""

    def __init__(self, main: Path) -> None:
        self._main = main
        self._files: list[tuple[Key, Path, dict[Key, int]]] = []
        self._env: dict[Key, str] = {}

    def add(self, path: Path, text: str, at: Key) -> None:
        """Remember a file's lines; its top level stands at `at`."""
        self._files.append((at, path, dict(lines.scan(text))))

    def override(self, at: Key, variable: str) -> None:
        """Remember that the environment set this one."""
        self._env[at] = variable

    def where(self, at: Key) -> str:
        """`FILE:LINE KEY`, or `environment VARIABLE`."""
        for length in range(len(at), 0, -1):
            if at[:length] in self._env:
                return f"environment {self._env[at[:length]]}"
        for prefix, path, found in reversed(self._files):
            line = lines.nearest(found, at[len(prefix) :]) if at[: len(prefix)] == prefix else None
            if line is not None:
                return f"{path.name}:{line} {dotted(at)}"
        return f"{self._main.name} {dotted(at)}".strip()
