"""For many vehicles: all departures as columns of 15 minutes (narrow: an hour), those that are not fine at the base."""

from __future__ import annotations

from datetime import timedelta

from gateway.pages.picture.marks import element, text
from gateway.pages.picture.rows import TINTS
from gateway.pages.picture.scale import Scale
from gateway.pages.views import Departure, NightView

VEHICLE, HIGHEST = 4.0, 132.0
"""Pixels per vehicle, and at most for a column."""


def columns(view: NightView, on: Scale, top: float) -> tuple[str, float]:
    """The columns below `top`, and how high they are."""
    quarter, hour = _grouped(view, on, 15), _grouped(view, on, 60)
    most = max(map(len, quarter.values()), default=0)
    most_narrow = max(map(len, hour.values()), default=0)
    unit = min(VEHICLE, HIGHEST / max(most, 1))
    high = max(most * unit, 40.0)
    narrow, height = high / max(most_narrow, 1), high + 18
    wide = _drawn(quarter, on, top + height, unit, 15, "m")
    return wide + _drawn(hour, on, top + height, narrow, 60, "n"), height


def _grouped(view: NightView, on: Scale, minutes: int) -> dict[int, list[Departure]]:
    out: dict[int, list[Departure]] = {}
    for vehicle in view.vehicles:
        second = on.grid.second(vehicle.departure.departs)
        if 0 <= second < on.grid.span:
            out.setdefault(second // (minutes * 60), []).append(vehicle.departure)
    return out


def _drawn(groups: dict[int, list[Departure]], on: Scale, base: float, unit: float, minutes: int, width: str) -> str:
    out = ""
    for number, departures in sorted(groups.items()):
        begins = on.grid.begins + timedelta(minutes=minutes * number)
        x, wide = on.x(begins), on.x(begins + timedelta(minutes=minutes)) - on.x(begins)
        at = base
        for hue, count in _counts(departures):
            height = count * unit
            at -= height
            out += element(
                "rect", class_=f"col f-{hue}", x=f"{x * 100:.2f}%", y=at, width=f"{wide * 90:.2f}%", height=height
            )
        out += text(str(len(departures)), f"{(x + wide * 0.45) * 100:.2f}%", at - 3, "sm mid")
    return element("g", out, class_=width) if out else ""


def _counts(departures: list[Departure]) -> list[tuple[str, int]]:
    """How many of each hue, what is not fine first."""
    hues = [TINTS.get(d.state, "b1") for d in departures]
    return [(hue, hues.count(hue)) for hue in ("miss", "risk", "unk", "b1") if hue in hues]
