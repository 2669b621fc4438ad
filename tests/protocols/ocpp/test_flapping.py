"""A declared station with a right password that connects again and again is bounded, and nobody else is hindered."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from websockets.exceptions import InvalidStatus
from websockets.http11 import Response

from gateway.clock import HeldClock
from protocols.ocpp.adapter import OcppAdapter
from protocols.ocpp.pace import Bucket
from tests.protocols.ocpp.conftest import Hub, settings
from tests.protocols.ports import StandingClock, World
from tests.waiting import until

NOW = datetime(2026, 11, 25, 22, tzinfo=UTC)
BURST = 3


@pytest.fixture
async def hub(world: World) -> AsyncIterator[Hub]:
    """Three connections at once, then two a minute, on a clock that only the test moves."""
    world.clock = StandingClock()
    adapter = OcppAdapter(settings(connections_burst=BURST, connections_per_min=2))
    await adapter.start(world.ports)
    yield Hub(world, adapter)
    await adapter.stop()
    assert world.counts["adapter_failures"] == 0


async def flap(hub: Hub, times: int = BURST, name: str = "CP1") -> None:
    for _ in range(times):
        peer = await hub.peer(name)
        await peer.boot()
        await peer.close()


async def put_off(hub: Hub, name: str = "CP1") -> Response:
    with pytest.raises(InvalidStatus) as refused:
        await hub.peer(name)
    assert refused.value.response.status_code == 429
    return refused.value.response


async def test_a_station_that_flaps_is_told_before_the_upgrade_what_it_may_do_and_when_to_come_again(hub: Hub) -> None:
    await flap(hub)
    hub.world.clock.shift = 10.5
    response = await put_off(hub)
    assert response.headers["Retry-After"] == "20"
    again = hub.world.clock.now() + timedelta(seconds=19.5, microseconds=999_999)
    assert (response.body or b"").decode() == (
        "connects_too_often: a station may connect 3 times at once and then 2 times a minute; "
        f"next: try again in 20 s, at {again:%Y-%m-%dT%H:%M:%SZ}\n"
    )
    hub.world.clock.shift += int(response.headers["Retry-After"])
    await flap(hub, 1)
    await put_off(hub)


async def test_what_is_put_off_leaves_nothing_of_a_connection_and_one_record_of_the_spell(hub: Hub) -> None:
    await flap(hub)
    await put_off(hub)
    [told] = await hub.world.journal.until("station.knocked")
    for _ in range(19):
        await put_off(hub)
        hub.world.clock.shift += 0.5
    assert (told.site, told.at.station, told.body.reason, told.body.address) == (
        "_hub",
        "CP1",
        "connects_too_often",
        "127.0.0.1",
    )
    assert hub.world.counts["stations_refused"] == 20
    await flap(hub, name="CP2")
    await put_off(hub, "CP2")
    await until(lambda: hub.world.journal.of("station.knocked", "CP2"))
    assert len(hub.world.journal.of("station.knocked", "CP1")) == 1
    assert len(hub.world.journal.of("station.connected", "CP1")) == BURST


async def test_how_often_a_station_was_put_off_is_told_within_the_hour_also_if_it_is_quiet_by_then(
    world: World,
) -> None:
    clock = HeldClock(NOW)
    hub = Hub(world, OcppAdapter(settings(connections_burst=BURST)))
    await hub.adapter.start(replace(world.ports, clock=clock))
    with clock.settle("test"):
        await flap(hub)
        await put_off(hub)
        [first] = await world.journal.until("station.knocked")
        for _ in range(5):
            await put_off(hub)
    again = (await world.journal.until("station.knocked", 2))[1]
    assert (first.body.times, again.body.times) == (1, 5)
    assert again.time == first.time + timedelta(hours=1)
    assert again.id != first.id
    await hub.adapter.stop()


async def test_a_station_is_never_locked_out_however_often_it_asks(hub: Hub) -> None:
    await flap(hub)
    admitted = 0
    for _ in range(60):
        hub.world.clock.shift += 5
        try:
            await flap(hub, 1)
            admitted += 1
        except InvalidStatus:
            continue
    assert admitted == 10, "two a minute in five minutes: what is refused costs a station nothing"


async def test_the_others_and_the_stations_own_open_connection_are_not_hindered(hub: Hub) -> None:
    await flap(hub, BURST - 1)
    mine = await hub.peer("CP1")
    for _ in range(5):
        await put_off(hub)
    other = await hub.peer("CP2")
    assert (await mine.boot())["status"] == (await other.boot())["status"] == "Accepted"
    assert {p.name for p in hub.adapter.health().peers if p.connected} == {"CP1", "CP2"}
    await mine.close()
    await other.close()


async def test_a_connection_that_takes_over_counts_so_two_chargers_cannot_fight_for_a_name(hub: Hub) -> None:
    fighting = [await hub.peer("CP1") for _ in range(BURST)]
    await put_off(hub)
    assert (await fighting[-1].boot())["status"] == "Accepted", "the one that is in stays in until the next is due"
    for peer in fighting:
        await peer.close()


async def test_who_does_not_know_the_password_cannot_use_up_a_stations_connections(hub: Hub) -> None:
    for _ in range(3 * BURST):
        with pytest.raises(InvalidStatus) as refused:
            await hub.peer("CP1", password=b"wrong")
        assert refused.value.response.status_code == 401
    await flap(hub)


async def test_strangers_that_fill_the_knocking_list_do_not_hide_a_flapping_station(hub: Hub) -> None:
    for number in range(40):
        with pytest.raises(InvalidStatus):
            await hub.peer(f"X{number}")
    await flap(hub)
    await put_off(hub)
    told = await until(lambda: [m for m in hub.world.journal.of("station.knocked") if m.at.station == "CP1"])
    assert told[0].body.reason == "connects_too_often"


async def test_a_station_after_a_network_fault_never_meets_the_default_bound(world: World) -> None:
    world.clock = StandingClock()
    adapter = OcppAdapter(settings())
    await adapter.start(world.ports)
    hub = Hub(world, adapter)
    for _ in range(
        40
    ):  # a switch that restarts again and again: ten seconds of waiting each, for more than six minutes
        await flap(hub, 1)
        world.clock.shift += 10
    assert not world.counts["stations_refused"]
    await adapter.stop()


def test_a_bucket_that_is_told_to_come_again_has_one_at_that_moment_and_not_before() -> None:
    bucket = Bucket(2, 2 / 60, NOW)
    assert [bucket.ask(NOW), bucket.ask(NOW)] == [None, None]
    again = bucket.ask(NOW)
    assert again == NOW + timedelta(seconds=30)
    assert bucket.ask(again - timedelta(microseconds=1)) == again
    assert bucket.ask(again) is None


def test_a_bucket_locks_nobody_out_when_the_clock_is_set_back() -> None:
    bucket = Bucket(2, 1 / 30, NOW)
    back = NOW - timedelta(days=1)
    assert bucket.ask(NOW) is None
    assert bucket.ask(back) == back + timedelta(seconds=30)
