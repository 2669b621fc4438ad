"""Parts of the night against a hub that controls nothing, over real sockets on a held clock."""

from __future__ import annotations

import itertools
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from simulators.night import Credentials, NightResult, play
from simulators.scenario import Scenario
from simulators.whatif import draw
from tests.simulators.csms import Csms
from tests.simulators.heldclock import HeldClock
from tests.simulators.hub import FIRST_TOKEN, Hub

FOLDER = Path(__file__).parents[2] / "examples" / "bus-142"


async def night(scenario: Scenario) -> tuple[NightResult, Csms, Hub, list[str]]:
    clock, lines = HeldClock(scenario.begin), []
    passwords = {spec.id: f"password-{spec.id}-0001" for spec in scenario.stations}
    async with Csms(clock) as csms, Hub(clock) as hub:
        result = await play(
            scenario,
            clock=clock,
            ocpp_url=csms.url,
            http_url=hub.url,
            credentials=Credentials(passwords, FIRST_TOKEN, "api-token"),
            on_event=lines.append,
        )
        await clock.stop()
    assert csms.violations == []
    return result, csms, hub, lines


@pytest.fixture(scope="module")
def scenario() -> Scenario:
    return draw(FOLDER / "scenario.toml")


async def test_the_evening_reaches_the_hub_on_every_way(scenario):
    evening = replace(scenario, end=scenario.begin + timedelta(hours=2))
    result, csms, hub, lines = await night(evening)
    assert result.problems == ()
    assert len({station for station, action, _ in csms.calls if action == "BootNotification"}) == 16
    assert [name for name, _ in hub.files] == ["vdv452.zip", "assignments.csv"]
    assert set(hub.tokens) == {"Bearer api-token"}
    grid = [reading for reading in hub.readings if reading["subject"] == "meter:GRID"]
    assert len(grid) == 120
    assert all(after["import_kwh"] >= before["import_kwh"] for before, after in itertools.pairwise(grid))
    kinds = [body["type"] for body in hub.actions("update_group_capacity_forecast")]
    assert kinds == ["FALLBACK_CONSUMPTION", "CONSUMPTION"]
    assert len(hub.actions("heartbeat")) == 24
    assert any("BUS-101 arrives at CP-01" in line for line in lines)


async def test_the_same_seed_plays_the_same_evening(scenario):
    evening = replace(scenario, end=scenario.begin + timedelta(hours=1, minutes=30))
    one, first, _, _ = await night(evening)
    two, second, _, _ = await night(evening)
    assert one.verdict == two.verdict
    assert first.calls == second.calls


async def test_a_hub_that_controls_nothing_is_found_to_exceed_the_lowered_limit(scenario):
    late = replace(
        scenario,
        begin=scenario.begin + timedelta(hours=4, minutes=30),
        end=scenario.begin + timedelta(hours=6, minutes=40),
        visits=tuple(v for v in scenario.visits if v.arrives > scenario.begin + timedelta(hours=4, minutes=35)),
        dso=replace(scenario.dso, begin=scenario.begin + timedelta(hours=4, minutes=31), rating_kw=260.0),
    )
    result, _, _, _ = await night(late)
    assert result.verdict.overshoot_kw > 50
    assert result.verdict.overshoot_s > 600


async def test_a_hub_that_does_not_go_on_with_the_registration_is_named_as_the_problem(scenario):
    clock = HeldClock(scenario.begin)
    short = replace(scenario, end=scenario.begin + timedelta(minutes=10), visits=())
    async with Csms(clock) as csms, Hub(clock) as hub:
        hub.answer_registration = False
        result = await play(
            short, clock=clock, ocpp_url=csms.url, http_url=hub.url, credentials=Credentials(oscp_token=FIRST_TOKEN)
        )
        await clock.stop()
    assert result.problems == ("grid operator: the peer did not call register within 120 s",)
