"""The sum of ceilings below every node, before and after a decision's wishes are in their stations."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from core.dispatch import ceiling
from core.dispatch.ceilings import edges
from core.dispatch.functions import Grid, Watts, seconds
from core.messages import Message, Position
from core.messages.command import CommandSent, CommandWished
from core.site import SiteState, fold
from core.site.stages.given import outlets
from core.site.stages.wishes import dispatched
from tests.core.site.play import Play


def never_lifted_above_a_limit(play: Play, state: SiteState, decided: Sequence[Message]) -> None:
    """With all these wishes in force at once, no node is above its limit that was not so high before.

    `state` is the one that holds the decision.
    """
    wishes = [m for m in decided if isinstance(m.body, CommandWished)]
    if not wishes or state.config is None:
        return
    now = wishes[0].time
    sent = _sent(play, state, wishes)
    grid = _grid(sent, seconds(now))
    for node, limit in dispatched(state, state.config, now).limits.items():
        before, after = _sum(state, node, grid), _sum(sent, node, grid)
        above = after > np.maximum(_sampled(limit.steps, grid), before)
        assert not above.any(), (node, grid[above] - seconds(now), before[above], after[above])


def _sent(play: Play, state: SiteState, wishes: Sequence[Message]) -> SiteState:
    for wish in wishes:
        assert isinstance(wish.body, CommandWished)
        for number, installed in enumerate(play.schedules(str(wish.at.station), wish.body)):
            body = CommandSent(wish=wish.id, call="x", installed=(installed,))
            message = wish.model_copy(update={"id": f"{wish.id}-{number}", "type": body.TYPE, "body": body})
            state = fold(state, message, Position(state.seen, 0))
    return state


def _grid(state: SiteState, now: int) -> Grid:
    moments = {now, *(m for known in state.dispatch.stations.values() for m in edges(known))}
    return np.array(sorted(m for m in moments if m >= now), dtype=np.int64)


def _sum(state: SiteState, node: str, grid: Grid) -> Watts:
    assert state.topology is not None
    total = np.zeros_like(grid)
    for outlet in outlets(state):
        if node in state.topology.path(outlet.node):
            plug = state.sessions.plugs.get((outlet.station, outlet.evse))
            total += ceiling(outlet, state.dispatch.stations.get(outlet.station), plug, grid)
    return total


def _sampled(steps: Sequence[tuple[int, int]], grid: Grid) -> Watts:
    times, values = np.array([t for t, _ in steps]), np.array([w for _, w in steps], dtype=np.int64)
    found: Watts = values[np.clip(np.searchsorted(times, grid, side="right") - 1, 0, None)]
    return found
