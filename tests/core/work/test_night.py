"""From a schedule file's rows to requirements, and when they can change."""

from datetime import timedelta

from hypothesis import given
from hypothesis import strategies as st

from core import requirements, vehicles, work
from core.messages.scribe import Scribe
from core.sessions import Sessions
from tests.core.requirements.fleet import CONFIG, DEPARTS, NOW, block
from tests.core.work.feed import EMPTY, stated, take


def written_at(works, known, now):
    """What the requirements decide at a moment, with the departures of that moment."""
    scribe = Scribe("depot", 9, now)
    ahead = work.departures(works, CONFIG, now)
    requirements.decide(known, ahead, lambda _: None, CONFIG, now, scribe, configured="cfg")
    return scribe.messages


def folded(known, messages):
    for message in messages:
        known = requirements.fold(known, message)
    return known


def test_the_lineage_leads_from_the_requirement_to_the_row_of_the_schedule():
    rows = stated("i1", [block("A", vehicle="BUS-142")])
    works, written = take(EMPTY, rows)
    (mine,) = [m for m in written_at(works, requirements.RequirementsState(), NOW) if m.body.vehicle == "BUS-142"]
    planned = next(m for m in written if m.id in mine.causes and m.type == "work.planned")
    assert rows[0].id in planned.causes
    assert rows[0].causes == ("evidence-1",)


def test_a_reimport_changes_only_the_requirement_of_the_block_that_changed():
    blocks = [block("A", vehicle="BUS-142"), block("B", DEPARTS + timedelta(hours=1), vehicle="BUS-143")]
    works, _ = take(EMPTY, stated("i1", blocks))
    known = folded(requirements.RequirementsState(), written_at(works, requirements.RequirementsState(), NOW))
    works, _ = take(works, stated("i2", [block("A", vehicle="BUS-142", km=160), blocks[1]]), seen=5)
    assert [m.body.vehicle for m in written_at(works, known, NOW)] == ["BUS-142"]


@given(st.integers(-3000, 3000), st.integers(1, 3000))
def test_between_two_deadlines_nothing_is_decided(start, ahead):
    blocks = [block("A", vehicle="BUS-142"), block("B", DEPARTS + timedelta(hours=7), vehicle="BUS-142")]
    works, _ = take(EMPTY, stated("i1", blocks))
    now = NOW + timedelta(minutes=start)
    known = folded(requirements.RequirementsState(), written_at(works, requirements.RequirementsState(), now))
    due = [work.next_deadline(works, CONFIG, now), requirements.next_deadline(known, now)]
    until = min(moment for moment in due if moment is not None)
    moment = min(now + timedelta(minutes=ahead), until - timedelta(microseconds=1))
    assert written_at(works, known, moment) == []
    assert vehicles.identify(vehicles.VehiclesState(), Sessions(), CONFIG, ()) == {}
