"""The newest plan becomes one whole wish per station: reductions at once, raises only into room that is confirmed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

import numpy as np
from immutables import Map

from core.dispatch.ceilings import Instants, Outlet, ceilings, edges
from core.dispatch.functions import Grid, Watts, on, sample, seconds, watts
from core.dispatch.state import Dispatch, StationState
from core.messages.allocation import Step
from core.messages.base import Physical
from core.messages.command import CommandWished, EvseWish
from core.messages.scribe import Scribe
from core.messages.station import StationLimited
from core.sessions import Plug

GRAIN_W = 100
"""Wishes are whole tenths of a kW, rounded down: every protocol version can say them."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """What the plan in force gives an outlet."""

    steps: tuple[Step, ...]
    rank: tuple[object, ...]
    """Who goes first where room is scarce: earlier is first."""
    message: str
    """Id of the `allocation.assigned`."""


@dataclass(frozen=True, slots=True)
class Limit:
    """What one node of the tree may carry at the plugs below it: (second since the epoch, watts), rising in time."""

    steps: tuple[tuple[int, int], ...]


@dataclass(frozen=True, slots=True)
class Site:
    """What a wish depends on besides the stations' own state."""

    outlets: tuple[Outlet, ...]
    paths: Mapping[str, tuple[str, ...]]
    """Node id to itself and its ancestors up to the root."""
    limits: Mapping[str, Limit]
    """With every source dropping to its fallback when its word runs out, less the building's reserve at the root."""
    plugs: Map[tuple[str, int], Plug]
    wanted: Mapping[tuple[str, int], Wanted]
    safe_kw: Mapping[str, float]
    horizon: timedelta
    causes: tuple[str, ...] = ()
    """The envelope and configuration that the limits rest on."""


def decide(state: Dispatch, site: Site, now: datetime, scribe: Scribe, memory: Memory | None = None) -> None:
    """Write `command.wished` for every connected station whose wish changed or runs out."""
    planned = (memory or Memory()).planned(state, site, now)
    for station in sorted({o.station for o in site.outlets}):
        known = state.stations.get(station)
        if known is None or known.connection is None:
            continue
        wish = _wish(station, site, planned, now)
        reason = _reason(known, wish, now, site.horizon)
        if reason:
            at = Physical(station=station)
            scribe.write(wish.model_copy(update={"reason": reason}), at=at, causes=_causes(station, known, site))


def next_deadline(state: Dispatch, site: Site, now: datetime) -> datetime | None:
    """When the first wish with a running transaction is half through."""
    moments = [
        _renewal(known.wish.body, site.horizon)
        for known in state.stations.values()
        if known.connection and known.wish and isinstance(known.wish.body, CommandWished) and known.wish.body.evses
    ]
    return min((m for m in moments if m > now), default=None)


def _plug(site: Site, outlet: Outlet) -> Plug | None:
    return site.plugs.get((outlet.station, outlet.evse))


def _causes(station: str, known: StationState, site: Site) -> list[str]:
    assigned = [w.message for (s, _), w in sorted(site.wanted.items(), key=lambda i: i[0]) if s == station]
    hand = [known.hand.id] if known.hand else []
    step = [known.last.id] if known.last else [known.connection.message] if known.connection else []
    return [*assigned, *hand, *step, *site.causes]


# -- the functions of time ----------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Planned:
    grid: Grid
    until: int
    power: Mapping[tuple[str, int], Watts]


@dataclass(slots=True)
class Memory:
    """The last functions of time, and all that they follow from: a wish that was written changes none of it."""

    _given: tuple[object, ...] = ()
    _found: _Planned | None = None

    def planned(self, state: Dispatch, site: Site, now: datetime) -> _Planned:
        """The functions of time, made anew only where something differs."""
        given = _given(state, site, now)
        if self._found is None or given != self._given:
            self._given, self._found = given, _plan(state, site, now)
        return self._found


def _given(state: Dispatch, site: Site, now: datetime) -> tuple[object, ...]:
    """Everything that `_plan` looks at."""
    stations = tuple((s.station, s.possible, s.hand) for s in state.stations.values())
    plugs = tuple(_plug(site, o) for o in site.outlets)
    return (now, state.guard, site.horizon, site.outlets, site.paths, site.limits, site.wanted, stations, plugs)


