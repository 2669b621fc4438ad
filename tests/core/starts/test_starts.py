"""When the core asks for a session that does not begin by itself, how often, and what ends it."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from core.messages import Message
from core.messages.command import CommandRejected, CommandRequested, CommandSent, CommandUnanswered
from core.messages.gateway import TokenChanged
from core.messages.vehicle import VehiclePlaced, VehicleRead
from core.site.memo import Memo
from core.starts import fold, waiting
from tests.core.site.depot import site, token
from tests.core.site.play import Play
from tests.core.site.stories import opened


def asked(play: Play) -> list[Message]:
    return [m for m in play.decided() if isinstance(m.body, CommandRequested)]


def standing(play: Play | None = None) -> Play:
    """bus-1 stands at A by a person's word, and no session begins."""
    play = play or opened()
    play.memo = Memo()
    play.work([("bus-1", play.now + timedelta(hours=8), 150)])
    play.plug("A")
    play.tell(VehiclePlaced(who="anna"), station="A", evse=1, vehicle="bus-1")
    return play


def step(play: Play, kind: Any, purpose: str = "start") -> None:
    play.tell(kind(wish=asked(play)[-1].id, call="c1", purpose=purpose), station="A", evse=1)


def test_a_session_that_has_not_begun_after_a_minute_is_asked_for_with_the_vehicles_own_card() -> None:
    play = standing()
    play.wait(59)
    assert asked(play) == []
    play.wait(1)
    (request,) = asked(play)
    assert request.body == CommandRequested(
        act="start",
        token=token("bus-1"),
        plug_in=play.state.sessions.plugs[("A", 1)].began,
        number=1,
        expires=request.time + timedelta(minutes=1),
    )
    assert (request.at.station, request.at.evse, request.at.vehicle) == ("A", 1, "bus-1")
    plug = play.state.sessions.plugs[("A", 1)]
    assert {plug.began, plug.identified_by} <= set(request.causes)


def test_a_session_that_begins_by_itself_is_not_asked_for() -> None:
    play = standing()
    play.wait(30)
    play.start("A", vehicle="bus-1")
    play.wait(1200)
    assert asked(play) == []


def test_a_session_that_somebody_ended_is_not_begun_again() -> None:
    play = standing()
    play.start("A", vehicle="bus-1")
    play.stop("A")
    play.wait(1200)
    assert asked(play) == []


def test_it_is_asked_for_twice_and_then_it_needs_a_person() -> None:
    play = standing()
    play.wait(60)
    step(play, CommandSent)
    step(play, CommandRejected)
    play.wait(359)
    assert len(asked(play)) == 1
    play.wait(1)
    first, second = asked(play)
    assert second.body.number == 2
    assert first.id in second.causes
    play.wait(7200)
    assert len(asked(play)) == 2


def test_another_plug_in_is_asked_for_anew() -> None:
    play = standing()
    play.wait(1200)
    assert len(asked(play)) == 2
    play.unplug("A")
    standing(play)
    play.wait(60)
    assert [m.body.number for m in asked(play)] == [1, 2, 1]


def test_a_station_that_is_not_connected_is_asked_when_it_is() -> None:
    play = standing()
    play.disconnect("A")
    play.wait(600)
    assert asked(play) == []
    play.connect("A")
    assert len(asked(play)) == 1


@pytest.mark.parametrize("reason", ["unknown vehicle", "no card", "card withdrawn", "policy", "at its goal"])
def test_nobody_is_started_without_a_card_a_need_and_the_sites_leave(reason: str) -> None:
    config = site()
    if reason == "no card":
        config = config.model_copy(
            update={"vehicles": tuple(v.model_copy(update={"tokens": ()}) for v in config.vehicles)}
        )
    play = opened()
    if reason == "no card":
        play.configure(config)
    if reason == "policy":
        play.configure(site(remote_start="never"))
    if reason == "card withdrawn":
        play.tell(TokenChanged(token=token("bus-1"), valid=False))
    if reason == "unknown vehicle":
        play.plug("A")
    else:
        standing(play)
    if reason == "at its goal":
        play.tell(VehicleRead(soc=1.0), vehicle="bus-1")
    play.wait(1200)
    assert asked(play) == []


def test_a_refused_start_is_no_refused_limit() -> None:
    play = standing()
    play.wait(60)
    step(play, CommandSent)
    step(play, CommandRejected)
    assert ("profile_refused", "A") not in play.state.incidents.open


@pytest.mark.parametrize("kind", [CommandSent, CommandRejected, CommandUnanswered])
def test_a_request_waits_until_its_station_has_taken_it(kind: Any) -> None:
    play = standing()
    play.wait(60)
    assert waiting(play.state.starts) == asked(play)
    step(play, kind, "transaction")
    assert waiting(play.state.starts) == asked(play)
    step(play, kind)
    assert waiting(play.state.starts) == []


def test_the_same_request_twice_changes_nothing() -> None:
    play = standing()
    play.wait(60)
    state = play.state.starts
    assert fold(state, asked(play)[0]) == state


def test_what_does_not_start_is_an_incident_for_a_person() -> None:
    play = standing()
    play.tell(VehicleRead(soc=0.4), vehicle="bus-1")
    play.wait(200)
    assert ("charging_not_started", "bus-1") in play.state.incidents.open
