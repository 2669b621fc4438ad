"""The limit: a step line with a hatched wall above it, each step with its kW and who set it."""

from __future__ import annotations

from collections.abc import Sequence

from core.messages import words
from gateway.pages.picture.marks import element, percent
from gateway.pages.picture.scale import CHARACTER, MIDDLE, NARROW, TOP, WIDE, Scale, fits
from gateway.pages.views import Limit, NightView
from gateway.pages.words import clock, limit_words

CLEAR, LINE = 26.0, 14.0
"""Pixels: from a limit to a text above the names that stand on it, and the height of a text."""
CIRCLED = "①②③④⑤⑥⑦⑧⑨⑩⑪⑫⑬⑭⑮⑯⑰⑱⑲⑳"


def numbered(limits: Sequence[Limit], on: Scale, zone: str) -> dict[tuple[str, bool], str]:
    """A sign for each source that somewhere needs one, in the order in which they first bind."""
    keys = dict.fromkeys((limit.source, limit.fallback) for limit in limits if _widths(limit, on, zone)[1] is not None)
    return {key: CIRCLED[n] if n < len(CIRCLED) else f"({n + 1})" for n, key in enumerate(keys)}


def walls(limits: Sequence[Limit], on: Scale) -> str:
    """All that lies above the limit."""
    out = ""
    for limit in limits:
        x, ends = on.x(limit.begins), on.x(limit.ends)
        height = on.y(limit.kw) - TOP
        if ends > x and height > 0:
            out += element("rect", class_="wall", x=percent(x), y=TOP, width=percent(ends - x), height=height)
    return out


def names(limits: Sequence[Limit], on: Scale, zone: str) -> str:
    """At each step kW and source where there is room; else kW and the source's sign; else nothing (it is in the table)."""
    signs = numbered(limits, on, zone)
    out = ""
    for limit in limits:
        x, room = on.x(limit.begins), on.x(limit.ends) - on.x(limit.begins)
        if room <= 0:
            continue
        kw, source = _text(limit, zone)
        long, short = _widths(limit, on, zone)
        if long is not None:
            out += _label(kw, source, x, on.y(limit.kw), long)
        if short is not None:
            sign = signs[(limit.source, limit.fallback)]
            out += _label(kw.split(words.NBSP)[0], sign, x, on.y(limit.kw), short)
        if long is None and limit.fallback:
            out += _above(limit, limits, on, zone)
    return out


def _above(limit: Limit, limits: Sequence[Limit], on: Scale, zone: str) -> str:
    """A fallback is always named: where its step is too short, in the wall above it and its neighbours, with a line down."""
    around = _under_the_wall(limit, limits, on)
    begins, ends = on.x(around[0].begins), on.x(around[-1].ends)
    kw, whole = _text(limit, zone)
    for source in (whole, "fallback"):
        pixels = (len(kw) + len(source) + 1) * CHARACTER + 8
        width = fits(pixels, ends - begins)
        if width is not None:
            break
    else:
        return ""
    half = pixels / {"": NARROW, "m": MIDDLE, "l": WIDE}[width] / 2
    middle = (on.x(limit.begins) + on.x(limit.ends)) / 2
    x, y = min(max(middle, begins + half), ends - half), min(on.y(s.kw) for s in around) - CLEAR
    shown = width or "m"
    bold = element("tspan", kw, class_="b")
    return element(
        "line", class_=f"axis {shown}", x1=percent(middle), x2=percent(middle), y1=y + 4, y2=on.y(limit.kw) - 3
    ) + element("text", f"{bold} {_escaped(source)}", x=percent(x), y=y, class_=f"limit mid {shown}")


def _under_the_wall(limit: Limit, limits: Sequence[Limit], on: Scale) -> list[Limit]:
    """The step and its neighbours on both sides, as far as there is wall enough above them for a line of text."""
    at = next(i for i, one in enumerate(limits) if one is limit)
    first = last = at
    while first and on.y(limits[first - 1].kw) - CLEAR > TOP + LINE:
        first -= 1
    while last + 1 < len(limits) and on.y(limits[last + 1].kw) - CLEAR > TOP + LINE:
        last += 1
    return list(limits[first : last + 1])


def _widths(limit: Limit, on: Scale, zone: str) -> tuple[str | None, str | None]:
    """In which widths a step is named in full, and in which by its source's sign; None: in none."""
    room = on.x(limit.ends) - on.x(limit.begins)
    kw, source = _text(limit, zone)
    long = fits((len(kw) + len(source) + 1) * CHARACTER + 8, room) if room * MIDDLE > 40 else None
    short = fits((len(kw.split(words.NBSP)[0]) + 3) * CHARACTER, room)
    named = None if long is None else "l" if long == "l" else "m"
    below = {"l": "s", None: ""}.get(long, "n")
    if short is None or (short and below == "n"):
        return named, None  # because: what needs a wider picture is named in full there
    return named, f"{below} {short}".strip()


def _text(limit: Limit, zone: str) -> tuple[str, str]:
    kw = words.amount(limit.kw, "kW")
    return kw, limit_words(limit, zone, kw=False)


def _label(kw: str, source: str, x: float, y: float, width: str) -> str:
    bold = element("tspan", kw, class_="b")
    return element("text", f"{bold} {_escaped(source)}", x=percent(x), y=y - 7, dx=6, class_=f"limit {width}".strip())


def _escaped(source: str) -> str:
    return source.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def key_lines(view: NightView, limits: Sequence[Limit], on: Scale) -> list[tuple[str, str]]:
    """(width, `② grid operator, by OSCP, received 23:30`): what the signs mean, in the widths in which they are shown."""
    out = []
    for (source, fallback), sign in numbered(limits, on, view.zone).items():
        own = [s for s in limits if (s.source, s.fallback) == (source, fallback)]
        shown = [_widths(s, on, view.zone) for s in own]
        signs = [short for _, short in shown if short is not None]
        last = max(own, key=lambda s: (s.heard is not None, s.heard or s.begins))
        said = limit_words(last, view.zone, kw=False)
        heard = f", received {clock(last.heard, view.zone)}" if last.heard and not fallback else ""
        widths = {short.partition(" ")[0] for short in signs}
        out.append(("" if widths - {"n", "s"} else max(widths), f"{sign} {said}{heard}"))
    return out
