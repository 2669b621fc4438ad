"""Which requirements are written, and when."""

from datetime import timedelta

from core.messages.base import compose
from core.messages.requirement import RequirementWithdrawn
from core.requirements import RequirementsState, decide, fold, next_deadline
from core.vehicles import Reading
from core.work import Departure
from tests.core.requirements.fleet import CONFIG, DEPARTS, NOW, block, scribe

DEPARTURE = Departure("BUS-142", DEPARTS, (block(),), ("planned", "assigned"))


def soc(value):
    reading = None if value is None else Reading(value, NOW, "charger", f"soc-{value}")
    return lambda vehicle: reading


def run(state, departures=(DEPARTURE,), value=None, config=CONFIG, now=NOW, configured="cfg", **more):
    written = scribe(now)
    decide(state, departures, soc(value), config, now, written, configured=configured, **more)
    for message in written.messages:
        state = fold(state, message)
    return state, written.messages


def test_a_first_requirement_names_its_direct_causes():
    _, (message,) = run(RequirementsState(), value=0.5)
    assert set(message.causes) == {"planned", "assigned", "soc-0.5", "cfg"}
    assert (message.at.vehicle, message.at.work, message.at.ends) == ("BUS-142", "vdv:2026-11-25:4201", DEPARTS)


def test_a_default_departure_has_no_work_coordinate():
    _, (message,) = run(RequirementsState(), [Departure("BUS-142", DEPARTS)])
    assert (message.at.work, message.causes) == (None, ("cfg",))


def test_many_blocks_do_not_push_the_reading_and_the_configuration_out_of_the_causes():
    many = Departure("BUS-142", DEPARTS, (block(),), tuple(f"c{i}" for i in range(40)))
    _, (message,) = run(RequirementsState(), [many], value=0.5)
    assert {"soc-0.5", "cfg"} <= set(message.causes)


def test_deciding_again_after_folding_writes_nothing():
    state, written = run(RequirementsState(), value=0.5)
    assert len(written) == 1
    assert run(state, value=0.5)[1] == []


def test_a_first_state_of_charge_makes_a_new_requirement_but_losing_it_does_not():
    state, _ = run(RequirementsState())
    state, written = run(state, value=0.5)
    assert len(written) == 1
    assert run(state, value=None)[1] == []


def test_only_a_state_of_charge_that_fell_by_more_than_two_points_is_worth_a_message():
    state, _ = run(RequirementsState(), value=0.50)
    assert run(state, value=0.52)[1] == []
    assert run(state, value=0.48)[1] == []
    assert run(state, value=0.9)[1] == []
    assert len(run(state, value=0.479)[1]) == 1
    assert len(run(state, value=0.479)[1]) == 1


def test_a_changed_block_or_policy_makes_a_new_requirement():
    state, _ = run(RequirementsState(), value=0.5)
    longer = Departure("BUS-142", DEPARTS, (block(km=160),), ("planned2",))
    assert len(run(state, [longer], value=0.5)[1]) == 1
    policies = CONFIG.policies.model_copy(update={"energy_margin": 0.2})
    config = CONFIG.model_copy(update={"policies": policies})
    assert len(run(state, value=0.5, config=config, configured="cfg2")[1]) == 1


def test_without_the_id_of_the_configuration_every_change_is_still_found():
    state, _ = run(RequirementsState(), value=0.5, configured="")
    assert run(state, value=0.5, configured="")[1] == []
    policies = CONFIG.policies.model_copy(update={"energy_margin": 0.2})
    config = CONFIG.model_copy(update={"policies": policies})
    assert len(run(state, value=0.5, config=config, configured="")[1]) == 1


def test_a_block_that_left_the_departure_makes_a_new_requirement():
    both = Departure("BUS-142", DEPARTS, (block(km=60), block("4202", km=20)), ("p1", "p2"))
    state, _ = run(RequirementsState(), [both], value=0.5)
    assert run(state, [both], value=0.5)[1] == []
    one = Departure("BUS-142", DEPARTS, (block(km=60),), ("p1",))
    assert len(run(state, [one], value=0.5)[1]) == 1


