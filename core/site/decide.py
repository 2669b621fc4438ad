"""The decision of a moment: every stage in order, each seeing what the ones before it wrote."""

from __future__ import annotations

from datetime import datetime

from core.messages import Message, Position
from core.messages.scribe import Scribe
from core.site.memo import Memo
from core.site.stages import STAGES, Stage
from core.site.state import SiteState, fold


def decide(state: SiteState, now: datetime, memo: Memo | None = None) -> list[Message]:
    """The messages that follow from the state at `now`; empty once everything is said. Pure but for the memo."""
    scribe = Scribe(state.site, state.seen, now)
    memo = memo or Memo()
    found = _stages(state, now, memo, scribe)
    if not scribe.messages:
        memo.settled.update(found)
        memo.rested = state
    return scribe.messages


def next_deadline(state: SiteState, now: datetime, memo: Memo | None = None) -> datetime | None:
    """The first moment strictly after `now` at which `decide` could differ although nothing was folded.

    Meaningful where `decide` has nothing to say at `now`.
    """
    memo = memo or Memo()
    settled = dict(memo.settled)
    if memo.rested is not state:
        settled.update(_stages(state, now, memo, Scribe(state.site, state.seen, now)))
    return min((moment for _, moment in settled.values() if moment is not None and moment > now), default=None)


def _stages(state: SiteState, now: datetime, memo: Memo, scribe: Scribe) -> dict[str, tuple[int, datetime | None]]:
    """Run every stage that is not settled; returns version and deadline of each that ran."""
    config = state.config
    found: dict[str, tuple[int, datetime | None]] = {}
    for stage in STAGES if config is not None else ():
        version = _version(state, stage)
        if memo.is_settled(stage.name, version, now):
            continue
        written = len(scribe.messages)
        assert config is not None
        found[stage.name] = (version, stage.decide(state, config, now, scribe, memo))
        for message in scribe.messages[written:]:
            state = fold(state, message, Position(state.seen, 0))
    return found


def _version(state: SiteState, stage: Stage) -> int:
    return sum(state.versions.get(name, 0) for name in stage.types)
