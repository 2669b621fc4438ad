"""The WebSocket server that stations connect to: who may come in, by which version, over which listener (OCPP-J section 3)."""

from __future__ import annotations

import base64
import binascii
import hmac
import http
import logging
import math
from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime, timedelta
from urllib.parse import unquote

from websockets.asyncio.server import Server, ServerConnection, serve
from websockets.http11 import Request, Response
from websockets.typing import Subprotocol

from core.ports import KnownStation, Ports
from protocols.ocpp.knocks import Knocks
from protocols.ocpp.pace import Bucket
from protocols.ocpp.settings import Listener, Settings

log = logging.getLogger(__name__)

Accept = Callable[[ServerConnection, KnownStation], Awaitable[None]]


def identity(path: str) -> str | None:
    """The station's identity: the last segment of the path, decoded; None where there is none."""
    segments = [segment for segment in path.partition("?")[0].split("/") if segment]
    return unquote(segments[-1]) if segments else None


def password(header: str | None, user: str) -> bytes | None:
    """The password that an `Authorization` header carries for this user; None where it is not Basic, or another's.

    Bytes, because 1.6 keys are often not UTF-8; not split at a colon, because an identity may hold one.
    """
    scheme, _, value = (header or "").partition(" ")
    if scheme.lower() != "basic":
        return None
    try:
        pair = base64.b64decode(value.strip(), validate=True)
    except (binascii.Error, ValueError):
        return None
    start = f"{user}:".encode()
    return pair.removeprefix(start) if pair.startswith(start) else None


class Door:
    """Decides before the upgrade whether a station may come in, and by which version."""

    def __init__(
        self,
        ports: Ports,
        settings: Settings,
        knocks: Knocks,
        flapping: Knocks,
        order: Sequence[str],
        pinned: Callable[[str], str | None],
    ) -> None:
        self._ports = ports
        self._settings = settings
        self._knocks = knocks
        self._flapping = flapping
        self._arrivals: dict[str, Bucket] = {}
        """Only of stations that proved who they are: nobody else can use up what a station may do."""
        self._order = order
        self._pinned = pinned

    def request(self, socket: ServerConnection, request: Request) -> Response | None:
        """Refuse with 404, 401, 400 or 429 before the upgrade; None lets the station in."""
        name = identity(request.path)
        known = self._ports.directory.station(name) if name else None
        if name is None or known is None:
            return self._refuse(socket, request, name, http.HTTPStatus.NOT_FOUND, "station_unknown")
        if not self._authentic(known, request):
            return self._refuse(socket, request, name, http.HTTPStatus.UNAUTHORIZED, "credential_wrong")
        if not _versions(request):
            return self._refuse(socket, request, name, http.HTTPStatus.BAD_REQUEST, "version_refused")
        again = self._arrive(known.id)
        if again is not None:
            return self._put_off(socket, request, known.id, again)
        quirks = self._settings.quirks.get(known.id)
        if quirks is not None and quirks.no_pong:
            socket.ping_timeout = None
        return None

    def version(self, socket: ServerConnection, offered: Sequence[Subprotocol]) -> Subprotocol | None:
        """The best version that both know, first the one that the station was seen to speak.

        None completes the handshake without one, and the handler closes.
        """
        name = identity(socket.request.path) if socket.request else None
        pinned = self._pinned(name or "")
        found = next((Subprotocol(known) for known in (pinned, *self._order) if known and known in offered), None)
        if found is None and name is not None:
            self._ports.report("stations_refused", {"protocol": "ocpp", "reason": "version_refused"})
            self._knocks.knock(name, "version_refused", tuple(v[:32] for v in offered[:8]), _address(socket))
        return found

    def _authentic(self, known: KnownStation, request: Request) -> bool:
        given = password(request.headers.get("Authorization"), known.id)
        secret = self._ports.secrets.get(known.credential)
        if given is None or not secret:
            return False
        quirks = self._settings.quirks.get(known.id)
        same = hmac.compare_digest(given, secret)
        if quirks is not None and quirks.hex_password:
            same |= hmac.compare_digest(given.lower(), secret.hex().encode())
        return same

    def _arrive(self, name: str) -> datetime | None:
        """Count one more connection of a station; the moment from which the next may come, if it came too often."""
        now = self._ports.clock.now()
        if name not in self._arrivals:
            per_s = self._settings.connections_per_min / 60
            self._arrivals[name] = Bucket(self._settings.connections_burst, per_s, now)
        return self._arrivals[name].ask(now)

    def _put_off(self, socket: ServerConnection, request: Request, name: str, again: datetime) -> Response:
        """429: what is allowed, and when to come again. Nothing is kept of a single attempt."""
        reason, bounds = "connects_too_often", self._settings
        self._ports.report("stations_refused", {"protocol": "ocpp", "reason": reason})
        self._flapping.knock(name, reason, _versions(request), _address(socket))
        wait = math.ceil((again - self._ports.clock.now()).total_seconds())
        at = again + timedelta(microseconds=999_999)  # because: it is told in whole seconds, and never too early
        text = (
            f"{reason}: a station may connect {bounds.connections_burst} times at once and then "
            f"{bounds.connections_per_min:g} times a minute; next: try again in {wait} s, at {at:%Y-%m-%dT%H:%M:%SZ}\n"
        )
        response = socket.respond(http.HTTPStatus.TOO_MANY_REQUESTS, text)
        response.headers["Retry-After"] = str(wait)
        return response

    def _refuse(
        self, socket: ServerConnection, request: Request, name: str | None, status: http.HTTPStatus, reason: str
    ) -> Response:
        self._ports.report("stations_refused", {"protocol": "ocpp", "reason": reason})
        path = request.path.partition("?")[0]  # because: stations put their password into the query
        item = {"path": path[:200], "reason": reason, "versions": list(_versions(request))}
        self._ports.stranger("ocpp", _address(socket), item)
        if name is not None:
            self._knocks.knock(name, reason, _versions(request), _address(socket))
        response = socket.respond(status, f"{reason}\n")
        if status is http.HTTPStatus.UNAUTHORIZED:
            response.headers["WWW-Authenticate"] = 'Basic realm="ocpp"'
        return response


