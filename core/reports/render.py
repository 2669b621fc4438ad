"""A folded report as plain JSON data: sorted, rounded, every unknown as null."""

from __future__ import annotations

from collections import Counter
from datetime import datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from core.commercial.allocation import by_cost_centre
from core.commercial.tariff import period_at
from core.messages.commercial import RecordPriced
from core.messages.readiness import ReadinessAssessed
from core.messages.site import SiteConfig, SiteConfigured
from core.reports.meters import Proof, Series

if TYPE_CHECKING:
    from core.reports import NightReport


def render(report: NightReport) -> dict[str, Any]:
    """The document; keys are stable, lists are sorted by time or name."""
    config = _config(report)
    grid = _series(report, config, "import")
    return {
        "site": report.site,
        "from": _moment(report.begins),
        "to": _moment(report.ends),
        "zone": config.zone if config else None,
        "versions": _versions(report, config),
        "energy": _energy(report, config, grid),
        "cost": _cost(report, config, grid),
        "peak": _peak(grid),
        "carbon": _carbon(config, grid),
        "readiness": _readiness(report),
        "commands": _commands(report),
        "limits": [_proof(proof) for proof in report.proofs],
        "incidents": _incidents(report),
        "gaps": _gaps(report),
    }


def _config(report: NightReport) -> SiteConfig | None:
    body = report.config.body if report.config else None
    return body.config if isinstance(body, SiteConfigured) else None


def _versions(report: NightReport, config: SiteConfig | None) -> dict[str, Any]:
    """Which configuration, tariff and factor the figures rest on."""
    body = report.config.body if report.config else None
    return {
        "configuration": body.digest if isinstance(body, SiteConfigured) else None,
        "tariff": config.tariff.id if config else None,
        "carbon_kg_per_kwh": config.policies.carbon_kg_per_kwh if config else None,
    }


def _series(report: NightReport, config: SiteConfig | None, measures: str) -> Series | None:
    """The root's meter of this kind; without a configuration the first one by name."""
    root = next((n.id for n in config.nodes if n.parent is None), None) if config else None
    declared = [m.id for m in config.meters if m.measures == measures and m.node == root] if config else []
    names = declared or sorted(name for name, series in report.series.items() if series.measures == measures)
    return next((report.series[name] for name in names if name in report.series), None)


def _energy(report: NightReport, config: SiteConfig | None, grid: Series | None) -> dict[str, Any]:
    """KWh at the grid meter, in the building, at the plugs; the rest is losses."""
    building = _series(report, config, "building")
    sessions = {name: _kwh(d.first_wh, d.last_wh) for name, d in sorted(report.delivered.items())}
    plugs = sum(kwh for kwh in sessions.values() if kwh is not None)
    grid_kwh = grid.energy_kwh if grid else None
    building_kwh = building.energy_kwh if building else 0.0
    losses = None if grid_kwh is None or building_kwh is None else grid_kwh - building_kwh - plugs
    return {
        "grid_kwh": _round(grid_kwh),
        "building_kwh": _round(building_kwh),
        "plugs_kwh": _round(plugs),
        "losses_kwh": _round(losses),
        "sessions": {name: _round(kwh) for name, kwh in sessions.items()},
    }


def _kwh(first_wh: float | None, last_wh: float | None) -> float | None:
    return None if first_wh is None or last_wh is None else (last_wh - first_wh) / 1000


def _cost(report: NightReport, config: SiteConfig | None, grid: Series | None) -> dict[str, Any]:
    """What sessions owe, per cost centre, and what the grid meter's energy costs by the same tariff."""
    records = [m.body for _, m in sorted(report.records.items()) if isinstance(m.body, RecordPriced)]
    shares = [
        {
            "cost_centre": share.cost_centre,
            "currency": share.currency,
            "sessions": share.sessions,
            "incomplete": share.incomplete,
            "energy_kwh": _decimal(share.energy_kwh),
            "cost": _decimal(share.cost),
        }
        for share in by_cost_centre(records)
    ]
    return {
        "sessions": shares,
        "grid": _grid_cost(config, grid),
        "currency": config.tariff.currency if config else None,
    }


def _grid_cost(config: SiteConfig | None, grid: Series | None) -> str | None:
    """The measured quarter hours at the tariff's prices."""
    if config is None or grid is None:
        return None
    total = Decimal(0)
    for begins, slot in sorted(grid.slots.items()):
        rate = period_at(config.tariff, config.zone, begins).price_per_kwh
        total += Decimal(str(round(slot.kw_s / 3600, 6))) * rate
    return _decimal(total)


