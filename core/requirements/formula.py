"""The energy requirement in closed form: from consumption and reserve to SoC, battery, plug and grid meter."""

from __future__ import annotations

from dataclasses import dataclass, fields

from core.messages.requirement import RequirementComputed


@dataclass(frozen=True, slots=True)
class Terms:
    """All numbers of the formula; energies in kWh on the battery side, SoC as a fraction."""

    consumption_kwh: float
    """Of all blocks, without margin."""
    capacity_kwh: float
    """Usable today: net capacity times state of health."""
    margin: float = 0.10
    soc_floor: float = 0.10
    soc_ceiling: float = 1.0
    reserve_soc: float = 0.05
    reserve_km: float = 0.0
    kwh_per_km: float = 0.0
    """Consumption that turns `reserve_km` into energy."""
    eta_battery: float = 0.95
    eta_charger: float = 0.94
    precondition_kwh: float = 0.0
    """Drawn at the plug before the departure; raises no SoC."""
    soc_stated: float | None = None
    """A target that the feed or the site's default states: it wins over the computed one."""
    soc_now: float | None = None


@dataclass(frozen=True, slots=True)
class Energy:
    """What the formula gives; with an unknown SoC the last three are None, never 0."""

    reserve_kwh: float
    soc_needed: float
    soc_target: float
    soc_goal: float
    shortfall_kwh: float
    battery_kwh: float | None
    plug_kwh: float | None
    grid_kwh: float | None


def reserve_kwh(terms: Terms) -> float:
    """The larger of the reserve as a share of the battery and the reserve as a distance."""
    return max(terms.reserve_soc * terms.capacity_kwh, terms.reserve_km * terms.kwh_per_km)


def energy(terms: Terms) -> Energy:
    """The requirement of one departure. Pure: the same terms give the same energies.

    The target may exceed 1: that is a fact about the work, told as shortfall beside the reachable goal.
    """
    reserve = reserve_kwh(terms)
    planned = terms.consumption_kwh * (1 + terms.margin)
    own = terms.soc_floor + (planned + reserve) / terms.capacity_kwh
    target = own if terms.soc_stated is None else terms.soc_stated
    goal = min(target, terms.soc_ceiling)
    needed = min(terms.soc_floor + terms.consumption_kwh / terms.capacity_kwh, target)
    short = max(0.0, (target - terms.soc_ceiling) * terms.capacity_kwh)
    if terms.soc_now is None:
        return Energy(reserve, needed, target, goal, short, None, None, None)
    battery = max(0.0, (goal - terms.soc_now) * terms.capacity_kwh)
    plug = battery / terms.eta_battery
    grid = (plug + terms.precondition_kwh) / terms.eta_charger
    return Energy(reserve, needed, target, goal, short, battery, plug, grid)


def implied_consumption(terms: Terms, target: float) -> float:
    """The consumption (kWh, without margin) that a stated target SoC stands for."""
    above = (target - terms.soc_floor) * terms.capacity_kwh - reserve_kwh(terms)
    return max(0.0, above / (1 + terms.margin))


def recompute(body: RequirementComputed) -> Energy:
    """The energies of a requirement, from its recorded inputs alone."""
    recorded = {item.name: item.value for item in body.inputs}
    return energy(Terms(**{f.name: recorded[f.name] for f in fields(Terms)}))  # type: ignore[arg-type]  # because: inputs are plain values
