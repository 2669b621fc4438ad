"""Fills the views from the read models; what is decided stands there already, here it is only put beside each other."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, date, datetime, time, timedelta
from typing import Any, cast
from zoneinfo import ZoneInfo

from core.energy_system import Topology
from core.messages import words
from core.messages.readiness import State
from core.messages.site import SiteConfig
from gateway.pages import samples
from gateway.pages.rows import PageRows
from gateway.pages.steps import limit_at, merged, value_at
from gateway.pages.views import (
    Departure,
    Gap,
    Incident,
    Limit,
    NightVehicle,
    NightView,
    NowView,
    SiteLine,
    Step,
    VehicleRow,
)
from gateway.readmodels.rows import Doc

NOON = time(12)
EVENING = time(18)
HALF = timedelta(minutes=30)
DAY = timedelta(days=1)
STALE = timedelta(minutes=15)


class UnknownName(LookupError):
    """No such site, vehicle, station or incident; `known` are the names that there are, `where` leads to them."""

    def __init__(self, what: str, name: str, known: Sequence[str] = (), where: str = "") -> None:
        super().__init__(f"no {what} {name}")
        self.what, self.name, self.known, self.where = what, name, tuple(known), where


def moment(text: str | None) -> datetime | None:
    """A moment as rows keep it."""
    return datetime.fromisoformat(text).astimezone(UTC) if text else None


def sure(text: str) -> datetime:
    """A moment that is always there."""
    return datetime.fromisoformat(text).astimezone(UTC)


def evening_of(now: datetime, zone: str) -> date:
    """The day in whose evening the present night begins: before noon it is yesterday's."""
    local = now.astimezone(ZoneInfo(zone))
    return local.date() if local.time() >= NOON else local.date() - DAY


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

    async def departures(self, site: str, zone: str, day: date) -> tuple[Departure, ...]:
        """The departures of a night by its evening's day: from noon to noon."""
        begins, ends = noon(day, zone)
        docs = await self.rows.between("readiness", site, begins, ends)
        works = {w["work"]: w for w in await self.rows.between("work", site, begins - DAY, ends + DAY)}
        fleet = {v["vehicle"]: v for v in await self.rows.of_site("vehicles", site)}
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
            parts=_parts(config),
        )

    async def incidents(self, site: str, *, resolved: bool = False) -> tuple[Incident, ...]:
        """Open ones, worst and oldest first; or those that are over, newest first."""
        docs = [d for d in await self.rows.of_site("incidents", site, limit=1000) if bool(d["resolved"]) == resolved]
        found = [incident(doc) for doc in docs]
        if resolved:
            return tuple(sorted(found, key=lambda i: i.resolved or i.opened, reverse=True)[:100])
        order = ("critical", "high", "medium", "low")
        return tuple(sorted(found, key=lambda i: (order.index(i.severity), i.opened)))

    async def limits(self, row: Doc, begins: datetime, ends: datetime) -> tuple[Limit, ...]:
        """The envelope at the grid connection, with who set each step and when that was heard."""
        docs = await self.rows.between("envelope", row["id"], begins, ends)
        sources = {s["source"]: s for s in await self.rows.of_site("sources", row["id"])}
        stated = [at for _, at, _ in await self.rows.moments(row["id"], ["constraint.stated"], begins - DAY, ends)]
        steps = [_limit(d, sources, stated) for d in docs if d["node"] == row["node"]]
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
        readings = await self.rows.between("samples", site, begins - HALF, min(now, ends) + HALF)
        imported, gaps = _meter(readings, "import", row["node"], now)
        building, _ = _meter(readings, "building", None, now)
        plans = await self.rows.newest_plans(site)
        offline = await self._offline(site, first, now)
        feeders = await self._feeders(row)
        vehicles = tuple(
            _vehicle(d, sessions, readings, plans.get(d.vehicle), offline, feeders, now, ends) for d in departures
        )
        later = self._building(site, max(now, begins), ends)
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
            gaps=tuple(g for g in gaps if g.ends > begins and g.begins < ends),
            follow=follow if any(v.departure.vehicle == follow for v in vehicles) else "",
        )

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
        for kind, at, station in await self.rows.moments(site, types, begins, now):
            if station and kind == "station.disconnected":
                lost.setdefault(station, at)
            elif station and station in lost:
                out.setdefault(station, []).append((lost.pop(station), at))
        for station, at in lost.items():
            out.setdefault(station, []).append((at, now))
        return out

    async def _feeders(self, row: Doc) -> Mapping[str, str]:
        """The feeder of each station: the highest node below the grid connection."""
        parents = {n["id"]: n["parent"] for n in row["nodes"]}
        return {s["station"]: _below_root(s["node"], parents) for s in await self.rows.of_site("stations", row["id"])}

    async def vehicles(self, site: str, now: datetime) -> list[VehicleRow]:
        """The whole fleet, and strangers that a reading named."""
        row = await self.site(site)
        departures: dict[str, Departure] = {}
        for d in await self.departures(site, row["zone"], evening_of(now, row["zone"])):
            known = departures.get(d.vehicle)
            if known is None or known.final:
                departures[d.vehicle] = d
        bays = {
            (s["station"], int(evse)): bay
            for s in await self.rows.of_site("stations", site)
            for evse, bay in s["evses"].items()
        }
        return [
            vehicle_row(doc, departures.get(doc["vehicle"]), bays.get((doc["station"], doc["evse"])), now)
            for doc in await self.rows.of_site("vehicles", site)
        ]


