"""What the two OCPP dialects say about: a transaction, a sample, a connector's state."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from enum import Enum
from typing import Any

Payload = dict[str, Any]
Call = tuple[str, Payload]


class State(Enum):
    """A connector's state, named as in OCPP 1.6 (4.9)."""

    AVAILABLE = "Available"
    PREPARING = "Preparing"
    CHARGING = "Charging"
    SUSPENDED_EVSE = "SuspendedEVSE"
    SUSPENDED_EV = "SuspendedEV"
    FINISHING = "Finishing"


@dataclass(frozen=True)
class Sample:
    """One reading of a connector's meter."""

    moment: datetime
    register_wh: float
    power_w: float
    offered_w: float
    soc: float | None


@dataclass
class Transaction:
    """A running transaction; in 1.6 the central system gives the id, so it may still be missing."""

    evse: int
    token: str
    began: datetime
    id: str | None = None
    seq: int = 0
    remote_start: int | None = None


@dataclass(frozen=True)
class Identity:
    """What a station says about itself at boot."""

    vendor: str = "Simulated"
    model: str = "Depot DC"
    serial: str = "SIM-0001"
    firmware: str = "1.0.0"


class Refused(Exception):
    """A call that is answered with CALLERROR: its code and a description."""

    def __init__(self, code: str, text: str = "") -> None:
        super().__init__(code, text)
        self.code = code
        self.text = text


def stamp(moment: datetime) -> str:
    """RFC 3339 in UTC with `Z` and milliseconds."""
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def moment_of(text: str | None) -> datetime | None:
    """The moment that an RFC 3339 text names; without a zone it is UTC."""
    if not text:
        return None
    parsed = datetime.fromisoformat(text)
    return parsed if parsed.tzinfo else parsed.replace(tzinfo=UTC)
