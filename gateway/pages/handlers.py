"""The pages' endpoints: who may see what, how a page is put together, and what bad input gets."""

from __future__ import annotations

import difflib
import logging
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import replace
from datetime import datetime
from typing import TYPE_CHECKING
from urllib.parse import quote, urlencode

from markupsafe import Markup
from sqlalchemy.exc import SQLAlchemyError

from core.messages import Message
from core.ports import HttpRequest, HttpResponse, NotStored
from gateway.http.access import foreign
from gateway.http.problems import Problem, not_stored
from gateway.http.stream import StreamWriter
from gateway.pages import session
from gateway.pages.acts import Acts, Wrong
from gateway.pages.build import ONE_OF, Asked, NotADate, Pages, day_of, json_of, streamed
from gateway.pages.load import Loader, UnknownName
from gateway.pages.picture import night_file
from gateway.pages.recent import Recent
from gateway.pages.render import CSP, Frame, Page, Renderer
from gateway.pages.views import NowView, StationView, VehicleView
from gateway.readmodels.rows import Doc

if TYPE_CHECKING:
    from gateway.pages.details import Details
    from gateway.pages.live import Live
    from gateway.wiring import Hub

_log = logging.getLogger("busbar.pages")
HTML = "text/html; charset=utf-8"
REMEMBERED = 50
REACH_S = 5.0
FORMS = ("station", "vehicle")
"""Pages with a form, which carries its viewer's token."""
Shown = Callable[[HttpRequest], Awaitable[HttpResponse]]


