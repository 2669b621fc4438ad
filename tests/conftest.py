"""The order of the suite: whole nights first, so that no worker plays one alone at the end."""

from __future__ import annotations

from pathlib import Path

import pytest

HERE = Path(__file__).parent
FIRST = ("night", "browser", "outside")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Sort by folder, the long ones first; the order within a folder stays."""
    items.sort(key=lambda item: _rank(item.path))


def _rank(path: Path) -> int:
    folder = path.relative_to(HERE).parts[0] if path.is_relative_to(HERE) else ""
    return FIRST.index(folder) if folder in FIRST else len(FIRST)
