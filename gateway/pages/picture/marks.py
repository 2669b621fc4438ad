"""SVG as text: escaped marks at percent positions, and relative integer paths of step functions."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

Value = str | int | float


def number(value: float) -> str:
    """A coordinate in as few characters as it needs: at most two decimals."""
    text = f"{value:.2f}".rstrip("0").rstrip(".")
    return "0" if text in ("-0", "") else text


def percent(fraction: float) -> str:
    """A share of the plot's width."""
    return f"{number(fraction * 100)}%"


def element(tag: str, content: str = "", /, **attributes: Value | None) -> str:
    """An element; `class_` is class, `_` is `-`; None leaves an attribute out. `content` is markup already."""
    told = []
    for name, value in attributes.items():
        if value is not None:
            shown = number(value) if isinstance(value, float) else str(value)
            told.append(f' {name.rstrip("_").replace("_", "-")}="{escape(shown)}"')
    head = f"<{tag}{''.join(told)}"
    return f"{head}>{content}</{tag}>" if content else f"{head}/>"


def text(content: str, x: str | float, y: float, /, class_: str = "", **attributes: Value | None) -> str:
    """A text; `content` is a stranger's."""
    return element("text", escape(content), x=x, y=y, class_=class_ or None, **attributes)


def use(symbol: str, x: str, y: float, dx: float = 0, class_: str = "") -> str:
    """A shape of 16 px, centred at (x + dx, y)."""
    return element(
        "use",
        href=f"#s-{symbol}",
        x=x,
        y=number(y - 8),
        width=16,
        height=16,
        transform=f"translate({number(dx - 8)})",
        class_=class_ or None,
    )


def _along(xs: Sequence[int], ys: Sequence[int], slots: Sequence[int], forward: bool) -> list[str]:
    """The steps over `slots` (in walking order), without the first move."""
    out: list[str] = []
    run, at = 0, ys[slots[0]]
    for slot in slots:
        if ys[slot] != at:
            out.append(f"h{run}v{ys[slot] - at}")
            run, at = 0, ys[slot]
        width = xs[slot + 1] - xs[slot]
        run += width if forward else -width
    out.append(f"h{run}")
    return out


def line(xs: Sequence[int], ys: Sequence[int | None]) -> str:
    """A step line; it breaks where a value is None."""
    parts = []
    for first, last in runs([y is not None for y in ys]):
        known = [0 if y is None else y for y in ys]
        parts += [f"M{xs[first]} {known[first]}", *_along(xs, known, range(first, last), True)]
    return "".join(parts)


def area(xs: Sequence[int], lower: Sequence[int], upper: Sequence[int], shown: Sequence[bool]) -> str:
    """The closed area between two step lines, in one piece per run of shown slots."""
    parts = []
    for first, last in runs(shown):
        slots = range(first, last)
        parts += [f"M{xs[first]} {upper[first]}", *_along(xs, upper, slots, True)]
        parts += [f"V{lower[last - 1]}", *_along(xs, lower, slots[::-1], False), "z"]
    return "".join(parts)


def outline(xs: Sequence[int], base: int, upper: Sequence[int], shown: Sequence[bool]) -> str:
    """The top and sides of an area above `base`, open below."""
    parts = []
    for first, last in runs(shown):
        parts += [f"M{xs[first]} {base}V{upper[first]}", *_along(xs, upper, range(first, last), True), f"V{base}"]
    return "".join(parts)


def runs(shown: Sequence[bool]) -> list[tuple[int, int]]:
    """Half-open runs of what is true."""
    out: list[tuple[int, int]] = []
    first: int | None = None
    for index, value in enumerate([*shown, False]):
        if value and first is None:
            first = index
        elif not value and first is not None:
            out.append((first, index))
            first = None
    return out
