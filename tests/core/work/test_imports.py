"""What an import changes."""

from datetime import date, timedelta

import pytest

from core.messages.base import compose
from core.messages.work import WorkAssigned, WorkPlanned, WorkWithdrawn
from core.work import WorkState, fold, repeated
from core.work.imports import changed_fields
from core.work.state import Pending
from tests.core.requirements.fleet import CONFIG, DEPARTS, NOW, block
from tests.core.work.feed import DAY, EMPTY, stated, take, types

A = block("A")
B = block("B", DEPARTS + timedelta(hours=1))


def closing(messages):
    assert types(messages)[-1] == "schedule.imported"
    return messages[-1].body


def counts(messages):
    body = closing(messages)
    return body.new, body.changed, body.unchanged, body.withdrawn, body.assigned


def test_a_first_import_plans_its_work_and_closes_with_the_counts():
    rows = stated("i1", [A, B], quarantined=3)
    state, written = take(EMPTY, rows)
    assert types(written) == ["work.planned", "work.planned", "schedule.imported"]
    assert counts(written) == (2, 0, 0, 0, 0)
    assert (closing(written).import_id, closing(written).feed, closing(written).quarantined) == ("i1", "vdv", 3)
    assert sorted(state.works) == [A.work, B.work]
    first = written[0]
    assert first.causes == (rows[0].id, rows[2].id)
    assert (first.body.change, first.body.fields) == ("new", ())
    assert (first.at.work, first.at.block, first.at.begins, first.at.ends) == (A.work, "A", A.departs, A.returns)
    assert (written[-1].causes, written[-1].at.path) == ((rows[2].id,), "vdv")


def test_rows_take_effect_only_when_the_import_is_complete():
    state, written = take(EMPTY, stated("i1", [A])[:-1])
    assert (written, state.works) == ([], EMPTY.works)


def test_the_same_content_again_changes_nothing_and_is_not_closed_twice():
    state, _ = take(EMPTY, stated("i1", [A]))
    state, written = take(state, stated("i1", [A], upload="2"))
    assert (written, len(state.pending)) == ([], 0)


def test_an_import_that_is_in_force_already_is_told_without_a_decision():
    rows = stated("i1", [A, B], stated=2, quarantined=1)
    received = rows[-1].body
    assert repeated(EMPTY, received, [A, B], CONFIG, NOW) is None
    state, _ = take(EMPTY, rows)
    outcome = repeated(state, received, [A, B], CONFIG, NOW)
    assert (outcome.import_id, outcome.new, outcome.unchanged, outcome.quarantined) == ("i1", 0, 2, 1)
    again = fold(state, stated("i1", [A], upload="2")[0])
    assert repeated(again, received, [A, B], CONFIG, NOW) is None


def test_a_repeat_of_the_same_messages_a_day_later_changes_nothing():
    first = stated("i1", [A])
    state, _ = take(EMPTY, first)
    state, _ = take(state, stated("i2", [B]))
    state, written = take(state, first, now=NOW + timedelta(days=1))
    assert (written, len(state.pending)) == ([], 0)


def test_going_back_to_an_earlier_file_is_an_import_of_its_own():
    state, _ = take(EMPTY, stated("i1", [A]))
    state, _ = take(state, stated("i2", [block("A", km=99)]))
    state, written = take(state, stated("i1", [A], upload="3"))
    assert counts(written) == (0, 1, 0, 0, 0)
    assert state.works[A.work].block.distance_m == 150_000


def test_a_reimport_changes_only_what_changed_and_names_the_fields():
    state, first = take(EMPTY, stated("i1", [A, B]))
    later = block("A", departs=DEPARTS + timedelta(minutes=5))
    rows = stated("i2", [later, B])
    state, written = take(state, rows)
    assert types(written) == ["work.planned", "schedule.imported"]
    assert counts(written) == (0, 1, 1, 0, 0)
    assert (written[0].body.change, written[0].body.fields) == ("changed", ("departs", "returns"))
    assert written[0].causes == (rows[0].id, rows[2].id, first[0].id)
    assert state.works[A.work].block == later


def test_work_that_a_complete_import_no_longer_holds_is_withdrawn():
    state, first = take(EMPTY, stated("i1", [A, B]))
    rows = stated("i2", [A])
    state, written = take(state, rows)
    assert types(written) == ["work.withdrawn", "schedule.imported"]
    assert (written[0].at.work, written[0].causes) == (B.work, (rows[-1].id, first[1].id))
    assert list(state.works) == [A.work]
    assert counts(written) == (0, 0, 1, 1, 0)


