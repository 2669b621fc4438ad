"""One reader for many followers: what one of them fails at is its own matter."""

from __future__ import annotations

from gateway.feed import Feed
from gateway.journal.log import Record
from gateway.journal.memory import MemoryLog
from tests.gateway.journal.contract import message


async def test_a_follower_that_fails_stops_neither_the_others_nor_the_feed() -> None:
    log = MemoryLog()
    writer = await log.writer("depot", "gw-1", 1)
    for name in ("a", "b", "c"):
        await writer.append([message(name)])
    feed = Feed(log)
    heard: list[int] = []

    def fails(record: Record) -> None:
        if record.seq == 2:
            raise KeyError("a defect")

    feed.follow(fails)
    feed.follow(lambda record: heard.append(record.seq))
    await feed.catch_up()
    assert heard == [1, 2, 3]
    assert feed.seq == 3
    assert feed.trouble is not None
    assert "failed at record 2: KeyError('a defect'); next:" in feed.trouble
