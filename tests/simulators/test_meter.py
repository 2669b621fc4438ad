"""The grid meter and its judge."""

from __future__ import annotations

from datetime import UTC, datetime, time, timedelta

import numpy as np
import pytest

from simulators.charger.battery import Battery
from simulators.charger.outlet import Outlet
from simulators.meter import Building, drawn_series, judge

BEGIN = datetime(2026, 11, 25, 17, tzinfo=UTC)
CURVE = ((0.0, 150.0), (0.8, 150.0), (1.0, 15.0))


def test_the_second_by_second_sum_holds_the_same_energy_as_the_registers():
    outlet = Outlet(150.0, BEGIN, Battery(350, 0.6, CURVE), released=True)
    for minute in range(1, 121):
        outlet.advance(BEGIN + timedelta(minutes=minute))
    series = drawn_series([outlet], BEGIN, BEGIN + timedelta(hours=2))
    assert series.sum() / 3600 == pytest.approx(outlet.register_kwh, rel=2e-4)
    assert series.max() == 150


def test_the_judge_finds_how_much_and_how_long():
    drawn, building, limits = np.full(100, 200.0), np.full(100, 40.0), np.full(100, 300.0)
    drawn[50:60] = 275.5
    verdict = judge(drawn, building, limits, BEGIN)
    assert (verdict.overshoot_kw, verdict.overshoot_s) == (15.5, 10)
    assert (verdict.peak_kw, verdict.peak_at) == (315.5, BEGIN + timedelta(seconds=50))


def test_a_meter_at_its_limit_is_no_overshoot():
    verdict = judge(np.full(10, 260.0), np.full(10, 40.0), np.full(10, 300.0), BEGIN)
    assert (verdict.overshoot_kw, verdict.overshoot_s) == (0.0, 0)


def test_the_building_stays_within_its_noise_and_its_series_is_its_minutes():
    building = Building("Europe/Berlin", ((time(0), 40.0), (time(19), 50.0)), 6.0, 3)
    series = building.series(BEGIN, BEGIN + timedelta(hours=2))
    assert series[0] == building.kw_at(BEGIN) and series[3661] == building.kw_at(BEGIN + timedelta(seconds=3661))
    assert 34 <= series[:3600].min() <= series[:3600].max() <= 46
    assert 44 <= series[3600:].min() <= series[3600:].max() <= 56
