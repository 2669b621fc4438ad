"""`kill -9` at random moments while strangers go on sending: what was answered is there, once, and nothing else changed."""

from __future__ import annotations

import asyncio
import json
import random
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import aiohttp
import websockets
from websockets.asyncio.client import ClientConnection

from tests.outside.chargers import SUBPROTOCOLS, dialled, now
from tests.outside.depot import Depot
from tests.outside.grid import GridOperator, block, forecast, grid_operator
from tests.waiting import GENEROUS_S, until

SEED = 142
KILLS = 10
EARLY_S, LATE_S = 1.5, 0.8
"""Half of the hubs die so early that they may not have started; the others so soon after they let peers in."""
PAUSE_S = 0.05
BEGIN_WH, STEP_WH = 1000, 25


@dataclass
class Account:
    """A charge point that sends one frame after the other and knows which were answered.

    What was not answered is sent again, the same text, on the next connection, as stations do.
    """

    depot: Depot
    version: str
    station: str
    password: str
    answered: dict[str, str] = field(default_factory=dict)
    """Frame by message id."""
    meters: dict[str, str] = field(default_factory=dict)
    """Timestamp of each answered meter frame by message id."""
    transaction: Any = ""
    wh: int = BEGIN_WH
    seq: int = 0
    resent: int = 0
    _socket: ClientConnection | None = None

    async def run(self, enough: asyncio.Event) -> None:
        """A transaction from its beginning to its end, however often the hub dies."""
        await self.begin()
        while not enough.is_set():
            await self.meter()
            await asyncio.sleep(PAUSE_S)
        await self.finish()
        if self._socket is not None:
            await self._socket.close()

    async def call(self, action: str, payload: dict[str, Any]) -> dict[str, Any]:
        """Send until it is answered."""
        ident = str(uuid.uuid4())
        text = json.dumps([2, ident, action, payload])
        for attempt in range(10_000):
            self.resent += attempt > 0
            try:
                socket = await self.connected()
                await socket.send(text)
                async with asyncio.timeout(10):
                    answer = await self._answer(socket, ident)
            except (OSError, TimeoutError, websockets.WebSocketException):
                self._socket = None
                await asyncio.sleep(PAUSE_S)
                continue
            assert answer[0] == 3, answer
            self.answered[ident] = text
            if "eterValue" in text and action != "StopTransaction":
                self.meters[ident] = payload.get("timestamp") or payload["meterValue"][0]["timestamp"]
            return dict(answer[2])
        raise AssertionError("never answered")

    async def connected(self) -> ClientConnection:
        """The socket, opened again where it was lost."""
        if self._socket is None:
            url, version = self.depot.station_url(), SUBPROTOCOLS[self.version]
            self._socket = await dialled(url, self.station, self.password, version)
        return self._socket

    async def _answer(self, socket: ClientConnection, ident: str) -> list[Any]:
        """Answers the hub's own calls on the way."""
        while True:
            frame = json.loads(await socket.recv())
            if frame[0] != 2 and frame[1] == ident:
                return list(frame)
            if frame[0] == 2:
                await socket.send(json.dumps([3, frame[1], {"status": "Accepted"}]))

    async def begin(self) -> None:
        """Begin the transaction."""
        raise NotImplementedError

    async def meter(self) -> None:
        """One more sample."""
        raise NotImplementedError

    async def finish(self) -> None:
        """End the transaction."""
        raise NotImplementedError


class Account16(Account):
    """In OCPP 1.6."""

    async def begin(self) -> None:
        await self.call("BootNotification", {"chargePointModel": "m", "chargePointVendor": "v"})
        started = {"connectorId": 1, "idTag": "TAG-1", "meterStart": self.wh, "timestamp": now()}
        self.transaction = (await self.call("StartTransaction", started))["transactionId"]

    async def meter(self) -> None:
        self.wh += STEP_WH
        value = {"timestamp": now(), "sampledValue": [{"value": str(self.wh)}, {"value": "44", "measurand": "SoC"}]}
        values = {"connectorId": 1, "transactionId": self.transaction, "meterValue": [value]}
        await self.call("MeterValues", values)

    async def finish(self) -> None:
        stopped = {"transactionId": self.transaction, "meterStop": self.wh, "timestamp": now()}
        await self.call("StopTransaction", stopped)


class Account201(Account):
    """In OCPP 2.0.1."""

    async def begin(self) -> None:
        await self.call("BootNotification", {"reason": "PowerUp", "chargingStation": {"model": "m", "vendorName": "v"}})
        self.transaction = str(uuid.uuid4())
        await self.event("Started", idToken={"idToken": "TAG-2", "type": "ISO14443"})

    async def meter(self) -> None:
        self.wh += STEP_WH
        await self.event("Updated", extra=[{"value": 44, "measurand": "SoC"}])

    async def finish(self) -> None:
        await self.event("Ended")

    async def event(self, kind: str, extra: list[dict[str, Any]] | None = None, **more: Any) -> None:
        """A transaction event with the register."""
        at = now()
        payload = {
            "eventType": kind,
            "timestamp": at,
            "triggerReason": "MeterValuePeriodic",
            "seqNo": self.seq,
            "transactionInfo": {"transactionId": self.transaction, "chargingState": "Charging"},
            "evse": {"id": 1, "connectorId": 1},
            "meterValue": [{"timestamp": at, "sampledValue": [{"value": self.wh}, *(extra or [])]}],
        }
        await self.call("TransactionEvent", payload | more)
        self.seq += 1


