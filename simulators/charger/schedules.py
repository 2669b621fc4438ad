"""Charging schedules as both OCPP versions write them: read into profiles, and written as periods."""

from __future__ import annotations

import math
from datetime import datetime, timedelta

from simulators.charger.facts import Payload, moment_of
from simulators.charger.profiles import VOLTS, Profile, Step


def profile_of(body: Payload, schedule: Payload, *, id: int, evse: int, transaction: str | None) -> Profile:
    """A profile from its body and its schedule; what the versions spell apart is handed in."""
    return Profile(
        id=id,
        evse=evse,
        purpose=body["chargingProfilePurpose"],
        level=body["stackLevel"],
        kind=body["chargingProfileKind"],
        unit=schedule["chargingRateUnit"],
        periods=_watts(schedule),
        recurrency=body.get("recurrencyKind", "Daily"),
        start=moment_of(schedule.get("startSchedule")),
        duration_s=schedule.get("duration"),
        valid_from=moment_of(body.get("validFrom")),
        valid_to=moment_of(body.get("validTo")),
        transaction=transaction,
    )


def _watts(schedule: Payload) -> tuple[tuple[int, float], ...]:
    """The periods of a schedule in watts: amperes are per phase at 230 V, three phases unless said otherwise."""
    amperes = schedule["chargingRateUnit"] == "A"
    return tuple(
        (p["startPeriod"], p["limit"] * (VOLTS * p.get("numberPhases", 3) if amperes else 1.0))
        for p in schedule["chargingSchedulePeriod"]
    )


def periods(begin: datetime, unit: str, steps: list[Step], rating_w: float) -> list[Payload]:
    """Steps as chargingSchedulePeriod, in the unit asked for, rounded down to one decimal."""
    factor = 1 / (3 * VOLTS) if unit == "A" else 1.0
    return [
        {"startPeriod": _seconds(moment - begin), "limit": _tenths((rating_w if limit is None else limit) * factor)}
        for moment, limit in steps
    ]


def _seconds(span: timedelta) -> int:
    return round(span.total_seconds())


def _tenths(value: float) -> float:
    return math.floor(value * 10 + 1e-6) / 10
