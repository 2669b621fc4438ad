"""`python -m gateway.docs` writes docs/reference; with `--check` it only says what is out of date (exit 1)."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from pathlib import Path

from gateway.docs import commands, messages, metrics, reasons, settings

ROOT = Path(__file__).resolve().parents[2]
DOCUMENTS: Mapping[str, Callable[[], str]] = {
    "docs/reference/settings.md": settings.page,
    "docs/reference/settings.schema.json": settings.schema,
    "docs/reference/commands.md": commands.page,
    "docs/reference/metrics.md": metrics.page,
    "docs/reference/messages.md": messages.page,
    "docs/reference/messages.schema.json": messages.schema,
    "docs/reference/reasons.md": reasons.page,
    "deploy/grafana.json": metrics.board,
}
"""Every generated file, and what makes it."""


def stale(root: Path = ROOT) -> list[str]:
    """The generated files that differ from what the code says."""
    return [name for name, make in DOCUMENTS.items() if _read(root / name) != make()]


def _read(path: Path) -> str:
    return path.read_text(encoding="utf-8") if path.is_file() else ""


def main(arguments: list[str]) -> int:
    """Write, or check."""
    if "--check" in arguments:
        found = stale()
        for name in found:
            print(f"{name}: out of date; next: python -m gateway.docs", file=sys.stderr)
        return 1 if found else 0
    for name, make in DOCUMENTS.items():
        path = ROOT / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(make(), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
