"""Whatever happens to a site, and in whatever order: what holds of every decision.

Playing a night is the dear part, so one night is played per example and all that can be said of its log is checked on it.
"""

from __future__ import annotations

from datetime import timedelta

from hypothesis import given

from core.messages import Position, line, load
from core.messages.base import MAX_CAUSES
from core.site import Memo, SiteState, decide, fold
from tests.core.site.ceilings import never_lifted_above_a_limit
from tests.core.site.play import Play, Record
from tests.core.site.stories import Event, act, few, opened, rules, stories


@few
@given(stories, rules)
def test_a_site_at_rest_says_nothing_before_its_deadline(story: list[Event], rule: str) -> None:
    play = opened(rule)
    for event in story:
        act(play, event)
        quiet_until_the_deadline(play)


@few
@given(stories, rules)
def test_the_log_of_a_night_explains_itself_and_gives_the_same_decisions_again(story: list[Event], rule: str) -> None:
    play = opened(rule, Memo())
    for event in story:
        act(play, event)
        the_memo_moves_no_deadline(play)
    every_decision_says_what_it_follows_from(play)
    no_wish_lifts_a_sum_above_a_limit(play)
    the_log_gives_the_same_decisions_without_memo_and_with_every_fact_told_twice(play)
    every_fact_told_again_a_day_later_changes_nothing(play)


def quiet_until_the_deadline(play: Play) -> None:
    """From the moment at which all is said, up to the very last before the deadline."""
    deadline = play.deadline()
    assert deadline is None or deadline > play.now
    ends = min(deadline or play.now + timedelta(hours=3), play.now + timedelta(hours=3))
    moments = [play.now + (ends - play.now) * share for share in (0.0, 0.001, 0.6)]
    for moment in [*moments, ends - timedelta(microseconds=1)]:
        written = decide(play.state, moment)
        assert not written, f"at {moment}, before {deadline}: {written[0]}"


def the_memo_moves_no_deadline(play: Play) -> None:
    deadline = play.deadline()
    memo, play.memo = play.memo, None
    assert play.deadline() == deadline
    play.memo = memo


def every_decision_says_what_it_follows_from(play: Play) -> None:
    """By messages that stand earlier in the log, or earlier in the same record."""
    known: set[str] = set()
    for record in play.log:
        for message in record.messages:
            if record.decided:
                assert 0 < len(message.causes) <= MAX_CAUSES, message
                assert set(message.causes) <= known, message
                assert message.id not in known
            known.add(message.id)


def no_wish_lifts_a_sum_above_a_limit(play: Play) -> None:
    state = SiteState("depot")
    for record in play.log:
        state = folded(state, record)
        if record.decided:
            never_lifted_above_a_limit(play, state, record.messages)


def the_log_gives_the_same_decisions_without_memo_and_with_every_fact_told_twice(play: Play) -> None:
    state = SiteState("depot")
    for record in play.log:
        if record.now is not None:
            assert state.seen == record.seen
            assert decide(state, record.now) == list(record.messages)
        read = Record(record.seq, tuple(load(line(message)) for message in record.messages))
        state = folded(state, read)
        if not record.decided:
            state = folded(state, read)


def every_fact_told_again_a_day_later_changes_nothing(play: Play) -> None:
    play.now += timedelta(days=1)
    play.settle()
    deadline = play.deadline()
    for record in [r for r in play.log if not r.decided]:
        for message in record.messages:
            play.state = fold(play.state, message, Position(play.state.seen, 1))
        written = decide(play.state, play.now, play.memo)
        assert not written, f"after {record.messages[0]}: {written[0]}"
    assert play.deadline() == deadline


def folded(state: SiteState, record: Record) -> SiteState:
    for index, message in enumerate(record.messages):
        state = fold(state, message, Position(record.seq, index))
    return state
