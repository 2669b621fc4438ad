"""Facts about charging transactions: the same whatever protocol version told them."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import ClassVar

from core.messages.base import Body, Message, Problem
from core.messages.site import Fraction, Kw
from core.messages.station import ChargingState

_CHARGING = Problem("smart charging", "charger control")


def session_id(station: str, transaction: str) -> str:
    """A session's id is its natural key: no look-up is needed to name it."""
    return f"{station}/{transaction}"


@dataclass(frozen=True, slots=True)
class KnownTransaction:
    """A transaction of a station: when it began and was over, as far as that is known."""

    transaction: str
    began: datetime | None = None
    ended: datetime | None = None


KNOWN_TRANSACTIONS = 64
"""So many of a station are remembered, the last ones."""


def remembered(known: tuple[KnownTransaction, ...], message: Message) -> tuple[KnownTransaction, ...]:
    """A station's last transactions after one more fact, in the order in which they were heard of; a repeat changes nothing."""
    body = message.body
    if not isinstance(body, SessionStarted | SessionEnded):
        return known
    old = next((one for one in known if one.transaction == body.transaction), KnownTransaction(body.transaction))
    began, ended = old.began, old.ended
    if isinstance(body, SessionStarted):
        began = began or message.time
    else:
        ended = ended or message.time
    new = KnownTransaction(body.transaction, began, ended)
    if old in known:
        return tuple(new if one is old else one for one in known)
    return (*known, new)[-KNOWN_TRANSACTIONS:]


class SessionStarted(Body):
    """A transaction began. `meter_wh` is the register at the start; None is "not stated", never 0."""

    TYPE: ClassVar[str] = "session.started"
    PROBLEM: ClassVar[Problem] = _CHARGING

    transaction: str
    token: str | None = None
    meter_wh: float | None = None
    charging_state: ChargingState | None = None
    seq_no: int | None = None
    offline: bool = False

    def key(self, message: Message) -> tuple[str, ...]:
        """A session opens once per (station, transaction)."""
        return (message.at.station or "", self.transaction)


class SessionUpdated(Body):
    """A transaction changed its state without meter evidence (plugged, suspended, token shown)."""

    TYPE: ClassVar[str] = "session.updated"
    PROBLEM: ClassVar[Problem] = _CHARGING

    transaction: str
    charging_state: ChargingState | None = None
    token: str | None = None
    seq_no: int | None = None

    def key(self, message: Message) -> tuple[str, ...]:
        """One per (station, transaction, sequence number or moment)."""
        order = message.time.isoformat() if self.seq_no is None else str(self.seq_no)
        return (message.at.station or "", self.transaction, order)


class SessionMetered(Body):
    """Meter evidence of one moment. Fields that the frame does not state are None; power is at the plug."""

    TYPE: ClassVar[str] = "session.metered"
    PROBLEM: ClassVar[Problem] = _CHARGING

    transaction: str | None = None
    """None where the frame names no transaction: the session at that connector is meant, if one is open."""
    energy_wh: float | None = None
    """The import register, not a difference."""
    power_kw: Kw | None = None
    soc: Fraction | None = None
    offered_kw: Kw | None = None
    current_a: float | None = None
    voltage_v: float | None = None
    context: str = "periodic"
    """`begin`, `periodic`, `end`, `trigger`, `interruption` or `other`."""
    seq_no: int | None = None

    def key(self, message: Message) -> tuple[str, ...]:
        """One per (station, EVSE, sample time, context)."""
        at = message.at
        return (at.station or "", str(at.evse), self.transaction or "", message.time.isoformat(), self.context)


class SessionEnded(Body):
    """A transaction ended; samples of it may still arrive later and are kept at their own time."""

    TYPE: ClassVar[str] = "session.ended"
    PROBLEM: ClassVar[Problem] = _CHARGING

    transaction: str
    meter_wh: float | None = None
    reason: str = ""
    seq_no: int | None = None

    def key(self, message: Message) -> tuple[str, ...]:
        """A session ends once per (station, transaction)."""
        return (message.at.station or "", self.transaction)


class AuthorisationDecided(Body):
    """A token was shown and answered: accepted or not, with the reason that `core/access.py` gave."""

    TYPE: ClassVar[str] = "authorisation.decided"
    PROBLEM: ClassVar[Problem] = Problem("access", "tokens")

    token: str
    accepted: bool
    reason: str
