"""`POST /sites/{site}/telemetry`: readings of vehicles and site meters, each judged by itself."""

from __future__ import annotations

import json
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from core.messages import Body, Message, Physical, compose, identify
from core.messages.base import Utc
from core.messages.grid import MeterSampled
from core.messages.reasons import next_step, sentence
from core.messages.site import Fraction, SiteConfig
from core.messages.vehicle import VehicleRead
from core.ports import HttpRequest, HttpResponse
from gateway.api.answers import Refusal, answered, json_body, wrong
from gateway.api.evidence import Desk

PROTOCOL = "telemetry"
MAX_READINGS = 1000
AHEAD = timedelta(minutes=5)
"""A reading so far ahead of the hub's clock is a wrong clock, not a reading."""
REMEMBERED = 20_000

Kilowatts = Annotated[float, Field(ge=0, le=1_000_000, allow_inf_nan=False)]


class Reading(BaseModel):
    """One reading of a vehicle or a meter; what it does not state is left out, never 0."""

    model_config = ConfigDict(extra="forbid")

    source: str = Field(min_length=1, max_length=64, description="Who measured it, stable over time.")
    subject: str = Field(pattern=r"^(vehicle|meter):.{1,64}$", description="`vehicle:BUS-1` or `meter:GRID`.")
    measured_at: Utc = Field(description="When it was measured, ISO 8601 with its offset.")
    soc: Fraction | None = Field(None, description="State of charge, 0..1.")
    odometer_km: Annotated[float, Field(ge=0, le=10_000_000, allow_inf_nan=False)] | None = Field(
        None, description="Odometer, km."
    )
    at_station: str | None = Field(None, max_length=64, description="The station that the vehicle stands at.")
    at_evse: Annotated[int, Field(ge=1, le=1000)] | None = Field(None, description="The EVSE, where it has several.")
    import_kw: Kilowatts | None = Field(None, description="Power taken, kW.")
    export_kw: Kilowatts | None = Field(None, description="Power given, kW.")
    import_kwh: Annotated[float, Field(ge=0, allow_inf_nan=False)] | None = Field(
        None, description="The import register, kWh."
    )

    @property
    def key(self) -> str:
        """What makes a second reading the same one: source, subject, moment."""
        return identify("telemetry", self.source, self.subject, self.measured_at)


class Readings(BaseModel):
    """A batch of readings."""

    readings: list[Reading] = Field(max_length=MAX_READINGS)


class _Unusable(Exception):
    """One reading cannot be used: a reason code and its detail."""

    def __init__(self, reason: str, detail: str) -> None:
        super().__init__(detail)
        self.reason, self.detail = reason, detail


@dataclass(slots=True)
class _Batch:
    facts: list[Message] = field(default_factory=list)
    aside: list[Message] = field(default_factory=list)
    refused: list[dict[str, Any]] = field(default_factory=list)
    repeated: int = 0


