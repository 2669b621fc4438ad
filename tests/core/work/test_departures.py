"""From work to departures."""

from datetime import UTC, datetime, time, timedelta

from hypothesis import given
from hypothesis import strategies as st

from core.messages.site import DefaultWork
from core.messages.work import Leg
from core.work import Departure, departures, next_deadline
from core.work.departures import assumed_return
from tests.core.requirements.fleet import CONFIG, DEPARTS, NOW, block
from tests.core.work.feed import EMPTY, stated, take

ONE = CONFIG.model_copy(update={"vehicles": CONFIG.vehicles[:1]})
DEFAULT = datetime(2026, 11, 25, 4, tzinfo=UTC)


def mine(name, departs=DEPARTS, **more):
    return block(name, departs, vehicle="BUS-142", **more)


def known(*blocks):
    return take(EMPTY, stated("i1", blocks))[0]


def names(found):
    return [tuple(b.block for b in d.blocks) for d in found]


def leg(item):
    return (Leg(begins=item.departs, ends=item.returns),)


def test_a_departure_names_vehicle_blocks_and_causes():
    state, written = take(EMPTY, stated("i1", [mine("A")]))
    (found,) = departures(state, ONE, NOW)
    assert (found.vehicle, found.departs, found.works, found.default) == ("BUS-142", DEPARTS, (mine("A").work,), False)
    assert found.causes == (written[0].id, written[1].id)
    assert found.key == ("BUS-142", DEPARTS.isoformat())
    assert found.back is None


def test_a_stay_of_half_an_hour_makes_two_departures_and_a_shorter_one_joins_them():
    second = DEPARTS + timedelta(hours=6, minutes=30)
    found = departures(known(mine("A"), mine("B", second)), ONE, NOW)
    assert names(found) == [("A",), ("B",)]
    assert found[1].back == DEPARTS + timedelta(hours=6)
    found = departures(known(mine("A"), mine("B", second - timedelta(seconds=1))), ONE, NOW)
    assert names(found) == [("A", "B")]
    assert found[0].departs == DEPARTS


def test_a_third_block_is_measured_from_the_latest_return():
    blocks = (
        mine("A", hours=8),
        mine("B", DEPARTS + timedelta(hours=1), hours=1),
        mine("C", DEPARTS + timedelta(hours=8)),
    )
    assert names(departures(known(*blocks), ONE, NOW)) == [("A", "B", "C")]


def test_a_block_that_ends_away_from_a_depot_is_joined_with_what_follows():
    away = mine("A")
    late = mine("B", DEPARTS + timedelta(hours=9))
    with_legs = away.model_copy(update={"legs": leg(away)})
    assert names(departures(known(with_legs, late), ONE, NOW)) == [("A", "B")]
    home = with_legs.model_copy(update={"depot_in": "900"})
    assert names(departures(known(home, late), ONE, NOW)) == [("A",), ("B",)]


def test_the_second_block_of_a_departure_that_is_over_does_not_become_one_of_its_own():
    state = known(mine("A"), mine("B", DEPARTS + timedelta(hours=6)))
    assert names(departures(state, ONE, DEPARTS + timedelta(minutes=29, seconds=59))) == [("A", "B")]
    assert names(departures(state, ONE, DEPARTS + timedelta(minutes=30))) == [()]


def test_departures_are_looked_at_up_to_36_hours_ahead():
    state = known(mine("A"))
    assert names(departures(state, ONE, DEPARTS - timedelta(hours=36))) == [("A",)]
    assert names(departures(state, ONE, DEPARTS - timedelta(hours=36, seconds=1))) == [()]


def test_a_vehicle_without_known_work_gets_the_sites_default():
    (found,) = departures(EMPTY, ONE, NOW)
    assert found == Departure("BUS-142", DEFAULT)
    assert found.default
    assert departures(EMPTY, ONE, DEFAULT + timedelta(minutes=29))[0].departs == DEFAULT
    assert departures(EMPTY, ONE, DEFAULT + timedelta(minutes=30))[0].departs == DEFAULT + timedelta(days=1)


