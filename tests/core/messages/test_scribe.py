"""The scribe: ids by order, so that a repeated decision repeats its record."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from core.messages import Physical, identify
from core.messages.scribe import VERSION, Scribe
from core.messages.station import StationLimited, StationSeen

NOW = datetime(2026, 11, 25, 21, tzinfo=UTC)


def test_a_decision_s_messages_are_named_by_site_what_was_seen_and_their_order() -> None:
    scribe = Scribe("depot", 7, NOW)
    first, second = scribe.write(StationSeen()), scribe.write(StationSeen())
    assert scribe.messages == [first, second]
    assert [first.id, second.id] == [identify("depot", 7, 0), identify("depot", 7, 1)]


def test_another_site_or_another_position_gives_other_ids() -> None:
    ids = {Scribe(site, seen, NOW).write(StationSeen()).id for site in ("a", "b") for seen in (1, 2)}
    assert len(ids) == 4


def test_a_message_says_all_that_it_was_given_and_is_the_core_s_own() -> None:
    where, fresh = Physical(station="A"), NOW + timedelta(hours=1)
    message = Scribe("depot", 7, NOW).write(
        StationLimited(kw=1, who="anna"), at=where, causes=["a", "", "a", "b"], fresh_until=fresh
    )
    assert (message.source, message.site, message.time, message.recorded) == ("core", "depot", NOW, NOW)
    assert (message.at, message.causes, message.fresh_until) == (where, ("a", "b"), fresh)
    assert (message.type, message.version) == ("station.limited", 1)


def test_what_is_not_given_is_left_out() -> None:
    message = Scribe("depot", 7, NOW).write(StationSeen())
    assert (message.at, message.causes, message.fresh_until) == (Physical(), (), None)


def test_the_core_says_its_version() -> None:
    assert VERSION
