"""The site's tree of limits: grid connection, feeders, panels, stations, and the building's reserve beside them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta
from itertools import pairwise
from typing import TypeVar
from zoneinfo import ZoneInfo

from immutables import Map

from core.messages.site import Node, Reserve, SiteConfig, Station, VehicleType
from core.messages.station import StationAdmitted

T = TypeVar("T")
_QUARTER = timedelta(minutes=15)


@dataclass(frozen=True, slots=True)
class Fault:
    """One reason to refuse a configuration: where it stands, what is wrong in numbers, what to do next."""

    where: str
    what: str
    next: str

    def __str__(self) -> str:
        return f"{self.where}: {self.what}; next: {self.next}"


@dataclass(frozen=True, slots=True)
class Topology:
    """The tree of a site that `faults` found sound. Stations of the configuration win over admitted ones."""

    root: str
    nodes: Map[str, Node]
    stations: Map[str, Station]
    zone: str = "UTC"
    building: tuple[Reserve, ...] = ()

    @classmethod
    def of(cls, config: SiteConfig, admitted: Iterable[StationAdmitted] = ()) -> Topology:
        """The tree of this configuration, with the stations that a person admitted."""
        stations = {a.station: _station(a) for a in admitted}
        stations.update({s.id: s for s in config.stations})
        root = next((n.id for n in config.nodes if n.parent is None), "")
        nodes = Map({n.id: n for n in config.nodes})
        return cls(root, nodes, Map(stations), config.zone, config.building)

    def path(self, node: str | None) -> tuple[str, ...]:
        """Node ids from `node` up to the root; empty for None or an unknown node."""
        return _path(self.nodes, node)

    def below(self, node: str) -> tuple[str, ...]:
        """Ids of the stations at the node or under it, sorted."""
        return tuple(sorted(s.id for s in self.stations.values() if node in self.path(s.node)))

    def rating(self, station: str, evse: int | None = None) -> float:
        """What an EVSE can draw at most (kW); without `evse` the station's sum. An undeclared EVSE counts as the strongest one."""
        known = self.stations.get(station)
        ratings = _ratings(known) if known else {}
        if evse is None:
            return sum(ratings.values())
        return ratings.get(evse, max(ratings.values(), default=0.0))

    def safe_kw(self, node: str) -> float:
        """The sum of the safe levels of all stations below the node (kW)."""
        return sum(self.stations[s].safe_kw for s in self.below(node))

    def reserve_kw(self, at: datetime) -> float:
        """The building's reserve at that moment (kW), by local time of day; kept free at the root."""
        return reserve_at(self.building, _local_time(at, self.zone))

    def reserve_steps(self, begins: datetime, ends: datetime) -> tuple[tuple[datetime, float], ...]:
        """The reserve over a half-open window as (from this moment on, kW); the first is `begins`."""
        steps = [(begins, self.reserve_kw(begins))]
        for moment in self._reserve_moments(begins, ends):
            kw = self.reserve_kw(moment)
            if kw != steps[-1][1]:
                steps.append((moment, kw))
        return tuple(steps)

    def _reserve_moments(self, begins: datetime, ends: datetime) -> list[datetime]:
        """Moments within (begins, ends) where the reserve may step; around a change of the zone's offset each quarter hour."""
        zone = ZoneInfo(self.zone)
        edges = {m for r in self.building for m in local_moments(zone, r.begins, begins, ends)}
        if begins.astimezone(zone).utcoffset() != ends.astimezone(zone).utcoffset():
            edges.update(_quarters(begins, ends))
        return sorted(m for m in edges if begins < m < ends)


def reserve_at(building: tuple[Reserve, ...], local: time) -> float:
    """The reserve (kW) of the period that this local time of day lies in; no periods, no building load."""
    if not building:
        return 0.0
    begun = [r for r in building if r.begins <= local]
    return (begun or building)[-1].kw


def local_moments(zone: ZoneInfo, at: time, begins: datetime, ends: datetime) -> Iterator[datetime]:
    """The UTC moments of a local time of day on each local day that touches the window."""
    day = begins.astimezone(zone).date()
    while day <= ends.astimezone(zone).date():
        yield datetime.combine(day, at, zone).astimezone(UTC)
        day += timedelta(days=1)


