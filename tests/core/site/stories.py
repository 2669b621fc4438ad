"""Random nights: what adapters, people and partners may tell a site, in any order."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import timedelta

from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st

from core.messages.command import CommandMismatched, CommandUnanswered
from core.messages.gateway import GatewayStarted
from core.messages.grid import MeterSampled
from core.messages.session import SessionMetered, SessionUpdated
from core.messages.station import ConnectorStatusChanged, StationBooted, StationLimited, StationSeen
from core.messages.vehicle import VehiclePlaced, VehicleRead
from core.site import Memo
from tests.core.site.depot import BAYS, STATIONS, VEHICLES, site
from tests.core.site.play import Play


@dataclass(frozen=True)
class Event:
    """Something happens: what, where, to whom, how much (0..1), and so many seconds after the event before."""

    what: str
    bay: int
    vehicle: int
    much: float
    gap_s: float

    @property
    def place(self) -> tuple[str, int]:
        return BAYS[self.bay]

    @property
    def station(self) -> str:
        return BAYS[self.bay][0]

    @property
    def bus(self) -> str:
        return VEHICLES[self.vehicle]


def _limit(play: Play, event: Event) -> None:
    until = play.now + timedelta(seconds=1800) if event.vehicle % 2 else None
    play.tell(StationLimited(kw=round(event.much * 100), who="anna"), station=event.station, ends=until)


def _work(play: Play, event: Event) -> None:
    departs = play.now + timedelta(minutes=20 + round(event.much * 600))
    play.work([(event.bus, departs, 40 + 200 * event.much)])


def _missed(play: Play, event: Event) -> None:
    known = play.state.dispatch.stations.get(event.station)
    if known is not None and known.wish is not None:
        kind = CommandUnanswered if event.vehicle % 2 else CommandMismatched
        play.tell(kind(wish=known.wish.id, call=f"x{play.state.seen}"), station=event.station)


def _updated(play: Play, event: Event) -> None:
    plug = play.state.sessions.plugs.get(event.place)
    if plug is not None and plug.transaction is not None:
        body = SessionUpdated(transaction=plug.transaction, charging_state="suspended_ev")
        play.tell(body, station=event.station, evse=event.place[1])


def _restart(play: Play, event: Event) -> None:
    play.epoch += 1
    play.tell(GatewayStarted(gateway="g", epoch=play.epoch))


ACTS: Mapping[str, Callable[[Play, Event], object]] = {
    "connect": lambda p, e: p.connect(e.station),
    "disconnect": lambda p, e: p.disconnect(e.station),
    "plug": lambda p, e: p.plug(*e.place),
    "start": lambda p, e: p.start(*e.place, vehicle=e.bus),
    "start_unknown": lambda p, e: p.start(*e.place),
    "arrive": lambda p, e: p.arrive(*e.place, vehicle=e.bus, soc=e.much),
    "meter": lambda p, e: p.meter(*e.place, soc=e.much, power_kw=40.0),
    "meter_no_soc": lambda p, e: p.meter(*e.place, soc=None, power_kw=40.0, wh=9000 * e.much),
    "idle_power": lambda p, e: p.tell(SessionMetered(power_kw=e.much), station=e.station, evse=e.place[1]),
    "updated": _updated,
    "stop": lambda p, e: p.stop(*e.place),
    "unplug": lambda p, e: p.unplug(*e.place),
    "fault": lambda p, e: p.tell(ConnectorStatusChanged(status="faulted"), station=e.station, evse=e.place[1]),
    "constrain": lambda p, e: p.constrain(round(e.much * 300), begins_s=600 * (e.vehicle % 3), lasts_s=3000),
    "handshake": lambda p, e: p.contact("handshake", fresh_s=300 + 1200 * e.much),
    "heartbeat": lambda p, e: p.contact("heartbeat", fresh_s=300 + 1200 * e.much),
    "limit": _limit,
    "work": _work,
    "confirm": lambda p, e: p.serve(e.station),
    "confirm_all": lambda p, e: _everybody(p),
    "reject": lambda p, e: p.serve(e.station, "rejected"),
    "silence": lambda p, e: p.serve(e.station, "silent"),
    "missed": _missed,
    "boot": lambda p, e: p.tell(StationBooted(), station=e.station),
    "seen": lambda p, e: p.tell(StationSeen(), station=e.station, fresh_s=900),
    "restart": _restart,
    "place": lambda p, e: p.tell(VehiclePlaced(who="anna"), station=e.station, evse=e.place[1], vehicle=e.bus),
    "telematics": lambda p, e: p.tell(VehicleRead(soc=e.much), vehicle=e.bus),
    "grid_meter": lambda p, e: p.tell(MeterSampled(measures="import", import_kw=400 * e.much), meter="M"),
    "building_meter": lambda p, e: p.tell(MeterSampled(measures="building", import_kw=80 * e.much), meter="MB"),
    "reconfigure": lambda p, e: p.configure(site(reserve_soc=round(0.2 * e.much, 2))),
}
"""Everything that may happen to a site from outside."""

FREQUENT = ("arrive", "confirm", "confirm_all", "meter")

events = st.builds(
    Event,
    what=st.sampled_from([*ACTS, *FREQUENT, *FREQUENT]),
    bay=st.integers(0, len(BAYS) - 1),
    vehicle=st.integers(0, len(VEHICLES) - 1),
    much=st.sampled_from([0.0, 0.1, 0.3, 0.5, 0.8, 1.0]),
    gap_s=st.sampled_from([0.0, 0.3, 7.0, 31.0, 130.0, 600.0, 1250.0]),
)
stories = st.lists(events, min_size=3, max_size=14)
few = settings(
    max_examples=int(os.environ.get("BUSBAR_EXAMPLES", "12")),
    deadline=None,
    phases=(Phase.explicit, Phase.reuse, Phase.generate),
    suppress_health_check=[HealthCheck.too_slow],
)
"""Whole nights are dear: a few per run, more by `BUSBAR_EXAMPLES`; shrinking one takes minutes, so it is left out."""
rules = st.sampled_from(["plan", "plan", "plan", "equal-share", "first-come"])


def act(play: Play, event: Event) -> None:
    """Time passes, then it happens."""
    play.wait(event.gap_s)
    ACTS[event.what](play, event)


def opened(rule: str = "plan", memo: Memo | None = None) -> Play:
    """A depot in which every station is connected and holds its safe default."""
    found = Play(site(rule=rule), memo)
    found.connect(*STATIONS)
    _everybody(found)
    return found


def _everybody(play: Play) -> None:
    for station in STATIONS:
        play.serve(station)
