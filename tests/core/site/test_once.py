"""Effectively once, and replay: a fact told twice changes nothing, and the same log gives the same decisions."""

from __future__ import annotations

from datetime import timedelta

from hypothesis import given

from core.messages import Position, line, load
from core.site import SiteState, decide, fold
from tests.core.site.play import Play, Record
from tests.core.site.stories import Event, few, play_out, rules, stories


class Twice(Play):
    """Every record from outside is folded twice; the second time in the same place, so that decisions keep their ids."""

    def record(self, record: Record) -> None:
        super().record(record)
        if not record.decided:
            for index, message in enumerate(record.messages):
                self.state = fold(self.state, message, Position(record.seq, len(record.messages) + index))


@few
@given(stories, rules)
def test_a_record_folded_twice_at_once_changes_no_decision(story: list[Event], rule: str) -> None:
    once, twice = play_out(story, rule), play_out(story, rule, Twice)
    assert once.decided() == twice.decided()
    assert once.deadline() == twice.deadline()


@few
@given(stories, rules)
def test_a_record_folded_again_a_day_later_changes_no_decision(story: list[Event], rule: str) -> None:
    play = play_out(story, rule)
    play.now += timedelta(days=1)
    play.settle()
    state, deadline, seq = play.state, play.deadline(), play.state.seen
    for record in [r for r in play.log if not r.decided]:
        for index, message in enumerate(record.messages):
            state = fold(state, message, Position(seq, index))
        written = decide(state, play.now)
        assert not written, f"after {record.messages[0]}: {written[0]}"
    play.state = state
    assert play.deadline() == deadline


@few
@given(stories, rules)
def test_the_log_read_again_gives_the_same_decisions(story: list[Event], rule: str) -> None:
    play = play_out(story, rule)
    state = SiteState("depot")
    for record in play.log:
        if record.now is not None:
            assert state.seen == record.seen
            assert decide(state, record.now) == list(record.messages)
        for index, message in enumerate(record.messages):
            state = fold(state, load(line(message)), Position(record.seq, index))
