"""OCPP frames a second, socket to durable journal to answer, beside a plain `ocpp` server: `python -m benchmarks.ocpp_frames`."""

from __future__ import annotations

import argparse
import asyncio
import base64
import contextlib
import json
import logging
import statistics
import tempfile
import time
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from ocpp.routing import on
from ocpp.v201 import ChargePoint, call_result
from websockets.asyncio.client import ClientConnection, connect
from websockets.asyncio.server import ServerConnection, serve
from websockets.exceptions import ConnectionClosed
from websockets.typing import Subprotocol

from core.messages import Message, Position
from core.messages.site import Connector
from core.ports import KnownStation
from gateway.journal.group import GroupWriter
from gateway.journal.opening import open_journal
from protocols.contract import Kit
from protocols.ocpp.adapter import OcppAdapter
from protocols.ocpp.settings import Listener, Settings

VERSION = Subprotocol("ocpp2.0.1")


class Durable:
    """The journal port over one writer on disk."""

    def __init__(self, writer: GroupWriter) -> None:
        self._writer = writer

    async def append(self, site: str, messages: Sequence[Message]) -> Position:
        """Durable when it returns."""
        return await self._writer.append(messages)


class Plain(ChargePoint):  # type: ignore[misc]  # because: the package ships no types
    """What a server over the package alone does: validate, answer, keep nothing."""

    @on("TransactionEvent")  # type: ignore[untyped-decorator]  # because: the package ships no types
    def on_event(self, **payload: Any) -> Any:
        """Answer and forget."""
        return call_result.TransactionEvent()


def event(number: int) -> str:
    """A TransactionEvent with four measurands, as a charging bus sends it every minute."""
    when = datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    rows = [(1000.0 + number, "Energy.Active.Import.Register", "Wh"), (88_000, "Power.Active.Import", "W")]
    rows += [(90_000, "Power.Offered", "W"), (42.5, "SoC", "Percent")]
    samples = [{"value": v, "measurand": m, "unitOfMeasure": {"unit": u}} for v, m, u in rows]
    payload = {
        "eventType": "Updated",
        "timestamp": when,
        "triggerReason": "MeterValuePeriodic",
        "seqNo": number,
        "transactionInfo": {"transactionId": "T", "chargingState": "Charging"},
        "evse": {"id": 1, "connectorId": 1},
        "meterValue": [{"timestamp": when, "sampledValue": samples}],
    }
    return json.dumps([2, str(number), "TransactionEvent", payload])


async def open_stations(address: str, count: int) -> list[ClientConnection]:
    """So many connected stations."""
    sockets = []
    for number in range(count):
        token = base64.b64encode(f"CP{number}:secret".encode()).decode()
        url, headers = f"ws://{address}/CP{number}", {"Authorization": f"Basic {token}"}
        sockets.append(await connect(url, subprotocols=[VERSION], additional_headers=headers, compression=None))
    return sockets


async def drive(address: str, count: int, seconds: float) -> tuple[float, list[float]]:
    """Frames answered a second and milliseconds of each, by stations that send again at once; others are answered."""
    sockets = await open_stations(address, count)
    times: list[float] = []
    until = time.perf_counter() + seconds

    async def station(socket: ClientConnection) -> None:
        number = 0
        while time.perf_counter() < until:
            number += 1
            began = time.perf_counter()
            await socket.send(event(number))
            await answer(socket, str(number))
            times.append((time.perf_counter() - began) * 1e3)

    began = time.perf_counter()
    await asyncio.gather(*(station(socket) for socket in sockets))
    rate = len(times) / (time.perf_counter() - began)
    await asyncio.gather(*(socket.close() for socket in sockets))
    return rate, times


async def answer(socket: ClientConnection, ident: str) -> None:
    """Read until our answer; calls of the hub are answered on the way."""
    while True:
        frame = json.loads(await socket.recv())
        if frame[0] == 2:
            await socket.send(json.dumps([4, frame[1], "NotImplemented", "", {}]))
        elif frame[1] == ident:
            return


async def hub(folder: Path, count: int, seconds: float) -> tuple[float, list[float]]:
    """The whole path of this adapter over a journal on disk."""
    kit = Kit()
    for number in range(count):
        places = (Connector(evse=1, max_kw=150),)
        kit.stations[f"CP{number}"] = KnownStation(f"CP{number}", "depot", places, 12.0, "password")
    kit.values["password"] = b"secret"
    opened = await open_journal(folder)
    adapter = OcppAdapter(
        Settings(
            listeners=(Listener(port=0, plain=True, security_profile=1),),
            frames_burst=1_000_000,
            frames_per_s=1_000_000,
        )
    )
    try:
        writer = await opened.log.writer("depot", "gw-bench", 1)
        await adapter.start(replace(kit.ports, journal=Durable(writer)))
        return await drive(adapter.health().listening[0], count, seconds)
    finally:
        await adapter.stop()
        await opened.close()


async def plain(count: int, seconds: float) -> tuple[float, list[float]]:
    """A server over the package alone, in the same process and run."""

    async def handle(socket: ServerConnection) -> None:
        with contextlib.suppress(ConnectionClosed):
            await Plain("CP", socket).start()

    async with serve(handle, "127.0.0.1", 0, subprotocols=[VERSION], compression=None) as server:
        host, port = server.sockets[0].getsockname()[:2]
        return await drive(f"{host}:{port}", count, seconds)


def row(name: str, rate: float, times: list[float]) -> str:
    """One line of the table."""
    return f"{name:<44}{rate:>10,.0f}{statistics.median(times):>10.1f}{sorted(times)[int(len(times) * 0.99)]:>10.1f}"


async def measure(folder: Path, count: int, seconds: float) -> None:
    """Print the table; clients and server share one process and its core."""
    await plain(count, 0.5)
    theirs = await plain(count, seconds)
    ours = await hub(folder, count, seconds)
    print(f"{count} stations in a closed loop, {seconds:g} s each")
    print(f"{'':<44}{'frames/s':>10}{'p50 ms':>10}{'p99 ms':>10}")
    print(row("this adapter, journal on disk", *ours))
    print(row("plain `ocpp` + `websockets`, nothing kept", *theirs))
    print(f"{'ratio':<44}{ours[0] / theirs[0]:>9.1f}x")


def main() -> None:
    """Measure in a folder, by default a temporary one."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--dir", type=Path, help="measure on this folder's disk")
    parser.add_argument("--stations", type=int, default=100)
    parser.add_argument("--seconds", type=float, default=5.0)
    arguments = parser.parse_args()
    logging.getLogger("ocpp").setLevel(logging.WARNING)
    with tempfile.TemporaryDirectory() as made:
        folder = arguments.dir or Path(made)
        asyncio.run(measure(folder, arguments.stations, arguments.seconds))


if __name__ == "__main__":
    main()
