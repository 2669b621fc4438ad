"""Puts the picture together: power above, buses below; fluid for the page, self-contained for README and mail."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import timedelta
from html import escape
from importlib.resources import files

from gateway.pages.picture import axes, limits
from gateway.pages.picture.crowd import columns
from gateway.pages.picture.labels import Label, place
from gateway.pages.picture.marks import area, element, line, percent, text
from gateway.pages.picture.rows import rows
from gateway.pages.picture.scale import CHARACTER, PANEL, ROW, ROWS, TOP, Scale, fits, scale
from gateway.pages.picture.stack import EXCEPTIONS, Band, bands, crowded
from gateway.pages.samples import summed
from gateway.pages.steps import Grid, excesses, grid, limit_at, merged, sample
from gateway.pages.views import Limit, NightVehicle, NightView
from gateway.pages.words import excess_words, night_sentence, short_ids

FILE_WIDTH, LEFT, RIGHT = 1440, 84, 232


def night_svg(view: NightView) -> str:
    """The picture for a page: 100 % wide; its colours come from the page's stylesheet, its shapes from the page."""
    content, height = _content(view)
    return _root(view, content, width="100%", height=height, class_="night")


def night_file(view: NightView) -> str:
    """The same in light colours, with everything it needs inside: for a README, a mail, a printer."""
    content, height = _content(view)
    inner = element("svg", content, x=LEFT, y=8, width=FILE_WIDTH - LEFT - RIGHT, height=height, class_="night")
    ground = element("rect", class_="ground", width="100%", height="100%")
    head = element("style", _style()) + _shapes() + ground
    box = f"0 0 {FILE_WIDTH} {height + 16}"
    signs = " · ".join(told for width, told in key_lines(view) if not width)
    key = element("g", text(signs, LEFT, height + 4, "sm mut"), class_="night") if signs else ""
    return _root(
        view, head + inner + key, xmlns="http://www.w3.org/2000/svg", viewBox=box, width=FILE_WIDTH, height=height + 16
    )


def key_lines(view: NightView) -> list[tuple[str, str]]:
    """What the signs in the picture mean, and when it was received; each with the width in which it is needed."""
    steps, on = _scaled(view)
    return limits.key_lines(view, steps, on)


def _root(view: NightView, content: str, **attributes: str | int) -> str:
    title = element("title", escape(f"{view.name or view.site}, the night of power and departures"), id="night-title")
    told = element("desc", escape(night_sentence(view)), id="night-desc")
    return element(
        "svg",
        title + told + content,
        **attributes,
        role="group",
        aria_labelledby="night-title",
        aria_describedby="night-desc",
    )


def _content(view: NightView) -> tuple[str, int]:
    """Everything inside, and its height in px."""
    steps, on = _scaled(view)
    order = sorted(view.vehicles, key=lambda v: (v.departure.departs, v.departure.vehicle))
    below, top = columns(view, on, ROWS) if crowded(view) else ("", 0.0)
    shown = _rows_of(view, order)
    begin = ROWS + (top + 24 if below else 0)
    silent, links = rows(view, shown, on, begin)
    bottom = begin + len(shown) * ROW
    heads = _heads(begin) if shown else ""
    drawn = (
        _power(view, steps, on, on.grid)
        + axes.hours(view, on, bottom)
        + heads
        + below
        + _more(view, shown, bottom)
        + silent
        + axes.now(view, on, bottom)
    )
    return element("g", drawn, aria_hidden="true") + links, round(bottom) + 26


def _scaled(view: NightView) -> tuple[tuple[Limit, ...], Scale]:
    """The steps of the limit, and the scale on which everything is drawn."""
    steps = merged(view.limits)
    splits = [edge for step in steps for edge in (step.begins, step.ends)]
    on_grid = grid(view.begins, view.ends, view.now, splits)
    stack = () if view.imported else summed([view.building, *(v.measured for v in view.vehicles)])
    powers = [s.kw for s in (*view.imported, *view.import_planned, *stack)]
    highest = max([s.kw for s in steps] + powers, default=100.0)
    return steps, scale(on_grid, highest, view.zone)


