"""Readings posted to a real hub: what is used, what is set aside, what is answered."""

from __future__ import annotations

from tests.gateway.api.conftest import Running, Start

AT = "2026-11-25T17:59:00Z"
SOC = {"source": "telematics", "subject": "vehicle:BUS-1", "measured_at": AT, "soc": 0.42}
GRID = {"source": "grid-meter", "subject": "meter:GRID", "measured_at": AT, "import_kw": 120.5, "import_kwh": 7.0}


async def test_a_batch_becomes_evidence_and_facts_in_one_record(running: Running) -> None:
    status, told, reply = await running.ask("POST", "/sites/depot/telemetry", {"readings": [SOC, GRID]})
    assert (status, told["used"], told["quarantined"]) == (200, 2, 0)
    record = await running.log.get(int(reply.headers["Busbar-Position"]))
    assert record is not None
    assert [m.type for m in record.messages] == ["evidence.received", "vehicle.read", "meter.sampled"]
    assert record.messages[1].causes == (record.messages[0].id,)
    assert record.messages[2].at.node == "GRID"


async def test_one_reading_alone_is_taken_too(running: Running) -> None:
    status, told, _ = await running.ask("POST", "/sites/depot/telemetry", SOC)
    assert (status, told["used"]) == (200, 1)
    read = running.hub.controllers["depot"].state.vehicles.read.get("BUS-1")
    assert read is None or read.value == 0.42


async def test_a_building_meter_measures_the_building(running: Running) -> None:
    await running.ask("POST", "/sites/depot/telemetry", {**GRID, "subject": "meter:HALL"})
    (sample,) = await running.messages("meter.sampled")
    assert sample.body.model_dump()["measures"] == "building"


async def test_a_bad_reading_is_set_aside_and_the_good_one_beside_it_is_used(running: Running) -> None:
    bad = [
        {**SOC, "subject": "vehicle:NOBODY"},
        {**SOC, "soc": 1.4},
        {**SOC, "measured_at": "2026-11-25T19:00:00Z"},
        {**GRID, "import_kw": -3},
        {"subject": "vehicle:BUS-1"},
        "text",
        {"source": "x", "subject": "vehicle:BUS-1", "measured_at": AT},
        {**SOC, "measured_at": "2026-11-25T17:59:00"},
        {**GRID, "subject": "meter:NOWHERE"},
        {**SOC, "at_station": "CP-99"},
    ]
    status, told, _ = await running.ask("POST", "/sites/depot/telemetry", {"readings": [*bad, GRID]})
    assert (status, told["used"], told["quarantined"]) == (207, 1, len(bad))
    assert [item["reason"] for item in told["items"][:4]] == [
        "subject_unknown",
        "value_implausible",
        "reading_future",
        "value_implausible",
    ]
    assert all(item["what"] and item["next"] for item in told["items"])
    assert len(await running.messages("evidence.quarantined")) == len(bad)
    assert b'busbar_quarantined_total{protocol="telemetry",reason="subject_unknown"} 3.0' in running.hub.metrics.text()


async def test_the_same_reading_again_changes_nothing(running: Running) -> None:
    await running.ask("POST", "/sites/depot/telemetry", SOC)
    before = len(await running.messages("evidence.received"))
    status, told, _ = await running.ask("POST", "/sites/depot/telemetry", {"readings": [SOC, SOC]})
    assert (status, told["used"], told["repeated"]) == (200, 0, 2)
    assert len(await running.messages("evidence.received")) == before


async def test_the_same_reading_after_a_restart_is_the_same_fact(running: Running, start: Start) -> None:
    await running.ask("POST", "/sites/depot/telemetry", SOC)
    await running.hub.stop()
    again = await start(running.log, data="again")
    await again.ask("POST", "/sites/depot/telemetry", SOC)
    first, second = await again.messages("vehicle.read")
    assert first.id == second.id


async def test_a_body_that_is_no_json_is_kept_counted_and_refused(running: Running) -> None:
    status, told, _ = await running.ask("POST", "/sites/depot/telemetry", b"\xff{")
    assert (status, told["type"]) == (422, "urn:busbar:problem:not-json")
    assert told["next"]
    (aside,) = await running.messages("evidence.quarantined")
    assert aside.body.model_dump()["reason"] == "telemetry_broken"


async def test_more_readings_than_allowed_are_refused_as_a_whole(running: Running) -> None:
    status, told, _ = await running.ask("POST", "/sites/depot/telemetry", {"readings": [SOC] * 1001})
    assert (status, told["type"]) == (422, "urn:busbar:problem:too-many-readings")
    assert await running.messages("vehicle.read") == []


async def test_an_unknown_site_is_named_with_those_that_there_are(running: Running) -> None:
    status, told, _ = await running.ask("POST", "/sites/nowhere/telemetry", SOC)
    assert status == 404
    assert "depot" in told["next"]


async def test_a_place_without_evse_means_the_only_one(running: Running) -> None:
    await running.ask("POST", "/sites/depot/telemetry", {**SOC, "at_station": "CP-01"})
    (read,) = await running.messages("vehicle.read")
    assert read.body.model_dump()["at_evse"] == 1
