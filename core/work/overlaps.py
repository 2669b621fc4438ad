"""Blocks of one vehicle that overlap: one bus cannot drive both, and only their planner knows which of them is wrong."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime
from itertools import groupby
from typing import Any, NamedTuple

from core.messages.work import Block
from core.work.departures import assumed_return
from core.work.state import Planned


class Overlap(NamedTuple):
    """Two blocks of one vehicle, of which the second begins before the first ends."""

    vehicle: str
    first: Planned
    second: Planned
    back: datetime
    """When the first ends: as stated, else estimated."""

    @property
    def code(self) -> str:
        """The reason that says so: an end that is only estimated proves nothing, but both count as one departure."""
        first = self.first.block
        return "blocks_overlap" if first.returns is not None or first.legs else "return_estimated"

    @property
    def params(self) -> dict[str, Any]:
        """The numbers of its reason."""
        blocks = {"block": self.first.block.block, "other": self.second.block.block}
        return {"vehicle": self.vehicle, **blocks, "back": self.back, "departs": _span(self.second.block)[0]}


def overlaps(works: Mapping[str, Planned], now: datetime) -> Iterator[Overlap]:
    """Those of which the second is still to leave, by vehicle and time."""
    assigned = [(p.vehicle, _span(p.block), work, p) for work, p in works.items() if p.vehicle is not None]
    assigned.sort(key=lambda row: row[:3])
    for vehicle, rows in groupby(assigned, key=lambda row: row[0]):
        last: tuple[Planned, datetime] | None = None
        for _, (begins, ends), _, planned in rows:
            if last is not None and begins < last[1] and now < begins:
                yield Overlap(vehicle, last[0], planned, last[1])
            if last is None or ends > last[1]:
                last = planned, ends


def _span(block: Block) -> tuple[datetime, datetime]:
    """From when to when it needs its bus: its trips, where they are known; how it gets to them may be derived."""
    trips = [leg for leg in block.legs if leg.kind == "service"]
    if trips:
        return trips[0].begins, max(leg.ends for leg in trips)
    return block.departs, assumed_return(block)
