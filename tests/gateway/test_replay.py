"""Replay finds what was not decided by this core, and what was taken out of the chain."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any

from core.messages.readiness import ReadinessAssessed
from gateway.journal.log import Record
from gateway.replay import replay
from tests.gateway.api.conftest import Running, running, start

CSV = b"operating_day,vehicle,departure,distance_km\n2026-11-26,BUS-1,06:20,180\n"
__all__ = ["running", "start"]


class Changed:
    """A journal as it was, but for what `change` makes of its records."""

    def __init__(self, log: Any, change: Any) -> None:
        self._log, self._change = log, change

    async def read(self, after: int, *, follow: bool = True) -> AsyncIterator[Record]:
        async for record in self._log.read(after, follow=follow):
            found = self._change(record)
            if found is not None:
                yield found


async def played(running: Running) -> Any:
    await running.ask("POST", "/sites/depot/schedules", CSV)
    await running.hub.controllers["depot"].settled(await running.log.last())
    return running.log


async def test_an_untouched_journal_is_decided_the_same_again(running: Running) -> None:
    told = await replay(await played(running), verify=True)
    assert told["differences"] == []
    assert told["records"] == await running.log.last()


async def test_a_decision_that_was_not_made_by_this_core_is_named(running: Running) -> None:
    def forge(record: Record) -> Record:
        messages = tuple(
            m.model_copy(update={"body": m.body.model_copy(update={"state": "met"})})
            if isinstance(m.body, ReadinessAssessed)
            else m
            for m in record.messages
        )
        return replace(record, messages=messages)

    log: Any = Changed(await played(running), forge)
    (difference,) = (await replay(log))["differences"]
    assert "readiness.assessed" in difference["what"]
    assert "body.state" in difference["what"]
    assert difference["recorded"]["body"]["state"] == "met"


async def test_a_message_that_is_missing_is_named(running: Running) -> None:
    def cut(record: Record) -> Record:
        return replace(record, messages=record.messages[:-1]) if record.head.now is not None else record

    log: Any = Changed(await played(running), cut)
    (difference,) = (await replay(log))["differences"]
    assert "decided" in difference["what"]


async def test_a_record_that_is_missing_breaks_the_chain(running: Running) -> None:
    await played(running)
    await running.ask("POST", "/stations/CP-01/limit", {"kw": 5, "for_s": 60})
    skipped = [r.seq async for r in running.log.read(0, follow=False) if r.writer == "gw-main" and r.site == "depot"][1]

    def skip(record: Record) -> Record | None:
        return None if record.seq == skipped else record

    log: Any = Changed(running.log, skip)
    told = await replay(log, verify=True)
    assert any("does not follow" in d["what"] for d in told["differences"])
