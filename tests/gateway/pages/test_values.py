"""Step functions, gaps, the board's choice, sentences, and the contrast of the colours."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import date, timedelta
from typing import Any

import pytest

from core.messages.reasons import REASONS, next_step, sentence
from gateway.pages import vehicle_rows, words
from gateway.pages.board import board, needing, quarters
from gateway.pages.charge import charge_svg
from gateway.pages.nights import evening_of, window
from gateway.pages.render import Renderer, coded
from gateway.pages.samples import held, of_plan, summed, trimmed
from gateway.pages.station_rows import connectors_of
from gateway.pages.steps import excesses, grid, merged, sample
from gateway.pages.views import Charge, Departure, Limit, NowView, Row, Step, VehicleRow, VehicleView
from tests.gateway.pages.nights import ZONE, moment, name_of, night

A, B, C, D = (moment(t) for t in ("20:00", "20:10", "20:20", "20:30"))
MINUTE = timedelta(minutes=1)


def test_a_value_holds_until_the_next_one() -> None:
    steps, gaps = held([(A, 1.0), (A + MINUTE, 2.0)], A + 2 * MINUTE)
    assert steps == (Step(A, A + MINUTE, 1.0), Step(A + MINUTE, A + 2 * MINUTE, 2.0))
    assert gaps == ()


def test_a_long_silence_is_a_gap_with_its_length() -> None:
    readings = [(A + i * MINUTE, 5.0 + i % 2) for i in range(4)]
    steps, gaps = held(readings, D)
    assert steps[-1].ends == A + 4 * MINUTE
    assert [(g.begins, g.ends, g.reason) for g in gaps] == [(A + 4 * MINUTE, D, "no meter values, 26\u00a0min")]


def test_a_meter_that_speaks_every_quarter_has_no_gaps() -> None:
    readings = [(A + i * 15 * MINUTE, float(i)) for i in range(4)]
    assert held(readings, A + 55 * MINUTE)[1] == ()


def test_equal_neighbours_are_one_step() -> None:
    assert held([(A, 1.0), (A + MINUTE, 1.0)], A + 2 * MINUTE)[0] == (Step(A, A + 2 * MINUTE, 1.0),)


def test_no_reading_reaches_into_a_lower_limit() -> None:
    limits = (Limit(A, B, 100, "x"), Limit(B, D, 50, "y"))
    steps = (Step(A, C, 90.0),)
    assert trimmed(steps, limits) == (Step(A, B, 90.0),)
    assert trimmed(steps, limits[::-1][:1]) == steps


def test_a_plan_is_cut_to_its_window() -> None:
    points = [(A, 10.0), (B, 0.0), (C, 20.0)]
    assert of_plan(points, A + MINUTE, D) == (Step(A + MINUTE, B, 10.0), Step(B, C, 0.0), Step(C, D, 20.0))


def test_sums_speak_where_one_of_them_does() -> None:
    total = summed([[Step(A, C, 1.0)], [Step(B, D, 2.0)]])
    assert total == (Step(A, B, 1.0), Step(B, C, 3.0), Step(C, D, 2.0))
    assert summed([]) == ()


def test_slots_never_lie_across_now_or_a_limits_edge() -> None:
    on = grid(A, D, A + 7 * MINUTE, [B + MINUTE])
    assert {7 * 60, 11 * 60} <= set(on.edges)


def test_a_slot_holds_the_mean_of_what_is_covered_or_the_most() -> None:
    on = grid(A, A + 5 * MINUTE, A)
    steps = [Step(A, A + MINUTE, 10.0), Step(A + MINUTE, A + 2 * MINUTE, 30.0)]
    assert sample(steps, on) == [20.0]
    assert sample(steps, on, "most") == [30.0]
    assert sample(steps, on, "spread") == [8.0]
    assert sample([], on) == [None]


def test_an_excess_is_told_with_its_most_and_its_length() -> None:
    limits = (Limit(A, D, 100, "x"),)
    steps = (Step(A, B, 90.0), Step(B, B + MINUTE, 104.0), Step(B + MINUTE, B + 2 * MINUTE, 110.0))
    (found,) = excesses(steps, limits, D)
    assert (found.begins, found.span, found.over_kw) == (B, 2 * MINUTE, 10.0)
    assert words.excess_words(found) == "10\u00a0kW over, 2\u00a0min"
    assert excesses(steps, limits, B) == ()


def test_equal_limits_side_by_side_are_one() -> None:
    assert merged([Limit(B, C, 5, "x"), Limit(A, B, 5, "x")]) == (Limit(A, C, 5, "x"),)
    assert len(merged([Limit(A, B, 5, "x"), Limit(B, C, 5, "y")])) == 2


def many(count: int) -> list[Departure]:
    return [
        Departure(name_of(i), moment("04:00") + i * 5 * MINUTE, "on_track" if i % 10 else "at_risk", 0.9)
        for i in range(count)
    ]


def test_the_board_shows_all_up_to_forty() -> None:
    found = board(many(40), moment("20:00"))
    assert (len(found.shown), found.later) == (40, 0)


def test_above_forty_the_board_shows_six_hours_and_what_needs_a_person() -> None:
    found = board(many(100), moment("22:30"))
    assert found.later == 100 - len(found.shown)
    assert all(d.departs <= moment("04:30") or not d.fine for d in found.shown)
    assert sum(not d.fine for d in found.shown) == 10
    assert [d.departs for d in found.shown] == sorted(d.departs for d in found.shown)
    assert len(board(many(100), moment("22:30"), whole=True).shown) == 100


def test_a_departed_row_stays_half_an_hour_and_then_folds() -> None:
    gone = replace(many(1)[0], left=moment("04:01"), final=True, state="met")
    assert board([gone], moment("04:30")).shown == (gone,)
    assert board([gone], moment("04:31")).departed == (gone,)


def test_the_table_has_a_row_for_every_quarter_and_the_lowest_limit_in_it() -> None:
    rows = quarters(night(16))
    assert len(rows) == 57
    by_time = {r.begins: r for r in rows}
    assert by_time[moment("00:30")].limit == night(16).limits[1]
    assert by_time[moment("01:00")].measured
    assert not by_time[moment("01:15")].measured


def test_a_night_begins_at_six_or_half_an_hour_before_the_first_bus() -> None:
    day = date(2026, 11, 25)
    assert window(day, ZONE, [], [])[0] == moment("18:00")
    assert window(day, ZONE, [moment("16:50")], [])[0] == moment("16:20")
    assert window(day, ZONE, [moment("19:50")], [moment("07:40")]) == (moment("18:00"), moment("08:10"))


def test_before_noon_it_is_still_yesterdays_night() -> None:
    assert evening_of(moment("01:12"), ZONE) == date(2026, 11, 25)
    assert evening_of(moment("12:00"), ZONE) == date(2026, 11, 25)
    assert evening_of(moment("11:59"), ZONE) == date(2026, 11, 25)


@pytest.mark.parametrize(
    ("states", "said"),
    [
        ([], "No departures tonight."),
        (["met"], "The only departure is fine."),
        (["met", "on_track"], "All 2 departures are fine."),
        (["met", "unknown"], "1 of 2\u00a0departures is fine. 1 needs a person."),
        (["missed", "unknown"], "0 of 2\u00a0departures are fine. 2 need a person."),
    ],
)
def test_the_first_sentence_counts_what_is_fine(states: list[str], said: str) -> None:
    some = [replace(d, state=s) for d, s in zip(many(len(states)), states, strict=True)]  # type: ignore[arg-type]  # because: states by name
    assert words.departures_sentence(some) == said


def test_what_there_is_is_rounded_down_and_what_is_needed_up() -> None:
    assert words.share(0.6499, 0.9401) == "64 of 95\u00a0%"
    assert words.share(None, 0.9) == "? of 90\u00a0%"
    assert words.share(0.9144, 0.9137) == "91 of 91\u00a0%", "what is reached is not told as missing"


def test_ids_are_told_apart_by_their_ends() -> None:
    assert words.short_ids(["BUS-117", "BUS-142"]) == {"BUS-117": "117", "BUS-142": "142"}
    assert words.short_ids(["BUS-1171", "BUS-1172"])["BUS-1171"] == "1171"
    assert words.short_ids(["A", "B"]) == {"A": "A", "B": "B"}
    assert words.short_ids(["ONE"]) == {"ONE": "ONE"}


@pytest.mark.parametrize("code", sorted(REASONS))
def test_every_reason_can_be_said_with_a_next_step(code: str) -> None:
    assert sentence(code, {}, zone=ZONE).endswith(".")
    assert next_step(code, {}, zone=ZONE)


def test_a_vehicles_chart_says_its_sentence_and_breaks_where_nothing_is_known() -> None:
    departure = night(16).vehicles[10].departure
    row = VehicleRow("BUS-142", soc=0.6, soc_at=moment("01:10"), departure=departure)
    view = VehicleView(
        "nord", ZONE, moment("01:12"), row, moment("18:00"), moment("08:10"), inputs=(Row("distance", "1"),),
        charge=(Charge(moment("22:40"), 0.2), Charge(moment("01:10"), 0.6)), taken=(Step(A, B, 20.0), Step(C, D, 30.0)),
    )  # fmt: skip
    svg = charge_svg(view)
    assert words.vehicle_sentence(view) in svg
    assert re.search(r'class="ln import" d="M[^"]*M', svg)


def luminance(colour: str) -> float:
    parts = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    linear = [p / 12.92 if p <= 0.04045 else ((p + 0.055) / 1.055) ** 2.4 for p in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(a: str, b: str) -> float:
    one, other = sorted((luminance(a), luminance(b)), reverse=True)
    return (one + 0.05) / (other + 0.05)


def tokens(theme: str) -> dict[str, str]:
    css = Renderer().static["busbar.css"].decode()
    light = dict(re.findall(r"--([\w-]+):(#\w{6})", css[: css.index("@media")]))
    dark = dict(re.findall(r"--([\w-]+):(#\w{6})", css[css.index(":root[data-theme=dark]") : css.index("*{")]))
    return light if theme == "light" else light | dark


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize(
    ("front", "back", "least"),
    [
        ("ink", "ground", 7.0),
        ("ink", "surface", 7.0),
        ("muted", "ground", 4.5),
        ("muted", "surface", 4.5),
        ("link", "ground", 4.5),
        ("link", "surface", 4.5),
        ("missed", "surface", 4.5),
        ("on-band", "band-1", 4.5),
        ("on-band", "band-2", 4.5),
        ("on-building", "building", 4.5),
        ("on-follow", "follow", 4.5),
        ("on-risk", "risk", 4.5),
        ("on-missed", "missed", 4.5),
        ("ink", "wall", 4.5),
        ("ink", "hatch", 4.5),
        ("rule", "surface", 3.0),
        ("follow", "surface", 3.0),
        ("band-1", "surface", 3.0),
        ("band-2", "surface", 2.95),
    ],
)
def test_colours_can_be_told_from_what_they_stand_on(theme: str, front: str, back: str, least: float) -> None:
    found = tokens(theme)
    assert contrast(found[front], found[back]) >= least


def test_an_input_names_its_work_and_the_person_who_read_it() -> None:
    need = {"message": "m", "soc_goal": 0.9, "consumption_kwh": 1, "reserve_kwh": 1}
    items = (
        {"name": "target_soc", "value": 0.9, "source": "work hand:2026-11-28:BUS-2@21:40"},
        {"name": "soc_now", "value": 0.43, "source": "person:anna"},
        {"name": "distance_km", "value": 90.0, "unit": "km", "source": "work vdv452:2026-11-28:1042: link_sum"},
    )
    told = {row.name: (row.value, row.source) for row in vehicle_rows.inputs(need | {"inputs": items})}
    assert told["charge that its work states"] == ("90\N{NO-BREAK SPACE}%", "block BUS-2@21:40 of 2026-11-28")
    assert told["charge at the last reckoning"] == ("43\N{NO-BREAK SPACE}%", "by hand, anna")
    assert told["distance"] == ("90\N{NO-BREAK SPACE}km", "block 1042 of 2026-11-28, as the sum of its links")


def test_nothing_is_planned_for_a_bus_that_was_unplugged_after_its_last_plan() -> None:
    departure = night(16).vehicles[10].departure
    steps = [{"at": moment("20:00").isoformat(), "kw": 50.0}, {"at": moment("06:00").isoformat(), "kw": 0.0}]
    plan = {"time": moment("20:00").isoformat(), "steps": steps, "soc_at_deadline": 0.9}
    stands = VehicleRow("BUS-142", bay="D2", soc=0.3, soc_at=moment("01:10"), departure=departure)
    now, ends = moment("01:12"), moment("08:10")
    assert vehicle_rows.planned_charge(stands, [plan], now, ends)
    assert vehicle_rows.planned_charge(replace(stands, bay=""), [plan], now, ends) == ()


DEPARTURE = Departure("BUS-1", moment("06:20"), "at_risk", 0.8)


def test_an_old_reading_of_the_meter_stands_with_its_time_and_not_for_now() -> None:
    limit = Limit(A, moment("04:30"), 260.0, "grid operator")
    fresh = NowView("nord", "Depot Nord", ZONE, B, import_kw=230.0, import_at=B - MINUTE, limit=limit)
    assert words.import_sentence(fresh, limit).startswith("Import 230 of 260\u00a0kW until 04:30")
    old = replace(fresh, import_at=B - 6 * MINUTE)
    assert words.import_now(old) is None
    assert words.import_sentence(old, limit).startswith("Import ? of 260\u00a0kW (last 230\u00a0kW at 20:04) until")


def test_a_limit_that_ends_later_than_in_a_day_is_told_without_its_end() -> None:
    limit = Limit(A, A + timedelta(days=2), 900.0, "grid connection")
    view = NowView("nord", "Depot Nord", ZONE, B, import_kw=230.0, import_at=B, limit=limit)
    assert words.import_sentence(view, limit) == "Import 230 of 900\u00a0kW, grid connection."


@pytest.mark.parametrize(("expected", "said"), [(0.7, "not in time"), (None, "not in time"), (0.81, "?")])
def test_a_bus_that_stands_charged_but_unheard_is_not_called_late(expected: float | None, said: str) -> None:
    assert words.ready_words(replace(DEPARTURE, soc_expected=expected), ZONE, A) == said


def test_several_buses_that_are_only_not_plugged_in_yet_need_one_line() -> None:
    waiting = tuple(replace(DEPARTURE, vehicle=f"BUS-{n}", state="unknown", code="not_plugged") for n in range(3))
    urgent = replace(DEPARTURE, vehicle="BUS-9", code="not_plugged")
    view = NowView("nord", "Depot Nord", ZONE, A, departures=(*waiting, urgent))
    assert needing(view) == ((urgent,), waiting, ())
    assert needing(replace(view, now=moment("03:21"))) == ((*waiting, urgent), (), ())
    assert needing(replace(view, departures=(*waiting[:2], urgent))) == ((*waiting[:2], urgent), (), ())


def test_a_command_in_a_sentence_is_set_as_code_and_a_name_in_it_stays_a_name() -> None:
    assert coded("enter it: `busbar soc <b> PERCENT`, now") == (
        "enter it: <code>busbar soc &lt;b&gt; PERCENT</code>, now"
    )
    assert coded("a lone ` & no more") == "a lone ` &amp; no more"


def test_a_goal_that_is_reached_is_the_same_figure_in_the_chart_as_above_it() -> None:
    departure = replace(DEPARTURE, state="met", soc_goal=0.9142)
    for soc, said in ((0.9143, "91"), (0.5, "92")):
        row = VehicleRow("BUS-1", soc=soc, departure=departure)
        view = VehicleView("nord", ZONE, B, row, A, moment("06:50"))
        assert words.share(soc, 0.9142).endswith(f"of {said}\u00a0%")
        assert f">{said}\u00a0%<" in charge_svg(view)


def station(**bay: Any) -> dict[str, Any]:
    known = {"name": "D2", "status": "occupied", "vehicle": "BUS-1", "measured_kw": 17.0} | bay
    wish = {"valid_until": moment("08:00").isoformat(), "safe_kw": 6, "evses": [{"evse": 1, "steps": STEPS}]}
    doc = {"station": "CP-07", "node": "P1", "connected": True, "since": A.isoformat(), "last_seen": A.isoformat()}
    return doc | {"wish": wish, "evses": {"1": known}}


STEPS = [{"at": moment("18:00").isoformat(), "kw": 0.0}]


def test_what_a_silent_charger_measured_last_is_not_shown_as_of_now() -> None:
    (heard,) = connectors_of(station(), None, B, {})
    (silent,) = connectors_of(station() | {"connected": False}, None, B, {})
    assert (heard.kw, silent.kw, silent.status) == (17.0, None, "silent")


def test_a_charger_that_pauses_because_it_was_told_to_does_as_asked() -> None:
    (row,) = connectors_of(station(charging_state="suspended_evse"), None, B, {})
    assert (row.asked_kw, row.status) == (0.0, "paused, as asked")
    told = station(charging_state="suspended_evse")
    told["wish"]["evses"][0]["steps"] = [{"at": moment("18:00").isoformat(), "kw": 60.0}]
    (row,) = connectors_of(told, None, B, {})
    assert row.status == "paused by the charger"


@pytest.mark.parametrize(("status", "said"), [("complete", "67.26\u00a0EUR"), ("incomplete", "nothing billed")])
def test_a_session_tells_what_it_cost_in_cents_or_that_nothing_is_billed(status: str, said: str) -> None:
    doc = {"session": "CP-07/7", "station": "CP-07", "started": A.isoformat(), "ended": None, "energy_kwh": 1.0}
    record = {"cost_exact": "67.2637", "currency": "EUR", "status": status}
    assert vehicle_rows.session_row(doc, record).cost == said
