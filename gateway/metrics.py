"""The metrics: one table, from which the registry and the reference are made. No vehicle or station is a label."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Literal

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4

_log = logging.getLogger("busbar.metrics")
PREFIX = "busbar_"
Kind = Literal["counter", "gauge", "histogram"]
_FAST = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0)


@dataclass(frozen=True, slots=True)
class Metric:
    """One metric: its name without prefix, what it counts, in which unit, by which labels."""

    name: str
    kind: Kind
    help: str
    labels: tuple[str, ...] = ()

    @property
    def exposed(self) -> str:
        """Its name on `/metrics`."""
        return PREFIX + self.name + ("_total" if self.kind == "counter" else "")


METRICS: tuple[Metric, ...] = (
    Metric("peers_connected", "gauge", "Peers with an open connection or a fresh registration.", ("protocol",)),
    Metric(
        "peers_stale",
        "gauge",
        "Known peers that are not connected, or whose registration is not fresh any more.",
        ("protocol",),
    ),
    Metric("frames_received", "counter", "Frames taken from peers.", ("protocol", "version")),
    Metric("frames_sent", "counter", "Frames sent to peers.", ("protocol", "version")),
    Metric(
        "frames_refused",
        "counter",
        "Frames and requests answered with the protocol's own error.",
        ("protocol", "reason"),
    ),
    Metric(
        "frames_not_stored",
        "counter",
        "Frames left unanswered because the journal did not take them.",
        ("protocol", "version"),
    ),
    Metric(
        "frames_delayed", "counter", "Frames that waited because their peer sends faster than allowed.", ("protocol",)
    ),
    Metric("frames_repeated", "counter", "Frames that a peer sent again.", ("protocol", "version")),
    Metric(
        "frames_unanswered",
        "counter",
        "Frames that their protocol leaves unanswered: neither call nor answer.",
        ("protocol", "version"),
    ),
    Metric(
        "frames_deviating", "counter", "Frames outside their schema whose good part was used.", ("protocol", "version")
    ),
    Metric("answers_unmatched", "counter", "Answers to no open call.", ("protocol", "version")),
    Metric("calls_refused", "counter", "Calls answered with the protocol's own error.", ("protocol", "version")),
    Metric("calls_unanswered", "counter", "Calls to peers without a usable answer.", ("protocol", "reason")),
    Metric("adapter_failures", "counter", "Defects of an adapter that ended one piece of work.", ("protocol",)),
    Metric("stations_refused", "counter", "Stations refused before the upgrade.", ("protocol", "reason")),
    Metric("connections_refused", "counter", "Connections refused before the protocol began.", ("protocol", "reason")),
    Metric("quarantined", "counter", "Items kept as evidence and not used, by reason.", ("protocol", "reason")),
    Metric("journal_append_seconds", "histogram", "From asking to durable, seconds.", ()),
    Metric("journal_append_failed", "counter", "Appends that were not acknowledged.", ("reason",)),
    Metric("journal_messages", "counter", "Messages made durable.", ()),
    Metric("journal_lag_messages", "gauge", "Records that a reader has not folded yet.", ("reader",)),
    Metric("journal_bytes", "gauge", "Bytes of the journal's stream.", ()),
    Metric("journal_limit_bytes", "gauge", "Bytes that it may have; when it is full nothing more is stored.", ()),
    Metric(
        "journal_whole", "gauge", "1 where the last nightly verification found every record whole, 0 where not.", ()
    ),
    Metric("journal_verified_timestamp_seconds", "gauge", "When the journal was verified last, Unix time.", ()),
    Metric(
        "site_controlled",
        "gauge",
        "1 while the site is decided for, 0 after a defect or while nothing can be stored.",
        ("site",),
    ),
    Metric("commands", "counter", "Steps of commands to chargers.", ("state",)),
    Metric("command_confirm_seconds", "histogram", "From a wish to each of its confirmations, seconds.", ()),
    Metric("envelope_import_limit_kilowatts", "gauge", "Import limit in force.", ("site",)),
    Metric("measured_import_kilowatts", "gauge", "Import measured at the grid connection.", ("site",)),
    Metric("allocation_seconds", "histogram", "Duration of a decision with a new allocation, seconds.", ("site",)),
    Metric("shortage_kilowatthours", "gauge", "Energy that the plan in force cannot give.", ("site",)),
    Metric("readiness_vehicles", "gauge", "Departures by readiness state.", ("site", "state")),
    Metric("incidents_open", "gauge", "Open incidents by kind.", ("site", "kind")),
    Metric("certificate_expiry_days", "gauge", "Days until a certificate of this hub expires.", ("tls",)),
    Metric("http_requests", "counter", "HTTP requests answered.", ("mount", "status")),
    Metric("http_request_seconds", "histogram", "Duration of HTTP requests, seconds.", ("mount",)),
    Metric("metrics_unknown", "counter", "Reports under a name that this table does not have.", ()),
    Metric("metrics_failed", "counter", "Looks at what is true at the moment that failed; the others are shown.", ()),
)
"""Everything that `/metrics` shows."""

_Made = Counter | Gauge | Histogram


class Metrics:
    """A registry over the table. Nothing here raises into the caller: a wrong name is counted and logged once."""

    content_type = CONTENT_TYPE_PLAIN_0_0_4

    def __init__(self, table: tuple[Metric, ...] = METRICS) -> None:
        self._registry = CollectorRegistry()
        self._table = {m.name: m for m in table}
        self._made: dict[str, _Made] = {m.name: self._make(m) for m in table}
        self._said: set[str] = set()
        self.looks: list[Callable[[], None]] = []
        """Called before the metrics are shown: what is true at a moment is looked at then. One that fails hides no other."""

    def _make(self, metric: Metric) -> _Made:
        name = PREFIX + metric.name
        if metric.kind == "counter":
            return Counter(name, metric.help, metric.labels, registry=self._registry)
        if metric.kind == "gauge":
            return Gauge(name, metric.help, metric.labels, registry=self._registry)
        return Histogram(name, metric.help, metric.labels, registry=self._registry, buckets=_FAST)

    def report(self, name: str, labels: Mapping[str, str] | None = None, by: int = 1) -> None:
        """Count; labels that the table does not declare are dropped, missing ones are empty."""
        made = self._child(name, labels)
        if isinstance(made, Counter):
            made.inc(by)

    def set(self, name: str, value: float, labels: Mapping[str, str] | None = None) -> None:
        """Set a gauge, in the unit of its name."""
        made = self._child(name, labels)
        if isinstance(made, Gauge):
            made.set(value)

    def observe(self, name: str, value: float, labels: Mapping[str, str] | None = None) -> None:
        """Add to a histogram, in the unit of its name."""
        made = self._child(name, labels)
        if isinstance(made, Histogram):
            made.observe(value)

    def _child(self, name: str, labels: Mapping[str, str] | None) -> _Made | None:
        metric = self._table.get(name)
        if metric is None:
            self._trouble("metrics_unknown", f"metric {name!r} is not in the table; next: add it to gateway/metrics.py")
            return None
        made = self._made[name]
        if not metric.labels:
            return made
        return made.labels(*((labels or {}).get(label, "") for label in metric.labels))

    def _trouble(self, counted: str, what: str, error: Exception | None = None) -> None:
        """Count it, and say it once."""
        counter = self._made.get(counted)
        if isinstance(counter, Counter):
            counter.inc()
        if what not in self._said and len(self._said) < 100:
            self._said.add(what)
            _log.warning("%s", what, exc_info=error)

    def text(self) -> bytes:
        """The exposition in the Prometheus text format."""
        for look in self.looks:
            try:
                look()
            except Exception as error:  # noqa: BLE001 because: one look's defect hides no other metric
                self._trouble("metrics_failed", f"{look!r} failed: what it shows is old; next: report it", error)
        return generate_latest(self._registry)
