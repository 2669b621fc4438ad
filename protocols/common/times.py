"""Reads moments as peers write them, and says how far they can be trusted."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Literal

EARLIEST = datetime(2020, 1, 1, tzinfo=UTC)
"""Before this a peer's clock was never set."""
AHEAD = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Moment:
    """A moment in UTC; `quality` tells whether the peer stated it, we assumed its zone, or it is the time of receipt."""

    time: datetime
    quality: Literal["stated", "assumed", "receipt"]


def read_time(raw: object, received: datetime, ahead: timedelta = AHEAD) -> Moment:
    """The moment that `raw` states; the time of receipt where it is missing, unreadable, before 2020 or too far ahead."""
    stated, aware = _read(raw)
    if stated is None or aware is None or not EARLIEST <= aware <= received + ahead:
        return Moment(received, "receipt")
    return Moment(aware, "stated" if stated.tzinfo else "assumed")


def stated_time(raw: object) -> datetime | None:
    """The moment that `raw` states, in UTC, whether it can be meant or not; None where it is none."""
    return _read(raw)[1]


def _read(raw: object) -> tuple[datetime | None, datetime | None]:
    """As written, and in UTC; without a zone it is UTC."""
    try:
        stated = datetime.fromisoformat(raw.strip()) if isinstance(raw, str) else None
        aware = stated and (stated if stated.tzinfo else stated.replace(tzinfo=UTC)).astimezone(UTC)
    except (ValueError, OverflowError):
        return None, None
    return stated, aware


def write_time(moment: datetime) -> str:
    """The moment as OCPP and the HTTP protocols want it: UTC with `Z`, milliseconds only where there are any."""
    spec = "milliseconds" if moment.microsecond >= 1000 else "seconds"
    return moment.astimezone(UTC).isoformat(timespec=spec).replace("+00:00", "Z")
