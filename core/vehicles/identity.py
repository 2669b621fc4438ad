"""Which vehicle a plug-in belongs to, by ranked evidence; unknown where evidence is missing or conflicts."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from core.access import normal
from core.messages.base import Physical
from core.messages.scribe import Scribe
from core.messages.site import SiteConfig
from core.messages.vehicle import Evidence, VehicleIdentified
from core.sessions import Plug, Sessions
from core.vehicles.state import Bay, Placement, Position, VehiclesState
from core.work import Departure

ARRIVED_WITHIN = timedelta(minutes=15)
"""A position so long before the plug-in still tells who came."""
EARLY, LATE = timedelta(minutes=15), timedelta(minutes=60)
"""A plug-in fits a planned return from so long before until so long after it."""


@dataclass(slots=True)
class _Claims:
    """The evidence at one plug: vehicles by kind of evidence, and the messages that say so."""

    plug: Plug
    said: dict[str, Evidence] = field(default_factory=dict)
    causes: list[str] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Answer:
    """Which vehicle a plug-in belongs to, and why."""

    vehicle: str | None
    by: Evidence
    candidates: tuple[str, ...] = ()
    causes: tuple[str, ...] = ()


def identify(
    state: VehiclesState, sessions: Sessions, config: SiteConfig, departures: Sequence[Departure]
) -> dict[Bay, Answer]:
    """Who stands at each plug, by ranked evidence: person, token, EVCCID, telematics, plan.

    A person's word beats all and takes the vehicle away from every other plug. Otherwise two kinds of evidence that
    disagree, or one vehicle claimed at two plugs, leave the vehicle unknown (`conflict`). The plan speaks only where
    nothing else does, no card was shown, and exactly one planned return and one such plug-in fit each other.
    """
    plugged = {bay: plug for bay, plug in sorted(sessions.plugs.items(), key=lambda item: item[0]) if plug.plugged}
    words = _words(state, plugged)
    answers = {bay: Answer(word.vehicle, "person", (), (word.message,)) for bay, word in words.items()}
    holders, standing = _holders(config), _standing(state)
    claims = {
        bay: _claims(sessions, plug, holders, standing.get(bay, ()))
        for bay, plug in plugged.items()
        if bay not in words
    }
    times = Counter(vehicle for claim in claims.values() for vehicle in claim.said)
    times.update(word.vehicle for word in words.values())
    for bay, claim in claims.items():
        answers[bay] = _answer(claim, times)
    _by_plan(answers, claims, departures)
    return answers


def _words(state: VehiclesState, plugged: Mapping[Bay, Plug]) -> dict[Bay, Placement]:
    """People's words that hold: said since the plug-in began, and the newest about that vehicle."""
    newest: dict[str, tuple[datetime, Bay]] = {}
    for bay, plug in plugged.items():
        word = state.placed.get(bay)
        if word is not None and (plug.since is None or word.time >= plug.since):
            newest[word.vehicle] = max(newest.get(word.vehicle, (word.time, bay)), (word.time, bay))
    return {bay: state.placed[bay] for _, bay in newest.values()}


def _holders(config: SiteConfig) -> dict[str, dict[str, Evidence]]:
    """Which vehicles a token or EVCCID names, and as what."""
    found: dict[str, dict[str, Evidence]] = {}
    for vehicle in config.vehicles:
        for evccid in vehicle.evccids:
            found.setdefault(normal(evccid), {})[vehicle.id] = "evccid"
        for token in vehicle.tokens:
            found.setdefault(normal(token), {})[vehicle.id] = "token"
    return found


def _standing(state: VehiclesState) -> dict[Bay, list[tuple[str, Position]]]:
    """Which vehicles said that they stand at a bay, in order of their names."""
    found: dict[Bay, list[tuple[str, Position]]] = {}
    for vehicle, position in sorted(state.positions.items(), key=lambda item: item[0]):
        found.setdefault(position.bay, []).append((vehicle, position))
    return found


