"""Fills the views from the read models; what is decided stands there already, here it is only put beside each other."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable, Mapping, Sequence
from datetime import date, datetime
from typing import Literal

from core.energy_system import Topology
from core.messages.site import SiteConfig
from gateway.pages import samples
from gateway.pages.from_rows import (
    below_root,
    departure,
    incident,
    limit,
    moment,
    night_vehicle,
    of_vehicles,
    parts,
    sure,
    vehicle_row,
)
from gateway.pages.nights import DAY, evening_of, noon, window
from gateway.pages.rows import PageRows
from gateway.pages.steps import CROWD, limit_at, merged
from gateway.pages.views import Departure, Incident, Limit, NightView, NowView, SiteLine, Step, VehicleRow
from gateway.readmodels.rows import Doc

SUGGESTED = 1000
"""Among so many names the nearest to an unknown one is looked for."""


class UnknownName(LookupError):
    """No such site, vehicle, station or incident; `known` are the names that there are, `where` leads to them."""

    def __init__(self, what: str, name: str, known: Sequence[str] = (), where: str = "") -> None:
        super().__init__(f"no {what} {name}")
        self.what, self.name, self.known, self.where = what, name, tuple(known), where

    @property
    def listed_at(self) -> str:
        """The list of all of its kind within a site; empty where there is none."""
        of_site = re.fullmatch(r"(/s/[^/]+/\w+)/\{\}", self.where)
        return of_site[1] if of_site else ""


class Loader:
    """One read per view; `config` gives the site's configuration in force."""

    def __init__(self, rows: PageRows, config: Callable[[str], SiteConfig | None]) -> None:
        self.rows, self._config = rows, config

    async def site(self, site: str) -> Doc:
        """The site's row.

        Raises:
            UnknownName: there is no such site.
        """
        found = await self.rows.one("sites", site)
        if found is None:
            raise UnknownName("site", site, [s["id"] for s in await self.rows.sites()], "/s/{}")
        return found

    async def one(self, what: Literal["station", "session", "incident"], site: str, name: str) -> Doc:
        """The row of one thing of a site.

        Raises:
            UnknownName: there is none by that name.
        """
        doc = await self.rows.one(f"{what}s", f"{site}|{name}" if what == "station" else name)
        if doc is None or doc["site"] != site:
            known = [row[what] for row in await self.rows.first(SUGGESTED, f"{what}s", site)]
            raise UnknownName(what, name, known, f"/s/{site}/{what}s/{{}}")
        return doc

    def config(self, site: str) -> SiteConfig | None:
        """The configuration in force."""
        return self._config(site)

    async def sites(self, now: datetime) -> list[SiteLine]:
        """Every site in a line, worst first."""
        lines = [
            SiteLine(
                row["id"], row["name"], await self.departures(row["id"], row["zone"], evening_of(now, row["zone"]))
            )
            for row in await self.rows.sites()
        ]
        return sorted(lines, key=lambda line: (-sum(not d.fine for d in line.departures), line.name))

    async def departures(self, site: str, zone: str, day: date, **of: str) -> tuple[Departure, ...]:
        """The departures of a night by its evening's day, from noon to noon; `vehicle=` only those of one.

        What a vehicle does after its next departure is nobody's business yet, but on its own page.
        """
        begins, ends = noon(day, zone)
        docs = await self.rows.between("readiness", site, begins, ends, **of)
        docs = [doc for doc in docs if of or doc["code"] != "earlier_departure"]
        works = {w["work"]: w for w in await self.rows.between("work", site, begins - DAY, ends + DAY, **of)}
        fleet = {v["vehicle"]: v for v in await self.rows.of_site("vehicles", site, **of)}
        return tuple(departure(doc, works.get(doc["work"] or ""), fleet.get(doc["vehicle"])) for doc in docs)

    async def now(self, site: str, now: datetime, follow: str = "") -> NowView:
        """The site at this moment."""
        row = await self.site(site)
        limits = await self.limits(row, now - DAY, now + DAY)
        departures = await self.departures(site, row["zone"], evening_of(now, row["zone"]))
        config = self._config(site)
        return NowView(
            site=site,
            name=row["name"],
            zone=row["zone"],
            now=now,
            import_kw=row.get("measured_kw"),
            import_at=moment(row.get("measured_at")),
            limit=limit_at(limits, now),
            departures=departures,
            incidents=await self.incidents(site),
            follow=follow,
            parts=parts(config),
        )

    async def incidents(self, site: str) -> tuple[Incident, ...]:
        """Open ones, worst and oldest first."""
        found = [incident(doc) for doc in await self.rows.unfinished("incidents", site)]
        order = ("critical", "high", "medium", "low")
        return tuple(sorted(found, key=lambda i: (order.index(i.severity), i.opened, i.subject)))

    async def resolved(self, site: str, now: datetime) -> tuple[Incident, ...]:
        """Those that ended since the noon before this night."""
        zone = (await self.site(site))["zone"]
        begins, _ = noon(evening_of(now, zone), zone)
        docs = await self.rows.between("incidents", site, begins, now + DAY)
        return tuple(incident(doc) for doc in docs if doc["resolved"])

    async def limits(self, row: Doc, begins: datetime, ends: datetime) -> tuple[Limit, ...]:
        """The envelope at the grid connection, with who set each step and when that was heard."""
        docs = await self.rows.between("envelope", row["id"], begins, ends)
        types = ("constraint.stated", "source.contacted")
        said = await self.rows.moments(row["id"], types, begins - DAY, ends)
        stated, contacted = ([s for s in said if s.type == of] for of in types)
        steps = [limit(d, contacted if d["fallback"] else stated) for d in docs if d["node"] == row["node"]]
        if not steps and row.get("rating_kw") is not None:
            steps = [Limit(begins, ends, row["rating_kw"], "grid connection", why=row["message"])]
        return merged(steps)

    async def night(self, site: str, now: datetime, day: date | None = None, follow: str = "") -> NightView:
        """A night as the picture needs it."""
        row = await self.site(site)
        zone = row["zone"]
        of = day or evening_of(now, zone)
        first, last = noon(of, zone)
        departures = await self.departures(site, zone, of)
        sessions = await self.rows.between("sessions", site, first, last)
        begins, ends = window(of, zone, [sure(s["started"]) for s in sessions], [d.departs for d in departures])
        limits = await self.limits(row, begins - DAY, ends + DAY)
        grid_meter = await self.rows.readings.meter(site, first, last, "import", row["node"])
        hall_meter = await self.rows.readings.meter(site, first, last, "building")
        read = self.rows.readings.means if len(departures) > CROWD else self.rows.readings.each
        charged = await read(site, first, last)
        plans = await self.rows.newest_plans(site)
        offline = await self._offline(site, first, now)
        feeders = await self._feeders(row)
        later = self._building(site, max(now, begins), ends)

        def put_together() -> NightView:
            imported, gaps = samples.held(grid_meter, now)
            building, _ = samples.held(hall_meter, now)
            own = of_vehicles(sessions)
            vehicles = tuple(
                night_vehicle(d, own.get(d.vehicle, ()), charged, plans.get(d.vehicle), offline, feeders, now, ends)
                for d in departures
            )
            return NightView(
                site=site,
                name=row["name"],
                zone=zone,
                day=of,
                now=now,
                begins=begins,
                ends=ends,
                limits=limits,
                imported=samples.clipped(samples.trimmed(imported, limits), begins, min(now, ends)),
                import_planned=samples.summed([later, *(v.planned for v in vehicles)]) if now < ends else (),
                building=samples.clipped(building, begins, min(now, ends)),
                building_planned=later,
                vehicles=vehicles,
                gaps=tuple(g for g in gaps if g.meets(begins, ends)),
                import_kw=row.get("measured_kw"),
                import_at=moment(row.get("measured_at")),
                follow=follow if any(v.departure.vehicle == follow for v in vehicles) else "",
            )

        return await asyncio.to_thread(put_together)

    def _building(self, site: str, begins: datetime, ends: datetime) -> tuple[Step, ...]:
        """The building's reserve: what plans count with."""
        config = self._config(site)
        if config is None or begins >= ends:
            return ()
        return samples.of_plan(Topology.of(config).reserve_steps(begins, ends), begins, ends)

    async def _offline(self, site: str, begins: datetime, now: datetime) -> dict[str, list[tuple[datetime, datetime]]]:
        """When each station was not connected."""
        types = ("station.connected", "station.disconnected")
        out: dict[str, list[tuple[datetime, datetime]]] = {}
        lost: dict[str, datetime] = {}
        for noted in await self.rows.moments(site, types, begins, now):
            station = noted.station
            if station and noted.type == "station.disconnected":
                lost.setdefault(station, noted.time)
            elif station and station in lost:
                out.setdefault(station, []).append((lost.pop(station), noted.time))
        for station, at in lost.items():
            out.setdefault(station, []).append((at, now))
        return out

    async def _feeders(self, row: Doc) -> Mapping[str, str]:
        """The feeder of each station: the highest node below the grid connection."""
        parents = {n["id"]: n["parent"] for n in row["nodes"]}
        return {s["station"]: below_root(s["node"], parents) for s in await self.rows.of_site("stations", row["id"])}

    async def vehicles(self, site: str, now: datetime, **of: str) -> list[VehicleRow]:
        """The whole fleet, and strangers that a reading named; `vehicle=` only one."""
        row = await self.site(site)
        departures: dict[str, Departure] = {}
        for d in await self.departures(site, row["zone"], evening_of(now, row["zone"]), **of):
            known = departures.get(d.vehicle)
            if known is None or known.final:
                departures[d.vehicle] = d
        bays = {
            (s["station"], int(evse)): bay if s["connected"] else bay | {"measured_kw": None}
            for s in await self.rows.of_site("stations", site)
            for evse, bay in s["evses"].items()
        }
        return [
            vehicle_row(doc, departures.get(doc["vehicle"]), bays.get((doc["station"], doc["evse"])), now)
            for doc in await self.rows.of_site("vehicles", site, **of)
        ]
