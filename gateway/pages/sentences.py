"""The one sentence with which stations, vehicles and incidents open: the answer before the table."""

from __future__ import annotations

from collections.abc import Sequence

from core.messages import words
from gateway.pages.views import ConnectorRow, Incident, SessionView, StationView, VehicleRow
from gateway.pages.words import plural


def stations_sentence(rows: Sequence[ConnectorRow]) -> str:
    """Like `14 of 16 stations are connected and obey. 2 need a look`."""
    stations = {row.station for row in rows}
    bad = {row.station for row in rows if row.trouble}
    if not stations:
        return "No stations yet."
    if not bad:
        return f"All {len(stations)} stations are connected and obey." if len(stations) > 1 else "The station obeys."
    verb = "needs" if len(bad) == 1 else "need"
    return f"{len(stations) - len(bad)} of {plural(len(stations), 'station')} are connected and obey. {len(bad)} {verb} a look."


def station_sentence(view: StationView) -> str:
    """Like `CP-07 is connected and obeys, but gives 17 of 60 kW`."""
    row = view.connectors[0] if view.connectors else None
    if row is None:
        return f"{view.station} has no connector that is known."
    if not row.online:
        since = f" since {words.moment(row.since, view.zone, now=view.now)}" if row.since else ""
        return f"{view.station} has been silent{since}." if row.since else f"{view.station} has never connected."
    obeys = "" if row.wish in ("", "sent", "accepted", "confirmed") else f", but its last limit was {row.wish}"
    asked = sum(c.asked_kw or 0 for c in view.connectors)
    measured = [c.kw for c in view.connectors if c.kw is not None]
    gives = f" It gives {words.amount(sum(measured), 'kW')}, asked {words.amount(asked, 'kW')}." if measured else ""
    return f"{view.station} is connected{obeys or (' and obeys' if row.wish == 'confirmed' else '')}.{gives}"


def session_sentence(view: SessionView) -> str:
    """Like `BUS-142 charged 177 kWh at CP-10, from 22:43 to 05:12`."""
    who = view.vehicle or "An unknown vehicle"
    begins = words.moment(view.begins, view.zone, now=view.now)
    energy = words.amount(view.energy_kwh, "kWh")
    if view.ends is None:
        return f"{who} has been charging at {view.station} since {begins}: {energy} so far."
    return f"{who} charged {energy} at {view.station}, from {begins} to {words.moment(view.ends, view.zone, now=view.now)}."


def vehicles_sentence(rows: Sequence[VehicleRow]) -> str:
    """Like `12 of 16 vehicles are plugged in. 1 has no fresh state of charge`."""
    if not rows:
        return "No vehicles yet."
    plugged, stale = sum(bool(r.bay) for r in rows), sum(r.stale and bool(r.bay) for r in rows)
    text = f"{plugged} of {plural(len(rows), 'vehicle')} are plugged in."
    if stale:
        text += f" {stale} of these {'has' if stale == 1 else 'have'} no fresh state of charge."
    return text


def incidents_sentence(rows: Sequence[Incident]) -> str:
    """Like `2 incidents need a person`."""
    if not rows:
        return "Nothing needs a person."
    verb = "needs" if len(rows) == 1 else "need"
    return f"{plural(len(rows), 'incident')} {verb} a person."
