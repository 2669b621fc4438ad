"""What each field of a site's configuration means: the core's models say it to programs, this table to people."""

from __future__ import annotations

from collections.abc import Mapping

WORDS: Mapping[str, str] = {
    "SiteConfig.id": "Id of the site; part of its journal's subjects, never changed later.",
    "SiteConfig.name": "What people call it.",
    "SiteConfig.zone": "IANA time zone of the site; local times of day and of people are in it.",
    "SiteConfig.nodes": "The tree of limits; exactly one node has no parent, the grid connection.",
    "SiteConfig.stations": "The charging stations.",
    "SiteConfig.vehicle_types": "What is known about each type of vehicle.",
    "SiteConfig.vehicles": "The fleet.",
    "SiteConfig.sources": "Who may state limits from outside; each holds its fallback until its first contact.",
    "SiteConfig.meters": "Meters whose readings arrive as telemetry.",
    "SiteConfig.building": "Reserve for the building, by local time of day; empty means no building load.",
    "SiteConfig.tariff": "What energy costs, by local time of day.",
    "SiteConfig.policies": "How the site decides where the facts leave room.",
    "Node.id": "Id of the node.",
    "Node.parent": "Id of the node above; left out for the grid connection alone.",
    "Node.kind": "What it is.",
    "Node.limit_kw": "Static rating, kW; never exceeded, whatever a signal allows.",
    "Station.id": "Identity of the station: the last part of its URL and its user name.",
    "Station.node": "Node that it hangs on; without one it may connect, is shown, and gets 0 kW.",
    "Station.connectors": "Its connectors.",
    "Station.safe_kw": "What it draws when it hears from nobody and its last schedule has run out, kW per station.",
    "Connector.evse": "EVSE number, from 1.",
    "Connector.connector": "Connector number within the EVSE, from 1.",
    "Connector.max_kw": "Rating, kW.",
    "Connector.name": "What people call the bay.",
    "VehicleType.id": "Id of the type.",
    "VehicleType.capacity_kwh": "Usable battery when new, kWh.",
    "VehicleType.curve": "Power accepted at the plug by state of charge: [[state of charge 0..1, kW], ...], rising.",
    "VehicleType.consumption": "Consumption by ambient temperature: [[degrees C, kWh per km], ...], rising.",
    "VehicleType.standing_kw": "What the vehicle takes while it stands plugged, kW.",
    "VehicleType.eta_battery": "Part of the energy at the plug that ends in the battery, 0..1.",
    "VehicleType.soc_floor": "State of charge below which it is never planned, 0..1.",
    "VehicleType.soc_ceiling": "State of charge above which it is never charged, 0..1.",
    "Vehicle.id": "Id of the vehicle, as schedules name it.",
    "Vehicle.type": "Id of its type.",
    "Vehicle.tokens": "RFID tokens that recognise it at a charger.",
    "Vehicle.evccids": "EVCC ids (MAC addresses) that recognise it at a charger.",
    "Vehicle.soh": "State of health: the part of the usable capacity that is left, 0..1.",
    "Vehicle.priority": "Class 0..9; 0 is served first.",
    "Vehicle.cost_centre": "Who pays for its energy.",
    "Source.id": "Id of the source; adapters refer to it.",
    "Source.node": "Node that its limits hold for.",
    "Source.fallback_import_kw": "Import allowed while the source is lost, and until its first contact, kW.",
    "Source.mode_on_stale": "When the source goes silent: fall back at once, or hold what it stated until that ends.",
    "Meter.id": "Id of the meter, as telemetry names it.",
    "Meter.node": "Node that it measures.",
    "Meter.measures": "The import of the node, or the building's load beside charging.",
    "Reserve.begins": "Local time of day from which it holds; the first is 00:00.",
    "Reserve.kw": "Kept free at the grid connection, kW.",
    "Tariff.id": "Id of the tariff.",
    "Tariff.currency": "ISO 4217 code.",
    "Tariff.periods": "Prices over the local day; the first begins at 00:00.",
    "TariffPeriod.begins": "Local time of day from which the price holds.",
    "TariffPeriod.price_per_kwh": "Price of one kWh, in the tariff's currency.",
    "DefaultWork.ready_by": "Local time at which a vehicle with no known work must be ready.",
    "DefaultWork.soc": "State of charge that it must then have, 0..1.",
    "Policies.rule": "How power is shared: `plan`, or one of the baselines for comparison.",
    "Policies.energy_margin": "Margin on top of the energy that the work needs, as a fraction.",
    "Policies.reserve_soc": "State of charge that must be left at the end of the work, 0..1.",
    "Policies.reserve_km": "Distance that must be left at the end of the work, km.",
    "Policies.ambient_c": "Temperature that consumption is taken for, degrees C.",
    "Policies.buffer_s": "Ready so long before the departure where the limits allow it, seconds.",
    "Policies.unplug_lead_s": "The cable must be free so long before the departure, seconds.",
    "Policies.guard_s": "How long a charger may need to follow a new limit, with clock skew; raises wait so long after reductions, seconds.",
    "Policies.wish_horizon_s": "How far ahead a command to a charger reaches, seconds.",
    "Policies.confirm_within_s": "A command not confirmed within this is an incident, seconds.",
    "Policies.soc_stale_s": "A state of charge older than this is stale, seconds.",
    "Policies.unknown_vehicles": "What a vehicle that nobody recognises gets: what known departures leave, or nothing.",
    "Policies.remote_start": "Whether a session of an own vehicle that does not begin by itself is started from here: own or never.",
    "Policies.unknown_vehicle_kwh": "Most energy planned for a vehicle that nobody recognises, kWh.",
    "Policies.default_work": "What a vehicle with no known work gets.",
    "Policies.default_deadrun_km": "Allowance for each depot leg that a feed does not state, km.",
    "Policies.eta_charger": "Part of the energy drawn from the grid that arrives at the plug, 0..1.",
    "Policies.carbon_kg_per_kwh": "Carbon per kWh drawn, kg.",
}
"""By model and field. A field without words turns a test red."""


def meaning(model: type, field: str) -> str:
    """The words for a field of a site model, also where a settings model inherits it; empty if there are none."""
    for kind in model.__mro__:
        found = WORDS.get(f"{kind.__name__}.{field}")
        if found:
            return found
    return ""
