"""The list of reasons: every code speaks, in the words of the house."""

import ast
import importlib
import re
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

import pytest

import core
from core.messages import reasons, words
from core.messages.reasons import REASONS, next_step, ranked, sentence, slots
from core.messages.reasons.reason import Reason, merged

ZONE = "Europe/Berlin"
NOW = datetime(2026, 11, 25, 23, 30, tzinfo=UTC)
FORBIDDEN = re.compile(r"\b(please|error|invalid|N/A)\b", re.IGNORECASE)
NUMBERS = {"kw": 17.0, "kwh": 84.2, "soc": 0.714, "s": 2580, "count": 4, "rows": 3}


def full(code):
    return {name: NUMBERS.get(name.rsplit("_", 1)[-1], NOW.isoformat()) for name in slots(code)}


HOUSE = Path(core.__file__).parents[1]
LIST = Path(reasons.__file__).parent
PRODUCT = ("core", "protocols", "pki", "gateway", "simulators")


def imported(path):
    """Every name that a file imports, each with the way to it."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom):
            yield from (f"{node.module}.{alias.name}" for alias in node.names)
        elif isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)


def said(path):
    """Every text of a file."""
    return {n.value for n in ast.walk(ast.parse(path.read_text())) if isinstance(n, ast.Constant)}


def test_every_reason_is_given_by_somebody():
    given = set().union(
        *(said(path) for root in PRODUCT for path in (HOUSE / root).rglob("*.py") if path.parent != LIST)
    )
    assert REASONS.keys() - given == set()


def test_reasons_are_written_in_the_list_and_read_from_its_front_door_only():
    outside = [path for root in PRODUCT for path in (HOUSE / root).rglob("*.py") if path.parent != LIST]
    assert len(outside) > 100
    front = {f"core.messages.reasons.{name}" for name in reasons.__all__}
    assert "core.messages.reasons.Reason" not in front
    for path in outside:
        assert {name for name in imported(path) if name.startswith("core.messages.reasons.")} <= front, path


def test_every_table_of_the_list_is_in_it():
    written = {}
    for path in LIST.glob("*.py"):
        if path.stem != "__init__":
            module = importlib.import_module(f"core.messages.reasons.{path.stem}")
            for table in vars(module).values():
                if isinstance(table, dict) and any(isinstance(row, Reason) for row in table.values()):
                    written |= table
    assert written == REASONS


@pytest.mark.parametrize("code", sorted(REASONS))
def test_each_reason_has_a_sentence_and_a_next_step(code):
    assert re.fullmatch(r"[a-z][a-z0-9_]*", code)
    for params in ({}, full(code)):
        what, then = sentence(code, params, zone=ZONE, now=NOW), next_step(code, params, zone=ZONE, now=NOW)
        assert what[0].isupper() or what[0] in "?0123456789"
        assert what.endswith((".", "?")) and then.endswith(".")
        assert not re.search(r"[{}\[\]]", what + then)
        assert not FORBIDDEN.search(what + then)


def test_an_unknown_code_still_speaks():
    assert sentence("of_a_newer_hub", {}, zone=ZONE) == "Of a newer hub: this version has no words for it."
    assert next_step("of_a_newer_hub", {}, zone=ZONE) == "upgrade busbar."
    assert sentence("", {}, zone=ZONE).startswith("Something")
    assert slots("of_a_newer_hub") == frozenset()


def test_numbers_carry_their_units_and_what_is_needed_is_rounded_up():
    params = {
        "bay": "D2",
        "power_kw": 17.9,
        "asked_kw": 60.0,
        "since": "2026-11-25T23:00:00+00:00",
        "expected_soc": 0.719,
        "departs": datetime(2026, 11, 26, 5, 50, tzinfo=UTC),
        "goal_soc": 0.941,
        "short_kwh": 83.1,
    }
    assert sentence("power_below_plan", params, zone=ZONE, now=NOW) == (
        "Charger D2 gives 17\u00a0kW of 60\u00a0kW since 00:00. "
        "At this rate 71\u00a0% at 06:50, 95\u00a0% needed: 84\u00a0kWh short."
    )
    assert next_step("power_below_plan", params, zone=ZONE).startswith("re-plug at D2;")


def test_an_optional_part_falls_away_when_one_of_its_numbers_is_missing():
    assert sentence("charger_fault", {"station": "CP-07", "bay": "D2"}, zone=ZONE) == (
        "Charger CP-07 reports a fault at bay D2. It does not charge."
    )
    assert "needs" not in sentence("not_plugged", {"vehicle": "B", "needed_kwh": 5.0, "departs": ""}, zone=ZONE)


def test_a_missing_number_outside_an_optional_part_is_a_question_mark():
    assert sentence("soc_stale", {"vehicle": "BUS-1"}, zone=ZONE) == "No state of charge for BUS-1 since ?."


def test_a_value_within_a_command_is_one_word_of_a_shell_whoever_named_it() -> None:
    said = next_step("station_unknown", {"station": "a b; reboot {station} `x`"}, zone="UTC")
    assert said == "`busbar connect ocpp 'a b; reboot {station} `x`' --accept` if it is yours."
    assert next_step("station_unknown", {"station": "CP-07"}, zone="UTC").startswith(
        "`busbar connect ocpp CP-07 --accept`"
    )
    assert sentence("station_unknown", {"station": "a b"}, zone="UTC") == "A station that nobody declared knocked: a b."


def test_zero_is_a_number_and_never_missing():
    assert "limit of 0\u00a0kW" in sentence(
        "limit_exceeded", {"node": "grid", "over_kw": 14.2, "limit_kw": 0.0}, zone=ZONE
    )
    assert "15\u00a0kW above" in sentence(
        "limit_exceeded", {"node": "grid", "over_kw": 14.2, "limit_kw": 0.0}, zone=ZONE
    )


def test_spans_lists_truth_and_plain_numbers_in_words():
    assert "2\u00a0h\u00a005\u00a0min" in sentence(
        "departed_late", {"vehicle": "B", "late_s": 7500, "departs": NOW}, zone=ZONE
    )
    for rows, told in ((3, "with 3 rows that"), (1, "with 1 row that")):
        assert told in sentence("schedule_incomplete", {"feed": "f", "since": NOW, "rows": rows}, zone=ZONE)
    assert "A and B" in sentence("vehicle_conflict", {"bay": "D2", "since": NOW, "candidates": ["A", "B"]}, zone=ZONE)
    assert "True" in sentence("group_unknown", {"peer": "p", "group": True}, zone=ZONE)


def test_a_text_that_is_no_moment_is_shown_as_it_is():
    assert "since soon." in sentence("soc_stale", {"vehicle": "B", "read": "soon"}, zone=ZONE)
    assert "2026-11-25T23:00:00." in sentence("soc_stale", {"vehicle": "B", "read": "2026-11-25T23:00:00"}, zone=ZONE)


def test_reasons_rank_in_the_closed_order_and_strangers_come_last():
    assert ranked(["soc_stale", "zzz", "not_plugged", "aaa", "soc_stale"]) == ("not_plugged", "soc_stale", "aaa", "zzz")


def test_a_code_stated_twice_is_refused():
    one = {"same": REASONS["soc_stale"]}
    with pytest.raises(ValueError, match="same"):
        merged(one, one)


def test_what_we_have_is_rounded_down_and_what_is_needed_up():
    assert (words.amount(230.9, "kW"), words.amount(230.1, "kW", up=True)) == ("230\u00a0kW", "231\u00a0kW")
    assert (words.percent(0.949), words.percent(0.941, up=True)) == ("94\u00a0%", "95\u00a0%")
    assert (words.percent(0.29), words.percent(0.57, up=True), words.percent(1.0)) == (
        "29\u00a0%",
        "57\u00a0%",
        "100\u00a0%",
    )


def test_below_ten_there_is_one_decimal_and_zero_is_zero():
    assert (words.amount(9.96, "kW"), words.amount(9.91, "kW", up=True)) == ("9.9\u00a0kW", "10.0\u00a0kW")
    assert (words.amount(0, "kW"), words.amount(10, "kW"), words.amount(-3.25, "°C")) == (
        "0\u00a0kW",
        "10\u00a0kW",
        "-3.3\u00a0°C",
    )
    assert (words.amount(1234.0, "kWh"), words.amount(None, "kWh"), words.percent(None)) == ("1,234\u00a0kWh", "?", "?")


def test_money_and_lists_in_words():
    assert (words.money(Decimal("1234.5"), "EUR"), words.money(None, "EUR")) == ("1,234.50\u00a0EUR", "?")
    assert (words.listed([]), words.listed(["A"]), words.listed(("A", "B", "C"))) == ("none", "A", "A, B and C")


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0, "0 s"),
        (59.9, "59 s"),
        (60, "1 min"),
        (2580, "43 min"),
        (3600, "1 h 00 min"),
        (7500, "2 h 05 min"),
        (-90, "-1 min"),
        (-7500, "-2 h 05 min"),
        (None, "?"),
    ],
)
def test_spans_are_minutes_and_hours(seconds, text):
    assert words.span(seconds) == text.replace(" ", "\u00a0")


def test_moments_are_local_and_name_their_day_when_it_is_not_today():
    departs = datetime(2026, 11, 26, 5, 20, tzinfo=UTC)
    assert words.moment(departs, ZONE) == "06:20"
    assert words.moment(departs, ZONE, now=NOW) == "06:20"
    assert words.moment(departs, ZONE, now=datetime(2026, 11, 25, 12, tzinfo=UTC)) == "06:20 Thu 26 Nov"
    assert words.moment(None, ZONE) == "?"


def test_the_hour_that_comes_twice_names_its_zone():
    assert words.moment(datetime(2026, 10, 25, 0, 10, tzinfo=UTC), ZONE) == "02:10 CEST"
    assert words.moment(datetime(2026, 10, 25, 1, 10, tzinfo=UTC), ZONE) == "02:10 CET"
    assert words.moment(datetime(2026, 10, 25, 2, 10, tzinfo=UTC), ZONE) == "03:10"
    assert words.moment(datetime(2026, 3, 29, 1, 10, tzinfo=UTC), ZONE) == "03:10"


@pytest.mark.parametrize("kind", [Reason])
def test_states_are_never_changed_in_place(kind):
    assert kind.__dataclass_params__.frozen and "__slots__" in vars(kind)


def test_which_incidents_put_the_departures_that_they_touch_at_risk() -> None:
    assert {code for code, reason in REASONS.items() if reason.touches} == {
        "charger_fault",
        "charger_offline",
        "command_not_confirmed",
        "limit_not_obeyed",
        "panel_lost",
        "profile_refused",
    }
