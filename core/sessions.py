"""Plug-ins, transactions and meter evidence become one session, whatever the protocol version."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from immutables import Map

from core.messages.station import ChargingState


@dataclass(frozen=True, slots=True)
class MeterPoint:
    """The import register at a moment; `message` is the evidence."""

    time: datetime
    energy_wh: float
    message: str


@dataclass(frozen=True, slots=True)
class Session:
    """One transaction at one EVSE. Meter points are kept where the register or the tariff needs them, in time order."""

    id: str
    station: str
    evse: int | None
    transaction: str
    started: datetime
    started_by: str
    """Id of the message that opened it."""
    begin_wh: float | None = None
    token: str | None = None
    vehicle: str | None = None
    """As identified when last known; set by `vehicle.identified`."""
    ended: datetime | None = None
    ended_by: str | None = None
    end_wh: float | None = None
    points: tuple[MeterPoint, ...] = ()
    adopted: bool = False
    """Opened by meter values because its start never came."""


@dataclass(frozen=True, slots=True)
class Plug:
    """What is known about one EVSE now: plugged or not, the running transaction, the freshest readings at the plug."""

    station: str
    evse: int
    plugged: bool = False
    since: datetime | None = None
    """When this plug-in began."""
    began: str = ""
    """Id of the message that began it: the plug-in's identity."""
    transaction: str | None = None
    session: str | None = None
    token: str | None = None
    charging_state: ChargingState | None = None
    status: str = "unknown"
    error: str = ""
    status_by: str = ""
    power_kw: float | None = None
    power_at: datetime | None = None
    power_by: str = ""
    soc: float | None = None
    soc_at: datetime | None = None
    soc_by: str = ""
    """Id of the message with that SoC."""
    last_vehicle: str | None = None


@dataclass(frozen=True, slots=True)
class Sessions:
    """All plugs by (station, EVSE) and all sessions by id."""

    plugs: Map[tuple[str, int], Plug] = Map()
    sessions: Map[str, Session] = Map()
