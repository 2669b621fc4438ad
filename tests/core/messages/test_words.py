"""Figures for people: what we have is rounded down, what is needed up, and small numbers keep a decimal."""

from __future__ import annotations

import pytest

from core.messages import words
from core.messages.site import Vehicle, VehicleType


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
