"""The allocation problem as plain integers: nodes with limits, demands with windows, ranks of price; one JSON form."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

MAX_SLOTS = 4_032
MAX_DEMANDS = 20_000
MAX_WH = 10**12
"""Larger numbers are refused: nothing at a depot needs them, and sums stay far from the solver's range."""


class ProblemError(ValueError):
    """The problem contradicts itself or is out of range; the text says where and what."""


@dataclass(frozen=True, slots=True)
class NodeLimit:
    """A node of the tree of limits: what may pass per slot (Wh at the plug) and who set that limit."""

    id: str
    parent: str | None
    cap_wh: tuple[int, ...]
    sources: tuple[str, ...] = ()
    """Per slot, who set the limit; empty: the node's rating."""

    def source(self, slot: int) -> str:
        """Who set the limit that holds in this slot."""
        return self.sources[slot] if self.sources else "rating"


@dataclass(frozen=True, slots=True)
class Demand:
    """What one vehicle needs by its deadline and what can reach it (Wh at the plug) in each slot."""

    id: str
    node: str
    """Where its connector hangs."""
    cap_wh: tuple[int, ...]
    """Least of connector, vehicle and hand-set limit; 0 outside its stay and after its deadline."""
    need_wh: int
    priority: int = 1
    """Class; 0 is served first."""
    deadline_slot: int = -1
    """The first slot that is too late; -1: the end of the horizon."""
    buffer_slot: int = -1
    """From this slot on energy is placed only where it fits nowhere earlier; -1: the deadline."""
    counted: bool = True
    """False: best effort only, never a missed departure."""
    prefer: tuple[int, ...] = ()
    """The previous plan's energies; decide who is missed where that is free."""
    reason: str = ""
    """Known beforehand (`soc_unknown`, `charger_offline`); told where the demand is missed."""
    connector: str = ""
    """What its connector is called in explanations; empty: the demand's id."""
    binds: tuple[str, ...] = ()
    """Per slot, which of `connector`, `vehicle`, `hand` sets cap_wh; empty: `connector`."""

    def bind(self, slot: int) -> str:
        """What sets the demand's own limit in this slot."""
        return self.binds[slot] if self.binds else "connector"


@dataclass(frozen=True, slots=True)
class Problem:
    """One allocation problem over `slots` slots of `slot_s` seconds; checked when it is made."""

    begins: datetime
    slot_s: int
    slots: int
    nodes: tuple[NodeLimit, ...]
    demands: tuple[Demand, ...]
    price: tuple[int, ...] = field(default=())
    """Rank of each slot's tariff tier, the cheapest is 0; empty: one tier."""
    first_s: int = 0
    """Length of the first slot where it is partial; 0: it is whole."""

    def __post_init__(self) -> None:
        """Refuse nonsense with a text that names the place.

        Raises:
            ProblemError: negative or non-integer numbers, wrong lengths, unknown nodes, cycles, doubled ids.
        """
        _check_frame(self)
        _check_nodes(self)
        known = {node.id for node in self.nodes}
        for demand in self.demands:
            _check_demand(demand, self.slots, known)


def _fail(where: str, what: str) -> None:
    raise ProblemError(f"{where}: {what}")


def _whole(where: str, value: object, low: int, high: int) -> None:
    if isinstance(value, bool) or not isinstance(value, int):
        _fail(where, f"a whole number is needed, not {value!r}")
    elif not low <= value <= high:
        _fail(where, f"{value} is outside {low}..{high}")


def _series(where: str, values: Sequence[object], slots: int) -> None:
    if len(values) != slots:
        _fail(where, f"{len(values)} values for {slots} slots")
    # Most series are good: one pass with C speed decides, and only a bad one is searched for its place.
    if set(map(type, values)) <= {int} and min(values, default=0) >= 0 and max(values, default=0) <= MAX_WH:  # type: ignore[type-var,operator]  # because: the first test says that all are int
        return
    for slot, value in enumerate(values):
        _whole(f"{where}[{slot}]", value, 0, MAX_WH)


def _unique(where: str, ids: Sequence[str]) -> None:
    seen: set[str] = set()
    for name in ids:
        if not isinstance(name, str) or not name:
            _fail(where, "an id is a text that is not empty")
        if name in seen:
            _fail(where, f"{name!r} stands twice")
        seen.add(name)


def _check_frame(problem: Problem) -> None:
    if not isinstance(problem.begins, datetime) or problem.begins.tzinfo is None:
        _fail("begins", "a moment with its offset is needed")
    _whole("slot_s", problem.slot_s, 1, 86_400)
    _whole("first_s", problem.first_s, 0, problem.slot_s)
    _whole("slots", problem.slots, 1, MAX_SLOTS)
    if len(problem.demands) > MAX_DEMANDS:
        _fail("demands", f"{len(problem.demands)} are more than {MAX_DEMANDS}")
    if problem.price:
        _series("price", problem.price, problem.slots)
    _unique("nodes", [node.id for node in problem.nodes])
    _unique("demands", [demand.id for demand in problem.demands])


def _check_nodes(problem: Problem) -> None:
    parents = {node.id: node.parent for node in problem.nodes}
    if sum(parent is None for parent in parents.values()) != 1:
        _fail("nodes", "exactly one node has no parent")
    for node in problem.nodes:
        where = f"nodes[{node.id}]"
        _series(f"{where}.cap_wh", node.cap_wh, problem.slots)
        if node.sources and len(node.sources) != problem.slots:
            _fail(f"{where}.sources", f"{len(node.sources)} values for {problem.slots} slots")
        if node.parent is not None and node.parent not in parents:
            _fail(f"{where}.parent", f"unknown node {node.parent!r}")
        _climb(node.id, parents)