@pytest.mark.parametrize(
    "more",
    [
        {"covers": None},
        {"covers": (DAY + timedelta(days=1), DAY + timedelta(days=2))},
        {"covers": (DAY - timedelta(days=2), DAY - timedelta(days=1))},
        {"feed": "other"},
        {"kept": (B.work,)},
    ],
)
def test_nothing_is_withdrawn_outside_the_span_the_feed_or_where_the_row_was_set_aside(more):
    state, _ = take(EMPTY, stated("i1", [A, B]))
    state, _ = take(state, stated("i2", [A], **more))
    assert B.work in state.works


def test_both_ends_of_the_span_belong_to_it():
    state, _ = take(EMPTY, stated("i1", [A]))
    for covers in ((DAY - timedelta(days=1), DAY), (DAY, DAY + timedelta(days=1))):
        assert A.work not in take(state, stated(f"i{covers}", covers=covers))[0].works


def test_a_departure_in_the_past_is_refused_unless_the_work_is_known_already():
    now = DEPARTS + timedelta(minutes=1)
    _, written = take(EMPTY, stated("i1", [A, B], format="table"), now=now)
    assert closing(written).refused == ((A.work, "departure_in_past"),)
    assert (closing(written).refused_count, counts(written)) == (1, (1, 0, 0, 0, 0))
    state, _ = take(EMPTY, stated("i1", [A]))
    _, written = take(state, stated("i2", [block("A", km=99)]), now=now)
    assert counts(written) == (0, 1, 0, 0, 0)
    assert take(EMPTY, stated("i1", [A]), now=DEPARTS)[1][0].body.change == "new"


def test_what_a_calendar_states_of_today_and_is_over_is_counted_and_no_row_to_correct():
    now = DEPARTS + timedelta(minutes=1)
    first = stated("i1", [A, B])
    state, written = take(EMPTY, first, now=now)
    assert (closing(written).refused, closing(written).refused_count, closing(written).over) == ((), 0, 1)
    assert (counts(written), list(state.works)) == ((1, 0, 0, 0, 0), [B.work])
    outcome = repeated(state, first[-1].body, [A, B], CONFIG, now)
    assert (outcome.refused_count, outcome.over) == (0, 1)


def test_a_row_with_an_unknown_vehicle_is_refused_and_what_was_known_holds():
    state, _ = take(EMPTY, stated("i1", [A, B]))
    state, written = take(state, stated("i2", [block("A", vehicle="BUS-0"), B]))
    assert closing(written).refused == ((A.work, "vehicle_unknown"),)
    assert state.works[A.work].block == A


def test_at_most_a_hundred_refused_rows_are_listed_and_all_are_counted():
    rows = [block(f"{i:03}", vehicle="BUS-0") for i in range(101)]
    _, written = take(EMPTY, stated("i1", rows))
    assert (len(closing(written).refused), closing(written).refused_count) == (100, 101)
    assert closing(written).refused[0][0] == rows[0].work


def test_an_assignment_names_the_vehicle_of_a_block():
    state, planned = take(EMPTY, stated("i1", [A, B]))
    rows = stated("a1", orders=[(DAY, "A", "BUS-142")], feed="assign", covers=None)
    state, written = take(state, rows)
    assert types(written) == ["work.assigned", "schedule.imported"]
    assert (written[0].at.work, written[0].at.vehicle) == (A.work, "BUS-142")
    assert written[0].causes == (rows[0].id, planned[0].id)
    assert counts(written) == (0, 0, 0, 0, 1)
    assert (state.works[A.work].vehicle, state.works[A.work].assigned_by) == ("BUS-142", written[0].id)
    assert state.works[B.work].vehicle is None


def test_an_assignment_may_take_the_vehicle_away_or_change_it():
    state, _ = take(EMPTY, stated("i1", [A]))
    for vehicle in ("BUS-142", "BUS-143", None):
        order = stated(f"a-{vehicle}", orders=[(DAY, "A", vehicle)], feed="assign", covers=None)
        state, written = take(state, order)
        assert (counts(written)[4], state.works[A.work].vehicle) == (1, vehicle)
    _, written = take(state, stated("a-none", orders=[(DAY, "A", None)], feed="assign", covers=None))
    assert counts(written)[4] == 0