class Handlers:
    """One method per endpoint; `_guarded` turns what can go wrong into a page that says what to do."""

    def __init__(self, hub: Hub, loader: Loader, details: Details, renderer: Renderer, version: str) -> None:
        self._hub, self._loader, self._details, self._renderer = hub, loader, details, renderer
        self._pages = Pages(renderer, loader, details)
        self._acts = Acts(hub)
        self._tokens = session.FormTokens()
        self._version = version
        self._last: OrderedDict[str, tuple[datetime, str]] = OrderedDict()
        self._pages_made: Recent[Page] = Recent(lambda: loader.rows.position)
        self._looks: Recent[NowView] = Recent(lambda: loader.rows.position)
        self._around: Recent[tuple[Doc, int]] = Recent(lambda: loader.rows.position)
        self.live: Live

    # -- pages -----------------------------------------------------------------------------------------------------

    def page(self, name: str) -> Shown:
        """The handler of a site's page."""

        async def show(request: HttpRequest) -> HttpResponse:
            asked = Asked(name, request.params.get("id", ""), request.query)
            return await self._guarded(request, self._show(request, asked))

        return show

    async def _show(self, request: HttpRequest, asked: Asked, status: int = 200) -> HttpResponse:
        frame = await self._frame(request, asked)
        if asked.posted:
            page = await self._pages.build(asked, frame)
        else:
            place = self._page_key(request, asked)
            page, position = await self._pages_made.get(place, lambda: self._pages.build(asked, frame))
            frame = replace(frame, position=position)
        self._remember(request, frame.now, page)
        return _html(status, self._renderer.page(frame, page))

    def _remember(self, request: HttpRequest, now: datetime, page: Page) -> None:
        """The last state of a page, without its forms, for when the database cannot be read."""
        key = self._key(request)
        self._last[key] = now, "".join(page.moving.values())
        self._last.move_to_end(key)
        while len(self._last) > REMEMBERED:
            self._last.popitem(last=False)

    @staticmethod
    def _key(request: HttpRequest) -> str:
        return f"{request.headers.get('busbar-user-role', '')} {request.path}?{urlencode(request.query)}"

    async def first(self, request: HttpRequest) -> HttpResponse:
        """`/`: to the only site, or all of them."""
        sites = [s.id for s in self._hub.settings.sites]
        if len(sites) == 1:
            return _see(f"/s/{quote(sites[0], safe='')}")
        return await self._guarded(request, self._show(request, Asked("sites", query=request.query)))

    async def night_svg(self, request: HttpRequest) -> HttpResponse:
        """The picture as a file."""
        return await self._guarded(request, self._night_svg(request))

    async def _night_svg(self, request: HttpRequest) -> HttpResponse:
        follow = request.query.get("follow", "")
        view = await self._loader.night(request.params["site"], self._now(), day_of(request.query), follow)
        headers = {
            "Cache-Control": "no-store",
            "Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'",
        }
        return HttpResponse(200, night_file(view).encode(), "image/svg+xml", headers)

    async def static(self, request: HttpRequest) -> HttpResponse:
        """Stylesheet, script, icon: by a name with their digest, so they may be kept for ever."""
        found = self._renderer.file(request.params["name"])
        if found is None:
            return self.problem(request, _problem(404, "Not found", f"nothing is served at {request.path}", "reload"))
        headers = {"Cache-Control": "public, max-age=31536000, immutable"}
        return HttpResponse(200, found[0], found[1], headers)

    async def stream(self, request: HttpRequest, writer: StreamWriter) -> None:
        """The parts of a page as they change."""
        try:
            asked = streamed(request.query)
            frame = await self._frame(request, asked)
            await self._pages_made.get(self._page_key(request, asked), lambda: self._pages.build(asked, frame))
        except (KeyError, UnknownName, NotADate):
            await writer.start(404)
            return
        await self.live.serve(request, asked, frame.zone, writer)

    async def make(self, request: HttpRequest, asked: Asked) -> tuple[Page, int]:
        """A page for the stream, and the position that it shows."""

        async def made() -> Page:
            return await self._pages.build(asked, await self._frame(request, asked))

        return await self._pages_made.newest(self._page_key(request, asked), made)

    async def look(self, site: str) -> NowView:
        """What a reader must hear of."""
        view, _ = await self._looks.get(site, lambda: self._loader.now(site, self._now()))
        return view

    # -- acts ------------------------------------------------------------------------------------------------------

    async def place(self, request: HttpRequest) -> HttpResponse:
        """The form "which vehicle stands here": 303 back to the station once the rows have it.

        Where it lowers somebody's readiness the numbers are shown first, and the same form asks once more.
        """
        return await self._guarded(request, self._place(request))

    async def _place(self, request: HttpRequest) -> HttpResponse:
        site, station = request.params["site"], request.params["id"]
        view = await self._details.station(site, station, self._now())
        return await self._act(request, Asked("station", station), view, lambda f: self._acts.place(request, view, f))

    async def charge(self, request: HttpRequest) -> HttpResponse:
        """The form "its state of charge, read from the vehicle": as `place`, back to the vehicle."""
        return await self._guarded(request, self._charge(request))

    async def _charge(self, request: HttpRequest) -> HttpResponse:
        site, vehicle = request.params["site"], request.params["id"]
        view = await self._details.vehicle(site, vehicle, self._now())
        return await self._act(request, Asked("vehicle", vehicle), view, lambda f: self._acts.charge(request, view, f))

    async def _act(
        self,
        request: HttpRequest,
        about: Asked,
        view: StationView | VehicleView,
        state: Callable[[Mapping[str, str]], list[Message]],
    ) -> HttpResponse:
        """What a form of that page states: refused where it is wrong, asked once more where it makes something worse."""
        fields = session.form(request)
        asked = replace(about, typed=fields)
        if not self._tokens.fits(request, fields):
            return await self._show(
                request, replace(asked, wrong="This form is from before. Next: send it again."), 400
            )
        try:
            messages = state(fields)
        except Wrong as wrong:
            return await self._show(request, replace(asked, wrong=str(wrong)), 400)
        worse = () if fields.get("sure") == "1" else await self._acts.lowers(view, messages[-1])
        if worse:
            return await self._show(request, replace(asked, worse=worse))
        position = await self._acts.keep(view.site, messages)
        await self._loader.rows.models.reached(await self._acts.followed(view.site, position), REACH_S)
        for recent in (self._pages_made, self._looks, self._around):
            recent.forget()
        return _see(f"/s/{quote(view.site, safe='')}/{ONE_OF[about.name]}/{quote(about.id, safe='')}")

    async def sign_in_page(self, request: HttpRequest) -> HttpResponse:
        """One field."""
        return self._sign_in(request, 200, session.back(request.query.get("next", "/")))

    async def sign_in(self, request: HttpRequest) -> HttpResponse:
        """A known token becomes a cookie; back to where the person wanted to go."""
        fields = session.form(request)
        path, token = session.back(fields.get("next", "/")), fields.get("access", "").strip()
        if foreign("POST", request.headers) is not None:
            return self.problem(request, _problem(403, "Refused", "The form came from another site.", "sign in here"))
        if self._hub.http.users.open:
            return _see(path)
        if not token or self._hub.http.users.find(token) is None:
            return self._sign_in(request, 400, path, "Access token: nobody is known by it. Next: copy it again, whole.")
        if not token.isascii() or any(c in ' ;,"\\' or not c.isprintable() for c in token):
            wrong = "Access token: it holds signs that no cookie can. Next: choose one of letters and digits."
            return self._sign_in(request, 400, path, wrong)
        return _see(path, session.signed_in(token, secure=session.over_tls(request)))

    async def sign_out(self, request: HttpRequest) -> HttpResponse:
        """Forget the cookie."""
        if not self._tokens.fits(request, session.form(request)):
            return self.problem(request, _problem(400, "Not signed out", "The form is from before.", "try again"))
        return _see("/sign-in", session.signed_out())

    async def theme(self, request: HttpRequest) -> HttpResponse:
        """Light, dark, or as the system."""
        fields = session.form(request)
        chosen = fields.get("theme", "")
        chosen = chosen if chosen in session.THEMES else ""
        cookie = session.cookie(
            session.THEME, chosen, secure=session.over_tls(request), age_s=31_536_000 if chosen else 0
        )
        return _see(session.back(fields.get("back", "/")), cookie)

    # -- what goes wrong -------------------------------------------------------------------------------------------

    async def _guarded(self, request: HttpRequest, doing: Awaitable[HttpResponse]) -> HttpResponse:
        try:
            return await doing
        except UnknownName as unknown:
            return self._unknown(request, unknown)
        except NotADate as wrong:
            told = f"Evening of: {str(wrong)[:40]!r} is no date."
            return self.problem(request, _problem(400, "Not a date", told, "write it as 2026-11-25"))
        except NotStored as error:
            return self.problem(request, not_stored(error))
        except (SQLAlchemyError, OSError) as error:
            _log.warning("pages cannot read: %s", error)
            told = "The read models cannot be read now."
            problem = _problem(503, "Not current", told, "reload; if it stays, `busbar doctor` on the hub")
            return self.problem(request, problem, last=self._last.get(self._key(request)))

    def _unknown(self, request: HttpRequest, unknown: UnknownName) -> HttpResponse:
        close = difflib.get_close_matches(unknown.name, unknown.known, 1, 0.3)
        nearest = (close[0], unknown.where.format(quote(close[0], safe=""))) if close else None
        title = f"There is no {unknown.what} {unknown.name[:64]}"
        problem = _problem(404, title, "Nothing by that name is known here.", "look at the list")
        return self.problem(request, problem, nearest=nearest, listed_at=unknown.listed_at)

    def problem(
        self,
        request: HttpRequest,
        problem: Problem,
        *,
        nearest: tuple[str, str] | None = None,
        listed_at: str = "",
        last: tuple[datetime, str] | None = None,
    ) -> HttpResponse:
        """A page that says no, with layout and status; also for what the host itself refuses."""
        whole = f"{request.path}?{urlencode(request.query)}" if request.query else request.path
        body = self._renderer.message(
            self._bare(request),
            "problem.html",
            status=problem.status,
            title=problem.title,
            detail=_sentence(problem.detail),
            step=problem.next,
            back=whole if request.method == "GET" else "/",
            nearest=nearest,
            listed_at=listed_at,
            last=(last[0], Markup(last[1])) if last else None,  # noqa: S704 because: rendered by ourselves
        )
        return _html(problem.status, body, problem.headers)

    def _sign_in(self, request: HttpRequest, status: int, path: str, wrong: str = "") -> HttpResponse:
        frame = self._bare(request)
        return _html(status, self._renderer.message(frame, "sign_in.html", next=path, wrong=wrong))

    # -- what stands around ----------------------------------------------------------------------------------------

    def _now(self) -> datetime:
        return self._hub.clock.now()

    def _bare(self, request: HttpRequest) -> Frame:
        """The frame of a page that shows nothing of a site; its links are for whoever is known."""
        known = self._hub.settings.site(request.params.get("site") or self._only_site())
        shown = known is not None and "busbar-user" in request.headers
        return Frame(
            now=self._now(),
            zone=known.zone if known else "UTC",
            site=known.id if known and shown else "",
            position=self._loader.rows.position,
            version=self._version,
            theme=session.theme(request),
            token=self._tokens.of(request),
            user=request.headers.get("busbar-user", ""),
            role=request.headers.get("busbar-user-role", ""),
            open=self._hub.http.users.open,
            path=request.path if request.method == "GET" else "/",
        )

    async def _frame(self, request: HttpRequest, asked: Asked) -> Frame:
        site = request.params.get("site") or self._only_site()
        frame = replace(self._bare(request), json=json_of(asked, site), page=asked.name)
        if not site:
            return frame
        (row, incidents), _ = await self._around.get(site, lambda: self._stands_around(site))
        plural = ONE_OF.get(asked.name)
        return replace(
            frame,
            site=site,
            name=row["name"],
            several=len(self._hub.settings.sites) > 1,
            zone=row["zone"],
            page=f"{plural}/{asked.id}" if plural else asked.name,
            query=f"&{urlencode(asked.query)}" if asked.query else "",
            incidents=incidents,
            live=asked.name not in ("why", "sites", "session"),
            path=request.path if request.method == "GET" else f"/s/{quote(site, safe='')}",
        )

    async def _stands_around(self, site: str) -> tuple[Doc, int]:
        return await self._loader.site(site), len(await self._loader.incidents(site))

    def _page_key(self, request: HttpRequest, asked: Asked) -> tuple[str, ...]:
        """Equal places are equal pages: also the token of a form counts where a page has one."""
        token = self._tokens.of(request) if asked.name in FORMS else ""
        role = request.headers.get("busbar-user-role", "")
        return (request.params.get("site") or self._only_site(), role, token, *asked.key)

    def _only_site(self) -> str:
        sites = [s.id for s in self._hub.settings.sites]
        return sites[0] if len(sites) == 1 else ""


def _html(status: int, body: bytes, more: Mapping[str, str] | None = None) -> HttpResponse:
    headers = {"Content-Security-Policy": CSP, "Cache-Control": "no-store", **(more or {})}
    return HttpResponse(status, body, HTML, headers)


def _see(path: str, cookie: str | None = None) -> HttpResponse:
    headers = {"Location": path, "Cache-Control": "no-store", "Content-Security-Policy": CSP}
    return HttpResponse(303, b"", HTML, headers | ({"Set-Cookie": cookie} if cookie else {}))


def _problem(status: int, title: str, detail: str, step: str) -> Problem:
    return Problem(status, "page", title, detail, step)


def _sentence(text: str) -> str:
    shown = text[:1].upper() + text[1:]
    return shown if shown.endswith((".", "?", "!")) else f"{shown}."
