"""HTML from plain views: one Jinja environment, escaping everything, with the one formatter as its filters."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cached_property
from importlib.resources import files
from typing import Any
from urllib.parse import quote

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup, escape

from core.messages import words as figures
from gateway.pages import board, charge, picture, words
from gateway.pages.picture.rows import SHAPES, TINTS

CSP = (
    "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self'; connect-src 'self'; "
    "form-action 'self'; frame-ancestors 'none'; base-uri 'none'"
)
STATIC: Mapping[str, str] = {
    "busbar.css": "text/css; charset=utf-8",
    "live.js": "text/javascript; charset=utf-8",
    "icon.svg": "image/svg+xml",
}


@dataclass(frozen=True, slots=True)
class Frame:
    """What stands around a page: who looks at it, where, when, and in which colours."""

    now: datetime
    zone: str = "UTC"
    site: str = ""
    name: str = "Busbar"
    several: bool = False
    """There are other sites, so each page says which one it is about."""
    page: str = ""
    """The page's name for navigation and the stream."""
    query: str = ""
    """What the stream is asked with."""
    position: int = 0
    version: str = ""
    theme: str = ""
    token: str = ""
    """Goes into every form."""
    user: str = ""
    role: str = ""
    open: bool = False
    """No users are configured: this hub answers its own machine alone."""
    incidents: int = 0
    json: str = ""
    """This page as data."""
    path: str = "/"
    live: bool = False


@dataclass(frozen=True, slots=True)
class Page:
    """A page in parts: each a fragment with an id that a stream may replace, save the `fixed` ones."""

    title: str
    parts: Mapping[str, str] = field(default_factory=dict)
    fixed: frozenset[str] = frozenset()

    @property
    def moving(self) -> dict[str, str]:
        """What a stream sends."""
        return {name: part for name, part in self.parts.items() if name not in self.fixed}


class Renderer:
    """Templates and static files, read once."""

    def __init__(self) -> None:
        self.static = {name: _read("static", name).encode() for name in STATIC}
        self.names = {name: _digested(name, body) for name, body in self.static.items()}
        self._shapes = Markup(_read("static", "shapes.svg"))  # noqa: S704 because: our own file

    @cached_property
    def _environment(self) -> Environment:
        environment = Environment(
            loader=PackageLoader("gateway.pages", "templates"),
            autoescape=True,
            undefined=StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
        )
        environment.globals |= {
            "W": words,
            "STATES": words.STATES,
            "SHAPES": SHAPES,
            "TINTS": TINTS,
            "board": board.board,
            "needing": board.needing,
            "quarters": board.quarters,
            "night_svg": lambda view: Markup(picture.night_svg(view)),  # noqa: S704 because: it escapes by itself
            "key_lines": picture.key_lines,
            "charge_svg": lambda view: Markup(charge.charge_svg(view)),  # noqa: S704 because: it escapes by itself
            "crowded": picture.crowded,
            "when": when,
            "UNKNOWN": figures.UNKNOWN,
        }
        environment.filters |= {
            "kw": lambda value: figures.amount(value, "kW"),
            "kwh": lambda value: figures.amount(value, "kWh"),
            "needed_kwh": lambda value: figures.amount(value, "kWh", up=True),
            "pct": figures.percent,
            "span": figures.span,
            "path": lambda value: quote(str(value), safe=""),
            "coded": coded,
            "listed": lambda value: figures.listed(list(value)),
        }
        return environment

    def part(self, template: str, id: str, frame: Frame, **values: Any) -> str:
        """One fragment: a section with an id."""
        inner = self._environment.get_template(f"parts/{template}.html").render(frame=frame, **values)
        return f'<section id="part-{id}" class="part">{inner}</section>'

    def page(self, frame: Frame, page: Page) -> bytes:
        """The whole document."""
        return self._whole("page.html", frame, title=page.title, parts=[Markup(p) for p in page.parts.values()])  # noqa: S704 because: rendered by `part`

    def message(self, frame: Frame, template: str, **values: Any) -> bytes:
        """A page without parts: sign-in, an answer that says no."""
        return self._whole(template, frame, **values)

    def _whole(self, template: str, frame: Frame, **values: Any) -> bytes:
        return (
            self._environment.get_template(template)
            .render(frame=frame, names=self.names, shapes=self._shapes, **values)
            .encode()
        )

    def file(self, asked: str) -> tuple[bytes, str] | None:
        """A static file by its name with digest, and its type."""
        for name, digested in self.names.items():
            if digested == asked:
                return self.static[name], STATIC[name]
        return None


def coded(text: str) -> Markup:
    """A sentence in which commands stand between backticks: they are set as code."""
    plain = text.split("`")
    if len(plain) % 2 == 0:
        return escape(text)
    return Markup("").join(Markup("<code>{}</code>").format(p) if n % 2 else escape(p) for n, p in enumerate(plain))


def when(moment: datetime | None, frame: Frame, *, seconds: bool = False, day: bool = True) -> Markup:
    """A `<time>`: in the site's zone for people, in UTC for programs; `?` where it is not known."""
    if moment is None:
        return Markup(figures.UNKNOWN)  # noqa: S704 because: a constant
    text = figures.moment(moment, frame.zone, now=frame.now if day else None)
    if seconds:
        text = f"{words.local(moment, frame.zone):%H:%M:%S}" + text[5:]
    stamp = moment.astimezone(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
    return Markup('<time datetime="{}">{}</time>').format(stamp, text)


def _read(folder: str, name: str) -> str:
    return (files("gateway.pages") / folder / name).read_text("utf-8")


def _digested(name: str, body: bytes) -> str:
    stem, dot, kind = name.rpartition(".")
    return f"{stem}.{hashlib.sha256(body).hexdigest()[:10]}{dot}{kind}"
