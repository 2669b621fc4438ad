"""A small depot for dispatch: two 90 kW outlets and a 60 kW one under one panel, and words to tell what happened."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta
from itertools import count

from immutables import Map

from core.dispatch import Dispatch, Outlet, Wanted, decide, fold
from core.dispatch.wishes import Limit, Site
from core.messages import Body, Message, Physical, compose
from core.messages.allocation import Step
from core.messages.command import (
    CommandConfirmed,
    CommandRejected,
    CommandSent,
    CommandUnanswered,
    CommandWished,
    Installed,
)
from core.messages.scribe import Scribe
from core.messages.station import StationConnected
from core.sessions import Plug

START = datetime(2026, 11, 25, 21, tzinfo=UTC)
GUARD = timedelta(seconds=30)
OUTLETS = (
    Outlet("A", 1, "panel", 90_000, 5_000),
    Outlet("B", 1, "panel", 90_000, 5_000),
    Outlet("C", 1, "panel", 60_000, 5_000),
)


def after(seconds: float) -> datetime:
    return START + timedelta(seconds=seconds)


def epoch(seconds: float) -> int:
    return int(after(seconds).timestamp())


class Depot:
    """Folds what the test tells it, decides, and folds the decision."""

    def __init__(self, panel: Sequence[tuple[float, int]] = ((0, 200_000),), root: int = 1_000_000) -> None:
        self.state = Dispatch(guard=GUARD)
        self.now = START
        self.panel = panel
        self.root = root
        self.plugs: dict[tuple[str, int], Plug] = {}
        self.wanted: dict[tuple[str, int], Wanted] = {}
        self.ids = count(1)
        self.horizon = timedelta(minutes=30)

    def tell(self, station: str, body: Body, *, at: float | None = None, ends: float | None = None) -> Message:
        if at is not None:
            self.now = after(at)
        where = Physical(station=station, ends=None if ends is None else after(ends))
        message = compose(body, id=f"m{next(self.ids)}", time=self.now, source="test", site="depot", at=where)
        self.state = fold(self.state, message)
        return message

    def connect(self, *stations: str) -> None:
        for station in stations:
            self.tell(station, StationConnected(version="ocpp2.0.1", gateway="g", epoch=1, connection=next(self.ids)))

    def plug(self, station: str, transaction: str | None = "t1") -> None:
        self.plugs[(station, 1)] = Plug(station, 1, plugged=True, transaction=transaction, began="p")

    def want(self, station: str, *steps: tuple[float, float], rank: int = 1) -> None:
        """From so many seconds on, so many kW."""
        plan = tuple(Step(at=after(s), kw=kw) for s, kw in steps)
        self.wanted[(station, 1)] = Wanted(plan, (rank,), f"plan-{station}")

    def site(self) -> Site:
        return Site(
            outlets=OUTLETS,
            paths={"panel": ("panel", "root")},
            limits={
                "panel": Limit(tuple((epoch(s), w) for s, w in self.panel)),
                "root": Limit(((epoch(0), self.root),)),
            },
            plugs=Map(self.plugs),
            wanted=self.wanted,
            safe_kw={"A": 5.0, "B": 5.0, "C": 5.0},
            horizon=self.horizon,
            causes=("envelope",),
        )

    def decide(self, *, at: float | None = None) -> dict[str, Message]:
        if at is not None:
            self.now = after(at)
        scribe = Scribe("depot", next(self.ids), self.now)
        decide(self.state, self.site(), self.now, scribe)
        for message in scribe.messages:
            self.state = fold(self.state, message)
        return {str(m.at.station): m for m in scribe.messages}

    def install(self, station: str, purpose: str, *, confirm: bool = True, safe: bool = False) -> Installed:
        """The station is sent its newest wish (or its safe default), and confirms it."""
        wish = self.wish(station)
        if purpose == "default":
            installed = Installed(evse=1, purpose="default", steps=(Step(at=self.now, kw=5.0),), until=None)
        else:
            evse = wish.evses[0]
            installed = Installed(
                evse=1, purpose="transaction", steps=evse.steps, until=wish.valid_until, transaction=evse.transaction
            )
        call = f"c{next(self.ids)}"
        name = self.state.stations[station].wish
        assert name is not None
        self.tell(station, CommandSent(wish=name.id, call=call, installed=(installed,)))
        if confirm:
            self.tell(station, CommandConfirmed(wish=name.id, call=call, installed=(installed,)))
        return installed

    def reject(self, station: str, installed: Iterable[Installed], call: str) -> None:
        self.tell(station, CommandRejected(wish="w", call=call, installed=tuple(installed), reason="Rejected"))

    def silence(self, station: str, installed: Iterable[Installed], call: str) -> None:
        self.tell(station, CommandUnanswered(wish="w", call=call, installed=tuple(installed)))

    def wish(self, station: str) -> CommandWished:
        message = self.state.stations[station].wish
        assert message is not None
        assert isinstance(message.body, CommandWished)
        return message.body

    def kw(self, station: str, seconds: float) -> float:
        """What the newest wish of a station allows at that moment."""
        steps = [s for s in self.wish(station).evses[0].steps if s.at <= after(seconds)]
        return steps[-1].kw
