"""What a person decides by hand, over real HTTP."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest

from core.messages import Physical, compose
from core.messages.station import ConnectorStatusChanged, StationConnected
from gateway.settings.models import User
from tests.gateway.api.conftest import NOW, Running, Start, StoppedClock
from tests.waiting import until


async def test_a_departure_by_hand_is_an_import_like_any_other(running: Running) -> None:
    body = {"vehicle": "BUS-1", "time": "06:20", "km": 180, "why": "extra service"}
    status, told, reply = await running.ask("POST", "/sites/depot/departures", body)
    assert (status, told["added"], told["assigned"], told["format"]) == (200, 1, 1, "hand")
    assert reply.headers["Busbar-Position"]
    (received,) = await running.messages("schedule.received")
    assert (received.body.model_dump()["who"], received.body.model_dump()["why"]) == ("local", "extra service")
    (planned,) = await running.messages("work.planned")
    assert planned.at.begins is not None
    assert planned.at.begins.isoformat() == "2026-11-26T05:20:00+00:00"


async def test_a_departure_by_hand_is_taken_back_alone_and_may_be_stated_again(running: Running) -> None:
    path, hours = "/sites/depot/departures", ("06:20", "08:00")
    for time in hours:
        await running.ask("POST", path, {"vehicle": "BUS-1", "time": time, "km": 20})
    gone = {"vehicle": "BUS-1", "time": "06:20", "why": "cancelled"}
    _, asked, _ = await running.ask("POST", f"{path}/remove?dry_run=1", gone)
    assert (asked["removed"], asked["dry_run"], await running.messages("work.withdrawn")) == (1, True, [])
    status, told, _ = await running.ask("POST", f"{path}/remove", gone)
    assert (status, told["removed"], told["added"]) == (200, 1, 0)
    (withdrawn,) = await running.messages("work.withdrawn")
    assert withdrawn.at.block == "BUS-1@06:20"
    received = (await running.messages("schedule.received"))[-1].body.model_dump()
    assert (received["who"], received["why"]) == ("local", "cancelled")
    status, told, _ = await running.ask("POST", f"{path}/remove", gone)
    assert (status, "2026-11-26T08:00+01:00" in told["next"]) == (404, True)
    _, told, _ = await running.ask("POST", path, {"vehicle": "BUS-1", "time": "06:20", "km": 20})
    assert (told["added"], told["assigned"]) == (1, 1)


async def test_a_departure_that_a_feed_states_is_not_taken_back_by_hand(running: Running) -> None:
    head = b"operating_day,block,vehicle,departure,distance_km\n"
    await running.ask("POST", "/sites/depot/schedules", head + b"2026-11-26,41,BUS-1,06:20,20\n")
    status, told, _ = await running.ask("POST", "/sites/depot/departures/remove", {"vehicle": "BUS-1", "time": "06:20"})
    assert (status, "for block 41, as the feed table states it" in told["detail"]) == (409, True)
    assert "`2026-11-26,41,`" in told["next"]
    assert await running.messages("work.withdrawn") == []


async def test_a_departure_needs_a_known_vehicle_one_goal_and_a_time_to_come(running: Running) -> None:
    good = {"vehicle": "BUS-1", "time": "06:20", "km": 180}
    for change, expected in (
        ({"vehicle": "BUS-9"}, 404),
        ({"kwh": 10}, 422),
        ({"km": None}, 422),
        ({"time": "25:99"}, 422),
        ({"time": "2026-11-24T06:20+01:00"}, 422),
        ({"time": "2027-11-24T06:20+01:00"}, 422),
        ({"colour": "red"}, 422),
        ({"km": -4}, 422),
    ):
        status, told, _ = await running.ask("POST", "/sites/depot/departures", {**good, **change})
        assert (status, bool(told["next"])) == (expected, True), change
    assert await running.messages("schedule.received") == []


async def test_in_the_repeated_hour_of_autumn_the_next_time_may_be_its_second_pass(
    start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    there = datetime(2026, 10, 25, 0, 45, tzinfo=UTC) - NOW
    real = StoppedClock.now
    monkeypatch.setattr(StoppedClock, "now", lambda clock: real(clock) + there)
    running = await start()
    await running.ask("POST", "/sites/depot/departures", {"vehicle": "BUS-1", "time": "02:30", "km": 20})
    (planned,) = await running.messages("work.planned")
    assert planned.at.begins == datetime(2026, 10, 25, 1, 30, tzinfo=UTC)


async def test_a_time_with_a_date_is_local_where_it_has_no_offset(running: Running) -> None:
    body = {"vehicle": "BUS-1", "time": "2026-11-27T06:20", "soc": 0.9}
    await running.ask("POST", "/sites/depot/departures", body)
    (planned,) = await running.messages("work.planned")
    assert planned.at.begins is not None
    assert planned.at.begins.isoformat() == "2026-11-27T05:20:00+00:00"


async def test_a_vehicle_is_placed_by_the_bays_name_or_by_station_and_evse(running: Running) -> None:
    for place in ({"station": "Bay 3"}, {"station": "CP-02", "evse": 2}):
        status, told, _ = await running.ask("POST", "/sites/depot/assignments", {"vehicle": "BUS-1", **place})
        assert (status, told["at"]) == (200, {"vehicle": "BUS-1", "station": "CP-02", "evse": 2})
    placed = await running.messages("vehicle.placed")
    assert len(placed) == 2
    assert placed[0].body.model_dump()["who"] == "local"
    assert placed[0].causes


async def test_a_place_that_is_none_is_refused_with_those_that_there_are(running: Running) -> None:
    for place, expected in (
        ({"station": "Bay 9"}, 404),
        ({"station": "CP-02"}, 422),
        ({"station": "CP-01", "evse": 2}, 422),
    ):
        status, told, _ = await running.ask("POST", "/sites/depot/assignments", {"vehicle": "BUS-1", **place})
        assert (status, bool(told["next"])) == (expected, True)


async def test_a_cap_holds_until_its_end_and_lowers_the_wish(running: Running) -> None:
    status, told, _ = await running.ask("POST", "/stations/CP-01/limit", {"kw": 0, "for_s": 7200, "why": "smell"})
    assert status == 200
    (limited,) = await running.messages("station.limited")
    assert limited.at.ends is not None
    assert 7190 < (limited.at.ends - NOW).total_seconds() < 7260
    assert limited.id == told["id"]
    await running.hub.controllers["depot"].settled(await running.log.last())
    hand = running.hub.controllers["depot"].state.dispatch.stations["CP-01"].hand
    assert hand is not None
    assert hand.id == limited.id


async def test_a_cap_that_means_nothing_is_refused(running: Running) -> None:
    for station, body, expected in (
        ("CP-99", {"kw": 10, "for_s": 60}, 404),
        ("CP-01", {"kw": -1, "for_s": 60}, 422),
        ("CP-01", {"kw": 10, "for_s": 0}, 422),
        ("CP-01", {"kw": 10, "for_s": 10**8}, 422),
    ):
        status, told, _ = await running.ask("POST", f"/stations/{station}/limit", body)
        assert (status, bool(told["next"])) == (expected, True)
    assert await running.messages("station.limited") == []


async def test_a_cap_above_what_a_charger_gives_is_refused_with_the_numbers(running: Running) -> None:
    most = sum(c.max_kw for c in running.hub.controllers["depot"].state.topology.stations["CP-01"].connectors)
    status, told, _ = await running.ask("POST", "/stations/CP-01/limit", {"kw": most + 30, "for_s": 60})
    assert (status, told["type"]) == (409, "urn:busbar:problem:cap-above-rating")
    assert f"at most {most:.0f}" in told["detail"] and f"{most + 30:.0f}" in told["detail"]
    assert f"exactly {most:.0f}" in told["next"]
    assert await running.messages("station.limited") == []
    status, _, _ = await running.ask("POST", "/stations/CP-01/limit", {"kw": most, "for_s": 60})
    assert status == 200


async def test_a_cap_can_be_asked_about_without_being_stated(running: Running) -> None:
    path = "/stations/CP-01/limit?dry_run=true"
    status, told, reply = await running.ask("POST", path, {"kw": 0, "for_s": 60})
    assert (status, told["dry_run"]) == (200, True)
    assert [cost["reason"] for cost in told["costs"]] == ["cap_below_safe"]
    assert "Busbar-Position" not in reply.headers
    assert await running.messages("station.limited") == []


async def test_a_station_is_let_in_with_a_password_and_no_power_of_its_own(running: Running) -> None:
    body = {"station": "CP-77", "site": "depot", "node": "P1", "connectors_kw": [90, 90]}
    status, told, _ = await running.ask("POST", "/stations", body)
    assert (status, told["station"], told["safe_kw"], told["connectors_kw"]) == (200, "CP-77", 0.0, [90, 90])
    known = await until(lambda: running.hub.feed.directory.station("CP-77"))
    assert running.hub.secrets.get(known.credential)
    status, told, _ = await running.ask("POST", "/stations", body)
    assert (status, told["type"]) == (409, "urn:busbar:problem:station-known")


async def test_a_station_at_a_place_that_is_none_is_refused(running: Running) -> None:
    for change, expected in (({"node": "P9"}, 404), ({"site": "nowhere"}, 404), ({"connectors_kw": []}, 422)):
        body = {"station": "CP-77", "site": "depot", "node": "P1", "connectors_kw": [90], **change}
        status, told, _ = await running.ask("POST", "/stations", body)
        assert (status, bool(told["next"])) == (expected, True)


async def test_a_hub_without_a_settings_file_says_that_it_cannot_reload(running: Running) -> None:
    status, told, _ = await running.ask("POST", "/reload", {})
    assert (status, bool(told["next"])) == (422, True)


async def test_who_decides_stands_in_the_fact(start: Start, tmp_path: Path) -> None:
    (tmp_path / "token").write_text("secret-token")
    (tmp_path / "viewer").write_text("viewer-token")
    users = (
        User(name="anna", role="operator", token="file:token"),
        User(name="vera", role="viewer", token="file:viewer"),
    )
    running = await start(users=users)
    body = {"kw": 20, "for_s": 60}
    status, _, _ = await running.ask("POST", "/stations/CP-01/limit", body)
    assert status == 401
    status, _, _ = await running.ask(
        "POST", "/stations/CP-01/limit", body, headers={"Authorization": "Bearer viewer-token"}
    )
    assert status == 403
    status, _, _ = await running.ask(
        "POST", "/stations/CP-01/limit", body, headers={"Authorization": "Bearer secret-token"}
    )
    assert status == 200
    (limited,) = await running.messages("station.limited")
    assert (limited.body.model_dump()["who"], limited.source) == ("anna", "person:anna")


async def test_who_may_only_read_is_refused_every_act_that_there_is(start: Start, tmp_path: Path) -> None:
    (tmp_path / "viewer").write_text("viewer-token")
    running = await start(users=(User(name="vera", role="viewer", token="file:viewer"),))
    allowed = {"Authorization": "Bearer viewer-token"}
    paths = (await running.ask("GET", "/openapi.json", headers=allowed))[1]["paths"]
    acts = [path.format_map({"site": "depot", "station": "CP-01"}) for path, of in paths.items() if "post" in of]
    assert "/api/v1/sites/depot/departures/remove" in acts
    for path in acts:
        assert (await running.ask("POST", path.removeprefix("/api/v1"), {}, headers=allowed))[0] == 403, path


async def plugged(running: Running, station: str = "CP-01") -> None:
    """That station connects, a bus that nobody knows is plugged in there, and the controller has heard of it."""
    bodies = (
        StationConnected(version="ocpp2.0.1", gateway="main", epoch=1, connection=1),
        ConnectorStatusChanged(status="occupied", charging_state="ev_connected"),
    )
    now, at = running.hub.clock.now(), Physical(station=station, evse=1, connector=1)
    facts = [compose(b, id=f"{b.TYPE}-{station}", time=now, source="test", site="depot", at=at) for b in bodies]
    await running.hub.journal.append("depot", facts)
    await running.hub.controllers["depot"].settled(await running.log.last())


async def test_a_departure_by_hand_tells_what_it_changes_and_can_be_only_asked_about(running: Running) -> None:
    body = {"vehicle": "BUS-1", "time": "06:20", "km": 180}
    status, asked, reply = await running.ask("POST", "/sites/depot/departures?dry_run=1", body)
    assert (status, asked["dry_run"], asked["added"]) == (200, True, 1)
    assert "Busbar-Position" not in reply.headers
    assert await running.messages("schedule.received") == []
    (brought,) = asked["consequences"]
    assert (brought["vehicle"], brought["before"], brought["after"]) == ("BUS-1", None, "unknown")
    assert brought["what"].startswith("BUS-1 06:20 Thu 26 Nov: unknown. BUS-1 is not plugged in")
    assert brought["next"]
    _, told, _ = await running.ask("POST", "/sites/depot/departures", body)
    assert told["consequences"] == asked["consequences"]


async def test_a_charge_by_hand_tells_whose_readiness_it_changes(running: Running) -> None:
    await running.ask("POST", "/sites/depot/departures", {"vehicle": "BUS-1", "time": "06:20", "km": 100})
    path = "/sites/depot/charges?dry_run=1"
    status, asked, reply = await running.ask("POST", path, {"vehicle": "BUS-1", "soc": 0.9})
    assert (status, asked["dry_run"], "Busbar-Position" in reply.headers) == (200, True, False)
    assert await running.messages("vehicle.read") == []
    (better,) = asked["consequences"]
    assert (better["before"], better["after"]) == ("unknown", "met")
    assert better["what"].startswith("BUS-1 06:20 Thu 26 Nov: now unknown, then met.")


async def test_a_place_where_nothing_is_plugged_in_is_told_as_such(running: Running) -> None:
    _, told, _ = await running.ask("POST", "/sites/depot/assignments", {"vehicle": "BUS-1", "station": "CP-01"})
    assert [(one["reason"], bool(one["next"])) for one in told["consequences"]] == [("bay_empty", True)]
    await plugged(running)
    _, told, _ = await running.ask("POST", "/sites/depot/assignments", {"vehicle": "BUS-2", "station": "CP-01"})
    assert "bay_empty" not in {one.get("reason") for one in told["consequences"]}


async def test_a_charge_read_from_a_dashboard_is_a_reading_with_who_said_so(running: Running) -> None:
    status, told, reply = await running.ask("POST", "/sites/depot/charges", {"vehicle": "BUS-1", "soc": 0.43})
    assert (status, told["type"]) == (200, "vehicle.read")
    (read,) = await running.messages("vehicle.read")
    assert (read.at.vehicle, read.body.model_dump()["soc"], read.source) == ("BUS-1", 0.43, "person:local")
    assert read.causes
    after = reply.headers["Busbar-Position"]
    _, rows, _ = await running.ask("GET", f"/vehicles?vehicle=BUS-1&after={after}")
    assert rows["items"][0]["soc"] == 0.43
    for wrong, expected in (({"vehicle": "BUS-9"}, 404), ({"soc": 43}, 422), ({"soc": None}, 422)):
        status, told, _ = await running.ask("POST", "/sites/depot/charges", {"vehicle": "BUS-1", "soc": 0.4, **wrong})
        assert (status, bool(told["next"])) == (expected, True)
