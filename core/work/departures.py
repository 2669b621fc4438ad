"""Work and its assignments become departures: who leaves when, for which blocks, and whose work is not known."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta
from functools import cached_property
from itertools import groupby
from zoneinfo import ZoneInfo

from core.messages.site import SiteConfig
from core.messages.work import Block
from core.work.state import Planned, WorkState

AHEAD = timedelta(hours=36)
"""How far ahead departures are looked at."""
OVER = timedelta(minutes=30)
"""So long after its planned moment a departure still counts as open."""
STAY = timedelta(minutes=30)
"""A shorter stay between two blocks is no chance to charge."""
ASSUMED_KMH = 20.0
"""Where a feed states no return: distance at this speed, else `ASSUMED_DUTY`."""
ASSUMED_DUTY = timedelta(hours=12)


@dataclass(frozen=True)
class Departure:
    """One departure of one vehicle: one block, or several without a stay between them that is long enough to charge."""

    vehicle: str
    departs: datetime
    blocks: tuple[Block, ...] = ()
    """In order; empty where the site's default stands in for unknown work."""
    causes: tuple[str, ...] = ()
    """Ids of the latest `work.planned` and `work.assigned` of each block."""
    back: datetime | None = None
    """When the vehicle is planned to be back at the depot before this departure; None where that is not known."""

    @cached_property
    def works(self) -> tuple[str, ...]:
        """The identities of its work, in order."""
        return tuple(block.work for block in self.blocks)

    @property
    def default(self) -> bool:
        """Whether the site's default stands in because no work is known."""
        return not self.blocks

    @cached_property
    def key(self) -> tuple[str, str]:
        """(vehicle, planned departure): what requirement and readiness are kept by."""
        return self.vehicle, self.departs.isoformat()


def departures(state: WorkState, config: SiteConfig, now: datetime) -> tuple[Departure, ...]:
    """All open departures of the fleet within 36 h, in order of time; what is over for 30 min is not among them."""
    chained = _by_vehicle(state)
    found: list[Departure] = []
    for vehicle in config.vehicles:
        chain = chained.get(vehicle.id, ())
        ahead = [d for d in chain if now < d.departs + OVER and d.departs <= now + AHEAD]
        found += ahead or [Departure(vehicle.id, _default(config, _home(chain, now)))]
    return tuple(sorted(found, key=lambda d: (d.departs, d.vehicle)))


def next_deadline(state: WorkState, config: SiteConfig, now: datetime) -> datetime | None:
    """The first moment after `now` at which `departures` could differ although no message came."""
    moments = [_default(config, now) + OVER]
    for chain in _by_vehicle(state).values():
        moments.append(_default(config, _home(chain, now)) + OVER)
        moments += [moment for d in chain for moment in (d.departs - AHEAD, d.departs + OVER)]
    return min((moment for moment in moments if moment > now), default=None)


def _home(chain: Sequence[Departure], now: datetime) -> datetime:
    """From when on a vehicle can stand in the depot: now, or when it is back from the work that it is out on."""
    return max([now, *(assumed_return(d.blocks[-1]) for d in chain if d.departs <= now)])


def assumed_return(block: Block) -> datetime:
    """When a block ends: as stated, else estimated from its distance, else after a whole duty."""
    if block.returns is not None:
        return block.returns
    if block.distance_m is None:
        return block.departs + ASSUMED_DUTY
    return block.departs + timedelta(hours=block.distance_m / 1000 / ASSUMED_KMH)


def _by_vehicle(state: WorkState) -> dict[str, tuple[Departure, ...]]:
    assigned = [p for p in state.works.values() if p.vehicle is not None]
    ordered = sorted(assigned, key=lambda p: (p.vehicle or "", p.block.departs, p.block.work))
    return {
        vehicle: tuple(_chain(vehicle, list(planned)))
        for vehicle, planned in groupby(ordered, key=lambda p: p.vehicle or "")
    }


def _chain(vehicle: str, planned: Sequence[Planned]) -> Iterator[Departure]:
    """Blocks of one vehicle in order, joined where no stay lies between them."""
    chain: list[Planned] = []
    until: datetime | None = None
    back: datetime | None = None
    for item in planned:
        if until is not None and not _joined(chain[-1].block, until, item.block):
            yield _departure(vehicle, chain, back)
            chain, back, until = [], until, None
        ends = assumed_return(item.block)
        until = ends if until is None else max(until, ends)
        chain.append(item)
    if chain:
        yield _departure(vehicle, chain, back)


def _joined(before: Block, until: datetime, after: Block) -> bool:
    """Whether no chance to charge lies between two blocks: too short a stay, or the first does not end at a depot."""
    ends_away = bool(before.legs) and before.depot_in is None
    return ends_away or after.departs - until < STAY


def _departure(vehicle: str, chain: Sequence[Planned], back: datetime | None) -> Departure:
    causes = tuple(cause for item in chain for cause in (item.by, item.assigned_by))
    return Departure(vehicle, chain[0].block.departs, tuple(item.block for item in chain), causes, back)


def _default(config: SiteConfig, now: datetime) -> datetime:
    """The site's ready-by moment that is still open: local wall clock; in a gap of the clock shifted by it."""
    ready_by: time = config.policies.default_work.ready_by
    zone = ZoneInfo(config.zone)
    day = now.astimezone(zone).date() - timedelta(days=1)
    while (moment := datetime.combine(day, ready_by, zone).astimezone(UTC)) + OVER <= now:
        day += timedelta(days=1)
    return moment