def _claims(
    sessions: Sessions,
    plug: Plug,
    holders: Mapping[str, Mapping[str, Evidence]],
    standing: Sequence[tuple[str, Position]],
) -> _Claims:
    found = _Claims(plug)
    for vehicle, position in standing:
        if plug.since is None or position.time >= plug.since - ARRIVED_WITHIN:
            found.said[vehicle] = "telematics"
            found.causes.append(position.message)
    if plug.token is None:
        return found
    found.said.update(holders.get(normal(plug.token), {}))
    session = sessions.sessions.get(plug.session or "")
    found.causes.insert(0, session.started_by if session else plug.status_by)
    return found


def _answer(claim: _Claims, times: Mapping[str, int]) -> Answer:
    causes, candidates = tuple(claim.causes), tuple(sorted(claim.said))
    if not candidates:
        return Answer(None, "none", (), causes)
    if len(candidates) > 1 or times[candidates[0]] > 1:
        return Answer(None, "conflict", candidates, causes)
    return Answer(candidates[0], claim.said[candidates[0]], (), causes)


def _by_plan(
    answers: dict[Bay, Answer],
    claims: Mapping[Bay, _Claims],
    departures: Sequence[Departure],
) -> None:
    """Match what is left: a silent plug-in with the only planned return that fits, and that return with no other."""
    seen = {vehicle for a in answers.values() for vehicle in (a.vehicle, *a.candidates) if vehicle}
    due = {d.vehicle: d for d in reversed(departures) if d.back is not None and d.vehicle not in seen}
    fitting = {
        bay: [vehicle for vehicle, d in sorted(due.items()) if _fits(claims[bay].plug, d)]
        for bay, answer in answers.items()
        if answer.by == "none" and claims[bay].plug.token is None
    }
    times = Counter(vehicle for vehicles in fitting.values() for vehicle in vehicles)
    for bay, vehicles in fitting.items():
        if len(vehicles) == 1 and times[vehicles[0]] == 1:
            answers[bay] = Answer(vehicles[0], "plan", (), due[vehicles[0]].causes[:2])


def _fits(plug: Plug, departure: Departure) -> bool:
    if plug.since is None or departure.back is None:
        return False
    return departure.back - EARLY <= plug.since <= departure.back + LATE


def decide(
    state: VehiclesState,
    sessions: Sessions,
    config: SiteConfig,
    departures: Sequence[Departure],
    now: datetime,
    scribe: Scribe,
    *,
    configured: str = "",
) -> None:
    """Write `vehicle.identified` for every plug-in whose answer changed. Nothing here depends on passing time."""
    for bay, answer in sorted(identify(state, sessions, config, departures).items(), key=lambda item: item[0]):
        plug = sessions.plugs[bay]
        known = state.identified.get(bay)
        told = (answer.vehicle, answer.by, answer.candidates, _plug_in(plug))
        if known is not None and told == (known.vehicle, known.by, known.candidates, known.since):
            continue
        body = VehicleIdentified(
            vehicle=answer.vehicle, by=answer.by, candidates=answer.candidates, since=_plug_in(plug)
        )
        at = Physical(station=bay[0], evse=bay[1], vehicle=answer.vehicle, session=plug.session)
        scribe.write(body, at=at, causes=[plug.began, *answer.causes, configured])


def next_deadline(state: VehiclesState, now: datetime) -> datetime | None:
    """Never: who stands where does not change by waiting."""
    return None


def _plug_in(plug: Plug) -> str:
    return plug.began or plug.session or ""


def vehicle_at(state: VehiclesState, station: str, evse: int) -> str | None:
    """The vehicle at a bay; None where nobody is plugged in or the vehicle is unknown."""
    found = state.identified.get((station, evse))
    return found.vehicle if found else None


def at_plug(state: VehiclesState, sessions: Sessions, vehicle: str) -> Plug | None:
    """The plug at which the vehicle stands now."""
    for bay in sorted(bay for bay, found in state.identified.items() if found.vehicle == vehicle):
        plug = sessions.plugs.get(bay)
        if plug is not None and plug.plugged and state.identified[bay].since == _plug_in(plug):
            return plug
    return None
