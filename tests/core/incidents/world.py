"""A depot with three chargers, and a clock of facts: everything that incidents see, one message at a time."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from immutables import Map

from core.incidents import IncidentsState, conditions, decide, fold, next_deadline
from core.incidents.conditions import World
from core.messages import Message, Physical, compose
from core.messages.command import CommandConfirmed, CommandMismatched, CommandRejected, CommandWished
from core.messages.envelope import EnvelopeComputed, EnvelopeSegment
from core.messages.grid import MeterSampled
from core.messages.readiness import ReadinessAssessed, Reason
from core.messages.reasons import slots
from core.messages.scribe import Scribe
from core.messages.site import Connector, Meter, Node, Reserve, SiteConfig, SiteConfigured, Source, Station
from core.messages.station import StationConnected, StationDisconnected
from core.messages.work import Block
from core.sessions import Plug
from core.work import Planned
from tests.core.reasons.filled import unfilled

SITE = "depot"
START = datetime(2026, 11, 26, 0, 0, tzinfo=UTC)
CONFIG = SiteConfig(
    id=SITE,
    zone="UTC",
    nodes=(Node(id="grid", kind="grid_connection", limit_kw=800), Node(id="panel", parent="grid", limit_kw=300)),
    stations=(
        *(
            Station(
                id=name,
                node="panel",
                connectors=(Connector(evse=1, max_kw=90, name=bay), Connector(evse=2, max_kw=90)),
                safe_kw=safe_kw,
            )
            for name, bay, safe_kw in (("CP-1", "A1", 10), ("CP-2", "B1", 9), ("CP-3", "C1", 11))
        ),
        Station(
            id="CP-4", node="grid", connectors=tuple(Connector(evse=n, max_kw=90) for n in range(1, 11)), safe_kw=10
        ),
    ),
    sources=(Source(id="operator", node="grid", fallback_import_kw=200),),
    meters=(Meter(id="main", node="grid"), Meter(id="house", node="grid", measures="building")),
    building=(Reserve(begins=datetime.min.time(), kw=30), Reserve(begins=datetime.min.time().replace(hour=6), kw=60)),
)


def moment(minutes: float = 0, seconds: float = 0) -> datetime:
    return START + timedelta(minutes=minutes, seconds=seconds)


class Depot:
    """Folds facts, decides when told, and keeps what was written."""

    def __init__(self) -> None:
        self.state = IncidentsState()
        self.config = CONFIG
        self.plugs: Map[tuple[str, int], Plug] = Map()
        self.vehicles: dict[tuple[str, int], str] = {}
        self.readiness: Map[tuple[str, str], Message] = Map()
        self.works: Map[str, Planned] = Map()
        self.written: list[Message] = []
        self.count = 0
        self.fact(SiteConfigured(digest="d", config=CONFIG), moment(-60))

    def fact(self, body: Any, at: datetime, id: str = "", fresh_until: datetime | None = None, **where: Any) -> Message:
        self.count += 1
        message = compose(
            body,
            id=id or f"f{self.count}",
            time=at,
            source="test",
            site=SITE,
            at=Physical(**where),
            fresh_until=fresh_until,
        )
        self.state = fold(self.state, message)
        return message

    def connect(self, station: str, at: datetime, number: int = 1, fresh: datetime | None = None) -> None:
        body = StationConnected(version="ocpp2.0.1", gateway="gw", epoch=1, connection=number)
        self.fact(body, at, station=station, fresh_until=fresh)

    def lose(self, station: str, at: datetime, number: int = 1) -> None:
        self.fact(StationDisconnected(gateway="gw", epoch=1, connection=number), at, station=station)

    def wish(self, station: str, at: datetime, id: str) -> None:
        self.fact(CommandWished(evses=(), valid_until=at + timedelta(minutes=30), safe_kw=10), at, id, station=station)

    def step(
        self, kind: type[CommandConfirmed | CommandRejected | CommandMismatched], station: str, at: datetime, wish: str
    ) -> Message:
        return self.fact(kind(wish=wish, call=str(self.count), reason="because"), at, station=station)

    def read(self, at: datetime, kw: float | None, meter: str = "main", measures: Any = "import") -> Message:
        return self.fact(MeterSampled(measures=measures, import_kw=kw), at, meter=meter)

    def limit(
        self,
        at: datetime,
        *segments: tuple[datetime, datetime, float],
        node: str = "grid",
        id: str = "",
        binds: str = "operator",
    ) -> None:
        body = EnvelopeComputed(
            revision=1,
            segments=tuple(
                EnvelopeSegment(node=node, begins=b, ends=e, import_kw=kw, binding_source=binds)
                for b, e, kw in segments
            ),
        )
        self.fact(body, at, id)

    def park(
        self, vehicle: str | None, station: str, evse: int = 1, since: datetime = START, plugged: bool = True
    ) -> None:
        plug = Plug(station, evse, plugged=plugged, since=since, began="plugged", session=f"{station}/T{evse}")
        self.plugs = self.plugs.set((station, evse), plug)
        if vehicle:
            self.vehicles[(station, evse)] = vehicle

    def assess(
        self, vehicle: str, departs: datetime, state: Any, at: datetime, *codes: str, final: bool = False
    ) -> Message:
        body = ReadinessAssessed(
            vehicle=vehicle,
            departs=departs,
            state=state,
            final=final,
            soc_goal=0.95,
            soc=0.5,
            reasons=tuple(Reason(code=code, params=dict.fromkeys(slots(code), vehicle)) for code in codes),
        )
        self.count += 1
        message = compose(body, id=f"r{self.count}", time=at, source="core", site=SITE, at=Physical(vehicle=vehicle))
        self.readiness = self.readiness.set((vehicle, departs.isoformat()), message)
        return message

    def runs(self, vehicle: str, name: str, departs: datetime, returns: datetime, since: datetime = START) -> None:
        """A block of a vehicle, as a feed states it."""
        block = Block(feed="vdv", operating_day=departs.date(), block=name, departs=departs, returns=returns)
        self.works = self.works.set(block.work, Planned(block, f"w{name}", since, vehicle, f"a{name}", since))

    @property
    def world(self) -> World:
        return World(self.config, self.plugs, self.vehicles, self.readiness, lambda station: 90.0, self.works)

    def decide(self, at: datetime) -> list[tuple[str, str, str]]:
        """(what, kind, subject) of everything written at this moment."""
        scribe = Scribe(SITE, self.count, at)
        decide(self.state, conditions(self.state, self.world, at), at, scribe)
        for message in scribe.messages:
            self.state = fold(self.state, message)
        self.written += scribe.messages
        assert unfilled(scribe.messages) == []
        return [(m.type.partition(".")[2], m.body.kind, m.body.subject) for m in scribe.messages]

    def due(self, at: datetime) -> datetime | None:
        return next_deadline(self.state, conditions(self.state, self.world, at), at)

    @property
    def last(self) -> Any:
        return self.written[-1].body