async def limits(operator: GridOperator, enough: asyncio.Event, answered: list[str]) -> None:
    """Introduce ourselves, then send one forecast after the other; `answered` are the ids of those that were."""
    await _insist(operator.register)
    while not operator.heard("register"):
        await asyncio.sleep(PAUSE_S)
    await _insist(operator.handshake)
    while not enough.is_set():
        ident = f"request-{len(answered)}"
        body = forecast(block(300 + len(answered) % 50))

        async def send(ident: str = ident, body: Any = body) -> Any:
            return await operator.send("update_group_capacity_forecast", body, headers={"X-Request-ID": ident})

        await _insist(send)
        answered.append(ident)
        await asyncio.sleep(PAUSE_S)


async def _insist(act: Callable[[], Awaitable[Any]]) -> None:
    """Until it is taken; the hub may be away at any moment, and say 503 while it starts or stops."""
    while True:
        with suppress(aiohttp.ClientError, OSError):
            told = await act()
            if told.status == 204:
                return
            assert told.status in (401, 404, 503), told
        await asyncio.sleep(PAUSE_S)


@asynccontextmanager
async def peers(depot: Depot, enough: asyncio.Event) -> AsyncIterator[tuple[Account, Account, list[str]]]:
    """Two charge points in a transaction and a grid operator, all sending."""
    first = Account16(depot, "1.6", "CP-01", depot.password("CP-01"))
    second = Account201(depot, "2.0.1", "CP-02", depot.password("CP-02"))
    async with grid_operator(depot) as operator, asyncio.TaskGroup() as group:
        group.create_task(first.run(enough))
        group.create_task(second.run(enough))
        requests: list[str] = []
        group.create_task(limits(operator, enough, requests))
        yield first, second, requests


def servers_of(depot: Depot) -> list[int]:
    """The journal's servers that run on this folder."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            if (
                str(depot.folder).encode() in (process / "cmdline").read_bytes()
                and b"nats" in (process / "cmdline").read_bytes()
            ):
                found.append(int(process.name))
    return found


async def test_what_was_answered_is_there_once_and_the_journal_folds_to_the_same(folder: Depot) -> None:
    dice = random.Random(SEED)
    enough = asyncio.Event()
    folder.start()
    async with asyncio.timeout(KILLS * GENEROUS_S), peers(folder, enough) as (first, second, requests):
        for number in range(KILLS):
            if number % 2:
                await asyncio.sleep(dice.uniform(0.2, EARLY_S))
            else:
                await folder.ready()
                await asyncio.sleep(dice.uniform(0.05, LATE_S))
            await asyncio.to_thread(folder.kill)
            folder.start()
        await folder.ready()
        await until(lambda: len(requests) > 3)
        enough.set()
    assert first.resent and second.resent, "the kills met nobody"

    for account in (first, second):
        await holds(folder, account)

    async def stated() -> list[int]:
        known = [m["body"]["request"] for m in await folder.messages("constraint.stated")]
        counts = [sum(f"{ident}#" in request for request in known) for ident in requests]
        return counts if all(counts) else []

    assert await until(stated) == [1] * len(requests)

    replayed = await folder.busbar("replay", "--verify")
    assert replayed.code == 0, replayed.out + replayed.err
    assert len(servers_of(folder)) == 1
    assert folder.end() == 0
    assert servers_of(folder) == []
    # and without a hub: the same, from the folder alone
    replayed = await folder.busbar("replay", "--verify")
    assert replayed.code == 0, replayed.out + replayed.err
    rebuilt = await folder.busbar("rebuild")
    assert rebuilt.code == 0, rebuilt.out + rebuilt.err


async def holds(depot: Depot, account: Account) -> None:
    """Every answered frame is evidence; its facts are there once; the session is one, with the energy that it took."""
    session = f"{account.station}/{account.transaction}"

    async def ended() -> list[dict[str, Any]]:
        rows = await depot.items("/sessions", station=account.station)
        return rows if all(r["ended"] for r in rows) else []

    [row] = await until(ended)
    assert row["session"] == session
    assert row["energy_kwh"] == (account.wh - BEGIN_WH) / 1000
    for kind in ("session.started", "session.ended"):
        assert len(await depot.messages(kind, station=account.station)) == 1
    samples = [m["time"] for m in await depot.messages("session.metered", station=account.station)]
    assert len(samples) == len(set(samples))
    missing = {
        t for t in account.meters.values() if t.rstrip("Z") not in {s.rstrip("0Z").ljust(23, "0") for s in samples}
    }
    assert not missing

    async def kept() -> bool:
        frames = await depot.items(f"/stations/{account.station}/frames", limit=1000)
        received = " ".join(f["text"] for f in frames if f["direction"] == "received")
        assert len(frames) < 1000
        return all(ident in received for ident in account.answered)

    await until(kept)
    [record] = await until(lambda: depot.items("/records", station=account.station))
    assert record["energy_kwh"] == row["energy_kwh"]
