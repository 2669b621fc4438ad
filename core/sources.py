"""What the journal says about one source of limits: its statements, its contacts, its standing."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Literal

from immutables import Map

from core.messages import Message
from core.messages.grid import ConstraintStated, SourceContacted, SourceStateChanged
from core.profiles import Block, bound, overlay, resolve, since

HISTORY = timedelta(hours=1)
"""How long a block that has ended, and the request that stated it, are remembered."""
CONTACTS = 32
"""How many ids of contacts are remembered; older contacts are known by their time."""
SKEW = timedelta(seconds=5)
"""Gateways' clocks may differ by so much; what is older than the newest contact by more is an old record."""

State = Literal["current", "fallback"]
Statement = tuple[str, str]
"""(direction, role) of a stated profile."""


@dataclass(frozen=True, slots=True)
class SourceState:
    """What the journal says about one source of limits."""

    present: bool = False
    """A handshake was heard and its freshness has not run out in any folded fact since."""
    fresh_until: datetime | None = None
    """From then on the source counts as lost; None: it never said."""
    contact_at: datetime | None = None
    contacts: tuple[str, ...] = ()
    """Ids of the newest contacts, the last one last."""
    recorded: State | None = None
    """The last `source.state_changed`, by message `recorded_by`."""
    recorded_by: str = ""
    recorded_at: datetime | None = None
    blocks: Map[Statement, tuple[Block, ...]] = Map()
    requests: Map[tuple[str, str, str], datetime] = Map()
    """Requests that were folded, until the end of their last block."""


def present(source: SourceState, at: datetime) -> bool:
    """Whether the source counts as present at that moment, by what was folded."""
    return source.present and (source.fresh_until is None or at < source.fresh_until)


def fold_constraint(source: SourceState, message: Message, body: ConstraintStated, old: datetime) -> SourceState:
    """Newer blocks replace what they cover; a request that was folded before is a repeat and changes nothing."""
    request = (body.request, body.direction, body.role)
    if request in source.requests:
        return source
    said: tuple[Block, ...] = ()
    for segment in (s for s in body.segments if s.begins < s.ends):
        said = resolve(said, Block(segment.begins, segment.ends, segment.kw, message.id))
    key = (body.direction, body.role)
    blocks = bound(since(overlay(source.blocks.get(key, ()), said), old))
    requests = source.requests
    for past in [r for r, ends in requests.items() if ends <= old]:
        requests = requests.delete(past)
    if said and said[-1].ends > old:
        requests = requests.set(request, said[-1].ends)
    return replace(source, blocks=source.blocks.set(key, blocks), requests=requests)


def fold_contact(source: SourceState, message: Message, body: SourceContacted) -> SourceState:
    """Only a handshake ends a fallback; a heartbeat's newest word on freshness replaces the one before.

    A handshake of a source that is present keeps the freshness known: a promise is not prolonged by greeting.
    """
    newest = source.contact_at or message.time
    if message.id in source.contacts or message.time < newest - SKEW:
        return source
    here = present(source, message.time)
    fresh = source.fresh_until
    if body.kind == "heartbeat" or not here or fresh is None:
        fresh = message.fresh_until
    return replace(
        source,
        present=here or body.kind == "handshake",
        fresh_until=fresh,
        contact_at=max(newest, message.time),
        contacts=(*source.contacts, message.id)[-CONTACTS:],
    )


def fold_state(source: SourceState, message: Message, body: SourceStateChanged) -> SourceState:
    """What was decided stands: a source that had run out then is not revived by a heartbeat that was on its way."""
    if message.id == source.recorded_by or (source.recorded_at is not None and message.time < source.recorded_at):
        return source
    lost = body.state == "fallback" and not present(source, message.time)
    return replace(
        source,
        recorded=body.state,
        recorded_by=message.id,
        recorded_at=message.time,
        present=source.present and not lost,
    )