def _plan(state: Dispatch, site: Site, now: datetime) -> _Planned:
    guard = int(state.guard.total_seconds())
    until = seconds(now + site.horizon)
    instants = Instants(_grid(state, site, now, until, guard), guard)
    limits = {node: _limit(limit, instants.grid) for node, limit in site.limits.items()}
    early = {node: instants.ahead(limit) for node, limit in limits.items()}
    caps: dict[tuple[str, int], tuple[Watts, Watts]] = {
        (o.station, o.evse): ceilings(o, state.stations.get(o.station), _plug(site, o), instants) for o in site.outlets
    }
    ranked = sorted(site.outlets, key=lambda o: _rank(site, o))
    wanted = _fitted(ranked, state, site, instants.grid, early)
    room = _room(site, caps, limits)
    power = {}
    for outlet in ranked:
        place = (outlet.station, outlet.evse)
        power[place] = _granted(site.paths[outlet.node], wanted[place], *caps[place], room, instants)
    return _Planned(instants.grid, until, power)


def _rank(site: Site, outlet: Outlet) -> tuple[object, ...]:
    """Outlets that may start by themselves come first: their safe level is theirs already."""
    wanted = site.wanted.get((outlet.station, outlet.evse))
    if wanted is None:
        return (0, outlet.station, outlet.evse)
    return (1, *wanted.rank, outlet.station, outlet.evse)


def _grid(state: Dispatch, site: Site, now: datetime, until: int, guard: int) -> Grid:
    """Every moment at which anything steps, and each of these a guard time later and earlier."""
    begins = seconds(now)
    moments: set[int] = {until}
    for outlet in site.outlets:
        moments |= edges(state.stations.get(outlet.station))
    for limit in site.limits.values():
        moments.update(t for t, _ in limit.steps)
    for wanted in site.wanted.values():
        moments.update(seconds(s.at) for s in wanted.steps)
    for known in state.stations.values():
        moments.update(seconds(m.at.ends) for m in (known.hand,) if m is not None and m.at.ends is not None)
    shifted = {m + d for m in moments for d in (-guard, 0, guard)}
    inside = {begins - guard, begins} | {m for m in shifted if begins - guard < m <= until + guard}
    return np.array(sorted(inside), dtype=np.int64)


def _limit(limit: Limit, grid: Grid) -> Watts:
    times, values = zip(*limit.steps, strict=True)
    return on(grid, np.array(times, dtype=np.int64), np.array(values, dtype=np.int64))


def _fitted(
    ranked: Sequence[Outlet], state: Dispatch, site: Site, grid: Grid, limits: Mapping[str, Watts]
) -> dict[tuple[str, int], Watts]:
    """What each outlet shall have, cut down by rank where the limits are lower than the plan knew."""
    left = {node: limit.copy() for node, limit in limits.items()}
    fitted: dict[tuple[str, int], Watts] = {}
    for outlet in ranked:
        path = site.paths[outlet.node]
        power = np.minimum(_asked(outlet, state, site, grid), _least(left, path))
        power = np.maximum(power, 0) // GRAIN_W * GRAIN_W
        for node in path:
            left[node] -= power
        fitted[(outlet.station, outlet.evse)] = power
    return fitted


def _asked(outlet: Outlet, state: Dispatch, site: Site, grid: Grid) -> Watts:
    wanted = site.wanted.get((outlet.station, outlet.evse))
    if wanted is None:
        power = np.full_like(grid, outlet.safe_w)
    else:
        power = np.minimum(sample(wanted.steps, grid), outlet.rating_w)
    known = state.stations.get(outlet.station)
    return _capped_by_hand(power, known, site, outlet, grid)


def _capped_by_hand(power: Watts, known: StationState | None, site: Site, outlet: Outlet, grid: Grid) -> Watts:
    if known is None or known.hand is None or not isinstance(known.hand.body, StationLimited):
        return power
    shared = sum(1 for o in site.outlets if o.station == outlet.station)
    cap = watts(known.hand.body.kw) // shared
    ends = known.hand.at.ends
    inside = np.ones(len(grid), dtype=bool) if ends is None else grid < seconds(ends)
    capped: Watts = np.where(inside, np.minimum(power, cap), power)
    return capped


