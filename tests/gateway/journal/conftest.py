"""A NATS server per test module run, and fresh journals in it."""

from __future__ import annotations

import pytest


@pytest.fixture
def observed() -> list[float]:
    """The append times that the log under test has reported."""
    return []
