"""The walk along causes, as the API's flat lineage and the night's document take it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from core.messages import Body, Message, compose
from core.messages.command import CommandConfirmed, CommandSent
from core.messages.evidence import EvidenceReceived
from gateway.causes import Walk
from tests.gateway.api.conftest import NOW


def told(id: str, body: Body, *causes: str) -> Message:
    return compose(body, id=id, time=NOW, source="test", site="depot", causes=causes)


def sent(id: str, *causes: str) -> Message:
    return told(id, CommandSent(wish="w", call=id), *causes)


def confirmed(id: str, *causes: str) -> Message:
    return told(id, CommandConfirmed(wish="w", call=id), *causes)


def frame(id: str, protocol: str) -> Message:
    return told(id, EvidenceReceived.model_construct(protocol=protocol))


def walked(messages: Sequence[Message], *starts: str) -> Walk:
    known: Mapping[str, Message] = {message.id: message for message in messages}
    walk = Walk(starts)
    while level := walk.level():
        for message in (known[id] for id in level if id in known):
            walk.follow(message)
    return walk


def test_the_first_message_of_each_kind_is_the_one_nearest_to_the_start() -> None:
    walk = walked([confirmed("end", "near", "far"), sent("near", "f"), confirmed("far", "late"), sent("late")], "end")
    assert list(walk.found.values()) == ["end", "near"]


def test_frames_of_two_protocols_are_two_kinds() -> None:
    walk = walked([confirmed("end", "a", "b", "c"), frame("a", "ocpp"), frame("b", "oscp"), frame("c", "ocpp")], "end")
    assert list(walk.found.values()) == ["end", "a", "b"]


def test_a_way_is_the_shortest_one_and_each_message_stands_once() -> None:
    messages = [confirmed("end", "long", "s"), confirmed("long", "on"), confirmed("on", "f"), sent("s", "f")]
    assert walked([*messages, frame("f", "ocpp")], "end").ways() == ["end", "s", "f"]


def test_a_cause_that_is_gone_ends_its_way_and_a_circle_ends_the_walk() -> None:
    walk = walked([confirmed("end", "gone", "s"), sent("s", "end")], "end")
    assert walk.ways() == ["end", "s"]
    assert len(walk) == 3
