"""Which facts from outside were folded already: a record that stands in the journal twice changes nothing the second time."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from immutables import Map

from core.messages import Message

KEPT = 256
"""So many ids of the newest facts of one place are remembered; older ones are known by when they were learned."""
PLACES = 4096
"""So many places are remembered; beyond them the one that was silent for longest is forgotten."""
SKEW = timedelta(minutes=5)
"""Gateways' clocks may differ by so much: what was learned longer before the newest fact of its place is a repeat."""


@dataclass(frozen=True, slots=True)
class Heard:
    """The newest facts that one source told about one place: ids, the last one last, and when the newest was learned."""

    ids: tuple[str, ...]
    newest: datetime


Place = tuple[str, str]
"""(source, station)."""


def place(message: Message) -> Place:
    """What is told in one order: the source, and the station where the fact names one."""
    return message.source, message.at.station or ""


def repeated(known: Heard | None, message: Message) -> bool:
    """Whether the fact was folded before."""
    return known is not None and (message.id in known.ids or message.recorded < known.newest - SKEW)


def hear(known: Heard | None, message: Message) -> Heard:
    """The memory with one more fact."""
    if known is None:
        return Heard((message.id,), message.recorded)
    return Heard((*known.ids, message.id)[-KEPT:], max(known.newest, message.recorded))


def remember(heard: Map[Place, Heard], message: Message) -> Map[Place, Heard]:
    """All places with one more fact."""
    here = place(message)
    if here not in heard and len(heard) >= PLACES:
        heard = heard.delete(min(heard, key=lambda known: (heard[known].newest, known)))
    return heard.set(here, hear(heard.get(here), message))
