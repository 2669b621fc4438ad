"""How a simulated station reaches its central system, what it is, and where it misbehaves."""

from __future__ import annotations

import base64
import ssl
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Literal

Closed = Callable[[str], Awaitable[None]]


@dataclass(frozen=True)
class Endpoint:
    """The central system: `url` without the identity (`wss://host:port/ocpp`); passwords by identity for Basic auth."""

    url: str
    passwords: Mapping[str, str] = field(default_factory=dict)
    ssl: ssl.SSLContext | None = None
    closing: Callable[[str], None] | None = None
    """Called just before a station closes its socket on purpose."""
    closed: Closed | None = None
    """Awaited, with time held, after a station closed its socket: a hub on a held clock says when it has noticed."""

    def headers(self, identity: str) -> dict[str, str]:
        """The Authorization header of OCPP security profile 1 and 2, if there is a password."""
        password = self.passwords.get(identity)
        if password is None:
            return {}
        pair = base64.b64encode(f"{identity}:{password}".encode()).decode()
        return {"Authorization": f"Basic {pair}"}


@dataclass(frozen=True)
class Quirks:
    """Where a station deviates from what it should do; all off by default."""

    lost_from: datetime | None = None
    """From then on the socket is closed ..."""
    lost_for: timedelta = timedelta(minutes=40)
    """... for so long."""
    rejects_first_profile: bool = False
    """The first TxProfile is answered with Rejected."""
    ignores_profiles: bool = False
    """Says Accepted, reports the schedule as installed, and draws what it likes."""


@dataclass(frozen=True)
class StationSpec:
    """One station: identity, version, and the rating of each EVSE in kW."""

    id: str
    version: Literal["1.6", "2.0.1"]
    ratings_kw: tuple[float, ...]
    quirks: Quirks = Quirks()
    heartbeat_s: int = 300
    meter_s: int = 60
    phase_s: tuple[int, int] = (1, 60)
    """It connects so long after the start: drawn from this range, the end excluded."""
    reaction_s: tuple[int, int] = (1, 15)
    """How long it takes to follow a new limit: drawn from this range for each change."""
