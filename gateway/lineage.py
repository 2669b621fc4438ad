"""Lineage: from an outcome along `causes` down to the evidence, as a tree for people and as a list for programs."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from core.messages import Message, Position, words
from gateway.causes import Walk, kind
from gateway.journal.log import Log, Record
from gateway.readmodels import ReadModels, queries
from gateway.readmodels.queries import Asked
from gateway.readmodels.rows import stamp
from gateway.told import sentence_of

MAX_DEPTH = 24
MAX_NODES = 400
CACHED = 500
MAX_WALKED = 5_000
MAX_WAY = 8
"""Steps from an outcome to a raw frame; what lies farther belongs to an earlier decision."""
STEPS = (
    "command.confirmed",
    "command.accepted",
    "command.mismatched",
    "command.rejected",
    "command.unanswered",
    "command.sent",
    "command.wished",
    "station.limited",
)
"""What a station's present limit rests on, newest first."""


class Unknown(LookupError):
    """Nothing by that name has a lineage."""


class Bodies:
    """Messages by id: the read models know where they stand, the journal what they say."""

    def __init__(self, models: ReadModels, log: Log) -> None:
        self.models, self._log = models, log
        self._records: OrderedDict[int, Record] = OrderedDict()

    async def get(self, id: str) -> tuple[Message, Position] | None:
        """One message and where it stands; None if nobody wrote it."""
        return (await self.many([id])).get(id)

    async def many(self, ids: Iterable[str]) -> dict[str, tuple[Message, Position]]:
        """Those of these messages that there are."""
        found = await queries.positions(self.models, ids)
        return {id: (await self.at(position), position) for id, position in found.items()}

    async def at(self, position: Position) -> Message:
        """The message at a position that the read models named.

        Raises:
            Unknown: the journal does not hold it (any more).
        """
        record = self._records.get(position.seq) or await self._log.get(position.seq)
        if record is None:
            raise Unknown(f"record {position.seq}")
        self._records[position.seq] = record
        while len(self._records) > CACHED:
            self._records.popitem(last=False)
        return record.messages[position.index]


@dataclass(frozen=True, slots=True)
class _Branch:
    """A node whose causes are still to be drawn, and the kinds that stand on the way to it."""

    node: dict[str, Any]
    message: Message
    above: frozenset[str]


