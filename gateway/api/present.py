"""What a row says at the present moment: steps that hold now, counts, ceilings, and a reason with a next step for whatever is not fine."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any

from sqlalchemy import func, select

from core.messages.words import moment, typed
from core.site import SiteState
from gateway.ceilings import ceilings
from gateway.readmodels.rows import Doc, stamp
from gateway.readmodels.tables import CONCEPTS

if TYPE_CHECKING:
    from gateway.api.reads import Reads

NOT_CONNECTED = (
    "{station} has not been connected since {since}.",
    "look at its power and network; see its last frames.",
)
NEVER = ("{station} has never connected.", "`busbar connect ocpp {typed}` says what to type into it.")
NOT_PLACED = ("{station} has no place in the site's tree of limits, so it gets 0 kW.", "give it a node.")
BAD_STATUS = ("A connector of {station} is {status}.", "see what it says under `detail`; restart it if it stays.")
BAD_COMMAND = ("The last limit for {station} was {step}.", "see its last frames: `busbar trace {typed}`.")
NO_SOC = ("No state of charge is known for {vehicle}.", "read the dashboard and post it, or let its charger send it.")


def level(steps: Sequence[Doc], now: datetime) -> float | None:
    """The step that holds now, kW; before the first step its value holds, as in `core/dispatch`."""
    held = [step["kw"] for step in steps if datetime.fromisoformat(step["at"]) <= now]
    return float(held[-1] if held else steps[0]["kw"]) if steps else None


def _wished(row: Doc, now: datetime) -> float | None:
    wish = row.get("wish")
    if not wish:
        return None
    if datetime.fromisoformat(wish["valid_until"]) <= now:
        return float(wish["safe_kw"])
    return round(sum(level(evse["steps"], now) or 0.0 for evse in wish["evses"]), 3)


def _confirmed(row: Doc, now: datetime) -> float | None:
    """What is confirmed to be in force now: of each EVSE its transaction's schedule, else the default."""
    installed = (row.get("confirmed") or {}).get("installed") or []
    valid = [i for i in installed if i.get("until") is None or datetime.fromisoformat(i["until"]) > now]
    by_evse: dict[int, float] = {}
    for purpose in ("max", "default", "transaction"):
        for entry in valid:
            power = level(entry["steps"], now)
            if entry["purpose"] == purpose and power is not None:
                by_evse[entry["evse"]] = power
    if len(by_evse) > 1:
        by_evse.pop(0, None)
    return round(sum(by_evse.values()), 3) if by_evse else None


def _ceiling(state: SiteState | None, station: str, now: datetime) -> float | None:
    """The most that it may draw now, by everything that may be in force in it."""
    found = ceilings(state, now, station).values()
    return round(sum(found), 3) if found else None


def _status(row: Doc) -> str:
    states = [bay["status"] for bay in (row, *row["evses"].values()) if bay.get("status")]
    order = ("faulted", "unavailable", "occupied", "reserved", "available", "unknown")
    return next((state for state in order if state in states), "unknown")


async def station(reads: Reads, row: Doc, now: datetime) -> Doc:
    """A station with what was asked, confirmed, allowed and measured now, and why it is not fine."""
    bays = row["evses"].values()
    measured = [bay["measured_kw"] for bay in bays if bay["measured_kw"] is not None]
    vehicles = [bay["vehicle"] for bay in bays if bay["vehicle"]]
    row = row | {
        "status": _status(row),
        "vehicle": ", ".join(vehicles) or None,
        "wished_kw": _wished(row, now),
        "confirmed_kw": _confirmed(row, now),
        "ceiling_kw": _ceiling(reads.state(row["site"]), row["station"], now),
        "measured_kw": round(sum(measured), 3) if measured else None,
        "max_kw": sum(bay["max_kw"] or 0.0 for bay in bays),
    }
    return row | _trouble(row, now)


def _trouble(row: Doc, now: datetime) -> Doc:
    command = row.get("command") or {}
    if not row["connected"]:
        words = NOT_CONNECTED if row["since"] else NEVER
    elif row["node"] is None:
        words = NOT_PLACED
    elif row["status"] in ("faulted", "unavailable"):
        words = BAD_STATUS
    elif command.get("step") in ("rejected", "unanswered", "mismatched"):
        if command.get("reason"):
            return {"ok": False, "reason": command["reason"], "next": command["next"]}
        words = BAD_COMMAND
    else:
        return {"ok": True, "reason": None, "next": None}
    since = datetime.fromisoformat(row["since"]) if row["since"] else None
    values = {
        "station": row["station"],
        "since": moment(since, row.get("zone", "UTC"), now=now),
        "status": row["status"],
        "step": command.get("step"),
        "typed": typed(row["station"]),
    }
    return {"ok": False, "reason": words[0].format(**values), "next": words[1].format(**values)}


async def vehicle(reads: Reads, row: Doc, now: datetime) -> Doc:
    """A vehicle with the age of its reading, and why it is not fine."""
    age = None
    if row["soc_at"]:
        age = max(0, int((now - datetime.fromisoformat(row["soc_at"])).total_seconds()))
    row = row | {"soc_age_s": age}
    fine = row["readiness"] in (None, "on_track", "met")
    if fine and row["soc"] is None:
        told = {"vehicle": row["vehicle"]}
        row |= {"reason": row["reason"] or NO_SOC[0].format(**told), "next": row["next"] or NO_SOC[1]}
        fine = False
    return row | {"ok": fine}


async def site(reads: Reads, row: Doc, now: datetime) -> Doc:
    """A site at a glance: the limit in force with who set it, stations, departures, incidents."""
    name = row["id"]
    async with reads.models.reading() as connection:
        envelope, stations = CONCEPTS["envelope"], CONCEPTS["stations"]
        moment = stamp(now)
        query = select(envelope.c.doc).where(envelope.c.site == name, envelope.c.node == row["node"])
        query = query.where(envelope.c.begins <= moment, envelope.c.ends > moment).limit(1)
        segment = (await connection.execute(query)).scalar()
        docs = (await connection.execute(select(stations.c.doc).where(stations.c.site == name))).scalars().all()
        open_ones = select(func.count()).select_from(CONCEPTS["incidents"])
        open_ones = open_ones.where(CONCEPTS["incidents"].c.site == name, CONCEPTS["incidents"].c.ends.is_(None))
        incidents = (await connection.execute(open_ones)).scalar_one()
        departures = select(CONCEPTS["vehicles"].c.doc).where(CONCEPTS["vehicles"].c.site == name)
        vehicles = (await connection.execute(departures)).scalars().all()
    return row | _limit(row, segment) | _counted(docs, vehicles) | {"incidents_open": incidents}


def _limit(row: Doc, segment: str | None) -> Doc:
    if segment is None:
        return {"limit_kw": row["rating_kw"], "limited_by": "rating", "limit_until": None}
    found: Any = json.loads(segment)
    return {"limit_kw": found["import_kw"], "limited_by": found["binding_source"], "limit_until": found["to"]}


def _counted(stations: Sequence[str], vehicles: Sequence[str]) -> Doc:
    known = [json.loads(doc) for doc in stations]
    states = [json.loads(doc)["readiness"] for doc in vehicles]
    named = ("on_track", "at_risk", "unknown", "met", "departed_short", "missed")
    return {
        "stations": sum(1 for doc in known if doc["declared"]),
        "stations_connected": sum(1 for doc in known if doc["connected"]),
        **{name: states.count(name) for name in named},
    }
