"""What stands around the values: hours, midnights, powers, now, and the clock's changes."""

from __future__ import annotations

from datetime import timedelta

from gateway.pages.picture.marks import element, percent, text
from gateway.pages.picture.scale import BASE, MIDDLE, NARROW, TOP, Scale
from gateway.pages.views import NightView
from gateway.pages.words import clock, day


def powers(on: Scale) -> str:
    """Hairlines and their labels at the left."""
    out = text(on.word, 0, TOP + 9, "sm mut end", dx=-5)
    for kw, label in on.ticks():
        y = on.y(kw)
        out += element("line", class_="grid", x1=0, x2="100%", y1=y, y2=y)
        if y > TOP + 20:
            out += text(label, 0, y + 4, "sm mut end", dx=-5)
    return out


def hours(view: NightView, on: Scale, bottom: float) -> str:
    """Ticks, labels, midnights with both dates, and the moments at which the clock is set."""
    out = element("line", class_="axis", x1=0, x2="100%", y1=BASE, y2=BASE)
    for at, local in on.hours():
        x = on.at(at)
        out += element("line", class_="axis", x1=x, x2=x, y1=BASE, y2=BASE + 4)
        narrow = local.hour % 4 == 0
        wide = "m" if local.hour % 2 == 0 else "l"
        if narrow:
            out += text(on.hour_label(at, short=True), x, BASE + 17, "sm mut mid n")
        out += text(on.hour_label(at, short=False), x, BASE + 17, f"sm mut mid {wide}")
        if local.hour == 0 and 0.02 < on.x(at) < 0.98:
            out += _midnight(x, day((local - timedelta(hours=1)).date()), day(local.date()), bottom)
    for at in on.changes():
        out += element("line", class_="change", x1=on.at(at), x2=on.at(at), y1=TOP, y2=bottom)
        out += text("clock change", on.at(at), TOP - 2, "sm mut", dx=4)
    return out


def _midnight(x: str, before: str, after: str, bottom: float) -> str:
    out = element("line", class_="midnight", x1=x, x2=x, y1=BASE + 4, y2=bottom)
    for name, way, dx in ((before, "end", -6), (after, "", 6)):
        out += text(name, x, BASE + 33, f"sm mut m {way}", dx=dx)
        out += text(name.rsplit(" ", 1)[0], x, BASE + 33, f"sm mut n {way}", dx=dx)
    return out


def now(view: NightView, on: Scale, bottom: float) -> str:
    """A line through everything with its time, "measured" left and "planned" right; nothing where now lies outside."""
    if not view.begins <= view.now <= view.ends:
        return ""
    x = percent(on.now)
    label = f"now {clock(view.now, view.zone)}"
    half = 40 if len(label) < 11 else 62
    out = element("line", class_="now", x1=x, x2=x, y1=TOP - 12, y2=bottom)
    out += element("rect", class_="nowbox", x=x, y=2, width=2 * half, height=20, transform=f"translate({-half})")
    out += text(label, x, 16, "mid nowtext")
    for word, share, way, dx in (("measured", on.now, "end ", -half - 6), ("planned", 1 - on.now, "", half + 6)):
        width = _beside(share, half)
        if width is not None:
            out += text(word, x, 16, f"sm mut {way}{width}", dx=dx)
    return out


def _beside(share: float, half: float) -> str | None:
    """In which widths a word fits between the mark of now and the plot's edge."""
    needed = half + 6 + 64
    if share * NARROW >= needed - 30:
        return ""
    return "m" if share * MIDDLE >= needed - 70 else None