def _climb(start: str, parents: Mapping[str, str | None]) -> None:
    at: str | None = start
    for _ in range(len(parents) + 1):
        if at is None:
            return
        at = parents.get(at)
    _fail(f"nodes[{start}].parent", "the parents form a cycle")


def _check_demand(demand: Demand, slots: int, known: set[str]) -> None:
    where = f"demands[{demand.id}]"
    if demand.node not in known:
        _fail(f"{where}.node", f"unknown node {demand.node!r}")
    _series(f"{where}.cap_wh", demand.cap_wh, slots)
    if demand.prefer:
        _series(f"{where}.prefer", demand.prefer, slots)
    if demand.binds and len(demand.binds) != slots:
        _fail(f"{where}.binds", f"{len(demand.binds)} values for {slots} slots")
    _whole(f"{where}.need_wh", demand.need_wh, 0, MAX_WH)
    _whole(f"{where}.priority", demand.priority, 0, 99)
    _whole(f"{where}.deadline_slot", demand.deadline_slot, -1, slots)
    _whole(f"{where}.buffer_slot", demand.buffer_slot, -1, slots)
    if not isinstance(demand.counted, bool):
        _fail(f"{where}.counted", "true or false is needed")
    if demand.deadline_slot >= 0 and any(demand.cap_wh[demand.deadline_slot :]):
        _fail(f"{where}.cap_wh", "is not 0 after its deadline")


def slot_moment(problem: Problem, slot: int) -> datetime:
    """When the slot begins (for `slots`: when the horizon ends), UTC."""
    if slot <= 0:
        return problem.begins.astimezone(UTC)
    first = problem.first_s or problem.slot_s
    seconds = problem.begins.timestamp() + first + (slot - 1) * problem.slot_s
    return datetime.fromtimestamp(seconds, UTC)


def slot_length_s(problem: Problem, slot: int) -> int:
    """The slot's length in seconds."""
    return problem.first_s if slot == 0 and problem.first_s else problem.slot_s


def to_json(problem: Problem) -> dict[str, Any]:
    """The problem as plain data; `from_json(to_json(p)) == p`."""
    return {
        "format": "busbar.problem/1",
        "begins": problem.begins.astimezone(UTC).isoformat(),
        "slot_s": problem.slot_s,
        "first_s": problem.first_s,
        "slots": problem.slots,
        "price": list(problem.price),
        "nodes": [_plain(node) for node in problem.nodes],
        "demands": [_plain(demand) for demand in problem.demands],
    }


def _plain(part: NodeLimit | Demand) -> dict[str, Any]:
    values = ((name, getattr(part, name)) for name in part.__dataclass_fields__)
    return {name: list(value) if isinstance(value, tuple) else value for name, value in values}


def from_json(data: Mapping[str, Any]) -> Problem:
    """A problem from plain data; where a number stands instead of a list it holds for every slot, a demand's until its deadline.

    Raises:
        ProblemError: unknown or missing fields, and all that `Problem` refuses.
    """
    if not isinstance(data, Mapping):
        raise ProblemError("problem: an object is needed")
    if data.get("format", "busbar.problem/1") != "busbar.problem/1":
        raise ProblemError(f"format: {data['format']!r} is not busbar.problem/1")
    _fields("problem", data, {"begins", "slot_s", "slots", "nodes", "demands"}, {"price", "first_s", "format"})
    _whole("slots", data["slots"], 1, MAX_SLOTS)
    slots = data["slots"]
    return Problem(
        begins=_moment(data["begins"]),
        slot_s=data["slot_s"],
        first_s=data.get("first_s", 0),
        slots=slots,
        price=_spread(data.get("price", ()), slots),
        nodes=tuple(NodeLimit(**_part("nodes", row, slots, NodeLimit)) for row in _rows(data, "nodes")),
        demands=tuple(Demand(**_part("demands", row, slots, Demand)) for row in _rows(data, "demands")),
    )


_REQUIRED = {"nodes": {"id", "parent", "cap_wh"}, "demands": {"id", "node", "cap_wh", "need_wh"}}
_SERIES = {"cap_wh", "sources", "prefer", "binds"}


def _rows(data: Mapping[str, Any], name: str) -> Sequence[Mapping[str, Any]]:
    rows = data[name]
    if not isinstance(rows, list | tuple) or not all(isinstance(row, Mapping) for row in rows):
        raise ProblemError(f"{name}: a list of objects is needed")
    return rows


def _part(where: str, row: Mapping[str, Any], slots: int, kind: type[Any]) -> dict[str, Any]:
    required = _REQUIRED[where]
    _fields(f"{where}[{row.get('id')}]", row, required, set(kind.__dataclass_fields__) - required)
    found = {name: _spread(value, slots) if name in _SERIES else value for name, value in row.items()}
    end = row.get("deadline_slot", -1)
    if isinstance(row["cap_wh"], int) and isinstance(end, int) and 0 <= end <= slots:
        found["cap_wh"] = (row["cap_wh"],) * end + (0,) * (slots - end)
    return found


def _fields(where: str, row: Mapping[str, Any], required: set[str], optional: set[str]) -> None:
    for name in sorted(required - set(row)):
        _fail(where, f"{name} is missing")
    for name in sorted(set(row) - required - optional):
        _fail(where, f"{name} is not a field")


def _spread(value: Any, slots: int) -> tuple[Any, ...]:
    return tuple(value) if isinstance(value, list | tuple) else (value,) * slots


def _moment(value: Any) -> datetime:
    try:
        return datetime.fromisoformat(value)
    except (TypeError, ValueError):
        raise ProblemError(f"begins: {value!r} is not a moment") from None
