"""The in-memory twin passes the contract."""

from __future__ import annotations

import pytest

from gateway.journal.memory import MemoryLog
from tests.gateway.journal.contract import JournalContract


class TestMemoryLog(JournalContract):
    """See `JournalContract`."""

    @pytest.fixture
    def log(self, observed: list[float]) -> MemoryLog:
        return MemoryLog(core="1.2.3", observe=observed.append)

    @pytest.fixture
    def small(self) -> MemoryLog:
        return MemoryLog(max_bytes=200_000)
