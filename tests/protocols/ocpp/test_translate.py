"""Golden vectors of meter values and schedules, and translation that survives whatever a station may write."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import HealthCheck, example, given
from hypothesis import settings as tuned
from hypothesis import strategies as st

from core.messages.allocation import Step
from core.messages.command import Installed
from core.ports import TokenAnswer
from protocols.common.json_text import NotJson, read_json
from protocols.common.times import read_time, write_time
from protocols.ocpp import rpc
from protocols.ocpp.dialect import Composite, Hearing, OpenTransaction
from protocols.ocpp.facts import edge_register
from protocols.ocpp.readings import Sampled, merge
from protocols.ocpp.schedules import Target, composite, encode, excess
from protocols.ocpp.settings import Quirks
from protocols.ocpp.v16.translate import V16, transaction_id
from protocols.ocpp.v201.translate import V201
from protocols.ocpp.v201.wire import SERVED
from tests.protocols.ocpp.conftest import known

NOW = datetime(2026, 11, 25, 22, 0, tzinfo=UTC)
REGISTER = "Energy.Active.Import.Register"


def sample(value: Any, measurand: str = REGISTER, unit: str = "", multiplier: int = 0, **more: Any) -> Sampled:
    base: dict[str, Any] = {"phase": None, "location": "Outlet", "context": "Sample.Periodic"}
    return Sampled(value, measurand, unit, multiplier, **{**base, **more})


def hearing(**changes: Any) -> Hearing:
    base: dict[str, Any] = {
        "station": known("CP1"),
        "now": NOW,
        "authorise": lambda token: TokenAnswer(True, "token_known"),
        "open": {},
        "states": {},
        "heartbeat_s": 300,
        "meter_interval_s": 60,
        "call": ("gw", 1, 1, "7"),
    }
    return Hearing(**{**base, **changes})


@pytest.mark.parametrize(
    ("given_sample", "name", "expected"),
    [
        (sample("12.5"), "energy_wh", 12.5),
        (sample("12.5", unit="kWh"), "energy_wh", 12_500),
        (sample("12.5", unit="KWh"), "energy_wh", 12_500),
        (sample(1.5, "Power.Active.Import", "W", 3), "power_kw", 1.5),
        (sample("88000", "Power.Active.Import", "W"), "power_kw", 88),
        (sample("88", "Power.Active.Import", "kW"), "power_kw", 88),
        (sample("55", "SoC", "Percent", location="EV"), "soc", 0.55),
        (sample("0", "Power.Active.Import", "W"), "power_kw", 0),
        (sample("16", "Current.Import", "Amp"), "current_a", 16),
        (sample("-99.9", "Power.Active.Import", "W"), "power_kw", 0),
        (sample("-0.005", "Power.Offered", "kW"), "offered_kw", 0),
        (sample("-0.2", "Current.Import", "A"), "current_a", 0),
        (sample("90000", "Power.Offered", ""), "offered_kw", 90),
    ],
)
def test_a_sample_is_read_with_its_unit(given_sample: Sampled, name: str, expected: float) -> None:
    reading, doubts = merge([given_sample])
    assert getattr(reading, name) == pytest.approx(expected)
    assert not doubts


@pytest.mark.parametrize(
    ("given_sample", "reason"),
    [
        (sample("NaN"), "value_unreadable"),
        (sample(""), "value_unreadable"),
        (sample("12,5"), "value_unreadable"),
        (sample(True), "value_unreadable"),
        (sample("1_0"), "value_unreadable"),
        (sample("1e999"), "value_unreadable"),
        (sample(None), "value_unreadable"),
        (sample("101", "SoC", "Percent"), "value_out_of_range"),
        (sample("-100", "Power.Active.Import", "W"), "value_out_of_range"),
        (sample("-5", "SoC", "Percent"), "value_out_of_range"),
        (sample("-5"), "value_out_of_range"),
        (sample("5", "Power.Active.Import", "horses"), "unit_unknown"),
        (sample("5", multiplier=300), "unit_unknown"),
        (sample("5", "Request.Energy"), "measurand_unknown"),
    ],
)
def test_a_sample_that_cannot_be_meant_is_dropped_with_its_reason_and_the_others_stay(
    given_sample: Sampled, reason: str
) -> None:
    reading, doubts = merge([given_sample, sample("7", "Voltage", "V")])
    assert [doubt.reason for doubt in doubts] == [reason]
    assert reading.voltage_v == 7


def test_a_decimal_comma_is_read_only_where_a_person_says_that_the_station_writes_it() -> None:
    reading, _ = merge([sample("12,5")], decimal_comma=True)
    assert reading.energy_wh == 12.5
    assert Quirks().decimal_comma is False


def test_power_of_phases_is_added_up_only_where_no_total_is_stated() -> None:
    phases = [sample(10, "Power.Active.Import", "kW", phase=p) for p in ("L1", "L2", "L3-N")]
    assert merge(phases)[0].power_kw == 30
    assert merge([*phases, sample(29, "Power.Active.Import", "kW")])[0].power_kw == 29
    currents = [sample(10, "Current.Import", "A", phase=p) for p in ("L1", "L2", "L3")]
    assert merge(currents)[0].current_a == 10


def test_the_plugs_side_wins_over_the_inlet_and_signed_data_is_left_alone() -> None:
    both = [sample(50, "Power.Active.Import", "kW", location="Inlet"), sample(47, "Power.Active.Import", "kW")]
    assert merge(both)[0].power_kw == 47
    assert merge(both[:1])[0].power_kw == 50
    assert merge([sample("OCMF|x", signed=True)]) == merge([])


@pytest.mark.parametrize(
    ("registers", "begin", "end"),
    [
        ([("Transaction.Begin", 10), ("Sample.Periodic", 20), ("Transaction.End", 30)], 10, 30),
        ([("Sample.Periodic", 10), ("Sample.Periodic", 20)], 10, 20),
        ([("Sample.Periodic", 15), ("Transaction.Begin", 10)], 10, 15),
        ([("Transaction.Begin", 10)], 10, None),
        ([], None, None),
    ],
)
def test_the_register_at_a_transactions_edge_is_the_one_meant_for_it_else_the_outermost(
    registers: list[tuple[str, float]], begin: float | None, end: float | None
) -> None:
    moments = [(read_time(None, NOW), merge([sample(wh, context=context)])[0]) for context, wh in registers]
    assert edge_register(moments, "begin") == begin
    assert edge_register(moments, "end") == end


def test_a_transaction_number_is_positive_and_depends_on_every_part() -> None:
    numbers = {
        transaction_id(*parts)
        for parts in [
            ("A", 1, "t", 0, "x"),
            ("B", 1, "t", 0, "x"),
            ("A", 2, "t", 0, "x"),
            ("A", 1, "u", 0, "x"),
            ("A", 1, "t", 1, "x"),
            ("A", 1, "t", 0, "y"),
        ]
    }
    assert len(numbers) == 6
    assert all(0 < number < 2**31 for number in numbers)


@pytest.mark.parametrize(
    ("raw", "expected", "quality"),
    [
        ("2026-11-25T22:00:00Z", NOW, "stated"),
        ("2026-11-25T23:00:00+01:00", NOW, "stated"),
        ("2026-11-25T22:00:00", NOW, "assumed"),
        ("1970-01-01T00:00:00Z", NOW, "receipt"),
        ("2026-11-27T22:00:00Z", NOW, "receipt"),
        ("9999-12-31T23:59:59-23:00", NOW, "receipt"),
        ("", NOW, "receipt"),
        (None, NOW, "receipt"),
        (7, NOW, "receipt"),
    ],
)
def test_a_time_is_trusted_as_far_as_it_can_be_meant(raw: object, expected: datetime, quality: str) -> None:
    read = read_time(raw, NOW)
    assert (read.time, read.quality) == (expected, quality)


def test_a_time_is_written_with_z() -> None:
    assert write_time(NOW) == "2026-11-25T22:00:00Z"
    assert write_time(NOW + timedelta(milliseconds=20)) == "2026-11-25T22:00:00.020Z"


def test_json_from_strangers_never_brings_what_cannot_be_stored() -> None:
    assert read_json('["\\ud800\\u0000", NaN, 1e999]') == ["��", "NaN", "1e999"]
    for bad in ("", "{", "[" * 99_999, "1" * 9_999):
        with pytest.raises(NotJson):
            read_json(bad)


def test_a_makers_words_about_a_fault_are_kept_clean_and_cut() -> None:
    said = {"connectorId": 1, "errorCode": "OtherError", "status": "Faulted", "vendorErrorCode": "E-42"}
    [fact] = V16().hear("StatusNotification", said | {"info": "door\x1b[31m\n open " + "x" * 300}, hearing()).facts
    body: Any = fact.body
    assert body.words.startswith("E-42 door[31m open xxx") and len(body.words) == 120
    [fact] = V16().hear("StatusNotification", said | {"vendorErrorCode": None}, hearing()).facts
    assert fact.body.words == ""  # type: ignore[attr-defined]  # because: a connector's status


def test_what_a_part_says_in_unprintable_words_is_told_by_clean_names() -> None:
    event = {
        "eventId": 1,
        "timestamp": "2026-11-25T21:59:00Z",
        "trigger": "Alerting",
        "actualValue": "1",
        "component": {"name": "Fan"},
        "variable": {"name": "Speed\n\x1b[31m low"},
        "techInfo": "\x07",
    }
    [fact] = V201().hear("NotifyEvent", {"eventData": [event]}, hearing()).facts
    assert fact.body.words == "Fan Speed [31m low"  # type: ignore[attr-defined]  # because: a problem of a part


def test_what_a_part_reports_as_wrong_is_told_and_the_rest_of_its_events_is_evidence_only() -> None:
    def event(number: int, variable: str, value: str, **more: Any) -> dict[str, Any]:
        component = {"name": "PowerContactor", "evse": {"id": 1}}
        base = {"eventId": number, "timestamp": "2026-11-25T21:59:00Z", "trigger": "Alerting", "actualValue": value}
        return {**base, "component": component, "variable": {"name": variable}, **more}

    events = [
        event(1, "Problem", "true", techCode="0x17", techInfo="welded"),
        event(2, "Tripped", "true"),
        event(3, "Tripped", "false"),
        event(4, "Temperature", "41"),
        event(5, "Temperature", "91", techInfo="too hot", cleared=True),
    ]
    heard = V201().hear("NotifyEvent", {"eventData": [*events, 7]}, hearing())
    told: list[Any] = [fact.body for fact in heard.facts]
    assert [(b.part, b.words, b.cleared) for b in told] == [
        ("PowerContactor", "0x17 welded", False),
        ("PowerContactor", "PowerContactor Tripped", False),
        ("PowerContactor", "PowerContactor Tripped", True),
        ("PowerContactor", "too hot", True),
    ]
    assert heard.facts[0].at.evse == 1 and len({fact.key for fact in heard.facts}) == 4


def test_an_unknown_stop_is_matched_only_where_one_transaction_runs() -> None:
    stop = {"transactionId": -1, "meterStop": 5, "timestamp": "2026-11-25T22:00:00Z"}
    one = {"7": OpenTransaction("7", 1, "A")}
    two = {**one, "8": OpenTransaction("8", 2, "B")}
    dialect = V16()
    assert dialect.hear("StopTransaction", stop, hearing(open=one)).facts[0].body.transaction == "7"
    assert not dialect.hear("StopTransaction", stop, hearing(open=two)).facts
    tagged = dialect.hear("StopTransaction", {**stop, "idTag": "B"}, hearing(open=two))
    assert tagged.facts[0].body.transaction == "8"
    orphan = dialect.hear("StopTransaction", stop, hearing())
    assert (orphan.answer, orphan.doubts[0].reason) == ({}, "transaction_unknown")


# -- schedules ------------------------------------------------------------------------------------------------------


def target(*levels: tuple[float, float], until: float | None = 900) -> Target:
    steps = tuple(Step(at=NOW + timedelta(seconds=at), kw=kw) for at, kw in levels)
    return Target(101, 1, "transaction", 0, steps, None if until is None else NOW + timedelta(seconds=until), "T")


def test_a_schedule_begins_a_little_in_the_past_and_ends_with_the_wish() -> None:
    profile = encode(target((0, 60), (300, 40), (600, 12)), NOW)
    assert profile.start == NOW - timedelta(seconds=5)
    assert profile.periods == ((0, 60_000.0), (305, 40_000.0), (605, 12_000.0))
    assert profile.duration_s == 905
    assert profile.installed.until == NOW + timedelta(seconds=900)


def test_limits_are_rounded_down_to_a_tenth_of_a_watt_and_float_dust_does_not_count() -> None:
    assert encode(target((0, 6.25)), NOW).periods == ((0, 6250.0),)
    assert encode(target((0, 88.88889)), NOW).periods == ((0, 88_888.8),)
    assert encode(target((0, 0.1 + 0.2)), NOW).periods == ((0, 300.0),)
    assert encode(target((0, 0)), NOW).periods == ((0, 0.0),)


def test_reductions_come_early_and_raises_late_by_less_than_a_second() -> None:
    profile = encode(target((0, 60), (10.4, 40), (20.4, 50)), NOW)
    assert [at for at, _ in profile.periods] == [0, 15, 26]


def test_steps_of_the_past_are_one_period_and_the_rest_is_shortened_to_its_lowest() -> None:
    assert encode(target((-600, 9), (-300, 60), (60, 30)), NOW).periods == ((0, 60_000.0), (65, 30_000.0))
    many = encode(target(*((60.0 * n, 50.0 - n % 3) for n in range(10))), NOW, most_periods=3)
    assert many.periods == ((0, 50_000.0), (65, 49_000.0), (125, 48_000.0))


@given(st.lists(st.tuples(st.floats(0, 900), st.floats(0, 400)), min_size=1, max_size=8), st.integers(1, 5))
@example([(0.0, 0.0), (560.25, 2.0), (560.5, 1.0)], 2)
def test_an_encoded_schedule_never_allows_more_than_the_wish(levels: list[tuple[float, float]], most: int) -> None:
    ordered = sorted(dict(levels).items())
    wish = target((0, ordered[0][1]), *ordered[1:])
    profile = encode(wish, NOW, most)
    offsets = [at for at, _ in profile.periods]
    assert offsets[0] == 0
    assert offsets == sorted(set(offsets))
    assert len(offsets) <= most
    assert all(at == round(at) and (w * 10) == pytest.approx(round(w * 10)) for at, w in profile.periods)
    for second in range(0, 900, 7):
        moment = NOW + timedelta(seconds=second)
        allowed = max(
            s.kw for s in wish.steps if moment - timedelta(seconds=1) <= s.at <= moment or s is _last(wish, moment)
        )
        stated = [w for at, w in profile.periods if profile.start + timedelta(seconds=at) <= moment][-1]
        assert stated / 1000 <= allowed + 1e-6


def _last(wish: Target, moment: datetime) -> Step:
    return [s for s in wish.steps if s.at <= moment][-1]


@pytest.mark.parametrize(
    ("periods", "why"),
    [
        ([(0, 60.0), (300, 12.0)], ""),
        ([(0, 59.0), (301, 11.9)], ""),
        ([(0, 60.0), (297, 12.0)], ""),
        ([(0, 60.0), (310, 12.0)], "composite_above_wish"),
        ([(0, 61.0), (300, 12.0)], "composite_above_wish"),
        ([(0, 60.0)], "composite_above_wish"),
        ([(60, 60.0)], "composite_empty"),
        ([], "composite_empty"),
        ([(0, 0.0)], ""),
    ],
)
def test_what_is_read_back_is_compared_instant_by_instant(periods: list[tuple[int, float]], why: str) -> None:
    steps = (Step(at=NOW, kw=60), Step(at=NOW + timedelta(seconds=300), kw=12))
    installed = Installed(
        evse=1, purpose="transaction", steps=steps, until=NOW + timedelta(seconds=900), transaction="T"
    )
    top = Installed(evse=0, purpose="max", steps=(Step(at=NOW - timedelta(days=1), kw=150),), until=None)
    read = Composite(tuple((NOW + timedelta(seconds=at), kw) for at, kw in periods))
    found = excess(read, [installed, top], NOW, NOW + timedelta(seconds=900), 1)
    assert (found.why if found else "") == why
    if why == "composite_above_wish":
        assert found is not None
        assert (found.shown_kw, found.allowed_kw) in {(60.0, 12.0), (61.0, 60.0)}


def test_a_schedule_that_is_read_back_says_something_until_its_end_alone() -> None:
    steps = (Step(at=NOW, kw=60), Step(at=NOW + timedelta(seconds=300), kw=12))
    wish = Installed(evse=1, purpose="transaction", steps=steps, until=NOW + timedelta(seconds=900), transaction="T")

    def read(limit: float, duration: int | None, start: str = "2026-11-25T22:00:00Z") -> Composite | None:
        return composite(start, "W", [{"startPeriod": 0, "limit": limit}], NOW, duration)

    def why(found: Composite | None) -> str:
        assert found is not None
        above = excess(found, [wish], NOW, NOW + timedelta(seconds=960), 1)
        return above.why if above else ""

    assert why(read(60_000, 300)) == ""
    assert why(read(61_000, 300)) == "composite_above_wish"
    assert why(read(60_000, 320)) == "composite_above_wish"
    assert why(read(60_000, 0)) == why(read(60_000, None)) == "composite_above_wish"
    assert read(60_000, 300, "2026-11-25T21:00:00Z") is None
    assert read(1e300, 10**30) == Composite(((NOW, 1e6),), NOW + timedelta(seconds=10**7))


def test_amperes_that_are_read_back_count_with_230_volts_and_three_phases() -> None:
    read = composite("2026-11-25T22:00:00Z", "A", [{"startPeriod": 0, "limit": 10}], NOW)
    assert read == Composite(((NOW, 6.9),))
    assert composite(None, "A", [{"startPeriod": 0, "limit": 10, "numberPhases": 1}], NOW) == Composite(((NOW, 2.3),))
    assert composite(None, "horses", [], NOW) is None
    assert composite(None, "W", [{"limit": 1}], NOW) is None


# -- whatever a station may write -----------------------------------------------------------------------------------

NAMES = [
    "evseId", "connectorId", "meterValue", "sampledValue", "value", "timestamp", "transactionInfo", "transactionId",
    "chargingState", "eventType", "seqNo", "idToken", "idTag", "status", "connectorStatus", "unitOfMeasure", "unit",
    "multiplier", "measurand", "evse", "id", "meterStart", "meterStop", "transactionData", "chargingStation", "type",
]  # fmt: skip
JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=8)
    | st.sampled_from(["Started", "2026-11-25T22:00:00Z"]),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(NAMES) | st.text(max_size=4), inner, max_size=5)
    ),
    max_leaves=20,
)
EVENTS = st.dictionaries(st.sampled_from(NAMES), JSON, max_size=8)


@tuned(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    EVENTS, st.sampled_from(sorted(V16.evidence | {"Authorize", "BootNotification"})), st.sampled_from(sorted(SERVED))
)
def test_translation_is_total(payload: dict[str, Any], old: str, new: str) -> None:
    V16().hear(old, payload, hearing())
    V201().hear(new, payload, hearing())


@tuned(max_examples=60, deadline=None)
@given(st.text() | st.binary() | JSON.map(str))
def test_parsing_is_total(raw: str | bytes) -> None:
    rpc.parse(raw)
