"""The last facts that incidents rest on: links, commands, statuses, sources, feeds, and readings above a limit."""

from __future__ import annotations

import math
from collections.abc import Callable, Container, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from immutables import Map

from core.energy_system import Topology, reserve_at
from core.messages import Message
from core.messages.allocation import AllocationPlanned
from core.messages.command import CommandConfirmed, CommandMismatched, CommandRejected, CommandWished
from core.messages.envelope import EnvelopeComputed, EnvelopeSegment
from core.messages.gateway import GatewayStarted, JournalVerified
from core.messages.grid import MeterSampled, SourceContacted, SourceStateChanged
from core.messages.site import SiteConfig, SiteConfigured
from core.messages.station import (
    ConnectorStatusChanged,
    StationClockMeasured,
    StationConnected,
    StationDisconnected,
    StationProblemReported,
    StationSeen,
)
from core.messages.vehicle import VehicleIdentified
from core.messages.work import ScheduleImported, WorkPlanned

_INSTANT = timedelta(microseconds=1)
_OF_STATIONS = ("links", "orders", "statuses", "problems", "clocks", "identified")
MOST_PENDING = 15
"""So many unconfirmed wishes of a station are remembered beside the oldest."""


@dataclass(frozen=True, slots=True)
class Link:
    """A station's newest connection: up or lost, since when, by which message."""

    up: bool
    since: datetime
    by: str
    gateway: str
    epoch: int
    connection: int
    fresh_until: datetime | None = None


@dataclass(frozen=True, slots=True)
class Order:
    """What became of a station's wishes."""

    pending: tuple[tuple[str, datetime], ...] = ()
    """(id, time) of the wishes that are not confirmed, in order; a confirmation covers all before it."""
    refused: Message | None = None
    mismatched: Message | None = None
    confirmed: Message | None = None


@dataclass(frozen=True, slots=True)
class Watch:
    """Readings of a meter against its limit: how many in a row are above, since when; count 0: below since then."""

    count: int
    since: datetime
    peak_kw: float
    limit_kw: float
    source: str
    by: str
    limit_by: str
    meter: str
    read: datetime


@dataclass(frozen=True, slots=True)
class Facts:
    """The newest fact of each kind and subject."""

    config: SiteConfig | None = None
    configured_by: str = ""
    links: Map[str, Link] = field(default_factory=Map)
    orders: Map[str, Order] = field(default_factory=Map)
    statuses: Map[tuple[str, int, int], Message] = field(default_factory=Map)
    """By (station, EVSE, connector): of an EVSE with two, one may be faulted and the other free."""
    problems: Map[tuple[str, int], Message] = field(default_factory=Map)
    """By (station, EVSE; 0 where it names none): what a part of it said last is wrong."""
    clocks: Map[str, Message] = field(default_factory=Map)
    identified: Map[tuple[str, int], Message] = field(default_factory=Map)
    sources: Map[str, Message] = field(default_factory=Map)
    contacts: Map[str, Message] = field(default_factory=Map)
    feeds: Map[str, Message] = field(default_factory=Map)
    waiting: Map[str, frozenset[str]] = field(default_factory=Map)
    """By feed the assignments of its last import that came before their work, as `DAY BLOCK`."""
    watches: Map[tuple[str, str], Watch] = field(default_factory=Map)
    envelope: Message | None = None
    fitting: Map[str, datetime] = field(default_factory=Map)
    """By node whose limit was no lower than what it needs when the envelope came: since when."""
    journal: Message | None = None
    plan: Message | None = None
    """The last plan of which the check refused something, or the first one after it."""


def note(facts: Facts, message: Message) -> Facts:
    """The facts after one more message; repeats and older ones change nothing."""
    take = _TAKES.get(message.type)
    return facts if take is None else take(facts, message, message.body)


def envelope_at(envelope: EnvelopeComputed, node: str, at: datetime) -> EnvelopeSegment | None:
    """The segment of the node that holds at this moment."""
    return next((s for s in envelope.segments if s.node == node and s.begins <= at < s.ends), None)


def _configured(facts: Facts, message: Message, body: SiteConfigured) -> Facts:
    """A station that is not declared any more has nothing to tell: no evidence would ever end its incidents."""
    before = {station.id for station in facts.config.stations} if facts.config else set()
    facts = replace(facts, config=body.config, configured_by=message.id)
    gone = before - {station.id for station in body.config.stations}
    kept: dict[str, Any] = {name: _without(getattr(facts, name), gone) for name in _OF_STATIONS}
    return replace(facts, **kept) if gone else facts


