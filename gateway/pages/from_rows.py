"""From rows of the read models to the views' parts: pure, one function per part."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, cast

from core.messages import words
from core.messages.readiness import State
from core.messages.site import SiteConfig
from gateway.pages import samples
from gateway.pages.nights import HALF
from gateway.pages.rows import Noted
from gateway.pages.steps import value_at
from gateway.pages.views import Departure, Gap, Incident, Limit, NightVehicle, Reading, Step, VehicleRow
from gateway.readmodels.rows import Doc
from gateway.terms import protocol

STALE = timedelta(minutes=15)


def moment(text: str | None) -> datetime | None:
    """A moment as rows keep it."""
    return datetime.fromisoformat(text).astimezone(UTC) if text else None


def sure(text: str) -> datetime:
    """A moment that is always there."""
    return datetime.fromisoformat(text).astimezone(UTC)


def points(plan: Doc) -> list[Reading]:
    """The steps of a plan or wish: from each moment on so many kW."""
    return [(sure(s["at"]), float(s["kw"])) for s in plan["steps"]]


def departure(doc: Doc, work: Doc | None, vehicle: Doc | None) -> Departure:
    """A departure from its readiness, its work and where the bus stands."""
    final = bool(doc["final"])
    return Departure(
        vehicle=doc["vehicle"],
        departs=sure(doc["departs"]),
        state=cast(State, doc["state"]),
        soc_goal=doc["soc_goal"],
        soc=_charge(doc, vehicle),
        soc_expected=doc["soc"] if final else doc["soc_expected"],
        final=final,
        block=work["block"] if work else "",
        bay=(vehicle or {}).get("connector") or "",
        since=moment(doc["since"]),
        ready_at=moment(doc["ready_at"]),
        left=moment(doc["assessed"]) if final else None,
        code=doc["code"] or "",
        sentence=doc["reason"] or "",
        next=doc["next"] or "",
        why=doc["message"],
    )


def _charge(doc: Doc, vehicle: Doc | None) -> float | None:
    """The freshest reading; of a departed one what it left with; none where readiness does not trust it."""
    if doc["final"] or vehicle is None:
        return cast("float | None", doc["soc"])
    if doc["state"] == "unknown":
        return None
    return cast("float | None", vehicle["soc"] if vehicle["soc"] is not None else doc["soc"])


def incident(doc: Doc) -> Incident:
    """An incident from its row."""
    return Incident(
        id=doc["incident"],
        kind=doc["kind"],
        severity=doc.get("severity", "low"),
        subject=doc["subject"],
        sentence=doc["reason"],
        next=doc["next"],
        opened=sure(doc["opened"]),
        resolved=moment(doc["resolved"]),
        departures=tuple(doc.get("departures", ())),
        why=doc["message"],
    )


def vehicle_row(doc: Doc, departs: Departure | None, bay: Mapping[str, Any] | None, now: datetime) -> VehicleRow:
    """A bus from its row, and the connector that it stands at."""
    read = moment(doc["soc_at"])
    return VehicleRow(
        vehicle=doc["vehicle"],
        type=doc["type"] or "",
        bay=doc["connector"] or "",
        by=(bay or {}).get("by") or doc.get("by") or "" if doc["connector"] else "",
        soc=doc["soc"],
        soc_at=read,
        stale=read is None or now - read > STALE,
        kw=(bay or {}).get("measured_kw"),
        departure=departs,
    )


def limit(doc: Doc, heard: Sequence[Noted]) -> Limit:
    """A step of the envelope: who set it, and which of these facts of its source came last before it began."""
    name = doc["binding_source"].removesuffix(" fallback")
    begins, rating = sure(doc["from"]), name == "rating"
    own = [h for h in heard if h.time <= begins] if not rating else []
    last = max(own, key=lambda h: h.time, default=None)
    return Limit(
        begins=begins,
        ends=sure(doc["to"]),
        kw=doc["import_kw"],
        source="grid connection" if rating else name,
        fallback=doc["fallback"],
        by=protocol(last.source.partition(":")[0]) if last and not doc["fallback"] else "",
        heard=last.time if last else None,
        why=doc["message"],
    )


def of_vehicles(sessions: Sequence[Doc]) -> dict[str, list[Doc]]:
    """Sessions by vehicle."""
    out: dict[str, list[Doc]] = {}
    for session in sessions:
        out.setdefault(session["vehicle"] or "", []).append(session)
    return out


def night_vehicle(
    of: Departure,
    sessions: Sequence[Doc],
    readings: Mapping[str, Sequence[Reading]],
    plan: Doc | None,
    offline: Mapping[str, Sequence[tuple[datetime, datetime]]],
    feeders: Mapping[str, str],
    now: datetime,
    ends: datetime,
) -> NightVehicle:
    """A vehicle's night from its own sessions, their readings and its newest plan."""
    own = sorted(sessions, key=lambda s: str(s["started"]))
    until = min(now, of.left or now)
    planned: tuple[Step, ...] = ()
    if plan is not None and not of.final:
        planned = tuple(s for s in samples.of_plan(points(plan), now, min(of.departs, ends)) if s.kw > 0)
    measured: list[Step] = []
    gaps: list[Gap] = []
    for session in own:
        over = moment(session["ended"]) or until
        steps, holes = samples.held(readings.get(session["session"], ()), min(over, until))
        measured += steps
        gaps += [_named(hole, offline.get(session["station"], ()), steps) for hole in holes]
    station = own[-1]["station"] if own else (plan or {}).get("station") or ""
    stays = tuple((sure(s["started"]), moment(s["ended"]) or min(of.departs, ends)) for s in own)
    return NightVehicle(of, feeders.get(station, ""), _joined(stays), tuple(measured), planned, tuple(gaps))


def _named(gap: Gap, offline: Sequence[tuple[datetime, datetime]], steps: Sequence[Step]) -> Gap:
    """A gap by its reason: an offline station counts with what it drew last."""
    for lost, back in offline:
        if lost <= gap.ends and back >= gap.begins:
            last = value_at(steps, gap.begins - timedelta(seconds=1))
            return Gap(gap.begins, gap.ends, f"offline {words.span(min(back, gap.ends) - lost)}", last)
    return gap


def _joined(stays: Sequence[tuple[datetime, datetime]]) -> tuple[tuple[datetime, datetime], ...]:
    """Stays without the short pauses between sessions of one plug-in."""
    out: list[tuple[datetime, datetime]] = []
    for begins, ends in stays:
        if out and begins - out[-1][1] < HALF:
            out[-1] = out[-1][0], max(ends, out[-1][1])
        else:
            out.append((begins, ends))
    return tuple(out)


def below_root(node: str | None, parents: Mapping[str, str | None]) -> str:
    """The node right below the grid connection that this one hangs at."""
    at = node
    for _ in range(len(parents)):
        up = parents.get(at or "")
        if up is None or parents.get(up) is None:
            return at or ""
        at = up
    return at or ""


def parts(config: SiteConfig | None) -> tuple[tuple[str, str], ...]:
    """What is set up."""
    if config is None:
        return ()
    parts = (
        ("station", len(config.stations)),
        ("vehicle", len(config.vehicles)),
        ("source of limits", len(config.sources)),
        ("meter", len(config.meters)),
    )
    return tuple((name if count == 1 else _many(name), str(count)) for name, count in parts)


def _many(name: str) -> str:
    return "sources of limits" if name.startswith("source") else f"{name}s"