def _peak(grid: Series | None) -> dict[str, Any]:
    """The highest quarter-hour mean, and the highest single reading."""
    if grid is None or not grid.slots:
        return {"mean_kw": None, "mean_from": None, "max_kw": None, "max_at": None}
    begins, slot = max(sorted(grid.slots.items()), key=lambda item: item[1].mean_kw)
    return {
        "mean_kw": _round(slot.mean_kw),
        "mean_from": _moment(begins),
        "max_kw": _round(grid.max_kw),
        "max_at": _moment(grid.max_at),
    }


def _carbon(config: SiteConfig | None, grid: Series | None) -> dict[str, Any]:
    """Location based: grid energy times the grid's factor. Market based is unknown without certificates."""
    kwh = grid.energy_kwh if grid else None
    known = None if config is None or kwh is None else kwh * config.policies.carbon_kg_per_kwh
    return {"location_kg": _round(known), "market_kg": None}


def _readiness(report: NightReport) -> dict[str, Any]:
    bodies = [m.body for _, m in sorted(report.readiness.items()) if isinstance(m.body, ReadinessAssessed)]
    counts = Counter(body.state for body in bodies)
    return {
        "departures": len(bodies),
        "met": counts["met"],
        "departed_short": counts["departed_short"],
        "missed": counts["missed"],
        "open": sum(not body.final for body in bodies),
        "on_time": _round(sum(b.state == "met" and b.final for b in bodies) / len(bodies)) if bodies else None,
        "rows": [_row(m.id, m.at.session, m.body) for _, m in sorted(report.readiness.items())],
    }


def _row(message: str, session: str | None, body: Any) -> dict[str, Any]:
    return {
        "vehicle": body.vehicle,
        "departure": _moment(body.departs),
        "readiness": body.state,
        "final": body.final,
        "reason": body.reasons[0].code if body.reasons else "",
        "soc": _round(body.soc),
        "soc_goal": _round(body.soc_goal),
        "short_kwh": _round(body.short_kwh),
        "session": session,
        "message": message,
    }


def _commands(report: NightReport) -> dict[str, Any]:
    steps = ("wished", "sent", "accepted", "rejected", "unanswered", "confirmed", "mismatched")
    counts: dict[str, Any] = {step: report.steps.get(step, 0) for step in steps}
    return counts | {"per_station_max": max(report.sent.values(), default=0)}


def _proof(proof: Proof) -> dict[str, Any]:
    return {
        "from": _moment(proof.begins),
        "to": _moment(proof.ends),
        "limit_kw": _round(proof.limit_kw),
        "source": proof.source,
        "mean_kw": _round(proof.sum_kw / proof.readings),
        "max_kw": _round(proof.max_kw),
        "kept": proof.over == 0,
        "readings": proof.readings,
        "readings_over": proof.over,
        "evidence": {"envelope": proof.envelope, "highest": proof.max_by},
        "sessions": sorted(proof.sessions),
    }


def _incidents(report: NightReport) -> dict[str, Any]:
    rows = sorted(report.incidents.values(), key=lambda row: (row.opened, row.kind, row.subject))
    return {
        "count": len(rows),
        "by_kind": dict(sorted(Counter(row.kind for row in rows).items())),
        "rows": [
            {
                "kind": row.kind,
                "subject": row.subject,
                "severity": row.severity,
                "opened": _moment(row.opened),
                "resolved": _moment(row.resolved),
                "departures": list(row.departures),
            }
            for row in rows
        ],
    }


def _gaps(report: NightReport) -> dict[str, Any]:
    """What was not measured: nothing of it is filled in."""
    window = (report.ends - report.begins).total_seconds()
    return {
        "meters": {
            name: {
                "covered": _round(series.covered_s / window),
                "gaps": [[_moment(begins), _moment(ends)] for begins, ends in series.gaps],
            }
            for name, series in sorted(report.series.items())
        },
        "records_incomplete": sum(
            isinstance(m.body, RecordPriced) and m.body.status == "incomplete" for m in report.records.values()
        ),
    }


def _round(value: float | None) -> float | None:
    return None if value is None else round(float(value), 3)


def _decimal(value: Decimal) -> str:
    return f"{value:.4f}"


def _moment(value: datetime | None) -> str | None:
    return None if value is None else value.isoformat()
