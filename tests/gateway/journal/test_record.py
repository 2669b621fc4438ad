"""The bytes of a record, to the last one, and what is refused when they are not right."""

from __future__ import annotations

import hashlib
import json
import zlib
from datetime import UTC, datetime

import pytest

from core.messages import line
from core.ports import NotStored
from gateway.journal import record
from gateway.journal.log import Damaged, Head
from tests.gateway.journal.contract import NOW, message


def counting(count: int) -> bytes:
    """Golden "random" bytes."""
    return bytes(i % 256 for i in range(count))


FIRST = (
    '{"at":{"station":"CP 01"},"body":{"connection":1,"frame":"Zürich","peer":"CP 01","protocol":"ocpp"},"id":"a",'
    '"n":"AAECAwQFBgcICQoLDA0ODw==","recorded":"2026-10-25T00:30:00Z","site":"depot","source":"ocpp:CP 01",'
    '"time":"2026-10-25T00:30:00Z","type":"evidence.received"}'
)
HEAD = '{"epoch":7,"format":1,"items":["%s"],"now":"2026-10-25T00:30:00+00:00","prev":"","seen":41,"writer":"ctl"}'


def golden() -> bytes:
    """The record of one message, put together here by hand."""
    digest = hashlib.sha256(FIRST.encode()).hexdigest()
    return (HEAD % digest).encode() + b"\n" + zlib.compress(FIRST.encode(), 1)


def written() -> bytes:
    """The same record, put together by the code."""
    batch = record.encode([message("a", "Zürich")], counting)
    head = Head(1, "ctl", 7, "", tuple(batch.digests), seen=41, now=NOW)
    return record.body(record.head_line(head), batch.lines)


def test_a_record_has_its_golden_bytes() -> None:
    assert written() == golden()
    assert hashlib.sha256(written().partition(b"\n")[0]).hexdigest() == GOLDEN_PREV


GOLDEN_PREV = "d9e501e0802ed56db79f45333505fa5049f458d6dfec5542a230930e763ab252"


def test_a_record_is_read_back() -> None:
    opened = record.open_record(written())
    assert opened.messages() == (message("a", "Zürich"),)
    assert (opened.head.seen, opened.head.now, opened.head.epoch) == (41, NOW, 7)
    assert opened.hash == record.hash_of(record.head_line(opened.head))


def test_an_item_is_the_messages_line_and_random_bytes() -> None:
    stored = json.loads(record.encode([message("a")], counting).lines[0])
    assert stored.pop("n") == "AAECAwQFBgcICQoLDA0ODw=="
    assert stored == json.loads(line(message("a")))


def test_each_item_has_random_bytes_of_its_own() -> None:
    batch = record.encode([message("a"), message("a")], counting)
    assert len(set(batch.digests)) == 2


def test_every_flipped_bit_in_the_items_is_found() -> None:
    good = written()
    start = good.index(b"\n") + 1
    for at in range(start, len(good)):
        bad = bytearray(good)
        bad[at] ^= 1
        try:
            opened = record.open_record(bytes(bad))
        except Damaged:
            continue
        assert opened.lines == record.open_record(good).lines  # a bit of zlib's own header: the items are whole


@pytest.mark.parametrize(
    "stored",
    [b"", b"\n", b"[]\n", b"{}\n" + zlib.compress(b""), b'{"format":1}\nx', golden()[:-9], golden()[:200]],
)
def test_what_is_no_record_is_damage(stored: bytes) -> None:
    with pytest.raises(Damaged):
        record.open_record(stored)


def test_a_newer_format_says_what_to_do() -> None:
    with pytest.raises(Damaged, match="upgrade"):
        record.open_record(golden().replace(b'"format":1', b'"format":2'))


def test_an_item_that_was_taken_out_breaks_the_record_but_not_the_chain() -> None:
    batch = record.encode([message("a"), message("b")], counting)
    head = record.head_line(Head(1, "gw-1", 1, "", tuple(batch.digests)))
    with pytest.raises(Damaged, match="digests"):
        record.open_record(record.body(head, batch.lines[:1]))


def test_an_append_just_below_the_limits_is_taken_and_one_above_is_told_what_fits() -> None:
    many = [message(str(i)) for i in range(2000)]
    assert record.fits(record.encode(many, counting).size, len(many))
    frames = [message(str(i), _noise(i)) for i in range(100)]
    with pytest.raises(NotStored, match=r"append about \d+"):
        record.encode(frames, counting)


def test_a_record_never_exceeds_its_limit() -> None:
    batch = record.encode([message(str(i), _noise(i)) for i in range(60)], counting)
    head = record.head_line(Head(1, "gw-1", 1, "f" * 64, tuple(batch.digests)))
    assert len(record.body(head, batch.lines)) <= batch.size + 1024 <= record.MAX_BODY


def test_the_id_of_a_record_depends_on_subject_and_messages() -> None:
    one = record.record_id("j.a.ctl", "", ["x", "y"])
    assert one == record.record_id("j.a.ctl", "p", ["x", "y"])
    assert len({one, record.record_id("j.b.ctl", "", ["x", "y"]), record.record_id("j.a.ctl", "", ["y", "x"])}) == 3
    assert record.record_id("j.a.ctl", "p", []) != record.record_id("j.a.ctl", "q", [])


def test_times_in_a_head_keep_their_microseconds() -> None:
    now = datetime(2026, 1, 1, 0, 0, 0, 5, tzinfo=UTC)
    head = record.head_line(Head(1, "ctl", 1, "", (), now=now))
    assert record.open_record(record.body(head, [])).head.now == now


def _noise(seed: int) -> str:
    return "".join(hashlib.sha256(f"{seed} {i}".encode()).hexdigest() for i in range(200))
