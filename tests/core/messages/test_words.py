"""Figures for people: what we have is rounded down, what is needed up, and small numbers keep a decimal."""

from __future__ import annotations

import math
from datetime import timedelta
from typing import Any

import pytest
from pydantic import TypeAdapter, ValidationError

from core.messages import words
from core.messages.site import Fraction, Kw, Kwh, Vehicle, VehicleType


@pytest.mark.parametrize(
    ("value", "up", "told"),
    [
        (0.3, False, "0.3"),
        (0.34, True, "0.4"),
        (0.0, False, "0"),
        (0.0000001, False, "0"),
        (9.99, False, "9.9"),
        (9.99, True, "10.0"),
        (10.9, False, "10"),
        (10.1, True, "11"),
        (1234.5, False, "1,234"),
    ],
)
def test_amounts_below_ten_have_one_decimal(value: float, up: bool, told: str) -> None:
    assert words.amount(value, "kW", up=up) == f"{told}{words.NBSP}kW"


@pytest.mark.parametrize(
    "made",
    [Vehicle(id="b", type="t"), VehicleType(id="t", capacity_kwh=350, curve=((0, 150),), consumption=((5, 1.2),))],
)
def test_defaults_are_values_that_a_person_may_state(made: Vehicle | VehicleType) -> None:
    assert type(made).model_validate(made.model_dump()) == made


@pytest.mark.parametrize(
    ("seconds", "told"),
    [(None, "?"), (0, "0_s"), (59.9, "59_s"), (-59, "-59_s"), (60, "1_min"), (-150, "-2_min"), (7500, "2_h_05_min")],
)
def test_a_span_is_told_in_its_largest_units_as_seconds_or_as_a_timedelta(seconds: float | None, told: str) -> None:
    assert words.span(seconds) == told.replace("_", words.NBSP)
    assert words.span(None if seconds is None else timedelta(seconds=seconds)) == words.span(seconds)


@pytest.mark.parametrize("quantity", [Kw, Kwh, Fraction])
@pytest.mark.parametrize("nonsense", [-0.1, math.inf, -math.inf, math.nan])
def test_no_power_energy_or_fraction_is_negative_infinite_or_no_number(quantity: Any, nonsense: float) -> None:
    kind = TypeAdapter(quantity)
    assert kind.validate_python(0) == 0
    with pytest.raises(ValidationError):
        kind.validate_python(nonsense)
