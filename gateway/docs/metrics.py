"""The metrics reference and the Grafana board, from the one table."""

from __future__ import annotations

import json
from typing import Any

from gateway.docs.text import page as make_page
from gateway.docs.text import table
from gateway.metrics import METRICS, Metric


def page() -> str:
    """Every metric with its kind, labels and meaning."""
    rows = [(f"`{m.exposed}`", m.kind, ", ".join(m.labels) or "none", m.help) for m in METRICS]
    head = "Served at `/metrics` of every HTTP listener that mounts `metrics`. No label names a vehicle, a station or a token."
    return make_page(
        "Metrics", head, table(("metric", "kind", "labels", "meaning"), rows), "Grafana board: `deploy/grafana.json`."
    )


def board() -> str:
    """A Grafana board with one panel per metric."""
    panels = [_panel(index, metric) for index, metric in enumerate(METRICS)]
    document = {
        "title": "Busbar",
        "uid": "busbar",
        "schemaVersion": 39,
        "refresh": "10s",
        "time": {"from": "now-12h", "to": "now"},
        "panels": panels,
    }
    return json.dumps(document, indent=1) + "\n"


def _panel(index: int, metric: Metric) -> dict[str, Any]:
    place = {"h": 7, "w": 8, "x": 8 * (index % 3), "y": 7 * (index // 3)}
    legend = " ".join(f"{{{{{label}}}}}" for label in metric.labels) or metric.name
    target = {"expr": _query(metric), "legendFormat": legend, "refId": "A"}
    return {"id": index + 1, "type": "timeseries", "title": metric.help, "gridPos": place, "targets": [target]}


def _query(metric: Metric) -> str:
    labels = f"({', '.join(metric.labels)})"
    if metric.kind == "counter":
        return f"sum by {labels} (rate({metric.exposed}[5m]))"
    if metric.kind == "histogram":
        inner = ", ".join(("le", *metric.labels))
        return f"histogram_quantile(0.99, sum by ({inner}) (rate({metric.exposed}_bucket[5m])))"
    return metric.exposed