def _room(
    site: Site, caps: Mapping[tuple[str, int], tuple[Watts, Watts]], limits: Mapping[str, Watts]
) -> dict[str, Watts]:
    """What every node has left when each outlet draws all that it still may, as slowly as it may follow."""
    room = {node: limit.copy() for node, limit in limits.items()}
    for outlet in site.outlets:
        for node in site.paths[outlet.node]:
            room[node] -= caps[(outlet.station, outlet.evse)][1]
    return room


def _granted(
    path: Sequence[str], wanted: Watts, cap: Watts, slow: Watts, room: dict[str, Watts], instants: Instants
) -> Watts:
    """Less than the ceiling is granted at once; more only as far as the room reaches, which it then takes.

    The room has to last for a guard time: so long a charger may still draw what its schedule lowers.
    """
    lasting = instants.ahead(slow + _least(room, path))
    granted = np.minimum(wanted, np.maximum(cap, lasting)) // GRAIN_W * GRAIN_W
    more = np.maximum(instants.behind(np.maximum(granted, cap)), slow) - slow
    if more.any():
        for node in path:
            room[node] = room[node] - more
    result: Watts = granted
    return result


def _least(left: Mapping[str, Watts], path: Sequence[str]) -> Watts:
    least = left[path[0]]
    for node in path[1:]:
        least = np.minimum(least, left[node])
    return least


# -- wishes -------------------------------------------------------------------------------------------------------


def _wish(station: str, site: Site, planned: _Planned, now: datetime) -> CommandWished:
    until = now + site.horizon
    evses = []
    for outlet in site.outlets:
        plug = _plug(site, outlet)
        if outlet.station == station and plug is not None and plug.transaction is not None:
            power = planned.power[(station, outlet.evse)]
            steps = _steps(power, planned.grid, now, until, outlet.safe_w)
            evses.append(EvseWish(evse=outlet.evse, steps=steps, transaction=plug.transaction))
    return CommandWished(evses=tuple(evses), valid_until=until, safe_kw=site.safe_kw[station])


def _steps(power: Watts, grid: Grid, now: datetime, until: datetime, safe_w: int) -> tuple[Step, ...]:
    begins, end = seconds(now), seconds(until)
    steps: list[Step] = []
    for moment, value in zip(grid.tolist(), power.tolist(), strict=True):
        if moment < begins or moment >= end:
            continue
        kw = value / 1000
        if not steps or steps[-1].kw != kw:
            steps.append(Step(at=now if moment == begins else _moment(moment, now), kw=kw))
    return (*steps, Step(at=until, kw=safe_w / 1000))


def _moment(second: int, like: datetime) -> datetime:
    return datetime.fromtimestamp(second, tz=like.tzinfo)


def _renewal(wish: CommandWished, horizon: timedelta) -> datetime:
    return wish.valid_until - horizon / 2


def _reason(known: StationState, wish: CommandWished, now: datetime, horizon: timedelta) -> str:
    """Why this wish has to be written; empty where the last one still says it."""
    if known.wish is None or not isinstance(known.wish.body, CommandWished):
        return "first_contact"
    last = known.wish.body
    if last.safe_kw != wish.safe_kw:
        return "safe_level"
    if [(e.evse, e.transaction) for e in last.evses] != [(e.evse, e.transaction) for e in wish.evses]:
        return "transaction"
    renewal = _renewal(last, horizon)
    for before, after in zip(last.evses, wish.evses, strict=True):
        if change := _change(before, after, now, last.valid_until, renewal):
            return change
    return "renewal" if wish.evses and now >= renewal else ""


def _change(last: EvseWish, new: EvseWish, now: datetime, until: datetime, renewal: datetime) -> str:
    """Whether the new function differs from the last where that still holds.

    A reduction counts up to the last wish's end; a raise only before its renewal, which brings the later ones by itself.
    """
    moments = {seconds(now), *(seconds(s.at) for s in (*last.steps, *new.steps))}
    grid = np.array(sorted(m for m in moments if seconds(now) <= m < seconds(until)), dtype=np.int64)
    if not len(grid):
        return ""
    difference = sample(new.steps, grid) - sample(last.steps, grid)
    if (difference < 0).any():
        return "reduction"
    return "freed_room" if (difference[grid < seconds(renewal)] > 0).any() else ""
