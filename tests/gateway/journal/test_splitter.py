"""The live stream and its CloudEvents headers."""

from __future__ import annotations

import asyncio
import base64
import json
import os
import signal
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.messages import Position, compose
from core.messages.station import StationDisconnected
from gateway.journal import cloudevents, streams
from gateway.journal.limits import MB, Limits
from gateway.journal.opening import OpenJournal, open_journal
from gateway.journal.splitter import Splitter
from tests.gateway.journal.contract import message
from tests.waiting import GENEROUS_S


def test_the_vector_holds() -> None:
    assert cloudevents.encode("Euro € 😀") == "Euro%20%E2%82%AC%20%F0%9F%98%80"
    assert cloudevents.decode("Euro%20%e2%82%ac") == "Euro €"


@pytest.mark.parametrize("value", ["%C0%A0", "%", "a%2", "%zz"])
def test_what_is_not_utf8_or_hex_is_refused(value: str) -> None:
    with pytest.raises(ValueError, match=r"percent|decode"):
        cloudevents.decode(value)


@given(st.text())
def test_a_value_comes_back_and_is_plain_ascii(value: str) -> None:
    written = cloudevents.encode(value)
    assert written.isascii()
    assert not set(written) & set(' "\r\n')
    assert cloudevents.decode(written) == value


def test_evidence_goes_by_protocol_and_peer_and_other_facts_by_concept() -> None:
    assert cloudevents.subject(message("a")) == "evidence.ocpp.depot.CP=2001"
    left = compose(
        StationDisconnected(gateway="g", epoch=1, connection=2),
        id="b",
        time=datetime.now(UTC),
        source="s",
        site="de.pot",
    )
    assert cloudevents.subject(left) == "event.station.de=2Epot.disconnected"


def test_headers_carry_the_coordinates_and_the_position() -> None:
    got = cloudevents.headers(message("ä b"), Position(7, 2))
    assert got["Nats-Msg-Id"] == got["ce-id"] == "%C3%A4%20b"
    assert got["ce-station"] == "CP%2001"
    assert got["ce-position"] == "7.2"
    assert got["ce-specversion"] == "1.0"
    assert "ce-causes" not in got
    assert json.loads(cloudevents.data(message("a")))["frame"] == "[2]"


async def live(opened: OpenJournal) -> list[tuple[str, str]]:
    """(id, position) of what stands on the live stream, in its order."""
    config = {"deliver_policy": "all"}
    found = await opened.log._all(streams.LIVE, ">", config)
    heads = []
    for seq in range(1, len(found) + 1):
        answer = await opened.log.link.api(f"STREAM.MSG.GET.{streams.LIVE}", {"seq": seq})
        lines = base64.b64decode(answer["message"]["hdrs"]).decode().split("\r\n")
        named = dict(line.split(": ", 1) for line in lines if ": " in line)
        heads.append((named["ce-id"], named["ce-position"]))
    return heads


async def split(opened: OpenJournal, folder: Path, until: int) -> Splitter:
    """Run a splitter up to that record, and end it."""
    reached: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def told(seq: int) -> None:
        if seq >= until and not reached.done():
            reached.set_result(None)

    splitter = Splitter(opened.log, folder / "live", 0, told)
    task = asyncio.create_task(splitter.run())
    await asyncio.wait_for(reached, GENEROUS_S)
    task.cancel()
    await asyncio.wait([task])
    return splitter


async def test_each_message_appears_on_the_live_stream(tmp_path: Path) -> None:
    opened = await open_journal(tmp_path)
    heard = await opened.log.link.nc.subscribe("evidence.>")
    writer = await opened.log.writer("depot", "gw-1", 1)
    await writer.append([message("a"), message("b")])
    await split(opened, tmp_path, 1)
    got = [await heard.next_msg(GENEROUS_S) for _ in range(2)]
    assert [(m.headers or {})["ce-id"] for m in got] == ["a", "b"]
    assert got[1].subject == "evidence.ocpp.depot.CP=2001"
    await opened.close()


async def test_a_splitter_goes_on_behind_its_checkpoint_and_publishes_nothing_twice(tmp_path: Path) -> None:
    opened = await open_journal(tmp_path)
    writer = await opened.log.writer("depot", "gw-1", 1)
    await writer.append([message("a"), message("b")])
    assert (await split(opened, tmp_path, 1)).seq == 1
    await writer.append([message("c")])
    await split(opened, tmp_path, 2)
    assert await live(opened) == [("a", "1.0"), ("b", "1.1"), ("c", "2.0")]
    (tmp_path / "live").unlink()  # a lost checkpoint: all is published again, and the server drops what it knows
    await split(opened, tmp_path, 2)
    assert [id for id, _ in await live(opened)] == ["a", "b", "c"]
    await opened.close()


async def test_what_was_not_acknowledged_is_published_after_the_server_is_back(tmp_path: Path) -> None:
    opened = await open_journal(tmp_path)
    writer = await opened.log.writer("depot", "gw-1", 1)
    await writer.append([message("a"), message("b")])
    splitting = asyncio.create_task(split(opened, tmp_path, 22))
    for number in range(20):
        if number == 5:
            assert opened.server is not None
            assert opened.server.pid is not None
            os.kill(opened.server.pid, signal.SIGKILL)
        await writer.append([message(f"n{number}")])
    await writer.append([message("end")])
    await splitting
    found = [id for id, _ in await live(opened)]
    assert len(found) == len(set(found))
    assert set(found) == {"a", "b", *(f"n{n}" for n in range(20)), "end"}
    await opened.close()


async def test_a_live_stream_with_other_settings_is_made_anew(tmp_path: Path) -> None:
    opened = await open_journal(tmp_path)
    await (await opened.log.writer("depot", "gw-1", 1)).append([message("a")])
    await split(opened, tmp_path, 1)
    await opened.close()
    opened = await open_journal(tmp_path, limits=Limits(live=2 * MB))
    found = await streams.info(opened.log.link, streams.LIVE)
    assert found is not None
    assert (found["config"]["max_bytes"], found["state"]["messages"]) == (2 * MB, 0)
    assert await opened.log.last() == 1
    await opened.close()
