"""The host that adapters, API and pages mount their endpoints on: life cycle, bounds, roles, answers."""

from __future__ import annotations

import asyncio
import functools
import itertools
import json
import logging
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import Any, Literal

from aiohttp import web
from aiohttp.http_exceptions import HttpProcessingError

from core.ports import Clock, Handler, HttpRequest, HttpResponse, NotStored, Tls
from gateway.http import problems
from gateway.http.access import Identity, Users, foreign
from gateway.http.compression import compressed
from gateway.http.problems import Problem
from gateway.http.rate import RateLimit
from gateway.http.requests import Refused, bare, read_body, whole
from gateway.http.routes import Route, Routes, mount_of
from gateway.http.stream import StreamHandler, StreamWriter, pump
from gateway.metrics import Metrics
from gateway.settings.models import HttpListener, Mount, Role

_log = logging.getLogger("busbar.http")
DEFAULT_BODY = 1024 * 1024
GRACE_S = 3.0
"""How long requests in flight may take when the host stops."""
LINGER_S = 2.0
"""How long the rest of a request that was refused already is read, so that its sender gets the answer."""
IDLE_S = 75.0
"""How long a connection may be without a whole head of a request: silent, or sending it drop by drop."""
Needed = Role | Literal["by_mount"] | None
_ALWAYS = {"X-Content-Type-Options": "nosniff", "Referrer-Policy": "same-origin", "Server": "busbar"}
Check = Callable[[], str | None]
ErrorPage = Callable[[HttpRequest, Problem], HttpResponse]


class _Peers(logging.LoggerAdapter[logging.Logger]):
    """The log of the sockets: what is no HTTP was answered 400 and is no defect of ours, so it is one quiet line."""

    def exception(self, msg: object, *args: object, exc_info: Any = True, **more: Any) -> None:
        """An error of a connection."""
        if isinstance(exc_info, HttpProcessingError):
            self.info("what %s sent is no HTTP: %s", args[0] if args else "a peer", type(exc_info).__name__)
        else:
            super().exception(msg, *args, exc_info=exc_info, **more)


class MountedAt:
    """The `HttpHost` port of one mount: what an adapter is handed, so that its paths land where they belong."""

    def __init__(self, host: HttpHost, mount: Mount) -> None:
        self._host, self._mount = host, mount

    def route(self, method: str, path: str, handler: Handler, max_body: int) -> None:
        """Mount `handler`; it authenticates its peer by itself."""
        self._host.route(method, path, handler, max_body, mount=self._mount, role=None)