def _rows_of(view: NightView, order: Sequence[NightVehicle]) -> list[NightVehicle]:
    """All, or of many the followed one and those that are not fine, at most 20."""
    if not crowded(view):
        return list(order)
    return [v for v in order if v.departure.vehicle == view.follow or not v.departure.fine][:EXCEPTIONS]


def _more(view: NightView, shown: Sequence[NightVehicle], bottom: float) -> str:
    left = sum(not v.departure.fine for v in view.vehicles) - sum(not v.departure.fine for v in shown)
    return text(f"{left} more need a person", 0, bottom + 16, "sm mut") if left > 0 else ""


def _heads(top: float) -> str:
    return text("departs", "100%", top - 13, "sm mut m", dx=10) + text(
        "charge then", "100%", top - 13, "sm mut m end", dx=222
    )


def _power(view: NightView, steps: Sequence[Limit], on: Scale, on_grid: Grid) -> str:
    layers = bands(view, on_grid)
    lower, upper = _levels(layers, len(on_grid.edges) - 1)
    paths = "".join(_band(b, lower[i], upper[i], on) for i, b in enumerate(layers))
    veil = "" if view.now >= view.ends else _veil(on)
    imported = sample(view.imported, on_grid, "most", until=on_grid.now_s)
    above = _panel(_over(view, imported, steps, on) + _lines(view, imported, steps, on), on)
    names = [label for i, b in enumerate(layers) for label in _named(view, b, lower[i], upper[i], on)]
    return (
        axes.powers(on)
        + limits.walls(steps, on)
        + _panel(paths, on)
        + _assumed(layers, lower, upper, on)
        + veil
        + _holes(view, on)
        + above
        + "".join(_label(label) for label in names)
        + limits.names(steps, on, view.zone)
        + _excess_names(view, on)
    )


def _panel(content: str, on: Scale) -> str:
    """Paths stretch with the width; their strokes do not."""
    return element("svg", content, x=0, y=TOP, width="100%", height=PANEL, viewBox=on.box, preserveAspectRatio="none")


def _levels(layers: Sequence[Band], slots: int) -> tuple[list[list[float]], list[list[float]]]:
    """Lower and upper edge of each band per slot, kW."""
    floor = [0.0] * slots
    lower, upper = [], []
    for band in layers:
        top = [floor[slot] + band.kw(slot) for slot in range(slots)]
        lower.append(floor)
        upper.append(top)
        floor = top
    return lower, upper


def _band(band: Band, lower: Sequence[float], upper: Sequence[float], on: Scale) -> str:
    shown = [(value or 0) > 0 for value in band.values]
    path = area(on.xs, [on.unit(kw) for kw in lower], [on.unit(kw) for kw in upper], shown)
    title = element("title", escape(band.name))
    return element("path", title, class_=f"band f-{band.hue}", d=path) if path else ""


def _assumed(
    layers: Sequence[Band], lower: Sequence[Sequence[float]], upper: Sequence[Sequence[float]], on: Scale
) -> str:
    """The ceilings of silent stations, hatched: it is not known what they draw."""
    out = ""
    for index, band in enumerate(layers):
        for slot, kw in enumerate(band.assumed or ()):
            if kw:
                x, ends = on.grid.edges[slot] / on.grid.span, on.grid.edges[slot + 1] / on.grid.span
                top, floor = on.y(upper[index][slot]), on.y(lower[index][slot])
                out += element("rect", class_="asm", x=percent(x), y=top, width=percent(ends - x), height=floor - top)
    return element("g", element("title", "assumed: a silent station's ceiling") + out) if out else ""


def _veil(on: Scale) -> str:
    return element("rect", class_="veil", x=percent(on.now), y=TOP, width=percent(1 - on.now), height=PANEL)


