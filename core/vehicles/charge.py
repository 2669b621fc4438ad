"""The state of charge of a vehicle now: the freshest reading, with its age, carried on by the energy since."""

from __future__ import annotations

from datetime import datetime, timedelta

from core.messages.site import SiteConfig
from core.sessions import Plug, Session, Sessions
from core.vehicles.identity import at_plug
from core.vehicles.state import Reading, VehiclesState

UNPLUGGED_AFTER = timedelta(minutes=30)
"""A state of charge of a vehicle that is not plugged in is not used as current for longer."""


def soc(state: VehiclesState, sessions: Sessions, config: SiteConfig, vehicle: str, now: datetime) -> Reading | None:
    """The freshest state of charge, carried on by the energy metered since; None where nothing usable is known."""
    return soc_at(state, sessions, config, vehicle, now, at_plug(state, sessions, vehicle))


def soc_at(
    state: VehiclesState, sessions: Sessions, config: SiteConfig, vehicle: str, now: datetime, plug: Plug | None
) -> Reading | None:
    """As `soc`, for a vehicle that is known to stand at this plug (None: at none)."""
    readings = [r for r in (state.read.get(vehicle), state.metered.get(vehicle)) if r is not None]
    if plug is not None and plug.soc is not None and plug.soc_at is not None:
        readings.append(Reading(plug.soc, plug.soc_at, f"charger {plug.station}", plug.soc_by))
    if not readings:
        return None
    freshest = max(readings, key=lambda reading: reading.measured)
    usable_until = freshest.measured + UNPLUGGED_AFTER
    if plug is None:
        return freshest if now <= usable_until else None
    if plug.since is not None and usable_until < plug.since:
        return None
    return _charged(freshest, sessions.sessions.get(plug.session or ""), config, vehicle)


def _charged(reading: Reading, session: Session | None, config: SiteConfig, vehicle: str) -> Reading:
    """The reading plus what the meter counted after it; for chargers that do not tell a state of charge."""
    if session is None or not session.points or session.points[-1].time <= reading.measured:
        return reading
    capacity = _energy_per_soc(config, vehicle)
    if capacity is None:
        return reading
    last = session.points[-1]
    earlier = [point.energy_wh for point in session.points if point.time <= reading.measured]
    first = earlier[-1] if earlier else session.begin_wh
    gained = 0.0 if first is None else (last.energy_wh - first) / 1000 / capacity
    if gained <= 0:
        return reading
    value = min(1.0, reading.value + gained)
    return Reading(value, last.time, f"{reading.source} + energy", last.message)


def _energy_per_soc(config: SiteConfig, vehicle: str) -> float | None:
    """Energy (kWh) at the plug that fills the whole battery today."""
    found = next((v for v in config.vehicles if v.id == vehicle), None)
    kind = next((t for t in config.vehicle_types if found and t.id == found.type), None)
    if found is None or kind is None or kind.capacity_kwh <= 0:
        return None
    return kind.capacity_kwh * found.soh / kind.eta_battery
