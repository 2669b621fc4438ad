"""What a plan could do that knows the whole night in advance: one max-flow over buses, slots and the tree of limits."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from ortools.graph.python.max_flow import SimpleMaxFlow

from simulators.charger.battery import accepted_kw
from simulators.scenario import Scenario, Visit

SLOT = timedelta(minutes=5)
_KNEE = 0.8


@dataclass(frozen=True)
class Passing:
    """What can pass one place in its window: a bus (what its battery takes), a station, or a node of the tree."""

    place: str
    begins: datetime
    ends: datetime
    kwh: float


@dataclass(frozen=True)
class Cut:
    """Why somebody falls short: these buses need more than all that can pass; needed less passing is what is missing."""

    buses: tuple[str, ...]
    needed_kwh: float
    passing: tuple[Passing, ...]


@dataclass(frozen=True)
class Outlook:
    """Whether everybody can be served; by how many kWh each bus falls short, and through which cut."""

    short_kwh: dict[str, float]
    cut: Cut | None = None

    @property
    def feasible(self) -> bool:
        """Everybody gets all the energy asked for."""
        return not self.short_kwh


def foresee(scenario: Scenario, spare: bool = True) -> Outlook:
    """The flow over the night as it will really be; with `spare`, each bus asks for more than it needs."""
    graph = _Graph(scenario)
    for visit in scenario.visits:
        graph.add(visit, (1 + _margin(scenario, visit)) if spare else 1.0)
    short = graph.solve()
    return Outlook(short, graph.cut() if short else None)


def limit_kw(scenario: Scenario, moment: datetime) -> float:
    """The grid operator's limit at a moment; its whole absence counts with its fallback, the cautious reading."""
    dso = scenario.dso
    if dso.silent_from and dso.handshake_again and dso.silent_from <= moment < dso.handshake_again:
        return min(dso.rating_kw, dso.fallback_kw)
    limit = dso.rating_kw
    for said in dso.forecasts:
        for block in said.blocks if said.type == "CONSUMPTION" else ():
            if block.begins <= moment < block.ends and said.at <= moment:
                limit = min(block.kw, dso.rating_kw)
    return limit


def station_kw(scenario: Scenario, station: str, moment: datetime) -> float:
    """What a station can be told to give: its rating, or its safe level while its connection is lost."""
    spec = next(spec for spec in scenario.stations if spec.id == station)
    lost = spec.quirks.lost_from
    if lost is not None and lost <= moment < lost + spec.quirks.lost_for:
        return scenario.safe_kw[station]
    return sum(spec.ratings_kw)


def _margin(scenario: Scenario, visit: Visit) -> float:
    return scenario.spare_disturbed if visit.disturbed else scenario.spare


def _place(name: str) -> str:
    """What a node of the graph stands for: `plug:CP-15` is a station, `BUS-133:tail` a bus, anything else a node."""
    return name.removeprefix("plug:").removesuffix(":body").removesuffix(":tail")


class _Graph:
    """Source -> bus (body below the knee of its curve, tail above it) -> connector and slot -> panel -> feeder -> grid."""

    def __init__(self, scenario: Scenario) -> None:
        self.scenario = scenario
        self.flow = SimpleMaxFlow()
        self.slots = [scenario.begin + SLOT * n for n in range((scenario.end - scenario.begin) // SLOT)]
        self.names: dict[tuple[str, int], int] = {}
        self.source, self.sink = 0, 1
        self.asks: list[tuple[str, int, int]] = []
        self._tree()

    def add(self, visit: Visit, factor: float) -> None:
        """A bus's demand, scaled by `factor`."""
        body = max(0.0, min(visit.goal, _KNEE) - visit.soc)
        tail = max(0.0, visit.goal - max(visit.soc, _KNEE))
        low, high = accepted_kw(visit.curve, visit.soc), accepted_kw(visit.curve, min(visit.goal, 0.995))
        for part, share, kw in (("body", body, low), ("tail", tail, min(low, high))):
            wh = round(share * visit.type.capacity_kwh / visit.type.eta * 1000 * factor)
            demand = self._node(f"{visit.bus}:{part}", -1)
            self.asks.append((visit.bus, self.flow.add_arc_with_capacity(self.source, demand, wh), wh))
            self._connect(visit, demand, kw)

    def solve(self) -> dict[str, float]:
        """Missing kWh by bus."""
        self.flow.solve(self.source, self.sink)
        missing: dict[str, float] = {}
        for bus, arc, wh in self.asks:
            short = wh - self.flow.flow(arc)
            if short:
                missing[bus] = missing.get(bus, 0.0) + short / 1000
        return missing

    def cut(self) -> Cut:
        """The min cut of the flow: its full arcs, by the place that they stand for."""
        inside = set(self.flow.get_source_side_min_cut())
        asks = [(bus, wh) for bus, arc, wh in self.asks if self.flow.head(arc) in inside]
        name_of = {node: name for (name, _), node in self.names.items()}
        slot_of = {node: index for (_, index), node in self.names.items()}
        full: dict[str, dict[int, int]] = {}
        for arc in range(self.flow.num_arcs()):
            tail, head = self.flow.tail(arc), self.flow.head(arc)
            if tail != self.source and tail in inside and head not in inside and self.flow.capacity(arc):
                slots = full.setdefault(_place(name_of[tail]), {})
                index = slot_of[tail] if slot_of[tail] >= 0 else slot_of[head]
                slots[index] = slots.get(index, 0) + self.flow.capacity(arc)
        return Cut(
            tuple(dict.fromkeys(bus for bus, _ in asks)),
            sum(wh for _, wh in asks) / 1000,
            tuple(self._passing(place, slots) for place, slots in sorted(full.items())),
        )

    def _passing(self, place: str, slots: dict[int, int]) -> Passing:
        return Passing(place, self.slots[min(slots)], self.slots[max(slots)] + SLOT, sum(slots.values()) / 1000)

    def _connect(self, visit: Visit, demand: int, kw: float) -> None:
        until = visit.departs - timedelta(seconds=self.scenario.unplug_lead_s)
        for index, slot in enumerate(self.slots):
            inside = min(until, slot + SLOT) - max(visit.arrives, slot)
            if inside <= timedelta():
                continue
            plug = self._plug(visit.station, index, slot)
            self.flow.add_arc_with_capacity(demand, plug, int(kw * 1000 * (inside / timedelta(hours=1))))

    def _plug(self, station: str, index: int, slot: datetime) -> int:
        known = (f"plug:{station}", index)
        if known in self.names:
            return self.names[known]
        plug = self._node(*known)
        wh = int(station_kw(self.scenario, station, slot) * 1000 * (SLOT / timedelta(hours=1)))
        self.flow.add_arc_with_capacity(plug, self.names[self.scenario.node_of[station], index], wh)
        return plug

    def _tree(self) -> None:
        hours = SLOT / timedelta(hours=1)
        for index, slot in enumerate(self.slots):
            for node in self.scenario.nodes:
                self._node(node.id, index)
            for node in self.scenario.nodes:
                above = self.sink if node.parent is None else self.names[node.parent, index]
                kw = node.limit_kw if node.parent else self._site_kw(slot)
                self.flow.add_arc_with_capacity(self.names[node.id, index], above, int(kw * 1000 * hours))

    def _site_kw(self, slot: datetime) -> float:
        building = self.scenario.building
        return max(0.0, limit_kw(self.scenario, slot) - building.most_kw(slot))

    def _node(self, name: str, index: int) -> int:
        return self.names.setdefault((name, index), len(self.names) + 2)
