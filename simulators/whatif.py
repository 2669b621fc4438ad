"""The same night without a hub: everybody gets an equal share of every node's room, minute by minute; and the seeded draw."""

from __future__ import annotations

from datetime import datetime, timedelta
from pathlib import Path

from simulators.charger.battery import Battery, accepted_kw
from simulators.clairvoyant import foresee, limit_kw, station_kw
from simulators.scenario import BadScenario, Scenario, Visit, build, read

_STEP = timedelta(minutes=1)


def draw(path: Path, seed: int | None = None) -> Scenario:
    """The night of a seed: drawn until a clairvoyant plan serves everybody with energy to spare.

    A file with `possible = false` in `[draw]` is taken at its first draw.

    Raises:
        BadScenario: the file cannot be used, or no draw could be served.
    """
    file = read(path)
    seed = file["seed"] if seed is None else seed
    if file["draw"].get("possible") is False:
        return build(file, seed)
    for attempt in range(file["draw"]["tries"]):
        scenario = build(file, seed, attempt)
        if foresee(scenario).feasible:
            return scenario
    raise BadScenario(f"{path}: no draw in {file['draw']['tries']} can be served; next: ask for less, or allow more kW")


def equal_share(scenario: Scenario) -> dict[str, float]:
    """SoC of each bus at its departure when every plugged bus below its goal gets the same, under every node."""
    batteries = {visit.bus: visit.battery() for visit in scenario.visits}
    moment = scenario.begin
    while moment < scenario.end:
        here = [v for v in scenario.visits if v.arrives <= moment < v.departs and batteries[v.bus].soc < v.goal]
        powers = _share(scenario, here, batteries, moment)
        for visit in here:
            batteries[visit.bus].advance(_STEP / timedelta(hours=1), powers[visit.bus])
        moment += _STEP
    return {bus: battery.soc for bus, battery in batteries.items()}


def _share(scenario: Scenario, here: list[Visit], batteries: dict[str, Battery], moment: datetime) -> dict[str, float]:
    """Water filling: all rise together until full or under a full node."""
    room = {node.id: node.limit_kw for node in scenario.nodes}
    root = next(node.id for node in scenario.nodes if node.parent is None)
    room[root] = max(0.0, limit_kw(scenario, moment) - scenario.building.most_kw(moment))
    above = {visit.bus: _path(scenario, visit.station) for visit in here}
    most = {
        visit.bus: min(station_kw(scenario, visit.station, moment), accepted_kw(visit.curve, batteries[visit.bus].soc))
        for visit in here
    }
    given = dict.fromkeys(most, 0.0)
    rising = set(most)
    while rising:
        crowd = {node: sum(node in above[bus] for bus in rising) for node in room}
        step = min(room[node] / count for node, count in crowd.items() if count)
        step = min(step, *(most[bus] - given[bus] for bus in rising))
        for bus in rising:
            given[bus] += step
        for node, count in crowd.items():
            room[node] -= step * count
        rising = {
            bus for bus in rising if most[bus] - given[bus] > 1e-6 and all(room[node] > 1e-6 for node in above[bus])
        }
    return given


def _path(scenario: Scenario, station: str) -> list[str]:
    parents = {node.id: node.parent for node in scenario.nodes}
    path: list[str] = []
    at: str | None = scenario.node_of[station]
    while at is not None:
        path.append(at)
        at = parents[at]
    return path
