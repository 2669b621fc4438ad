"""The table of messages: every type has its name, survives writing and reading, and has a stable key and a schema."""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from core.messages import (
    BODIES,
    Body,
    Message,
    Physical,
    Position,
    Problem,
    UnknownType,
    compose,
    dump,
    identify,
    line,
    load,
)
from core.messages.base import MAX_CAUSES, as_text, canonical, digest
from core.messages.session import SessionUpdated
from core.messages.station import StationBooted, StationLimited, StationSeen
from tests.core.messages.bodies import bodies

NOW = datetime(2026, 11, 25, 21, tzinfo=UTC)
every = pytest.mark.parametrize("kind", BODIES.values(), ids=BODIES.keys())


def fact(body: Body, **more: object) -> Message:
    fields = {"id": "m", "time": NOW, "source": "t", "site": "s"} | more
    return compose(body, **fields)


@every
@settings(max_examples=8, deadline=None, suppress_health_check=list(HealthCheck))
@given(data=st.data())
def test_what_is_written_is_what_is_read(kind: type[Body], data: st.DataObject) -> None:
    message = fact(
        data.draw(bodies(kind)),
        at=Physical(station="A", evse=2, begins=NOW),
        causes=["c1", "c2"],
        recorded=NOW + timedelta(seconds=1),
        fresh_until=NOW + timedelta(hours=1),
    )
    again = load(line(message))
    assert again == message
    assert type(again.body) is kind
    assert line(again) == line(message)
    assert load(dump(message)) == message
    assert load(line(message).encode()) == message
    assert again.key == message.key
    assert again.key[0] == kind.TYPE
    assert all(isinstance(part, str) for part in again.key)


@every
def test_a_type_is_named_by_its_concept_and_a_past_fact(kind: type[Body]) -> None:
    assert re.fullmatch(r"[a-z]+\.[a-z]+(_[a-z]+)*", kind.TYPE)
    last = kind.TYPE.split(".")[1].split("_")[-1]
    assert last.endswith("ed") or last in ("sent", "seen", "read", "withdrawn"), kind.TYPE


@every
def test_a_type_has_a_version_a_problem_coordinate_and_words(kind: type[Body]) -> None:
    assert kind.VERSION >= 1
    assert isinstance(kind.PROBLEM, Problem)
    assert kind.PROBLEM.area and kind.PROBLEM.subject
    assert kind.__doc__ and kind.__doc__.rstrip().endswith(".")
    assert set(kind.model_fields) >= kind.LOCAL


@every
def test_a_schema_can_be_made(kind: type[Body]) -> None:
    schema = json.loads(json.dumps(kind.model_json_schema()))
    assert schema["type"] == "object"
    assert set(schema.get("properties", {})) == set(kind.model_fields)
    assert schema["additionalProperties"] is False


def test_the_table_names_every_type_once() -> None:
    assert all(name == kind.TYPE for name, kind in BODIES.items())
    assert len({kind.__name__ for kind in BODIES.values()}) == len(BODIES)


def test_the_table_holds_every_body_that_is_declared() -> None:
    def leaves(kind: type[Body]) -> set[type[Body]]:
        below = {leaf for child in kind.__subclasses__() for leaf in leaves(child)}
        return below or {kind}

    declared = {kind for kind in leaves(Body) if kind.__module__.startswith("core.messages.")}
    assert declared == set(BODIES.values())


def test_two_messages_of_one_key_state_the_same_fact_and_without_a_key_each_is_its_own() -> None:
    assert fact(StationBooted(), id="a").key == ("station.booted", "a")
    assert fact(StationBooted(), id="a").key != fact(StationBooted(), id="b").key
    assert fact(StationBooted()).problem == StationBooted.PROBLEM


def test_what_is_at_its_default_is_not_written() -> None:
    assert dump(fact(StationSeen())) == {
        "id": "m",
        "type": "station.seen",
        "time": "2026-11-25T21:00:00Z",
        "recorded": "2026-11-25T21:00:00Z",
        "source": "t",
        "site": "s",
        "body": {},
    }


