"""A hostile station, on purpose or by a broken firmware: it gets its protocol's answer, and the good one beside it goes on."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator
from typing import Any

import pytest
import websockets
from websockets.asyncio.client import ClientConnection

from tests.outside.chargers import SUBPROTOCOLS, Charger, charging_station, dialled, now
from tests.outside.depot import Depot
from tests.waiting import GENEROUS_S, until

BOTH = pytest.mark.parametrize("version", ["1.6", "2.0.1"])
HOSTILE = {"1.6": "CP-01", "2.0.1": "CP-02"}
FLOOD = 400
"""Frames at once; a hundred are read at once and fifty in each second after them, so all of them take six seconds."""


@pytest.fixture
async def good(depot: Depot) -> AsyncIterator[Charger]:
    """The good station beside the hostile one: served before, and after whatever was done."""
    async with charging_station("2.0.1", depot.station_url(), "CP-03", depot.password("CP-03")) as charger:
        await charger.boot()
        yield charger
        async with asyncio.timeout(GENEROUS_S):
            await charger.heartbeat()
            await charger.status("Available")


@contextlib.asynccontextmanager
async def hostile(depot: Depot, version: str, **options: Any) -> AsyncIterator[ClientConnection]:
    """The hostile station's socket; it never answers the hub's calls."""
    station = HOSTILE[version]
    password = depot.password(station)
    async with dialled(depot.station_url(), station, password, SUBPROTOCOLS[version], **options) as socket:
        yield socket


async def answer(socket: ClientConnection, ident: str) -> list[Any]:
    """The hub's answer to a call; its own calls are passed over."""
    async with asyncio.timeout(GENEROUS_S):
        while True:
            frame = json.loads(await socket.recv())
            if frame[0] in (3, 4) and frame[1] == ident:
                return list(frame)


async def asked(socket: ClientConnection, frame: object, ident: str | None = None) -> list[Any]:
    """Send a frame (a string as it is) and read its answer."""
    await socket.send(frame if isinstance(frame, str) else json.dumps(frame))
    return await answer(socket, ident or str(frame[1]))


async def set_aside(depot: Depot, station: str, reason: str) -> list[dict[str, Any]]:
    """What was quarantined of a station for that reason."""
    found = await depot.messages("evidence.quarantined", station=station)
    return [m for m in found if m["body"]["reason"] == reason]


@BOTH
async def test_what_is_no_frame_is_kept_and_counted_and_answered_where_the_version_does(
    depot: Depot, good: Charger, version: str
) -> None:
    station = HOSTILE[version]
    bad = ["no json", "[2", "{}", "[]", "null", '[2,"x"]', '[9,"x","Heartbeat",{}]', b"\xff\xfe\x00", "[" * 5000]
    before = await depot.counted("busbar_quarantined_total", reason="frame_unreadable")
    async with hostile(depot, version) as socket:
        for frame in bad:
            await socket.send(frame)
        assert (await asked(socket, [2, "after", "Heartbeat", {}]))[0] == 3

    async def kept() -> bool:
        return await depot.counted("busbar_quarantined_total", reason="frame_unreadable") == before + len(bad)

    await until(kept)

    async def told() -> bool:
        found = await set_aside(depot, station, "frame_unreadable")
        return len({m["body"]["detail"] for m in found}) > 2

    await until(told)
    assert f"station {station}: part of a frame was set aside: frame_unreadable" in depot.said()


@BOTH
async def test_a_frame_that_is_too_large_closes_the_connection_and_says_so(
    depot: Depot, good: Charger, version: str
) -> None:
    with pytest.raises(websockets.ConnectionClosed) as closed:
        async with hostile(depot, version) as socket:
            await socket.send(json.dumps([2, "big", "DataTransfer", {"vendorId": "v", "data": "x" * 70_000}]))
            while True:
                await socket.recv()
    assert closed.value.rcvd is not None
    assert closed.value.rcvd.code == 1009
    await until(lambda: set_aside(depot, HOSTILE[version], "frame_too_large"))
    async with hostile(depot, version) as socket:
        assert (await asked(socket, [2, "again", "Heartbeat", {}]))[0] == 3


