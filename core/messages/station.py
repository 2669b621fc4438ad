"""Facts about charging stations and their connections."""

from __future__ import annotations

from typing import ClassVar, Literal

from core.messages.base import Body, Message, Problem
from core.messages.site import Connector, Kw

_CONTROL = Problem("smart charging", "charger control")

ChargingState = Literal["idle", "ev_connected", "charging", "suspended_ev", "suspended_evse", "finishing"]


class StationConnected(Body):
    """A station's socket is open and authenticated; `connection` counts up within (gateway, epoch)."""

    TYPE: ClassVar[str] = "station.connected"
    PROBLEM: ClassVar[Problem] = _CONTROL
    LOCAL: ClassVar[frozenset[str]] = frozenset({"address", "gateway", "epoch", "connection"})

    version: str
    """The protocol version spoken, e.g. `ocpp2.0.1`."""
    gateway: str
    epoch: int
    connection: int
    address: str = ""

    def key(self, message: Message) -> tuple[str, ...]:
        """One per connection."""
        return (message.at.station or "", self.gateway, str(self.epoch), str(self.connection))


class StationDisconnected(Body):
    """A station's socket is gone. A later connection of the same station is not touched by it."""

    TYPE: ClassVar[str] = "station.disconnected"
    PROBLEM: ClassVar[Problem] = _CONTROL
    LOCAL: ClassVar[frozenset[str]] = frozenset({"gateway", "epoch", "connection"})

    gateway: str
    epoch: int
    connection: int
    reason: str = ""

    def key(self, message: Message) -> tuple[str, ...]:
        """One per connection."""
        return (message.at.station or "", self.gateway, str(self.epoch), str(self.connection))


class StationBooted(Body):
    """A station started and introduced itself: every charging profile of a transaction in it is lost."""

    TYPE: ClassVar[str] = "station.booted"
    PROBLEM: ClassVar[Problem] = _CONTROL

    vendor: str = ""
    model: str = ""
    serial: str = ""
    firmware: str = ""
    reason: str = ""


class StationSeen(Body):
    """A sign of life (heartbeat), at most once a minute; the header's `fresh_until` says until when it counts."""

    TYPE: ClassVar[str] = "station.seen"
    PROBLEM: ClassVar[Problem] = _CONTROL


class StationClockMeasured(Body):
    """How far a station's clock is off, measured from what it dates; told once per connection, and where it changed."""

    TYPE: ClassVar[str] = "station.clock_measured"
    PROBLEM: ClassVar[Problem] = _CONTROL

    skew_s: float
    """By how much it is ahead; below zero it is behind."""

    def key(self, message: Message) -> tuple[str, ...]:
        """One per (station, moment)."""
        return (message.at.station or "", message.time.isoformat())


class StationKnocked(Body):
    """A station that nobody declared (or with a wrong password, or too often) asked to connect and was refused; site `_hub`."""

    TYPE: ClassVar[str] = "station.knocked"
    PROBLEM: ClassVar[Problem] = _CONTROL
    LOCAL: ClassVar[frozenset[str]] = frozenset({"address"})

    reason: str
    """`station_unknown`, `credential_wrong`, `version_refused` or `connects_too_often`."""
    versions: tuple[str, ...] = ()
    address: str = ""
    times: int = 1


class StationAdmitted(Body):
    """A person admitted a station that had knocked: its place in the tree and its connectors; safe level 0."""

    TYPE: ClassVar[str] = "station.admitted"
    PROBLEM: ClassVar[Problem] = _CONTROL

    station: str
    node: str | None
    connectors: tuple[Connector, ...]
    safe_kw: Kw = 0.0
    who: str = ""


class ConnectorStatusChanged(Body):
    """What a connector says about itself, in neutral words; `detail` keeps the station's own."""

    TYPE: ClassVar[str] = "connector.status_changed"
    PROBLEM: ClassVar[Problem] = Problem("incidents & notifications", "detection")

    status: Literal["available", "occupied", "reserved", "unavailable", "faulted", "unknown"]
    charging_state: ChargingState | None = None
    error: str = ""
    detail: str = ""
    words: str = ""
    """The maker's own code and text of a fault, cleaned and cut."""

    def key(self, message: Message) -> tuple[str, ...]:
        """One per connector and moment."""
        at = message.at
        return (at.station or "", str(at.evse), str(at.connector), message.time.isoformat(), self.status, self.detail)


class StationProblemReported(Body):
    """What a part of a station says in its maker's words is wrong with it, or is not any more."""

    TYPE: ClassVar[str] = "station.problem_reported"
    PROBLEM: ClassVar[Problem] = Problem("incidents & notifications", "detection")

    part: str
    """The station's own name of the part that says so."""
    words: str = ""
    """The maker's own code and text, cleaned and cut."""
    cleared: bool = False

    def key(self, message: Message) -> tuple[str, ...]:
        """One per place, part and moment."""
        at = message.at
        return (at.station or "", str(at.evse), self.part, message.time.isoformat(), str(self.cleared), self.words)


class StationLimited(Body):
    """A person capped a station by hand until a moment: what, who and why."""

    TYPE: ClassVar[str] = "station.limited"
    PROBLEM: ClassVar[Problem] = Problem("smart charging", "load management")

    kw: Kw
    who: str
    why: str = ""
