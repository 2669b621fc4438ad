"""Who asked to come in and was refused: counted per station and reason, stated at most once a minute each."""

from __future__ import annotations

import asyncio
import logging
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import count

from core.messages import Physical, compose, identify
from core.messages.station import StationKnocked
from core.ports import HUB, NotStored, Ports

log = logging.getLogger(__name__)

EVERY = timedelta(minutes=1)
MOST = 256
"""Different (station, reason) pairs that are remembered; the oldest is forgotten first."""
MOST_PER_MINUTE = 30
MAX_NAME = 64


NEXT: Mapping[str, str] = {
    "station_unknown": "`busbar connect ocpp %s --accept --node PANEL --connectors KW` lets it in",
    "credential_wrong": "`busbar connect ocpp %s` says what to type into it",
    "version_refused": "set it to OCPP 2.0.1 or 1.6 (%s)",
}
"""What a person can do about a refusal."""


@dataclass(slots=True)
class _Knock:
    versions: tuple[str, ...]
    address: str
    times: int = 0
    stated: datetime | None = None


class Knocks:
    """The knocking list. `knock` returns at once; one task writes, so that a stranger never waits for the journal or fills it."""

    def __init__(self, ports: Ports) -> None:
        self._ports = ports
        self._pending: OrderedDict[tuple[str, str], _Knock] = OrderedDict()
        self._some = asyncio.Event()
        self._numbers = count(1)
        self._recent: list[datetime] = []

    def knock(self, station: str, reason: str, versions: tuple[str, ...], address: str) -> None:
        """Note that somebody was refused."""
        key = (station[:MAX_NAME], reason)
        entry = self._pending.setdefault(key, _Knock(versions, address))
        entry.times += 1
        entry.versions, entry.address = versions, address
        if len(self._pending) > MOST:
            self._pending.popitem(last=False)
        self._some.set()

    async def run(self) -> None:
        """State what was noted, until cancelled."""
        while True:
            await self._some.wait()
            self._some.clear()
            for key, entry in list(self._pending.items()):
                if self._due(entry):
                    await self._state(key, entry)

    def _due(self, entry: _Knock) -> bool:
        now = self._ports.clock.now()
        self._recent = [moment for moment in self._recent if moment > now - EVERY]
        fresh = entry.stated is not None and now - entry.stated < EVERY
        return entry.times > 0 and not fresh and len(self._recent) < MOST_PER_MINUTE

    async def _state(self, key: tuple[str, str], entry: _Knock) -> None:
        now, times = self._ports.clock.now(), entry.times
        entry.times, entry.stated = 0, now
        self._recent.append(now)
        step = NEXT[key[1]] % key[0]
        log.warning("%r from %s was refused %d times: %s; next: %s", key[0], entry.address, times, key[1], step)
        body = StationKnocked(reason=key[1], versions=entry.versions, address=entry.address, times=times)
        number = next(self._numbers)
        message = compose(
            body,
            id=identify(self._ports.gateway, self._ports.epoch, "knock", number),
            time=now,
            source="ocpp",
            site=HUB,
            at=Physical(station=key[0]),
        )
        try:
            await self._ports.journal.append(HUB, [message])
        except NotStored:
            log.warning("a knock of %r could not be stored; next: look at the journal", key[0])
