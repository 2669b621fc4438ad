"""Which handler a path leads to: `{name}` takes one segment, a trailing `{name...}` all that are left."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import unquote

from core.ports import Handler
from gateway.http.stream import StreamHandler
from gateway.settings.models import Mount, Role

PREFIXES: Mapping[str, Mount] = {
    "api": "api",
    "openapi.json": "api",
    "asyncapi.json": "api",
    "metrics": "metrics",
    "live": "metrics",
    "ready": "metrics",
    "oscp": "partners",
    "ocpi": "partners",
    "oicp": "partners",
    "vdv463": "partners",
    "openadr3": "partners",
    "est": "pki",
    "ocsp": "pki",
    "crl": "pki",
    "uploads": "uploads",
}
"""The mount of a path by its first segment; everything else is a page."""


@dataclass(frozen=True, slots=True)
class Route:
    """One endpoint: exactly one of `handler` and `stream` is set; `role` None: it authenticates by itself or is public."""

    method: str
    path: str
    mount: Mount
    role: Role | None
    max_body: int
    handler: Handler | None = None
    stream: StreamHandler | None = None

    @property
    def segments(self) -> tuple[str, ...]:
        """The path's parts."""
        return _segments(self.path)


def mount_of(path: str) -> Mount:
    """The mount that a path belongs to by its first segment."""
    return PREFIXES.get(_segments(path)[0], "pages")


def _segments(path: str) -> tuple[str, ...]:
    return tuple(path.lstrip("/").split("/"))


class Routes:
    """The table of routes; literal segments win over `{name}`, `{name}` over `{name...}`."""

    def __init__(self) -> None:
        self._routes: list[tuple[tuple[str, ...], Route]] = []

    def add(self, route: Route) -> None:
        """Add one.

        Raises:
            ValueError: method and path are taken.
        """
        if any(r.method == route.method and r.path == route.path for _, r in self._routes):
            raise ValueError(f"{route.method} {route.path} is mounted twice")
        self._routes.append((route.segments, route))
        self._routes.sort(key=lambda entry: [(s.endswith("...}"), s.startswith("{")) for s in entry[0]])

    def find(self, path: str) -> tuple[dict[str, Route], dict[str, str]]:
        """The routes of the best matching path by method, and its parameters; both empty if nothing matches."""
        asked = tuple(unquote(s) for s in _segments(path))
        best: str | None = None
        methods: dict[str, Route] = {}
        params: dict[str, str] = {}
        for pattern, route in self._routes:
            found = _match(pattern, asked)
            if found is None or (best is not None and route.path != best):
                continue
            best, params = route.path, found
            methods[route.method] = route
        return methods, params


def _match(pattern: tuple[str, ...], asked: tuple[str, ...]) -> dict[str, str] | None:
    params: dict[str, str] = {}
    for index, part in enumerate(pattern):
        if part.endswith("...}"):
            params[part[1:-4]] = "/".join(asked[index:])
            return params if len(asked) > index else None
        if index >= len(asked):
            return None
        if part.startswith("{"):
            params[part[1:-1]] = asked[index]
        elif part != asked[index]:
            return None
    return params if len(asked) == len(pattern) and all(params.values()) else None
