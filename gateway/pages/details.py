"""Views of one thing: a vehicle, a station, a lineage."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from itertools import pairwise
from typing import Any

from core.messages import words
from gateway.lineage import Bodies, Lineage, Unknown
from gateway.pages.load import Loader, UnknownName, evening_of, held_session, moment, noon, sure, window
from gateway.pages.samples import clipped, of_plan
from gateway.pages.steps import value_at
from gateway.pages.views import (
    Charge,
    ConnectorRow,
    Frame,
    Incident,
    Row,
    SessionRow,
    StationView,
    Step,
    VehicleRow,
    VehicleView,
    WhyNode,
    WhyView,
)
from gateway.readmodels import queries
from gateway.readmodels.redact import frame as redacted
from gateway.readmodels.rows import Doc, stamp

FRAMES, SESSIONS, CHANGES = 20, 10, 20
UNITS = {"deg C": "°C"}
SHARES = ("soc", "soh", "eta", "margin", "reserve")
"""Inputs without a unit whose names begin so are fractions."""
BAD_STEPS = ("rejected", "unanswered", "mismatched")
BAD_STATES = ("faulted", "unavailable")


class Details:
    """Reads one thing with everything that stands around it."""

    def __init__(self, loader: Loader, bodies: Bodies) -> None:
        self._loader, self._rows, self._bodies = loader, loader.rows, bodies
        self._lineage = Lineage(bodies)

    async def vehicle(self, site: str, vehicle: str, now: datetime) -> VehicleView:
        """One bus and its night.

        Raises:
            UnknownName: nothing is known about it at this site.
        """
        fleet = await self._loader.vehicles(site, now)
        row = next((r for r in fleet if r.vehicle == vehicle), None)
        if row is None:
            raise UnknownName("vehicle", vehicle, [r.vehicle for r in fleet], f"/s/{site}/vehicles/{{}}")
        zone = (await self._loader.site(site))["zone"]
        day = evening_of(now, zone)
        first, last = noon(day, zone)
        sessions = [s for s in await self._rows.between("sessions", site, first, last) if s["vehicle"] == vehicle]
        departs = [row.departure.departs] if row.departure else []
        begins, ends = window(day, zone, [sure(s["started"]) for s in sessions], departs)
        readings = await self._rows.between("samples", site, begins, now + timedelta(minutes=1), vehicle=vehicle)
        plans = await self._rows.between("allocations", site, begins, now + timedelta(minutes=1), vehicle=vehicle)
        plans = sorted((p for p in plans if p["kind"] == "assigned"), key=lambda p: str(p["time"]))
        asked = _asked(plans, begins, ends)
        taken = [
            s
            for session in sessions
            for s in held_session(session, readings, min(moment(session["ended"]) or now, now))[0]
        ]
        need = await self._need(site, row)
        return VehicleView(
            site=site,
            zone=zone,
            now=now,
            row=row,
            begins=begins,
            ends=ends,
            needed_kwh=need["plug_kwh"] if need else None,
            asked_kw=value_at(asked, now),
            inputs=_inputs(need, zone),
            changes=_changes(plans, zone, now),
            charge=tuple(Charge(sure(r["time"]), r["soc"]) for r in readings if r.get("soc") is not None),
            charge_planned=_planned_charge(row, plans, now, ends),
            asked=asked,
            taken=clipped(taken, begins, ends),
            sessions=await self._sessions(site, vehicle),
        )

    async def _need(self, site: str, row: VehicleRow) -> Doc | None:
        if row.departure is None:
            return None
        return await self._rows.one("requirements", f"{site}|{row.vehicle}|{stamp(row.departure.departs)}")

    async def _sessions(self, site: str, vehicle: str) -> tuple[SessionRow, ...]:
        found = await self._rows.of_site("sessions", site, limit=SESSIONS, vehicle=vehicle)
        records = {r["session"]: r for r in await self._rows.of_site("records", site, limit=200, vehicle=vehicle)}
        return tuple(_session(s, records.get(s["session"])) for s in found)

    async def connectors(self, site: str, now: datetime) -> list[ConnectorRow]:
        """Every connector of the site, by station and EVSE."""
        await self._loader.site(site)
        troubles = {i.subject: i for i in await self._loader.incidents(site)}
        stations = sorted(await self._rows.of_site("stations", site), key=lambda s: (s["node"] or "~", s["station"]))
        return [c for doc in stations for c in _connectors(doc, troubles.get(doc["station"]), now)]

    async def station(self, site: str, station: str, now: datetime) -> StationView:
        """One station with its last frames.

        Raises:
            UnknownName: nobody knows it at this site.
        """
        row = await self._loader.site(site)
        doc = await self._rows.one("stations", f"{site}|{station}")
        if doc is None:
            known = [s["station"] for s in await self._rows.of_site("stations", site)]
            raise UnknownName("station", station, known, f"/s/{site}/stations/{{}}")
        incidents = [i for i in await self._loader.incidents(site) if i.subject == station]
        return StationView(
            site=site,
            zone=row["zone"],
            now=now,
            station=station,
            connectors=tuple(_connectors(doc, incidents[0] if incidents else None, now)),
            frames=await self._frames(station),
            vehicles=tuple(sorted(v["vehicle"] for v in await self._rows.of_site("vehicles", site) if v["declared"])),
            safe_kw=doc["safe_kw"],
            model=" ".join(doc.get(name) or "" for name in ("vendor", "model", "firmware")).strip(),
            incidents=tuple(incidents),
        )

    async def _frames(self, station: str) -> tuple[Frame, ...]:
        positions = await queries.frames(self._rows.models, station, None, FRAMES)
        out = []
        for position in reversed(positions):
            message = await self._bodies.at(position)
            body: Any = message.body
            text = redacted(body.frame) if body.encoding == "text" else f"{len(body.frame) * 3 // 4} bytes"
            way = "in" if message.type == "evidence.received" else "out"
            out.append(Frame(message.id, message.time, way, body.subject, text))
        return tuple(out)

    async def incident(self, site: str, id: str) -> Incident:
        """One incident, open or over.

        Raises:
            UnknownName: there is none with that id.
        """
        await self._loader.site(site)
        found = [*await self._loader.incidents(site), *await self._loader.incidents(site, resolved=True)]
        one = next((i for i in found if i.id == id), None)
        if one is None:
            raise UnknownName("incident", id, [i.id for i in found], f"/s/{site}/incidents/{{}}")
        return one

    async def why(self, name: str, zone: str, now: datetime) -> WhyView:
        """Where something comes from.

        Raises:
            UnknownName: nothing by that name is known.
        """
        try:
            tree = await self._lineage.why(name)
        except Unknown:
            known = [
                v["vehicle"] for s in await self._rows.sites() for v in await self._rows.of_site("vehicles", s["id"])
            ]
            raise UnknownName("lineage of", name, known, "/why/{}") from None
        return WhyView(name, zone, now, _node(tree))


def _node(tree: Mapping[str, Any]) -> WhyNode:
    return WhyNode(
        id=tree["id"],
        kind=tree["type"],
        title=tree["sentence"],
        at=sure(tree["time"]),
        source=tree["source"],
        causes=tuple(_node(child) for child in tree["children"]),
        rest=(("of the same kinds", tree["more"]),) if tree.get("more") else (),
    )


def _asked(plans: Sequence[Doc], begins: datetime, ends: datetime) -> tuple[Step, ...]:
    """What was asked for over the night: each plan until the next one."""
    out: list[Step] = []
    for index, plan in enumerate(plans):
        following = sure(plans[index + 1]["time"]) if index + 1 < len(plans) else ends
        points = [(sure(s["at"]), float(s["kw"])) for s in plan["steps"]]
        out += of_plan(points, max(begins, sure(plan["time"])), min(ends, following))
    return tuple(out)


def _planned_charge(row: VehicleRow, plans: Sequence[Doc], now: datetime, ends: datetime) -> tuple[Charge, ...]:
    """From now to the departure by the plan's energy; its end is what the plan says."""
    departure, plan = row.departure, plans[-1] if plans else None
    if departure is None or plan is None or row.soc is None or departure.final:
        return ()
    last = plan.get("soc_at_deadline")
    steps = of_plan([(sure(s["at"]), float(s["kw"])) for s in plan["steps"]], now, min(ends, departure.departs))
    total = sum(s.kw * (s.ends - s.begins).total_seconds() for s in steps)
    if last is None or not total:
        return ()
    points, given = [Charge(now, row.soc)], 0.0
    for step in steps:
        given += step.kw * (step.ends - step.begins).total_seconds()
        points.append(Charge(step.ends, min(1.0, row.soc + (last - row.soc) * given / total)))
    return tuple(points)