def test_a_message_is_learned_when_it_happened_unless_it_says_otherwise() -> None:
    assert fact(StationSeen()).recorded == NOW
    later = NOW + timedelta(seconds=5)
    assert fact(StationSeen(), recorded=later).recorded == later
    assert fact(StationSeen(), recorded=later).time == NOW


def test_causes_are_unique_in_order_and_at_most_32() -> None:
    assert MAX_CAUSES == 32
    assert fact(StationSeen(), causes=["b", "", "a", "b"]).causes == ("b", "a")
    assert fact(StationSeen(), causes=map(str, range(40))).causes == tuple(map(str, range(32)))
    with pytest.raises(ValidationError):
        Message.model_validate(dict(fact(StationSeen())) | {"causes": [str(n) for n in range(33)]})


def test_time_is_kept_in_utc_and_must_be_aware() -> None:
    local = datetime(2026, 11, 25, 22, tzinfo=timezone(timedelta(hours=1)))
    assert fact(StationSeen(), time=local).time.tzinfo is UTC
    with pytest.raises(ValidationError):
        fact(StationSeen(), time=datetime(2026, 11, 25))


def test_an_unknown_type_says_what_to_do() -> None:
    with pytest.raises(UnknownType, match=r"'tea.brewed'.*upgrade busbar"):
        load({"type": "tea.brewed"})
    with pytest.raises(UnknownType):
        load("{}")


def test_a_misspelt_field_is_refused() -> None:
    raw = dump(fact(StationLimited(kw=1, who="anna")))
    raw["body"]["kilowatts"] = 2
    with pytest.raises(ValidationError):
        load(raw)


@pytest.mark.parametrize("kw", [-1.0, float("nan"), float("inf")])
def test_power_is_neither_negative_nor_boundless(kw: float) -> None:
    with pytest.raises(ValidationError):
        StationLimited(kw=kw, who="anna")


def test_a_body_never_changes() -> None:
    body = StationLimited(kw=1, who="anna")
    with pytest.raises(ValidationError):
        body.kw = 2.0


def test_ids_follow_from_their_parts() -> None:
    assert identify("a", 1) == identify("a", "1") == identify(*("a", 1))
    assert len({identify("a", "b"), identify("ab"), identify("b", "a"), identify("a", "b", "")}) == 4
    assert re.fullmatch(r"[0-9a-f]{24}", identify("a"))
    assert identify(NOW) == identify("2026-11-25T21:00:00+00:00")


def test_canonical_json_is_the_same_whatever_the_order() -> None:
    assert canonical({"b": 1, "a": [1, "ä"]}) == '{"a":[1,"ä"],"b":1}'
    assert digest({"b": 1, "a": 2}) == digest({"a": 2, "b": 1}) != digest({"a": 2, "b": 2})
    assert len(digest({})) == 64
    with pytest.raises(ValueError):
        canonical(float("nan"))


def test_a_frame_that_is_not_text_is_kept_as_base64() -> None:
    assert as_text("ä".encode()) == ("ä", "text")
    assert as_text(b"\xff\x00") == ("/wA=", "base64")


def test_positions_stand_in_the_journals_order() -> None:
    assert Position(2, 0) > Position(1, 7) > Position(1, 6)


def test_without_a_sequence_number_a_change_of_a_session_is_known_by_its_moment() -> None:
    at = Physical(station="CP-1", evse=1)
    keys = {fact(SessionUpdated(transaction="T"), at=at, time=NOW + timedelta(seconds=s)).key for s in (0, 1)}
    assert len(keys) == 2
    numbered = {
        fact(SessionUpdated(transaction="T", seq_no=7), at=at, time=NOW + timedelta(seconds=s)).key for s in (0, 1)
    }
    assert len(numbered) == 1


PUBLISHED = json.loads((Path(__file__).parents[3] / "docs/reference/messages.schema.json").read_text(encoding="utf-8"))


@every
def test_a_body_is_as_its_published_schema_says(kind: type[Body]) -> None:
    assert json.loads(json.dumps(kind.model_json_schema())) == PUBLISHED["bodies"][kind.TYPE]


def test_the_header_is_as_its_published_schema_says() -> None:
    assert json.loads(json.dumps(Message.model_json_schema())) == PUBLISHED["header"]
