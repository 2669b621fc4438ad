"""A station's clock is measured from what it dates, and told: once per connection, and where it changed."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from protocols.ocpp.drift import Drift, newest
from tests.protocols.ocpp.conftest import Hub
from tests.protocols.ocpp.peer import stamp
from tests.waiting import until

NOW = datetime(2026, 11, 25, 22, tzinfo=UTC)
BEHIND = timedelta(hours=-2)


def values(dated: datetime) -> dict[str, Any]:
    sample = {"value": "1000", "measurand": "Energy.Active.Import.Register"}
    return {"meterValue": [{"timestamp": stamp(dated), "sampledValue": [sample]}]}


def told(drift: Drift, *heard: tuple[float, float]) -> list[float]:
    """What is told of frames that come at minute x and are dated to minute y."""
    found = (drift.hear(values(NOW + timedelta(minutes=y)), NOW + timedelta(minutes=x)) for x, y in heard)
    return [skew_s for skew_s in found if skew_s is not None]


def test_what_is_off_by_the_same_for_five_minutes_is_a_clock_that_is_off_and_told_once() -> None:
    drift = Drift()
    assert told(drift, *((n, n - 120) for n in range(5))) == []
    assert told(drift, *((n, n - 120 + 0.5 * (n % 2)) for n in range(5, 60))) == [-7170]


def test_what_waited_in_a_station_that_was_offline_says_nothing_about_its_clock() -> None:
    backlog = [(n / 10, n * 10 - 480) for n in range(49)]
    assert told(Drift(), *backlog) == []
    assert told(Drift(), *backlog, *((n, n) for n in range(5, 30))) == [0]
    drift, moments = Drift(), [NOW + timedelta(minutes=n) for n in range(9)]
    assert [drift.hear(values(at + BEHIND) | {"offline": True}, at) for at in moments] == [None] * 9


def test_a_clock_that_is_set_is_told_when_it_has_been_right_for_five_minutes() -> None:
    drift = Drift()
    told(drift, *((n, n + 60) for n in range(10)))
    assert told(drift, *((n, n) for n in range(10, 15))) == []
    assert told(drift, *((n, n) for n in range(15, 30))) == [0]


def test_the_newest_moment_counts_also_one_that_cannot_be_meant() -> None:
    dated = {"timestamp": "1970-01-01T00:00:00Z", "meterValue": [{"timestamp": "1970-01-01T00:05:00"}, 7, {}]}
    assert newest(dated) == datetime(1970, 1, 1, 0, 5, tzinfo=UTC)
    assert newest({"timestamp": 7, "meterValue": "none"}) is None


@pytest.mark.parametrize(("version", "where"), [("ocpp1.6", "connectorId"), ("ocpp2.0.1", "evseId")])
async def test_a_stations_clock_is_a_fact_once_per_connection(hub: Hub, version: str, where: str) -> None:
    for _ in range(2):
        peer = await hub.peer(version=version)
        for _ in range(8):
            hub.world.clock.shift += 60
            await peer.call("MeterValues", {where: 1, **values(hub.world.clock.now() + BEHIND)})
        await peer.close()
    first, second = hub.world.journal.of("station.clock_measured")
    body: Any = first.body
    assert body.skew_s == pytest.approx(BEHIND.total_seconds(), abs=30)
    assert (first.at.station, first.at.evse) == ("CP1", None) and first.id != second.id


async def test_a_clock_that_could_not_be_stored_is_measured_anew(hub: Hub) -> None:
    peer = await hub.peer()

    async def dated(minutes: int) -> None:
        for _ in range(minutes):
            hub.world.clock.shift += 60
            await peer.call("MeterValues", {"evseId": 1, **values(hub.world.clock.now() + BEHIND)})

    await dated(5)
    hub.world.clock.shift += 60
    hub.world.journal.full = True
    late = json.dumps([2, "x", "MeterValues", {"evseId": 1, **values(hub.world.clock.now() + BEHIND)}])
    await peer.socket.send(late)
    await until(lambda: hub.world.counts["frames_not_stored"])
    hub.world.journal.full = False
    assert hub.world.journal.of("station.clock_measured") == []
    await dated(7)
    assert len(hub.world.journal.of("station.clock_measured")) == 1
    await peer.close()
