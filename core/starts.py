"""Sessions that do not begin by themselves: when the core asks a station to start one, how often, and what became of it."""

from __future__ import annotations

from collections.abc import Container
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from immutables import Map

from core.access import may_charge, normal
from core.messages import Message, Physical
from core.messages.command import (
    CommandAccepted,
    CommandRejected,
    CommandRequested,
    CommandSent,
    CommandUnanswered,
)
from core.messages.gateway import TokenChanged
from core.messages.scribe import Scribe
from core.messages.site import SiteConfig
from core.sessions import Plug, Sessions

WAIT = timedelta(minutes=1)
"""A session begins by itself within so long: a driver shows a card, a charger recognises a vehicle."""
HOLDS = timedelta(minutes=1)
"""A request that no station took so long after it is over."""
AGAIN = timedelta(minutes=5)
"""Between the end of a request and the next one for the same plug-in."""
TRIES = 2
"""Requests per plug-in; what does not start then needs a person, and is an incident by then."""

Bay = tuple[str, int]


@dataclass(frozen=True, slots=True)
class Starts:
    """The newest request at each bay, which of them were taken by their station, and what tokens are worth."""

    asked: Map[Bay, Message] = Map()
    taken: Map[str, str] = Map()
    """Station to the last request that it was sent."""
    tokens: Map[str, TokenChanged] = Map()


def fold(state: Starts, message: Message) -> Starts:
    """The state after one more fact; facts of other concepts, and repeats, change nothing."""
    body, station = message.body, message.at.station
    if isinstance(body, TokenChanged):
        return replace(state, tokens=state.tokens.set(normal(body.token), body))
    if station is None:
        return state
    if isinstance(body, CommandRequested):
        return replace(state, asked=state.asked.set((station, message.at.evse or 0), message))
    steps = CommandSent | CommandAccepted | CommandRejected | CommandUnanswered
    if isinstance(body, steps) and body.purpose in ("start", "stop") and state.taken.get(station) != body.wish:
        return replace(state, taken=state.taken.set(station, body.wish))
    return state


def waiting(state: Starts) -> list[Message]:
    """Requests that no station has taken, in order; whoever takes one looks at its `expires`."""
    return [m for (station, _), m in sorted(state.asked.items()) if state.taken.get(station) != m.id]


def decide(
    state: Starts,
    sessions: Sessions,
    config: SiteConfig,
    connected: Container[str],
    wanting: Container[str],
    now: datetime,
    scribe: Scribe,
) -> None:
    """Write `command.requested` for every plug-in that waits for its session for too long.

    `connected` are the stations that can be asked, `wanting` the vehicles that a departure wants charged.
    """
    for bay, plug in sorted(sessions.plugs.items()):
        due, token = _due(state, plug, config), _token(state, plug, config)
        if due is None or token is None or now < due or bay[0] not in connected or plug.vehicle not in wanting:
            continue
        body = CommandRequested(
            act="start", token=token, plug_in=plug.began, number=_number(state, plug) + 1, expires=now + HOLDS
        )
        at = Physical(station=plug.station, evse=plug.evse, vehicle=plug.vehicle)
        scribe.write(body, at=at, causes=_causes(state, plug))


def next_deadline(state: Starts, sessions: Sessions, config: SiteConfig, now: datetime) -> datetime | None:
    """The first moment after `now` at which a plug-in has waited for long enough."""
    moments = (_due(state, plug, config) for plug in sessions.plugs.values())
    return min((moment for moment in moments if moment is not None and moment > now), default=None)


def _due(state: Starts, plug: Plug, config: SiteConfig) -> datetime | None:
    """When the session of this plug-in may be asked for; None where it began (also if it ended), or not any more."""
    begun = plug.transaction is not None or plug.ended is not None
    if config.policies.remote_start == "never" or not plug.plugged or plug.since is None or begun or not plug.vehicle:
        return None
    last = _last(state, plug)
    if last is None:
        return plug.since + WAIT
    return last.expires + AGAIN if last.expires is not None and last.number < TRIES else None


def _last(state: Starts, plug: Plug) -> CommandRequested | None:
    """The last request of this plug-in."""
    message = state.asked.get((plug.station, plug.evse))
    body = message.body if message is not None else None
    return body if isinstance(body, CommandRequested) and body.plug_in == plug.began else None


def _number(state: Starts, plug: Plug) -> int:
    last = _last(state, plug)
    return last.number if last is not None else 0


def _token(state: Starts, plug: Plug, config: SiteConfig) -> str | None:
    """The vehicle's first card that may charge here: a session needs one, and nobody else's is lent to it."""
    cards = next((v.tokens for v in config.vehicles if v.id == plug.vehicle), ())
    return next((card for card in cards if may_charge(card, state.tokens, config).accepted), None)


def _causes(state: Starts, plug: Plug) -> list[str]:
    before = state.asked.get((plug.station, plug.evse)) if _last(state, plug) is not None else None
    return [plug.began, plug.status_by, plug.identified_by, before.id if before is not None else ""]
