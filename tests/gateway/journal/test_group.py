"""The writer against a store that does not answer, answers late, or refuses."""

from __future__ import annotations

import asyncio

import pytest

from core.messages import Position
from core.ports import NotStored, NotSure
from gateway.journal import group
from gateway.journal.group import MAX_WAITING, Ack, GroupWriter, Settings, Unanswered
from gateway.journal.log import Fenced
from gateway.journal.memory import MemoryLog
from tests.gateway.journal.contract import everything, ids, message
from tests.waiting import until


class Flaky(MemoryLog):
    """Plays `faults`, one per request: "lost" (never arrives), "unheard" (stored, answer lost), "late" (stored after)."""

    def __init__(self, *faults: str) -> None:
        super().__init__()
        self.faults = list(faults)
        self.late: list[tuple[str, bytes, str, int]] = []
        self.bodies: list[bytes] = []

    async def publish(self, subject: str, body: bytes, id: str, expected: int) -> Ack:
        self.bodies.append(body)
        fault = self.faults.pop(0) if self.faults else ""
        if fault == "broken":
            raise ZeroDivisionError
        if fault == "late":
            self.late.append((subject, body, id, expected))
        elif fault != "lost":
            ack = await super().publish(subject, body, id, expected)
            if fault != "unheard":
                return ack
        raise Unanswered(fault)

    async def arrive(self) -> None:
        """Whatever was late arrives now."""
        for request in self.late:
            await super().publish(*request)
        self.late.clear()


async def writer_on(store: Flaky, deadline_s: float = 10.0) -> GroupWriter:
    """A writer that gives up after `deadline_s`."""
    tail = await store.tail("j.depot.gw-1")
    return GroupWriter(store, "j.depot.gw-1", "gw-1", 1, tail, Settings(bytes, deadline_s=deadline_s))


@pytest.mark.parametrize("fault", ["lost", "unheard"])
async def test_the_same_bytes_are_sent_again_until_they_are_answered(fault: str) -> None:
    store = Flaky(fault)
    writer = await writer_on(store)
    assert await writer.append([message("a")]) == Position(1, 0)
    assert len(store.bodies) == 2
    assert len(set(store.bodies)) == 1
    assert await writer.append([message("b")]) == Position(2, 0)
    assert ids(await everything(store)) == ["a", "b"]


async def test_after_the_deadline_all_that_wait_are_told_and_the_writer_goes_on() -> None:
    store = Flaky("lost", "lost")
    writer = await writer_on(store, deadline_s=0.01)
    results = await asyncio.gather(*(writer.append([message(str(i))]) for i in range(3)), return_exceptions=True)
    assert [type(r) for r in results] == [NotSure] * 3
    assert "next:" in str(results[0])
    store.faults.clear()
    assert await writer.append([message("a")]) == Position(1, 0)


async def test_what_was_given_up_on_may_arrive_late_without_breaking_the_chain() -> None:
    store = Flaky("late")
    writer = await writer_on(store, deadline_s=0.01)
    with pytest.raises(NotStored):
        await writer.append([message("a")])
    await store.arrive()
    assert await writer.append([message("b")]) == Position(2, 0)
    assert ids(await everything(store)) == ["a", "b"]


async def test_the_peers_repeat_of_what_was_given_up_on_is_stored_once() -> None:
    store = Flaky("unheard")
    writer = await writer_on(store, deadline_s=0.01)
    with pytest.raises(NotStored):
        await writer.append([message("a")])
    at = await writer.append([message("a")])
    assert at == Position(1, 0)
    assert await writer.append([message("b")]) == Position(2, 0)
    assert ids(await everything(store)) == ["a", "b"]


async def test_a_foreign_record_after_a_lost_answer_is_still_a_fence(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(group, "FIRST_PAUSE_S", 1.0)
    store = Flaky("lost")
    mine, other = await writer_on(store), await MemoryLog.writer(store, "depot", "gw-1", 2)
    waiting = asyncio.create_task(mine.append([message("a")]))
    await until(lambda: store.bodies)
    await other.append([message("b")])
    with pytest.raises(Fenced):
        await waiting


async def test_a_defect_in_the_store_leaves_nobody_waiting() -> None:
    store = Flaky("broken")
    writer = await writer_on(store)
    results = await asyncio.gather(
        *(writer.append([message(str(i))], seen=i) for i in range(3)), return_exceptions=True
    )
    assert [type(r) for r in results] == [NotStored] * 3
    with pytest.raises(NotStored, match="closed"):
        await writer.append([message("a")])


async def test_more_than_can_wait_is_refused_at_once() -> None:
    writer = await writer_on(Flaky())
    writer._bytes = MAX_WAITING + 1
    with pytest.raises(NotStored, match="waits"):
        await writer.append([message("a")])
