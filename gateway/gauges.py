"""What `/metrics` says: sites from the journal as it grows; limits, peers and certificates as they are when it is asked."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from typing import Any

from core.messages import Message
from core.messages.allocation import AllocationPlanned
from core.messages.command import CommandConfirmed, CommandWished
from core.messages.envelope import EnvelopeComputed, EnvelopeSegment
from core.messages.grid import MeterSampled
from core.messages.incident import IncidentOpened, IncidentResolved
from core.messages.readiness import ReadinessAssessed
from core.ports import Clock
from core.site import SiteState
from gateway.journal.log import Record
from gateway.metrics import Metrics

STATES = ("on_track", "at_risk", "unknown", "met", "departed_short", "missed")
STEPS = ("sent", "accepted", "rejected", "unanswered", "confirmed", "mismatched")


class Gauges:
    """Follows the feed; begins with what the controllers have folded already."""

    def __init__(
        self, metrics: Metrics, clock: Clock, state: Callable[[str], SiteState | None], sites: tuple[str, ...]
    ) -> None:
        self._metrics, self._clock = metrics, clock
        self._segments: dict[str, list[EnvelopeSegment]] = {}
        self._wished: dict[str, Message] = {}
        """The newest wish of each station."""
        self._roots: dict[str, str] = {}
        self._readiness: dict[str, dict[str, str]] = {site: {} for site in sites}
        self._open: dict[str, dict[str, str]] = {site: {} for site in sites}
        self._kinds: dict[str, set[str]] = {site: set() for site in sites}
        for site in sites:
            self._begin(site, state(site))

    def _begin(self, site: str, state: SiteState | None) -> None:
        if state is None:
            return
        root = next((n.id for n in (state.config.nodes if state.config else ()) if n.parent is None), None)
        self._roots[site] = root or ""
        self._segments[site] = [s for s in state.grid.segments if s.node == root]
        if state.allocations.planned is not None:
            self._planned(site, state.allocations.planned, state.allocations.planned.body)
        self._wished |= {name: known.wish for name, known in state.dispatch.stations.items() if known.wish is not None}
        for message in state.readiness.last.values():
            self._assessed(site, message.body)
        for known in state.incidents.open.values():
            self._open[site][known.body.incident] = known.body.kind
        self._show_readiness(site)
        self._show_incidents(site)

    def take(self, record: Record) -> None:
        """A record of the journal, in order; returns at once."""
        site = record.site
        if site not in self._readiness:
            return
        for message in record.messages:
            take = _TAKES.get(message.type)
            if take is not None:
                take(self, site, message, message.body)
            elif message.type.startswith("command."):
                self._step(message)

    def look(self) -> None:
        """The limits in force at this moment."""
        now = self._clock.now()
        for site, segments in self._segments.items():
            for segment in segments:
                if segment.begins <= now < segment.ends:
                    self._metrics.set("envelope_import_limit_kilowatts", segment.import_kw, {"site": site})

    def _step(self, message: Message) -> None:
        step, body, station = message.type.partition(".")[2], message.body, message.at.station or ""
        if step in STEPS:
            self._metrics.report("commands", {"state": step})
        if isinstance(body, CommandWished):
            self._wished[station] = message
        wished = self._wished.get(station)
        if isinstance(body, CommandConfirmed) and wished is not None and body.wish == wished.id:
            self._metrics.observe("command_confirm_seconds", (message.time - wished.time).total_seconds())

    def _enveloped(self, site: str, message: Message, body: EnvelopeComputed) -> None:
        self._segments[site] = [s for s in body.segments if s.node == self._roots.get(site)]

    def _measured(self, site: str, message: Message, body: MeterSampled) -> None:
        if body.measures == "import" and body.import_kw is not None:
            self._metrics.set("measured_import_kilowatts", body.import_kw, {"site": site})

    def _planned(self, site: str, message: Message, body: Any) -> None:
        if isinstance(body, AllocationPlanned):
            self._metrics.set("shortage_kilowatthours", body.missing_kwh, {"site": site})

    def _readied(self, site: str, message: Message, body: ReadinessAssessed) -> None:
        self._assessed(site, body)
        self._show_readiness(site)

    def _assessed(self, site: str, body: Any) -> None:
        if isinstance(body, ReadinessAssessed):
            self._readiness[site][body.vehicle] = body.state

    def _show_readiness(self, site: str) -> None:
        counts = Counter(self._readiness[site].values())
        for state in STATES:
            self._metrics.set("readiness_vehicles", counts[state], {"site": site, "state": state})

    def _opened(self, site: str, message: Message, body: IncidentOpened) -> None:
        self._open[site][body.incident] = body.kind
        self._show_incidents(site)

    def _resolved(self, site: str, message: Message, body: IncidentResolved) -> None:
        self._open[site].pop(body.incident, None)
        self._show_incidents(site)

    def _show_incidents(self, site: str) -> None:
        counts = Counter(self._open[site].values())
        self._kinds[site] |= set(counts)
        for kind in self._kinds[site]:
            self._metrics.set("incidents_open", counts[kind], {"site": site, "kind": kind})


def show_peers(metrics: Metrics, peers: Mapping[str, Mapping[str, bool]]) -> None:
    """By protocol, every known peer and whether it is connected, or its registration fresh."""
    for protocol, known in peers.items():
        connected = sum(known.values())
        metrics.set("peers_connected", connected, {"protocol": protocol})
        metrics.set("peers_stale", len(known) - connected, {"protocol": protocol})


def show_certificates(metrics: Metrics, ends: Mapping[str, datetime], now: datetime) -> None:
    """Days that each TLS context's certificate is still valid; below zero where it is not."""
    for name, until in ends.items():
        metrics.set("certificate_expiry_days", (until - now) / timedelta(days=1), {"tls": name})


_TAKES: Mapping[str, Callable[[Gauges, str, Message, Any], None]] = {
    "envelope.computed": Gauges._enveloped,
    "meter.sampled": Gauges._measured,
    "allocation.planned": Gauges._planned,
    "readiness.assessed": Gauges._readied,
    "incident.opened": Gauges._opened,
    "incident.resolved": Gauges._resolved,
}
