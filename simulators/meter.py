"""The grid meter and the building's load: exact sums of what the stations draw, sent to a hub, and the judge over them."""

from __future__ import annotations

import math
import random
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import aiohttp
import numpy as np

from simulators.charger.outlet import Outlet
from simulators.clock import Clock
from simulators.dso.record import Series

_TINY_KW = 1e-6


@dataclass(frozen=True)
class Building:
    """Load beside charging: steps over the local day, and noise that never leaves +-`noise_kw`; constant per minute."""

    zone: str
    steps: tuple[tuple[time, float], ...]
    """((from this local time of day on, kW), ...), the first at 00:00."""
    noise_kw: float
    seed: int

    def kw_at(self, moment: datetime) -> float:
        """Load in the minute of `moment`, in kW."""
        base = self._base(moment)
        draw = random.Random(f"{self.seed}:{int(moment.timestamp()) // 60}").uniform(-1, 1)  # noqa: S311  because: noise
        return base + self.noise_kw * draw

    def most_kw(self, moment: datetime) -> float:
        """The most that the load can be in that minute."""
        return self._base(moment) + self.noise_kw

    def _base(self, moment: datetime) -> float:
        local = moment.astimezone(ZoneInfo(self.zone)).time()
        return [kw for begins, kw in self.steps if begins <= local][-1]

    def series(self, begin: datetime, end: datetime) -> Series:
        """Load at each second of [begin, end), in kW."""
        seconds = int((end - begin).total_seconds())
        minutes = np.array([self.kw_at(begin + timedelta(seconds=s)) for s in range(0, seconds + 60, 60)])
        offset = int(begin.timestamp()) % 60
        series: Series = minutes[(np.arange(seconds) + offset) // 60]
        return series


@dataclass(frozen=True)
class Verdict:
    """What the judge found: the peak, and by how much and how long the limit in force was exceeded."""

    peak_kw: float
    peak_at: datetime
    peak_limit_kw: float
    overshoot_kw: float
    overshoot_s: int
    energy_kwh: float
    overshoot_at: datetime | None = None
    """The first second above the limit."""


def drawn_series(outlets: Sequence[Outlet], begin: datetime, end: datetime) -> Series:
    """What all outlets draw at each second of [begin, end), in kW."""
    seconds = int((end - begin).total_seconds())
    total = np.zeros(seconds)
    for outlet in outlets:
        for piece in outlet.drawn:
            offset = (piece.begin - begin).total_seconds()
            first = max(0, _second(offset))
            last = min(seconds, _second(offset + piece.hours * 3600))
            if first < last:
                hours = (np.arange(first, last) - offset) / 3600
                total[first:last] += piece.kw * np.exp(piece.rate * hours)
    return total


def _second(offset: float) -> int:
    """The first whole second at or after an offset; a hair above a whole second is that second."""
    return math.ceil(round(offset, 4))


def judge(drawn: Series, building: Series, limits: Series, begin: datetime) -> Verdict:
    """Compare the grid meter with the limit in force, second by second."""
    imported = drawn + building
    over = imported - limits
    top = int(imported.argmax())
    worst = float(over.max())
    return Verdict(
        peak_kw=float(imported[top]),
        peak_at=begin + timedelta(seconds=top),
        peak_limit_kw=float(limits[top]),
        overshoot_kw=worst if worst > _TINY_KW else 0.0,
        overshoot_s=int((over > _TINY_KW).sum()),
        energy_kwh=float(imported.sum()) / 3600,
        overshoot_at=begin + timedelta(seconds=int((over > _TINY_KW).argmax())) if worst > _TINY_KW else None,
    )


class MeterSender:
    """Sends the site's readings to a hub every minute: the grid meter and the building's own."""

    def __init__(
        self, outlets: Sequence[Outlet], building: Building, url: str, clock: Clock, *, token: str | None = None
    ) -> None:
        self._outlets, self._building, self._url, self._clock = outlets, building, url, clock
        self._headers = {"Authorization": f"Bearer {token}"} if token else {}
        self._building_kwh, self._since = 0.0, clock.now()
        self.sent, self.failed = 0, 0

    async def run(self, grid: str, building: str, every_s: int = 60) -> None:
        """Until cancelled; a reading that cannot be sent is counted and left out."""
        due = self._clock.now()
        async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=10)) as http:
            while True:
                due += timedelta(seconds=every_s)
                await self._clock.sleep_until(due, "meter")
                with self._clock.hold("meter"):
                    await self._send(http, self.readings(grid, building))

    def readings(self, grid: str, building: str) -> list[dict[str, Any]]:
        """Both meters now: power of this moment, registers since the start."""
        now = self._clock.now()
        for outlet in self._outlets:
            outlet.advance(now)
        load = self._building.kw_at(now)
        self._building_kwh += self._building.kw_at(self._since) * (now - self._since).total_seconds() / 3600
        self._since = now
        charged = sum(outlet.register_kwh for outlet in self._outlets)
        power = sum(outlet.power_kw() for outlet in self._outlets)
        return [
            _reading("grid-meter", grid, now, power + load, charged + self._building_kwh),
            _reading("building-meter", building, now, load, self._building_kwh),
        ]

    async def _send(self, http: aiohttp.ClientSession, readings: list[dict[str, Any]]) -> None:
        try:
            async with http.post(self._url, json={"readings": readings}, headers=self._headers) as answer:
                self.sent += answer.ok
                self.failed += not answer.ok
        except (aiohttp.ClientError, TimeoutError):
            self.failed += 1


def _reading(source: str, meter: str, moment: datetime, kw: float, kwh: float) -> dict[str, Any]:
    return {
        "source": source,
        "subject": f"meter:{meter}",
        "measured_at": moment.astimezone(UTC).isoformat(timespec="seconds").replace("+00:00", "Z"),
        "import_kw": round(kw, 3),
        "import_kwh": round(kwh, 4),
    }
