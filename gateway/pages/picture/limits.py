"""The limit: a step line with a hatched wall above it, each step with its kW and who set it."""

from __future__ import annotations

from collections.abc import Sequence

from core.messages import words
from gateway.pages.picture.marks import element, percent
from gateway.pages.picture.scale import CHARACTER, MIDDLE, TOP, Scale, fits
from gateway.pages.views import Limit, NightView
from gateway.pages.words import clock, limit_words

CIRCLED = "①②③④⑤⑥⑦⑧⑨⑩⑪⑫⑬⑭⑮⑯⑰⑱⑲⑳"


def numbered(limits: Sequence[Limit]) -> dict[tuple[str, bool], str]:
    """A sign for each source, in the order in which they first bind."""
    keys = dict.fromkeys((limit.source, limit.fallback) for limit in limits)
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
    signs = numbered(limits)
    out = ""
    for limit in limits:
        x, room = on.x(limit.begins), on.x(limit.ends) - on.x(limit.begins)
        if room <= 0:
            continue
        kw, source = _text(limit, zone)
        sign = signs[(limit.source, limit.fallback)]
        long = fits((len(kw) + len(source) + 1) * CHARACTER + 8, room) if room * MIDDLE > 40 else None
        number = kw.split(words.NBSP)[0]
        short = fits((len(number) + 3) * CHARACTER, room)
        if long is not None:
            out += _label(kw, source, x, on.y(limit.kw), "l" if long == "l" else "m")
        if short is not None:
            below = {"l": "s", None: ""}.get(long, "n")
            if short and below == "n":
                continue  # because: what needs a wider picture is named in full there
            out += _label(number, sign, x, on.y(limit.kw), f"{below} {short}".strip())
    return out


def _text(limit: Limit, zone: str) -> tuple[str, str]:
    kw = words.amount(limit.kw, "kW")
    return kw, limit_words(limit, zone, kw=False)


def _label(kw: str, source: str, x: float, y: float, width: str) -> str:
    bold = element("tspan", kw, class_="b")
    return element("text", f"{bold} {_escaped(source)}", x=percent(x), y=y - 7, dx=6, class_=f"limit {width}".strip())


def _escaped(source: str) -> str:
    return source.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def key_lines(view: NightView, limits: Sequence[Limit]) -> list[str]:
    """`② grid operator, by OSCP, received 23:30`: what the signs of the narrow picture mean."""
    out = []
    for (source, fallback), sign in numbered(limits).items():
        own = [s for s in limits if (s.source, s.fallback) == (source, fallback)]
        last = max(own, key=lambda s: (s.heard is not None, s.heard or s.begins))
        said = limit_words(last, view.zone, kw=False)
        heard = f", received {clock(last.heard, view.zone)}" if last.heard and not fallback else ""
        out.append(f"{sign} {said}{heard}")
    return out
