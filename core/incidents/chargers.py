"""Conditions of chargers: silent, refusing, not confirming, not obeying, faulted, or with an unknown vehicle."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from itertools import islice

from core.incidents.conditions import CHARGING_FOR, Condition, World, departing, stated, weighed, weighed_all
from core.incidents.facts import Facts, Link, Order
from core.incidents.panels import SILENT, lost_together
from core.messages import Message, Physical
from core.messages.command import CommandMismatched
from core.messages.incident import Severity
from core.messages.site import SiteConfig
from core.messages.station import ConnectorStatusChanged, StationClockMeasured
from core.messages.vehicle import VehicleIdentified

STRANGER = timedelta(minutes=2)
"""An unknown vehicle is one after so long: cards are shown late."""
CLOCK_OFF_S = 300.0
"""A station's clock that is further off dates readings into other quarters of an hour, and steps of a limit too."""
BESIDE = timedelta(minutes=5)
"""What a part of a station says is wrong with it is about the fault that begins within so long."""
MOST_UNDECLARED = 8
"""So many undeclared connectors of a station are incidents, the lowest numbers: a broken one may name any number."""
MANY_CONNECTORS = 0.25
"""Silence of this share of the connectors is of high severity."""
_UNREACHABLE = timedelta(days=365)
"""A wish to a station that is not connected is not waited for."""


def offline(facts: Facts, world: World, now: datetime) -> Iterator[Condition]:
    """Stations whose socket is gone or whose sign of life has run out, but not one by one what a node lost together."""
    found = {station: _silent_since(link, now) for station, link in facts.links.items()}
    silent = {station: since for station, since in found.items() if since is not None}
    many = _share(world, set(silent)) >= MANY_CONNECTORS
    panels = lost_together(facts.links, silent, world)
    yield from (weighed_all(panel.condition, world, now, panel.stations) for panel in panels)
    told_above = {station for panel in panels for station in panel.stations}
    lost = {station for panel in panels if panel.condition.active for station in panel.stations}
    for station, link in facts.links.items():
        since = silent.get(station, link.since)
        alone = station not in told_above or (station not in lost and ("charger_offline", station) in world.open)
        condition = Condition(
            kind="charger_offline",
            subject=station,
            active=station in silent and alone,
            since=since,
            causes=(link.by,),
            params={"station": station, "since": since, "safe_kw": _safe_kw(world.config, station)},
            at=Physical(station=station),
            opens=since + SILENT,
            moments=(link.fresh_until,) if link.up and link.fresh_until else (),
        )
        near = any(body.departs <= now + CHARGING_FOR for body in departing(world, station, None, now))
        floor: Severity = "high" if many or near else "low"
        yield weighed(condition, world, now, floor)


def commands(facts: Facts, world: World, now: datetime) -> Iterator[Condition]:
    """Stations that refused a limit, hold or draw more than it, or have not confirmed it in time."""
    for station, order in facts.orders.items():
        for condition in (*_answers(station, order, world), *_waiting(station, order, facts.links.get(station), world)):
            yield weighed(condition, world, now)


def faults(facts: Facts, world: World, now: datetime) -> Iterator[Condition]:
    """Connectors that report a fault."""
    worst: dict[tuple[str, int], Message] = {}
    for (station, evse, _), message in facts.statuses.items():
        worst[(station, evse)] = max(worst.get((station, evse), message), message, key=_faulted)
    for (station, evse), message in worst.items():
        body = message.body
        assert isinstance(body, ConnectorStatusChanged)
        if world.idle("charger_fault", f"{station}/{evse}", body.status == "faulted"):
            continue
        bay, told = _bay(world.config, station, evse), _told_beside(facts, station, evse, message)
        condition = Condition(
            kind="charger_fault",
            subject=f"{station}/{evse}",
            active=body.status == "faulted",
            since=message.time,
            causes=(message.id, *([told.id] if told else [])),
            params={
                "station": station,
                "bay": bay,
                "error": body.error,
                "words": body.words or getattr(told and told.body, "words", ""),
                "since": message.time,
            },
            at=Physical(station=station, evse=evse),
        )
        yield weighed(condition, world, now)


def _told_beside(facts: Facts, station: str, evse: int, status: Message) -> Message | None:
    """What a part said about this fault: of this EVSE, else of the whole station, and not long before it began."""
    found = (facts.problems.get((station, place)) for place in (evse, 0))
    return next((m for m in found if m is not None and m.time >= status.time - BESIDE), None)


def _faulted(status: Message) -> tuple[bool, datetime, int]:
    """A fault counts more than what is told of the EVSE's other connector; else the newest word, of two the first one's."""
    return getattr(status.body, "status", "") == "faulted", status.time, -(status.at.connector or 0)


