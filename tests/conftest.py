"""The order of the suite (whole nights first, so that no worker plays one alone at the end), and how examples are drawn.

Examples of properties are the same in every run: a run says something about the code, not about luck. New ones are
searched with `pytest --hypothesis-profile explore`.
"""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import settings

HERE = Path(__file__).parent
settings.register_profile("same", derandomize=True)
settings.register_profile("explore", max_examples=2000, deadline=None)
settings.load_profile("same")

FIRST = ("night", "browser", "outside")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Sort by folder, the long ones first; the order within a folder stays."""
    items.sort(key=lambda item: _rank(item.path))


def _rank(path: Path) -> int:
    folder = path.relative_to(HERE).parts[0] if path.is_relative_to(HERE) else ""
    return FIRST.index(folder) if folder in FIRST else len(FIRST)
