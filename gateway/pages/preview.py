"""What an act would do to readiness before it is done: the core's own decision on a state that folded it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from core.messages import Message, Position
from core.messages.readiness import ReadinessAssessed, State, assessed
from core.messages.reasons import next_step, sentence
from core.site import SiteState, decide, fold

WORSE: Mapping[State, int] = {"met": 0, "on_track": 0, "unknown": 1, "at_risk": 2, "departed_short": 3, "missed": 4}
ROUNDS = 5
"""Decisions that one act may draw after it; the numbers of an act that draws more are those after the fifth."""


@dataclass(frozen=True, slots=True)
class Lowered:
    """A departure that an act makes worse: from which state to which, and why."""

    vehicle: str
    departs: datetime
    before: State
    after: State
    sentence: str
    next: str


def lowered(state: SiteState, fact: Message, now: datetime, zone: str) -> tuple[Lowered, ...]:
    """The departures that would be worse off, in order of departure."""
    position = Position(state.seen + 1, 0)
    after = fold(state, fact, position)
    for _ in range(ROUNDS):
        drawn = decide(after, now)
        if not drawn:
            break
        for message in drawn:
            after = fold(after, message, position)
    found = []
    for key, message in after.readiness.last.items():
        known = state.readiness.last.get(key)
        if known is not None and known is not message:
            found += _compared(assessed(known), assessed(message), zone, now)
    return tuple(sorted(found, key=lambda one: (one.departs, one.vehicle)))


def _compared(before: ReadinessAssessed, after: ReadinessAssessed, zone: str, now: datetime) -> list[Lowered]:
    if WORSE[after.state] <= WORSE[before.state]:
        return []
    first = after.reasons[0] if after.reasons else None
    told = {"vehicle": after.vehicle, "departs": after.departs} | (first.params if first else {})
    says = sentence(first.code, told, zone=zone, now=now) if first else ""
    step = next_step(first.code, told, zone=zone, now=now) if first else ""
    return [Lowered(after.vehicle, after.departs, before.state, after.state, says, step)]