def undeclared(facts: Facts, world: World, now: datetime) -> Iterator[Condition]:
    """EVSEs that a declared station reports and the configuration does not know; a new configuration ends it."""
    declared = {s.id: {c.evse for c in s.connectors} for s in world.config.stations}
    found: dict[str, dict[int, Message]] = {}
    for (station, evse, _), message in sorted(facts.statuses.items(), key=lambda item: item[0]):
        if evse and evse not in declared.get(station, {evse}):
            found.setdefault(station, {}).setdefault(evse, message)
    for station, told in found.items():
        for evse, message in islice(told.items(), MOST_UNDECLARED):
            params = {"station": station, "connector": evse, "count": len(declared[station])}
            at = Physical(station=station, evse=evse)
            yield stated("connector_undeclared", f"{station}/{evse}", True, message, params, at)


def clocks(facts: Facts, world: World, now: datetime) -> Iterator[Condition]:
    """Stations whose clock is off by more than what nobody notices."""
    for station, message in facts.clocks.items():
        body = message.body
        assert isinstance(body, StationClockMeasured)
        off = abs(body.skew_s)
        params = {"station": station, "skew_s": off, "way": "ahead" if body.skew_s > 0 else "behind"}
        yield stated("clock_skew", station, off > CLOCK_OFF_S, message, params, Physical(station=station))


def strangers(facts: Facts, world: World, now: datetime) -> Iterator[Condition]:
    """Plug-ins of a vehicle that nobody knows, or about which the evidence disagrees."""
    for (station, evse), plug in world.plugs.items():
        message = facts.identified.get((station, evse))
        body = message.body if message else None
        if message is None or not isinstance(body, VehicleIdentified):
            continue
        here = plug.plugged and body.since == plug.began and body.vehicle is None
        since = plug.since if here and plug.since else message.time
        for kind in ("unknown_vehicle", "vehicle_conflict"):
            active = here and (body.by == "conflict") == (kind == "vehicle_conflict")
            if world.idle(kind, f"{station}/{evse}", active):
                continue
            condition = Condition(
                kind=kind,
                subject=f"{station}/{evse}",
                active=active,
                since=since,
                causes=(message.id,),
                params={"bay": _bay(world.config, station, evse), "since": since, "candidates": list(body.candidates)},
                at=Physical(station=station, evse=evse),
                opens=since + STRANGER,
            )
            yield weighed(condition, world, now)


def _silent_since(link: Link, now: datetime) -> datetime | None:
    """Since when a station is silent: its socket is gone, or its last sign of life has run out."""
    if not link.up:
        return link.since
    return link.fresh_until if link.fresh_until is not None and now >= link.fresh_until else None


def _answers(station: str, order: Order, world: World) -> Iterator[Condition]:
    """A refusal or a mismatch holds until the next confirmation."""
    for kind, step in (("profile_refused", order.refused), ("limit_not_obeyed", order.mismatched)):
        latest = step or order.confirmed
        if latest is None or world.idle(kind, station, step is not None):
            continue
        params = {"station": station, "since": latest.time, "why": getattr(latest.body, "reason", "")}
        if step is not None and kind == "profile_refused":
            params |= {"ceiling_kw": world.ceiling_kw(station)}
        if isinstance(latest.body, CommandMismatched):
            params |= {"power_kw": latest.body.shown_kw, "asked_kw": latest.body.allowed_kw}
        yield Condition(
            kind=kind,
            subject=station,
            active=step is not None,
            since=latest.time,
            causes=(latest.id,),
            params=params,
            at=Physical(station=station),
        )


def _waiting(station: str, order: Order, link: Link | None, world: World) -> Iterator[Condition]:
    """A wish that a connected station has not confirmed in time; a refusal is an answer and not waited for."""
    waits = bool(order.pending) and order.refused is None
    latest = order.confirmed if not waits and order.confirmed else None
    if (not order.pending and latest is None) or world.idle("command_not_confirmed", station, waits):
        return
    wish, asked = order.pending[0] if order.pending else ("", None)
    since = latest.time if latest else max(filter(None, (asked, link.since if link else None)))
    within = timedelta(seconds=world.config.policies.confirm_within_s)
    yield Condition(
        kind="command_not_confirmed",
        subject=station,
        active=waits,
        since=since,
        causes=(latest.id if latest else wish,),
        params={"station": station, "since": since},
        at=Physical(station=station),
        opens=since + (within if link is None or link.up else _UNREACHABLE),
    )


def _share(world: World, stations: set[str]) -> float:
    """The share of the site's connectors that stand at these stations."""
    every = sum(len(s.connectors) for s in world.config.stations)
    return sum(len(s.connectors) for s in world.config.stations if s.id in stations) / every if every else 0.0


def _safe_kw(config: SiteConfig, station: str) -> float | None:
    return next((s.safe_kw for s in config.stations if s.id == station), None)


def _bay(config: SiteConfig, station: str, evse: int) -> str:
    """What people call the connector; without a name its station and EVSE."""
    connectors = (c for s in config.stations if s.id == station for c in s.connectors if c.evse == evse)
    return next((c.name for c in connectors if c.name), f"{station}/{evse}")
