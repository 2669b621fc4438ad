"""Units, phases and times at the border; pure, so without any socket."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from protocols.oscp.settings import Peer, Settings
from protocols.oscp.translate import Fault, Unreadable, constraint, freshness, kilowatts, moment, promise, segment
from protocols.oscp.wire import Block, Forecast

NOW = datetime(2026, 11, 25, 20, tzinfo=UTC)
HOUR = timedelta(hours=1)


def peer(**changes: object) -> Peer:
    values = {"name": "dso", "site": "depot", "groups": {"G1": "oscp"}, "token_ref": "letter", **changes}
    return Peer.model_validate(values)


def block(capacity: float, unit: str, phase: str = "ALL") -> Block:
    values = {"capacity": capacity, "unit": unit, "phase": phase, "start_time": "x", "end_time": "y"}
    return Block.model_validate(values)


@pytest.mark.parametrize(
    ("capacity", "unit", "phase", "kw"),
    [
        (260, "KW", "ALL", 260),
        (260, "KW", "UNKNOWN", 260),
        (50, "KW", "ONE", 150),
        (1234, "W", "ALL", 1.234),
        (1234.9, "W", "ALL", 1.234),
        (400, "A", "ALL", 276),
        (400, "A", "TWO", 276),
        (400, "A", "UNKNOWN", 276),
        (100, "KWH", "ALL", 50),
        (100_000, "WH", "ALL", 50),
        (0, "A", "ALL", 0),
    ],
)
def test_a_capacity_becomes_total_power(capacity: float, unit: str, phase: str, kw: float) -> None:
    assert kilowatts(block(capacity, unit, phase), 2 * HOUR, peer()) == kw


def test_the_phase_voltage_can_be_configured() -> None:
    assert kilowatts(block(100, "A"), HOUR, peer(phase_voltage_v=400)) == 120


@given(st.floats(0, 1e6), st.sampled_from(["W", "KW"]))
def test_rounding_never_gives_more_than_was_stated(capacity: float, unit: str) -> None:
    stated = capacity / (1000 if unit == "W" else 1)
    assert stated - 0.001 - 1e-6 <= kilowatts(block(capacity, unit), HOUR, peer()) <= stated + 1e-8


def test_moments_are_read_in_any_offset() -> None:
    assert moment("2026-11-26T00:30:00+01:00", peer()) == datetime(2026, 11, 25, 23, 30, tzinfo=UTC)
    assert moment(" 2026-11-25T23:30:00.5Z ", peer()).microsecond == 500000


def test_times_without_offset_need_a_configured_zone() -> None:
    with pytest.raises(Unreadable, match="naive_time_zone"):
        moment("2026-11-26 00:30:00", peer())
    berlin = peer(naive_time_zone="Europe/Berlin")
    assert moment("2026-11-26 00:30:00", berlin) == datetime(2026, 11, 25, 23, 30, tzinfo=UTC)


@pytest.mark.parametrize("text", ["", "now", "2026-13-01T00:00:00Z", "0001-01-01T00:00:00+10:00"])
def test_what_is_no_moment_is_refused(text: str) -> None:
    with pytest.raises(Unreadable):
        moment(text, peer())


def test_the_horizon_of_a_heartbeat_is_checked_at_its_edge() -> None:
    assert freshness(NOW + timedelta(seconds=60), NOW, peer()) == (NOW + timedelta(seconds=60), None)
    until, fault = freshness(NOW + timedelta(seconds=59), NOW, peer())
    assert until == NOW
    assert isinstance(fault, Fault) and fault.reason == "horizon_short"


def test_a_handshake_counts_for_three_intervals_and_at_most_for_the_longest_horizon() -> None:
    assert promise(peer(heartbeat_interval_s=100), NOW) == NOW + timedelta(seconds=300)
    assert promise(peer(heartbeat_interval_s=100, max_horizon_s=200), NOW) == NOW + timedelta(seconds=200)


@given(
    st.recursive(
        st.none() | st.booleans() | st.floats() | st.text(max_size=20),
        lambda v: (
            st.lists(v, max_size=3)
            | st.dictionaries(st.sampled_from(["capacity", "phase", "unit", "start_time", "end_time"]), v, max_size=5)
        ),
        max_leaves=10,
    )
)
def test_no_block_ever_raises_anything_but_unreadable(raw: object) -> None:
    try:
        segment(raw, peer())
    except Unreadable as error:
        assert "next:" in str(error)


def test_segments_stand_in_time_order() -> None:
    def hour(start: int) -> dict[str, object]:
        times = {"start_time": f"2026-11-25T{start:02}:00:00Z", "end_time": f"2026-11-25T{start + 1:02}:00:00Z"}
        return {"capacity": start, "phase": "ALL", "unit": "KW", **times}

    forecast = Forecast(group_id="G1", type="CONSUMPTION", forecasted_blocks=[hour(5), hour(3), hour(4)])
    body, faults = constraint(forecast, "oscp", "r", peer())
    assert body is not None and not faults
    assert [s.kw for s in body.segments] == [3, 4, 5]


@pytest.mark.parametrize(
    "changes",
    [
        {"start": "us"},
        {"url": "http://dso.example/oscp"},
        {"url": "nonsense"},
        {"naive_time_zone": "Mars/Olympus"},
        {"groups": {}},
        {"name": "a/b"},
        {"colour": "red"},
    ],
)
def test_settings_that_cannot_work_are_refused(changes: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        peer(**changes)


def test_two_peers_need_two_names() -> None:
    with pytest.raises(ValidationError, match="same name"):
        Settings(peers=(peer(), peer()))


def test_plain_http_can_be_allowed_for_one_peer() -> None:
    assert peer(url="http://dso.example/oscp", plain=True).url == "http://dso.example/oscp"


def test_every_setting_is_described() -> None:
    for model in (Settings, Peer):
        assert all(f.description for f in model.model_fields.values())
