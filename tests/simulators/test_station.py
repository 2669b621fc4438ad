"""One simulated station against a central system over a real socket, on a held clock."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta

import pytest

from simulators.charger.battery import Battery
from simulators.charger.fleet import numbered, run_charger
from simulators.charger.settings import Endpoint, Quirks, StationSpec
from simulators.charger.station import Station
from simulators.clock import SystemClock
from tests.simulators.csms import Csms
from tests.simulators.heldclock import HeldClock
from tests.waiting import until

BEGIN = datetime(2026, 11, 25, 17, tzinfo=UTC)
CURVE = ((0.0, 150.0), (0.8, 150.0), (1.0, 15.0))
VERSIONS = ["1.6", "2.0.1"]


def minutes(number: float) -> datetime:
    return BEGIN + timedelta(minutes=number)


def wire(version: str, purpose: str, periods, *, transaction=None, evse=1, level=0, id=7, start=BEGIN):
    steps = [{"startPeriod": s, "limit": w} for s, w in periods]
    schedule = {"chargingRateUnit": "W", "startSchedule": start.isoformat(), "chargingSchedulePeriod": steps}
    body = {"stackLevel": level, "chargingProfilePurpose": purpose, "chargingProfileKind": "Absolute"}
    if version == "1.6":
        body |= {"chargingProfileId": id, "chargingSchedule": schedule}
        body |= {"transactionId": int(transaction)} if transaction else {}
        return {"connectorId": evse, "csChargingProfiles": body}
    body |= {"id": id, "chargingSchedule": [schedule | {"id": 1}]}
    body |= {"transactionId": transaction} if transaction else {}
    return {"evseId": evse, "chargingProfile": body}


@asynccontextmanager
async def depot(version: str, quirks: Quirks = Quirks(), closed=None):  # noqa: B008  because: frozen
    clock = HeldClock(BEGIN)
    async with Csms(clock) as csms:
        endpoint = Endpoint(csms.url, {"CP-01": "secret-password-1"}, closed=closed)
        station = Station(StationSpec("CP-01", version, (90.0,), quirks), endpoint, clock, seed=3)
        station.start()
        try:
            yield clock, csms, station
        finally:
            await station.stop()
            await clock.stop()
            assert csms.violations == []


async def charging(clock, station, soc=0.2):
    await clock.sleep_until(minutes(5), "bus")
    battery = Battery(350, soc, CURVE)
    await station.plug(1, battery, "TAG-1", "bus")
    return battery


@pytest.mark.parametrize("version", VERSIONS)
async def test_a_station_boots_with_its_password_and_then_says_its_state_and_beats(version):
    async with depot(version) as (clock, csms, _station):
        await clock.sleep_until(minutes(12), "test")
        assert csms.authorisations == ["Basic Q1AtMDE6c2VjcmV0LXBhc3N3b3JkLTE="]
        actions = [action for _, action, _ in csms.calls]
        assert actions == ["BootNotification", "StatusNotification", "Heartbeat", "Heartbeat"]


@pytest.mark.parametrize("version", VERSIONS)
async def test_a_plugged_bus_is_authorised_metered_every_minute_and_ended_when_it_leaves(version):
    async with depot(version) as (clock, csms, station):
        battery = await charging(clock, station)
        await clock.sleep_until(minutes(65), "bus")
        await station.unplug(1, "bus")
        assert battery.soc == pytest.approx(0.2 + 90 * 0.95 / 350, abs=0.001)
        assert station.outlets[1].register_kwh == pytest.approx(90, abs=0.1)
        samples = (
            csms.of("CP-01", "MeterValues")
            if version == "1.6"
            else [event for event in csms.of("CP-01", "TransactionEvent") if event["eventType"] == "Updated"]
        )
        assert len(samples) == 60
        if version == "1.6":
            assert len(csms.of("CP-01", "StartTransaction")) == len(csms.of("CP-01", "StopTransaction")) == 1
        else:
            numbers = [event["seqNo"] for event in csms.of("CP-01", "TransactionEvent")]
            assert numbers == list(range(62))


@pytest.mark.parametrize("version", VERSIONS)
async def test_a_profile_is_followed_after_one_to_fifteen_seconds_and_shows_in_the_composite_schedule(version):
    async with depot(version) as (clock, csms, station):
        await charging(clock, station)
        transaction = station.running[1].id
        await clock.sleep_until(minutes(10), "csms")
        profile = wire(version, "TxProfile", [(0, 30000), (1800, 0)], transaction=transaction, start=minutes(10))
        assert await csms.call("CP-01", "SetChargingProfile", profile) == {"status": "Accepted"}
        place = {"connectorId": 1} if version == "1.6" else {"evseId": 1}
        answer = await csms.call("CP-01", "GetCompositeSchedule", place | {"duration": 3600})
        schedule = answer["chargingSchedule"] if version == "1.6" else answer["schedule"]
        assert schedule["chargingSchedulePeriod"] == [
            {"startPeriod": 0, "limit": 30000},
            {"startPeriod": 1800, "limit": 0},
        ]
        await clock.sleep_until(minutes(10) + timedelta(seconds=0.5), "test")
        assert station.sample(1).power_w == pytest.approx(90000)
        await clock.sleep_until(minutes(10) + timedelta(seconds=15), "test")
        assert station.sample(1).power_w == pytest.approx(30000)
        await clock.sleep_until(minutes(40) + timedelta(seconds=15), "test")
        assert station.sample(1).power_w == 0


@pytest.mark.parametrize("version", VERSIONS)
async def test_a_transaction_profile_without_a_transaction_or_for_another_one_is_rejected(version):
    async with depot(version) as (clock, csms, station):
        await clock.sleep_until(minutes(4), "csms")
        profile = wire(version, "TxProfile", [(0, 30000)], transaction="99")
        assert await csms.call("CP-01", "SetChargingProfile", profile) == {"status": "Rejected"}
        await charging(clock, station)
        assert await csms.call("CP-01", "SetChargingProfile", profile) == {"status": "Rejected"}


@pytest.mark.parametrize("version", VERSIONS)
async def test_a_default_holds_from_the_first_second_of_a_transaction_and_can_be_cleared(version):
    async with depot(version) as (clock, csms, station):
        await clock.sleep_until(minutes(4), "csms")
        default = wire(version, "TxDefaultProfile", [(0, 6000)], evse=0)
        assert await csms.call("CP-01", "SetChargingProfile", default) == {"status": "Accepted"}
        await charging(clock, station)
        assert station.sample(1).power_w == pytest.approx(6000)
        which = {"id": 7} if version == "1.6" else {"chargingProfileId": 7}
        assert await csms.call("CP-01", "ClearChargingProfile", which) == {"status": "Accepted"}
        assert await csms.call("CP-01", "ClearChargingProfile", which) == {"status": "Unknown"}
        await clock.sleep_until(minutes(6), "test")
        assert station.sample(1).power_w == pytest.approx(90000)


@pytest.mark.parametrize("version", VERSIONS)
async def test_a_lost_connection_closes_the_socket_and_what_happened_meanwhile_is_told_afterwards(version):
    lost: list[str] = []

    async def closed(station: str) -> None:
        lost.append(station)

    quirks = Quirks(lost_from=minutes(20), lost_for=timedelta(minutes=40))
    async with depot(version, quirks, closed) as (clock, csms, station):
        await charging(clock, station)
        await clock.sleep_until(minutes(30), "test")
        assert lost == ["CP-01"] and not station.connected
        seen = len(csms.calls)
        await clock.sleep_until(minutes(59), "test")
        assert len(csms.calls) == seen
        await clock.sleep_until(minutes(63), "test")
        assert station.connected
        assert len(csms.of("CP-01", "BootNotification")) == 1
        if version == "2.0.1":
            events = csms.of("CP-01", "TransactionEvent")
            assert [event["seqNo"] for event in events] == list(range(len(events)))
            assert sum(bool(event.get("offline")) for event in events) >= 38
        else:
            assert len(csms.of("CP-01", "MeterValues")) >= 55


async def test_a_station_may_reject_the_first_transaction_profile_once():
    async with depot("2.0.1", Quirks(rejects_first_profile=True)) as (clock, csms, station):
        await charging(clock, station)
        profile = wire("2.0.1", "TxProfile", [(0, 30000)], transaction=station.running[1].id)
        assert await csms.call("CP-01", "SetChargingProfile", profile) == {"status": "Rejected"}
        assert await csms.call("CP-01", "SetChargingProfile", profile) == {"status": "Accepted"}


async def test_a_station_that_ignores_profiles_says_accepted_and_draws_its_rating():
    async with depot("2.0.1", Quirks(ignores_profiles=True)) as (clock, csms, station):
        await charging(clock, station)
        profile = wire("2.0.1", "TxProfile", [(0, 1000)], transaction=station.running[1].id)
        assert await csms.call("CP-01", "SetChargingProfile", profile) == {"status": "Accepted"}
        await clock.sleep_until(minutes(8), "test")
        assert station.sample(1).power_w == pytest.approx(90000)


@pytest.mark.parametrize("version", VERSIONS)
async def test_a_refused_token_does_not_charge_until_the_central_system_starts_it(version):
    async with depot(version) as (clock, csms, station):
        csms.token_status = "Invalid"
        await charging(clock, station)
        assert station.running == {}
        csms.token_status = "Accepted"
        if version == "1.6":
            await csms.call("CP-01", "RemoteStartTransaction", {"idTag": "OPERATOR", "connectorId": 1})
        else:
            token = {"idToken": "OPERATOR", "type": "Central"}
            await csms.call("CP-01", "RequestStartTransaction", {"idToken": token, "remoteStartId": 5, "evseId": 1})
        await clock.sleep_until(minutes(6), "test")
        assert station.running[1].token == "OPERATOR"
        await clock.sleep_until(minutes(7), "test")
        stop = "RemoteStopTransaction" if version == "1.6" else "RequestStopTransaction"
        identity = station.running[1].id
        body = {"transactionId": int(identity) if version == "1.6" else identity}
        assert await csms.call("CP-01", stop, body) == {"status": "Accepted"}
        await clock.sleep_until(minutes(8), "test")
        assert station.running == {} and station.sample(1).power_w == 0


async def test_variables_configuration_and_triggers_are_answered():
    async with depot("2.0.1") as (clock, csms, _station):
        await clock.sleep_until(minutes(4), "csms")
        asked = [
            {"component": {"name": "SmartChargingCtrlr"}, "variable": {"name": "RateUnit"}},
            {"component": {"name": "SmartChargingCtrlr"}, "variable": {"name": "Nope"}},
        ]
        answer = await csms.call("CP-01", "GetVariables", {"getVariableData": asked})
        assert [row["attributeStatus"] for row in answer["getVariableResult"]] == ["Accepted", "UnknownVariable"]
        await csms.call("CP-01", "TriggerMessage", {"requestedMessage": "BootNotification"})
        report = await csms.call("CP-01", "GetBaseReport", {"requestId": 4, "reportBase": "FullInventory"})
        assert report == {"status": "Accepted"}
        await csms.call("CP-01", "SetChargingProfile", wire("2.0.1", "TxDefaultProfile", [(0, 6000)], evse=0))
        await csms.call("CP-01", "GetChargingProfiles", {"requestId": 5, "chargingProfile": {}})
        await clock.sleep_until(minutes(4.1), "test")
        assert len(csms.of("CP-01", "BootNotification")) == 2
        assert len(csms.of("CP-01", "NotifyReport")) == 1
        assert len(csms.of("CP-01", "ReportChargingProfiles")) == 1


async def test_an_unknown_action_is_answered_with_an_error_and_the_station_lives_on():
    async with depot("1.6") as (clock, csms, _station):
        await clock.sleep_until(minutes(4), "csms")
        await csms.sockets["CP-01"].send('[2,"x","Nope",{}]')
        await csms.sockets["CP-01"].send("not json")
        answer = await csms.call("CP-01", "GetConfiguration", {"key": ["HeartbeatInterval", "Nope"]})
        assert answer["unknownKey"] == ["Nope"]


async def test_a_server_that_is_away_is_tried_again():
    clock = HeldClock(BEGIN)
    station = Station(StationSpec("CP-01", "1.6", (60.0,)), Endpoint("ws://127.0.0.1:9/ocpp"), clock)
    station.start()
    await clock.sleep_until(minutes(10), "test")
    assert station.counts["connections"] > 3 and not station.connected
    await station.stop()
    await clock.stop()
    await asyncio.sleep(0)


async def test_one_charger_runs_on_the_systems_clock_against_any_server():
    clock = SystemClock()
    async with Csms(clock) as csms:
        spec = StationSpec("CP-09", "2.0.1", (60.0,))
        running = asyncio.create_task(run_charger(spec, Endpoint(csms.url)))
        await until(lambda: csms.of("CP-09", "StatusNotification"))
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
    assert csms.violations == []


def test_a_numbered_fleet_speaks_both_versions():
    assert [(spec.id, spec.version) for spec in numbered(3, 1, 90.0)] == [
        ("CP-01", "2.0.1"),
        ("CP-02", "2.0.1"),
        ("CP-03", "1.6"),
    ]
