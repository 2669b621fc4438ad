"""Which requirement is in force for each departure, and when a new one is worth a message."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from immutables import Map

from core.messages.base import Message, Physical
from core.messages.requirement import RequirementComputed, RequirementWithdrawn
from core.messages.scribe import Scribe
from core.messages.site import SiteConfig
from core.requirements.account import compute
from core.vehicles import Reading
from core.work import OVER, Departure

SOC_STEP = 0.02
"""A state of charge that moved by more than this since it was recorded makes a new requirement."""
FORGET_AFTER = timedelta(days=2)

Key = tuple[str, str]
"""(vehicle, planned departure as ISO 8601)."""


@dataclass(frozen=True, slots=True)
class RequirementsState:
    """The requirement in force of every (vehicle, departure), and departures that are over for good."""

    current: Map[Key, Message] = Map()
    over: Map[Key, datetime] = Map()


def fold(state: RequirementsState, message: Message) -> RequirementsState:
    """The state after one more message; a repeat changes nothing."""
    body = message.body
    if isinstance(body, RequirementComputed):
        return _fold_computed(state, message, (body.vehicle, body.departs.isoformat()))
    if isinstance(body, RequirementWithdrawn):
        return _fold_withdrawn(state, message, body)
    return state


def _fold_computed(state: RequirementsState, message: Message, key: Key) -> RequirementsState:
    known = state.current.get(key)
    if key in state.over or (known is not None and message.time < known.time):
        return state
    return replace(state, current=state.current.set(key, message))


def _fold_withdrawn(state: RequirementsState, message: Message, body: RequirementWithdrawn) -> RequirementsState:
    key = (body.vehicle, body.departs.isoformat())
    current = state.current.delete(key) if key in state.current else state.current
    horizon = message.time - FORGET_AFTER
    over: Map[Key, datetime] = Map({known: moment for known, moment in state.over.items() if moment >= horizon})
    if body.reason == "departure_over":
        over = over.set(key, body.departs)
    return RequirementsState(current, over)


def decide(
    state: RequirementsState,
    departures: Sequence[Departure],
    soc: Callable[[str], Reading | None],
    config: SiteConfig,
    now: datetime,
    scribe: Scribe,
    *,
    configured: str = "",
    finals: Mapping[Key, str] | None = None,
) -> None:
    """Write every requirement that changed materially, and withdraw those whose departure is over or gone.

    `configured` is the id of the `site.configured` in force, `finals` the id of the final readiness of departures
    that have one. A new SoC alone makes a new requirement only where it was unknown or fell by more than 2 points:
    charging is progress towards what is required, no change of it.
    """
    finals = finals or {}
    wanted = {d.key: d for d in departures if d.key not in finals and d.key not in state.over}
    for key, message in sorted(state.current.items()):
        if key not in wanted:
            _withdraw(message, finals.get(key, ""), now, scribe)
    for key, departure in sorted(wanted.items()):
        reading = soc(departure.vehicle)
        before = state.current.get(key)
        if before is not None and _same_basis(before, departure, configured) and not _moved(before, reading):
            continue
        body = compute(departure, reading, config)
        if body is not None and _material(before, body):
            causes = [*departure.causes, reading.message if reading else "", configured]
            scribe.write(body, at=_where(body), causes=[*causes[-2:], *causes[:-2]])


def next_deadline(state: RequirementsState, now: datetime) -> datetime | None:
    """When the next departure is over although no message came; changes of `departures` have their own deadline."""
    moments = (body.departs + OVER for body in _bodies(state))
    return min((moment for moment in moments if moment > now), default=None)


def _bodies(state: RequirementsState) -> Iterator[RequirementComputed]:
    for message in state.current.values():
        assert isinstance(message.body, RequirementComputed)
        yield message.body


def _material(before: Message | None, body: RequirementComputed) -> bool:
    if before is None:
        return True
    old = before.body
    assert isinstance(old, RequirementComputed)
    if _without_soc(old) != _without_soc(body):
        return True
    return _soc_moved(old.soc_now, body.soc_now)


def _soc_moved(old: float | None, new: float | None) -> bool:
    if new is None:
        return False
    return old is None or old - new > SOC_STEP + 1e-9


def _same_basis(before: Message, departure: Departure, configured: str) -> bool:
    """Whether a requirement already rests on this work and configuration, so that only the SoC can have changed."""
    body = before.body
    assert isinstance(body, RequirementComputed)
    basis = (configured, *departure.causes)
    return bool(configured) and body.works == departure.works and all(c in before.causes for c in basis if c)


def _moved(before: Message, reading: Reading | None) -> bool:
    body = before.body
    assert isinstance(body, RequirementComputed)
    return _soc_moved(body.soc_now, None if reading is None else reading.value)


def _without_soc(body: RequirementComputed) -> RequirementComputed:
    """The requirement less what follows from the state of charge."""
    inputs = tuple(item for item in body.inputs if item.name != "soc_now")
    empty = {"soc_now": None, "soc_measured": None, "battery_kwh": None, "plug_kwh": None, "grid_kwh": None}
    return body.model_copy(update={**empty, "inputs": inputs})


def _withdraw(message: Message, final: str, now: datetime, scribe: Scribe) -> None:
    body = message.body
    assert isinstance(body, RequirementComputed)
    over = bool(final) or body.departs + OVER <= now
    withdrawn = RequirementWithdrawn(
        vehicle=body.vehicle, departs=body.departs, reason="departure_over" if over else "schedule_changed"
    )
    scribe.write(withdrawn, at=message.at, causes=[message.id, final])


def _where(body: RequirementComputed) -> Physical:
    return Physical(vehicle=body.vehicle, work=body.works[0] if body.works else None, ends=body.departs)
