"""Chargers of one node that fall silent together: one cause, the panel's breaker or its network, and one incident."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from core.energy_system import Topology
from core.incidents.conditions import Condition, World
from core.incidents.facts import Link
from core.messages import Physical

SILENT = timedelta(seconds=60)
"""A lost socket is an incident after so long."""
TOGETHER = timedelta(seconds=10)
"""What falls silent within so long has one cause."""
CITED = 8
"""So many of the losses are cited; the others lie beside them."""


@dataclass(frozen=True, slots=True)
class Panel:
    """A node of which every charger is silent, or was until just now, and the chargers that its incident speaks for."""

    condition: Condition
    stations: tuple[str, ...]


def lost_together(links: Mapping[str, Link], silent: Mapping[str, datetime], world: World) -> list[Panel]:
    """The topmost nodes that lost all their chargers at once, and those whose incident is still open.

    While it is open it speaks for every charger below its node: they come back one after the other.
    """
    if len(silent) < 2 and not any(("panel_lost", node.id) in world.open for node in world.config.nodes):
        return []
    topology = Topology.of(world.config)
    found: list[Panel] = []
    above: set[str] = set()
    for node in _downwards(topology):
        stations = tuple(s.id for s in world.config.stations if s.id in links and node in topology.path(s.node))
        group = _group(stations, silent, node, world) if not above & set(topology.path(node)) else ()
        if group:
            above.add(node)
            since = min(silent[s] for s in group)
            causes = tuple(links[s].by for s in group[:CITED])
            params = {"node": node, "count": len(group), "since": since}
            found.append(Panel(_condition(node, True, since, causes, params), group))
        elif ("panel_lost", node) in world.open and stations:
            back = max(stations, key=lambda s: links[s].since)
            found.append(Panel(_condition(node, False, links[back].since, (links[back].by,), {}), stations))
    return found


def _condition(
    node: str, active: bool, since: datetime, causes: tuple[str, ...], params: Mapping[str, object]
) -> Condition:
    at = Physical(node=node)
    return Condition("panel_lost", node, active, since, causes, params, at=at, opens=since + SILENT)


def _group(stations: tuple[str, ...], silent: Mapping[str, datetime], node: str, world: World) -> tuple[str, ...]:
    """Those that fell silent together, where that left none; empty where one is heard, or it was one alone.

    Where the node's incident is open it goes on: it speaks for every charger that has none of its own.
    """
    if not stations or not all(s in silent for s in stations):
        return ()
    newest = max(silent[s] for s in stations)
    group = tuple(s for s in stations if silent[s] >= newest - TOGETHER)
    if ("panel_lost", node) in world.open:
        return tuple(s for s in stations if s in group or ("charger_offline", s) not in world.open)
    return group if len(group) > 1 else ()


def _downwards(topology: Topology) -> Iterator[str]:
    """Every node, each after its parent."""
    yield from sorted(topology.nodes, key=lambda node: (len(topology.path(node)), node))
