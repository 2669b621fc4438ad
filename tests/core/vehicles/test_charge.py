"""The state of charge of a vehicle, with source and age."""

from dataclasses import replace
from datetime import timedelta

import pytest

from core.messages.base import Physical, compose
from core.messages.evidence import EvidenceReceived
from core.messages.vehicle import VehicleIdentified, VehiclePlaced
from core.vehicles import VehiclesState, soc
from tests.core.requirements.fleet import CONFIG, NOW
from tests.core.vehicles.depot import CP1, fact, folded, metered, placed, plug, read, run, session, sessions, status

EMPTY = VehiclesState()


def at(minutes):
    return NOW + timedelta(minutes=minutes)


def identified(*messages, seen=None):
    state, _ = run(EMPTY, seen or sessions(plug(token="T142")))
    return folded(*messages, state=state)


def value(state, seen, minutes=1, vehicle="BUS-142", config=CONFIG):
    found = soc(state, seen, config, vehicle, at(minutes))
    return None if found is None else (round(found.value, 6), found.source)


def test_without_any_reading_the_state_of_charge_is_unknown():
    assert value(EMPTY, sessions()) is None
    assert value(identified(), sessions(plug(token="T142"))) is None


def test_the_charger_tells_it_for_the_vehicle_at_its_plug():
    seen = sessions(plug(token="T142", soc=0.4, soc_at=at(1), soc_by="m1"))
    found = soc(identified(), seen, CONFIG, "BUS-142", at(2))
    assert (found.value, found.measured, found.source, found.message) == (0.4, at(1), "charger CP-1", "m1")
    assert value(identified(), seen, vehicle="BUS-143") is None


def test_the_freshest_reading_counts_whatever_its_source():
    seen = sessions(plug(token="T142", soc=0.4, soc_at=at(1), soc_by="m1"))
    assert value(identified(read("BUS-142", 0, soc=0.3)), seen) == (0.4, "charger CP-1")
    assert value(identified(read("BUS-142", 2, soc=0.5)), seen) == (0.5, "telematics")


def test_an_older_reading_never_replaces_a_newer_one():
    state = folded(read("BUS-142", 2, soc=0.5), read("BUS-142", 1, soc=0.3), read("BUS-142", 3))
    assert value(state, sessions(), 3) == (0.5, "telematics")


def test_a_vehicle_that_is_not_plugged_in_has_a_known_charge_for_half_an_hour():
    state = folded(read("BUS-142", 0, soc=0.5))
    assert value(state, sessions(), 30) == (0.5, "telematics")
    assert value(state, sessions(), 30.1) is None


def test_what_the_charger_measured_last_still_counts_after_the_plug_is_out():
    state = identified(metered(0.8, 5), metered(0.7, 4), status("available", 6))
    assert value(state, sessions(), 35) == (0.8, "CP-1")
    assert value(state, sessions(), 36) is None


def test_a_measurement_without_charge_or_at_an_unknown_vehicle_is_nobodys():
    assert identified(metered(None, 1)).metered == EMPTY.metered
    assert folded(metered(0.5, 1)).metered == EMPTY.metered
    unknown, _ = run(EMPTY, sessions(plug()))
    assert folded(metered(0.5, 1), state=unknown).metered == EMPTY.metered


def test_what_was_measured_under_a_wrong_name_is_forgotten_when_the_name_is_corrected():
    state = identified(metered(0.8, 5))
    state, _ = run(folded(placed("BUS-143"), state=state), sessions(plug(token="T142")))
    assert value(state, sessions(), 6) is None


def test_a_measurement_stays_when_the_answer_is_confirmed():
    state = identified(metered(0.8, 5))
    state, _ = run(folded(placed("BUS-142"), state=state), sessions(plug(token="T142")))
    assert state.metered["BUS-142"].value == 0.8


def test_a_reading_from_long_before_the_plug_in_is_not_used():
    seen = sessions(plug(token="T142"))
    assert value(identified(read("BUS-142", -30, soc=0.5)), seen) == (0.5, "telematics")
    assert value(identified(read("BUS-142", -31, soc=0.5)), seen) is None
    assert value(identified(read("BUS-142", -30, soc=0.5)), seen, 600) == (0.5, "telematics")
    anytime = sessions(plug(token="T142", since=None))
    assert value(identified(read("BUS-142", -31, soc=0.5), seen=anytime), anytime) == (0.5, "telematics")


