"""What is known about work: folded from imports as they arrive and from what the core took over."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import NamedTuple, TypeVar

from immutables import Map

from core.messages.base import Message
from core.messages.work import (
    AssignmentStated,
    Block,
    ScheduleImported,
    ScheduleReceived,
    WorkAssigned,
    WorkPlanned,
    WorkStated,
    WorkWithdrawn,
)

T = TypeVar("T")

KEPT = timedelta(days=2)
"""Work that ended longer ago leaves the folded state."""

Order = tuple[str, str]
"""(operating day, block): what an assignment names; it knows no feed."""


@dataclass(frozen=True, slots=True)
class Planned:
    """One piece of work as the core took it over, and which vehicle runs it."""

    block: Block
    by: str
    """Id of its latest `work.planned`."""
    since: datetime
    vehicle: str | None = None
    assigned_by: str = ""
    """Id of its latest `work.assigned`."""
    assigned_at: datetime | None = None

    @property
    def ended(self) -> datetime:
        """The last moment that it names."""
        return self.block.returns or self.block.departs


class Told(NamedTuple):
    """An assignment as it was stated: the vehicle (None: nobody) and the message that said so."""

    vehicle: str | None
    by: str


@dataclass(frozen=True, slots=True)
class Pending:
    """An import that is still arriving, or that waits for its decision once `received` stands."""

    since: datetime
    blocks: Map[str, tuple[Block, str]] = Map()
    orders: Map[Order, Told] = Map()
    received: Message | None = None
    taken: Map[str, tuple[str, ...]] = Map()
    """Work that it planned already, with the fields that it changed, none for new work: a long import takes several decisions."""
    withdrawn: int = 0
    assigned: int = 0


@dataclass(frozen=True, slots=True)
class WorkState:
    """All work that is known, the imports that are on their way, and what each feed said last."""

    works: Map[str, Planned] = Map()
    orders: Map[Order, Told] = Map()
    """Assignments as stated last, also for work that is not known yet."""
    pending: Map[str, Pending] = Map()
    latest: Map[str, str] = Map()
    """The import that holds now, by feed."""
    received: Map[str, datetime] = Map()
    """Ids of `schedule.received` messages that were folded, so that a repeat is not a new import."""


def fold(state: WorkState, message: Message) -> WorkState:
    """The state after one more message; messages of other concepts change nothing."""
    handler = _FOLDS.get(message.type)
    return handler(state, message) if handler else state


def _fold_stated(state: WorkState, message: Message) -> WorkState:
    body = message.body
    assert isinstance(body, WorkStated)
    pending = state.pending.get(body.import_id) or Pending(message.recorded)
    pending = replace(pending, blocks=pending.blocks.set(body.block.work, (body.block, message.id)))
    return replace(state, pending=state.pending.set(body.import_id, pending))


def _fold_order(state: WorkState, message: Message) -> WorkState:
    body = message.body
    assert isinstance(body, AssignmentStated)
    pending = state.pending.get(body.import_id) or Pending(message.recorded)
    order = (body.operating_day.isoformat(), body.block)
    pending = replace(pending, orders=pending.orders.set(order, Told(body.vehicle, message.id)))
    return replace(state, pending=state.pending.set(body.import_id, pending))


def _fold_received(state: WorkState, message: Message) -> WorkState:
    body = message.body
    assert isinstance(body, ScheduleReceived)
    if message.id in state.received or state.latest.get(body.feed) == body.import_id:
        return replace(state, pending=_without(state.pending, body.import_id))
    pending = state.pending.get(body.import_id) or Pending(message.recorded)
    return replace(
        state,
        pending=state.pending.set(body.import_id, replace(pending, received=message)),
        received=state.received.set(message.id, message.recorded),
    )


def _fold_planned(state: WorkState, message: Message) -> WorkState:
    body = message.body
    assert isinstance(body, WorkPlanned)
    known = state.works.get(body.block.work)
    if known is None:
        planned = Planned(body.block, message.id, message.time)
    elif message.time < known.since:
        return state
    else:
        planned = replace(known, block=body.block, by=message.id, since=message.time)
    state = replace(state, works=state.works.set(body.block.work, planned))
    name = _import_of(state, message)
    if name is None:
        return state
    pending = state.pending[name]
    return _with(state, name, replace(pending, taken=pending.taken.set(body.block.work, body.fields)))


def _fold_withdrawn(state: WorkState, message: Message) -> WorkState:
    name = _import_of(state, message)
    state = replace(state, works=_without(state.works, message.at.work or ""))
    if name is None:
        return state
    return _with(state, name, replace(state.pending[name], withdrawn=state.pending[name].withdrawn + 1))


def _import_of(state: WorkState, message: Message) -> str | None:
    """The import that a decided change of work follows from, while it is not closed."""
    for name, pending in state.pending.items():
        if pending.received is not None and pending.received.id in message.causes:
            return name
    return None


def _with(state: WorkState, name: str, pending: Pending) -> WorkState:
    return replace(state, pending=state.pending.set(name, pending))


def _fold_assigned(state: WorkState, message: Message) -> WorkState:
    body = message.body
    assert isinstance(body, WorkAssigned)
    known = state.works.get(message.at.work or "")
    if known is None or (known.assigned_at is not None and message.time < known.assigned_at):
        return state
    assigned = replace(known, vehicle=body.vehicle, assigned_by=message.id, assigned_at=message.time)
    state = replace(state, works=state.works.set(known.block.work, assigned))
    for name, pending in state.pending.items():
        if pending.received is not None and _states(pending, known.block, message.causes):
            return _with(state, name, replace(pending, assigned=pending.assigned + 1))
    return state


def _states(pending: Pending, block: Block, causes: Sequence[str]) -> bool:
    """Whether an assignment of that work follows from this import."""
    told = pending.orders.get((block.operating_day.isoformat(), block.block))
    return block.work in pending.taken or (told is not None and told.by in causes)


def _fold_imported(state: WorkState, message: Message) -> WorkState:
    """The import is closed: its assignments hold from now on, and what is long over is dropped."""
    body = message.body
    assert isinstance(body, ScheduleImported)
    horizon = message.time - KEPT
    pending = state.pending.get(body.import_id)
    orders = state.orders.update(pending.orders) if pending else state.orders
    oldest = horizon.date().isoformat()
    return WorkState(
        works=_only(state.works, lambda planned: planned.ended >= horizon),
        orders=Map({order: told for order, told in orders.items() if order[0] >= oldest}),
        pending=_only(_without(state.pending, body.import_id), lambda waiting: waiting.since >= horizon),
        latest=state.latest.set(body.feed, body.import_id),
        received=_only(state.received, lambda moment: moment >= horizon),
    )


_FOLDS: Mapping[str, Callable[[WorkState, Message], WorkState]] = {
    WorkStated.TYPE: _fold_stated,
    AssignmentStated.TYPE: _fold_order,
    ScheduleReceived.TYPE: _fold_received,
    WorkPlanned.TYPE: _fold_planned,
    WorkWithdrawn.TYPE: _fold_withdrawn,
    WorkAssigned.TYPE: _fold_assigned,
    ScheduleImported.TYPE: _fold_imported,
}


def _without(values: Map[str, T], key: str) -> Map[str, T]:
    return values.delete(key) if key in values else values


def _only(values: Map[str, T], wanted: Callable[[T], bool]) -> Map[str, T]:
    return Map({key: value for key, value in values.items() if wanted(value)})
