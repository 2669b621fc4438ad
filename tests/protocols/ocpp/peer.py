"""A charging station of the tests: a real WebSocket client with a scripted way to answer calls."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any, Self

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed

from tests.waiting import GENEROUS_S

Answer = Callable[[str, dict[str, Any]], dict[str, Any] | str | None]
"""(action, payload) -> result; a text is an error code; None stays silent."""


def stamp(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")


def basic(user: str, password: bytes) -> dict[str, str]:
    return {"Authorization": "Basic " + base64.b64encode(user.encode() + b":" + password).decode()}


class Profiles:
    """What a well-behaved station does with profiles: it keeps them by id and computes the composite schedule."""

    def __init__(self, version: str, evses: int = 1) -> None:
        self.version = version
        self.evses = evses
        self.kept: dict[int, dict[str, Any]] = {}
        self.calls: list[tuple[str, dict[str, Any]]] = []
        self.override: dict[str, list[Any]] = {}
        """Answers to give first, by action."""

    def of(self, action: str) -> list[dict[str, Any]]:
        return [payload for name, payload in self.calls if name == action]

    def __call__(self, action: str, payload: dict[str, Any]) -> dict[str, Any] | str | None:
        self.calls.append((action, payload))
        if self.override.get(action):
            return self.override[action].pop(0)
        if action == "SetChargingProfile":
            return self._set(payload)
        if action == "GetCompositeSchedule":
            return self._composite(payload)
        if action == "ClearChargingProfile":
            gone = self.kept.pop(payload.get("id", payload.get("chargingProfileId", 0)), None)
            return {"status": "Accepted" if gone else "Unknown"}
        if action == "SetVariables":
            data = payload["setVariableData"][0]
            return {
                "setVariableResult": [
                    {"attributeStatus": "Accepted", "component": data["component"], "variable": data["variable"]}
                ]
            }
        return {"status": "Accepted"}

    def _set(self, payload: dict[str, Any]) -> dict[str, Any]:
        old = self.version == "ocpp1.6"
        profile = payload["csChargingProfiles"] if old else payload["chargingProfile"]
        schedule = profile["chargingSchedule"] if old else profile["chargingSchedule"][0]
        ident = profile["chargingProfileId"] if old else profile["id"]
        self.kept[ident] = {
            "evse": payload["connectorId"] if old else payload["evseId"],
            "purpose": profile["chargingProfilePurpose"],
            "stack": profile["stackLevel"],
            "schedule": schedule,
        }
        return {"status": "Accepted"}

    def limit(self, evse: int, moment: datetime) -> float:
        def at(entry: dict[str, Any]) -> float | None:
            offset = (moment - datetime.fromisoformat(entry["schedule"]["startSchedule"])).total_seconds()
            if offset < 0 or offset >= entry["schedule"].get("duration", 1e9):
                return None
            return float(
                [p["limit"] for p in entry["schedule"]["chargingSchedulePeriod"] if p["startPeriod"] <= offset][-1]
            )

        here = [e for e in self.kept.values() if e["evse"] in (0, evse) and at(e) is not None]
        tops = [at(e) for e in here if "Max" in e["purpose"]]
        for purpose in ("TxProfile", "TxDefaultProfile"):
            found = sorted((e for e in here if e["purpose"] == purpose), key=lambda e: e["stack"])
            if found:
                return min(v for v in [at(found[-1]), *tops] if v is not None)
        return min((v for v in tops if v is not None), default=1e6)

    def _composite(self, payload: dict[str, Any]) -> dict[str, Any]:
        now = datetime.now(UTC).replace(microsecond=0)
        evse = payload["connectorId" if self.version == "ocpp1.6" else "evseId"]
        periods: list[dict[str, Any]] = []
        for second in range(payload["duration"]):
            limit = self.limit(evse, now + timedelta(seconds=second))
            if not periods or periods[-1]["limit"] != limit:
                periods.append({"startPeriod": second, "limit": limit})
        if self.version == "ocpp1.6":
            schedule = {"duration": payload["duration"], "chargingRateUnit": "W", "chargingSchedulePeriod": periods}
            return {
                "status": "Accepted",
                "connectorId": evse,
                "scheduleStart": stamp(now),
                "chargingSchedule": schedule,
            }
        schedule = {
            "evseId": evse,
            "duration": payload["duration"],
            "scheduleStart": stamp(now),
            "chargingRateUnit": "W",
            "chargingSchedulePeriod": periods,
        }
        return {"status": "Accepted", "schedule": schedule}


class Peer:
    """One connection of a station: `call` waits for the hub's answer, calls of the hub are answered by `answer`."""

    def __init__(self, socket: ClientConnection, answer: Answer) -> None:
        self.socket = socket
        self.answer = answer
        self.frames: asyncio.Queue[list[Any]] = asyncio.Queue()
        self.calls: list[list[Any]] = []
        self.numbers = 0
        self._reader = asyncio.create_task(self._read())

    @classmethod
    async def open(
        cls,
        address: str,
        name: str,
        *,
        version: str = "ocpp2.0.1",
        password: bytes = b"secret",
        path: str | None = None,
        answer: Answer | None = None,
        ssl: Any = None,
        headers: dict[str, str] | None = None,
    ) -> Self:
        scheme = "wss" if ssl else "ws"
        socket = await connect(
            f"{scheme}://{address}{path or '/ocpp/' + name}",
            subprotocols=[version],
            additional_headers=headers if headers is not None else basic(name, password),
            ssl=ssl,
            compression=None,
            open_timeout=GENEROUS_S,
            proxy=None,
        )
        return cls(socket, answer or Profiles(version))

    async def _read(self) -> None:
        with contextlib.suppress(ConnectionClosed):
            await self._frames()

    async def _frames(self) -> None:
        async for raw in self.socket:
            frame = json.loads(raw)
            if frame[0] == 2:
                self.calls.append(frame)
                reply = self.answer(frame[2], frame[3])
                if isinstance(reply, str):
                    await self.socket.send(json.dumps([4, frame[1], reply, "", {}]))
                elif reply is not None:
                    await self.socket.send(json.dumps([3, frame[1], reply]))
            else:
                self.frames.put_nowait(frame)

    async def raw(self, text: str | bytes, within: float = GENEROUS_S) -> list[Any]:
        """Send as it is and return the next answer."""
        await self.socket.send(text)
        return await asyncio.wait_for(self.frames.get(), within)

    async def silent(self, text: str | bytes) -> None:
        """Send as it is; the hub must not answer it: the next answer belongs to the heartbeat behind it."""
        await self.socket.send(text)
        assert (await self.raw('[2,"beat","Heartbeat",{}]'))[:2] == [3, "beat"]

    async def call(self, action: str, payload: dict[str, Any]) -> dict[str, Any]:
        self.numbers += 1
        frame = await self.raw(json.dumps([2, f"p{self.numbers}", action, payload]))
        assert frame[:2] == [3, f"p{self.numbers}"], frame
        return frame[2]

    async def boot(self) -> dict[str, Any]:
        if self.socket.subprotocol == "ocpp1.6":
            return await self.call("BootNotification", {"chargePointVendor": "V", "chargePointModel": "M"})
        return await self.call(
            "BootNotification", {"reason": "PowerUp", "chargingStation": {"vendorName": "V", "model": "M"}}
        )

    async def close(self) -> None:
        await self.socket.close()
        await asyncio.gather(self._reader, return_exceptions=True)

    def drop(self) -> None:
        """The cable is cut: no close frame."""
        self.socket.transport.abort()
