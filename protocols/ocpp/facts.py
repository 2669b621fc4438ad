"""Pieces of translation that both versions share: members read leniently, facts around sampled values."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import datetime, timedelta
from typing import Any, Literal

from core.messages.base import Physical, digest
from core.messages.session import AuthorisationDecided, SessionMetered, session_id
from core.messages.station import StationBooted
from core.ports import KnownStation
from protocols.common.times import Moment, read_time, write_time
from protocols.ocpp.dialect import Doubt, Handler, Heard, Hearing, Said
from protocols.ocpp.readings import Reading, Sampled, merge

MAX_TEXT = 255
MAX_WORDS = 120
"""So much of what a maker says about a fault fits into a sentence."""
FAST = timedelta(minutes=5)
"""Nothing happens after it was told: a station's clock that is further ahead is wrong, as with telemetry.

Else its readings would stand before all later ones from the moment when its clock is set.
"""


def text(data: dict[str, Any], name: str) -> str | None:
    """The member as text, cut at 255 characters; None where it is no text."""
    value = data.get(name)
    return value[:MAX_TEXT] if isinstance(value, str) else None


def integer(data: dict[str, Any], name: str) -> int | None:
    """The member as a whole number (also `1.0`); None where it is none."""
    value = data.get(name)
    if isinstance(value, float) and value.is_integer() and abs(value) < 2**53:
        return int(value)
    return value if isinstance(value, int) and not isinstance(value, bool) and abs(value) < 2**53 else None


def part(data: dict[str, Any], name: str) -> dict[str, Any]:
    """The member as an object; empty where it is none."""
    value = data.get(name)
    return value if isinstance(value, dict) else {}


def parts(data: dict[str, Any], name: str) -> list[Any]:
    """The member as a list; empty where it is none."""
    value = data.get(name)
    return value if isinstance(value, list) else []


def moment(data: dict[str, Any], hearing: Hearing, doubts: list[Doubt], name: str = "timestamp") -> Moment:
    """When it happened by the frame's own word, else the time of receipt with a doubt."""
    read = read_time(data.get(name), hearing.now, FAST)
    if read.quality == "receipt" and data.get(name) not in (None, ""):
        doubts.append(Doubt("time_implausible", "the time cannot be meant; the time of receipt stands", data.get(name)))
    return read


def told_by_maker(*stated: str | None) -> str:
    """A maker's code and text as one line that can be shown anywhere: printable, single blanks, cut."""
    line = " ".join(" ".join(part for part in stated if part).split())
    return "".join(letter for letter in line if letter.isprintable())[:MAX_WORDS].rstrip()


def place(
    station: KnownStation, evse: int | None, connector: int | None = None, transaction: str | None = None
) -> Physical:
    """The coordinates that a frame states."""
    session = session_id(station.id, transaction) if transaction else None
    return Physical(station=station.id, evse=evse or None, connector=connector or None, session=session)


def booted(hearing: Hearing, body: StationBooted) -> Heard:
    """A boot is accepted, and fresh as long as its station may be silent."""
    answer = {"currentTime": write_time(hearing.now), "interval": hearing.heartbeat_s, "status": "Accepted"}
    return Heard(answer, (Said(body, hearing.now, place(hearing.station, None), hearing.call, station_fresh(hearing)),))


def heartbeat(payload: dict[str, Any], hearing: Hearing) -> Heard:
    """A heartbeat is answered with our time."""
    return Heard({"currentTime": write_time(hearing.now)})


def always(status: str) -> Handler:
    """The handler of a request that gets this answer whatever it says."""
    return lambda payload, hearing: Heard({"status": status})


def decided(hearing: Hearing, token: str) -> tuple[bool, Said]:
    """Look the token up and state what the answer is."""
    answer = hearing.authorise(token)
    body = AuthorisationDecided(token=token, accepted=answer.accepted, reason=answer.reason)
    return answer.accepted, Said(body, hearing.now, place(hearing.station, None), hearing.call)


def station_fresh(hearing: Hearing) -> datetime:
    """Until when a station counts as alive: two heartbeats and half a minute."""
    return hearing.now + timedelta(seconds=2 * hearing.heartbeat_s + 30)


def samples_of(
    entries: list[Any], hearing: Hearing, doubts: list[Doubt], sampled: Callable[[dict[str, Any]], Sampled]
) -> tuple[tuple[Moment, Reading], ...]:
    """The readings of a list of meter values, each at its own moment; what cannot be read becomes a doubt."""
    found = []
    for entry in entries:
        items = (
            [item for item in parts(entry, "sampledValue") if isinstance(item, dict)] if isinstance(entry, dict) else []
        )
        if not items:
            doubts.append(Doubt("meter_value_unreadable", "a meter value holds no sample", entry))
            continue
        when = moment(entry, hearing, doubts)
        reading, bad = merge(map(sampled, items), decimal_comma=hearing.quirks.decimal_comma)
        doubts.extend(bad)
        found.append((when, reading))
    return tuple(found)


def metered(
    hearing: Hearing,
    at: Physical,
    transaction: str | None,
    samples: Iterable[tuple[Moment, Reading]],
    seq_no: int | None = None,
) -> tuple[Said, ...]:
    """One fact per moment; bare registers at a transaction's edges belong to its start and end instead."""
    facts = []
    for when, reading in samples:
        if reading.empty or (reading.context in ("begin", "end") and reading.register_only):
            continue
        values = {name: getattr(reading, name) for name in Reading.__slots__}
        body = SessionMetered(transaction=transaction, seq_no=seq_no, **values)
        stated = digest(sorted(name for name, value in values.items() if value is not None))
        key = ("metered", at.evse, transaction, when.time, reading.context, stated)
        fresh = when.time + timedelta(seconds=2 * hearing.meter_interval_s + 30)
        facts.append(Said(body, when.time, at, key, fresh))
    return tuple(facts)


def edge_register(samples: Iterable[tuple[Moment, Reading]], edge: Literal["begin", "end"]) -> float | None:
    """The register at a transaction's first or last event: the one in that context, else the first or last it states.

    Many stations leave the context out, which then means `Sample.Periodic`.
    """
    other = "end" if edge == "begin" else "begin"
    stated = [(r.context, r.energy_wh) for _, r in samples if r.energy_wh is not None and r.context != other]
    if edge == "end":
        stated.reverse()
    meant = [wh for context, wh in stated if context == edge]
    return next(iter(meant or (wh for _, wh in stated)), None)