def _versions(request: Request) -> tuple[str, ...]:
    listed = ",".join(request.headers.get_all("Sec-WebSocket-Protocol"))
    return tuple(name.strip()[:32] for name in listed.split(",") if name.strip())[:8]


def _address(socket: ServerConnection) -> str:
    return str((socket.remote_address or ("",))[0])


async def listen(listener: Listener, ports: Ports, settings: Settings, door: Door, accept: Accept) -> Server:
    """Open one listener; raises `ValueError` where its TLS settings do not exist."""
    context = ports.tls.server(listener.tls) if listener.tls else None
    if listener.tls and context is None:
        raise ValueError(f"the tls settings {listener.tls!r} do not exist; next: name one of the [tls] tables")

    async def handle(socket: ServerConnection) -> None:
        request = socket.request
        known = ports.directory.station(identity(request.path) or "") if request else None
        if known is None or socket.subprotocol is None:
            await socket.close(1002, "no common OCPP version: ocpp2.0.1 or ocpp1.6")
            return
        await accept(socket, known)

    # because: strangers must not fill the log; what matters of a connection is said by name where it is known
    logger = logging.getLogger("protocols.ocpp.websockets")
    logger.setLevel(logging.WARNING)
    return await serve(
        handle,
        listener.host,
        listener.port,
        ssl=context,
        process_request=door.request,
        select_subprotocol=door.version,
        compression=None,
        max_size=settings.max_frame_bytes,
        ping_interval=settings.ping_s,
        ping_timeout=settings.ping_s,
        close_timeout=2,
        server_header=None,
        logger=logger,
    )
