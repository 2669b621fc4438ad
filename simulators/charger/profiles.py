"""Charging profiles as a station keeps them, and the composite schedule that follows (OCPP 2.0.1 part 2 K01, 3.5, 3.6)."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

VOLTS = 230.0
MAX = ("ChargingStationMaxProfile", "ChargePointMaxProfile")
EXTERNAL = "ChargingStationExternalConstraints"
DEFAULT = "TxDefaultProfile"
TX = "TxProfile"
AHEAD = timedelta(hours=1)
"""So far ahead a schedule is read at once."""
_RECURRENCE = {"Daily": timedelta(days=1), "Weekly": timedelta(days=7)}

Step = tuple[datetime, float | None]


@dataclass(frozen=True)
class Profile:
    """One installed profile, whatever version it came in; limits in watts; evse 0 is the whole station."""

    id: int
    evse: int
    purpose: str
    level: int
    kind: str
    unit: str
    periods: tuple[tuple[int, float], ...]
    """((start in s, limit in W), ...), the first at 0."""
    recurrency: str = "Daily"
    start: datetime | None = None
    duration_s: int | None = None
    valid_from: datetime | None = None
    valid_to: datetime | None = None
    transaction: str | None = None

    def limit_at(self, moment: datetime, began: datetime) -> float | None:
        """Watts at `moment`, or None where it makes no statement; `began` is the transaction's start."""
        if (self.valid_from and moment < self.valid_from) or (self.valid_to and moment >= self.valid_to):
            return None
        origin = self._origin(moment, began)
        elapsed = (moment - origin).total_seconds()
        if elapsed < 0 or (self.duration_s is not None and elapsed >= self.duration_s):
            return None
        return [watts for start, watts in self.periods if start <= elapsed][-1]

    def edges(self, begin: datetime, end: datetime, began: datetime) -> Iterable[datetime]:
        """Moments between `begin` and `end` at which its limit may change."""
        yield from (edge for edge in (self.valid_from, self.valid_to) if edge)
        origin = self._origin(begin, began)
        step = _RECURRENCE[self.recurrency] if self.kind == "Recurring" else None
        while origin < end:
            yield origin
            yield from (origin + timedelta(seconds=start) for start, _ in self.periods)
            if self.duration_s is not None:
                yield origin + timedelta(seconds=self.duration_s)
            if step is None:
                return
            origin += step

    def _origin(self, moment: datetime, began: datetime) -> datetime:
        if self.kind == "Relative" or self.start is None:
            return began
        if self.kind != "Recurring":
            return self.start
        step = _RECURRENCE[self.recurrency]
        return self.start + max(0, (moment - self.start) // step) * step


@dataclass(frozen=True)
class Running:
    """A transaction on an EVSE: its id and when it started."""

    evse: int
    transaction: str
    began: datetime


@dataclass(frozen=True)
class Installed:
    """All profiles of a station; a new value replaces it as a whole, so that past moments stay computable."""

    profiles: tuple[Profile, ...] = ()

    def put(self, profile: Profile) -> Installed:
        """With `profile`, which replaces the one with its id and the one at its purpose, level and EVSE."""
        place = (profile.purpose, profile.level, profile.evse)
        kept = (p for p in self.profiles if p.id != profile.id and (p.purpose, p.level, p.evse) != place)
        return Installed((*kept, profile))

    def without(self, gone: Iterable[Profile]) -> Installed:
        """Without the profiles given."""
        dropped = set(gone)
        return Installed(tuple(p for p in self.profiles if p not in dropped))

    def clash(self, profile: Profile) -> bool:
        """Whether another id stands at the same purpose, level and EVSE (K01.FR.39)."""
        place = (profile.purpose, profile.level, profile.evse)
        return any(p.id != profile.id and (p.purpose, p.level, p.evse) == place for p in self.profiles)

    def limit_at(self, evse: int, moment: datetime, running: Running | None) -> float | None:
        """Watts for one EVSE at `moment`: transaction or default, and never above the station's own limits."""
        began = running.began if running else moment
        base = self._of(TX, evse, moment, began, running) if running else None
        if base is None:
            base = self._of(DEFAULT, evse, moment, began, running)
        caps = [self._of(purpose, evse, moment, began, running) for purpose in (*MAX, EXTERNAL)]
        stated = [watts for watts in (base, *caps) if watts is not None]
        return min(stated) if stated else None

    def station_at(self, evses: dict[int, Running | None], moment: datetime) -> float | None:
        """Watts for the whole station: the sum of its EVSEs, never above its own limits."""
        each = [self._base(evse, moment, running) for evse, running in evses.items()]
        stated = [watts for watts in each if watts is not None]
        caps = [self._of(purpose, 0, moment, moment, None) for purpose in (*MAX, EXTERNAL)]
        sums = [sum(stated)] if stated else []
        known = [*sums, *(watts for watts in caps if watts is not None)]
        return min(known) if known else None

    def steps(self, evse: int, begin: datetime, end: datetime, evses: dict[int, Running | None]) -> list[Step]:
        """The composite schedule of an EVSE (0: the station) as steps, equal neighbours merged."""
        running = evses.get(evse)
        edges = {begin}
        for profile in self.profiles:
            owner = evses.get(profile.evse) or running
            edges.update(profile.edges(begin, end, owner.began if owner else begin))
        steps: list[Step] = []
        for edge in sorted(moment for moment in edges if begin <= moment < end or moment == begin):
            watts = self.limit_at(evse, edge, running) if evse else self.station_at(evses, edge)
            if not steps or steps[-1][1] != watts:
                steps.append((edge, watts))
        return steps

    def _base(self, evse: int, moment: datetime, running: Running | None) -> float | None:
        began = running.began if running else moment
        own = self._of(TX, evse, moment, began, running) if running else None
        return own if own is not None else self._of(DEFAULT, evse, moment, began, running)

    def _of(self, purpose: str, evse: int, moment: datetime, began: datetime, running: Running | None) -> float | None:
        best: tuple[int, int, float] | None = None
        for profile in self.profiles:
            if profile.purpose != purpose or profile.evse not in (0, evse) or not _mine(profile, running):
                continue
            watts = profile.limit_at(moment, began)
            if watts is not None and (best is None or (profile.level, profile.evse) > best[:2]):
                best = (profile.level, profile.evse, watts)
        return best[2] if best else None


def _mine(profile: Profile, running: Running | None) -> bool:
    return profile.transaction is None or (running is not None and profile.transaction == running.transaction)


class Reading:
    """The composite schedule of one EVSE, read forwards: what holds until its next step is computed once."""

    def __init__(self, installed: Installed, evse: int, evses: dict[int, Running | None]) -> None:
        self._installed, self._evse, self._evses = installed, evse, evses
        self._calm: tuple[datetime, datetime, float | None] | None = None
        """From when to when nothing steps, and the watts meanwhile."""

    def __call__(self, begin: datetime, end: datetime) -> list[Step]:
        """As `Installed.steps`."""
        if self._calm is not None and self._calm[0] <= begin and end <= self._calm[1]:
            return [(begin, self._calm[2])]
        ahead = max(end, begin + AHEAD)
        steps = self._installed.steps(self._evse, begin, ahead, self._evses)
        inside = [step for step in steps if step[0] < end]
        until = steps[len(inside)][0] if len(inside) < len(steps) else ahead
        self._calm = (inside[-1][0], until, inside[-1][1])
        return inside
