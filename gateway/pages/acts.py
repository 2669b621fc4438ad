"""What a person says on a page: which vehicle stands at a connector, how full one is; as a fact with who and why."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Mapping
from typing import TYPE_CHECKING

from core.messages import Body, Message, Physical, Position, compose, identify
from core.messages.base import canonical
from core.messages.evidence import EvidenceReceived
from core.messages.vehicle import VehiclePlaced, VehicleRead
from core.ports import HttpRequest
from gateway.consequences import Changed, changed
from gateway.pages.views import StationView, VehicleView
from gateway.shares import percent

if TYPE_CHECKING:
    from gateway.wiring import Hub

KEPT = ("vehicle", "evse", "soc", "why")
DECIDED_S = 3.0
"""So long an answer waits for what follows from its act; later than that the stream brings it."""


class Wrong(ValueError):
    """A field that cannot be taken; its text names the field and what to do."""


class Acts:
    """Takes forms as evidence and fact in one record."""

    def __init__(self, hub: Hub) -> None:
        self._hub = hub
        self._numbers = itertools.count(1)

    def place(self, request: HttpRequest, view: StationView, fields: Mapping[str, str]) -> list[Message]:
        """The evidence, and `vehicle.placed`, until that vehicle is unplugged.

        Raises:
            Wrong: the vehicle or the connector is not known here.
        """
        at = Physical(vehicle=_vehicle(view, fields), station=view.station, evse=_evse(view, fields))
        return self._stated(request, view.site, fields, VehiclePlaced(who=_who(request), why=_why(fields)), at)

    def charge(self, request: HttpRequest, view: VehicleView, fields: Mapping[str, str]) -> list[Message]:
        """The evidence, and `vehicle.read` of now.

        Raises:
            Wrong: what was typed is no state of charge.
        """
        try:
            soc = percent(fields.get("soc", ""))
        except ValueError as error:
            raise Wrong(f"State of charge: {error}.") from None
        return self._stated(request, view.site, fields, VehicleRead(soc=soc), Physical(vehicle=view.row.vehicle))

    def _stated(
        self, request: HttpRequest, site: str, fields: Mapping[str, str], body: Body, at: Physical
    ) -> list[Message]:
        who, now = _who(request), self._hub.clock.now()
        evidence = compose(
            EvidenceReceived(
                protocol="pages",
                peer=who,
                frame=canonical({name: fields[name][:200] for name in KEPT if name in fields}),
                subject=f"{request.method} {request.path}"[:200],
            ),
            id=identify("pages", self._hub.settings.gateway, self._hub.epoch, next(self._numbers)),
            time=now,
            source=f"pages:{who}",
            site=site,
            at=Physical(station=at.station, evse=at.evse),
        )
        fact = compose(
            body,
            id=identify(evidence.id, body.TYPE),
            time=now,
            source=f"person:{who}",
            site=site,
            at=at,
            causes=[evidence.id],
        )
        return [evidence, fact]

    async def lowers(self, view: StationView | VehicleView, fact: Message) -> tuple[Changed, ...]:
        """Whose readiness the fact would lower; nobody's where no controller of the site runs here."""
        state = self._hub.api.reads.state(view.site)
        if state is None:
            return ()
        found = await asyncio.to_thread(changed, state, [fact], self._hub.clock.now(), view.zone)
        return tuple(one for one in found if one.worse)

    async def keep(self, site: str, messages: list[Message]) -> Position:
        """Store them.

        Raises:
            core.ports.NotStored: nothing was acknowledged.
        """
        return await self._hub.journal.append(site, messages)

    async def followed(self, site: str, position: Position) -> int:
        """Up to which record stands what the controller made of it; the fact's own where it takes longer than a person waits."""
        controller = self._hub.controllers.get(site)
        if controller is not None and await controller.settled_within(position.seq, DECIDED_S):
            return max(position.seq, controller.state.seen)
        return position.seq


def _who(request: HttpRequest) -> str:
    return request.headers.get("busbar-user", "local")


def _why(fields: Mapping[str, str]) -> str:
    return fields.get("why", "")[:200]


def _vehicle(view: StationView, fields: Mapping[str, str]) -> str:
    vehicle = fields.get("vehicle", "").strip()
    if vehicle in view.vehicles:
        return vehicle
    if not vehicle:
        raise Wrong("Vehicle: say which bus stands here.")
    raise Wrong(f"Vehicle: no bus is called {vehicle[:64]} here. Next: choose one of the list, or declare it.")


def _evse(view: StationView, fields: Mapping[str, str]) -> int:
    for connector in view.connectors:
        if str(connector.evse) == fields.get("evse", ""):
            return connector.evse
    raise Wrong(f"Connector: {view.station} has no such connector. Next: choose one of the list.")
