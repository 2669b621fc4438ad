"""Charge points as strangers build them: the classes of the `ocpp` package over plain `websockets`."""

from __future__ import annotations

import asyncio
import base64
import logging
import ssl
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import quote

import websockets
from ocpp.routing import on
from ocpp.v16 import ChargePoint as Point16
from ocpp.v16 import call as call16
from ocpp.v16 import call_result as result16
from ocpp.v201 import ChargePoint as Point201
from ocpp.v201 import call as call201
from ocpp.v201 import call_result as result201
from websockets.asyncio.client import ClientConnection

from tests.waiting import GENEROUS_S

logging.getLogger("ocpp").setLevel(logging.CRITICAL)
SUBPROTOCOLS = {"1.6": "ocpp1.6", "2.0.1": "ocpp2.0.1"}


def now() -> str:
    """The present moment as stations write it."""
    return datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


class Profiles:
    """What a station was told, and how often it refuses."""

    def __init__(self, refuse: int = 0) -> None:
        self.got: list[dict[str, Any]] = []
        self.refuse = refuse

    def take(self, profile: dict[str, Any]) -> str:
        """Keep a profile; the answer's status."""
        self.got.append(profile)
        if self.refuse > 0:
            self.refuse -= 1
            return "Rejected"
        return "Accepted"

    def purposes(self) -> list[str]:
        """The purposes of all profiles so far, in order."""
        return [str(p["charging_profile_purpose"]) for p in self.got]

    def last(self, purpose: str) -> dict[str, Any] | None:
        """The newest profile for a purpose."""
        return next((p for p in reversed(self.got) if p["charging_profile_purpose"] == purpose), None)

    def limits(self, purpose: str) -> list[float]:
        """The steps of the newest profile for a purpose, kW."""
        return [watts / 1000 for _, watts in self._steps(purpose)]

    def schedule(self, begins: datetime) -> list[tuple[int, float]]:
        """What is in force from a moment on, as (second, W): the transaction's profile, and the default behind it."""
        default = self._steps("TxDefaultProfile")[-1][1] if self.last("TxDefaultProfile") else 1e6
        steps = [*self._steps("TxProfile"), *self._end("TxProfile", default)]
        found = [(0, next((watts for at, watts in reversed(steps) if at <= begins), default))]
        return found + [(int((at - begins).total_seconds()), watts) for at, watts in steps if at > begins]

    def kw(self) -> float:
        """What a transaction may draw now, kW."""
        return self.schedule(datetime.now(UTC))[0][1] / 1000

    def _steps(self, purpose: str) -> list[tuple[datetime, float]]:
        schedule = self._schedule(purpose)
        begins = datetime.fromisoformat(schedule["start_schedule"]) if schedule else datetime.now(UTC)
        periods = schedule.get("charging_schedule_period", ())
        return [(begins + timedelta(seconds=p["start_period"]), float(p["limit"])) for p in periods]

    def _end(self, purpose: str, default: float) -> list[tuple[datetime, float]]:
        schedule = self._schedule(purpose)
        if "duration" not in schedule:
            return []
        begins = datetime.fromisoformat(schedule["start_schedule"])
        return [(begins + timedelta(seconds=schedule["duration"]), default)]

    def _schedule(self, purpose: str) -> dict[str, Any]:
        schedule = (self.last(purpose) or {}).get("charging_schedule", {})
        return schedule[0] if isinstance(schedule, list) else schedule


