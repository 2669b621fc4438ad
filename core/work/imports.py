"""A received import becomes what changed: work taken over, changed, withdrawn, assigned; and one closing count."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime

from core.messages.base import Message, Physical
from core.messages.scribe import Scribe
from core.messages.site import SiteConfig
from core.messages.work import Block, ScheduleImported, ScheduleReceived, WorkAssigned, WorkPlanned, WorkWithdrawn
from core.work.state import Order, Pending, Planned, Told, WorkState, fold

REFUSED_SHOWN = 100


@dataclass(frozen=True, slots=True)
class Difference:
    """What an import changes: blocks by work id, withdrawn work, and rows that cannot be used with their reason."""

    new: tuple[Block, ...] = ()
    changed: tuple[tuple[Block, tuple[str, ...]], ...] = ()
    unchanged: tuple[Block, ...] = ()
    withdrawn: tuple[Planned, ...] = ()
    refused: tuple[tuple[str, str], ...] = ()
    over: int = 0
    """How many departures were over before the calendar that states them came: nobody can correct that."""


@dataclass(slots=True)
class _Outcome:
    """What has been written for one import so far; its counts stand in the folded state."""

    state: WorkState
    refused: list[tuple[str, str]] = field(default_factory=list)


def difference(
    works: Mapping[str, Planned],
    stated: Mapping[str, Block],
    received: ScheduleReceived,
    vehicles: frozenset[str],
    now: datetime,
) -> Difference:
    """Compare an import with what is known; `vehicles` are the ids of the fleet. Pure.

    Work is withdrawn only inside the operating days for which the import is complete, never because its row was set
    aside or refused: a bus whose row is broken still has to leave.
    """
    new: list[Block] = []
    changed: list[tuple[Block, tuple[str, ...]]] = []
    unchanged: list[Block] = []
    refused: list[tuple[str, str]] = []
    over = 0
    for work, block in sorted(stated.items()):
        known = works.get(work)
        if reason := _refusal(block, known, vehicles, now):
            if reason == "departure_in_past" and received.format == "vdv452":
                over += 1
            else:
                refused.append((work, reason))
        elif known is None:
            new.append(block)
        elif fields := changed_fields(known.block, block):
            changed.append((block, fields))
        else:
            unchanged.append(block)
    gone = [p for work, p in sorted(works.items()) if work not in stated and _covered(p.block, received)]
    return Difference(tuple(new), tuple(changed), tuple(unchanged), tuple(gone), tuple(refused), over)


def changed_fields(old: Block, new: Block) -> tuple[str, ...]:
    """The names of the fields in which two statements of the same work differ."""
    return tuple(name for name in Block.model_fields if getattr(old, name) != getattr(new, name))


def _refusal(block: Block, known: Planned | None, vehicles: frozenset[str], now: datetime) -> str:
    if block.vehicle is not None and block.vehicle not in vehicles:
        return "vehicle_unknown"
    if known is None and block.departs < now:
        return "departure_in_past"
    return ""


def _covered(block: Block, received: ScheduleReceived) -> bool:
    if block.work in received.taken_back:
        return True
    if received.covers_from is None or received.covers_until is None or block.work in received.kept:
        return False
    return block.feed == received.feed and received.covers_from <= block.operating_day <= received.covers_until


def repeated(
    state: WorkState, received: ScheduleReceived, blocks: Iterable[Block], config: SiteConfig, now: datetime
) -> ScheduleImported | None:
    """The outcome of an import that is in force already, to which `decide` says nothing; None where it would take it over."""
    if state.latest.get(received.feed) != received.import_id or received.import_id in state.pending:
        return None
    stated = {block.work: block for block in blocks}
    found = difference(state.works, stated, received, _fleet(config), now)
    refused = found.refused
    return ScheduleImported(
        import_id=received.import_id,
        feed=received.feed,
        unchanged=received.stated - len(refused) - found.over,
        quarantined=received.quarantined,
        refused=refused[:REFUSED_SHOWN],
        refused_count=len(refused),
        over=found.over,
    )


def _fleet(config: SiteConfig) -> frozenset[str]:
    return frozenset(vehicle.id for vehicle in config.vehicles)


def decide(state: WorkState, config: SiteConfig, now: datetime, scribe: Scribe) -> None:
    """Write what every import that is complete in the journal changes, and its `schedule.imported`.

    Where the scribe is full before that, the next decision goes on with what is not folded yet.
    """
    waiting = [p for p in state.pending.values() if p.received is not None]
    for pending in sorted(waiting, key=_received_order):
        state = _import(state, pending, config, now, scribe)


def _received_order(pending: Pending) -> tuple[datetime, str]:
    assert pending.received is not None
    return pending.received.recorded, pending.received.id


def _import(state: WorkState, pending: Pending, config: SiteConfig, now: datetime, scribe: Scribe) -> WorkState:
    message = pending.received
    assert message is not None
    body = message.body
    assert isinstance(body, ScheduleReceived)
    vehicles = _fleet(config)
    stated = {work: block for work, (block, _) in pending.blocks.items()}
    found = difference(state.works, stated, body, vehicles, now)
    out = _Outcome(state, list(found.refused))
    _take_over(out, found, pending, message, scribe)
    _withdraw(out, found, message, scribe)
    _assign_stated(out, body.import_id, vehicles, scribe)
    _assign_ordered(out, pending, vehicles, scribe)
    closing = scribe.write(_closing(body, out, found, pending), at=Physical(path=body.feed), causes=[message.id])
    return fold(out.state, closing)


def _closing(body: ScheduleReceived, out: _Outcome, found: Difference, before: Pending) -> ScheduleImported:
    """The counts of the whole import, in however many decisions it was taken over."""
    done = out.state.pending[body.import_id]
    changed = sum(bool(fields) for fields in done.taken.values())
    return ScheduleImported(
        import_id=body.import_id,
        feed=body.feed,
        new=len(done.taken) - changed,
        changed=changed,
        unchanged=sum(block.work not in before.taken for block in found.unchanged),
        withdrawn=done.withdrawn,
        assigned=done.assigned,
        quarantined=body.quarantined,
        refused=tuple(out.refused[:REFUSED_SHOWN]),
        refused_count=len(out.refused),
        over=found.over,
    )


def _take_over(out: _Outcome, found: Difference, pending: Pending, received: Message, scribe: Scribe) -> None:
    for block in found.new:
        body = WorkPlanned(block=block, change="new")
        _write(out, scribe, body, block, [pending.blocks[block.work][1], received.id])
    for block, fields in found.changed:
        body = WorkPlanned(block=block, change="changed", fields=fields)
        before = out.state.works[block.work].by
        _write(out, scribe, body, block, [pending.blocks[block.work][1], received.id, before])


def _withdraw(out: _Outcome, found: Difference, received: Message, scribe: Scribe) -> None:
    for planned in found.withdrawn:
        _write(out, scribe, WorkWithdrawn(), planned.block, [received.id, planned.by], planned.vehicle)


def _assign_stated(out: _Outcome, import_id: str, vehicles: frozenset[str], scribe: Scribe) -> None:
    """Vehicles that the feed itself names, and for new work what an assignment said before the work was known."""
    pending = out.state.pending[import_id]
    for work, fields in sorted(pending.taken.items(), key=lambda taken: (bool(taken[1]), taken[0])):
        if work not in out.state.works or (fields and "vehicle" not in fields):
            continue
        block, by = pending.blocks[work]
        told = Told(block.vehicle, by)
        earlier = out.state.orders.get(_order(block))
        if block.vehicle is None and earlier is not None and earlier.vehicle in vehicles:
            told = earlier
        _assign(out, out.state.works[work], told, scribe)


def _assign_ordered(out: _Outcome, pending: Pending, vehicles: frozenset[str], scribe: Scribe) -> None:
    by_order: dict[Order, list[Planned]] = {}
    for _, planned in sorted(out.state.works.items()):  # because: a replay in another process must write the same order
        by_order.setdefault(_order(planned.block), []).append(planned)
    for order, told in sorted(pending.orders.items()):
        named = by_order.get(order, [])
        if told.vehicle is not None and told.vehicle not in vehicles:
            out.refused.append((f"{order[0]} {order[1]} {told.vehicle}", "vehicle_unknown"))
        elif not named:
            out.refused.append((f"{order[0]} {order[1]}", "work_not_known_yet"))
        for planned in named if told.vehicle is None or told.vehicle in vehicles else ():
            _assign(out, planned, told, scribe)


def _assign(out: _Outcome, planned: Planned, told: Told, scribe: Scribe) -> None:
    if planned.vehicle == told.vehicle:
        return
    _write(out, scribe, WorkAssigned(vehicle=told.vehicle), planned.block, [told.by, planned.by], told.vehicle)


def _order(block: Block) -> Order:
    return block.operating_day.isoformat(), block.block


def _write(
    out: _Outcome,
    scribe: Scribe,
    body: WorkPlanned | WorkWithdrawn | WorkAssigned,
    block: Block,
    causes: list[str],
    vehicle: str | None = None,
) -> None:
    at = Physical(
        work=block.work,
        block=block.block,
        route=block.route,
        duty=block.duty,
        vehicle=vehicle or block.vehicle,
        begins=block.departs,
        ends=block.returns,
    )
    out.state = fold(out.state, scribe.write(body, at=at, causes=causes))
