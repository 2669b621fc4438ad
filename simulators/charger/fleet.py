"""Many stations together, and the commands that run them against any central system."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping
from dataclasses import replace
from datetime import timedelta

from simulators.charger.battery import Battery
from simulators.charger.outlet import Outlet
from simulators.charger.settings import Endpoint, StationSpec
from simulators.charger.station import Station
from simulators.clock import Clock, SystemClock

_BUS_CURVE = ((0.0, 150.0), (0.8, 150.0), (1.0, 15.0))


class Fleet:
    """Stations by identity."""

    def __init__(self, specs: Iterable[StationSpec], endpoint: Endpoint, clock: Clock, seed: int = 1) -> None:
        self.stations = {spec.id: Station(spec, endpoint, clock, seed) for spec in specs}

    def start(self) -> None:
        """Every station begins to live."""
        for station in self.stations.values():
            station.start()

    async def stop(self) -> None:
        """Every station ends."""
        await asyncio.gather(*(station.stop() for station in self.stations.values()))

    def outlets(self) -> list[Outlet]:
        """Every connector, for a meter."""
        return [outlet for station in self.stations.values() for outlet in station.outlets.values()]

    def count(self, name: str) -> int:
        """The sum of a counter over the stations (`frames`, `profiles`, `refused`, `unanswered`, `connections`)."""
        return sum(station.counts[name] for station in self.stations.values())


async def run_charger(
    spec: StationSpec, endpoint: Endpoint, *, token: str | None = None, soc: float = 0.3, clock: Clock | None = None
) -> None:
    """One station until cancelled; with a token a bus is plugged into its first connector after the boot."""
    at_once = replace(spec, phase_s=(0, 1))
    tokens = {spec.id: token} if token else {}
    await run_fleet([at_once], endpoint, tokens=tokens, soc=soc, clock=clock, plug_after_s=5)


async def run_fleet(
    specs: Iterable[StationSpec],
    endpoint: Endpoint,
    *,
    tokens: Mapping[str, str] | None = None,
    soc: float = 0.3,
    clock: Clock | None = None,
    seed: int = 1,
    plug_after_s: float = 90,
) -> None:
    """Stations until cancelled; where a token is given, a bus is plugged in `plug_after_s` after the start."""
    clock = clock or SystemClock()
    fleet = Fleet(specs, endpoint, clock, seed)
    fleet.start()
    try:
        await clock.sleep_until(clock.now() + timedelta(seconds=plug_after_s), "fleet")
        for identity, token in (tokens or {}).items():
            battery = Battery(350.0, soc, _BUS_CURVE)
            await fleet.stations[identity].plug(1, battery, token, f"bus:{identity}")
        await clock.wait(asyncio.get_running_loop().create_future(), None, "fleet")
    finally:
        await fleet.stop()


def numbered(count: int, version_16: int, rating_kw: float, prefix: str = "CP-") -> list[StationSpec]:
    """`count` stations `CP-01` ...; the last `version_16` of them speak OCPP 1.6."""
    first = StationSpec("", "2.0.1", (rating_kw,))
    return [
        replace(first, id=f"{prefix}{n:02}", version="1.6" if n > count - version_16 else "2.0.1")
        for n in range(1, count + 1)
    ]
