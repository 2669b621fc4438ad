"""What a person decides by hand: a departure, a vehicle's place, a cap, a new station; each an event with who and why."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any
from zoneinfo import ZoneInfo

from pydantic import BaseModel, ConfigDict, Field

from core.messages import Body, Message, Physical, compose, identify, words
from core.messages.reasons import next_step, sentence
from core.messages.site import Connector, SiteConfig
from core.messages.station import StationAdmitted, StationLimited
from core.messages.vehicle import VehiclePlaced, VehicleRead
from core.messages.work import Block
from core.ports import HttpRequest, HttpResponse
from core.site import by_hand
from gateway.api.answers import Refusal, answered, flag, model_body
from gateway.api.evidence import Desk, who
from gateway.api.schedules import Schedules
from gateway.api.telemetry import config_of
from gateway.consequences import changed
from gateway.settings.errors import SettingsError
from gateway.settings.models import credential
from protocols import table
from protocols.common.imports import next_wall_clock

LONGEST = timedelta(days=31)
AHEAD = timedelta(days=14)
_CLOCK = re.compile(r"^([01]?\d|2[0-3]):([0-5]\d)$")


class _Act(BaseModel):
    model_config = ConfigDict(extra="forbid")

    why: Annotated[str, Field(max_length=500)] = ""


class Departure(_Act):
    """A departure that a person states; exactly one of `km`, `kwh`, `soc` says what it needs."""

    vehicle: str = Field(min_length=1, max_length=64)
    time: str = Field(max_length=40, description="`06:20`: the next one in the site's zone; or with date and offset.")
    km: Annotated[float, Field(gt=0, le=2000)] | None = None
    kwh: Annotated[float, Field(gt=0, le=5000)] | None = None
    soc: Annotated[float, Field(ge=0, le=1)] | None = None


class DepartureGone(_Act):
    """A departure that a person stated, and takes back."""

    vehicle: str = Field(min_length=1, max_length=64)
    time: str = Field(max_length=40, description="As it was stated: `06:20`, or with date and offset.")


class Charge(_Act):
    """The state of charge of a vehicle that a person read, now."""

    vehicle: str = Field(min_length=1, max_length=64)
    soc: Annotated[float, Field(ge=0, le=1)] = Field(description="State of charge, 0..1.")


class Place(_Act):
    """Which vehicle stands at a connector."""

    vehicle: str = Field(min_length=1, max_length=64)
    station: str = Field(min_length=1, max_length=64, description="A station, or a bay's name.")
    evse: Annotated[int, Field(ge=1, le=1000)] | None = None


class Cap(_Act):
    """A station at no more than so many kW, for a while; 0 stops it."""

    kw: Annotated[float, Field(ge=0, le=100_000, allow_inf_nan=False)]
    for_s: Annotated[int, Field(ge=1)]


class NewStation(_Act):
    """A station that may connect from now on; without a node it gets 0 kW."""

    station: str = Field(pattern=r"^[^\x00-\x20\x7f]([^\x00-\x1f\x7f]{0,62}[^\x00-\x20\x7f])?$")
    """Any printable name: an identity is what is typed into the charger, and stands percent-encoded in its URL."""
    site: str
    node: str | None = None
    connectors_kw: Annotated[list[Annotated[float, Field(gt=0, le=10_000)]], Field(min_length=1, max_length=32)]


class Acts:
    """The endpoints of acts."""

    def __init__(self, desk: Desk, schedules: Schedules) -> None:
        self._desk, self._schedules = desk, schedules

    async def departure(self, request: HttpRequest) -> HttpResponse:
        """An import of one departure by hand, on the same path as a file."""
        config = config_of(self._desk, request.params["site"])
        asked = model_body(request, Departure)
        goals = [goal for goal in (asked.km, asked.kwh, asked.soc) if goal is not None]
        if len(goals) != 1:
            raise _not_valid(f"{len(goals)} goals", "give exactly one of km, kwh, soc")
        _known_vehicle(asked.vehicle, config)
        departs = _departs(asked.time, config, self._desk.now())
        said = table.by_hand(asked.vehicle, departs, zone=config.zone, km=asked.km, kwh=asked.kwh, target_soc=asked.soc)
        return await self._imported(request, config, said, asked.why)

    async def departure_gone(self, request: HttpRequest) -> HttpResponse:
        """A departure by hand is withdrawn; what a feed states is the feed's."""
        config = config_of(self._desk, request.params["site"])
        asked = model_body(request, DepartureGone)
        _known_vehicle(asked.vehicle, config)
        departs = _departs(asked.time, config, self._desk.now())
        works = [p.block for p in self._desk.hub.controllers[config.id].state.work.works.values()]
        by_hand = [b for b in works if b.feed == table.HAND and b.vehicle == asked.vehicle]
        block = next((b for b in by_hand if b.departs == departs), None)
        if block is None:
            raise self._no_departure(asked.vehicle, departs, by_hand, config)
        return await self._imported(request, config, table.taken_back(block), asked.why)

    def _no_departure(self, vehicle: str, departs: datetime, by_hand: Sequence[Block], config: SiteConfig) -> Refusal:
        """Whose departure it is, else those that could have been meant."""
        known, now = self._desk.hub.controllers[config.id].state.work.works.values(), self._desk.now()
        at = words.moment(departs, config.zone, now=now)
        of_feed = next((p.block for p in known if p.vehicle == vehicle and p.block.departs == departs), None)
        if of_feed is not None:
            what = f"{vehicle} leaves at {at} for block {of_feed.block}, as the feed {of_feed.feed} states it"
            step = f"correct it there, or give the block to nobody: import `{of_feed.operating_day},{of_feed.block},` as an assignment"
            return Refusal(409, "departure-of-feed", "Not stated by hand", what, step)
        ahead = sorted(block.departs for block in by_hand if block.departs > now)
        times = ", ".join(moment.astimezone(ZoneInfo(config.zone)).isoformat(timespec="minutes") for moment in ahead)
        what = f"no departure of {vehicle} at {at} was stated by hand"
        step = f"name one of those by hand: {times}" if ahead else "see `busbar vehicles`; by hand none is stated"
        return Refusal(404, "departure-unknown", "No such departure", what, step)

    async def _imported(
        self, request: HttpRequest, config: SiteConfig, said: table.Translation, why: str
    ) -> HttpResponse:
        found = self._schedules.prepared(request, config, said, why)
        told = {"consequences": await self._consequences(config, found.messages)}
        return self._schedules.dry(found, told) if flag(request, "dry_run") else await self._schedules.take(found, told)

    async def charge(self, request: HttpRequest) -> HttpResponse:
        """What a person read from the vehicle: a reading like any other, with who said so."""
        config = config_of(self._desk, request.params["site"])
        asked = model_body(request, Charge)
        _known_vehicle(asked.vehicle, config)
        return await self._decided(request, config, VehicleRead(soc=asked.soc), Physical(vehicle=asked.vehicle))

    async def place(self, request: HttpRequest) -> HttpResponse:
        """Which vehicle stands where, until it is unplugged."""
        config = config_of(self._desk, request.params["site"])
        asked = model_body(request, Place)
        _known_vehicle(asked.vehicle, config)
        station, evse = self._bay(asked, config)
        at = Physical(vehicle=asked.vehicle, station=station, evse=evse)
        empty = self._empty(config, station, evse)
        return await self._decided(request, config, VehiclePlaced(who=who(request), why=asked.why), at, empty)

    def _empty(self, config: SiteConfig, station: str, evse: int) -> list[dict[str, Any]]:
        """A word about a bay holds for the plug that is in; where none is, that is told."""
        plug = self._desk.hub.controllers[config.id].state.sessions.plugs.get((station, evse))
        bay = by_hand.Said("bay_empty", {"station": station})
        return [] if plug is not None and plug.plugged else [_said(bay, config.zone, self._desk.now())]

    def _bay(self, asked: Place, config: SiteConfig) -> tuple[str, int]:
        stations = {s.id: s.connectors for s in config.stations}
        admitted = self._desk.hub.controllers[config.id].state.admitted
        stations = {name: body.connectors for name, body in admitted.items()} | stations
        named = [(name, c.evse) for name, some in stations.items() for c in some if c.name == asked.station]
        if asked.station not in stations:
            if len(named) == 1 and asked.evse in (None, named[0][1]):
                return named[0]
            known = ", ".join(sorted(stations)) or "none"
            raise Refusal(404, "bay-unknown", "No such bay", f"no bay or station `{asked.station}`", f"one of {known}")
        evses = sorted({c.evse for c in stations[asked.station]})
        if asked.evse is None and len(evses) == 1:
            return asked.station, evses[0]
        if asked.evse not in evses:
            known = words.listed([f"{asked.station}/{evse}" for evse in evses])
            raise _not_valid(f"no such connector of {asked.station}", f"name one that it has: {known}")
        return asked.station, asked.evse

    async def cap(self, request: HttpRequest) -> HttpResponse:
        """A cap only lowers: refused where it caps nothing, else answered with the departures that it costs."""
        asked = model_body(request, Cap)
        station = request.params["station"]
        site = self._site_of(station)
        if timedelta(seconds=asked.for_s) > LONGEST:
            raise _not_valid(
                f"{words.span(asked.for_s)} is longer than {LONGEST.days} days", "change the configuration instead"
            )
        now = self._desk.now()
        at = Physical(station=station, begins=now, ends=now + timedelta(seconds=asked.for_s))
        costs = await self._ruled(site, station, asked, now)
        if flag(request, "dry_run"):
            return answered({"dry_run": True, "costs": costs})
        return await self._act(
            request, site, StationLimited(kw=asked.kw, who=who(request), why=asked.why), at, {"costs": costs}
        )

    async def _ruled(self, site: str, station: str, asked: Cap, now: datetime) -> list[dict[str, Any]]:
        """What the cap costs, in words and numbers.

        Raises:
            Refusal: it would cap nothing.
        """
        state = self._desk.hub.controllers[site].state
        ends = now + timedelta(seconds=asked.for_s)
        # Two plans of a large depot take a second: the hub goes on beside it.
        ruling = await asyncio.to_thread(by_hand.cap, state, station, asked.kw, ends, now)
        zone = state.config.zone if state.config is not None else "UTC"
        told = [_said(said, zone, now) for said in (*ruling.costs, *filter(None, [ruling.refused]))]
        if ruling.refused is not None:
            raise Refusal(409, ruling.refused.code.replace("_", "-"), "Refused", told[-1]["what"], told[-1]["next"])
        return told

    def _site_of(self, station: str) -> str:
        known = self._desk.hub.feed.directory.station(station)
        if known is None or known.site not in self._desk.hub.controllers:
            raise Refusal(
                404, "station-unknown", "No such station", f"no station `{station[:48]}`", "see `busbar stations`"
            )
        return known.site

    async def admit(self, request: HttpRequest) -> HttpResponse:
        """Let a station in: its password is durable before the fact that mentions it."""
        asked = model_body(request, NewStation)
        config = config_of(self._desk, asked.site)
        known = self._desk.hub.feed.directory.station(asked.station)
        if known is not None:
            raise Refusal(
                409,
                "station-known",
                "Known already",
                f"{asked.station} is known at the site {known.site}",
                f"`busbar connect ocpp {asked.station}` says what to type into it",
            )
        if asked.node is not None and asked.node not in {node.id for node in config.nodes}:
            nodes = ", ".join(node.id for node in config.nodes)
            raise Refusal(404, "node-unknown", "No such node", f"no node `{asked.node[:48]}`", f"one of {nodes}")
        self._desk.hub.secrets.generate(credential(asked.station))
        connectors = tuple(Connector(evse=i, max_kw=kw) for i, kw in enumerate(asked.connectors_kw, start=1))
        body = StationAdmitted(station=asked.station, node=asked.node, connectors=connectors, who=who(request))
        return await self._act(request, config.id, body, Physical(station=asked.station, node=asked.node))

    async def reload(self, request: HttpRequest) -> HttpResponse:
        """Read the configuration again, where this hub can."""
        hook: Callable[[], Awaitable[Any]] | None = getattr(self._desk.hub, "reload", None)
        if hook is None:
            raise Refusal(
                501,
                "no-reload",
                "Not while running",
                "this hub cannot read its configuration again while it runs",
                "stop it and start it again: stations keep their last schedule",
            )
        try:
            return answered(await hook())
        except SettingsError as error:
            lines, each = "\n".join(str(p) for p in error.problems), [asdict(p) for p in error.problems]
            step = "correct these; nothing changed"
            raise Refusal(422, "settings-refused", "Not reloaded", lines, step, problems=each) from error

    async def _decided(
        self,
        request: HttpRequest,
        config: SiteConfig,
        body: Body,
        at: Physical,
        notes: Sequence[Mapping[str, Any]] = (),
    ) -> HttpResponse:
        """An act, answered with what it changes for which departure; with `dry_run` only that."""
        messages = self._stated(request, config.id, body, at)
        told = {"consequences": [*notes, *await self._consequences(config, messages)]}
        if flag(request, "dry_run"):
            return answered({"dry_run": True, **told})
        return await self._keep(config.id, messages, told)

    async def _consequences(self, config: SiteConfig, messages: Sequence[Message]) -> list[dict[str, Any]]:
        """What the facts change for which departure: the same numbers as a page shows before an act."""
        state, now = self._desk.hub.controllers[config.id].state, self._desk.now()
        # A plan of a large depot takes a second: the hub goes on beside it.
        found = await asyncio.to_thread(changed, state, messages, now, config.zone)
        return [one.told(config.zone, now) for one in found]

    async def _act(
        self, request: HttpRequest, site: str, body: Body, at: Physical, more: Mapping[str, Any] | None = None
    ) -> HttpResponse:
        return await self._keep(site, self._stated(request, site, body, at), more or {})

    async def _keep(self, site: str, messages: Sequence[Message], more: Mapping[str, Any]) -> HttpResponse:
        position, message = await self._desk.append(site, messages), messages[-1]
        at, body = message.at.model_dump(mode="json", exclude_none=True), message.body
        told: dict[str, Any] = {"id": message.id, "type": message.type, "at": at, **more}
        if isinstance(body, StationAdmitted):
            told |= {"station": body.station, "node": body.node, "safe_kw": body.safe_kw}
            told |= {"connectors_kw": [c.max_kw for c in body.connectors]}
        return answered(told, 200, position)

    def _stated(self, request: HttpRequest, site: str, body: Body, at: Physical) -> list[Message]:
        """The evidence of an act, and its fact."""
        evidence = self._desk.received(request, site, "api", f"{request.method} {request.path}")
        fact = compose(
            body,
            id=identify(evidence.id, body.TYPE),
            time=evidence.time,
            source=f"person:{who(request)}",
            site=site,
            at=at,
            causes=[evidence.id],
        )
        return [evidence, fact]


