"""Metrics: one table; wrong names and labels never reach the caller as an error."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from gateway.gauges import show_certificates, show_peers
from gateway.metrics import METRICS, Metrics


def test_every_metric_of_the_table_is_exposed_with_its_help() -> None:
    text = Metrics().text().decode()
    for metric in METRICS:
        assert f"# HELP {metric.exposed} {metric.help}" in text


def test_reports_are_counted_by_their_declared_labels() -> None:
    metrics = Metrics()
    metrics.report("frames_received", {"protocol": "ocpp", "station": "CP-01"})
    assert 'busbar_frames_received_total{protocol="ocpp",version=""} 1.0' in metrics.text().decode()
    assert "CP-01" not in metrics.text().decode()


def test_an_unknown_name_is_counted_and_raises_nothing() -> None:
    metrics = Metrics()
    metrics.report("nonsense", {})
    metrics.set("nonsense", 1.0)
    assert "busbar_metrics_unknown_total 2.0" in metrics.text().decode()


def test_a_look_that_fails_hides_no_other_metric_and_is_counted_and_told_once(caplog: pytest.LogCaptureFixture) -> None:
    metrics = Metrics()
    metrics.looks += [lambda: 1 / 0, lambda: metrics.set("journal_whole", 1)]  # type: ignore[list-item]  # because: it only fails
    assert "busbar_journal_whole 1.0" in metrics.text().decode()
    assert "busbar_metrics_failed_total 2.0" in metrics.text().decode()
    assert [(r.levelname, "next:" in r.getMessage()) for r in caplog.records] == [("WARNING", True)]


def test_gauges_and_histograms_take_values_in_the_unit_of_their_name() -> None:
    metrics = Metrics()
    metrics.set("envelope_import_limit_kilowatts", 260.0, {"site": "depot"})
    metrics.observe("journal_append_seconds", 0.003)
    text = metrics.text().decode()
    assert 'busbar_envelope_import_limit_kilowatts{site="depot"} 260.0' in text
    assert 'busbar_journal_append_seconds_bucket{le="0.005"} 1.0' in text


def test_no_metric_names_a_vehicle_or_a_station() -> None:
    assert not {"vehicle", "station", "token"} & {label for m in METRICS for label in m.labels}


def test_every_report_of_an_adapter_names_a_metric_of_the_table() -> None:
    root = Path(__file__).resolve().parents[2] / "protocols"
    sources = "\n".join(path.read_text() for path in root.rglob("*.py"))
    used = set(re.findall(r"""(?:report|_count)\(\s*"([a-z_]+)\"""", sources))
    assert used
    assert used - {m.name for m in METRICS} == set()


def test_every_metric_of_the_table_is_set_somewhere() -> None:
    house = Path(__file__).resolve().parents[2]
    folders = [house / name for name in ("gateway", "protocols")]
    sources = "\n".join(path.read_text() for folder in folders for path in folder.rglob("*.py"))
    used = set(re.findall(r"""(?:report|_count|set|observe)\(\s*"([a-z_]+)\"""", sources))
    assert {m.name for m in METRICS} - used == {"metrics_unknown", "metrics_failed"}, (
        "these are counted by the table itself"
    )


def test_what_is_true_at_a_moment_is_looked_at_when_it_is_asked() -> None:
    metrics, peers = Metrics(), {"CP-01": True, "CP-02": False, "CP-03": False}
    metrics.looks.append(lambda: show_peers(metrics, {"ocpp": peers}))
    now = datetime(2026, 11, 25, tzinfo=UTC)
    ends = {"public": now + timedelta(days=30, hours=12), "partners": now - timedelta(days=1)}
    metrics.looks.append(lambda: show_certificates(metrics, ends, now))
    text = metrics.text().decode()
    assert 'busbar_peers_connected{protocol="ocpp"} 1.0' in text
    assert 'busbar_peers_stale{protocol="ocpp"} 2.0' in text
    assert 'busbar_certificate_expiry_days{tls="public"} 30.5' in text
    assert 'busbar_certificate_expiry_days{tls="partners"} -1.0' in text
    peers["CP-02"] = True
    assert 'busbar_peers_stale{protocol="ocpp"} 1.0' in metrics.text().decode()
