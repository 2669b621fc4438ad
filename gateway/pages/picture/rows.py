"""Below the power: one row per vehicle by departure, from its stay to the shape at its departure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from urllib.parse import quote

from core.messages import words
from gateway.pages.picture.marks import area, element, outline, percent, text, use
from gateway.pages.picture.scale import CHARACTER, ROW, UNIT, Scale, fits
from gateway.pages.steps import joined
from gateway.pages.views import Departure, NightVehicle, NightView
from gateway.pages.words import STATES, clock, share, short_ids, spoken

HIGHEST = 16.0
"""Pixels of the highest power of the night in a row."""
WIDE_ID, NARROW_ID = 9, 4
"""Characters of an id that the margin holds; of a longer one its end is shown, which tells it apart."""
SHAPES = {
    "met": "met",
    "on_track": "on",
    "at_risk": "risk",
    "missed": "missed",
    "departed_short": "short",
    "unknown": "unknown",
}
TINTS = {"at_risk": "risk", "missed": "miss", "departed_short": "miss", "unknown": "unk"}


def rows(view: NightView, shown: Sequence[NightVehicle], on: Scale, top: float) -> tuple[str, str]:
    """Silent drawing (tints, stays, power) and speaking links of the rows that begin at `top`."""
    if not shown:
        return "", ""
    highest = max((s.kw for v in shown for s in (*v.measured, *v.planned)), default=1.0) or 1.0
    names = short_ids([v.departure.vehicle for v in view.vehicles])
    silent = [_tint(v, top + n * ROW) for n, v in enumerate(shown)]
    silent += [_stay(v, on, top + n * ROW) for n, v in enumerate(shown)]
    paths = "".join(_power(v, on, n, highest, view.follow) for n, v in enumerate(shown))
    silent.append(
        element(
            "svg",
            paths,
            x=0,
            y=number_px(top),
            width="100%",
            height=len(shown) * ROW,
            viewBox=f"0 0 {on.xs[-1]} {len(shown) * ROW * UNIT}",
            preserveAspectRatio="none",
        )
    )
    silent += [_gaps(v, on, top + n * ROW) for n, v in enumerate(shown)]
    silent += [_told(v.departure, top + n * ROW, view, names) for n, v in enumerate(shown)]
    links = [_link(v.departure, on, top + n * ROW, view) for n, v in enumerate(shown)]
    return "".join(silent), "".join(links)


def number_px(value: float) -> str:
    """Whole pixels."""
    return str(round(value))


def _tint(vehicle: NightVehicle, top: float) -> str:
    tint = TINTS.get(vehicle.departure.state)
    return element("rect", class_=f"tint t-{tint}", x=0, y=top, width="100%", height=ROW) if tint else ""


def _stay(vehicle: NightVehicle, on: Scale, top: float) -> str:
    y = top + ROW - 3.5
    return "".join(element("line", class_="stay", x1=on.at(a), x2=on.at(b), y1=y, y2=y) for a, b in vehicle.stays)


def _power(vehicle: NightVehicle, on: Scale, row: int, highest: float, follow: str) -> str:
    """Measured solid, planned outlined; of an unknown bus both are outlined."""
    base = (row * ROW + ROW - 4) * UNIT
    values = joined(vehicle.measured, vehicle.planned, on.grid)
    upper = [base - max(round((kw or 0) / highest * HIGHEST * UNIT), 1 if kw else 0) for kw in values]
    before = [bool(kw) and on.grid.measured(i) for i, kw in enumerate(values)]
    after = [bool(kw) and not on.grid.measured(i) for i, kw in enumerate(values)]
    hue = _hue(vehicle.departure, follow)
    flat = [base] * len(upper)
    out = ""
    if any(before) and hue == "unk":
        out += element("path", class_="o-unk", d=outline(on.xs, base, upper, before))
    elif any(before):
        out += element("path", class_=f"f-{hue}", d=area(on.xs, flat, upper, before))
    if any(after):
        dashed = " dash" if hue == "unk" else ""
        out += element("path", class_=f"o-{hue}{dashed}", d=outline(on.xs, base, upper, after))
    return out


def _hue(departure: Departure, follow: str) -> str:
    return "fol" if departure.vehicle == follow else TINTS.get(departure.state, "b1")


def _gaps(vehicle: NightVehicle, on: Scale, top: float) -> str:
    out = ""
    for gap in vehicle.gaps:
        x, share_ = on.x(gap.begins), on.x(gap.ends) - on.x(gap.begins)
        out += element(
            "rect", class_="gap", x=on.at(gap.begins), y=top + 3, width=f"{share_ * 100:.2f}%", height=ROW - 6
        )
        out += _reason(gap.reason, x, share_, top + 14)
    return out


def _reason(reason: str, x: float, wide: float, y: float) -> str:
    """A gap's reason inside its box, else right of it, at the narrowest picture that has the room."""
    needed = len(reason) * CHARACTER + 8
    inside, beside = fits(needed, wide), fits(needed, 1 - x - wide)
    if inside is not None:
        return text(reason, percent(x + wide / 2), y, f"sm mut mid halo {inside or 'm'}")
    return "" if beside is None else text(reason, percent(x + wide), y, f"sm mut {beside or 'm'}", dx=5)


def _told(departure: Departure, top: float, view: NightView, names: Mapping[str, str]) -> str:
    """The row's id at the left; time, word and charge at the right. Silent: the link says it."""
    y, strong = top + 14, "" if departure.fine and departure.vehicle != view.follow else " b"
    at = clock(departure.departs, view.zone)
    return (
        text(_tail(departure.vehicle, WIDE_ID, "…"), 0, y, f"end m{strong}", dx=-6)
        + text(_tail(names[departure.vehicle], NARROW_ID), 0, y, f"end n{strong}", dx=-4)
        + text(f"{at} {STATES[departure.state]}", "100%", y, f"m{strong}", dx=10)
        + text(_charge(departure), "100%", y, "end mut m", dx=222)
        + text(at, "100%", y, f"n{strong}", dx=8)
    )


def _link(departure: Departure, on: Scale, top: float, view: NightView) -> str:
    """The whole row as a link with a spoken label, and the state's shape at the departure."""
    shape = SHAPES[departure.state]
    parts = (
        element("rect", class_="hit", x=0, y=top, width="100%", height=ROW),
        use(shape, on.at(departure.departs), top + 10),
        use(shape, "100%", top + 10, 62, "n"),
    )
    href = f"/s/{quote(view.site, safe='')}/vehicles/{quote(departure.vehicle, safe='')}"
    return element("a", "".join(parts), href=href, class_="row", aria_label=spoken(departure, view.zone))


def _tail(id: str, most: int, mark: str = "") -> str:
    """The mark is as wide as two figures."""
    return id if len(id) <= most else mark + id[2 * len(mark) - most :].lstrip(" -_./")


def _charge(departure: Departure) -> str:
    if departure.state == "unknown":
        return words.UNKNOWN
    then = departure.soc_expected if departure.soc_expected is not None else departure.soc
    return words.percent(then) if departure.fine else share(then, departure.soc_goal)
