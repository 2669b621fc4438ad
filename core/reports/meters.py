"""Readings of a site meter over a window: energy, quarter-hour means, gaps, and the proof that a limit was kept."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from immutables import Map

from core.messages import Message
from core.messages.envelope import EnvelopeComputed
from core.messages.grid import MeterSampled
from core.messages.site import SiteConfigured

SLOT = timedelta(minutes=15)
"""Demand is the mean of a quarter of an hour."""
HOLE = timedelta(minutes=2)
"""A reading stands for at most so long; what is longer is a gap and never filled."""


@dataclass(frozen=True, slots=True)
class Slot:
    """What was measured of one quarter of an hour: kW times seconds, and seconds covered."""

    kw_s: float = 0.0
    seconds: float = 0.0

    @property
    def mean_kw(self) -> float:
        """The mean over what was measured."""
        return self.kw_s / self.seconds if self.seconds else 0.0


@dataclass(frozen=True, slots=True)
class Series:
    """One meter's readings, folded in time order."""

    measures: str
    read: datetime | None = None
    kw: float | None = None
    first_kwh: float | None = None
    last_kwh: float | None = None
    max_kw: float | None = None
    max_at: datetime | None = None
    slots: Map[datetime, Slot] = field(default_factory=Map)
    gaps: tuple[tuple[datetime, datetime], ...] = ()

    def takes(self, at: datetime) -> bool:
        """Whether a reading of this moment is new: an older or repeated one is not."""
        return self.read is None or at > self.read

    def add(self, at: datetime, kw: float | None, kwh: float | None) -> Series:
        """The series after one newer reading; each reading stands until the next."""
        series = self._held(at)
        if kw is not None and (self.max_kw is None or kw > self.max_kw):
            series = replace(series, max_kw=kw, max_at=at)
        return replace(
            series,
            read=at,
            kw=kw,
            first_kwh=kwh if self.first_kwh is None else self.first_kwh,
            last_kwh=self.last_kwh if kwh is None else kwh,
        )

    def _held(self, until: datetime) -> Series:
        """The last reading spread over the slots that it stood for, or a gap."""
        if self.read is None:
            return self
        if self.kw is None or until - self.read > HOLE:
            return replace(self, gaps=(*self.gaps, (self.read, until)))
        slots, at = self.slots, self.read
        while at < until:
            begins = slot_of(at)
            end = min(begins + SLOT, until)
            seconds = (end - at).total_seconds()
            known = slots.get(begins, Slot())
            slots = slots.set(begins, Slot(known.kw_s + self.kw * seconds, known.seconds + seconds))
            at = end
        return replace(self, slots=slots)

    @property
    def integral_kwh(self) -> float:
        """Energy by power over what was measured."""
        return sum(slot.kw_s for _, slot in sorted(self.slots.items())) / 3600

    @property
    def energy_kwh(self) -> float | None:
        """Energy by the register where it has two readings, else by power; None where nothing was measured."""
        if self.first_kwh is not None and self.last_kwh is not None and self.last_kwh > self.first_kwh:
            return self.last_kwh - self.first_kwh
        return self.integral_kwh if self.slots else None

    @property
    def covered_s(self) -> float:
        """Seconds of the window that readings stand for."""
        return sum(slot.seconds for slot in self.slots.values())


@dataclass(frozen=True, slots=True)
class Proof:
    """How the import was kept during one stretch of one limit, and which messages show it."""

    begins: datetime
    ends: datetime
    limit_kw: float
    source: str
    envelope: str
    """Id of the `envelope.computed` that first stated it."""
    readings: int
    sum_kw: float
    max_kw: float
    max_by: str
    """Id of the highest reading."""
    over: int
    """Readings above the limit."""
    sessions: frozenset[str] = frozenset()
    """Sessions that drew power meanwhile."""


def slot_of(at: datetime) -> datetime:
    """The beginning of the quarter of an hour that a moment lies in."""
    return at - timedelta(minutes=at.minute % 15, seconds=at.second, microseconds=at.microsecond)


def prove(
    proofs: tuple[Proof, ...], config: Message | None, envelope: Message | None, message: Message
) -> tuple[Proof, ...]:
    """The proofs after one more reading of the grid meter; other meters and unlimited moments add nothing."""
    body, limit = message.body, _limit(config, envelope, message)
    if not isinstance(body, MeterSampled) or body.import_kw is None or limit is None:
        return proofs
    kw, (limit_kw, source, by) = body.import_kw, limit
    last = proofs[-1] if proofs else None
    if last is None or (last.limit_kw, last.source) != (limit_kw, source):
        over = int(kw > limit_kw)
        return (*proofs, Proof(message.time, message.time, limit_kw, source, by, 1, kw, kw, message.id, over))
    higher = kw > last.max_kw
    longer = replace(
        last,
        ends=message.time,
        readings=last.readings + 1,
        sum_kw=last.sum_kw + kw,
        max_kw=kw if higher else last.max_kw,
        max_by=message.id if higher else last.max_by,
        over=last.over + (kw > limit_kw),
    )
    return (*proofs[:-1], longer)


def _limit(config: Message | None, envelope: Message | None, message: Message) -> tuple[float, str, str] | None:
    """(kW, source, envelope) in force at the site's root when the grid meter was read."""
    if config is None or envelope is None:
        return None
    assert isinstance(config.body, SiteConfigured) and isinstance(envelope.body, EnvelopeComputed)
    root = next((node.id for node in config.body.config.nodes if node.parent is None), None)
    meters = {m.id for m in config.body.config.meters if m.measures == "import" and m.node == root}
    if message.at.meter not in meters:
        return None
    for segment in envelope.body.segments:
        if segment.node == root and segment.begins <= message.time < segment.ends:
            return segment.import_kw, segment.binding_source, envelope.id
    return None
