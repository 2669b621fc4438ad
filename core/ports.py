"""What adapters and the shell hand each other: Protocols over plain data, no aiohttp, no NATS type."""

from __future__ import annotations

import ssl
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Protocol, TypeVar

from core.messages import Message, Position
from core.messages.command import CommandRequested, CommandWished
from core.messages.session import KnownTransaction
from core.messages.site import Connector

T = TypeVar("T")

HUB = "_hub"
"""The site of what belongs to no site."""


class NotStored(Exception):
    """The journal could not make it durable: do not answer the peer, or answer "try later"."""


class NotSure(NotStored):
    """The journal did not answer in time: what it was asked to store may stand in it later."""


class Clock(Protocol):
    """Time for whatever a standard or a policy counts. Transport liveness (TCP, ping, HTTP client) runs on wall time."""

    def now(self) -> datetime:
        """The present moment, aware UTC."""

    async def sleep_until(self, moment: datetime, who: str) -> None:
        """Return at `moment`; `sleep_until(now(), who)` is a *turn*: due now, one owner after the other."""

    async def wait(self, future: Awaitable[T], until: datetime | None, who: str) -> T:
        """The result of `future`, or `TimeoutError` at `until`, whichever comes first; the future is not cancelled."""

    def hold(self, who: str) -> AbstractContextManager[None]:
        """While held, a simulated clock stands still; on the system's clock it does nothing."""


class Journal(Protocol):
    """The one append path."""

    async def append(self, site: str, messages: Sequence[Message]) -> Position:
        """Store `messages`, in order, in one record; returns the position of the first when all are durable.

        Raises:
            NotStored: nothing was acknowledged (full, lost, damaged, or a message above its size limit).
        """


@dataclass(frozen=True, slots=True)
class Wish:
    """A station's newest desired state, where it stands in the journal, and what it follows from."""

    site: str
    station: str
    id: str
    position: Position
    body: CommandWished


@dataclass(frozen=True, slots=True)
class Request:
    """One act that a station is asked for: once, until it expires. Its steps cite `id`."""

    site: str
    station: str
    evse: int
    id: str
    body: CommandRequested


class DesiredState(Protocol):
    """What stations shall do: a projection of `command.wished`, and the requests of `command.requested`."""

    def follow(self, site: str) -> AsyncIterator[Wish]:
        """The newest wish of every station of the site first, then each change."""

    def requests(self, site: str) -> AsyncIterator[Request]:
        """Requests that no station has taken yet first, then each new one; an expired one is not taken up."""


@dataclass(frozen=True, slots=True)
class KnownStation:
    """A station that may connect: its site and connectors; `credential` names its password for `Secrets`."""

    id: str
    site: str
    connectors: tuple[Connector, ...]
    safe_kw: float
    credential: str


@dataclass(frozen=True, slots=True)
class TokenAnswer:
    """May this token charge here, and why."""

    accepted: bool
    reason: str
    vehicle: str | None = None


class Directory(Protocol):
    """Who is known: read-only, in memory, folded from the journal; never waits."""

    def station(self, identity: str) -> KnownStation | None:
        """The station with that identity, or None."""

    def token(self, site: str, token: str) -> TokenAnswer:
        """Whether the token may charge at the site."""

    def partner(self, adapter: str, name: str) -> Mapping[str, Any] | None:
        """The last `peer.changed` state of that partner, or None."""

    def transactions(self, station: str) -> tuple[KnownTransaction, ...]:
        """The last transactions of a station, in the order in which they were heard of."""


@dataclass(frozen=True, slots=True)
class HttpRequest:
    """A request as the host hands it to a handler: body read and bounded, headers with lower-case names."""

    method: str
    path: str
    params: Mapping[str, str]
    """From the route's `{name}` parts, decoded."""
    query: Mapping[str, str]
    headers: Mapping[str, str]
    body: bytes
    peer: str
    """Remote address."""


@dataclass(frozen=True, slots=True)
class HttpResponse:
    """What a handler answers."""

    status: int
    body: bytes = b""
    content_type: str = "application/json"
    headers: Mapping[str, str] = field(default_factory=dict)


Handler = Callable[[HttpRequest], Awaitable[HttpResponse]]


class HttpHost(Protocol):
    """Where adapters mount their HTTP endpoints."""

    def route(self, method: str, path: str, handler: Handler, max_body: int) -> None:
        """Mount `handler` at `path` (`/oscp/fp/2.0/{action}`); larger bodies are answered 413 by the host."""


class Secrets(Protocol):
    """Passwords and tokens: file or environment references, and those that arise at run time."""

    def get(self, ref: str) -> bytes | None:
        """The secret, or None if there is none by that name."""

    def put(self, ref: str, value: bytes) -> None:
        """Keep a secret under that name; returns when durable."""


class Tls(Protocol):
    """TLS contexts are made in one place, so that they can be swapped while sockets stay open."""

    def server(self, name: str) -> ssl.SSLContext | None:
        """The context of a configured listener (`tls = "name"`), or None where it is plain."""


@dataclass(frozen=True, slots=True)
class Ports:
    """All that an adapter is handed."""

    journal: Journal
    desired: DesiredState
    directory: Directory
    http: HttpHost
    secrets: Secrets
    tls: Tls
    clock: Clock
    gateway: str
    """This gateway's id."""
    epoch: int
    """Counts this gateway's starts; part of every evidence id."""
    sites: tuple[str, ...]
    report: Callable[[str, Mapping[str, str]], None]
    """Count something: `report("frames_received", {"protocol": "ocpp"})`; the metrics table knows the names."""
    stranger: Callable[[str, str, Mapping[str, Any]], None] = lambda protocol, peer, item: None
    """Keep what a peer sent that did not authenticate: `stranger("ocpp", address, {...})`; returns at once, bounded, no secrets."""