def test_the_default_is_a_local_time_also_where_the_clock_changes():
    assert departures(EMPTY, ONE, datetime(2026, 7, 1, tzinfo=UTC))[0].departs == datetime(2026, 7, 1, 3, tzinfo=UTC)
    early = CONFIG.policies.model_copy(update={"default_work": DefaultWork(ready_by=time(2, 30))})
    gap = ONE.model_copy(update={"policies": early})
    assert departures(EMPTY, gap, datetime(2026, 3, 28, 20, tzinfo=UTC))[0].departs == datetime(
        2026, 3, 29, 1, 30, tzinfo=UTC
    )
    late = CONFIG.policies.model_copy(update={"default_work": DefaultWork(ready_by=time(23, 50))})
    shifted = ONE.model_copy(update={"policies": late})
    assert departures(EMPTY, shifted, datetime(2026, 11, 24, 23, 10, tzinfo=UTC))[0].departs == datetime(
        2026, 11, 24, 22, 50, tzinfo=UTC
    )


def test_departures_come_in_order_of_time_and_unassigned_work_is_nobodys():
    state = known(mine("A"), block("B", DEPARTS - timedelta(hours=3), vehicle="BUS-143"), block("C"))
    found = departures(state, CONFIG, NOW)
    assert [(d.vehicle, d.default) for d in found] == [("BUS-143", False), ("BUS-9", True), ("BUS-142", False)]


def test_without_a_stated_return_one_is_estimated():
    assert assumed_return(block()) == DEPARTS + timedelta(hours=6)
    assert assumed_return(block(km=60, returns=None)) == DEPARTS + timedelta(hours=3)
    assert assumed_return(block(km=None, returns=None)) == DEPARTS + timedelta(hours=12)


def test_the_next_deadline_is_the_next_moment_at_which_departures_differ():
    state = known(mine("A"))
    assert next_deadline(state, ONE, DEPARTS - timedelta(hours=40)) == DEPARTS - timedelta(hours=36)
    assert next_deadline(state, ONE, DEFAULT + timedelta(minutes=29)) == DEFAULT + timedelta(minutes=30)
    assert next_deadline(state, ONE, DEFAULT + timedelta(minutes=30)) == DEPARTS + timedelta(minutes=30)
    assert next_deadline(EMPTY, ONE, NOW) == DEFAULT + timedelta(minutes=30)


@given(st.integers(-3000, 3000), st.integers(1, 3000))
def test_before_the_next_deadline_departures_stay_the_same(start, ahead):
    state = known(mine("A"), mine("B", DEPARTS + timedelta(hours=7)), block("C", DEPARTS, vehicle="BUS-143"))
    now = NOW + timedelta(minutes=start)
    until = next_deadline(state, CONFIG, now)
    moment = min(now + timedelta(minutes=ahead), until - timedelta(microseconds=1))
    assert departures(state, CONFIG, moment) == departures(state, CONFIG, now)
    assert until > now


def test_a_vehicle_that_is_out_on_its_work_gets_the_default_only_after_its_return():
    state = known(mine("A", DEFAULT - timedelta(hours=1), hours=8))
    (found,) = departures(state, ONE, DEFAULT - timedelta(minutes=20))
    assert (found.default, found.departs) == (True, DEFAULT + timedelta(days=1))
    assert next_deadline(state, ONE, DEFAULT) == DEFAULT + timedelta(minutes=30)
    assert departures(state, ONE, DEFAULT - timedelta(hours=1))[0].departs == DEFAULT - timedelta(hours=1)


def test_who_leaves_this_very_moment_is_out_from_now_on():
    now = DEFAULT - timedelta(hours=1)
    assert next_deadline(known(mine("A", now, hours=8)), ONE, now) == now + timedelta(minutes=30)