def faults(config: SiteConfig) -> tuple[Fault, ...]:
    """Every reason to refuse this configuration; empty means that it may be used."""
    found = [*_identities(config), *_tree(config), *_references(config), *_clockwork(config), *_fleet(config)]
    if not found:
        found = list(_safe_levels(config))
    return tuple(found)


def _station(admitted: StationAdmitted) -> Station:
    return Station(id=admitted.station, node=admitted.node, connectors=admitted.connectors, safe_kw=admitted.safe_kw)


def _path(nodes: Map[str, Node] | dict[str, Node], node: str | None) -> tuple[str, ...]:
    """From `node` upwards; ends at a node without parent, at an unknown one, or where a circle closes."""
    path: list[str] = []
    while node is not None and node in nodes and node not in path:
        path.append(node)
        node = nodes[node].parent
    return tuple(path)


def _ratings(station: Station) -> dict[int, float]:
    """Per EVSE the strongest connector: one connector of an EVSE works at a time."""
    ratings: dict[int, float] = {}
    for c in station.connectors:
        ratings[c.evse] = max(ratings.get(c.evse, 0.0), c.max_kw)
    return ratings


def _local_time(at: datetime, zone: str) -> time:
    return at.astimezone(ZoneInfo(zone)).time()


def _quarters(begins: datetime, ends: datetime) -> Iterator[datetime]:
    utc = begins.astimezone(UTC)
    moment = utc.replace(minute=utc.minute // 15 * 15, second=0, microsecond=0)
    while moment < ends:
        yield moment
        moment += _QUARTER


def doubles(values: Iterable[T]) -> list[T]:
    """What occurs more than once, in order."""
    return [v for v, n in Counter(values).items() if n > 1]


def _identities(config: SiteConfig) -> Iterator[Fault]:
    """Ids, tokens and bays that occur twice."""
    lists = {
        "nodes": [n.id for n in config.nodes],
        "stations": [s.id for s in config.stations],
        "vehicle_types": [t.id for t in config.vehicle_types],
        "vehicles": [v.id for v in config.vehicles],
        "sources": [s.id for s in config.sources],
        "meters": [m.id for m in config.meters],
    }
    for where, ids in lists.items():
        for double in doubles(ids):
            yield Fault(f"{where}.{double}", f"the id {double!r} is declared twice", "rename or remove one of them")
    for kind in ("tokens", "evccids"):
        for double in doubles(t for v in config.vehicles for t in set(getattr(v, kind))):
            yield Fault("vehicles", f"two vehicles share {double!r} in {kind}", "give it to one vehicle only")
    yield from _connectors(config)


def _connectors(config: SiteConfig) -> Iterator[Fault]:
    for station in config.stations:
        where = f"stations.{station.id}"
        if not station.connectors:
            yield Fault(where, "it has no connector", "declare at least one with its max_kw")
        for evse, connector in doubles((c.evse, c.connector) for c in station.connectors):
            what = f"connector {connector} of EVSE {evse} is declared twice"
            yield Fault(where, what, "number the connectors differently")
    bays = {(s.id, c.evse, c.name) for s in config.stations for c in s.connectors if c.name}
    for double in doubles(name for _, _, name in bays):
        yield Fault("stations", f"two bays are called {double!r}", "give each bay a name of its own")


def _tree(config: SiteConfig) -> Iterator[Fault]:
    """Exactly one root, every parent known, no circle."""
    nodes = {n.id: n for n in config.nodes}
    roots = [n.id for n in config.nodes if n.parent is None]
    if len(roots) != 1:
        what = f"{len(roots)} nodes have no parent ({', '.join(roots) or 'none'}), it must be exactly one"
        yield Fault("nodes", what, "leave `parent` out for the grid connection only")
    for node in config.nodes:
        if node.parent is not None and node.parent not in nodes:
            what = f"its parent {node.parent!r} is not declared"
            yield Fault(f"nodes.{node.id}", what, "declare that node or correct the name")
        path = _path(nodes, node.id)
        if nodes[path[-1]].parent in path:
            circle = " > ".join((*path, str(nodes[path[-1]].parent)))
            yield Fault(f"nodes.{node.id}", f"the tree runs in a circle: {circle}", "correct one `parent`")


def _references(config: SiteConfig) -> Iterator[Fault]:
    """Nodes and vehicle types that something refers to."""
    nodes = {n.id for n in config.nodes}
    placed = [
        *((f"stations.{s.id}", s.node) for s in config.stations if s.node is not None),
        *((f"sources.{s.id}", s.node) for s in config.sources),
        *((f"meters.{m.id}", m.node) for m in config.meters),
    ]
    for where, node in placed:
        if node not in nodes:
            yield Fault(where, f"its node {node!r} is not declared", "declare that node or correct the name")
    types = {t.id for t in config.vehicle_types}
    for vehicle in config.vehicles:
        if vehicle.type not in types:
            what = f"its type {vehicle.type!r} is not declared"
            yield Fault(f"vehicles.{vehicle.id}", what, "declare it under vehicle_types or correct the name")


def _clockwork(config: SiteConfig) -> Iterator[Fault]:
    """Zone, tariff and building periods."""
    try:
        ZoneInfo(config.zone)
    except (KeyError, ValueError, OSError):
        yield Fault("zone", f"{config.zone!r} is not a time zone", "use an IANA name such as Europe/Berlin")
    yield from _periods("tariff.periods", [p.begins for p in config.tariff.periods])
    if config.building:
        yield from _periods("building", [r.begins for r in config.building])


def _periods(where: str, begins: list[time]) -> Iterator[Fault]:
    if not begins or begins[0] != time(0):
        first = f"{begins[0]:%H:%M}" if begins else "missing"
        yield Fault(where, f"the first period begins at {first}", "let the first period begin at 00:00")
    if any(later <= earlier for earlier, later in pairwise(begins)):
        yield Fault(where, "the periods are not in rising order", "sort them by `begins` and remove doubles")


def _fleet(config: SiteConfig) -> Iterator[Fault]:
    for kind in config.vehicle_types:
        yield from _vehicle_type(kind)


def _vehicle_type(kind: VehicleType) -> Iterator[Fault]:
    where = f"vehicle_types.{kind.id}"
    curves = {"curve": [x for x, _ in kind.curve], "consumption": [x for x, _ in kind.consumption]}
    for name, xs in curves.items():
        if not xs:
            yield Fault(f"{where}.{name}", "it has no point", "state at least one point")
        if any(b <= a for a, b in pairwise(xs)):
            yield Fault(f"{where}.{name}", "its first numbers do not rise", "sort the points and remove doubles")
    if any(y <= 0 for _, y in kind.consumption):
        yield Fault(f"{where}.consumption", "a consumption is not above 0 kWh/km", "state it in kWh per km")
    if kind.capacity_kwh <= 0:
        yield Fault(f"{where}.capacity_kwh", "the capacity is 0 kWh", "state the usable capacity")
    if kind.soc_floor >= kind.soc_ceiling:
        what = f"soc_floor {kind.soc_floor:g} is not below soc_ceiling {kind.soc_ceiling:g}"
        yield Fault(where, what, "leave room between floor and ceiling")


def _safe_levels(config: SiteConfig) -> Iterator[Fault]:
    """Safe levels and the building's reserve must fit every node and every source's declared fallback."""
    topology = Topology.of(config)
    for node in config.nodes:
        yield from _fits(topology, f"nodes.{node.id}", node.id, node.limit_kw, "its rating")
    for source in config.sources:
        yield from _fits(topology, f"sources.{source.id}", source.node, source.fallback_import_kw, "its fallback")
    for station in config.stations:
        if station.safe_kw > topology.rating(station.id):
            what = f"safe_kw {station.safe_kw:g} is above what its connectors can draw ({topology.rating(station.id):g} kW)"
            yield Fault(f"stations.{station.id}", what, "lower safe_kw")


def _fits(topology: Topology, where: str, node: str, limit_kw: float, name: str) -> Iterator[Fault]:
    safe = topology.safe_kw(node)
    reserve = max((r.kw for r in topology.building), default=0.0) if node == topology.root else 0.0
    if safe + reserve > limit_kw + 1e-9:
        what = f"safe levels {safe:g} kW + building reserve {reserve:g} kW = {safe + reserve:g} kW exceed {name} of {limit_kw:g} kW"
        yield Fault(where, what, f"lower safe levels by {safe + reserve - limit_kw:g} kW, or raise {name}")
