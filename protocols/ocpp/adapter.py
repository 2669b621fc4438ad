"""OCPP 1.6J and 2.0.1 as the central system of a depot: the adapter's life cycle, and its connections' beginning and end."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Coroutine
from itertools import count
from typing import Any, ClassVar

from pydantic import BaseModel
from websockets.asyncio.server import Server, ServerConnection
from websockets.exceptions import ConnectionClosed

from core.messages import Message, identify
from core.messages.station import StationConnected, StationDisconnected
from core.ports import KnownStation, NotStored, Ports
from protocols.adapter import Health, PeerHealth
from protocols.common.seal import site_key
from protocols.ocpp.calls import Command
from protocols.ocpp.connection import Connection
from protocols.ocpp.dialect import Dialect, Doubt, Phrase
from protocols.ocpp.inbound import Inbound
from protocols.ocpp.knocks import FLAPPING_EVERY, Knocks
from protocols.ocpp.pace import Bucket
from protocols.ocpp.records import Records
from protocols.ocpp.server import Door, listen
from protocols.ocpp.settings import Settings as OcppSettings
from protocols.ocpp.station import Station
from protocols.ocpp.v16.translate import V16
from protocols.ocpp.v201.translate import V201

log = logging.getLogger(__name__)


class OcppAdapter:
    """Charging stations over OCPP-J. Versions differ in `v16/` and `v201/` alone."""

    name: ClassVar[str] = "ocpp"
    Settings: ClassVar[type[BaseModel]] = OcppSettings

    def __init__(self, settings: OcppSettings) -> None:
        self.settings = settings
        dialects: tuple[Dialect, ...] = (V201(), V16())
        self._dialects = {dialect.subprotocol: dialect for dialect in dialects}
        self._ports: Ports | None = None
        self._servers: list[Server] = []
        self._tasks: list[asyncio.Task[None]] = []
        self._stations: dict[str, Station] = {}
        self._connections = count(1)

    # -- life cycle -------------------------------------------------------------------------------------------------

    async def start(self, ports: Ports) -> None:
        """Open every listener and follow every site's wishes; a second start does nothing."""
        if self._ports is not None:
            return
        self._ports = ports
        knocks, flapping = Knocks(ports), Knocks(ports, "flapping", FLAPPING_EVERY)
        door = Door(ports, self.settings, knocks, flapping, tuple(self._dialects), self._pinned)
        try:
            for site in ports.sites:
                site_key(ports.secrets, site)  # because: made now, no frame waits for it
            for listener in self.settings.listeners:
                self._servers.append(await listen(listener, ports, self.settings, door, self._accept))
        except BaseException:
            await self.stop()
            raise
        self._spawn(knocks.run(), "ocpp:knocks")
        self._spawn(flapping.run(), "ocpp:flapping")
        for site in ports.sites:
            self._spawn(self._follow(site), f"ocpp:wishes:{site}")
            self._spawn(self._take(site), f"ocpp:requests:{site}")

    async def stop(self) -> None:
        """Close the listeners and every socket (1001), journal the losses, then end; a second stop does nothing."""
        servers, self._servers = self._servers, []
        for server in servers:
            server.close(code=1001, reason="the hub stops")
        for server in servers:
            await server.wait_closed()
        tasks, self._tasks = self._tasks, []
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        self._stations.clear()
        self._ports = None

    def health(self) -> Health:
        """Every station that was seen since the start, and the addresses that are really bound."""
        peers = tuple(
            PeerHealth(name, station.connection is not None, station.last_contact)
            for name, station in sorted(self._stations.items())
            if station.last_contact is not None or station.connection is not None
        )
        addresses = tuple(_address(s.getsockname()) for server in self._servers for s in server.sockets)
        return Health(peers, addresses)

    # -- requests ---------------------------------------------------------------------------------------------------

    def _starting(self, evse: int, token: str, cause: str) -> tuple[Callable[[Connection], Phrase], Command]:
        number = next(self._connections)
        return lambda c: c.dialect.start(c.records.station, evse, token, number), Command(cause, "start", evse)

    async def _take(self, site: str) -> None:
        """Hand every request to its station; the call and its answer are facts that cite it, and nobody waits here."""
        ports = self._running()
        async for request in ports.desired.requests(site):
            known, body = ports.directory.station(request.station), request.body
            if known is None:
                log.warning("a request to the unknown station %s is left aside", request.station)
                continue
            station = self._station(known)
            if body.act == "start" and body.token is not None:
                station.ask(*self._starting(request.evse, body.token, request.id), body.expires)
            elif body.act == "stop" and body.transaction is not None:
                station.ask(*_stopping(body.transaction, request.id), body.expires)

    # -- wishes -----------------------------------------------------------------------------------------------------

    async def _follow(self, site: str) -> None:
        ports = self._running()
        async for wish in ports.desired.follow(site):
            known = ports.directory.station(wish.station)
            if known is None:
                log.warning("a wish for the unknown station %s is left aside", wish.station)
            else:
                self._station(known).offer(wish)

    # -- connections ------------------------------------------------------------------------------------------------

    async def _accept(self, socket: ServerConnection, known: KnownStation) -> None:
        """One connection from its first to its last moment."""
        ports, station = self._running(), self._station(known)
        dialect = self._dialects[str(socket.subprotocol)]
        station.generation += 1
        number, now = next(self._connections), ports.clock.now()
        bucket = Bucket(self.settings.frames_burst, self.settings.frames_per_s, now)
        records = Records(ports, known, number, dialect)
        connection = Connection(socket, dialect, records, station.generation, ports.clock, bucket)
        old = station.attach(connection)
        replaced = [_disconnected(old, ports, "replaced")] if old is not None else []
        if not await _stored(ports, known.site, [*replaced, _connected(connection, ports)]):
            station.detach(connection)
            await connection.close(1013, "the journal is not available, try again later")
            return
        log.info("station %s: connected by %s", known.id, dialect.subprotocol)
        closing = asyncio.ensure_future(old.close(1000, "a newer connection took over")) if old is not None else None
        code = 1006
        try:
            code = await self._read(station, connection)
        finally:
            if closing is not None:
                await closing
            await self._gone(station, connection, code)

    async def _read(self, station: Station, connection: Connection) -> int:
        """Hear frames until the socket closes; the code that it closed with, ours before the station's."""
        inbound = Inbound(station, connection)
        try:
            async for raw in connection.socket:
                if connection.fenced:
                    break
                await self._pace(station, connection)
                await inbound.hear(raw)
        except ConnectionClosed as closed:
            frame = closed.sent or closed.rcvd
            return frame.code if frame else 1006
        return connection.socket.close_code or 1000

    async def _pace(self, station: Station, connection: Connection) -> None:
        """Wait where the station sends faster than it may."""
        ports = self._running()
        pause = connection.bucket.take(ports.clock.now())
        if pause is not None:
            ports.report("frames_delayed", {"protocol": "ocpp"})
            await ports.clock.sleep_until(pause, f"ocpp:{station.id}:pace")

    async def _gone(self, station: Station, connection: Connection, code: int) -> None:
        """Journal the loss, unless a newer connection has done so already."""
        fenced = connection.fenced
        station.detach(connection)
        if fenced:
            return
        ports = self._running()
        large = code == 1009
        reason = "frame_too_large" if large else f"closed_{code}"
        log.info("station %s: not connected any more (%s)", station.id, reason)
        message = _disconnected(connection, ports, reason)
        aside: list[Message] = []
        if large:
            detail = (
                f"a frame above {self.settings.max_frame_bytes} bytes closed the connection; next: look at the station"
            )
            aside = connection.records.quarantined([Doubt("frame_too_large", detail)], message)
        await _stored(ports, station.known.site, [message, *aside])

    # -- helpers ----------------------------------------------------------------------------------------------------

    def _station(self, known: KnownStation) -> Station:
        station = self._stations.get(known.id)
        if station is None:
            station = self._stations[known.id] = Station(self._running(), self.settings, known)
            self._spawn(station.run(), f"ocpp:{known.id}")
        station.update(known)
        return station

    def _pinned(self, name: str) -> str | None:
        station = self._stations.get(name)
        return station.only if station is not None else None

    def _running(self) -> Ports:
        assert self._ports is not None, "the adapter is not started"
        return self._ports

    def _spawn(self, coroutine: Coroutine[Any, Any, None], name: str) -> None:
        self._tasks.append(asyncio.create_task(coroutine, name=name))


