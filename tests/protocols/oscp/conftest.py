"""One hub side and one grid operator per test."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from tests.protocols.oscp.harness import Setting, grid_operator


@pytest.fixture
async def setting() -> AsyncIterator[Setting]:
    async with grid_operator() as operator:
        yield Setting(operator)