class Telemetry:
    """The endpoint; remembers the newest keys, so that a repeat is answered without storing it again."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk
        self._known: OrderedDict[str, None] = OrderedDict()

    async def post(self, request: HttpRequest) -> HttpResponse:
        """Evidence and facts in one append, then the counts."""
        site = request.params["site"]
        config = config_of(self._desk, site)
        evidence = self._desk.received(request, site, PROTOCOL, f"POST {request.path}")
        batch = _Batch()
        for number, raw in enumerate(await self._items(request, evidence, config)):
            self._judge(batch, number, raw, evidence, config)
        if not batch.facts and not batch.aside:
            return answered(_counts(batch))
        position = await self._desk.append(site, [evidence, *batch.aside, *batch.facts])
        self._remember(fact.id for fact in batch.facts)
        return answered(_counts(batch), 207 if batch.refused else 200, position)

    async def _items(self, request: HttpRequest, evidence: Message, config: SiteConfig) -> Sequence[Any]:
        """The readings as they came; what is none at all is kept and refused whole."""
        try:
            data = json_body(request)
            items = data.get("readings", [data]) if isinstance(data, dict) else data
            if not isinstance(items, list):
                raise Refusal(422, "not-valid", "Not valid", "`readings` is no list", "send {readings: [...]}")
            if len(items) > MAX_READINGS:
                many = f"{len(items)} readings at once; at most {MAX_READINGS} are taken"
                raise Refusal(422, "too-many-readings", "Too many readings", many, "send them in parts")
        except Refusal as refusal:
            text = request.body[:4096].decode("utf-8", "replace")
            aside = self._desk.set_aside(evidence, 0, "telemetry_broken", refusal.problem.detail, text)
            await self._desk.append(config.id, [evidence, aside])
            raise
        return items

    def _judge(self, batch: _Batch, number: int, raw: Any, evidence: Message, config: SiteConfig) -> None:
        try:
            reading = _reading(raw, evidence.time)
            body, at = _fact(reading, config)
        except _Unusable as unusable:
            self._set_aside(batch, number, raw, evidence, unusable, config)
            return
        if reading.key in self._known or any(fact.id == reading.key for fact in batch.facts):
            batch.repeated += 1
            return
        fact = compose(
            body,
            id=reading.key,
            time=reading.measured_at,
            recorded=evidence.time,
            source=reading.source,
            site=config.id,
            at=at,
            causes=[evidence.id],
        )
        batch.facts.append(fact)

    def _set_aside(
        self, batch: _Batch, number: int, raw: Any, evidence: Message, unusable: _Unusable, config: SiteConfig
    ) -> None:
        text = json.dumps(raw, ensure_ascii=False)
        batch.aside.append(self._desk.set_aside(evidence, number, unusable.reason, unusable.detail, text))
        subject = raw.get("subject") if isinstance(raw, dict) else None
        told = {"detail": unusable.detail, "subject": str(subject or "?")[:80]}
        batch.refused.append(
            {
                "item": number,
                "subject": str(subject)[:80] if subject is not None else None,
                "reason": unusable.reason,
                "what": sentence(unusable.reason, told, zone=config.zone),
                "next": next_step(unusable.reason, told, zone=config.zone),
            }
        )

    def _remember(self, keys: Any) -> None:
        for key in keys:
            self._known[key] = None
        while len(self._known) > REMEMBERED:
            self._known.popitem(last=False)


def config_of(desk: Desk, site: str) -> SiteConfig:
    """The configuration of a site that this hub controls.

    Raises:
        Refusal: there is no such site.
    """
    controller = desk.hub.controllers.get(site)
    if controller is None or controller.state.config is None:
        known = ", ".join(desk.hub.controllers) or "none"
        raise Refusal(404, "site-unknown", "No such site", f"no site `{site[:64]}`", f"this hub has: {known}")
    return controller.state.config


def _reading(raw: Any, now: datetime) -> Reading:
    try:
        reading = Reading.model_validate(raw)
    except ValidationError as error:
        implausible = any(e["type"].startswith(("greater", "less", "finite")) for e in error.errors())
        raise _Unusable("value_implausible" if implausible else "telemetry_broken", wrong(error)) from None
    if reading.measured_at > now + AHEAD:
        ahead = int((reading.measured_at - now).total_seconds())
        raise _Unusable("reading_future", f"measured_at is {ahead} s ahead of this hub")
    return reading


def _fact(reading: Reading, config: SiteConfig) -> tuple[Body, Physical]:
    kind, _, name = reading.subject.partition(":")
    return _vehicle(reading, name, config) if kind == "vehicle" else _meter(reading, name, config)


def _vehicle(reading: Reading, name: str, config: SiteConfig) -> tuple[Body, Physical]:
    if all(vehicle.id != name for vehicle in config.vehicles):
        raise _Unusable("subject_unknown", f"no vehicle {name} is declared")
    if reading.soc is None and reading.odometer_km is None and reading.at_station is None:
        raise _Unusable("telemetry_broken", "none of soc, odometer_km, at_station is stated")
    evse = reading.at_evse
    if reading.at_station is not None:
        station = next((s for s in config.stations if s.id == reading.at_station), None)
        evses = {c.evse for c in station.connectors} if station else set()
        if station is None or (evse is not None and evse not in evses):
            raise _Unusable("subject_unknown", f"no station {reading.at_station} with that EVSE is declared")
        evse = next(iter(evses)) if evse is None and len(evses) == 1 else evse
    body = VehicleRead(soc=reading.soc, odometer_km=reading.odometer_km, at_station=reading.at_station, at_evse=evse)
    return body, Physical(vehicle=name)


def _meter(reading: Reading, name: str, config: SiteConfig) -> tuple[Body, Physical]:
    meter = next((m for m in config.meters if m.id == name), None)
    if meter is None:
        raise _Unusable("subject_unknown", f"no meter {name} is declared")
    if reading.import_kw is None and reading.export_kw is None and reading.import_kwh is None:
        raise _Unusable("telemetry_broken", "none of import_kw, export_kw, import_kwh is stated")
    body = MeterSampled(
        measures=meter.measures,
        import_kw=reading.import_kw,
        export_kw=reading.export_kw,
        import_kwh=reading.import_kwh,
    )
    return body, Physical(meter=name, node=meter.node)


def _counts(batch: _Batch) -> dict[str, Any]:
    return {
        "used": len(batch.facts),
        "repeated": batch.repeated,
        "quarantined": len(batch.refused),
        "items": batch.refused[:100],
    }