class Charger16(Point16):
    """An OCPP 1.6 charge point with one connector."""

    version = "1.6"

    def __init__(self, id: str, socket: ClientConnection, profiles: Profiles) -> None:
        super().__init__(id, socket, response_timeout=GENEROUS_S)
        self.socket = socket
        self.profiles = profiles
        self.transaction = 0

    @on("SetChargingProfile")
    def _set(self, cs_charging_profiles: dict[str, Any], **rest: Any) -> Any:
        return result16.SetChargingProfile(status=self.profiles.take(cs_charging_profiles | rest))

    @on("ClearChargingProfile")
    def _clear(self, **rest: Any) -> Any:
        return result16.ClearChargingProfile(status="Accepted")

    @on("TriggerMessage")
    def _trigger(self, **rest: Any) -> Any:
        return result16.TriggerMessage(status="Rejected")

    @on("ChangeConfiguration")
    def _change(self, **rest: Any) -> Any:
        return result16.ChangeConfiguration(status="Accepted")

    async def boot(self) -> Any:
        """Boot; the answer."""
        return await self.call(call16.BootNotification(charge_point_model="m", charge_point_vendor="v"), suppress=False)

    async def heartbeat(self) -> Any:
        """A heartbeat; the answer."""
        return await self.call(call16.Heartbeat(), suppress=False)

    async def status(self, status: str) -> Any:
        """The connector's status: `Available`, `Preparing`, `Charging`, ..."""
        return await self.call(
            call16.StatusNotification(connector_id=1, error_code="NoError", status=status, timestamp=now()),
            suppress=False,
        )

    async def authorise(self, token: str) -> str:
        """Whether a card may charge."""
        answer = await self.call(call16.Authorize(id_tag=token), suppress=False)
        return str(answer.id_tag_info["status"])

    async def begin(self, token: str, wh: int = 1000) -> None:
        """Begin a transaction."""
        await self.status("Preparing")
        answer = await self.call(
            call16.StartTransaction(connector_id=1, id_tag=token, meter_start=wh, timestamp=now()), suppress=False
        )
        self.transaction = answer.transaction_id
        await self.status("Charging")

    async def meter(self, wh: int, soc: int) -> None:
        """Meter values with a state of charge; the vehicle takes what it may."""
        sampled = [
            {"value": str(int(self.profiles.kw() * 1000)), "measurand": "Power.Active.Import", "unit": "W"},
            {"value": str(wh), "measurand": "Energy.Active.Import.Register", "unit": "Wh"},
            {"value": str(soc), "measurand": "SoC", "unit": "Percent"},
        ]
        values = [{"timestamp": now(), "sampled_value": sampled}]
        await self.call(
            call16.MeterValues(connector_id=1, transaction_id=self.transaction, meter_value=values), suppress=False
        )

    async def finish(self, token: str, wh: int) -> None:
        """End the transaction and unplug."""
        await self.call(
            call16.StopTransaction(transaction_id=self.transaction, id_tag=token, meter_stop=wh, timestamp=now()),
            suppress=False,
        )
        await self.status("Available")


