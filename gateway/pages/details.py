"""Views of one thing: a vehicle, a station, a lineage."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from core.site import SiteState
from gateway.ceilings import ceilings
from gateway.lineage import Bodies, Lineage, Unknown
from gateway.pages.from_rows import incident, moment, sure
from gateway.pages.load import Loader, UnknownName
from gateway.pages.nights import evening_of, noon, window
from gateway.pages.one_session import session_view
from gateway.pages.samples import clipped, held
from gateway.pages.station_rows import connectors_of
from gateway.pages.steps import value_at
from gateway.pages.tried import tried
from gateway.pages.vehicle_rows import asked_steps, changes, inputs, planned_charge, session_row, to_go
from gateway.pages.views import (
    Charge,
    ConnectorRow,
    Frame,
    Incident,
    SessionRow,
    SessionView,
    StationView,
    VehicleRow,
    VehicleView,
    WhyNode,
    WhyView,
)
from gateway.readmodels import queries
from gateway.readmodels.redact import frame as redacted
from gateway.readmodels.rows import Doc, stamp

FRAMES, SESSIONS = 20, 10


class Details:
    """Reads one thing with everything that stands around it."""

    def __init__(
        self, loader: Loader, bodies: Bodies, state: Callable[[str], SiteState | None] = lambda site: None
    ) -> None:
        self._loader, self._rows, self._bodies, self._state = loader, loader.rows, bodies, state
        self._lineage = Lineage(bodies)

    async def vehicle(self, site: str, vehicle: str, now: datetime) -> VehicleView:
        """One bus and its night.

        Raises:
            UnknownName: nothing is known about it at this site.
        """
        found = await self._loader.vehicles(site, now, vehicle=vehicle)
        if not found:
            known = [r.vehicle for r in await self._loader.vehicles(site, now)]
            raise UnknownName("vehicle", vehicle, known, f"/s/{site}/vehicles/{{}}")
        row = found[0]
        zone = (await self._loader.site(site))["zone"]
        day = evening_of(now, zone)
        first, last = noon(day, zone)
        sessions = await self._rows.between("sessions", site, first, last, vehicle=vehicle)
        departs = [row.departure.departs] if row.departure else []
        begins, ends = window(day, zone, [sure(s["started"]) for s in sessions], departs)
        readings = await self._rows.between("samples", site, begins, now + timedelta(minutes=1), vehicle=vehicle)
        charged = await self._rows.readings.each(site, first, last, [s["session"] for s in sessions])
        plans = await self._rows.between("allocations", site, begins, now + timedelta(minutes=1), vehicle=vehicle)
        plans = sorted((p for p in plans if p["kind"] == "assigned"), key=lambda p: str(p["time"]))
        asked = asked_steps(plans, begins, ends if row.bay else min(now, ends))
        taken = [
            s
            for session in sessions
            for s in held(charged.get(session["session"], ()), min(moment(session["ended"]) or now, now))[0]
        ]
        need = await self._need(site, row)
        whole = {d["message"]: d for d in await self._rows.many("allocations", [p["plan"] for p in plans])}
        return VehicleView(
            site=site,
            zone=zone,
            now=now,
            row=row,
            begins=begins,
            ends=ends,
            needed_kwh=to_go(need, row.soc),
            asked_kw=value_at(asked, now),
            inputs=inputs(need),
            changes=changes(plans, whole, zone, now),
            charge=tuple(Charge(sure(r["time"]), r["soc"]) for r in readings if r.get("soc") is not None),
            charge_planned=planned_charge(row, plans, now, ends),
            asked=asked,
            taken=clipped(taken, begins, ends),
            sessions=await self._sessions(site, vehicle),
            incidents=await self._incidents(site, row),
        )

    async def _incidents(self, site: str, row: VehicleRow) -> tuple[Incident, ...]:
        told = {"missed_charge", row.departure.code if row.departure else ""}
        return tuple(i for i in await self._loader.incidents(site) if i.subject == row.vehicle and i.kind not in told)

    async def _need(self, site: str, row: VehicleRow) -> Doc | None:
        if row.departure is None:
            return None
        return await self._rows.one("requirements", f"{site}|{row.vehicle}|{stamp(row.departure.departs)}")

    async def _sessions(self, site: str, vehicle: str) -> tuple[SessionRow, ...]:
        found = await self._rows.first(SESSIONS, "sessions", site, vehicle=vehicle)
        records = {r["session"]: r for r in await self._rows.first(200, "records", site, vehicle=vehicle)}
        return tuple(session_row(s, records.get(s["session"])) for s in found)

    async def connectors(self, site: str, now: datetime) -> list[ConnectorRow]:
        """Every connector of the site, by station and EVSE."""
        await self._loader.site(site)
        troubles = {i.subject: i for i in await self._loader.incidents(site)}
        stations = sorted(await self._rows.of_site("stations", site), key=lambda s: (s["node"] or "~", s["station"]))
        most = ceilings(self._state(site), now)
        return [c for doc in stations for c in connectors_of(doc, troubles.get(doc["station"]), now, most)]

    async def station(self, site: str, station: str, now: datetime) -> StationView:
        """One station with its last frames.

        Raises:
            UnknownName: nobody knows it at this site.
        """
        row = await self._loader.site(site)
        doc = await self._loader.one("station", site, station)
        incidents = [i for i in await self._loader.incidents(site) if i.subject == station]
        return StationView(
            site=site,
            zone=row["zone"],
            now=now,
            station=station,
            connectors=tuple(
                connectors_of(doc, incidents[0] if incidents else None, now, ceilings(self._state(site), now, station))
            ),
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

    async def incident(self, site: str, id: str, now: datetime) -> Incident:
        """One incident, open or over, with what was tried about it.

        Raises:
            UnknownName: there is none with that id.
        """
        zone = (await self._loader.site(site))["zone"]
        doc = await self._loader.one("incident", site, id)
        return replace(incident(doc), tried=await tried(self._rows, doc, now, zone))

    async def session(self, site: str, id: str, now: datetime) -> SessionView:
        """One charging session as everybody sees it.

        Raises:
            UnknownName: there is none with that id.
        """
        return await session_view(self._loader, site, id, now)

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
    title, raw = tree["sentence"], ""
    if tree["type"] in ("evidence.received", "evidence.sent"):
        title, _, raw = title.partition(": ")
    return WhyNode(
        id=tree["id"],
        kind=tree["type"],
        title=title,
        at=sure(tree["time"]),
        source=tree["source"],
        causes=tuple(_node(child) for child in tree["children"]),
        more=tree.get("more", 0),
        again=bool(tree.get("again")),
        raw=raw,
    )
