"""The stream of a page: whole fragments, a beat, one sentence when a state changes."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from dataclasses import replace

import pytest

from core.messages import Physical
from core.messages.grid import MeterSampled
from gateway.pages.live import Teller
from gateway.pages.views import Incident, NowView
from tests.gateway.pages.conftest import Running
from tests.gateway.pages.depot import SITE, fact
from tests.gateway.pages.nights import ZONE, moment, night
from tests.waiting import GENEROUS_S, until

pytestmark = pytest.mark.asyncio(loop_scope="module")
Event = tuple[str, str, str]


async def events(shared: Running, path: str, **more: object) -> AsyncIterator[Event]:
    """(event, data, id) as they come."""
    async with shared.client.get(shared.base + path, **more) as reply:  # type: ignore[arg-type]  # because: headers alone
        assert reply.status == 200
        assert reply.content_type == "text/event-stream"
        while True:
            name, data, id = "", [], ""
            while line := (await reply.content.readline()).decode().rstrip("\n"):
                key, _, value = line.partition(": ")
                name, id = (value if key == "event" else name), (value if key == "id" else id)
                data += [value] if key == "data" else []
            yield name, "\n".join(data), id


async def up_to(stream: AsyncIterator[Event], name: str, holds: str = "") -> list[Event]:
    """The events up to the first of that name that holds those words."""
    found: list[Event] = []
    async with asyncio.timeout(GENEROUS_S):
        async for event in stream:
            found.append(event)
            if event[0] == name and holds in event[1]:
                return found
    return found


async def test_a_stream_begins_with_every_part_and_a_beat(shared: Running) -> None:
    stream = events(shared, "/s/nord/stream?page=now")
    found = await up_to(stream, "beat")
    await stream.aclose()  # type: ignore[attr-defined]  # because: it is a generator
    assert [e[0] for e in found] == ["hello", "part", "part", "part", "beat"]
    assert found[1][1].startswith('<section id="part-now-head"')
    assert found[1][1].endswith("</section>")
    assert json.loads(found[-1][1])["now"].startswith("01:1")
    (position,) = {e[2] for e in found}
    assert 0 < int(position) <= shared.hub.api.models.seq


async def test_who_has_the_newest_position_is_sent_no_part(shared: Running) -> None:
    async def told() -> list[str]:
        seq = str(shared.hub.api.models.seq)
        stream = events(shared, "/s/nord/stream?page=now", headers={"Last-Event-ID": seq})
        found = await up_to(stream, "beat")
        await stream.aclose()  # type: ignore[attr-defined]  # because: it is a generator
        return [e[0] for e in found] if found[0][2] == seq else []  # because: a decision may come in between

    assert await until(told) == ["hello", "beat"]


async def test_a_fact_reaches_the_page_within_seconds_and_only_what_changed_is_sent(shared: Running) -> None:
    stream = events(shared, "/s/nord/stream?page=now")
    await up_to(stream, "beat")
    body = MeterSampled(measures="import", import_kw=77.0)
    now = shared.hub.clock.now()
    await shared.hub.journal.append(SITE, [fact(body, Physical(meter="GRID", node="GRID"), now, "api")])
    found = await up_to(stream, "part", "77 of 120") + await up_to(stream, "beat")
    await stream.aclose()  # type: ignore[attr-defined]  # because: it is a generator
    parts = [e[1] for e in found if e[0] == "part"]
    assert not any("part-board" in part for part in parts)


@pytest.mark.parametrize("page", ["nowhere", "vehicles/nobody", "night&of=x", "a/b/c", ""])
async def test_a_stream_of_nothing_is_404(shared: Running, page: str) -> None:
    status, _, _ = await shared.get(f"/s/nord/stream?page={page}")
    assert status == 404


async def test_forms_are_never_replaced(shared: Running) -> None:
    stream = events(shared, "/s/nord/stream?page=stations/CP-02")
    parts = [e[1] for e in await up_to(stream, "beat") if e[0] == "part"]
    await stream.aclose()  # type: ignore[attr-defined]  # because: it is a generator
    assert len(parts) == 2
    assert not any("<form" in part for part in parts)


def view_of(states: dict[str, str], incidents: tuple[Incident, ...] = ()) -> NowView:
    departures = tuple(
        replace(v.departure, state=states.get(v.departure.vehicle, "on_track"))  # type: ignore[arg-type]  # because: states by name
        for v in night(3).vehicles
    )
    return NowView("nord", "Depot", ZONE, moment("01:12"), departures=departures, incidents=incidents)


async def test_nothing_is_said_at_first_and_nothing_where_nothing_changed() -> None:
    teller = Teller()
    assert teller.hear(view_of({"BUS-118": "at_risk"}), 0.0) == []
    assert teller.hear(view_of({"BUS-118": "at_risk"}), 20.0) == []


async def test_a_changed_state_is_said_once_and_at_most_every_ten_seconds() -> None:
    teller = Teller()
    teller.hear(view_of({}), 0.0)
    assert teller.hear(view_of({"BUS-118": "met", "BUS-131": "met"}), 1.0) == [("BUS-131 is now met", False)]
    assert teller.hear(view_of({"BUS-118": "met", "BUS-131": "met"}), 5.0) == []
    assert teller.hear(view_of({"BUS-118": "met", "BUS-131": "met"}), 12.0) == [("BUS-118 is now met", False)]


async def test_a_critical_incident_is_an_alert() -> None:
    teller = Teller()
    teller.hear(view_of({}), 0.0)
    worst = Incident(
        "i", "limit_exceeded", "critical", "GRID", "GRID draws 5 kW above.", "switch off.", moment("01:00")
    )
    assert teller.hear(view_of({}, (worst,)), 1.0) == [("GRID draws 5 kW above.", True)]
