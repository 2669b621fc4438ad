"""Whatever happens to a site, and in whatever order: what holds of every decision."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import timedelta

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from core.messages import Message, Position
from core.messages.base import MAX_CAUSES
from core.site import Memo, SiteState, decide, fold
from tests.core.site.depot import START
from tests.core.site.play import Play, Record
from tests.core.site.stories import Event, act, opened, rules, stories

few = settings(max_examples=int(__import__("os").environ.get("N","25")), deadline=None, suppress_health_check=[HealthCheck.too_slow])
ROOTS = frozenset({"incident.opened"})


class Checked(Play):
    """A play that runs a check after every decision, while the site is at rest."""

    check: Callable[[Play], None] = staticmethod(lambda play: None)

    def settle(self) -> list[Message]:
        found = super().settle()
        type(self).check(self)
        return found


def checked(check: Callable[[Play], None]) -> type[Play]:
    return type("CheckedPlay", (Checked,), {"check": staticmethod(check)})


def play_out(story: list[Event], rule: str, play: type[Play] = Play) -> Play:
    found = opened(rule, play)
    for event in story:
        act(found, event)
    return found


def at_rest(play: Play) -> None:
    assert decide(play.state, play.now) == []


@few
@given(stories, rules)
def test_a_site_at_rest_has_nothing_to_say(story: list[Event], rule: str) -> None:
    play_out(story, rule, checked(at_rest))


def quiet_until_the_deadline(play: Play) -> None:
    deadline = play.deadline()
    assert deadline is None or deadline > play.now
    ends = deadline or play.now + timedelta(hours=3)
    span = min(ends, play.now + timedelta(hours=3)) - play.now
    moments = [play.now + span * share for share in (0.001, 0.37, 0.8)]
    for moment in [m for m in moments if m < ends] + [ends - timedelta(microseconds=1)]:
        written = decide(play.state, moment)
        assert not written, f"at {moment}, before {deadline}: {written[0]}"


@few
@given(stories, rules)
def test_nothing_is_said_before_the_deadline(story: list[Event], rule: str) -> None:
    play_out(story, rule, checked(quiet_until_the_deadline))


@few
@given(stories, rules)
def test_a_memo_changes_no_decision(story: list[Event], rule: str) -> None:
    play = opened(rule)
    play.memo = Memo()
    for event in story:
        act(play, event)
        assert play.deadline() == Play.deadline(_forgetful(play))
    state = SiteState("depot")
    for record in play.log:
        if record.now is not None:
            assert decide(state, record.now) == list(record.messages)
        state = folded(state, record)


def _forgetful(play: Play) -> Play:
    twin = object.__new__(Play)
    twin.__dict__.update(play.__dict__ | {"memo": None})
    return twin


def folded(state: SiteState, record: Record) -> SiteState:
    for index, message in enumerate(record.messages):
        state = fold(state, message, Position(record.seq, index))
    return state
