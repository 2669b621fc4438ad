"""What a protocol version offers the rest of the adapter: hearing requests and phrasing calls, as plain data."""

from __future__ import annotations

from collections.abc import Callable, Container, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal, Protocol

from core.messages.base import Body, Physical
from core.messages.command import Installed
from core.messages.session import KnownTransaction
from core.ports import KnownStation, TokenAnswer
from protocols.common.times import write_time
from protocols.ocpp.rpc import Fault
from protocols.ocpp.settings import Quirks
from protocols.ocpp.validation import Flaw, Schemas

Purpose = Literal["max", "default", "transaction"]
Verdict = Literal["accepted", "rejected", "not_supported"]


@dataclass(frozen=True, slots=True)
class Said:
    """One neutral fact that a frame states, before it has ids; `key` is its natural identity within the station."""

    body: Body
    time: datetime
    at: Physical
    key: tuple[object, ...]
    fresh_until: datetime | None = None


@dataclass(frozen=True, slots=True)
class Doubt:
    """A part of a frame that is set aside."""

    reason: str
    detail: str
    item: object = ""


@dataclass(frozen=True, slots=True)
class Heard:
    """What a request comes to: the answer or the error, the facts, and what was set aside."""

    answer: dict[str, Any] = field(default_factory=dict)
    facts: tuple[Said, ...] = ()
    doubts: tuple[Doubt, ...] = ()
    error: tuple[Fault, str] | None = None
    mismatch: str = ""
    """The subprotocol that the station really speaks, if not the negotiated one: the connection must close."""


@dataclass(frozen=True, slots=True)
class OpenTransaction:
    """A running transaction as far as this process has seen it."""

    transaction: str
    evse: int
    token: str | None = None


@dataclass(frozen=True, slots=True)
class Hearing:
    """The circumstances in which a request is heard."""

    station: KnownStation
    now: datetime
    authorise: Callable[[str], TokenAnswer]
    open: Mapping[str, OpenTransaction]
    """Running transactions by id."""
    states: Mapping[int, str]
    """Last known charging state by EVSE."""
    heartbeat_s: int
    meter_interval_s: int
    call: tuple[object, ...]
    """Identity of this request for facts without one of their own: (gateway, epoch, connection, message id)."""
    quirks: Quirks = field(default_factory=Quirks)
    known: tuple[KnownTransaction, ...] = ()
    """The station's last transactions, in the order in which they were heard of."""


@dataclass(frozen=True, slots=True)
class Profile:
    """A charging profile ready to be phrased: periods in W relative to `start`, `installed` as the journal tells it."""

    id: int
    evse: int
    purpose: Purpose
    stack: int
    start: datetime
    periods: tuple[tuple[int, float], ...]
    duration_s: int | None
    transaction: str | None
    installed: Installed


@dataclass(frozen=True, slots=True)
class Composite:
    """A composite schedule as read back: (moment, kW) steps, and until when it says anything; None: it does not say."""

    steps: tuple[tuple[datetime, float], ...]
    until: datetime | None = None


@dataclass(frozen=True, slots=True)
class Excess:
    """Why what was read back or measured is more than what was wished, with the numbers where there are any."""

    why: str
    shown_kw: float | None = None
    allowed_kw: float | None = None


Phrase = tuple[str, dict[str, Any]]
"""An action and its payload."""


class Dialect(Protocol):
    """One protocol version. Everything here is pure: no clock, no socket, no memory."""

    subprotocol: str
    evidence: frozenset[str]
    """Actions whose good parts are used and answered even where the schema is violated."""
    secrets: tuple[str, ...]
    """Where in a payload secrets may stand, as paths of `protocols.common.seal`."""
    answers_unreadable: bool
    """Whether a frame without a readable id, or of an unknown type, is answered at all."""

    def knows(self, action: str) -> bool:
        """Whether the version has this action and we serve it."""

    def flaw(self, action: str, payload: dict[str, Any]) -> Flaw | None:
        """What the request's schema says."""

    def answer_flaw(self, action: str, payload: dict[str, Any]) -> Flaw | None:
        """What the answer's schema says."""

    def code(self, fault: Fault) -> str:
        """The error code in this version's spelling."""

    def hear(self, action: str, payload: dict[str, Any], hearing: Hearing) -> Heard:
        """What a request comes to; total: bad members become doubts."""

    def verdict(self, action: str, payload: dict[str, Any]) -> tuple[Verdict, str]:
        """Whether an answer means yes, and the station's own word."""

    def set_profile(self, station: KnownStation, profile: Profile) -> Phrase:
        """Install or replace a charging profile."""

    def clear_profile(self, profile: Profile) -> Phrase:
        """Remove a charging profile by its id."""

    def get_composite(self, station: KnownStation, evse: int, duration_s: int) -> Phrase:
        """Ask what limit results for an EVSE, in W."""

    def read_composite(self, payload: dict[str, Any], now: datetime) -> Composite | None:
        """The schedule in the answer; None where it holds none that can be compared."""

    def start(self, station: KnownStation, evse: int, token: str, number: int) -> Phrase:
        """Start a transaction from afar."""

    def stop(self, transaction: str) -> Phrase:
        """Stop a transaction from afar."""

    def trigger_boot(self) -> Phrase:
        """Ask the station to introduce itself."""

    def trigger_status(self, station: KnownStation, evse: int, connector: int) -> Phrase:
        """Ask for a connector's status."""

    def set_meter_interval(self, seconds: int) -> Phrase:
        """Have meter values sent at this interval."""


Handler = Callable[[dict[str, Any], Hearing], Heard]


class Version:
    """What every version does alike, each over its own schemas and handlers."""

    def __init__(self, schemas: Schemas, served: Container[str], handlers: Mapping[str, Handler]) -> None:
        self._schemas, self._served, self._handlers = schemas, served, handlers

    def knows(self, action: str) -> bool:
        """Whether a station may send this action."""
        return action in self._served

    def flaw(self, action: str, payload: dict[str, Any]) -> Flaw | None:
        """What the request's schema says."""
        return self._schemas.request(action, payload)

    def answer_flaw(self, action: str, payload: dict[str, Any]) -> Flaw | None:
        """What the answer's schema says."""
        return self._schemas.response(action, payload)

    def hear(self, action: str, payload: dict[str, Any], hearing: Hearing) -> Heard:
        """What a request comes to; one without a handler leaves its evidence and an empty answer."""
        handler = self._handlers.get(action)
        return handler(payload, hearing) if handler else Heard()

    def trigger_boot(self) -> Phrase:
        """TriggerMessage for a boot (2.0.1: F06)."""
        return "TriggerMessage", {"requestedMessage": "BootNotification"}


def verdict_of(action: str, status: str, for_good: Container[str]) -> tuple[Verdict, str]:
    """`Accepted` is yes, these are no `for_good`; `Unknown` on a clear means that there is nothing left to clear."""
    if status in ("Accepted", "RebootRequired") or (action == "ClearChargingProfile" and status == "Unknown"):
        return "accepted", status
    return ("not_supported" if status in for_good else "rejected"), status


def schedule_of(profile: Profile) -> dict[str, Any]:
    """The members of a ChargingSchedule that both versions spell alike: periods in W from an absolute start."""
    schedule: dict[str, Any] = {
        "startSchedule": write_time(profile.start),
        "chargingRateUnit": "W",
        "chargingSchedulePeriod": [{"startPeriod": at, "limit": watts} for at, watts in profile.periods],
    }
    if profile.duration_s is not None:
        schedule["duration"] = profile.duration_s
    return schedule
