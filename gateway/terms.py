"""Codes that messages carry, in a person's words: one name per thing on page, command line and in lineages."""

from __future__ import annotations

from collections.abc import Mapping

from core.messages import words

TRIGGERS: Mapping[str, str] = {
    "configuration": "the configuration changed",
    "plug": "a bus was plugged in",
    "unplug": "a bus was unplugged",
    "vehicle": "a bus was recognised",
    "envelope": "the site's limits changed",
    "requirement": "a need changed",
    "limit": "a person limited a charger",
    "station": "a charger came or went",
    "slot": "a quarter of an hour began",
    "soc": "a bus was off its plan",
    "plan_refused": "a plan failed its check",
}
"""Why a plan was made."""
WISHED_FOR: Mapping[str, str] = {
    "first_contact": "its first limit",
    "safe_level": "its safe level changed",
    "transaction": "another session runs",
    "reduction": "less is allowed",
    "freed_room": "room became free",
    "renewal": "the plan goes on",
}
"""Why a wish was written."""
PURPOSES: Mapping[str, str] = {
    "max": "the limit of the whole charger",
    "default": "its default limit",
    "transaction": "the limit of its session",
    "clear": "taking an old limit away",
    "start": "the start of a session",
    "stop": "the end of a session",
}
"""What a call to a charger was about."""
STEPS: Mapping[str, str] = {
    "sent": "was sent",
    "accepted": "was accepted",
    "rejected": "was refused",
    "unanswered": "got no answer",
    "confirmed": "is confirmed",
    "mismatched": "is not what was asked",
}
"""What became of it."""
STATES: Mapping[str, str] = {
    "available": "free",
    "occupied": "plugged in",
    "reserved": "reserved",
    "unavailable": "out of service",
    "faulted": "faulty",
    "unknown": "unknown",
    "idle": "free",
    "ev_connected": "plugged in",
    "charging": "charging",
    "suspended_ev": "paused by the bus",
    "suspended_evse": "paused by the charger",
    "finishing": "finishing",
}
"""A connector's status and a session's charging state."""
OUTCOMES: Mapping[str, str] = {
    "met": "that is enough",
    "short": "that is too little",
    "unknown": "its need is not known",
}
"""Whether a plan serves a bus."""
INPUTS: Mapping[str, str] = {
    "net_capacity_kwh": "battery when new",
    "capacity_kwh": "battery now",
    "soh": "battery health",
    "ambient_c": "outside temperature",
    "consumption_per_km": "consumption by its type",
    "kwh_per_km": "consumption as computed",
    "consumption_kwh": "energy for its work",
    "distance_km": "distance",
    "margin": "margin on the energy",
    "soc_floor": "charge never used",
    "soc_ceiling": "charge never exceeded",
    "reserve_soc": "reserve of charge",
    "reserve_km": "reserve of distance",
    "eta_battery": "efficiency of its battery",
    "eta_charger": "efficiency of its charger",
    "precondition_kwh": "preconditioning",
    "soc_stated": "charge asked for",
    "target_soc": "charge that its work states",
    "soc_now": "charge at the last reckoning",
    "standing_kwh": "energy while standing",
}
"""What a need is made of."""
DISTANCES: Mapping[str, str] = {
    "feed": "as its feed states it",
    "link_sum": "as the sum of its links",
    "shape": "along its shape",
    "stops": "from stop to stop",
    "speed": "reckoned from its time",
    "derived": "derived",
    "unknown": "known, but not how",
}
"""How a distance is known."""
PROTOCOLS: Mapping[str, str] = {
    "oscp": "OSCP",
    "openadr3": "OpenADR",
    "vdv452": "VDV 452",
    "vdv463": "VDV 463",
    "ocpp1.6": "OCPP 1.6",
    "ocpp2.0.1": "OCPP 2.0.1",
    "ocpp2.1": "OCPP 2.1",
    "ocpi": "OCPI",
    "oicp": "OICP",
    "pages": "these pages",
    "api": "the API",
}
"""Protocols by their published names; any other stands as it is."""


def term(table: Mapping[str, str], code: str) -> str:
    """A code in words; of one that has none its own word, readable."""
    return table.get(code) or code.replace("_", " ")


def protocol(code: str) -> str:
    """A protocol's published name."""
    return PROTOCOLS.get(code, code)


def share(have: float | None, goal: float) -> str:
    """`64 of 95 %`: what there is rounded down; what is needed rounded up, but down as well where there is as much."""
    return f"{words.percent(have).removesuffix(f'{words.NBSP}%')} of {needed(have, goal)}"


def needed(have: float | None, goal: float) -> str:
    """`95 %`: what is needed, rounded up, but down where there is as much."""
    return words.percent(goal, up=have is None or have < goal)
