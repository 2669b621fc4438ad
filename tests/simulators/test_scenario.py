"""The scenario: it is what the worked example says, its contradiction is real, and the hub is told the same depot."""

from __future__ import annotations

import tomllib
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from simulators.clairvoyant import foresee, limit_kw
from simulators.scenario import BadScenario, build, read
from simulators.whatif import draw, equal_share

FOLDER = Path(__file__).parents[2] / "examples" / "bus-142"
FILE = FOLDER / "scenario.toml"
SEEDS = [142, 1, 2, 3, 4, 5]
BERLIN = ZoneInfo("Europe/Berlin")


def local(moment: datetime) -> str:
    return moment.astimezone(BERLIN).strftime("%H:%M")


def test_the_depot_has_the_size_of_the_worked_example():
    scenario = draw(FILE)
    assert sum(spec.version == "2.0.1" for spec in scenario.stations) == 10
    assert sum(spec.version == "1.6" for spec in scenario.stations) == 6
    assert {kw for spec in scenario.stations for kw in spec.ratings_kw} == {60.0, 90.0, 150.0}
    assert [len([n for n in scenario.nodes if n.id[0] == kind]) for kind in "GFP"] == [1, 2, 4]
    assert len(scenario.visits) == 16 and len({v.type.id for v in scenario.visits}) == 2
    blocks = [block for visit in scenario.visits for block in visit.blocks]
    assert len(blocks) == 18
    second = [visit.blocks for visit in scenario.visits if len(visit.blocks) == 2]
    assert len(second) == 2
    assert all(local(b.departs) > "13:00" and b.departs - a.returns < timedelta(hours=1.5) for a, b in second)


def test_bus_142_comes_late_and_low_to_a_90_kw_connector():
    visit = next(v for v in draw(FILE).visits if v.bus == "BUS-142")
    spec = next(s for s in draw(FILE).stations if s.id == visit.station)
    assert spec.ratings_kw == (90.0,)
    assert local(visit.departs) == "06:20" and "22:35" <= local(visit.arrives) <= "22:45"


@pytest.mark.parametrize("seed", SEEDS)
def test_a_plan_that_knows_the_night_serves_everybody_and_equal_shares_leave_bus_142_short(seed):
    scenario = draw(FILE, seed)
    assert foresee(scenario).feasible
    assert all(visit.goal < 0.97 for visit in scenario.visits)
    socs = equal_share(scenario)
    short = [v.bus for v in scenario.visits if socs[v.bus] < v.goal - 0.01]
    assert "BUS-142" in short


@pytest.mark.parametrize("seed", SEEDS)
def test_arrivals_and_departures_stay_inside_the_night(seed):
    visits = draw(FILE, seed).visits
    assert local(min(v.arrives for v in visits)) == "18:30" and local(max(v.arrives for v in visits)) == "23:50"
    assert local(min(v.departs for v in visits)) == "04:10" and local(max(v.departs for v in visits)) == "07:40"


def test_the_same_seed_is_the_same_night_and_another_is_not():
    assert draw(FILE, 7) == draw(FILE, 7)
    assert draw(FILE, 7).visits != draw(FILE, 8).visits


def test_the_grid_operators_evening_is_the_one_of_the_example():
    scenario = draw(FILE)

    def moment(text: str) -> datetime:
        return datetime.fromisoformat(text).replace(tzinfo=BERLIN).astimezone(UTC)

    assert limit_kw(scenario, moment("2026-11-25T21:00")) == 800
    assert limit_kw(scenario, moment("2026-11-26T00:29")) == 800
    assert limit_kw(scenario, moment("2026-11-26T00:30")) == 260
    assert limit_kw(scenario, moment("2026-11-26T02:30")) == scenario.dso.fallback_kw
    assert limit_kw(scenario, moment("2026-11-26T04:30")) == 800


def test_safe_levels_and_the_building_fit_the_fallback_and_every_panel():
    site = tomllib.loads((FOLDER / "site.toml").read_text())
    safe = sum(station["safe_kw"] for station in site["stations"])
    assert safe + max(row["kw"] for row in site["building"]) <= site["sources"][0]["fallback_import_kw"]


