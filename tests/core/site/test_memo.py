"""The memo: what was settled is not asked again, until something that it rests on changes or its moment comes."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

from core.messages import compose
from core.messages.requirement import RequirementWithdrawn
from core.readiness.outlook import Subject
from core.site import Memo, SiteState, decide, next_deadline
from core.site.stages import STAGES
from tests.core.site.depot import START, site
from tests.core.site.play import Play
from tests.core.site.stories import opened

LATER = START + timedelta(minutes=1)
ID = ("bus-1", "now")
FACT = compose(RequirementWithdrawn(vehicle="bus-1", departs=START), id="r", time=START, source="t", site="s")
SUBJECT = Subject(requirement=FACT)


def test_a_stage_is_settled_while_what_it_reads_is_unchanged_and_its_deadline_is_ahead() -> None:
    memo = Memo(settled={"plan": (7, LATER), "work": (7, None)})
    assert memo.is_settled("plan", 7, START)
    assert not memo.is_settled("plan", 8, START)
    assert not memo.is_settled("plan", 7, LATER)
    assert memo.is_settled("work", 7, LATER)
    assert not memo.is_settled("wishes", 7, START)


def test_a_departure_is_assessed_while_nothing_new_is_known_about_it() -> None:
    memo = Memo(subjects={ID: (SUBJECT, FACT, LATER)})
    assert memo.is_assessed(ID, SUBJECT, FACT, START)
    assert not memo.is_assessed(ID, SUBJECT, FACT, LATER)
    assert not memo.is_assessed(ID, SUBJECT, None, START)
    assert not memo.is_assessed(ID, replace(SUBJECT, soc=0.5), FACT, START)
    assert not memo.is_assessed(("bus-2", "now"), SUBJECT, FACT, START)


def test_a_departure_without_a_deadline_stays_assessed() -> None:
    memo = Memo(subjects={ID: (SUBJECT, FACT, None)})
    assert memo.is_assessed(ID, SUBJECT, FACT, LATER)


def test_a_departure_is_the_same_while_it_is_made_of_the_same_objects() -> None:
    memo = Memo(subjects={ID: (SUBJECT, FACT, LATER)})
    memo.keep(ID, (FACT, None), None)
    assert memo.is_given(ID, (FACT, None), START)
    assert not memo.is_given(ID, (FACT.model_copy(), None), START)
    assert not memo.is_given(ID, (FACT, None), LATER)
    assert not memo.is_given(("bus-2", "now"), (FACT, None), START)


def test_a_reading_that_runs_out_ends_what_is_the_same_before_the_deadline() -> None:
    memo = Memo(subjects={ID: (SUBJECT, FACT, LATER)})
    memo.keep(ID, (FACT,), START)
    assert not memo.is_given(ID, (FACT,), START)
    memo = Memo(subjects={ID: (SUBJECT, FACT, None)})
    memo.keep(ID, (FACT,), None)
    assert memo.is_given(ID, (FACT,), LATER)


def test_assessments_by_another_configuration_count_for_nothing() -> None:
    memo, config = Memo(subjects={ID: (SUBJECT, FACT, None)}, given={ID: ((FACT,), None)}), site()
    memo.for_config(config)
    assert memo.subjects == memo.given == {}
    memo.subjects[ID] = (SUBJECT, FACT, None)
    memo.for_config(config)
    assert memo.subjects
    memo.for_config(site(reserve_soc=0.2))
    assert memo.subjects == {}


def test_at_rest_every_stage_is_settled_and_every_departure_assessed() -> None:
    play = opened(memo=Memo())
    assert play.memo is not None
    assert set(play.memo.settled) == {stage.name for stage in STAGES}
    assert len(play.memo.subjects) == len(site().vehicles)
    for key, (_, assessed, _) in play.memo.subjects.items():
        assert assessed is play.state.readiness.last[key]


def test_what_was_settled_is_left_out_of_the_next_decision() -> None:
    play = opened(memo=Memo())
    assert play.memo is not None
    before = dict(play.memo.settled)
    assert decide(play.state, play.now, play.memo) == []
    assert play.memo.settled == before


def test_a_deadline_is_strictly_after_now() -> None:
    state = SiteState("depot")
    memo = Memo(settled={"plan": (0, START), "work": (0, None)}, rested=state)
    assert next_deadline(state, START, memo) is None
    memo.settled["wishes"] = (0, LATER)
    assert next_deadline(state, START, memo) == LATER


def test_a_deadline_is_known_without_asking_first() -> None:
    play = Play(site(), Memo())
    assert next_deadline(play.state, play.now) == next_deadline(play.state, play.now, Memo()) == play.deadline()


def test_every_stage_reads_types_that_exist() -> None:
    for stage in STAGES:
        assert len(stage.types) >= len(stage.reads), stage.name
        assert len({stage.name for stage in STAGES}) == len(STAGES)
