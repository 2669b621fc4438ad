"""Two blocks of one vehicle at once."""

from datetime import timedelta

from core.messages.work import Leg
from core.work import overlaps
from tests.core.requirements.fleet import DEPARTS, NOW, block
from tests.core.work.feed import EMPTY, stated, take

HOUR = timedelta(hours=1)


def found(*blocks, now=NOW):
    state, _ = take(EMPTY, stated("i1", blocks))
    return [(o.vehicle, o.first.block.block, o.second.block.block, o.code) for o in overlaps(state.works, now)]


def mine(name, departs=DEPARTS, vehicle="BUS-142", **more):
    return block(name, departs, vehicle=vehicle, **more)


def test_blocks_overlap_where_the_second_begins_before_the_first_ends():
    second = DEPARTS + 6 * HOUR
    assert found(mine("A"), mine("B", second)) == []
    early = second - timedelta(minutes=1)
    assert found(mine("A"), mine("B", early)) == [("BUS-142", "A", "B", "blocks_overlap")]
    assert found(mine("A"), mine("B", early, vehicle="BUS-143")) == []
    assert found(mine("A"), mine("B", early), now=early) == []


def test_a_short_block_within_a_long_one_hides_no_later_overlap():
    blocks = (mine("A", hours=8), mine("B", DEPARTS + HOUR, hours=1), mine("C", DEPARTS + 7 * HOUR))
    assert [pair[1:3] for pair in found(*blocks)] == [("A", "B"), ("A", "C")]


def test_the_way_to_and_from_the_depot_is_no_overlap_where_the_trips_are_known():
    def with_trips(item):
        trip = Leg(begins=item.departs + HOUR, ends=item.returns - HOUR)
        out = Leg(begins=item.departs, ends=trip.begins, kind="deadrun")
        return item.model_copy(update={"legs": (out, trip)})

    second = DEPARTS + 4 * HOUR
    assert found(with_trips(mine("A")), with_trips(mine("B", second))) == []
    assert len(found(with_trips(mine("A")), with_trips(mine("B", second - timedelta(minutes=1))))) == 1


def test_an_end_that_nobody_stated_proves_nothing_and_is_told_as_estimated():
    first = mine("A").model_copy(update={"returns": None, "distance_m": 100_000.0})
    (pair,) = found(first, mine("B", DEPARTS + 5 * HOUR - timedelta(minutes=1)))
    assert pair[3] == "return_estimated"
    assert found(first, mine("B", DEPARTS + 5 * HOUR)) == []
