"""The picture's two scales: elapsed time over the width, power over the height; and what fits at which width."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from core.messages import words
from gateway.pages.picture.marks import percent
from gateway.pages.steps import Grid

TOP, PANEL, ROW = 34, 270, 21
"""Pixels: where the power panel begins, its height, and one row."""
BASE = TOP + PANEL
ROWS = BASE + 46
UNIT = 4
"""Path units per pixel of height, so that integers are fine enough."""
UNIT_S = 30
"""Seconds per path unit of width."""
NARROW, MIDDLE, WIDE = 182.0, 454.0, 794.0
"""Least width of the plot, px, where the whole picture is 300, 760 or 1,100 px wide."""
CHARACTER = 7.4
"""Width of a 13 px character, px, taken generously."""


@dataclass(frozen=True, slots=True)
class Scale:
    """From moments and kW to the picture."""

    grid: Grid
    top_kw: float
    step_kw: float
    zone: str

    def x(self, moment: datetime) -> float:
        """Share of the width, 0 to 1."""
        return min(1.0, max(0.0, self.grid.second(moment) / self.grid.span))

    def at(self, moment: datetime) -> str:
        """The same as an attribute."""
        return percent(self.x(moment))

    @property
    def now(self) -> float:
        """Where now is, 0 to 1."""
        return self.grid.now_s / self.grid.span

    @property
    def xs(self) -> tuple[int, ...]:
        """The grid's edges in path units."""
        return tuple(round(e / UNIT_S) for e in self.grid.edges)

    def y(self, kw: float) -> float:
        """Pixels from the picture's top."""
        return TOP + PANEL * (1 - kw / self.top_kw)

    def unit(self, kw: float) -> int:
        """Path units from the panel's top."""
        return round(PANEL * UNIT * (1 - kw / self.top_kw))

    @property
    def box(self) -> str:
        """The panel's viewBox."""
        return f"0 0 {self.xs[-1]} {PANEL * UNIT}"

    def ticks(self) -> Iterator[tuple[float, str]]:
        """Round powers with their label, in MW where the scale is large."""
        large = self.top_kw >= 2000
        for number in range(int(self.top_kw / self.step_kw + 1e-9) + 1):
            kw = number * self.step_kw
            yield kw, (f"{kw / 1000:g}" if large else f"{kw:,.0f}")

    @property
    def word(self) -> str:
        """The unit of the labels."""
        return "MW" if self.top_kw >= 2000 else "kW"

    def hours(self) -> Iterator[tuple[datetime, datetime]]:
        """Every full local hour of the night: the moment, and its local time."""
        at = self.grid.begins.astimezone(UTC).replace(second=0, microsecond=0)
        end = self.grid.begins + timedelta(seconds=self.grid.span)
        while at <= end:
            local = at.astimezone(ZoneInfo(self.zone))
            if local.minute == 0 and at >= self.grid.begins:
                yield at, local
            at += timedelta(minutes=15 - at.minute % 15)

    def changes(self) -> Iterator[datetime]:
        """Moments at which the local clock is set."""
        for at, local in self.hours():
            before = (at - timedelta(minutes=1)).astimezone(ZoneInfo(self.zone))
            if before.utcoffset() != local.utcoffset():
                yield at

    def hour_label(self, at: datetime, *, short: bool) -> str:
        """`02:00`, narrow `02`; with its zone in the hour that comes twice."""
        text = words.moment(at, self.zone)
        clock, _, zone = text.partition(" ")
        if zone:
            return f"{clock[:2]} {zone}"
        return clock[:2] if short else clock


def scale(on: Grid, highest_kw: float, zone: str) -> Scale:
    """0 to 1.1 times the highest limit, in round steps, one scale all night."""
    top = max(highest_kw, 1.0) * 1.1
    rough = top / 4.5
    magnitude = 10.0 ** math.floor(math.log10(rough))
    step = next(m * magnitude for m in (1, 2, 2.5, 5, 10) if m * magnitude >= rough * 0.999)
    return Scale(on, top, step, zone)


def fits(pixels: float, share: float) -> str | None:
    """The class of the narrowest picture in which a text of that width fits into that share of the plot; None: in none."""
    for plot, name in ((NARROW, ""), (MIDDLE, "m"), (WIDE, "l")):
        if share * plot >= pixels:
            return name
    return None
