"""What a process remembers of a station beside what the journal knows."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from core.messages.session import KNOWN_TRANSACTIONS, KnownTransaction
from protocols.ocpp.memory import Memory
from protocols.ocpp.numbers import named
from tests.protocols.ocpp.conftest import known

NOW = datetime(2026, 11, 25, 22, tzinfo=UTC)


def one(hour: int, name: str = "", over: bool = True) -> KnownTransaction:
    began = NOW + timedelta(hours=hour)
    return KnownTransaction(name or f"T{hour}", began, began + timedelta(minutes=30) if over else None)


def test_what_the_journal_does_not_have_yet_is_the_newest() -> None:
    memory = Memory(known("CP1"))
    memory.known = (one(1), one(2, over=False), one(3, over=False))
    memory.recall((one(1), one(2)))
    assert memory.known == (one(1), one(2), one(3, over=False))
    memory.known = (one(1), one(2), one(3))
    memory.recall((one(1), one(2), one(3, over=False)))
    assert memory.known == (one(1), one(2), one(3))


def test_what_the_journal_has_forgotten_does_not_come_back_as_the_newest() -> None:
    again_7 = f"7~{NOW + timedelta(hours=KNOWN_TRANSACTIONS):%Y%m%dT%H%M%SZ}"
    first, again = one(0, "7"), one(KNOWN_TRANSACTIONS, again_7, over=False)
    heard = (first, *(one(hour) for hour in range(1, KNOWN_TRANSACTIONS)))
    memory = Memory(known("CP1"))
    memory.known = heard
    for _ in range(2):
        memory.recall((*heard[1:], again))
        assert memory.known == (*heard[1:], again)
    assert named("7", NOW + timedelta(hours=KNOWN_TRANSACTIONS, minutes=1), memory.known, begins=False) == again_7
