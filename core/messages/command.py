"""Wishes sent to chargers and what became of them."""

from __future__ import annotations

from typing import ClassVar, Literal

from core.messages.allocation import Step
from core.messages.base import Body, Message, Plain, Problem, Utc
from core.messages.site import Kw

_CONTROL = Problem("smart charging", "charger control")


class EvseWish(Plain):
    """What one EVSE may draw: a step function in kW; the last step is the safe level and lasts."""

    evse: int
    steps: tuple[Step, ...]
    transaction: str | None = None
    """The transaction that it is for; None where none runs."""


class CommandWished(Body):
    """The whole desired state of one station, newest wins. After `valid_until` the safe level holds."""

    TYPE: ClassVar[str] = "command.wished"
    PROBLEM: ClassVar[Problem] = _CONTROL

    evses: tuple[EvseWish, ...]
    valid_until: Utc
    safe_kw: Kw
    """Per station, always installed as its default."""
    reason: str = ""
    """Why this wish: a trigger, `renewal`, `freed_room`, `reduction`, `safe_level`."""


class Installed(Plain):
    """What a step of the reconciliation may have put into the station: one connector, one step function, as encoded."""

    evse: int
    """0: the whole station."""
    purpose: Literal["max", "default", "transaction"]
    steps: tuple[Step, ...]
    until: Utc | None
    """End of the schedule, after which the next lower one shows through; None: it lasts."""
    transaction: str | None = None


class _Step(Body):
    """One step of the reconciliation of a wish; coordinates name the station."""

    PROBLEM: ClassVar[Problem] = _CONTROL

    wish: str
    """Id of the `command.wished` that this step serves."""
    call: str = ""
    """The protocol's own id of the request."""
    purpose: Literal["max", "default", "transaction", "clear", "start", "stop"] = "transaction"
    installed: tuple[Installed, ...] = ()
    reason: str = ""

    def key(self, message: Message) -> tuple[str, ...]:
        """One per (station, wish, request)."""
        return (message.at.station or "", self.wish, self.call, self.purpose)


class CommandSent(_Step):
    """Written to the journal before the frame goes out: from here on it may be in the station."""

    TYPE: ClassVar[str] = "command.sent"


class CommandAccepted(_Step):
    """The station said yes; that is not yet a confirmation."""

    TYPE: ClassVar[str] = "command.accepted"


class CommandRejected(_Step):
    """The station said no: what was sent is known not to be in force."""

    TYPE: ClassVar[str] = "command.rejected"


class CommandUnanswered(_Step):
    """No answer in time, or the socket was lost: what was sent may be in force."""

    TYPE: ClassVar[str] = "command.unanswered"


class CommandConfirmed(_Step):
    """Read back or measured: exactly `installed` is in force, for every connector named in it."""

    TYPE: ClassVar[str] = "command.confirmed"


class CommandMismatched(_Step):
    """Read back or measured above what was wished."""

    TYPE: ClassVar[str] = "command.mismatched"

    shown_kw: Kw | None = None
    """What was read back or measured; None where it states nothing."""
    allowed_kw: Kw | None = None
    """What was the most at that moment."""


class CommandRequested(Body):
    """The core asks a station for an act: start or stop a transaction. Its steps follow as those of a wish, citing its id."""

    TYPE: ClassVar[str] = "command.requested"
    PROBLEM: ClassVar[Problem] = _CONTROL

    act: Literal["start", "stop"]
    token: str | None = None
    transaction: str | None = None
    plug_in: str = ""
    """The plug-in that a start is for: the id of the message that began it."""
    number: int = 1
    """Which request of this plug-in it is."""
    expires: Utc | None = None
    """From then on nobody takes it up any more; None: it lasts."""
    who: str = "hub"

    def key(self, message: Message) -> tuple[str, ...]:
        """One per (EVSE, act, plug-in or transaction, number)."""
        at = message.at
        return (at.station or "", str(at.evse), self.act, self.plug_in or self.transaction or "", str(self.number))
