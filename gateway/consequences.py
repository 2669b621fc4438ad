"""What an act would do to readiness before it is done: the core's own decision on a state that folded it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from core.messages import Message, Position, words
from core.messages.readiness import ReadinessAssessed, State, assessed
from core.messages.reasons import next_step, sentence
from core.site import SiteState, decide, fold
from gateway.terms import term

WORSE: Mapping[State, int] = {"met": 0, "on_track": 0, "unknown": 1, "at_risk": 2, "departed_short": 3, "missed": 4}
ROUNDS = 5
"""Decisions that one act may draw after it; the numbers of an act that draws more are those after the fifth."""


@dataclass(frozen=True, slots=True)
class Changed:
    """A departure that an act makes better or worse, or brings: from which state to which, and why."""

    vehicle: str
    departs: datetime
    before: State | None
    """None: that departure is not known before the act."""
    after: State
    sentence: str
    next: str

    @property
    def worse(self) -> bool:
        """Whether it was known and is lowered."""
        return self.before is not None and WORSE[self.after] > WORSE[self.before]

    def told(self, zone: str, now: datetime) -> dict[str, Any]:
        """For programs and the command line: the states, and the same in a person's words."""
        was = f"now {term({}, self.before)}, then " if self.before else ""
        head = f"{self.vehicle} {words.moment(self.departs, zone, now=now)}: {was}{term({}, self.after)}."
        return {
            "vehicle": self.vehicle,
            "departs": self.departs.isoformat(),
            "before": self.before,
            "after": self.after,
            "what": f"{head} {self.sentence}".rstrip(),
            "next": self.next,
        }


def changed(state: SiteState, facts: Sequence[Message], now: datetime, zone: str) -> tuple[Changed, ...]:
    """The departures whose state the facts would change, and those that they bring, in order of departure."""
    after = state
    for index, fact in enumerate(facts):
        after = fold(after, fact, Position(state.seen + 1, index))
    for _ in range(ROUNDS):
        drawn = decide(after, now)
        if not drawn:
            break
        for message in drawn:
            after = fold(after, message, Position(state.seen + 1, len(facts)))
    found = []
    for key, message in after.readiness.last.items():
        known = state.readiness.last.get(key)
        if known is not message:
            found += _compared(assessed(known) if known is not None else None, assessed(message), zone, now)
    return tuple(sorted(found, key=lambda one: (one.departs, one.vehicle)))


def _compared(before: ReadinessAssessed | None, after: ReadinessAssessed, zone: str, now: datetime) -> list[Changed]:
    if before is not None and after.state == before.state:
        return []
    first = after.reasons[0] if after.reasons else None
    told = {"vehicle": after.vehicle, "departs": after.departs} | (first.params if first else {})
    says = sentence(first.code, told, zone=zone, now=now) if first else ""
    step = next_step(first.code, told, zone=zone, now=now) if first else ""
    was = before.state if before is not None else None
    return [Changed(after.vehicle, after.departs, was, after.state, says, step)]