def _inputs(need: Doc | None, zone: str) -> tuple[Row, ...]:
    if need is None:
        return ()
    rows = [
        Row("goal", words.percent(need["soc_goal"], up=True), "requirement", why=need["message"]),
        Row("consumption", words.amount(need["consumption_kwh"], "kWh", up=True), "requirement"),
        Row("reserve", words.amount(need["reserve_kwh"], "kWh", up=True), "requirement"),
    ]
    return (*rows, *(_input(item) for item in need["inputs"] if item.get("value") is not None))


def _input(item: Mapping[str, Any]) -> Row:
    """An input in words: its unit stands at its value, not at its name."""
    unit = UNITS.get(item.get("unit") or "", item.get("unit") or "")
    name = str(item["name"]).replace("_", " ")
    for suffix in (" kwh", " km", " c"):
        name = name.removesuffix(suffix) if unit else name
    return Row(name, _value(name, item["value"], unit), item.get("source") or "", moment(item.get("measured")))


def _value(name: str, value: Any, unit: str) -> str:
    if isinstance(value, int | float) and not unit and name.split()[0] in SHARES:
        return words.percent(float(value))
    shown = f"{value:,.3g}" if isinstance(value, float) and abs(value) < 1000 else str(value)
    return f"{shown}{words.NBSP}{unit}" if unit else shown


