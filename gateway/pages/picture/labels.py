"""Where names of bands stand: inside their band, on one side of now, at the narrowest width at which they fit."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from gateway.pages.picture.scale import BASE, CHARACTER, MIDDLE, NARROW, PANEL, TOP, WIDE, Scale

HIGH = 13.0
"""A band must be so many pixels high over the whole width of its label."""


@dataclass(frozen=True, slots=True)
class Label:
    """A name at a share of the width and a height in px; `width` is the class of the narrowest picture that shows it."""

    name: str
    x: float
    y: float
    width: str
    pixels: float
    """What the text takes."""
    hue: str
    planned: bool


def place(
    name: str, hue: str, lower: Sequence[float], upper: Sequence[float], on: Scale, *, start: bool = False
) -> list[Label]:
    """One label on each side of now where the band (kW per slot) has room; `start`: as far left as it goes."""
    tops = [TOP + PANEL * (1 - kw / on.top_kw) for kw in upper]
    floors = [TOP + PANEL * (1 - kw / on.top_kw) for kw in lower]
    pixels = len(name) * CHARACTER + 4
    now = next((i for i in range(len(tops)) if not on.grid.measured(i)), len(tops))
    found = []
    for first, last, planned in ((0, now, False), (now, len(tops), True)):
        spot = _spot(tops, floors, first, last, pixels, on, start)
        if spot:
            x, y, width = spot
            found.append(Label(name, x, y, width, pixels, hue, planned))
    return found


def _spot(
    tops: Sequence[float], floors: Sequence[float], first: int, last: int, pixels: float, on: Scale, start: bool
) -> tuple[float, float, str] | None:
    for plot, width in ((NARROW, ""), (MIDDLE, "m"), (WIDE, "l")):
        needed = pixels / plot * on.grid.span
        best: tuple[float, float, float] | None = None
        for begin in range(first, last):
            room = _room(tops, floors, begin, last, needed, on)
            if room and (best is None or (not start and room[0] > best[0] + 0.5)):
                best = room
        if best:
            _, middle, y = best
            return middle / on.grid.span, min(y, BASE - 2.0), width
    return None


def _room(
    tops: Sequence[float], floors: Sequence[float], begin: int, last: int, needed: float, on: Scale
) -> tuple[float, float, float] | None:
    """Height, middle (s) and text line (px) of the box from `begin` as wide as needed; None where it is too low."""
    edges, top, floor = on.grid.edges, tops[begin], floors[begin]
    for slot in range(begin, last):
        top, floor = max(top, tops[slot]), min(floor, floors[slot])
        if floor - top < HIGH:
            return None
        if edges[slot + 1] - edges[begin] >= needed:
            middle = (edges[begin] + edges[slot + 1]) / 2
            return floor - top, middle, (top + floor) / 2 + 4.5
    return None