def _over(view: NightView, imported: Sequence[float | None], steps: Sequence[Limit], on: Scale) -> str:
    """What was imported above the limit, filled."""
    spans = [(on.grid.second(e.begins), on.grid.second(e.ends)) for e in excesses(view.imported, steps, view.now)]
    edges = on.grid.edges
    bound = _bounds(steps, on)
    shown = [any(a < edges[i + 1] and b > edges[i] for a, b in spans) for i in range(len(imported))]
    lower = [on.unit(kw or 0) for kw in bound]
    upper = [min(low, on.unit(kw or 0)) for low, kw in zip(lower, imported, strict=True)]
    path = area(on.xs, lower, upper, shown)
    return element("path", class_="over f-miss", d=path) if path else ""


def _bounds(steps: Sequence[Limit], on: Scale) -> list[float | None]:
    """The limit per slot."""
    starts = [on.grid.begins + timedelta(seconds=edge) for edge in on.grid.edges[:-1]]
    return [limit.kw if (limit := limit_at(steps, at)) else None for at in starts]


def _lines(view: NightView, imported: Sequence[float | None], steps: Sequence[Limit], on: Scale) -> str:
    """Import measured and planned, then the limit over everything."""
    planned: list[float | None] = [
        None if on.grid.measured(slot) else kw for slot, kw in enumerate(sample(view.import_planned, on.grid))
    ]
    out = ""
    for name, values in (("import", imported), ("import dash", planned), ("bound", _bounds(steps, on))):
        path = line(on.xs, [None if kw is None else on.unit(kw) for kw in values])
        out += element("path", class_=f"ln {name}", d=path) if path else ""
    return out


def _holes(view: NightView, on: Scale) -> str:
    """Where the site's own meter said nothing, and why."""
    out = ""
    for gap in view.gaps:
        x, ends = on.x(gap.begins), on.x(gap.ends)
        out += element("rect", class_="gap", x=percent(x), y=TOP + 126, width=percent(ends - x), height=PANEL - 126)
        width = fits(len(gap.reason) * CHARACTER, 2 * min((x + ends) / 2, 1 - (x + ends) / 2))
        middle = percent((x + ends) / 2)
        out += (
            text(gap.reason, middle, TOP + 120, f"sm mut mid {'l' if width == 'l' else 'm'}")
            if width is not None
            else ""
        )
        out += text("gap", middle, TOP + 120, "sm mut mid n")
    return out


def _named(view: NightView, band: Band, lower: Sequence[float], upper: Sequence[float], on: Scale) -> list[Label]:
    short = short_ids([v.departure.vehicle for v in view.vehicles]).get(band.name, band.name)
    below = [kw if band.values[slot] else upper[slot] for slot, kw in enumerate(lower)]
    return place(short, band.hue, below, upper, on, start=band.hue == "bld")


def _label(label: Label) -> str:
    way = "pl" if label.planned else f"on-{label.hue}"
    return text(label.name, percent(label.x), label.y, f"sm mid {way} {label.width}".strip())


def _excess_names(view: NightView, on: Scale) -> str:
    out = ""
    for excess in excesses(view.imported, view.limits, view.now):
        top = max(s.kw for s in view.imported if s.meets(excess.begins, excess.ends))
        y = max(TOP + 11.0, on.y(top) - 22)
        at = on.x(excess.begins)
        way = "end" if at > 0.7 else ""
        out += text(excess_words(excess), percent(at), y, f"sm b miss {way}".strip())
    return out


def _style() -> str:
    """The picture's part of the one stylesheet, with the light tokens."""
    css = _static("busbar.css")
    found = re.findall(r"/\* (light|picture) \*/(.*?)/\* end \*/", css, re.S)
    return re.sub(r"\s+", " ", "".join(part for _, part in found)).strip()


def _shapes() -> str:
    return _static("shapes.svg").strip()


def _static(name: str) -> str:
    return (files("gateway.pages") / "static" / name).read_text("utf-8")