def _without(known: Map[Any, Any], stations: Container[str]) -> Map[Any, Any]:
    """What is kept by station, or by (station, ...), of all the others."""
    return Map((key, value) for key, value in known.items() if _station(key) not in stations)


def _station(key: str | tuple[str, ...]) -> str:
    return key if isinstance(key, str) else key[0]


def _envelope(facts: Facts, message: Message, body: EnvelopeComputed) -> Facts:
    if facts.envelope is not None and message.time < facts.envelope.time:
        return facts
    fitting = Map() if facts.config is None else _fitting(facts, Topology.of(facts.config), body, message.time)
    return replace(facts, envelope=message, fitting=fitting)


def _fitting(facts: Facts, topology: Topology, body: EnvelopeComputed, now: datetime) -> Map[str, datetime]:
    """The nodes whose limit fits as the envelope comes; of one that fitted before, too, since then."""
    found: dict[str, datetime] = {}
    for node in topology.nodes:
        segment = envelope_at(body, node, now)
        if segment is not None and segment.import_kw >= needed_kw(topology, node, now):
            found[node] = fits_since(facts, topology, node, now) or now
    return Map(found)


def needed_kw(topology: Topology, node: str, at: datetime) -> float:
    """What chargers below the node draw by themselves, and at the root the building's reserve, too."""
    return topology.safe_kw(node) + (topology.reserve_kw(at) if node == topology.root else 0.0)


def fits_since(facts: Facts, topology: Topology, node: str, now: datetime) -> datetime | None:
    """Since when the node's limit has been no lower than what it needs, over all envelopes since then; None: it is lower."""
    envelope, since = facts.envelope, facts.fitting.get(node)
    if envelope is None or not isinstance(envelope.body, EnvelopeComputed):
        return None
    edges = {s.begins for s in envelope.body.segments if s.node == node}
    if node == topology.root:
        edges |= {moment for moment, _ in topology.reserve_steps(envelope.time, now + _INSTANT)}
    for edge in sorted(edge for edge in edges if envelope.time < edge <= now):
        segment = envelope_at(envelope.body, node, edge)
        if segment is not None and segment.import_kw < needed_kw(topology, node, edge):
            since = None
        elif segment is not None:
            since = since or edge
    return since


def _verified(facts: Facts, message: Message, body: JournalVerified) -> Facts:
    older = facts.journal is not None and message.time < facts.journal.time
    return facts if older else replace(facts, journal=message)


def _planned(facts: Facts, message: Message, body: AllocationPlanned) -> Facts:
    before = facts.plan.body if facts.plan else None
    fine = not body.refused and not getattr(before, "refused", "")
    return facts if fine else replace(facts, plan=message)


def _started(facts: Facts, message: Message, body: GatewayStarted) -> Facts:
    """Connections of that gateway's earlier epochs are lost at that moment."""
    links = facts.links
    for station, link in facts.links.items():
        if link.up and link.gateway == body.gateway and link.epoch < body.epoch:
            links = links.set(station, replace(link, up=False, since=message.time, by=message.id))
    return replace(facts, links=links)


def _connected(facts: Facts, message: Message, body: StationConnected) -> Facts:
    """The stream's order says which connection is the newer one; clocks of two gateways may disagree about it."""
    station = message.at.station or ""
    known = facts.links.get(station)
    if known is not None and known.gateway == body.gateway and _name(body) <= _held(known):
        return facts
    link = Link(True, message.time, message.id, *_name(body), message.fresh_until)
    return replace(facts, links=facts.links.set(station, link))


def _disconnected(facts: Facts, message: Message, body: StationDisconnected) -> Facts:
    station = message.at.station or ""
    known = facts.links.get(station)
    if known is None or not known.up or _held(known) != _name(body):
        return facts
    lost = replace(known, up=False, since=message.time, by=message.id)
    return replace(facts, links=facts.links.set(station, lost))


