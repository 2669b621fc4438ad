"""Conditions of the site: lost grid sources, limits exceeded or too low, a building above its reserve, broken schedules."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from core.energy_system import Topology
from core.incidents.conditions import Condition, World, stated
from core.incidents.facts import Facts, envelope_at, fits_since, horizon_s, needed_kw, unusable
from core.messages import Message, Physical
from core.messages.allocation import AllocationPlanned
from core.messages.envelope import EnvelopeComputed
from core.messages.gateway import JournalVerified
from core.messages.grid import SourceStateChanged
from core.messages.reasons import REASONS
from core.messages.site import Source
from core.messages.work import ScheduleImported

OVER = timedelta(seconds=10)
"""One reading above a limit counts after this; a second one counts at once."""


def sources(facts: Facts, world: World, now: datetime) -> Iterator[Condition]:
    """Sources in fallback, and sources that are heard for a shorter time than chargers need to follow."""
    for source in world.config.sources:
        message, contact = facts.sources.get(source.id), facts.contacts.get(source.id)
        if message is not None and isinstance(message.body, SourceStateChanged):
            yield _lost(facts, source, message, message.body.state == "fallback", now)
        if contact is not None and contact.fresh_until is not None:
            yield _horizon(source, contact, world.config.policies.guard_s)


def meters(facts: Facts, world: World, now: datetime) -> Iterator[Condition]:
    """Readings above the limit in force, or above the building's reserve."""
    for (kind, node), watch in facts.watches.items():
        yield Condition(
            kind=kind,
            subject=node,
            active=watch.count > 0,
            since=watch.since,
            causes=(watch.by, watch.limit_by),
            params={
                "node": node,
                "since": watch.since,
                "over_kw": math.ceil(round(watch.peak_kw - watch.limit_kw, 6)),
                "power_kw": watch.peak_kw,
                "limit_kw": watch.limit_kw,
                "source": watch.source,
            },
            severity=REASONS[kind].severity,
            at=Physical(node=node, meter=watch.meter),
            opens=watch.since + OVER if watch.count == 1 else watch.since,
        )


def limits(facts: Facts, world: World, now: datetime) -> Iterator[Condition]:
    """A limit in force below what chargers draw by themselves and the building needs."""
    envelope = facts.envelope
    if envelope is None or not isinstance(envelope.body, EnvelopeComputed):
        return
    topology = Topology.of(world.config)
    reserve_edges = tuple(moment for moment, _ in topology.reserve_steps(now, now + timedelta(days=1))[1:])
    for node in world.config.nodes:
        segment = envelope_at(envelope.body, node.id, now)
        if segment is None:
            continue
        needed = needed_kw(topology, node.id, now)
        yield Condition(
            kind="limit_below_safe",
            subject=node.id,
            active=segment.import_kw < needed,
            since=fits_since(facts, topology, node.id, now) or max(segment.begins, envelope.time),
            causes=(envelope.id,),
            params={
                "node": node.id,
                "limit_kw": segment.import_kw,
                "needed_kw": needed,
                "source": segment.binding_source,
            },
            severity=REASONS["limit_below_safe"].severity,
            at=Physical(node=node.id),
            moments=(segment.ends, *reserve_edges),
        )


def plans(facts: Facts, world: World, now: datetime) -> Iterator[Condition]:
    """Plans that the independent check refused; the next one that passes ends it."""
    message = facts.plan
    if message is None or not isinstance(message.body, AllocationPlanned):
        return
    body = message.body
    for kind, holds in (("plan_refused", not body.kept), ("plan_infeasible", body.kept)):
        active = bool(body.refused) and holds
        yield stated(kind, world.config.id, active, message, {"detail": body.refused}, Physical())


def feeds(facts: Facts, world: World, now: datetime) -> Iterator[Condition]:
    """Schedules of which rows could not be used; the next whole import of the feed ends it."""
    for feed, message in facts.feeds.items():
        body = message.body
        assert isinstance(body, ScheduleImported)
        waiting = len(facts.waiting.get(feed, ()))
        came = sum(reason == "work_not_known_yet" for _, reason in body.refused) - waiting
        rows = unusable(message) - came
        params = {"feed": feed, "rows": rows, "waiting": waiting or None, "since": message.time}
        yield stated("schedule_incomplete", feed, rows > 0, message, params, Physical(path=feed))


def journal(facts: Facts, world: World, now: datetime) -> Iterator[Condition]:
    """A journal that does not verify; the next verification that finds it whole ends it."""
    message = facts.journal
    if message is not None and isinstance(message.body, JournalVerified):
        params = {"detail": message.body.detail, "since": message.time}
        yield stated("journal_damaged", world.config.id, not message.body.whole, message, params, Physical())


def _lost(facts: Facts, source: Source, message: Message, lost: bool, now: datetime) -> Condition:
    """Whether a source stands in fallback, with what it allows until then: not always what is configured."""
    envelope = facts.envelope.body if facts.envelope else None
    segment = envelope_at(envelope, source.node, now) if isinstance(envelope, EnvelopeComputed) else None
    held = source.id if source.mode_on_stale == "hold_until_exhausted" else ""
    binds = segment is not None and segment.binding_source in (f"{source.id} fallback", held)
    assert isinstance(message.body, SourceStateChanged)
    never = message.body.reason == "source_never_heard"
    params: dict[str, Any] = {"source": source.id} | ({"so_far": "so far"} if never else {"since": message.time})
    if segment is not None and binds:
        params["fallback_kw"] = segment.import_kw
    said = stated("grid_source_lost", source.id, lost, message, params, Physical(node=source.node))
    return replace(said, moments=(segment.ends,) if segment is not None and lost else ())


def _horizon(source: Source, contact: Message, guard_s: int) -> Condition:
    """Whether a source's sign of life counts for less time than chargers need to follow a new limit."""
    heard_s = horizon_s(contact)
    params = {"source": source.id, "horizon_s": heard_s, "guard_s": guard_s, "wanted_s": 4 * guard_s}
    return stated("horizon_short", source.id, heard_s < guard_s, contact, params, Physical(node=source.node))