def charging(*points, begin=0.0, **fields):
    return sessions(plug(token="T142", session="s1", **fields), running=[session(*points, begin=begin)])


PER_SOC_WH = 1000 * 350 * 0.92 / 0.95


def test_a_reading_is_carried_on_by_the_energy_metered_since():
    seen = charging((10, 1000.0), (70, 1000.0 + 0.2 * PER_SOC_WH), begin=500.0)
    state = identified(read("BUS-142", 12, soc=0.5), seen=seen)
    found = soc(state, seen, CONFIG, "BUS-142", at(71))
    assert found.value == pytest.approx(0.7)
    assert (found.measured, found.source, found.message) == (at(70), "telematics + energy", "m70")
    exact = identified(read("BUS-142", 10, soc=0.5), seen=seen)
    assert value(exact, seen) == (0.7, "telematics + energy")


def test_before_the_first_point_the_register_at_the_start_counts():
    seen = charging((70, 500.0 + 0.2 * PER_SOC_WH), begin=500.0)
    assert value(identified(read("BUS-142", -5, soc=0.5), seen=seen), seen) == (0.7, "telematics + energy")
    unknown = charging((70, 500.0 + 0.2 * PER_SOC_WH), begin=None)
    assert value(identified(read("BUS-142", -5, soc=0.5), seen=unknown), unknown) == (0.5, "telematics")


def test_energy_never_lifts_a_charge_above_full_nor_lowers_it():
    seen = charging((70, 9 * PER_SOC_WH))
    assert value(identified(read("BUS-142", 0, soc=0.5), seen=seen), seen) == (1.0, "telematics + energy")
    back = charging((70, 400.0), begin=500.0)
    assert value(identified(read("BUS-142", 0, soc=0.5), seen=back), back) == (0.5, "telematics")


def test_a_reading_as_new_as_the_meter_needs_nothing_added():
    seen = charging((70, PER_SOC_WH / 2), soc=0.4, soc_at=at(70), soc_by="m70")
    assert value(identified(seen=seen), seen) == (0.4, "charger CP-1")


def test_without_session_points_or_battery_the_reading_stays_as_it_is():
    state = identified(read("BUS-142", 0, soc=0.5))
    assert value(state, charging()) == (0.5, "telematics")
    none = CONFIG.model_copy(update={"vehicle_types": ()})
    seen = charging((70, PER_SOC_WH / 10))
    assert value(state, seen, config=none) == (0.5, "telematics")
    empty = CONFIG.vehicle_types[0].model_copy(update={"capacity_kwh": 0.0})
    assert value(state, seen, config=CONFIG.model_copy(update={"vehicle_types": (empty,)})) == (0.5, "telematics")
    assert value(state, seen, config=CONFIG.model_copy(update={"vehicles": ()})) == (0.5, "telematics")


def test_facts_without_their_coordinates_change_nothing():
    nowhere = compose(VehiclePlaced(who="ada"), id="p", time=NOW, source="x", site="depot", at=Physical(station="CP-1"))
    assert folded(nowhere) == EMPTY
    nobody = nowhere.model_copy(update={"at": Physical(station="CP-1", evse=1)})
    assert folded(nobody) == EMPTY
    answer = VehicleIdentified(vehicle="BUS-142", by="token")
    assert folded(fact(answer, station="CP-1"), fact(answer, evse=1)) == EMPTY
    assert folded(fact(read("x", soc=0.5).body)) == EMPTY
    assert folded(fact(status("available").body)) == EMPTY
    assert folded(fact(metered(0.5, 1).body)) == EMPTY
    assert folded(fact(EvidenceReceived(protocol="p", peer="q", frame="f"))) == EMPTY


def test_a_plug_without_a_moment_for_its_charge_tells_none():
    seen = sessions(replace(plug(token="T142"), soc=0.4))
    assert value(identified(seen=seen), seen) is None
    assert seen.plugs[CP1].soc_at is None


def test_of_two_measurements_of_one_moment_the_first_is_kept():
    state = identified(metered(0.4, 1), metered(0.5, 1))
    assert [reading.value for reading in state.metered.values()] == [0.4]
