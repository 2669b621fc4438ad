"""Puts the pages on a hub: one table of endpoints."""

from __future__ import annotations

from importlib.metadata import PackageNotFoundError, version
from typing import TYPE_CHECKING

from gateway.pages.details import Details
from gateway.pages.handlers import Handlers
from gateway.pages.live import Live
from gateway.pages.load import Loader
from gateway.pages.render import Renderer
from gateway.pages.rows import PageRows

if TYPE_CHECKING:
    from gateway.wiring import Hub

FORM = 16 * 1024
"""Bytes of a posted form at most."""
SITE_PAGES = {
    "/s/{site}": "now",
    "/s/{site}/night": "night",
    "/s/{site}/vehicles": "vehicles",
    "/s/{site}/vehicles/{id}": "vehicle",
    "/s/{site}/stations": "stations",
    "/s/{site}/stations/{id}": "station",
    "/s/{site}/incidents": "incidents",
    "/s/{site}/incidents/{id}": "incident",
    "/s/{site}/sessions/{id}": "session",
    "/why/{id}": "why",
}


def mount(hub: Hub) -> None:
    """Serve the pages on the hub's HTTP host, over the API's read models; called once, after the API is mounted."""
    renderer = Renderer()
    loader = Loader(PageRows(hub.api.models), lambda site: hub.feed.directory.configs.get(site))
    details = Details(loader, hub.api.reads.bodies, hub.api.reads.state)
    handlers = Handlers(hub, loader, details, renderer, _version())
    handlers.live = Live(handlers.make, hub.clock.now, renderer.names["live.js"], handlers.look)
    hub.api.models.applied.append(handlers.live.take)
    hub.http.error_pages["pages"] = handlers.problem
    _routes(hub, handlers)


def _routes(hub: Hub, handlers: Handlers) -> None:
    for path, name in SITE_PAGES.items():
        hub.http.route("GET", path, handlers.page(name), 0, mount="pages")
    hub.http.route("GET", "/", handlers.first, 0, mount="pages")
    hub.http.route("GET", "/s/{site}/night.svg", handlers.night_svg, 0, mount="pages")
    hub.http.route("POST", "/s/{site}/stations/{id}/vehicle", handlers.place, FORM, mount="pages", role="operator")
    hub.http.route("POST", "/s/{site}/vehicles/{id}/charge", handlers.charge, FORM, mount="pages", role="operator")
    hub.http.route("POST", "/sign-out", handlers.sign_out, FORM, mount="pages", role="viewer")
    hub.http.stream("/s/{site}/stream", handlers.stream, mount="pages", role="viewer")
    for method, path, handler in (
        ("GET", "/static/{name}", handlers.static),
        ("GET", "/sign-in", handlers.sign_in_page),
        ("POST", "/sign-in", handlers.sign_in),
        ("POST", "/theme", handlers.theme),
    ):
        hub.http.route(method, path, handler, FORM, mount="pages", role=None)


def _version() -> str:
    try:
        return version("busbar-hub")
    except PackageNotFoundError:
        return ""
