"""Whatever happens to a site, and in whatever order: what holds of every decision."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

import numpy as np
from hypothesis import given

from core.dispatch import ceiling
from core.dispatch.ceilings import edges, seconds
from core.messages import Message, Position
from core.messages.base import MAX_CAUSES
from core.messages.command import CommandSent, CommandWished
from core.site import Memo, SiteState, decide, fold
from core.site.stages import dispatched, outlets
from tests.core.site.play import Play, Record
from tests.core.site.stories import Event, act, few, opened, play_out, rules, stories


class Checked(Play):
    """A play that runs a check whenever the site has come to rest."""

    check: Callable[[Play], None] = staticmethod(lambda play: None)

    def settle(self) -> list[Message]:
        found = super().settle()
        type(self).check(self)
        return found


def checked(check: Callable[[Play], None]) -> type[Play]:
    return type("CheckedPlay", (Checked,), {"check": staticmethod(check)})


def at_rest(play: Play) -> None:
    assert decide(play.state, play.now) == []


@few
@given(stories, rules)
def test_a_site_at_rest_has_nothing_to_say(story: list[Event], rule: str) -> None:
    play_out(story, rule, checked(at_rest))


def quiet_until_the_deadline(play: Play) -> None:
    deadline = play.deadline()
    assert deadline is None or deadline > play.now
    ends = min(deadline or play.now + timedelta(hours=3), play.now + timedelta(hours=3))
    moments = [play.now + (ends - play.now) * share for share in (0.001, 0.37, 0.8)]
    for moment in [*moments, ends - timedelta(microseconds=1)]:
        written = decide(play.state, moment)
        assert not written, f"at {moment}, before {deadline}: {written[0]}"


@few
@given(stories, rules)
def test_nothing_is_said_before_the_deadline(story: list[Event], rule: str) -> None:
    play = opened(rule)
    for event in story:
        act(play, event)
        quiet_until_the_deadline(play)


@few
@given(stories, rules)
def test_a_memo_changes_no_decision(story: list[Event], rule: str) -> None:
    play = opened(rule)
    play.memo = Memo()
    for event in story:
        act(play, event)
        deadline = play.deadline()
        memo, play.memo = play.memo, None
        assert play.deadline() == deadline
        play.memo = memo
    state = SiteState("depot")
    for record in play.log:
        if record.now is not None:
            assert decide(state, record.now) == list(record.messages)
        state = folded(state, record)


def folded(state: SiteState, record: Record) -> SiteState:
    for index, message in enumerate(record.messages):
        state = fold(state, message, Position(record.seq, index))
    return state


@few
@given(stories, rules)
def test_every_decision_says_what_it_follows_from(story: list[Event], rule: str) -> None:
    known: set[str] = set()
    for record in play_out(story, rule).log:
        for message in record.messages:
            if record.decided:
                assert message.causes, message
                assert len(message.causes) <= MAX_CAUSES
                assert set(message.causes) <= known, message
            known.add(message.id)
        assert len({m.id for m in record.messages}) == len(record.messages)


@few
@given(stories, rules)
def test_no_wish_lifts_the_sum_of_ceilings_above_a_limit(story: list[Event], rule: str) -> None:
    play = play_out(story, rule)
    state = SiteState("depot")
    for record in play.log:
        after = folded(state, record)
        if record.now is not None:
            wishes = {str(m.at.station): m for m in record.messages if isinstance(m.body, CommandWished)}
            if wishes:
                _never_above(play, folded(state, record), wishes)
        state = after


def _never_above(play: Play, state: SiteState, wishes: dict[str, Message]) -> None:
    """All these wishes in their stations at once: no node is above its limit that was not above it before."""
    now = next(iter(wishes.values())).time
    assert state.config is not None
    before, limits = _sums(state, now_s := seconds(now)), dispatched(state, state.config, now).limits
    sent = state
    for station, wish in wishes.items():
        assert isinstance(wish.body, CommandWished)
        for installed in play.schedules(station, wish.body):
            body = CommandSent(wish=wish.id, call="x", installed=(installed,))
            message = wish.model_copy(update={"id": f"x{station}{installed}", "type": body.TYPE, "body": body})
            sent = fold(sent, message, Position(state.seen, 0))
    after = _sums(sent, now_s)
    grid = _grid(sent, now_s)
    for node, limit in limits.items():
        times = [t for t, _ in limit.steps]
        values = np.array([w for _, w in limit.steps])
        allowed = values[np.clip(np.searchsorted(times, grid, side="right") - 1, 0, None)]
        was = before(node, grid)
        above = after(node, grid) > np.maximum(allowed, was)
        assert not above.any(), (node, grid[above] - now_s, after(node, grid)[above], allowed[above], was[above])


def _grid(state: SiteState, now_s: int) -> np.ndarray:
    moments = {now_s, *(m for known in state.dispatch.stations.values() for m in edges(known))}
    return np.array(sorted(m for m in moments if m >= now_s), dtype=np.int64)


def _sums(state: SiteState, now_s: int) -> Callable[[str, np.ndarray], np.ndarray]:
    def of(node: str, grid: np.ndarray) -> np.ndarray:
        assert state.topology is not None
        total = np.zeros_like(grid)
        for outlet in outlets(state):
            if node in state.topology.path(outlet.node):
                plug = state.sessions.plugs.get((outlet.station, outlet.evse))
                total += ceiling(outlet, state.dispatch.stations.get(outlet.station), plug, grid)
        return total

    return of