def _said(said: by_hand.Said, zone: str, now: datetime) -> dict[str, Any]:
    """A code of the core in a person's words, with its numbers for programs."""
    numbers = {k: v.isoformat() if isinstance(v, datetime) else v for k, v in said.params.items()}
    what, step = (text(said.code, said.params, zone=zone, now=now) for text in (sentence, next_step))
    return {"reason": said.code, "what": what, "next": step, **numbers}


def _known_vehicle(vehicle: str, config: SiteConfig) -> None:
    if all(known.id != vehicle for known in config.vehicles):
        raise Refusal(
            404, "vehicle-unknown", "No such vehicle", f"no vehicle `{vehicle}` at {config.id}", "see `busbar vehicles`"
        )


def _departs(text: str, config: SiteConfig, now: datetime) -> datetime:
    """`06:20` is the next one on the site's wall clock; else ISO 8601, local where it has no offset."""
    zone = ZoneInfo(config.zone)
    match = _CLOCK.match(text.strip())
    if match is not None:
        return next_wall_clock(int(match[1]) * 3600 + int(match[2]) * 60, zone, now)
    try:
        moment = datetime.fromisoformat(text.strip())
    except ValueError:
        raise _not_valid(f"`{text}` is no time", "write it as 06:20 or 2026-11-26T06:20+01:00") from None
    departs = (moment if moment.tzinfo else moment.replace(tzinfo=zone)).astimezone(UTC)
    if not now < departs <= now + AHEAD:
        raise _not_valid(f"{text} is not within the coming {AHEAD.days} days", "state a departure to come")
    return departs


def _not_valid(detail: str, next: str) -> Refusal:
    return Refusal(422, "not-valid", "Not valid", detail, next)
