"""Who stands in the stack of power, in which order, with which values."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from gateway.pages.steps import CROWD, Grid, Values, joined, sample
from gateway.pages.views import NightVehicle, NightView, Step

FEEDERS, TROUBLED, EXCEPTIONS = 12, 8, 20


@dataclass(frozen=True, slots=True)
class Band:
    """One layer: its name, its hue's class, kW per slot; `assumed` where a silent station's ceiling stands in."""

    name: str
    hue: str
    values: Values
    assumed: Values | None = None

    def kw(self, slot: int) -> float:
        """Its height in that slot."""
        value = self.values[slot]
        if value is None and self.assumed is not None:
            value = self.assumed[slot]
        return value or 0.0


def crowded(view: NightView) -> bool:
    """Too many vehicles for a row each."""
    return len(view.vehicles) > CROWD


def bands(view: NightView, on: Grid) -> list[Band]:
    """From the lowest: building, the followed vehicle, at risk and missed, the rest by departure."""
    out = [Band("building", "bld", joined(view.building, view.building_planned, on))]
    order = sorted(view.vehicles, key=lambda v: (v.departure.departs, v.departure.vehicle))
    followed = [v for v in order if v.departure.vehicle == view.follow]
    troubled = [v for v in order if v not in followed and v.departure.state in ("at_risk", "missed", "departed_short")]
    rest = [v for v in order if v not in followed and v not in troubled]
    out += [_band(v, hue_of(v, view.follow), on) for v in followed]
    if not crowded(view):
        out += [_band(v, hue_of(v, view.follow), on) for v in troubled]
        return out + [_band(v, f"b{index % 2 + 1}", on) for index, v in enumerate(rest)]
    out += [_band(v, hue_of(v, view.follow), on) for v in troubled[:TROUBLED]]
    if len(troubled) > TROUBLED:
        out.append(_sum(f"{len(troubled) - TROUBLED} more at risk", "risk", troubled[TROUBLED:], on))
    return out + _feeders(rest, on)


def _feeders(rest: Sequence[NightVehicle], on: Grid) -> list[Band]:
    groups: dict[str, list[NightVehicle]] = {}
    for vehicle in rest:
        groups.setdefault(vehicle.feeder, []).append(vehicle)
    names = sorted(groups)
    if len(names) > FEEDERS:
        kept, folded = names[: FEEDERS - 1], names[FEEDERS - 1 :]
        groups["other feeders"] = [v for name in folded for v in groups[name]]
        names = [*kept, "other feeders"]
    return [_sum(name or "no feeder", f"b{i % 2 + 1}", groups[name], on) for i, name in enumerate(names)]


def hue_of(vehicle: NightVehicle, follow: str) -> str:
    """The class of what needs a person or is followed; grey for all others."""
    if vehicle.departure.vehicle == follow:
        return "fol"
    return {"at_risk": "risk", "missed": "miss", "departed_short": "miss"}.get(vehicle.departure.state, "b1")


def _band(vehicle: NightVehicle, hue: str, on: Grid) -> Band:
    values = joined(vehicle.measured, vehicle.planned, on)
    ceilings = [Step(g.begins, g.ends, g.assumed_kw) for g in vehicle.gaps if g.assumed_kw is not None]
    assumed = sample(ceilings, on, until=on.now_s) if ceilings else None
    if assumed is not None:
        values = [None if ceiling is not None else value for value, ceiling in zip(values, assumed, strict=True)]
    return Band(vehicle.departure.vehicle, hue, values, assumed)


def _sum(name: str, hue: str, vehicles: Sequence[NightVehicle], on: Grid) -> Band:
    single = [_band(v, hue, on) for v in vehicles]
    return Band(name, hue, [sum(b.kw(slot) for b in single) or None for slot in range(len(on.edges) - 1)])