def _stopping(transaction: str, cause: str) -> tuple[Callable[[Connection], Phrase], Command]:
    return lambda c: c.dialect.stop(transaction), Command(cause, "stop")


async def _stored(ports: Ports, site: str, messages: list[Message]) -> bool:
    try:
        await ports.journal.append(site, messages)
    except NotStored:
        ports.report("frames_not_stored", {"protocol": "ocpp"})
        return False
    return True


def _connected(connection: Connection, ports: Ports) -> Message:
    records, now = connection.records, ports.clock.now()
    peer = connection.socket.remote_address
    body = StationConnected(
        version=records.protocol,
        gateway=ports.gateway,
        epoch=ports.epoch,
        connection=records.connection,
        address=str(peer[0]) if peer else "",
    )
    return records.own(body, (), now)


def _disconnected(connection: Connection, ports: Ports, reason: str) -> Message:
    records = connection.records
    body = StationDisconnected(gateway=ports.gateway, epoch=ports.epoch, connection=records.connection, reason=reason)
    causes = (identify(ports.gateway, ports.epoch, records.connection, StationConnected.TYPE),)
    return records.own(body, (), ports.clock.now(), causes=causes)


def _address(name: tuple[object, ...]) -> str:
    host = f"[{name[0]}]" if ":" in str(name[0]) else str(name[0])
    return f"{host}:{name[1]}"
