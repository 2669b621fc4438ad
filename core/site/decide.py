"""The decision of a moment: every stage in order, each seeing what the ones before it wrote."""

from __future__ import annotations

from datetime import datetime
from itertools import repeat

from core.messages import Message, Position
from core.messages.scribe import Full, Scribe
from core.site.memo import Memo
from core.site.stages import STAGES, Stage
from core.site.state import SiteState, fold

MOST = 1_000
"""Messages of one decision. A longer one is cut there, and its rest decided once the first part was folded."""


def decide(state: SiteState, now: datetime, memo: Memo | None = None, *, most: int = MOST) -> list[Message]:
    """The messages that follow from the state at `now`; empty once everything is said. Pure but for the memo.

    A clock that was set back stands still until it has caught up: no decision is older than the one before it, for what
    is known is never replaced by what is older.

    At most `most` of them, but a plan and the wishes are never cut. A decision that was cut stands by itself: every
    message follows from earlier ones, and the next decision goes on where it ended, also in a process that knows only
    what was folded.
    """
    now = _not_back(state, now)
    scribe = Scribe(state.site, state.seen, now, most)
    memo = memo or Memo()
    found = _stages(state, now, memo, scribe)
    if not scribe.messages:
        memo.settled.update(found)
        memo.rested = state
    return scribe.messages


def next_deadline(state: SiteState, now: datetime, memo: Memo | None = None) -> datetime | None:
    """The first moment strictly after `now` (and after the newest decision) at which `decide` could differ although nothing was folded.

    Meaningful where `decide` has nothing to say at `now`.
    """
    now, memo = _not_back(state, now), memo or Memo()
    settled = dict(memo.settled)
    if memo.rested is not state:
        settled.update(_stages(state, now, memo, Scribe(state.site, state.seen, now)))
    return min((moment for _, moment in settled.values() if moment is not None and moment > now), default=None)


def _not_back(state: SiteState, now: datetime) -> datetime:
    return now if state.decided is None else max(now, state.decided)


def _stages(state: SiteState, now: datetime, memo: Memo, scribe: Scribe) -> dict[str, tuple[int, datetime | None]]:
    """Run every stage that is not settled, until the scribe is full; returns version and deadline of each that ran."""
    config, most = state.config, scribe.most
    found: dict[str, tuple[int, datetime | None]] = {}
    for stage in STAGES if config is not None else ():
        version = _version(state, stage)
        if memo.is_settled(stage.name, version, now):
            continue
        written = len(scribe.messages)
        if most is not None and written >= (max(1, most // 2) if stage.whole else most):
            break
        scribe.most = None if stage.whole else most
        assert config is not None
        try:
            found[stage.name] = (version, stage.decide(state, config, now, scribe, memo))
        except Full:
            break
        for message in scribe.messages[written:]:
            state = fold(state, message, Position(state.seen, 0))
    return found


def _version(state: SiteState, stage: Stage) -> int:
    return sum(map(state.versions.get, stage.types, repeat(0)))
