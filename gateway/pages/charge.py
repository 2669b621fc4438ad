"""A vehicle's night as a small picture: state of charge with goal and plan, and the power asked and taken below."""

from __future__ import annotations

from html import escape

from gateway.pages.picture.marks import element, line, percent, text
from gateway.pages.picture.scale import scale
from gateway.pages.steps import grid, sample
from gateway.pages.views import Charge, VehicleView
from gateway.pages.words import clock, needed, vehicle_sentence

HIGH, GAP, LOW = 150, 30, 70
TOP = 20
UNIT = 4


def charge_svg(view: VehicleView) -> str:
    """Measured solid, planned outlined, the goal as a bar at the departure; equal data give equal bytes."""
    on = scale(grid(view.begins, view.ends, view.now), 100.0, view.zone)
    out = element("title", escape(vehicle_sentence(view)))
    for share in (0, 0.25, 0.5, 0.75, 1):
        y = TOP + HIGH * (1 - share)
        out += element("line", class_="grid", x1=0, x2="100%", y1=y, y2=y)
        out += text(f"{share * 100:.0f}", 0, y + 4, "sm mut end", dx=-5)
    out += text("%", 0, TOP - 8, "sm mut end", dx=-5)
    box = f"0 0 {on.xs[-1]} {HIGH * UNIT}"
    curves = _curve(view, view.charge, "ln import") + _curve(view, view.charge_planned, "ln import dash")
    out += _nested(curves, TOP, HIGH, box)
    departure = view.row.departure
    if departure is not None and view.begins <= departure.departs <= view.ends:
        y = TOP + HIGH * (1 - departure.soc_goal)
        x = on.at(departure.departs)
        out += element("line", class_="ln goal", x1=x, x2=x, y1=TOP + HIGH, y2=y)
        out += text(needed(view.row.soc, departure.soc_goal), x, y - 6, "sm b mid")
    out += _powers(view) + _hours(view)
    if view.begins <= view.now < view.ends:
        x = on.at(view.now)
        out += element("line", class_="now", x1=x, x2=x, y1=TOP - 4, y2=TOP + HIGH + GAP + LOW)
        out += text(f"now {clock(view.now, view.zone)}", x, TOP - 8, "sm b mid")
    height = TOP + HIGH + GAP + LOW + 24
    return element("svg", out, class_="night", width="100%", height=height, role="img")


def _nested(content: str, top: float, height: float, box: str) -> str:
    return element("svg", content, x=0, y=top, width="100%", height=height, viewBox=box, preserveAspectRatio="none")


def _curve(view: VehicleView, points: tuple[Charge, ...], name: str) -> str:
    if not points:
        return ""
    at = [
        (round((p.at - view.begins).total_seconds() / 30), round(HIGH * UNIT * (1 - p.soc)))
        for p in points
        if view.begins <= p.at <= view.ends
    ]
    return element("path", class_=name, d="M" + "L".join(f"{x} {y}" for x, y in at)) if at else ""


def _powers(view: VehicleView) -> str:
    steps = (*view.asked, *view.taken)
    top = max((s.kw for s in steps), default=0.0)
    base = TOP + HIGH + GAP + LOW
    out = element("line", class_="axis", x1=0, x2="100%", y1=base, y2=base)
    out += text("kW", 0, TOP + HIGH + GAP, "sm mut end", dx=-5)
    if not top:
        return out
    on = grid(view.begins, view.ends, view.now)
    xs = [round(e / 30) for e in on.edges]
    for values, name in ((sample(view.taken, on, until=on.now_s), "ln import"), (sample(view.asked, on), "ln asked")):
        ys = [None if kw is None else round(LOW * UNIT * (1 - kw / top)) for kw in values]
        path = line(xs, ys)
        out += (
            _nested(element("path", class_=name, d=path), base - LOW, LOW, f"0 0 {xs[-1]} {LOW * UNIT}") if path else ""
        )
    return out + text(f"{top:.0f}", 0, base - LOW + 12, "sm mut end", dx=-5)


def _hours(view: VehicleView) -> str:
    on = scale(grid(view.begins, view.ends, view.now), 100.0, view.zone)
    out, y = "", TOP + HIGH + GAP + LOW + 17
    for at, local in on.hours():
        if local.hour % 4 == 0:
            out += text(on.hour_label(at, short=True), percent(on.x(at)), y, "sm mut mid n")
        if local.hour % 2 == 0:
            out += text(on.hour_label(at, short=False), percent(on.x(at)), y, "sm mut mid m")
    return out