@BOTH
async def test_a_call_that_nobody_serves_or_whose_schema_is_violated_gets_the_versions_error(
    depot: Depot, good: Charger, version: str
) -> None:
    async with hostile(depot, version) as socket:
        assert (await asked(socket, [2, "a", "LaunchRocket", {}]))[:3] == [4, "a", "NotImplemented"]
        missing = await asked(socket, [2, "b", "BootNotification", {}])
        assert (missing[0], missing[2] in {"OccurrenceConstraintViolation", "OccurenceConstraintViolation"}) == (
            4,
            True,
        )
        typed = await asked(socket, [2, "c", "Authorize", {"idTag": 7, "idToken": 7}])
        assert (typed[0], "Violation" in typed[2] or "Error" in typed[2]) == (4, True)
        assert all(isinstance(part, str) and part for part in typed[2:4])
    assert await until(lambda: set_aside(depot, HOSTILE[version], "call_refused"))


EVIDENCE = {
    "1.6": [
        ("StartTransaction", {"connectorId": 1, "idTag": "TAG-1", "meterStart": "much", "timestamp": "yesterday"}),
        ("StopTransaction", {"transactionId": 12345, "meterStop": -7, "timestamp": "9999-12-31T23:59:59Z"}),
        (
            "MeterValues",
            {
                "connectorId": 1,
                "meterValue": [
                    {"timestamp": now(), "sampledValue": [{"value": "NaN"}, {"value": "55", "measurand": "SoC"}]},
                    {"timestamp": "9999-12-31T23:59:59Z", "sampledValue": [{"value": "-1e300"}]},
                    "no meter value",
                ],
            },
        ),
        ("StatusNotification", {"connectorId": 1, "errorCode": "NoError", "status": "Dancing", "timestamp": 7}),
    ],
    "2.0.1": [
        (
            "TransactionEvent",
            {
                "eventType": "Started",
                "timestamp": "9999-12-31T23:59:59Z",
                "triggerReason": "NoSuchReason",
                "seqNo": -1,
                "transactionInfo": {"transactionId": "h-1", "chargingState": "Flying"},
                "evse": {"id": 1},
                "meterValue": [{"timestamp": now(), "sampledValue": [{"value": -1e300}, {"value": "x" * 9000}]}],
            },
        ),
        ("TransactionEvent", {"eventType": "Ended", "transactionInfo": {"transactionId": "h-1"}}),
        (
            "MeterValues",
            {"evseId": 1, "meterValue": [{"timestamp": now(), "sampledValue": [{"value": 1e400}, {"value": 5}]}]},
        ),
        ("StatusNotification", {"evseId": 1, "connectorId": 1, "connectorStatus": "Dancing", "timestamp": 7}),
    ],
}


@BOTH
async def test_of_evidence_the_good_part_is_used_and_answered_and_the_bad_part_set_aside(
    depot: Depot, good: Charger, version: str
) -> None:
    before = await depot.counted("busbar_quarantined_total")
    async with hostile(depot, version) as socket:
        for number, (action, payload) in enumerate(EVIDENCE[version]):
            frame = json.dumps([2, f"e{number}", action, payload]).replace("Infinity", "1e999")
            result = await asked(socket, frame, f"e{number}")
            assert result[0] == 3, (action, result)

    async def rose() -> bool:
        return await depot.counted("busbar_quarantined_total") >= before + len(EVIDENCE[version])

    await until(rose)

    async def used() -> list[dict[str, Any]]:
        read = await depot.messages("session.metered", station=HOSTILE[version])
        values = [m["body"] for m in read]
        return read if any(v.get("soc") == 0.55 or v.get("energy_wh") == 5 for v in values) else []

    read = await until(used)
    for message in [*read, *await depot.messages("session.started", station=HOSTILE[version])]:
        assert message["time"] < "2100", message


@BOTH
async def test_answers_to_no_call_of_ours_are_counted_and_nothing_else(
    depot: Depot, good: Charger, version: str
) -> None:
    before = await depot.counted("busbar_answers_unmatched_total")
    async with hostile(depot, version) as socket:
        for number in range(5):
            await socket.send(json.dumps([3, f"unknown-{number}", {"status": "Accepted"}]))
            await socket.send(json.dumps([4, f"unknown-{number}", "GenericError", "", {}]))
        assert (await asked(socket, [2, "h", "Heartbeat", {}]))[0] == 3

    async def rose() -> bool:
        return await depot.counted("busbar_answers_unmatched_total") == before + 10

    await until(rose)