def test_the_building_reserve_covers_its_load_at_every_minute_of_the_night():
    site, scenario = tomllib.loads((FOLDER / "site.toml").read_text()), draw(FILE)
    moment = scenario.begin
    while moment < scenario.end:
        at = moment.astimezone(BERLIN).time()
        reserve = [row["kw"] for row in site["building"] if row["begins"] <= at][-1]
        assert scenario.building.kw_at(moment) <= scenario.building.most_kw(moment) <= reserve
        moment += timedelta(minutes=1)


def test_the_hub_is_told_the_same_depot():
    site, night = tomllib.loads((FOLDER / "site.toml").read_text()), read(FILE)
    assert site["nodes"] == night["nodes"]
    assert [(s["id"], s["node"], s["safe_kw"], s["connectors"][0]["max_kw"]) for s in site["stations"]] == [
        (s["id"], s["node"], s["safe_kw"], s["rating_kw"]) for s in night["stations"]
    ]
    for told, real in zip(site["vehicle_types"], night["types"], strict=True):
        consumption = dict(map(tuple, told["consumption"]))[site["policies"]["ambient_c"]]
        said = (told["id"], told["capacity_kwh"], told["curve"], told["eta_battery"], told["soc_floor"], consumption)
        assert said == tuple(real[k] for k in ("id", "capacity_kwh", "curve", "eta", "soc_floor", "kwh_per_km"))
    assert [(v["id"], v["type"], v["tokens"]) for v in site["vehicles"]] == [
        (b["id"], b["type"], [b["token"]]) for b in night["buses"]
    ]
    assert site["id"] == night["site"]["id"] and site["zone"] == night["night"]["zone"]
    assert site["sources"][0]["fallback_import_kw"] == night["grid"]["fallback_kw"]
    assert site["meters"][0]["id"] == night["site"]["grid_meter"]
    assert site["meters"][1]["id"] == night["site"]["building_meter"]
    policies, energy = site["policies"], night["energy"]
    assert policies["energy_margin"] == energy["margin"]
    assert all(policies[k] == energy[k] for k in ("reserve_soc", "ambient_c", "unplug_lead_s", "guard_s"))


def test_the_impossible_departure_is_impossible_for_one_bus_only():
    outlook = foresee(draw(FOLDER / "impossible.toml"), spare=False)
    assert set(outlook.short_kwh) == {"BUS-133"}
    assert outlook.cut is not None and outlook.cut.buses == ("BUS-133",)
    passing = sum(place.kwh for place in outlook.cut.passing)
    assert outlook.cut.needed_kwh - passing == pytest.approx(outlook.short_kwh["BUS-133"])
    assert {place.place for place in outlook.cut.passing} <= {"BUS-133", "CP-15"}
    assert all(place.begins < place.ends <= outlook.cut.passing[0].ends for place in outlook.cut.passing)


def test_who_falls_short_together_stands_in_one_cut_with_the_limit_that_all_of_them_share():
    scenario = draw(FILE)
    outlook = foresee(replace(scenario, dso=replace(scenario.dso, rating_kw=200)), spare=False)
    assert outlook.cut is not None
    passing = sum(place.kwh for place in outlook.cut.passing)
    assert outlook.cut.needed_kwh - passing == pytest.approx(sum(outlook.short_kwh.values()))
    assert set(outlook.short_kwh) <= set(outlook.cut.buses)
    assert scenario.nodes[0].id in {place.place for place in outlook.cut.passing}
    others = replace(scenario, visits=tuple(v for v in scenario.visits if v.bus != "BUS-133"))
    assert foresee(others).feasible


def test_a_scenario_with_an_error_says_what_to_change(tmp_path):
    with pytest.raises(BadScenario, match="next:"):
        read(tmp_path / "nothing.toml")
    (tmp_path / "broken.toml").write_text("seed = ")
    with pytest.raises(BadScenario, match="next: correct that line"):
        read(tmp_path / "broken.toml")
    file = read(FILE)
    del file["buses"][0]["arrives"]
    with pytest.raises(BadScenario, match="'arrives' is missing"):
        build(file, 1)
