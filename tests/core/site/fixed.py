"""One fixed night, and the digest of all that was decided in it: run as a script it prints the digest."""

from __future__ import annotations

from datetime import timedelta

from core.messages import line
from core.messages.base import digest
from core.messages.station import StationLimited
from tests.core.site.depot import BAYS, STATIONS, VEHICLES
from tests.core.site.play import Play
from tests.core.site.stories import opened


def night() -> Play:
    """Everybody arrives and charges, one moves, two stations are lost, the operator speaks, somebody caps a station."""
    play = opened()
    play.work([(bus, play.now + timedelta(hours=2 + n), 150) for n, bus in enumerate(VEHICLES)])
    for (station, evse), bus in zip(BAYS, VEHICLES, strict=True):
        play.arrive(station, evse, vehicle=bus)
    play.constrain(220)
    play.contact(fresh_s=1500)
    for station in STATIONS:
        play.serve(station)
    play.unplug("A")
    play.wait(200)
    play.unplug("B")
    play.arrive("B", vehicle="bus-1")
    play.tell(StationLimited(kw=30, who="anna"), station="D")
    play.tell(StationLimited(kw=30, who="anna"), station="B")
    for station in ("B", "D", "E"):
        play.disconnect(station)
    play.wait(2000)
    return play


def told() -> str:
    """SHA-256 over every decided message, in order."""
    return digest([line(message) for message in night().decided()])


if __name__ == "__main__":
    print(told())
