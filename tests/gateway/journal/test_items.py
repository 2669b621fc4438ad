"""An item's line is the canonical JSON of its message, whatever stands in it."""

from __future__ import annotations

import base64
from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.messages import Message, Physical, compose, dump, load
from core.messages.base import canonical
from core.messages.evidence import EvidenceReceived
from gateway.journal import items

NONCE = bytes(range(16))
texts = st.text(st.characters(exclude_categories=("Cs",)), max_size=12)
moments = st.datetimes(
    datetime(1000, 1, 1), datetime(9000, 1, 1), timezones=st.sampled_from([UTC, timezone(timedelta(hours=2))])
)
places = st.builds(
    Physical,
    station=st.none() | texts,
    evse=st.none() | st.integers(0, 9),
    begins=st.none() | moments,
    ends=st.none() | moments,
)
bodies = st.builds(EvidenceReceived, protocol=texts, peer=texts, frame=texts, connection=st.none() | st.integers())


@given(bodies, texts, moments, st.none() | moments, places, st.lists(texts, max_size=3), st.none() | moments)
def test_a_line_is_the_canonical_json_of_the_message_and_its_random_bytes(
    body: EvidenceReceived,
    text: str,
    time: datetime,
    recorded: datetime | None,
    at: Physical,
    causes: list[str],
    fresh: datetime | None,
) -> None:
    message = compose(
        body,
        id=text,
        time=time,
        source=text,
        site=text,
        recorded=recorded,
        at=at,
        causes=causes,
        fresh_until=fresh,
    )
    written = items.line(message, NONCE)
    assert written == canonical({**dump(message), "n": base64.b64encode(NONCE).decode()})


def test_every_header_field_is_written(message_like: Message) -> None:
    assert load(dump(message_like)) == message_like
    changed = message_like.model_copy(update={"version": 2})
    assert items.line(changed, NONCE) == canonical({**dump(changed), "n": base64.b64encode(NONCE).decode()})


def test_the_quick_way_knows_all_fields_of_a_message() -> None:
    assert tuple(Message.model_fields) == items._FIELDS


@pytest.fixture
def message_like() -> Message:
    body = EvidenceReceived(protocol="ocpp", peer="CP 01", frame='["Zürich\\n"]')
    return compose(body, id="a", time=datetime(2026, 1, 1, tzinfo=UTC), source="s", site="depot")