def _seen(facts: Facts, message: Message, body: StationSeen) -> Facts:
    station = message.at.station or ""
    known = facts.links.get(station)
    if known is None or not known.up or message.fresh_until is None:
        return facts
    if known.fresh_until is not None and message.fresh_until <= known.fresh_until:
        return facts
    back = known.fresh_until is not None and message.time >= known.fresh_until
    link = replace(known, fresh_until=message.fresh_until)
    if back:
        link = replace(link, since=message.time, by=message.id)
    return replace(facts, links=facts.links.set(station, link))


def _held(link: Link) -> tuple[str, int, int]:
    return link.gateway, link.epoch, link.connection


def _name(body: StationConnected | StationDisconnected) -> tuple[str, int, int]:
    return body.gateway, body.epoch, body.connection


def _wished(facts: Facts, message: Message, body: CommandWished) -> Facts:
    known = _order(facts, message)
    if any(wish == message.id for wish, _ in known.pending):
        return facts
    pending = (*known.pending, (message.id, message.time))
    return _ordered(facts, message, replace(known, pending=pending[:1] + pending[1:][-MOST_PENDING:]))


def _rejected(facts: Facts, message: Message, body: CommandRejected) -> Facts:
    """A refused limit; what refuses to start a session has not refused one."""
    if body.purpose == "start":
        return facts
    return _ordered(facts, message, replace(_order(facts, message), refused=message))


def _mismatched(facts: Facts, message: Message, body: CommandMismatched) -> Facts:
    return _ordered(facts, message, replace(_order(facts, message), mismatched=message))


def _confirmed(facts: Facts, message: Message, body: CommandConfirmed) -> Facts:
    """A confirmation ends refusal and mismatch, and the wait for its wish and all older ones."""
    known = _order(facts, message)
    names = [wish for wish, _ in known.pending]
    pending = known.pending[names.index(body.wish) + 1 :] if body.wish in names else known.pending
    order = replace(known, refused=None, mismatched=None, confirmed=message, pending=pending)
    return _ordered(facts, message, order)


def _order(facts: Facts, message: Message) -> Order:
    return facts.orders.get(message.at.station or "", Order())


def _ordered(facts: Facts, message: Message, order: Order) -> Facts:
    return replace(facts, orders=facts.orders.set(message.at.station or "", order))


def _status(facts: Facts, message: Message, body: ConnectorStatusChanged) -> Facts:
    place = (message.at.station or "", message.at.evse or 0, message.at.connector or 0)
    return replace(facts, statuses=_newer(facts.statuses, place, message))


def _problem(facts: Facts, message: Message, body: StationProblemReported) -> Facts:
    """The last problem of a place; that it is over ends no fault, the connector's status does."""
    place = (message.at.station or "", message.at.evse or 0)
    return facts if body.cleared else replace(facts, problems=_newer(facts.problems, place, message))


def _clock(facts: Facts, message: Message, body: StationClockMeasured) -> Facts:
    return replace(facts, clocks=_newer(facts.clocks, message.at.station or "", message))


def _identified(facts: Facts, message: Message, body: VehicleIdentified) -> Facts:
    place = (message.at.station or "", message.at.evse or 0)
    return replace(facts, identified=_newer(facts.identified, place, message))


def _source(facts: Facts, message: Message, body: SourceStateChanged) -> Facts:
    return replace(facts, sources=_newer(facts.sources, body.source, message))


def _contact(facts: Facts, message: Message, body: SourceContacted) -> Facts:
    guard_s = facts.config.policies.guard_s if facts.config else 0
    return replace(facts, contacts=_since(facts.contacts, body.source, message, lambda m: horizon_s(m) >= guard_s))


def horizon_s(contact: Message) -> float:
    """For how long a sign of life counts, seconds; one without an end counts for ever."""
    return math.inf if contact.fresh_until is None else (contact.fresh_until - contact.time).total_seconds()


def _feed(facts: Facts, message: Message, body: ScheduleImported) -> Facts:
    feeds = _since(facts.feeds, body.feed, message, lambda m: not unusable(m))
    waiting = frozenset(row for row, reason in body.refused if reason == "work_not_known_yet")
    return replace(facts, feeds=feeds, waiting=_without_empty(facts.waiting, body.feed, waiting))


def unusable(imported: Message) -> int:
    """How many rows of an import could not be used."""
    body = imported.body
    assert isinstance(body, ScheduleImported)
    return body.quarantined + max(body.refused_count, len(body.refused))


