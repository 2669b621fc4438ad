"""Sampled values of both versions become one neutral reading per moment (OCPP 1.6 section 7.31, 2.0.1 part 2 section 3.30)."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from protocols.ocpp.dialect import Doubt

CONTEXTS = {
    "Transaction.Begin": "begin",
    "Transaction.End": "end",
    "Sample.Periodic": "periodic",
    "Sample.Clock": "periodic",
    "Trigger": "trigger",
    "Interruption.Begin": "interruption",
    "Interruption.End": "interruption",
}
_SCALES: dict[str, dict[str, float]] = {
    "energy_wh": {"": 1.0, "wh": 1.0, "kwh": 1000.0, "mwh": 1e6},
    "power_kw": {"": 0.001, "w": 0.001, "kw": 1.0, "mw": 1000.0, "va": 0.001, "kva": 1.0},
    "offered_kw": {"": 0.001, "w": 0.001, "kw": 1.0, "mw": 1000.0, "va": 0.001, "kva": 1.0},
    "current_a": {"": 1.0, "a": 1.0, "amp": 1.0, "ma": 0.001},
    "voltage_v": {"": 1.0, "v": 1.0, "kv": 1000.0},
    "soc": {"": 0.01, "percent": 0.01, "%": 0.01},
}
_FIELDS = {
    "Energy.Active.Import.Register": "energy_wh",
    "Power.Active.Import": "power_kw",
    "Power.Offered": "offered_kw",
    "Current.Import": "current_a",
    "Voltage": "voltage_v",
    "SoC": "soc",
}
_UNUSED = ("Energy.", "Power.", "Current.", "Frequency", "Temperature", "RPM")
"""Openings of measurands that the standard has and nobody here needs: kept as evidence only."""
_PLUG_SIDE = {"Outlet", "EV", "Cable"}
_NOISE = {"power_kw": 0.1, "offered_kw": 0.1, "current_a": 0.5}
"""Less than this below zero is zero: an idle meter wanders by some ten watts, and no vehicle gives back as little as 100 W.

What is more flows back, or its meter is wired the wrong way round.
"""
_LIMITS = {"soc": 1.0, "energy_wh": 1e12, "power_kw": 1e5, "offered_kw": 1e5, "current_a": 1e5, "voltage_v": 1e5}


@dataclass(frozen=True, slots=True)
class Sampled:
    """One sampled value with the standard's defaults filled in, before its number is read."""

    value: Any
    measurand: str
    unit: str
    multiplier: int
    phase: str | None
    location: str
    context: str
    signed: bool = False


@dataclass(frozen=True, slots=True)
class Reading:
    """All values of one moment; None is "not stated"."""

    energy_wh: float | None = None
    power_kw: float | None = None
    soc: float | None = None
    offered_kw: float | None = None
    current_a: float | None = None
    voltage_v: float | None = None
    context: str = "periodic"

    @property
    def empty(self) -> bool:
        """Nothing in it can be used."""
        return all(getattr(self, name) is None for name in _SCALES)

    @property
    def register_only(self) -> bool:
        """It says no more than the register."""
        return all(getattr(self, name) is None for name in _SCALES if name != "energy_wh")


def number(value: Any, *, decimal_comma: bool = False) -> float | None:
    """The finite number that a sample states as number or text, else None."""
    if isinstance(value, bool):
        return None
    if isinstance(value, str):
        value = value.strip().replace(",", ".") if decimal_comma else value.strip()
        try:
            value = float(value) if "_" not in value else None
        except ValueError:
            return None
    if not isinstance(value, int | float):
        return None
    try:
        return float(value) if math.isfinite(value) else None
    except OverflowError:
        return None


def merge(samples: Iterable[Sampled], *, decimal_comma: bool = False) -> tuple[Reading, tuple[Doubt, ...]]:
    """One reading of all samples of a moment, and the samples that had to be set aside.

    Totals win over phases; power of single phases is added up, current and voltage are never: the first stands.
    """
    doubts: list[Doubt] = []
    found: dict[str, dict[str, float]] = {}
    context = ""
    for sample in samples:
        context = context or CONTEXTS.get(sample.context, "other")
        name = _FIELDS.get(sample.measurand)
        if sample.signed or (name is None and sample.measurand.startswith(_UNUSED)):
            continue
        value = _value(name, sample, decimal_comma)
        if isinstance(value, Doubt):
            doubts.append(value)
        elif name is not None:
            found.setdefault(name, {}).setdefault(_rank(sample), value)
    values = {name: _pick(name, by_rank) for name, by_rank in found.items()}
    return Reading(context=context or "periodic", **values), tuple(doubts)


def _value(name: str | None, sample: Sampled, decimal_comma: bool) -> float | Doubt:
    item = {"measurand": sample.measurand, "value": sample.value, "unit": sample.unit}
    if name is None:
        return Doubt("measurand_unknown", f"the measurand {sample.measurand[:60]!r} is not in the standard", item)
    value = number(sample.value, decimal_comma=decimal_comma)
    if value is None:
        return Doubt("value_unreadable", f"{sample.measurand} is not a number", item)
    scale = _SCALES[name].get(sample.unit.strip().lower())
    if scale is None or abs(sample.multiplier) > 12:
        return Doubt("unit_unknown", f"{sample.measurand} has the unit {sample.unit[:20]!r}", item)
    value = round(value * scale * 10.0**sample.multiplier, 9)
    if -_NOISE.get(name, 0.0) < value < 0.0:
        return 0.0
    if not 0.0 <= value <= _LIMITS[name]:
        return Doubt("value_out_of_range", f"{sample.measurand} is outside of what is possible", item)
    return value


def _rank(sample: Sampled) -> str:
    side = "plug" if sample.location in _PLUG_SIDE else "inlet"
    phase = sample.phase or ""
    return f"{side}:{'' if '-L' in phase else phase[:2]}{'~' if '-L' in phase else ''}"


def _pick(name: str, by_rank: dict[str, float]) -> float:
    side = "plug" if any(rank.startswith("plug") for rank in by_rank) else "inlet"
    if f"{side}:" in by_rank:
        return by_rank[f"{side}:"]
    phases = [value for rank, value in by_rank.items() if rank.startswith(side) and not rank.endswith(("~", ":N"))]
    if name in ("power_kw", "offered_kw", "energy_wh") and phases:
        return round(sum(phases), 9)
    return phases[0] if phases else next(iter(by_rank.values()))
