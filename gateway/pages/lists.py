"""Lists by GET query: what is filtered away, in which order, and which page of 50 rows is shown."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar
from urllib.parse import urlencode

from gateway import terms
from gateway.pages.views import ConnectorRow, Incident, VehicleRow
from gateway.pages.words import STATES

PER_PAGE = 50
T = TypeVar("T")
Key = Callable[[T], Any]


@dataclass(frozen=True, slots=True)
class Rules(Generic[T]):
    """What a list can be asked: sorts by name (the first is the default), states to filter by, the text that `q` searches."""

    sorts: Mapping[str, Key[T]]
    text: Callable[[T], str]
    states: Mapping[str, Callable[[T], bool]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Listing(Generic[T]):
    """One page of a list, and what the next link must keep of the query."""

    rows: Sequence[T]
    total: int
    """Rows before the filter."""
    found: int
    number: int
    pages: int
    sort: str
    q: str
    state: str
    states: tuple[str, ...]

    @property
    def filtered(self) -> bool:
        """Whether anything was asked for."""
        return bool(self.q or self.state)

    def link(self, **changed: str | int) -> str:
        """This list's query with something changed."""
        asked = {"q": self.q, "state": self.state, "sort": self.sort, **changed}
        return "?" + urlencode({name: value for name, value in asked.items() if value})


def matching(rows: Sequence[T], rules: Rules[T], query: Mapping[str, str]) -> list[T]:
    """The rows that the filter leaves, in their order."""
    q, state = _filter(rules, query)
    return [r for r in rows if q.lower() in rules.text(r).lower() and (not state or rules.states[state](r))]


def _filter(rules: Rules[T], query: Mapping[str, str]) -> tuple[str, str]:
    state = query.get("state", "")
    return query.get("q", "").strip()[:64], state if state in rules.states else ""


def listing(rows: Sequence[T], rules: Rules[T], query: Mapping[str, str]) -> Listing[T]:
    """The asked page; what cannot be understood is as if it were not asked."""
    q, state = _filter(rules, query)
    found = matching(rows, rules, query)
    asked = query.get("sort", "")
    default = next(iter(rules.sorts))
    sort = asked if asked.removeprefix("-") in rules.sorts else default
    found.sort(key=rules.sorts[default])
    found.sort(key=rules.sorts[sort.removeprefix("-")], reverse=sort.startswith("-"))
    pages = max(1, -(-len(found) // PER_PAGE))
    number = _number(query.get("page", "1"), pages)
    shown = found[(number - 1) * PER_PAGE : number * PER_PAGE]
    return Listing(shown, len(rows), len(found), number, pages, sort, q, state, tuple(rules.states))


def _number(asked: str, pages: int) -> int:
    return min(max(int(asked), 1), pages) if asked.isascii() and asked.isdigit() and len(asked) < 6 else 1


def _state_of(word: str) -> Callable[[VehicleRow], bool]:
    return lambda row: row.departure is not None and STATES[row.departure.state] == word


def _of_severity(severity: str) -> Callable[[Incident], bool]:
    return lambda incident: incident.severity == severity


VEHICLES: Rules[VehicleRow] = Rules(
    sorts={
        "vehicle": lambda r: r.vehicle,
        "bay": lambda r: (not r.bay, r.bay),
        "charge": lambda r: (r.soc is None, r.soc or 0.0),
        "departs": lambda r: (r.departure is None, r.departure.departs.isoformat() if r.departure else ""),
        "state": lambda r: (r.departure is None, r.departure is not None and r.departure.fine),
    },
    text=lambda r: f"{r.vehicle} {r.type} {r.bay}",
    states={
        **{word: _state_of(word) for word in STATES.values()},
        "not plugged in": lambda r: not r.bay,
        "no work": lambda r: r.departure is None,
        "old reading": lambda r: r.stale,
    },
)
STATIONS: Rules[ConnectorRow] = Rules(
    sorts={
        "panel": lambda r: (not r.node, r.node, r.station, r.evse),
        "station": lambda r: (r.station, r.evse),
        "status": lambda r: (not r.trouble, r.status),
        "asked": lambda r: -1.0 if r.asked_kw is None else r.asked_kw,
        "measured": lambda r: -1.0 if r.kw is None else r.kw,
        "frame": lambda r: r.last_frame.isoformat() if r.last_frame else "",
    },
    text=lambda r: f"{r.station} {r.bay} {r.node} {r.vehicle or ''}",
    states={
        "needs a look": lambda r: r.trouble,
        "silent": lambda r: not r.online,
        "charging": lambda r: (r.kw or 0) > 0,
        "free": lambda r: r.online and r.status == terms.STATES["available"],
    },
)
INCIDENTS: Rules[Incident] = Rules(
    sorts={
        "resolved": lambda i: -(i.resolved or i.opened).timestamp(),
        "opened": lambda i: -i.opened.timestamp(),
        "subject": lambda i: i.subject,
    },
    text=lambda i: f"{i.subject} {i.sentence} {' '.join(i.departures)}",
    states={severity: _of_severity(severity) for severity in ("critical", "high", "medium", "low")},
)