def _changes(plans: Sequence[Doc], zone: str, now: datetime) -> tuple[Row, ...]:
    """Each decision that moved the power asked for, newest first."""
    out = []
    for before, plan in pairwise([None, *plans]):
        assert plan is not None
        at = sure(plan["time"])
        had, has = (None if p is None else _level(p, at) for p in (before, plan))
        if had == has and before is not None:
            continue
        name = words.amount(has, "kW") if had is None else f"{words.amount(had, 'kW')} → {words.amount(has, 'kW')}"
        ready = moment(plan["ready_at"])
        told = plan.get("reason") or (f"ready at {words.moment(ready, zone, now=now)}" if ready else plan["outcome"])
        out.append(Row(name, str(told), f"{words.amount(plan['planned_kwh'], 'kWh')} planned", at, plan["message"]))
    return tuple(reversed(out[-CHANGES:]))


def _level(plan: Doc, at: datetime) -> float | None:
    return next((float(s["kw"]) for s in reversed(plan["steps"]) if sure(s["at"]) <= at), None)


def _session(doc: Doc, record: Doc | None) -> SessionRow:
    cost = f"{record['cost_exact']} {record['currency']}" if record else ""
    return SessionRow(
        doc["session"], doc["station"], sure(doc["started"]), moment(doc["ended"]), doc["energy_kwh"], cost
    )


def _connectors(doc: Doc, trouble: Incident | None, now: datetime) -> list[ConnectorRow]:
    command = doc.get("command") or {}
    bad = (
        not doc["connected"]
        or command.get("step") in BAD_STEPS
        or any(bay["status"] in BAD_STATES for bay in doc["evses"].values())
    )
    return [
        ConnectorRow(
            station=doc["station"],
            evse=int(evse),
            bay=bay["name"],
            node=doc["node"] or "",
            online=doc["connected"],
            since=moment(doc["since"]),
            status=_status(doc, bay),
            vehicle=bay["vehicle"],
            by=bay.get("by") or "",
            asked_kw=_wished(doc, int(evse), now),
            kw=bay["measured_kw"],
            max_kw=bay["max_kw"],
            wish=command.get("step", ""),
            wish_at=moment(command.get("time")),
            last_frame=moment(doc["last_seen"]),
            sentence=trouble.sentence if trouble else "",
            next=trouble.next if trouble else "",
            trouble=bad or trouble is not None,
        )
        for evse, bay in sorted(doc["evses"].items(), key=lambda entry: int(entry[0]))
    ]


def _status(doc: Doc, bay: Mapping[str, Any]) -> str:
    if not doc["connected"]:
        return "silent" if doc["since"] else "never connected"
    state = bay.get("charging_state")
    return str(state or bay["status"]).replace("_", " ")


def _wished(doc: Doc, evse: int, now: datetime) -> float | None:
    wish = doc.get("wish")
    if not wish:
        return None
    if sure(wish["valid_until"]) <= now:
        return float(wish["safe_kw"])
    steps = next((w["steps"] for w in wish["evses"] if w["evse"] == evse), None)
    return None if steps is None else _level({"steps": steps}, now)