class Charger201(Point201):
    """An OCPP 2.0.1 charging station with one EVSE."""

    version = "2.0.1"

    def __init__(self, id: str, socket: ClientConnection, profiles: Profiles) -> None:
        super().__init__(id, socket, response_timeout=GENEROUS_S)
        self.socket = socket
        self.profiles = profiles
        self.transaction = ""
        self.seq = 0

    @on("SetChargingProfile")
    def _set(self, evse_id: int, charging_profile: dict[str, Any], **rest: Any) -> Any:
        return result201.SetChargingProfile(status=self.profiles.take(charging_profile | {"evse_id": evse_id}))

    @on("GetCompositeSchedule")
    def _composite(self, duration: int, evse_id: int, **rest: Any) -> Any:
        begins = datetime.now(UTC)
        periods = [
            {"start_period": at, "limit": watts} for at, watts in self.profiles.schedule(begins) if at < duration
        ]
        schedule = {
            "evse_id": evse_id,
            "duration": duration,
            "schedule_start": begins.isoformat(),
            "charging_rate_unit": "W",
            "charging_schedule_period": periods,
        }
        return result201.GetCompositeSchedule(status="Accepted", schedule=schedule)

    @on("ClearChargingProfile")
    def _clear(self, **rest: Any) -> Any:
        return result201.ClearChargingProfile(status="Accepted")

    @on("TriggerMessage")
    def _trigger(self, **rest: Any) -> Any:
        return result201.TriggerMessage(status="Rejected")

    @on("SetVariables")
    def _variables(self, set_variable_data: list[dict[str, Any]], **rest: Any) -> Any:
        results = [
            {"attribute_status": "Accepted", "component": d["component"], "variable": d["variable"]}
            for d in set_variable_data
        ]
        return result201.SetVariables(set_variable_result=results)

    async def boot(self) -> Any:
        """Boot; the answer."""
        station = {"model": "m", "vendor_name": "v"}
        return await self.call(
            call201.BootNotification(charging_station=station, reason="PowerUp"),
            suppress=False,
        )

    async def heartbeat(self) -> Any:
        """A heartbeat; the answer."""
        return await self.call(call201.Heartbeat(), suppress=False)

    async def status(self, status: str) -> Any:
        """The connector's status: `Available` or `Occupied`."""
        return await self.call(
            call201.StatusNotification(timestamp=now(), connector_status=status, evse_id=1, connector_id=1),
            suppress=False,
        )

    async def authorise(self, token: str) -> str:
        """Whether a card may charge."""
        answer = await self.call(call201.Authorize(id_token={"id_token": token, "type": "ISO14443"}), suppress=False)
        return str(answer.id_token_info["status"])

    async def begin(self, token: str, wh: int = 1000, number: str = "") -> None:
        """Begin a transaction."""
        await self.status("Occupied")
        self.transaction, self.seq = number or f"{self.id}-{now()}"[:36], 0
        await self._event("Started", "Authorized", "Charging", wh=wh, token=token)

    async def meter(self, wh: int, soc: int) -> None:
        """A transaction event with meter values and a state of charge; the vehicle takes what it may."""
        await self._event("Updated", "MeterValuePeriodic", "Charging", kw=self.profiles.kw(), wh=wh, soc=soc)

    async def finish(self, token: str, wh: int) -> None:
        """End the transaction and unplug."""
        await self._event("Ended", "EVDeparted", "Idle", wh=wh, token=token)
        await self.status("Available")

    async def _event(
        self,
        kind: str,
        trigger: str,
        state: str,
        *,
        wh: int,
        kw: float | None = None,
        soc: int | None = None,
        token: str | None = None,
    ) -> None:
        sampled: list[dict[str, Any]] = [{"value": float(wh), "measurand": "Energy.Active.Import.Register"}]
        if kw is not None:
            sampled.append({"value": kw * 1000, "measurand": "Power.Active.Import"})
        if soc is not None:
            sampled.append({"value": float(soc), "measurand": "SoC"})
        await self.call(
            call201.TransactionEvent(
                event_type=kind,
                timestamp=now(),
                trigger_reason=trigger,
                seq_no=self.seq,
                transaction_info={"transaction_id": self.transaction, "charging_state": state},
                evse={"id": 1, "connector_id": 1},
                id_token={"id_token": token, "type": "ISO14443"} if token else None,
                meter_value=[{"timestamp": now(), "sampled_value": sampled}],
            ),
            suppress=False,
        )
        self.seq += 1


Charger = Charger16 | Charger201
MAKES: dict[str, Callable[[str, ClientConnection, Profiles], Charger]] = {"1.6": Charger16, "2.0.1": Charger201}


def login(station: str, password: str) -> dict[str, str]:
    """The header that Basic authentication needs."""
    return {"Authorization": "Basic " + base64.b64encode(f"{station}:{password}".encode()).decode()}


def dialled(
    url: str, station: str, password: str, *subprotocols: str, roots: ssl.SSLContext | None = None, **options: Any
) -> websockets.connect:
    """A socket as a station opens it: awaited, or entered."""
    return websockets.connect(
        f"{url}/{quote(station, safe='')}",
        subprotocols=[websockets.Subprotocol(name) for name in subprotocols],
        additional_headers=login(station, password),
        ssl=roots,
        open_timeout=GENEROUS_S,
        proxy=None,
        **options,
    )


@asynccontextmanager
async def charging_station(
    version: str,
    url: str,
    station: str,
    password: str,
    *,
    profiles: Profiles | None = None,
    roots: ssl.SSLContext | None = None,
) -> AsyncIterator[Charger]:
    """A connected charge point that answers the hub's calls; it has not booted."""
    async with dialled(url, station, password, SUBPROTOCOLS[version], roots=roots) as socket:
        point = MAKES[version](station, socket, profiles or Profiles())
        listening = asyncio.create_task(point.start())
        try:
            yield point
        finally:
            listening.cancel()
            with suppress(asyncio.CancelledError, websockets.ConnectionClosed):
                await listening
