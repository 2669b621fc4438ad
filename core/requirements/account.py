"""A departure and its vehicle become the terms of the formula, each recorded with its source and age."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, field, replace
from datetime import timedelta
from itertools import pairwise

from core.battery import interpolate
from core.messages.requirement import Input, RequirementComputed
from core.messages.site import SiteConfig, Vehicle, VehicleType
from core.messages.work import Block
from core.requirements.formula import Terms, energy, implied_consumption
from core.vehicles import Reading
from core.work import Departure

ASSUMED_KMH = 20.0
"""Speed by which an unknown distance is estimated from the scheduled time."""
ASSUMED_KWH_PER_KM = 1.8
"""Consumption of a type without a table."""


def consumption_per_km(kind: VehicleType, ambient_c: float) -> tuple[float, str]:
    """Consumption in kWh per km at an ambient temperature, and where the number comes from (`clamped` at the table's edge)."""
    if not kind.consumption:
        return ASSUMED_KWH_PER_KM, "assumed"
    value, clamped = interpolate(kind.consumption, ambient_c)
    return value, f"type {kind.id}" + (", clamped at ambient_c" if clamped else "")


def distance_km(block: Block, deadrun_km: float) -> tuple[float | None, str]:
    """The block's distance and its provenance, with an allowance for each depot leg that the feed does not hold.

    Legs without a distance are estimated from their time; a block about which nothing is known has None.
    """
    if block.distance_m is None and not block.legs and block.returns is None:
        return None, "unknown"
    missing = _missing_depot_legs(block)
    known, origin = _stated_or_timed(block)
    if missing and deadrun_km:
        origin += f" + {missing} depot leg{'s' if missing > 1 else ''} at {deadrun_km:g} km"
    return known + missing * deadrun_km, origin


def _missing_depot_legs(block: Block) -> int:
    if block.depot_leg != "unknown":
        return 0
    if not block.legs:
        return 2
    return (block.legs[0].kind == "service") + (block.legs[-1].kind == "service")


def _stated_or_timed(block: Block) -> tuple[float, str]:
    untold = [leg.ends - leg.begins for leg in block.legs if leg.distance_m is None]
    if block.distance_m is not None and not untold:
        return block.distance_m / 1000, block.provenance
    if not block.legs:
        assert block.returns is not None
        untold = [block.returns - block.departs]
    timed = sum(span / timedelta(hours=1) for span in untold) * ASSUMED_KMH
    told = sum(leg.distance_m or 0.0 for leg in block.legs) / 1000
    return told + timed, "speed"


def layover_h(blocks: Sequence[Block]) -> float:
    """Hours standing inside the work: between the legs of each block, and between blocks that are joined."""
    spans = [(leg.begins, leg.ends) for block in blocks for leg in block.legs] if all(b.legs for b in blocks) else []
    gaps = ((after - before) / timedelta(hours=1) for (_, before), (after, _) in pairwise(spans))
    return sum(gap for gap in gaps if gap > 0)


def compute(departure: Departure, soc: Reading | None, config: SiteConfig) -> RequirementComputed | None:
    """The requirement of one departure; None where the vehicle or its battery is not configured."""
    vehicle = next((v for v in config.vehicles if v.id == departure.vehicle), None)
    kind = next((t for t in config.vehicle_types if vehicle and t.id == vehicle.type), None)
    if vehicle is None or kind is None or kind.capacity_kwh <= 0:
        return None
    account = _account(departure, vehicle, kind, config)
    terms = replace(account.terms, soc_now=None if soc is None else soc.value)
    result = energy(terms)
    lead = timedelta(seconds=config.policies.unplug_lead_s)
    return RequirementComputed(
        vehicle=vehicle.id,
        works=departure.works,
        departs=departure.departs,
        deadline=departure.departs - lead,
        capacity_kwh=terms.capacity_kwh,
        consumption_kwh=terms.consumption_kwh,
        soc_now=terms.soc_now,
        soc_measured=None if soc is None else soc.measured,
        priority=vehicle.priority,
        reason=account.reason or ("block_exceeds_battery" if result.shortfall_kwh > 0 else ""),
        inputs=(*account.inputs, *_term_inputs(terms, soc, vehicle, account.stated_by)),
        **asdict(result),
    )


@dataclass(slots=True)
class _Account:
    """A departure's terms while they are put together, with what they come from."""

    terms: Terms
    reason: str = ""
    stated_by: str = ""
    inputs: list[Input] = field(default_factory=list)


def _account(departure: Departure, vehicle: Vehicle, kind: VehicleType, config: SiteConfig) -> _Account:
    policies = config.policies
    per_km, origin = consumption_per_km(kind, policies.ambient_c)
    base = Terms(
        0.0,
        kind.capacity_kwh * vehicle.soh,
        margin=policies.energy_margin,
        soc_floor=kind.soc_floor,
        soc_ceiling=kind.soc_ceiling,
        reserve_soc=policies.reserve_soc,
        reserve_km=policies.reserve_km,
        kwh_per_km=per_km,
        eta_battery=kind.eta_battery,
        eta_charger=policies.eta_charger,
    )
    account = _Account(base)
    account.inputs += [
        Input(name="net_capacity_kwh", value=kind.capacity_kwh, unit="kWh", source=f"type {kind.id}"),
        Input(name="soh", value=vehicle.soh, source=f"vehicle {vehicle.id}"),
        Input(name="ambient_c", value=policies.ambient_c, unit="deg C", source="policy"),
        Input(name="consumption_per_km", value=per_km, unit="kWh/km", source=origin),
    ]
    if departure.default:
        _by_default(account, config, "default_work")
    else:
        _by_work(account, departure, kind, config)
    return account


def _by_default(account: _Account, config: SiteConfig, reason: str) -> None:
    """The site's default target stands in for what is not known."""
    target = config.policies.default_work.soc
    account.reason, account.stated_by = reason, "policy default_work"
    account.terms = replace(
        account.terms, soc_stated=target, consumption_kwh=implied_consumption(account.terms, target)
    )


def _by_work(account: _Account, departure: Departure, kind: VehicleType, config: SiteConfig) -> None:
    """Consumption of all blocks and the standing between; a lone block's stated target is taken as it is."""
    total = kind.standing_kw * (standing := layover_h(departure.blocks))
    if standing:
        account.inputs += [
            Input(name="layover_h", value=standing, unit="h", source="schedule"),
            Input(name="standing_kw", value=kind.standing_kw, unit="kW", source=f"type {kind.id}"),
        ]
    for block in departure.blocks:
        kwh = _block_kwh(account, block, config)
        if kwh is None:
            return _by_default(account, config, "distance_unknown")
        total += kwh
    account.terms = replace(account.terms, consumption_kwh=total)
    stated = departure.blocks[0].target_soc if len(departure.blocks) == 1 else None
    if stated is not None:
        _by_stated(account, departure.blocks[0], stated)
    return None


def _by_stated(account: _Account, block: Block, stated: float) -> None:
    """The feed's own target wins; what we would have computed is kept beside it where there is something to compute from."""
    if block.energy_kwh is not None or block.distance_m is not None:
        own = Input(name="soc_target_computed", value=energy(account.terms).soc_target, source="computed")
        account.inputs.append(own)
    account.stated_by = f"feed {block.feed}"
    account.terms = replace(account.terms, soc_stated=stated)


def _block_kwh(account: _Account, block: Block, config: SiteConfig) -> float | None:
    """One block's consumption without margin: as stated, else by distance, else what a stated target stands for."""
    source = f"work {block.work}"
    if block.energy_kwh is not None:
        account.inputs.append(Input(name="energy_kwh", value=block.energy_kwh, unit="kWh", source=source))
        return block.energy_kwh
    if block.target_soc is not None and block.distance_m is None:
        account.inputs.append(Input(name="target_soc", value=block.target_soc, source=source))
        return implied_consumption(account.terms, block.target_soc)
    km, origin = distance_km(block, config.policies.default_deadrun_km)
    account.inputs.append(Input(name="distance_km", value=km, unit="km", source=f"{source}: {origin}"))
    return None if km is None else km * account.terms.kwh_per_km


_POLICY = ("margin", "reserve_soc", "reserve_km", "eta_charger")
_UNITS = {"consumption_kwh": "kWh", "capacity_kwh": "kWh", "reserve_km": "km", "kwh_per_km": "kWh/km"}


def _term_inputs(terms: Terms, soc: Reading | None, vehicle: Vehicle, stated_by: str) -> Iterator[Input]:
    """Every term by its name, so that `recompute` needs nothing else."""
    for name, value in asdict(terms).items():
        if name == "soc_now":
            measured = None if soc is None else soc.measured
            yield Input(name=name, value=value, source="unknown" if soc is None else soc.source, measured=measured)
            continue
        origin = "policy" if name in _POLICY else f"type {vehicle.type}"
        if name in ("consumption_kwh", "capacity_kwh", "kwh_per_km"):
            origin = "computed"
        if name == "soc_stated":
            origin = stated_by
        yield Input(name=name, value=value, unit=_UNITS.get(name, ""), source=origin)