async def test_a_flood_is_read_more_slowly_and_nothing_of_it_is_lost(depot: Depot, good: Charger) -> None:
    before = await depot.counted("busbar_frames_delayed_total")
    got: set[str] = set()

    async def read(socket: ClientConnection) -> None:
        while len(got) < FLOOD:
            frame = json.loads(await socket.recv())
            if frame[0] == 3:
                got.add(frame[1])

    async with hostile(depot, "2.0.1") as socket, asyncio.timeout(GENEROUS_S), asyncio.TaskGroup() as group:
        group.create_task(read(socket))
        for number in range(FLOOD):
            await socket.send(json.dumps([2, f"f{number}", "Heartbeat", {}]))
        await good.heartbeat()
        assert len(got) < FLOOD, "the good station is served while the flood is held back"
    assert await depot.counted("busbar_frames_delayed_total") > before


async def test_a_station_that_reads_nothing_hinders_nobody_and_is_gone_when_a_new_one_comes(
    depot: Depot, good: Charger
) -> None:
    async with hostile(depot, "1.6", max_queue=1, close_timeout=0.1) as slow:
        # it asks for answers that it never reads: the hub stops at this socket, and at no other
        with contextlib.suppress(TimeoutError, websockets.ConnectionClosed):
            async with asyncio.timeout(2):
                for number in range(2000):
                    await slow.send(json.dumps([2, f"s{number}" * 8, "DataTransfer", {"vendorId": "v" * 200}]))
        async with asyncio.timeout(GENEROUS_S):
            await good.heartbeat()
        async with hostile(depot, "1.6") as newer:
            assert (await asked(newer, [2, "n", "Heartbeat", {}]))[0] == 3


async def test_of_two_connections_of_one_station_the_newer_is_served(depot: Depot, good: Charger) -> None:
    async with hostile(depot, "1.6") as older, hostile(depot, "1.6") as newer:
        assert (await asked(newer, [2, "n", "Heartbeat", {}]))[0] == 3
        with pytest.raises(websockets.ConnectionClosed) as closed:
            while True:
                await older.recv()
        assert closed.value.rcvd is not None
        assert "newer connection" in closed.value.rcvd.reason

    async def lost() -> bool:
        found = await depot.messages("station.disconnected", station="CP-01")
        return "replaced" in {m["body"]["reason"] for m in found}

    await until(lost)


async def test_two_hundred_connections_of_a_stranger_cost_one_line_of_the_journal(depot: Depot, good: Charger) -> None:
    before = await depot.counted("busbar_stations_refused_total", reason="station_unknown")

    async def knock() -> int:
        try:
            async with dialled(depot.station_url(), "STRANGER", "x", "ocpp1.6"):
                return 101
        except websockets.InvalidStatus as refused:
            return refused.response.status_code

    answers = await asyncio.gather(*(knock() for _ in range(200)))
    assert set(answers) == {404}
    assert await depot.counted("busbar_stations_refused_total", reason="station_unknown") == before + 200

    async def rows() -> list[dict[str, Any]]:
        return [r for r in await depot.items("/stations", knocking=1) if r["station"] == "STRANGER"]

    assert len(await until(rows)) == 1
    assert 1 <= depot.said().count("STRANGER") <= 4, depot.said()
    assert len(await depot.messages("station.knocked", station="STRANGER")) <= 2


async def test_garbage_instead_of_a_handshake_fills_no_log(depot: Depot, good: Charger) -> None:
    said = len(depot.said())
    for _ in range(50):
        reader, writer = await asyncio.open_connection("127.0.0.1", depot.ports["ws"])
        writer.write(b"\x16\x03\x01 this is no request\r\n\r\n")
        with contextlib.suppress(ConnectionError):
            await reader.read()
        writer.close()
        with contextlib.suppress(ConnectionError):
            await writer.wait_closed()
    assert "Traceback" not in depot.said()[said:]
    assert len(depot.said()) - said < 5_000
