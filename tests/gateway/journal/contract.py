"""What every journal store must do; the NATS store and the in-memory twin both pass it."""

from __future__ import annotations

import asyncio
import base64
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from hashlib import sha256
from random import Random
from typing import Any

import pytest

from core.messages import Message, Physical, Position, compose
from core.messages.evidence import EvidenceReceived
from core.ports import NotStored
from gateway.journal import record
from gateway.journal.log import Damaged, Fenced, Head, Log, Record
from tests.waiting import GENEROUS_S, until

NOW = datetime(2026, 10, 25, 0, 30, tzinfo=UTC)


def message(id: str, frame: str = "[2]") -> Message:
    """One piece of evidence."""
    body = EvidenceReceived(protocol="ocpp", peer="CP 01", frame=frame, connection=1)
    return compose(body, id=id, time=NOW, source="ocpp:CP 01", site="depot", at=Physical(station="CP 01"))


async def everything(log: Log, after: int = 0) -> list[Record]:
    """All records behind `after`."""
    return [r async for r in log.read(after, follow=False)]


def ids(records: list[Record]) -> list[str]:
    """The ids of all messages, in stream order."""
    return [m.id for r in records for m in r.messages]


class JournalContract:
    """Subclasses give the fixtures `log` and `small` (a log with room for about 200 kB)."""

    async def test_a_message_is_read_back_as_it_was_appended(self, log: Any) -> None:
        writer = await log.writer("depot", "gw-1", 7)
        position = await writer.append([message("a", "Zürich 😀")])
        [stored] = await everything(log)
        assert position == Position(1, 0)
        assert (stored.seq, stored.site, stored.writer, stored.head.epoch) == (1, "depot", "gw-1", 7)
        assert stored.messages == (message("a", "Zürich 😀"),)
        assert (stored.head.prev, stored.head.seen, stored.head.now, stored.head.core) == ("", None, None, None)

    async def test_a_message_stands_at_the_position_that_its_append_returned(self, log: Any) -> None:
        writer = await log.writer("depot", "gw-1", 1)
        batches = [[message(f"{i}-{k}") for k in range(1 + i % 3)] for i in range(50)]
        positions = await asyncio.gather(*(writer.append(batch) for batch in batches))
        stored = {r.seq: r for r in await everything(log)}
        for batch, at in zip(batches, positions, strict=True):
            assert stored[at.seq].messages[at.index : at.index + len(batch)] == tuple(batch)

    async def test_order_of_arrival_is_order_of_the_stream(self, log: Any) -> None:
        writer = await log.writer("depot", "gw-1", 1)
        await asyncio.gather(*(writer.append([message(str(i))]) for i in range(200)))
        assert ids(await everything(log)) == [str(i) for i in range(200)]

    async def test_what_waits_while_a_record_is_in_flight_becomes_one_record(self, log: Any) -> None:
        writer = await log.writer("depot", "gw-1", 1)
        positions = await asyncio.gather(*(writer.append([message(str(i))]) for i in range(100)))
        assert len({p.seq for p in positions}) <= 3

    async def test_a_decision_stands_alone_in_its_record(self, log: Any) -> None:
        writer = await log.writer("depot", "ctl", 1)
        await asyncio.gather(
            writer.append([message("a")]),
            writer.append([message("b"), message("c")], seen=41, now=NOW),
            writer.append([message("d")]),
        )
        stored = await everything(log)
        assert [ids([r]) for r in stored] == [["a"], ["b", "c"], ["d"]]
        assert [(r.head.seen, r.head.now) for r in stored] == [(None, None), (41, NOW), (None, None)]
        assert stored[1].head.core == "1.2.3"
        assert stored[0].head.core is None

    async def test_the_chain_of_each_writer_is_whole(self, log: Any) -> None:
        one, two = await log.writer("depot", "gw-1", 1), await log.writer("depot", "ctl", 1)
        for i in range(5):
            await one.append([message(f"a{i}")])
            await two.append([message(f"b{i}")])
        stored = await everything(log)
        for name in ("gw-1", "ctl"):
            heads = [r.head for r in stored if r.writer == name]
            assert [h.prev for h in heads] == ["", *(record.hash_of(record.head_line(h)) for h in heads[:-1])]

    async def test_an_oversize_message_fails_alone(self, log: Any) -> None:
        writer = await log.writer("depot", "gw-1", 1)
        results = await asyncio.gather(
            writer.append([message("a")]),
            writer.append([message("big", "x" * record.MAX_MESSAGE)]),
            writer.append([message("b")]),
            return_exceptions=True,
        )
        assert isinstance(results[1], NotStored)
        assert "next:" in str(results[1])
        assert ids(await everything(log)) == ["a", "b"]

    async def test_a_message_that_json_cannot_hold_fails_alone(self, log: Any) -> None:
        writer = await log.writer("depot", "gw-1", 1)
        good, bad = asyncio.create_task(writer.append([message("a")])), message("b", "\ud800")
        with pytest.raises(NotStored):
            await writer.append([bad])
        await good
        assert ids(await everything(log)) == ["a"]

    async def test_too_many_messages_at_once_are_refused_with_what_fits(self, log: Any) -> None:
        writer = await log.writer("depot", "gw-1", 1)
        with pytest.raises(NotStored, match="4096 fit"):
            await writer.append([message(str(i)) for i in range(record.MAX_ITEMS + 1)])

    async def test_groups_are_closed_at_the_limits(self, log: Any) -> None:
        writer = await log.writer("depot", "gw-1", 1)
        frame = _noise(1, 60_000)
        positions = await asyncio.gather(*(writer.append([message(str(i), frame)]) for i in range(20)))
        assert len({p.seq for p in positions}) >= 3
        assert ids(await everything(log)) == [str(i) for i in range(20)]

    async def test_a_doubled_writer_is_fenced_off(self, log: Any) -> None:
        first, second = await log.writer("depot", "gw-1", 1), await log.writer("depot", "gw-1", 1)
        await first.append([message("a")])
        with pytest.raises(Fenced, match="another process"):
            await second.append([message("b")])
        with pytest.raises(Fenced):
            await second.append([message("c")])
        await first.append([message("d")])
        assert ids(await everything(log)) == ["a", "d"]

    async def test_all_that_wait_are_told_when_a_writer_is_fenced_off(self, log: Any) -> None:
        first, second = await log.writer("depot", "gw-1", 1), await log.writer("depot", "gw-1", 1)
        await first.append([message("a")])
        results = await asyncio.gather(
            *(second.append([message(str(i))], seen=1) for i in range(3)), return_exceptions=True
        )
        assert [type(r) for r in results] == [Fenced] * 3

    async def test_writers_of_other_names_and_sites_do_not_disturb_each_other(self, log: Any) -> None:
        writers = [await log.writer(site, name, 1) for site in ("depot", "a.b", "_hub") for name in ("ctl", "gw-1")]
        for turn in range(3):
            await asyncio.gather(*(w.append([message(f"{turn}")]) for w in writers))
        stored = await everything(log)
        assert len(stored) == 18
        assert {r.site for r in stored} == {"depot", "a.b", "_hub"}

    async def test_a_new_writer_goes_on_behind_the_last_record(self, log: Any) -> None:
        old = await log.writer("depot", "gw-1", 1)
        await old.append([message("a")])
        await old.close()
        new = await log.writer("depot", "gw-1", 2)
        assert await new.append([message("b")]) == Position(2, 0)
        assert [r.head.epoch for r in await everything(log)] == [1, 2]

    async def test_a_record_appended_twice_is_stored_once(self, log: Any) -> None:
        writer = await log.writer("depot", "gw-1", 1)
        first = [await writer.append([message("a"), message("b")]), await writer.append([message("c")])]
        again = [await writer.append([message("a"), message("b")]), await writer.append([message("c")])]
        assert again == first
        await writer.append([message("d")])
        assert ids(await everything(log)) == ["a", "b", "c", "d"]

    async def test_close_stores_what_waits_and_then_refuses(self, log: Any) -> None:
        writer = await log.writer("depot", "gw-1", 1)
        waiting = [asyncio.create_task(writer.append([message(str(i))])) for i in range(20)]
        await asyncio.sleep(0)
        await writer.close()
        assert len(await asyncio.gather(*waiting)) == 20
        with pytest.raises(NotStored, match="closed"):
            await writer.append([message("late")])

    async def test_a_caller_that_goes_away_does_not_hold_up_the_others(self, log: Any) -> None:
        writer = await log.writer("depot", "gw-1", 1)
        gone, stays = (asyncio.create_task(writer.append([message(i)])) for i in "ab")
        await asyncio.sleep(0)
        gone.cancel()
        await stays
        assert ids(await everything(log)) == ["a", "b"]

    async def test_a_full_journal_refuses_and_keeps_what_it_has(self, small: Any) -> None:
        writer = await small.writer("depot", "gw-1", 1)
        stored = 0
        with pytest.raises(NotStored, match="full"):
            for i in range(100):
                await writer.append([message(str(i), _noise(i))])
                stored += 1
        assert 0 < stored < 100
        assert len(await everything(small)) == stored

    async def test_an_empty_append_leaves_an_empty_record(self, log: Any) -> None:
        writer = await log.writer("depot", "gw-1", 1)
        assert [await writer.append([]), await writer.append([])] == [Position(1, 0), Position(2, 0)]
        assert [r.messages for r in await everything(log)] == [(), ()]

    async def test_append_times_are_observed(self, log: Any, observed: list[float]) -> None:
        writer = await log.writer("depot", "gw-1", 1)
        await writer.append([message("a")])
        assert len(observed) == 1
        assert observed[0] > 0

    async def test_reading_ends_at_the_last_record_or_follows(self, log: Any) -> None:
        writer = await log.writer("depot", "gw-1", 1)
        await writer.append([message("a")])
        await writer.append([message("b")])
        assert ids(await everything(log, 1)) == ["b"]
        assert await everything(log, 2) == []
        follower = log.read(1)
        assert (await anext(follower)).messages[0].id == "b"
        coming = asyncio.create_task(anext(follower))
        await asyncio.sleep(0.02)
        await writer.append([message("c")])
        assert (await asyncio.wait_for(coming, GENEROUS_S)).messages[0].id == "c"
        await follower.aclose()

    async def test_an_empty_journal_has_no_last_record(self, log: Any) -> None:
        assert await log.last() == 0
        assert await everything(log) == []
        assert await log.get(1) is None

    async def test_one_record_is_found_by_its_sequence(self, log: Any) -> None:
        writer = await log.writer("depot", "gw-1", 1)
        await writer.append([message("a")])
        await writer.append([message("b"), message("c")])
        assert await log.last() == 2
        found = await log.get(2)
        assert found is not None
        assert ids([found]) == ["b", "c"]
        assert [await log.get(0), await log.get(3)] == [None, None]

    async def test_wishes_come_newest_first_state_then_each_change(self, log: Any) -> None:
        await log.wish("depot", "CP 1", {"kw": 1})
        await log.wish("depot", "CP 1", {"kw": 2})
        await log.wish("depot", "CP.2", {"kw": 3})
        await log.wish("other", "CP 1", {"kw": 9})
        wishes: AsyncIterator[Any] = log.wishes("depot")
        first = dict([await anext(wishes), await anext(wishes)])
        assert first == {"CP 1": {"kw": 2}, "CP.2": {"kw": 3}}
        coming = asyncio.create_task(anext(wishes))
        await asyncio.sleep(0.01)
        await log.wish("depot", "CP 1", {"kw": 0})
        assert await asyncio.wait_for(coming, GENEROUS_S) == ("CP 1", {"kw": 0})

    @pytest.mark.parametrize("size", [0, 1, 131_072, 131_073, 900_000])
    async def test_large_content_is_kept_under_its_digest_and_read_back(self, log: Any, size: int) -> None:
        content = Random(size).randbytes(size)
        digest = await log.keep(content)
        assert digest == sha256(content).hexdigest()
        assert await log.content(digest) == content
        assert await log.last() == 0

    async def test_what_is_kept_already_takes_no_room_again(self, small: Any) -> None:
        content = Random(1).randbytes(150_000)
        assert len({await small.keep(content) for _ in range(5)}) == 1

    async def test_content_for_which_there_is_no_room_is_refused_and_content_that_nobody_kept_is_none(
        self, small: Any
    ) -> None:
        content = Random(1).randbytes(400_000)
        with pytest.raises(NotStored, match="next:"):
            await small.keep(content)
        assert await small.content(sha256(content).hexdigest()) is None

    async def test_what_strangers_send_is_kept_ten_a_second_and_counted(self, log: Any) -> None:
        for i in range(25):
            await log.refuse("depot", "ocpp", "192.0.2.1", {"n": i})
        await log.refuse("depot", "ocpp", "192.0.2.2", {"n": 0, "frame": "x" * 100_000})
        kept: list[Any] = []

        async def all_told() -> bool:
            kept[:] = await log.refused("depot", "ocpp")
            return any(k["peer"] == "192.0.2.2" for k in kept)

        await until(all_told)
        assert [k["item"]["n"] for k in kept if k["peer"] == "192.0.2.1"] == list(range(10))
        assert kept[-1]["peer"] == "192.0.2.2"
        assert kept[-1]["item"]["bytes"] > 100_000
        assert await log.refused("depot", "oscp") == []
        assert await log.last() == 0
        assert len({k["id"] for k in kept}) == len(kept)
        assert all(datetime.fromisoformat(k["time"]).tzinfo for k in kept)
        assert await log.refused("depot", "ocpp") == kept

    async def test_a_broken_record_is_named_and_nothing_behind_it_is_read(self, log: Any) -> None:
        writer = await log.writer("depot", "gw-1", 1)
        await writer.append([message("a")])
        await self.forge(log, "j.depot.gw-1", b"{}\n")
        with pytest.raises(Damaged, match="record 2"):
            await everything(log)

    async def test_a_record_that_does_not_follow_the_previous_is_named(self, log: Any) -> None:
        writer = await log.writer("depot", "gw-1", 1)
        await writer.append([message("a")])
        head = Head(format=record.FORMAT, writer="gw-1", epoch=1, prev="0" * 64, items=())
        await self.forge(log, "j.depot.gw-1", record.body(record.head_line(head), []))
        with pytest.raises(Damaged, match="chain"):
            await everything(log)

    async def forge(self, log: Any, subject: str, body: bytes) -> None:
        """Store `body` as it is, past the writer."""
        tail = await log.tail(subject)
        await log.publish(subject, body, f"forged{len(body)}", tail.seq)


def _noise(seed: int, size: int = 20_000) -> str:
    return base64.b64encode(Random(seed).randbytes(size * 3 // 4)).decode()