def test_an_assignment_of_an_unknown_vehicle_is_refused():
    state, _ = take(EMPTY, stated("i1", [A]))
    state, written = take(state, stated("a1", orders=[(DAY, "A", "BUS-0")], feed="assign"))
    assert closing(written).refused == (("2026-11-25 A BUS-0", "vehicle_unknown"),)
    assert state.works[A.work].vehicle is None


def test_an_assignment_before_its_schedule_is_kept_until_the_work_is_known():
    rows = stated("a1", orders=[(DAY, "A", "BUS-142"), (DAY, "B", "BUS-0")], feed="assign")
    state, written = take(EMPTY, rows)
    assert closing(written).refused == (
        ("2026-11-25 A", "work_not_known_yet"),
        ("2026-11-25 B BUS-0", "vehicle_unknown"),
    )
    state, written = take(state, stated("i1", [A, B]))
    assert types(written) == ["work.planned", "work.planned", "work.assigned", "schedule.imported"]
    assert (state.works[A.work].vehicle, state.works[B.work].vehicle) == ("BUS-142", None)
    assert rows[0].id in written[2].causes


def test_a_feed_that_names_the_vehicle_assigns_it_itself():
    mine = block("A", vehicle="BUS-142")
    state, written = take(EMPTY, stated("i1", [mine]))
    assert types(written) == ["work.planned", "work.assigned", "schedule.imported"]
    assert (written[0].at.vehicle, state.works[A.work].vehicle) == ("BUS-142", "BUS-142")
    state, written = take(state, stated("i2", [block("A", vehicle="BUS-143")]))
    assert state.works[A.work].vehicle == "BUS-143"
    state, written = take(state, stated("i3", [A]))
    assert (counts(written)[4], state.works[A.work].vehicle) == (1, None)


def test_the_dispatchers_word_holds_when_the_feed_changes_something_else():
    state, _ = take(EMPTY, stated("i1", [block("A", vehicle="BUS-142")]))
    state, _ = take(state, stated("a1", orders=[(DAY, "A", "BUS-143")], feed="assign", covers=None))
    state, written = take(state, stated("i2", [block("A", vehicle="BUS-142", km=99)]))
    assert (counts(written), state.works[A.work].vehicle) == ((0, 1, 0, 0, 0), "BUS-143")


def test_withdrawn_work_names_the_vehicle_that_is_free_now():
    state, _ = take(EMPTY, stated("i1", [block("A", vehicle="BUS-142")]))
    _, written = take(state, stated("i2"))
    assert written[0].at.vehicle == "BUS-142"


def test_two_imports_at_once_are_taken_in_the_order_in_which_they_came():
    later = stated("i2", [block("A", km=99)], at=NOW + timedelta(seconds=1))
    state, written = take(EMPTY, [*later, *stated("i1", [A])])
    assert types(written) == ["work.planned", "schedule.imported", "work.planned", "schedule.imported"]
    assert state.works[A.work].block.distance_m == 99_000


@pytest.mark.parametrize("later", [str(n) for n in range(8)])
def test_an_import_that_waits_is_not_credited_with_what_another_changes(later):
    first, second = block("A", vehicle="BUS-142"), block("B", feed="other")
    waiting = stated(later, [second], feed="other", at=NOW + timedelta(seconds=1))
    _, written = take(EMPTY, [*stated("i1", [first]), *waiting])
    closings = [m.body for m in written if m.type == "schedule.imported"]
    assert [(c.import_id, c.new, c.unchanged, c.assigned) for c in closings] == [("i1", 1, 0, 1), (later, 1, 0, 0)]


def test_work_and_orders_that_are_over_for_two_days_leave_the_state_with_the_next_import():
    rows = [A, block("C", returns=None)]
    state, _ = take(EMPTY, stated("i1", rows))
    state, _ = take(state, stated("a1", orders=[(DAY, "A", "BUS-142"), (DAY, "Z", "BUS-142")], feed="assign"))
    empty = {"covers": None, "feed": "other"}
    edge = A.returns + timedelta(days=2)
    assert A.work in take(state, stated("i2", **empty), now=edge)[0].works
    gone = take(state, stated("i2", **empty), now=edge + timedelta(seconds=1))[0]
    assert (gone.works.get(A.work), len(gone.orders)) == (None, 2)
    assert rows[1].work not in take(state, stated("i2", **empty), now=edge)[0].works
    assert len(take(state, stated("i2", **empty), now=NOW + timedelta(days=4))[0].orders) == 0


