"""The OSCP adapter: flexibility provider towards any number of capacity providers. Translates; decides nothing."""

from __future__ import annotations

import asyncio
import logging
from typing import ClassVar

from pydantic import BaseModel

from core.ports import HttpHost, HttpRequest, HttpResponse, Ports
from protocols.adapter import Health, PeerHealth
from protocols.oscp.client import Client
from protocols.oscp.conversation import Conversation
from protocols.oscp.evidence import PROTOCOL, Evidence
from protocols.oscp.server import Server
from protocols.oscp.settings import Settings as OscpSettings

_log = logging.getLogger("busbar.oscp")
STOPPED = HttpResponse(503, b'{"message":"the hub is stopping; next: send the same request again later"}')


class OscpAdapter:
    """Mounts our endpoints and keeps one conversation per configured peer."""

    name: ClassVar[str] = PROTOCOL
    Settings: ClassVar[type[BaseModel]] = OscpSettings

    def __init__(self, settings: OscpSettings) -> None:
        self._settings = settings
        self._client = Client(settings.http_timeout_s)
        self._talks: dict[str, Conversation] = {}
        self._server: Server | None = None
        self._mounted_on: HttpHost | None = None

    async def start(self, ports: Ports) -> None:
        """Mount the endpoints, then go on with every conversation where the journal says that it stands."""
        if self._server is not None:
            return
        evidence = Evidence(ports)
        for peer in (p for p in self._settings.peers if p.site not in ports.sites):
            _log.warning("oscp: peer %s is left out: site %s is not served here", peer.name, peer.site)
        self._talks = {
            p.name: Conversation(p, self._settings, ports, self._client, evidence)
            for p in self._settings.peers
            if p.site in ports.sites
        }
        self._server = Server(self._talks, ports, evidence)
        self._mount(ports.http)
        for talk in self._talks.values():
            talk.start()

    async def stop(self) -> None:
        """End the conversations; they go on after the next start."""
        server, self._server = self._server, None
        await asyncio.gather(*(t.stop() for t in self._talks.values()))
        if server is not None:
            await server.stop()
        self._talks = {}
        await self._client.close()

    def _mount(self, host: HttpHost) -> None:
        """Routes are mounted once per host: a host keeps them over a stop."""
        if self._mounted_on is host:
            return
        self._mounted_on = host
        for method in ("POST", "PUT", "DELETE"):
            host.route(method, f"{self._settings.prefix}/{{action}}", self._handle, self._settings.max_body_bytes)

    async def _handle(self, request: HttpRequest) -> HttpResponse:
        return STOPPED if self._server is None else await self._server.handle(request)

    def health(self) -> Health:
        """A peer is connected while its last handshake or heartbeat is fresh."""
        return Health(peers=tuple(self._peer_health(t) for t in self._talks.values()))

    def _peer_health(self, talk: Conversation) -> PeerHealth:
        now = talk.ports.clock.now()
        connected = talk.fresh_until is not None and now < talk.fresh_until
        return PeerHealth(talk.peer.name, connected, talk.last_contact)