def _work(facts: Facts, message: Message, body: WorkPlanned) -> Facts:
    """Work that an assignment waited for: that row is used now."""
    row, waiting = f"{body.block.operating_day.isoformat()} {body.block.block}", facts.waiting
    for feed, rows in facts.waiting.items():
        if row in rows:
            waiting = _without_empty(waiting, feed, rows - {row})
    return facts if waiting is facts.waiting else replace(facts, waiting=waiting)


def _without_empty(known: Map[str, frozenset[str]], feed: str, rows: frozenset[str]) -> Map[str, frozenset[str]]:
    if rows:
        return known.set(feed, rows)
    return known.delete(feed) if feed in known else known


def _since(
    known: Map[Any, Message], key: object, message: Message, fine: Callable[[Message], bool]
) -> Map[Any, Message]:
    """The last message that is not fine, else the first fine one after it: since then it is over, however often more follow."""
    old = known.get(key)
    return known if old is not None and fine(old) and fine(message) else _newer(known, key, message)


def _newer(known: Map[Any, Message], key: object, message: Message) -> Map[Any, Message]:
    old = known.get(key)
    return known if old is not None and message.time < old.time else known.set(key, message)


def _metered(facts: Facts, message: Message, body: MeterSampled) -> Facts:
    """A reading against the limit in force at its own time: the node's envelope, or the building's reserve."""
    meter = message.at.meter or ""
    config = facts.config
    declared = next((m for m in config.meters if m.id == meter), None) if config else None
    if config is None or declared is None or body.import_kw is None:
        return facts
    if body.measures == "building":
        local = message.time.astimezone(ZoneInfo(config.zone)).time()
        limit, source, by = reserve_at(config.building, local), "reserve", facts.configured_by
        return _watched(facts, "building_above_reserve", declared.node, message, body.import_kw, limit, source, by)
    limit, source, by = _limit(facts, config, declared.node, message.time)
    return _watched(facts, "limit_exceeded", declared.node, message, body.import_kw, limit, source, by)


def _limit(facts: Facts, config: SiteConfig, node: str, at: datetime) -> tuple[float, str, str]:
    """(kW, source, message) that bound the node at that moment; without an envelope its rating."""
    body = facts.envelope.body if facts.envelope else None
    segment = envelope_at(body, node, at) if isinstance(body, EnvelopeComputed) else None
    if segment is not None and facts.envelope is not None:
        return segment.import_kw, segment.binding_source, facts.envelope.id
    rating = next((n.limit_kw for n in config.nodes if n.id == node), float("inf"))
    return rating, "rating", facts.configured_by


def _watched(
    facts: Facts, kind: str, node: str, message: Message, kw: float, limit: float, source: str, by: str
) -> Facts:
    known = facts.watches.get((kind, node))
    if known is not None and message.time <= known.read:
        return facts
    above, before = kw > limit, known.count if known else 0
    same = known is not None and above == (before > 0)
    watch = Watch(
        count=before + 1 if above else 0,
        since=known.since if known is not None and same else message.time,
        peak_kw=max(kw, known.peak_kw) if known is not None and above and before else kw,
        limit_kw=known.limit_kw if known is not None and above and before else limit,
        source=source,
        by=message.id,
        limit_by=by,
        meter=message.at.meter or "",
        read=message.time,
    )
    return replace(facts, watches=facts.watches.set((kind, node), watch))


_TAKES: Mapping[str, Callable[[Facts, Message, Any], Facts]] = {
    SiteConfigured.TYPE: _configured,
    EnvelopeComputed.TYPE: _envelope,
    AllocationPlanned.TYPE: _planned,
    JournalVerified.TYPE: _verified,
    GatewayStarted.TYPE: _started,
    StationConnected.TYPE: _connected,
    StationDisconnected.TYPE: _disconnected,
    StationSeen.TYPE: _seen,
    CommandWished.TYPE: _wished,
    CommandRejected.TYPE: _rejected,
    CommandMismatched.TYPE: _mismatched,
    CommandConfirmed.TYPE: _confirmed,
    ConnectorStatusChanged.TYPE: _status,
    StationProblemReported.TYPE: _problem,
    StationClockMeasured.TYPE: _clock,
    VehicleIdentified.TYPE: _identified,
    SourceStateChanged.TYPE: _source,
    SourceContacted.TYPE: _contact,
    ScheduleImported.TYPE: _feed,
    WorkPlanned.TYPE: _work,
    MeterSampled.TYPE: _metered,
}