def noon(day: date, zone: str) -> tuple[datetime, datetime]:
    """From noon of a day to the next noon, on the site's clock."""
    tz = ZoneInfo(zone)
    return (
        datetime.combine(day, NOON, tz).astimezone(UTC),
        datetime.combine(day + DAY, NOON, tz).astimezone(UTC),
    )


def window(
    day: date, zone: str, arrivals: Sequence[datetime], departures: Sequence[datetime]
) -> tuple[datetime, datetime]:
    """From 18:00, or half an hour before the first arrival, to half an hour after the last morning departure."""
    first, last = noon(day, zone)
    begins = datetime.combine(day, EVENING, ZoneInfo(zone)).astimezone(UTC)
    tonight = [a for a in arrivals if first <= a]
    if tonight:
        begins = max(first, min(begins, min(tonight) - HALF))
    morning = [d for d in departures if begins < d <= last]
    ends = max(morning) + HALF if morning else last - timedelta(hours=4)
    return begins, ends


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
        ready_at=moment(doc["ready_at"]),
        left=moment(doc["assessed"]) if final else None,
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


def _limit(doc: Doc, sources: Mapping[str, Doc], stated: Sequence[datetime]) -> Limit:
    name = doc["binding_source"].removesuffix(" fallback")
    begins = sure(doc["from"])
    heard = max((at for at in stated if at <= begins), default=None)
    if doc["fallback"]:
        heard = moment(sources.get(name, {}).get("contacted"))
    rating = name == "rating"
    return Limit(
        begins=begins,
        ends=sure(doc["to"]),
        kw=doc["import_kw"],
        source="grid connection" if rating else name,
        fallback=doc["fallback"],
        heard=None if rating else heard,
        why=doc["message"],
    )


def _meter(
    readings: Sequence[Doc], measures: str, node: str | None, now: datetime
) -> tuple[tuple[Step, ...], tuple[Gap, ...]]:
    """A site meter's steps and gaps."""
    found = [
        (sure(r["time"]), float(r["import_kw"]))
        for r in readings
        if r.get("measures") == measures and r.get("import_kw") is not None
        if node is None or r.get("node") in (None, node)
    ]
    return samples.held(found, now)


def _vehicle(
    of: Departure,
    sessions: Sequence[Doc],
    readings: Sequence[Doc],
    plan: Doc | None,
    offline: Mapping[str, Sequence[tuple[datetime, datetime]]],
    feeders: Mapping[str, str],
    now: datetime,
    ends: datetime,
) -> NightVehicle:
    own = sorted((s for s in sessions if s["vehicle"] == of.vehicle), key=lambda s: str(s["started"]))
    until = min(now, of.left or now)
    planned: tuple[Step, ...] = ()
    if plan is not None and not of.final:
        points = [(sure(s["at"]), float(s["kw"])) for s in plan["steps"]]
        planned = tuple(s for s in samples.of_plan(points, now, min(of.departs, ends)) if s.kw > 0)
    measured: list[Step] = []
    gaps: list[Gap] = []
    for session in own:
        over = moment(session["ended"]) or until
        steps, holes = held_session(session, readings, min(over, until))
        measured += steps
        gaps += [_named(hole, offline.get(session["station"], ()), steps) for hole in holes]
    station = own[-1]["station"] if own else (plan or {}).get("station") or ""
    stays = tuple((sure(s["started"]), moment(s["ended"]) or min(of.departs, ends)) for s in own)
    return NightVehicle(of, feeders.get(station, ""), _joined(stays), tuple(measured), planned, tuple(gaps))


def held_session(session: Doc, readings: Sequence[Doc], until: datetime) -> tuple[tuple[Step, ...], tuple[Gap, ...]]:
    """What a session took, and where it was not measured."""
    found = [
        (sure(r["time"]), float(r["power_kw"]))
        for r in readings
        if r.get("session") == session["session"] and r.get("power_kw") is not None
    ]
    return samples.held(found, until)


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


def _below_root(node: str | None, parents: Mapping[str, str | None]) -> str:
    at = node
    for _ in range(len(parents)):
        up = parents.get(at or "")
        if up is None or parents.get(up) is None:
            return at or ""
        at = up
    return at or ""


def _parts(config: SiteConfig | None) -> tuple[tuple[str, str], ...]:
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
