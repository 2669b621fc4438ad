"""OSCP to neutral and back: forecasts to constraints, heartbeats to freshness. Pure: no I/O, no clock."""

from __future__ import annotations

import math
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Literal
from zoneinfo import ZoneInfo

from pydantic import ValidationError

from core.messages.base import canonical
from core.messages.grid import ConstraintStated, Segment
from protocols.oscp.settings import Peer
from protocols.oscp.wire import Block, Forecast, ForecastType

Direction = Literal["import", "export"]
Role = Literal["limit", "fallback", "target"]
MEANING: dict[ForecastType, tuple[Direction, Role]] = {
    "CONSUMPTION": ("import", "limit"),
    "GENERATION": ("export", "limit"),
    "FALLBACK_CONSUMPTION": ("import", "fallback"),
    "FALLBACK_GENERATION": ("export", "fallback"),
    "OPTIMUM": ("import", "target"),
}
"""The sign of an OSCP capacity lives in its type."""
LONGEST = timedelta(days=366)
PHASES = 3


@dataclass(frozen=True, slots=True)
class Fault:
    """A part that cannot be used: a reason code, what is wrong and what to do next, and the part itself."""

    reason: str
    detail: str
    item: str


class Unreadable(ValueError):
    """A value that a peer sent cannot be used; the text says what and what next."""


def constraint(
    forecast: Forecast, source: str, request: str, peer: Peer
) -> tuple[ConstraintStated | None, list[Fault]]:
    """The neutral constraint of a forecast's good blocks (None: there is none), and the bad ones beside it."""
    direction, role = MEANING[forecast.type]
    segments: list[Segment] = []
    faults: list[Fault] = []
    for number, raw in enumerate(forecast.forecasted_blocks, 1):
        try:
            segments.append(segment(raw, peer))
        except Unreadable as error:
            detail = f"block {number} of {len(forecast.forecasted_blocks)} in group {forecast.group_id}: {error}"
            faults.append(Fault("capacity_block_invalid", detail, canonical(raw)[:4096]))
    if not segments:
        return None, faults
    segments.sort(key=lambda s: (s.begins, s.ends))
    body = ConstraintStated(source=source, direction=direction, role=role, segments=tuple(segments), request=request)
    return body, faults


def segment(raw: object, peer: Peer) -> Segment:
    """One block as a step in kW.

    Raises:
        Unreadable: a field is missing or wrong, the capacity is negative, or the end is not after the start.
    """
    try:
        block = Block.model_validate(raw)
    except ValidationError as error:
        raise Unreadable(explain(error)) from None
    begins, ends = moment(block.start_time, peer), moment(block.end_time, peer)
    if ends <= begins:
        raise Unreadable(
            f"end_time {block.end_time} is not after start_time {block.start_time}; next: correct the times and send again"
        )
    if ends - begins > LONGEST:
        raise Unreadable("the block is longer than 366 days; next: send shorter blocks")
    return Segment(begins=begins, ends=ends, kw=kilowatts(block, ends - begins, peer))


def kilowatts(block: Block, span: timedelta, peer: Peer) -> float:
    """The block's capacity as total power, rounded down to a watt.

    Ampere hold per phase, whatever the phase: our load is symmetric, so the total is three times it. Power on one phase
    is three times as much in total; ALL and UNKNOWN are the total (the stricter reading). Energy counts as its average.
    """
    if block.unit == "A":
        kw = block.capacity * peer.phase_voltage_v * PHASES / 1000
    else:
        kw = block.capacity / (1000 if block.unit in {"W", "WH"} else 1)
        if block.unit in {"WH", "KWH"}:
            kw = kw * 3600 / span.total_seconds()
        if block.phase in {"ONE", "TWO", "THREE"}:
            kw *= PHASES
    return math.floor(kw * 1000 + 1e-6) / 1000


def moment(text: str, peer: Peer) -> datetime:
    """An RFC 3339 moment in UTC; without offset it is read in the peer's configured zone.

    Raises:
        Unreadable: it is no moment, or has no offset and no zone is configured.
    """
    try:
        value = datetime.fromisoformat(text.strip())
        if value.tzinfo is None and peer.naive_time_zone is not None:
            value = value.replace(tzinfo=ZoneInfo(peer.naive_time_zone))
        if value.tzinfo is not None:
            return value.astimezone(UTC)
    except (ValueError, OverflowError):
        raise Unreadable(f"{text!r} is no RFC 3339 time; next: send it as 2026-11-25T23:30:00Z") from None
    raise Unreadable(f"{text!r} has no offset; next: send an offset, or have naive_time_zone set for this peer")


def freshness(offline_at: datetime, now: datetime, peer: Peer) -> tuple[datetime, Fault | None]:
    """Until when a heartbeat makes its sender count as present; too short a horizon is none at all."""
    ahead = (offline_at - now).total_seconds()
    if ahead < peer.min_horizon_s:
        detail = (
            f"offline_mode_at is {ahead:.0f} s ahead, less than {peer.min_horizon_s} s: the peer counts as offline; "
            "next: ask it for a longer horizon, then for a new handshake"
        )
        return now, Fault("horizon_short", detail, offline_at.isoformat())
    return min(offline_at, now + timedelta(seconds=peer.max_horizon_s)), None


def promise(peer: Peer, now: datetime) -> datetime:
    """Until when a handshake alone counts: three of the intervals that we ask for."""
    return now + timedelta(seconds=min(3 * peer.heartbeat_interval_s, peer.max_horizon_s))


def explain(error: ValidationError) -> str:
    """What is wrong with a message, field by field, for its sender; without its values."""
    found = [
        f"{'.'.join(str(p) for p in e['loc']) or 'body'}: {e['msg']}" for e in error.errors(include_input=False)[:5]
    ]
    return "; ".join(found) + "; next: correct this and send again"


def behaviour(peer: Peer) -> dict[str, Any]:
    """What we ask of a peer when we acknowledge its handshake."""
    return {"required_behaviour": {"heartbeat_interval": peer.heartbeat_interval_s, "measurement_configuration": []}}