class HttpHost:
    """Several listeners over one table of routes.

    Built once, filled with `route` and `stream`, then `start`ed; routes added later are served at once. Requests of
    pages and API need a role (GET and HEAD: viewer, all else: operator, unless the route says otherwise).
    """

    def __init__(self, users: Users, metrics: Metrics, clock: Clock | None = None) -> None:
        self.users = users
        self.ready_checks: dict[str, Check] = {}
        """By name: None while that part is ready, else what it waits for. `/ready` asks all of them."""
        self.error_pages: dict[Mount, ErrorPage] = {}
        """How a mount shows what the host itself refuses; without one it is a problem document."""
        self.addresses: dict[str, str] = {}
        """Listener name to the URL that it really bound."""
        self._metrics, self._clock = metrics, clock
        self._routes = Routes()
        self._runners: list[web.ServerRunner] = []
        self._streams: set[asyncio.Task[None]] = set()
        self._numbers = itertools.count(1)
        self._machines()

    def route(
        self,
        method: str,
        path: str,
        handler: Handler,
        max_body: int = DEFAULT_BODY,
        *,
        mount: Mount | None = None,
        role: Needed = "by_mount",
    ) -> None:
        """Mount `handler` at `path` (`/s/{site}/now`); `role` None: public, or it authenticates by itself.

        Raises:
            ValueError: method and path are taken.
        """
        at = mount or mount_of(path)
        self._routes.add(Route(method, path, at, _role(method, at, role), max_body, handler=handler))

    def stream(
        self, path: str, handler: StreamHandler, *, mount: Mount | None = None, role: Needed = "by_mount"
    ) -> None:
        """Mount a handler that keeps its response open: it gets the request and a `StreamWriter`; GET only.

        It is cancelled when the host stops, and gets `StreamClosed` when the client is gone. A stream holds no clock.
        """
        at = mount or mount_of(path)
        self._routes.add(Route("GET", path, at, _role("GET", at, role), 0, stream=handler))

    def at(self, mount: Mount) -> MountedAt:
        """The port for one mount; adapters get `at("partners")`."""
        return MountedAt(self, mount)

    async def start(self, listeners: Sequence[HttpListener], tls: Tls) -> None:
        """Open the listeners.

        Raises:
            OSError: an address cannot be bound.
            gateway.tls.TlsUnusable: a listener names a context that nobody declared.
        """
        for listener in listeners:
            await self._open(listener, tls)

    async def _open(self, listener: HttpListener, tls: Tls) -> None:
        context = tls.server(listener.tls) if listener.tls else None
        limit = RateLimit(listener.rate, listener.rate_burst)
        handler = functools.partial(self._serve, listener, limit)
        server = web.Server(
            handler, access_log=None, lingering_time=LINGER_S, keepalive_timeout=IDLE_S, logger=_Peers(_log, {})
        )
        runner = web.ServerRunner(server, access_log=None, shutdown_timeout=GRACE_S)
        await runner.setup()
        self._runners.append(runner)
        await web.TCPSite(runner, listener.host, listener.port, ssl_context=context).start()
        port = runner.addresses[-1][1]
        name = f"[{listener.host}]" if ":" in listener.host else listener.host
        self.addresses[listener.name] = f"{'https' if context else 'http'}://{name}:{port}"

    async def stop(self) -> None:
        """Take no more, end the streams, let requests in flight be answered (a few seconds at most), close."""
        for stream in self._streams:
            stream.cancel()
        if self._streams:
            await asyncio.wait(self._streams, timeout=GRACE_S)
        await asyncio.gather(*(runner.cleanup() for runner in self._runners))
        self._runners.clear()
        self.addresses.clear()

    async def _serve(self, listener: HttpListener, limit: RateLimit, request: web.BaseRequest) -> web.StreamResponse:
        """One request, from the socket to its answer; the one place where a defect of a handler ends."""
        begun = time.monotonic()
        asked = bare(request)
        route: Route | None = None
        try:
            _within(limit, asked.peer, begun)
            route, params = self._find(listener, asked)
            answer = await self._admit(listener, route, params, asked, request)
        except Refused as refused:
            answer = refused.problem
        if isinstance(answer, web.StreamResponse):
            return answer
        mount = route.mount if route else mount_of(asked.path)
        if isinstance(answer, Problem):
            page = self.error_pages.get(mount)
            answer = page(asked, answer) if page else answer.response(asked.path)
            answer = await compressed(answer, asked, mount)
        self._metrics.observe("http_request_seconds", time.monotonic() - begun, {"mount": mount})
        self._metrics.report("http_requests", {"mount": mount, "status": str(answer.status)})
        headers = {**_ALWAYS, **answer.headers, "Content-Type": answer.content_type}
        return web.Response(status=answer.status, body=answer.body, headers=headers)

    def _find(self, listener: HttpListener, asked: HttpRequest) -> tuple[Route, dict[str, str]]:
        methods, params = self._routes.find(asked.path)
        methods = {m: r for m, r in methods.items() if r.mount in listener.mounts}
        if not methods:
            raise Refused(problems.not_found(asked.path))
        route = methods.get(asked.method) or (methods.get("GET") if asked.method == "HEAD" else None)
        if route is None:
            raise Refused(problems.not_allowed(asked.method, sorted(methods)))
        return route, params

    async def _admit(
        self,
        listener: HttpListener,
        route: Route,
        params: Mapping[str, str],
        asked: HttpRequest,
        request: web.BaseRequest,
    ) -> HttpResponse | Problem | web.StreamResponse:
        """Role, body, handler, in this order: nothing of a stranger's body is read."""
        who = self._authorise(route, asked, request)
        if route.stream is not None:
            return await self._streamed(route.stream, whole(asked, params, b"", who), request)
        body = await read_body(request, min(route.max_body, listener.max_body_bytes))
        with self._hold(f"http:{next(self._numbers)}:{asked.method} {asked.path}"):
            answer = await self._answer(route, whole(asked, params, body, who))
            return answer if isinstance(answer, Problem) else await compressed(answer, asked, route.mount)

    def _authorise(self, route: Route, asked: HttpRequest, request: web.BaseRequest) -> Identity | None:
        if route.role is None:
            return self.users.identify(asked.headers, request.cookies, asked.peer) if route.mount == "pages" else None
        who = self.users.identify(asked.headers, request.cookies, asked.peer)
        if who is None:
            raise Refused(problems.no_token())
        if not who.may(route.role):
            raise Refused(problems.wrong_role(who.name, who.role, route.role))
        origin = foreign(asked.method, asked.headers) if who.by_cookie or self.users.open else None
        if origin is not None:
            raise Refused(problems.foreign_origin(origin))
        return who

    async def _answer(self, route: Route, request: HttpRequest) -> HttpResponse | Problem:
        assert route.handler is not None
        try:
            return await route.handler(request)
        except NotStored as error:
            return problems.not_stored(error)
        except Exception:  # noqa: BLE001 because: this is the boundary; a handler's defect is one answer, not the listener's end
            number = f"http-{next(self._numbers)}"
            _log.exception("%s: %s %s failed", number, route.method, route.path)
            return problems.failed(number)

    async def _streamed(self, handler: StreamHandler, request: HttpRequest, raw: web.BaseRequest) -> web.StreamResponse:
        writer = StreamWriter(raw)
        task = asyncio.ensure_future(pump(handler, request, writer))
        self._streams.add(task)
        try:
            await task
        finally:
            self._streams.discard(task)
            task.cancel()
        if writer.response is None:
            await writer.start(204)
        assert writer.response is not None
        return writer.response

    def _hold(self, who: str) -> AbstractContextManager[None]:
        return nullcontext() if self._clock is None else self._clock.hold(who)

    def _machines(self) -> None:
        async def live(request: HttpRequest) -> HttpResponse:
            return HttpResponse(200, b"live\n", "text/plain; charset=utf-8")

        async def ready(request: HttpRequest) -> HttpResponse:
            found = {name: check() for name, check in self.ready_checks.items()}
            waiting = {name: what for name, what in found.items() if what is not None}
            document = json.dumps({"ready": not waiting, "waiting": waiting}).encode()
            return HttpResponse(503 if waiting else 200, document, headers={"Retry-After": "1"} if waiting else {})

        async def metrics(request: HttpRequest) -> HttpResponse:
            return HttpResponse(200, self._metrics.text(), self._metrics.content_type)

        for path, handler in {"/live": live, "/ready": ready, "/metrics": metrics}.items():
            self.route("GET", path, handler, role=None)


def _within(limit: RateLimit, peer: str, now: float) -> None:
    wait = limit.take(peer, now)
    if wait:
        raise Refused(problems.too_many(wait))


def _role(method: str, mount: Mount, needed: Needed) -> Role | None:
    if needed != "by_mount":
        return needed
    if mount not in {"pages", "api"}:
        return None
    return "viewer" if method in {"GET", "HEAD"} else "operator"
