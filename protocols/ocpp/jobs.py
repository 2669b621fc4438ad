"""What the reconciliation of a station remembers of a place for a profile, and the steps that it may ask for."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from core.messages.command import Installed
from core.ports import Wish
from protocols.ocpp.dialect import Excess, Profile
from protocols.ocpp.schedules import Target

Key = tuple[int, str]
State = Literal["sent", "accepted", "confirmed", "refused", "unanswered", "mismatched"]


@dataclass(slots=True)
class Slot:
    """One place for a profile in the station, and what became of the last one sent to it."""

    target: Target
    profile: Profile
    wish: str
    call: str
    sent: str = ""
    state: State = "sent"
    tries: int = 1
    retry_at: datetime | None = None
    accepted_at: datetime | None = None
    good: int = 0
    bad: Excess | None = None
    hidden: bool = False
    """What was read back ended before it could show: only a question without the profile above it shows more."""
    unsupported: bool = False
    """The station cannot do this: the same is not tried again before the next connection or boot."""
    fact: str = ""
    """Id of the last step's message."""


@dataclass(frozen=True, slots=True)
class Send:
    """Install this profile."""

    key: Key
    target: Target
    profile: Profile


@dataclass(frozen=True, slots=True)
class Clear:
    """Remove this profile, which nobody wishes any more."""

    key: Key
    profile: Profile


@dataclass(frozen=True, slots=True)
class Check:
    """Read back what results for this EVSE; `slots` are the places that it settles."""

    evse: int
    keys: tuple[Key, ...]
    until: datetime


@dataclass(frozen=True, slots=True)
class Judged:
    """Measured values settled a place."""

    key: Key
    excess: Excess | None


@dataclass(frozen=True, slots=True)
class Satisfied:
    """A wish that needs no frame: what it asks for is in force and confirmed already."""

    wish: Wish
    installed: tuple[Installed, ...]


@dataclass(frozen=True, slots=True)
class Stop:
    """The ladder's last step: stop the transaction whose power nobody can limit."""

    evse: int
    transaction: str


Job = Send | Clear | Check | Judged | Satisfied | Stop