def test_a_new_configuration_that_changes_nothing_for_the_vehicle_is_not_worth_a_message():
    state, _ = run(RequirementsState(), value=0.5)
    assert run(state, value=0.5, configured="cfg2")[1] == []


def test_a_departure_that_is_gone_from_the_schedule_withdraws_its_requirement():
    state, (before,) = run(RequirementsState())
    state, (message,) = run(state, [])
    assert (message.body.reason, message.causes, message.at) == ("schedule_changed", (before.id,), before.at)
    assert not state.current
    assert len(run(state)[1]) == 1


def test_half_an_hour_after_its_moment_a_departure_is_over():
    state, _ = run(RequirementsState())
    assert run(state, [], now=DEPARTS + timedelta(minutes=29))[1][0].body.reason == "schedule_changed"
    state, (message,) = run(state, [], now=DEPARTS + timedelta(minutes=30))
    assert message.body.reason == "departure_over"
    assert run(state)[1] == []


def test_a_final_readiness_ends_the_requirement_for_good():
    state, (before,) = run(RequirementsState())
    state, (message,) = run(state, finals={DEPARTURE.key: "final"})
    assert (message.body.reason, message.causes) == ("departure_over", (before.id, "final"))
    assert run(state)[1] == []
    assert run(RequirementsState(), finals={DEPARTURE.key: "final"})[1] == []


def test_departures_that_are_over_are_forgotten_after_two_days():
    state, _ = run(RequirementsState())
    state, _ = run(state, [], now=DEPARTS + timedelta(hours=1))
    later = Departure("BUS-143", DEPARTS + timedelta(days=2), (), ())
    kept, _ = run(state, [later])
    kept, _ = run(kept, [], now=DEPARTS + timedelta(days=2))
    assert DEPARTURE.key in kept.over
    gone, _ = run(state, [later])
    gone, _ = run(gone, [], now=DEPARTS + timedelta(days=2, seconds=1))
    assert DEPARTURE.key not in gone.over


def test_folding_the_same_message_twice_changes_nothing():
    state, (message,) = run(RequirementsState())
    assert fold(state, message) == state
    state, (message,) = run(state, [])
    assert fold(state, message) == state


def test_a_withdrawal_of_something_unknown_and_foreign_messages_change_nothing():
    body = RequirementWithdrawn(vehicle="BUS-1", departs=DEPARTS, reason="schedule_changed")
    message = compose(body, id="x", time=NOW, source="core", site="depot")
    assert fold(RequirementsState(), message) == RequirementsState()


def test_a_vehicle_that_cannot_be_computed_writes_nothing():
    assert run(RequirementsState(), [Departure("BUS-9", DEPARTS)])[1] == []


def test_several_departures_are_written_in_order():
    others = [Departure("BUS-143", DEPARTS), DEPARTURE]
    assert [m.body.vehicle for m in run(RequirementsState(), others)[1]] == ["BUS-142", "BUS-143"]


def test_the_next_deadline_is_the_end_of_the_next_departure():
    state, _ = run(RequirementsState(), [DEPARTURE, Departure("BUS-143", DEPARTS + timedelta(hours=1))])
    end = DEPARTS + timedelta(minutes=30)
    assert next_deadline(state, NOW) == end
    assert next_deadline(state, end) == end + timedelta(hours=1)
    assert next_deadline(state, end + timedelta(hours=1)) is None
    assert next_deadline(RequirementsState(), NOW) is None


def test_a_late_repeat_neither_brings_back_what_is_over_nor_what_is_older():
    first, (old,) = run(RequirementsState())
    newer, _ = run(first, value=0.5, now=NOW + timedelta(minutes=1))
    assert fold(newer, old) == newer
    gone, _ = run(newer, [], now=DEPARTS + timedelta(hours=1))
    assert fold(gone, old) == gone
    same_moment, _ = run(first, value=0.5)
    assert next(iter(same_moment.current.values())).body.soc_now == 0.5
