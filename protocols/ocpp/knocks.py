"""Who asked to come in and was refused: counted per station and reason, stated at most once in a while each."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections import OrderedDict, deque
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import count

from core.messages import Physical, compose, identify
from core.messages.station import StationKnocked
from core.messages.words import typed
from core.ports import HUB, NotStored, Ports

log = logging.getLogger(__name__)

MINUTE = timedelta(minutes=1)
FLAPPING_EVERY = timedelta(hours=1)
"""A station that connects too often does so for long: told when it begins, and so often as long as it lasts."""
MOST = 256
"""Different (station, reason) pairs that are remembered; the oldest is forgotten first."""
MOST_PER_MINUTE = 30
MAX_NAME = 64
_LONG_AGO = datetime.min.replace(tzinfo=UTC)


NEXT: Mapping[str, str] = {
    "station_unknown": "`busbar connect ocpp %s --accept --node PANEL --connectors KW` lets it in",
    "credential_wrong": "`busbar connect ocpp %s` says what to type into it",
    "version_refused": "set it to OCPP 2.0.1 or 1.6 (%s)",
    "connects_too_often": "look at the network and the supply of %s, and for a second station with its name",
}
"""What a person can do about a refusal."""


@dataclass(slots=True)
class _Knock:
    versions: tuple[str, ...]
    address: str
    times: int = 0
    stated: datetime | None = None


class Knocks:
    """The knocking list. `knock` returns at once; one task writes, so that a stranger never waits for the journal or fills it.

    `kind` makes the ids of two lists differ: what strangers do never delays what is told of declared stations.
    """

    def __init__(self, ports: Ports, kind: str = "knock", every: timedelta = MINUTE) -> None:
        self._ports = ports
        self._kind = kind
        self._every = every
        self._pending: OrderedDict[tuple[str, str], _Knock] = OrderedDict()
        self._some = _wake()
        self._numbers = count(1)
        self._recent: deque[datetime] = deque(maxlen=MOST_PER_MINUTE)

    def knock(self, station: str, reason: str, versions: tuple[str, ...], address: str) -> None:
        """Note that somebody was refused."""
        key = (station[:MAX_NAME], reason)
        entry = self._pending.setdefault(key, _Knock(versions, address))
        entry.times += 1
        entry.versions, entry.address = versions, address
        if len(self._pending) > MOST:
            self._pending.popitem(last=False)
        if not self._some.done():
            self._some.set_result(None)

    async def run(self) -> None:
        """State what was noted, until cancelled."""
        while True:
            await self._rest()
            for key, entry in self._untold():
                if self._due(entry) <= self._ports.clock.now():
                    await self._state(key, entry)

    async def _rest(self) -> None:
        """Until somebody knocks, or what was noted may be stated."""
        due = min((self._due(entry) for _, entry in self._untold()), default=None)
        with contextlib.suppress(TimeoutError):
            await self._ports.clock.wait(self._some, due, f"ocpp:{self._kind}")
        if self._some.done():
            self._some = _wake()

    def _untold(self) -> list[tuple[tuple[str, str], _Knock]]:
        return [(key, entry) for key, entry in self._pending.items() if entry.times]

    def _due(self, entry: _Knock) -> datetime:
        """From when on it may be stated."""
        room = self._recent[0] + MINUTE if len(self._recent) == MOST_PER_MINUTE else _LONG_AGO
        return room if entry.stated is None else max(room, entry.stated + self._every)

    async def _state(self, key: tuple[str, str], entry: _Knock) -> None:
        now, times = self._ports.clock.now(), entry.times
        entry.times, entry.stated = 0, now
        self._recent.append(now)
        step = NEXT[key[1]] % typed(key[0])
        often = "once" if times == 1 else f"{times} times"
        log.warning("%r from %s was refused %s: %s; next: %s", key[0], entry.address, often, key[1], step)
        body = StationKnocked(reason=key[1], versions=entry.versions, address=entry.address, times=times)
        number = next(self._numbers)
        message = compose(
            body,
            id=identify(self._ports.gateway, self._ports.epoch, self._kind, number),
            time=now,
            source="ocpp",
            site=HUB,
            at=Physical(station=key[0]),
        )
        try:
            await self._ports.journal.append(HUB, [message])
        except NotStored:
            log.warning("a knock of %r could not be stored; next: look at the journal", key[0])


def _wake() -> asyncio.Future[None]:
    return asyncio.get_running_loop().create_future()