def test_orphan_rows_and_old_receipts_are_forgotten_after_two_days():
    rows = stated("i1", [A])
    state, _ = take(EMPTY, [*rows, *stated("lost", [B])[:-1]])
    empty = {"covers": None, "feed": "other"}
    kept, _ = take(state, stated("i2", **empty), now=NOW + timedelta(days=2))
    assert ("lost" in kept.pending, rows[-1].id in kept.received) == (True, True)
    gone, _ = take(state, stated("i2", **empty), now=NOW + timedelta(days=2, seconds=1))
    assert ("lost" in gone.pending, rows[-1].id in gone.received) == (False, False)


def test_the_fields_that_differ_are_named():
    assert changed_fields(A, A) == ()
    assert changed_fields(A, block("A", km=1, route="M5")) == ("distance_m", "route")


def planned(block_, time, name):
    body = WorkPlanned(block=block_, change="changed")
    return compose(body, id=name, time=time, source="core", site="depot")


def test_an_older_plan_never_replaces_a_newer_one_and_keeps_the_vehicle():
    state, _ = take(EMPTY, stated("i1", [block("A", vehicle="BUS-142")]))
    same = fold(state, planned(block("A", km=1), NOW - timedelta(seconds=1), "old"))
    assert same == state
    newer = fold(state, planned(block("A", km=1), NOW, "new"))
    assert (newer.works[A.work].by, newer.works[A.work].vehicle) == ("new", "BUS-142")
    assert newer.works[A.work].since == NOW


def test_facts_about_unknown_work_and_foreign_messages_change_nothing():
    at = planned(A, NOW, "x").at.model_copy(update={"work": "nobody"})
    for body in (WorkAssigned(vehicle="BUS-142"), WorkWithdrawn()):
        assert fold(EMPTY, compose(body, id="x", time=NOW, source="core", site="depot", at=at)) == EMPTY
        assert fold(EMPTY, compose(body, id="x", time=NOW, source="core", site="depot")) == EMPTY


def test_rows_of_one_import_are_kept_by_their_identity():
    state = EMPTY
    for message in stated("i1", [A, A, B], [(date(2026, 11, 25), "A", None)])[:-1]:
        state = fold(state, message)
    pending = state.pending["i1"]
    assert isinstance(pending, Pending)
    assert (len(pending.blocks), len(pending.orders), pending.since) == (2, 1, NOW)
    assert isinstance(state, WorkState)


def test_a_late_repeat_of_an_assignment_does_not_undo_a_newer_one():
    state, _ = take(EMPTY, stated("i1", [A]))
    first = stated("a1", orders=[(DAY, "A", "BUS-142")], feed="assign", covers=None)
    state, written = take(state, first)
    later = stated("a2", orders=[(DAY, "A", "BUS-143")], feed="assign", covers=None)
    state, _ = take(state, later, now=NOW + timedelta(minutes=1))
    assert fold(state, written[0]) == state
    again = written[0].model_copy(update={"time": NOW + timedelta(minutes=1)})
    assert fold(state, again).works[A.work].vehicle == "BUS-142"


def test_work_that_a_person_takes_back_is_withdrawn_alone():
    state, _ = take(EMPTY, stated("i1", [block("A"), block("B")], feed="vdv"))
    state, written = take(
        state, stated("i2", feed="hand", covers=None, format="hand", taken_back=(block("A").work, "?"))
    )
    assert [m.type for m in written] == ["work.withdrawn", "schedule.imported"]
    assert (set(state.works), written[-1].body.withdrawn) == ({block("B").work}, 1)


def test_a_block_of_several_feeds_is_assigned_in_the_same_order_in_every_process():
    state, feeds = EMPTY, [f"feed-{number}" for number in range(9)]
    for feed in feeds:
        own = A.model_copy(update={"feed": feed})
        state, _ = take(state, stated(feed, [own], feed=feed))
    _, written = take(state, stated("i1", orders=[(DAY, "A", "BUS-142")], feed="dispatch", covers=None))
    assigned = [message.at.work for message in written if message.type == "work.assigned"]
    assert len(assigned) == len(feeds) and assigned == sorted(assigned)
