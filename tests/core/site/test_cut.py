"""A decision that is too long for one record is cut: every part stands by itself, and together they say the same."""

from __future__ import annotations

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.messages import Message, Position
from core.messages.scribe import Full, Scribe
from core.messages.work import ScheduleImported, WorkWithdrawn
from core.site import Memo, SiteState, decide, fold
from tests.core.site.depot import START, VEHICLES
from tests.core.site.play import Play
from tests.core.site.stories import Event, act, few, opened, rules, stories
from tests.core.site.test_properties import (
    every_decision_says_what_it_follows_from,
    no_wish_lifts_a_sum_above_a_limit,
)

BLOCKS = tuple((VEHICLES[n % 6], START + timedelta(hours=2 + n), 100.0) for n in range(30))


def in_parts(most: int, rule: str = "plan", memo: Memo | None = None) -> Play:
    """A depot that decides at most so many messages at a time."""
    play = opened(rule, memo)
    play.most = most
    return play


def said(messages: list[Message]) -> list[tuple[str, str, str]]:
    """What was decided, without the ids that say in which part it stands."""
    kept = [m for m in messages if m.type.startswith(("work.", "schedule.", "requirement."))]
    return [(m.type, str(m.at.work or m.at.vehicle), m.body.model_dump_json()) for m in kept]


def test_a_scribe_takes_no_more_than_it_may() -> None:
    scribe = Scribe("depot", 1, START, most=1)
    scribe.write(WorkWithdrawn())
    with pytest.raises(Full):
        scribe.write(WorkWithdrawn())
    assert len(scribe.messages) == 1


@pytest.mark.parametrize("most", [1, 7, 40])
def test_a_long_import_is_taken_over_in_parts_with_the_counts_of_the_whole(most: int) -> None:
    whole, parts = opened(), in_parts(most)
    whole.work(BLOCKS)
    before = len(parts.log)
    parts.work(BLOCKS)
    lengths = [len(r.messages) for r in parts.log[before:] if r.decided and r.messages[0].type.startswith("work.")]
    assert max(lengths) == most
    assert len(lengths) >= 60 // most
    closings = [m.body for m in parts.decided() if isinstance(m.body, ScheduleImported)]
    assert [(c.new, c.changed, c.unchanged, c.assigned) for c in closings] == [(30, 0, 0, 30)]
    assert sorted(said(whole.decided())) == sorted(said(parts.decided()))


def test_a_changed_import_in_parts_counts_what_it_changed_assigned_and_withdrew() -> None:
    whole, parts = opened(), in_parts(2)
    changed = [(VEHICLES[(n + n % 2) % 6], departs, km + n % 3) for n, (_, departs, km) in enumerate(BLOCKS[:20])]
    for play in (whole, parts):
        play.work(BLOCKS)
        play.work(changed)
    told = [[m.body for m in p.decided() if isinstance(m.body, ScheduleImported)][-1] for p in (whole, parts)]
    assert told[0].model_dump(exclude={"import_id"}) == told[1].model_dump(exclude={"import_id"})
    assert told[1].changed > 0


def test_nothing_but_the_import_is_decided_before_it_is_closed() -> None:
    parts = in_parts(5)
    before = len(parts.decided())
    parts.work(BLOCKS)
    types = [m.type for m in parts.decided()[before:]]
    assert {t.partition(".")[0] for t in types[: types.index("schedule.imported")]} == {"work"}


def test_a_plan_is_never_cut() -> None:
    parts = in_parts(1)
    for station, bus in zip("ABDE", VEHICLES, strict=False):
        parts.connect(station)
        parts.arrive(station, vehicle=bus)
    planned = [r for r in parts.log if r.decided and r.most == 1 and r.messages[0].type == "allocation.planned"]
    assert any(len(r.messages) > 1 for r in planned)
    assert all(m.type == "allocation.assigned" for r in planned for m in r.messages[1:])


@few
@given(stories, rules, st.integers(1, 6))
def test_a_night_in_parts_keeps_every_limit_and_is_decided_the_same_again(
    story: list[Event], rule: str, most: int
) -> None:
    play = in_parts(most, rule, Memo())
    for event in story:
        act(play, event)
    every_decision_says_what_it_follows_from(play)
    no_wish_lifts_a_sum_above_a_limit(play)
    state = SiteState("depot")
    for record in play.log:
        if record.now is not None:
            assert tuple(decide(state, record.now, most=record.most)) == record.messages
        for index, message in enumerate(record.messages):
            state = fold(state, message, Position(record.seq, index))
