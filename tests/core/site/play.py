"""Plays a site's controller and its adapters: folds facts, decides until nothing is left to say, lets stations answer."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from core.messages import Body, Message, Physical, Position, compose
from core.messages.allocation import AllocationPlanned, Step
from core.messages.base import digest
from core.messages.command import CommandConfirmed, CommandRejected, CommandSent, CommandWished, Installed
from core.messages.grid import ConstraintStated, Segment, SourceContacted
from core.messages.session import SessionEnded, SessionMetered, SessionStarted
from core.messages.site import SiteConfig, SiteConfigured
from core.messages.station import ConnectorStatusChanged, StationConnected, StationDisconnected
from core.messages.work import Block, ScheduleReceived, WorkStated
from core.site import Memo, SiteState, decide, fold, next_deadline
from core.site.decide import MOST
from tests.core.reasons.filled import unfilled
from tests.core.site.depot import START, token

ROUNDS = 12
"""A site that is not at rest after so many decisions in a row, besides those that were cut, never will be."""


@dataclass(frozen=True)
class Record:
    """One record of the journal; a decision says what it had seen and when it was made."""

    seq: int
    messages: tuple[Message, ...]
    seen: int | None = None
    now: datetime | None = None
    most: int = MOST

    @property
    def decided(self) -> bool:
        return self.seen is not None


class Play:
    """One site. Every fact is one record; every decision is one record."""

    def __init__(self, config: SiteConfig, memo: Memo | None = None) -> None:
        self.state = SiteState(config.id)
        self.now = START
        self.memo = memo
        self.most = MOST
        self.log: list[Record] = []
        self.epoch = 1
        self.energy_wh: dict[tuple[str, int], float] = {}
        self.configure(config)

    # -- the journal and the controller ---------------------------------------------------------------------------

    def tell(self, body: Body, *, settle: bool = True, fresh_s: float | None = None, **at: Any) -> Message:
        """A fact becomes a record; then the site decides until it is at rest."""
        seq = self.state.seen + 1
        message = compose(
            body,
            id=f"f{seq}",
            time=self.now,
            source="test",
            site=self.state.site,
            at=Physical(**at),
            fresh_until=None if fresh_s is None else self.now + timedelta(seconds=fresh_s),
        )
        self.record(Record(seq, (message,)))
        if settle:
            self.settle()
        return message

    def record(self, record: Record) -> None:
        self.log.append(record)
        for index, message in enumerate(record.messages):
            self.state = fold(self.state, message, Position(record.seq, index))

    def decide(self) -> list[Message]:
        """One decision, read back as one record."""
        messages = decide(self.state, self.now, self.memo, most=self.most)
        assert unfilled(messages) == []
        if messages:
            self.record(Record(self.state.seen + 1, tuple(messages), self.state.seen, self.now, self.most))
        return messages

    def settle(self) -> list[Message]:
        found: list[Message] = []
        rounds = 0
        while rounds < ROUNDS:
            written = self.decide()
            if not written:
                return found
            found += written
            rounds += len(written) < self.most / 2
        raise AssertionError(f"never at rest; the last decision begins with {written[0]}")

    def deadline(self) -> datetime | None:
        return next_deadline(self.state, self.now, self.memo)

    def wait(self, seconds: float) -> list[Message]:
        """Time passes; the site decides at every moment that it named."""
        ends = self.now + timedelta(seconds=seconds)
        found: list[Message] = []
        while (moment := self.deadline()) is not None and moment <= ends:
            self.now = moment
            found += self.settle()
        self.now = ends
        return found + self.settle()

    def decided(self) -> list[Message]:
        """All that the site has decided so far."""
        return [message for record in self.log if record.decided for message in record.messages]

    def plans(self) -> list[AllocationPlanned]:
        return [m.body for m in self.decided() if isinstance(m.body, AllocationPlanned)]

    # -- what adapters and people tell ----------------------------------------------------------------------------

    def configure(self, config: SiteConfig) -> Message:
        found = digest(config.model_dump(mode="json"))
        return self.tell(SiteConfigured(digest=found, config=config))

    def connect(self, *stations: str) -> None:
        for station in stations:
            number = self.state.seen
            body = StationConnected(version="ocpp2.0.1", gateway="g", epoch=self.epoch, connection=number)
            self.tell(body, station=station, fresh_s=900)

    def disconnect(self, station: str) -> None:
        known = self.state.dispatch.stations.get(station)
        if known is not None and known.connection is not None:
            held = known.connection
            body = StationDisconnected(gateway=held.gateway, epoch=held.epoch, connection=held.number)
            self.tell(body, station=station)

    def plug(self, station: str, evse: int = 1) -> Message:
        return self.tell(ConnectorStatusChanged(status="occupied"), station=station, evse=evse, connector=1)

    def unplug(self, station: str, evse: int = 1) -> None:
        self.stop(station, evse)
        self.tell(ConnectorStatusChanged(status="available"), station=station, evse=evse, connector=1)

    def start(self, station: str, evse: int = 1, vehicle: str | None = None) -> None:
        """A transaction begins, with the bus's card where a bus is named."""
        plug = self.state.sessions.plugs.get((station, evse))
        if plug is not None and plug.transaction is not None:
            return
        body = SessionStarted(
            transaction=f"t{self.state.seen}",
            token=token(vehicle) if vehicle else None,
            meter_wh=self.energy_wh.setdefault((station, evse), 1000.0),
            charging_state="charging",
        )
        self.tell(body, station=station, evse=evse)

    def stop(self, station: str, evse: int = 1) -> None:
        plug = self.state.sessions.plugs.get((station, evse))
        if plug is not None and plug.transaction is not None:
            register = self.energy_wh.get((station, evse))
            self.tell(SessionEnded(transaction=plug.transaction, meter_wh=register), station=station, evse=evse)

    def meter(self, station: str, evse: int = 1, *, soc: float | None, power_kw: float, wh: float = 500.0) -> None:
        plug = self.state.sessions.plugs.get((station, evse))
        if plug is not None and plug.transaction is not None:
            self.energy_wh[(station, evse)] = self.energy_wh.get((station, evse), 1000.0) + wh
            body = SessionMetered(
                transaction=plug.transaction,
                energy_wh=self.energy_wh[(station, evse)],
                power_kw=power_kw,
                soc=soc,
            )
            self.tell(body, station=station, evse=evse)

    def arrive(self, station: str, evse: int = 1, *, vehicle: str | None, soc: float = 0.4) -> None:
        """Plugged, started, and the first sample is there."""
        self.plug(station, evse)
        self.start(station, evse, vehicle)
        self.meter(station, evse, soc=soc, power_kw=0.0)

    def constrain(self, kw: float | None, begins_s: float = 0, lasts_s: float = 7200) -> None:
        begins = self.now + timedelta(seconds=begins_s)
        segment = Segment(begins=begins, ends=begins + timedelta(seconds=lasts_s), kw=kw)
        request = f"r{self.state.seen}"
        self.tell(ConstraintStated(source="dso", direction="import", segments=(segment,), request=request))

    def contact(self, kind: str = "handshake", fresh_s: float = 600) -> None:
        body = SourceContacted.model_validate({"source": "dso", "kind": kind})
        self.tell(body, fresh_s=fresh_s)

    def work(self, rows: Sequence[tuple[str, datetime, float]]) -> None:
        """An import of blocks: (vehicle, departure, km); each is back after three hours."""
        name = f"i{self.state.seen}"
        for vehicle, departs, km in rows:
            block = Block(
                feed="plan",
                operating_day=departs.date(),
                block=f"{vehicle}-{departs:%H%M}",
                departs=departs,
                returns=departs + timedelta(hours=3),
                distance_m=km * 1000,
                vehicle=vehicle,
            )
            self.tell(WorkStated(import_id=name, block=block), settle=False)
        received = ScheduleReceived(import_id=name, feed="plan", format="table", content=name, stated=len(rows))
        self.tell(received)

    # -- what a station's adapter does with a wish ----------------------------------------------------------------

    def wish(self, station: str) -> CommandWished | None:
        known = self.state.dispatch.stations.get(station)
        body = known.wish.body if known is not None and known.wish is not None else None
        return body if isinstance(body, CommandWished) else None

    def serve(self, station: str, outcome: str = "confirmed") -> None:
        """The newest wish is sent (default first, then the transactions); the station confirms, refuses or is silent."""
        known, wish = self.state.dispatch.stations.get(station), self.wish(station)
        if known is None or known.connection is None or known.wish is None or wish is None:
            return
        for installed in self.schedules(station, wish):
            call = f"c{self.state.seen}"
            fields = {"wish": known.wish.id, "call": call, "purpose": installed.purpose, "installed": (installed,)}
            self.tell(CommandSent.model_validate(fields), station=station)
            if outcome == "confirmed":
                self.tell(CommandConfirmed.model_validate(fields), station=station)
            elif outcome == "rejected":
                self.tell(CommandRejected.model_validate(fields | {"reason": "Rejected"}), station=station)

    def schedules(self, station: str, wish: CommandWished) -> list[Installed]:
        """What a wish puts into a station: per EVSE its share of the safe level, and the transactions' schedules."""
        assert self.state.topology is not None
        evses = sorted({c.evse for c in self.state.topology.stations[station].connectors})
        safe = (Step(at=self.now, kw=wish.safe_kw / len(evses)),)
        found = [Installed(evse=evse, purpose="default", steps=safe, until=None) for evse in evses]
        for part in wish.evses:
            found.append(
                Installed(
                    evse=part.evse,
                    purpose="transaction",
                    steps=part.steps,
                    until=wish.valid_until,
                    transaction=part.transaction,
                )
            )
        return found
