"""The live stream and its CloudEvents headers."""

from __future__ import annotations

import asyncio
import json
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.messages import Position, compose
from core.messages.station import StationDisconnected
from gateway.journal import cloudevents
from gateway.journal.opening import open_journal
from gateway.journal.splitter import split
from tests.gateway.journal.contract import message


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


async def test_each_message_appears_on_the_live_stream(tmp_path: Path) -> None:
    opened = await open_journal(tmp_path)
    heard = await opened.log.link.nc.subscribe("evidence.>")
    splitting = asyncio.create_task(split(opened.log, 0))
    writer = await opened.log.writer("depot", "gw-1", 1)
    await writer.append([message("a"), message("b")])
    got = [await heard.next_msg(2) for _ in range(2)]
    assert [(m.headers or {})["ce-id"] for m in got] == ["a", "b"]
    assert got[1].subject == "evidence.ocpp.depot.CP=2001"
    splitting.cancel()
    await opened.close()