class Lineage:
    """Answers `why` and `lineage`."""

    def __init__(self, bodies: Bodies) -> None:
        self.bodies = bodies

    async def why(self, name: str, depth: int = MAX_DEPTH) -> dict[str, Any]:
        """The tree of a message, a vehicle's departure, `station:ID`, or an incident: one branch per kind of cause.

        Every message has its causes where it stands nearest to the root (elsewhere it is marked `again`), and nothing
        is drawn below the second of one kind on a way: what led to an earlier wish is that wish's own question.

        Raises:
            Unknown: nothing by that name is known.
        """
        start = await self.start(name)
        found = await self.bodies.get(start)
        if found is None:
            raise Unknown(name)
        zones: dict[str, str] = {}
        root = told(*found, await self._zone(found[0].site, zones))
        level, seen = [_Branch(root, found[0], frozenset())], {found[0].id}
        for _ in range(min(depth, MAX_DEPTH) - 1):
            level = await self._grown(level, seen, zones)
        for branch in level:
            _rest(branch, len(branch.message.causes))
        return root

    async def _grown(self, level: Sequence[_Branch], seen: set[str], zones: dict[str, str]) -> list[_Branch]:
        """The next level of the tree: the causes of this one, those to be followed further."""
        bodies = await self.bodies.many(cause for branch in level for cause in branch.message.causes)
        grown: list[_Branch] = []
        for branch in level:
            causes = branch.message.causes
            if kind(branch.message) in branch.above:
                _rest(branch, len(causes))
                continue
            shown = _one_per_kind((bodies[id] for id in causes if id in bodies), MAX_NODES - len(seen))
            _rest(branch, len(causes) - len(shown))
            for message, position in shown:
                child = told(message, position, await self._zone(message.site, zones))
                branch.node["children"].append(child)
                if message.id in seen:
                    child["again"] = bool(message.causes)
                    continue
                seen.add(message.id)
                grown.append(_Branch(child, message, branch.above | {kind(branch.message)}))
        return grown

    async def start(self, name: str) -> str:
        """The message that a lineage begins at.

        Raises:
            Unknown: nothing by that name is known.
        """
        if (await queries.positions(self.bodies.models, [name])).get(name):
            return name
        for candidate in (self._vehicle, self._station, self._incident, self._session):
            found = await candidate(name)
            if found is not None:
                return found
        raise Unknown(name)

    async def _vehicle(self, name: str) -> str | None:
        """The departure that people mean: the next one with known work, else the last outcome, else the next one."""
        found = await queries.departures(self.bodies.models, name.removeprefix("vehicle:"))
        ahead = [row for row in reversed(found) if not row["final"]]
        with_work = [row for row in ahead if row["work"]]
        outcomes = [row for row in found if row["final"]]
        meant = next(iter([*with_work, *outcomes, *ahead]), None)
        return None if meant is None else str(meant["message"])

    async def _station(self, name: str) -> str | None:
        if not name.startswith("station:"):
            return None
        station = name.removeprefix("station:")
        for row in (await queries.page(self.bodies.models, "stations", Asked({"station": station}))).rows:
            if row["command"] is not None:
                return str(row["command"]["id"])
        return await queries.newest(self.bodies.models, STEPS, station=station)

    async def _incident(self, name: str) -> str | None:
        row = await queries.row(self.bodies.models, "incidents", name)
        return None if row is None else str(row["message"])

    async def _session(self, name: str) -> str | None:
        row = await queries.row(self.bodies.models, "sessions", name.removeprefix("session:"))
        return None if row is None else str(row["message"])

    async def _zone(self, site: str, zones: dict[str, str]) -> str:
        if site not in zones:
            row = await queries.row(self.bodies.models, "sites", site)
            zones[site] = str(row["zone"]) if row else "UTC"
        return zones[site]

    async def path(self, vehicle: str) -> list[str]:
        """Message ids from a vehicle's newest outcome to raw frames: the shortest way to each kind of message.

        Raises:
            Unknown: no departure of that vehicle was ever assessed.
        """
        start = await self._vehicle(vehicle)
        if start is None:
            raise Unknown(vehicle)
        return await self.walk([start])

    async def walk(self, starts: Sequence[str]) -> list[str]:
        """Breadth first along the causes: the ids on the shortest ways to the first message of each kind."""
        walk = Walk(starts)
        for _ in range(MAX_WAY):
            level = walk.level()
            if not level or len(walk) >= MAX_WALKED:
                break
            for message, _ in (await self.bodies.many(level)).values():
                walk.follow(message)
        return walk.ways()


def _one_per_kind(causes: Iterable[tuple[Message, Position]], room: int) -> list[tuple[Message, Position]]:
    """The newest of each kind, in the order in which the message names them."""
    newest: OrderedDict[str, tuple[Message, Position]] = OrderedDict()
    for found in causes:
        known = newest.get(kind(found[0]))
        if known is None or known[1] < found[1]:
            newest[kind(found[0])] = found
    return list(newest.values())[: max(0, room)]


def _rest(branch: _Branch, count: int) -> None:
    """Says how many causes of a node are not shown."""
    if count > 0:
        branch.node["more"] = count


def told(message: Message, position: Position, zone: str) -> dict[str, Any]:
    """A message as one node: what it is, when, where it stands, and a sentence."""
    sentence = sentence_of(message, zone)
    return {
        "id": message.id,
        "type": message.type,
        "time": stamp(message.time),
        "local": words.moment(message.time, zone),
        "source": message.source,
        "position": f"{position.seq}.{position.index}",
        "text": sentence,
        "sentence": sentence,
        "children": [],
    }
