"""The night report: a projection of a window's messages that can be dropped and rebuilt with the same bytes."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

from immutables import Map

from core.messages import Message
from core.messages.base import canonical
from core.messages.commercial import RecordPriced
from core.messages.envelope import EnvelopeComputed
from core.messages.grid import MeterSampled
from core.messages.incident import IncidentOpened, IncidentResolved, IncidentUpdated
from core.messages.readiness import ReadinessAssessed
from core.messages.requirement import RequirementWithdrawn
from core.messages.session import SessionEnded, SessionMetered, SessionStarted, session_id
from core.messages.site import SiteConfigured
from core.reports.meters import Proof, Series, prove
from core.reports.render import render as _render


@dataclass(frozen=True, slots=True)
class Delivered:
    """The register of one session within the window (Wh)."""

    first_wh: float | None = None
    last_wh: float | None = None


@dataclass(frozen=True, slots=True)
class IncidentRow:
    """One incident as it went."""

    kind: str
    subject: str
    severity: str
    opened: datetime
    departures: tuple[str, ...]
    resolved: datetime | None = None


@dataclass(frozen=True, slots=True)
class NightReport:
    """Everything that was folded of the window [begins, ends)."""

    site: str
    begins: datetime
    ends: datetime
    config: Message | None = None
    envelope: Message | None = None
    series: Map[str, Series] = field(default_factory=Map)
    """By meter."""
    proofs: tuple[Proof, ...] = ()
    """Evidence of keeping the limit, one per stretch of one limit."""
    delivered: Map[str, Delivered] = field(default_factory=Map)
    """By session."""
    readiness: Map[tuple[str, str], Message] = field(default_factory=Map)
    records: Map[str, Message] = field(default_factory=Map)
    incidents: Map[str, IncidentRow] = field(default_factory=Map)
    steps: Map[str, int] = field(default_factory=Map)
    """How often each step of a command happened."""
    sent: Map[str, int] = field(default_factory=Map)
    """Commands sent, by station."""
    counted: Map[str, None] = field(default_factory=Map)
    """Ids of command messages, so that a repeat counts once."""


def fold(report: NightReport, message: Message) -> NightReport:
    """The report after one more message of its site; what lies outside of the window or is no part of it changes nothing."""
    if message.site != report.site or message.time >= report.ends:
        return _late(report, message) if message.site == report.site else report
    take = _TAKES.get(message.type)
    if take is not None:
        return take(report, message, message.body)
    return _command(report, message) if message.type.startswith("command.") else report


def fold_all(report: NightReport, messages: Iterable[Message]) -> NightReport:
    """The report after all these messages, in stream order."""
    for message in messages:
        report = fold(report, message)
    return report


def render(report: NightReport) -> dict[str, Any]:
    """The report as plain JSON data: the same log gives the same document."""
    return _render(report)


def document(report: NightReport) -> bytes:
    """The report as canonical JSON: the same log gives the same bytes."""
    return canonical(render(report)).encode()


def _inside(report: NightReport, at: datetime) -> bool:
    return report.begins <= at < report.ends


def _late(report: NightReport, message: Message) -> NightReport:
    """Outcomes and records of the window that were only written after it."""
    late = (ReadinessAssessed, RecordPriced, IncidentResolved)
    take = _TAKES.get(message.type)
    return take(report, message, message.body) if take and isinstance(message.body, late) else report


def _configured(report: NightReport, message: Message, body: SiteConfigured) -> NightReport:
    return replace(report, config=message)


def _enveloped(report: NightReport, message: Message, body: EnvelopeComputed) -> NightReport:
    return replace(report, envelope=message)


def _metered(report: NightReport, message: Message, body: MeterSampled) -> NightReport:
    """A reading of a site meter goes into its series, and into the proof where it measures a limited node."""
    meter = message.at.meter or ""
    known = report.series.get(meter, Series(measures=body.measures))
    if not _inside(report, message.time) or not known.takes(message.time):
        return report
    series = report.series.set(meter, known.add(message.time, body.import_kw, body.import_kwh))
    return replace(report, series=series, proofs=prove(report.proofs, report.config, report.envelope, message))


def _started(report: NightReport, message: Message, body: SessionStarted) -> NightReport:
    return _delivered(report, message, body.transaction, body.meter_wh)


def _sampled(report: NightReport, message: Message, body: SessionMetered) -> NightReport:
    if body.transaction is None:
        return report
    report = _delivered(report, message, body.transaction, body.energy_wh)
    if not report.proofs or not body.power_kw or not _inside(report, message.time):
        return report
    *before, last = report.proofs
    name = session_id(message.at.station or "", body.transaction)
    return replace(report, proofs=(*before, replace(last, sessions=last.sessions | {name})))


def _ended(report: NightReport, message: Message, body: SessionEnded) -> NightReport:
    return _delivered(report, message, body.transaction, body.meter_wh)


def _delivered(report: NightReport, message: Message, transaction: str, wh: float | None) -> NightReport:
    """The lowest and highest register of a session within the window; samples may come in any order."""
    if wh is None or not _inside(report, message.time):
        return report
    name = session_id(message.at.station or "", transaction)
    known = report.delivered.get(name, Delivered())
    first = wh if known.first_wh is None else min(known.first_wh, wh)
    last = wh if known.last_wh is None else max(known.last_wh, wh)
    return replace(report, delivered=report.delivered.set(name, Delivered(first, last)))


def _assessed(report: NightReport, message: Message, body: ReadinessAssessed) -> NightReport:
    key = (body.departs.isoformat(), body.vehicle)
    known = report.readiness.get(key)
    final = known is not None and isinstance(known.body, ReadinessAssessed) and known.body.final
    if not _inside(report, body.departs) or final:
        return report
    return replace(report, readiness=report.readiness.set(key, message))


def _withdrawn(report: NightReport, message: Message, body: RequirementWithdrawn) -> NightReport:
    """A departure that was taken back before its outcome is none of this report."""
    key = (body.departs.isoformat(), body.vehicle)
    known = report.readiness.get(key)
    if known is None or not isinstance(known.body, ReadinessAssessed) or known.body.final:
        return report
    return replace(report, readiness=report.readiness.delete(key))


def _priced(report: NightReport, message: Message, body: RecordPriced) -> NightReport:
    if not _inside(report, body.ends) or body.session in report.records:
        return report
    return replace(report, records=report.records.set(body.session, message))


def _opened(report: NightReport, message: Message, body: IncidentOpened) -> NightReport:
    if not _inside(report, message.time):
        return report
    row = IncidentRow(body.kind, body.subject, body.severity, message.time, body.departures)
    return replace(report, incidents=report.incidents.set(body.incident, row))


def _updated(report: NightReport, message: Message, body: IncidentUpdated) -> NightReport:
    row = report.incidents.get(body.incident)
    if row is None:
        return report
    touched = tuple(sorted({*row.departures, *body.departures}))
    row = replace(row, severity=body.severity, departures=touched)
    return replace(report, incidents=report.incidents.set(body.incident, row))


def _resolved(report: NightReport, message: Message, body: IncidentResolved) -> NightReport:
    row = report.incidents.get(body.incident)
    if row is None:
        return report
    return replace(report, incidents=report.incidents.set(body.incident, replace(row, resolved=message.time)))


def _command(report: NightReport, message: Message) -> NightReport:
    """Count one step of a command; the same message counts once."""
    if not _inside(report, message.time) or message.id in report.counted:
        return report
    step = message.type.partition(".")[2]
    sent, station = report.sent, message.at.station or ""
    if step == "sent":
        sent = sent.set(station, sent.get(station, 0) + 1)
    steps = report.steps.set(step, report.steps.get(step, 0) + 1)
    return replace(report, steps=steps, sent=sent, counted=report.counted.set(message.id, None))


_TAKES: Mapping[str, Callable[[NightReport, Message, Any], NightReport]] = {
    SiteConfigured.TYPE: _configured,
    EnvelopeComputed.TYPE: _enveloped,
    MeterSampled.TYPE: _metered,
    SessionStarted.TYPE: _started,
    SessionMetered.TYPE: _sampled,
    SessionEnded.TYPE: _ended,
    ReadinessAssessed.TYPE: _assessed,
    RequirementWithdrawn.TYPE: _withdrawn,
    RecordPriced.TYPE: _priced,
    IncidentOpened.TYPE: _opened,
    IncidentUpdated.TYPE: _updated,
    IncidentResolved.TYPE: _resolved,
}
