"""Puts the API on a hub: one table of endpoints over the handlers, and what feeds them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gateway.api.evidence import Desk
from gateway.api.routes import FILE, JSON, Endpoint, Query, mount_all
from gateway.api.schedules import Imports, Schedules
from gateway.api.telemetry import Readings, Telemetry

if TYPE_CHECKING:
    from gateway.wiring import Hub


def mount(hub: Hub) -> None:
    """Serve the API on the hub's HTTP host; called once, before the listeners open."""
    desk, imports = Desk(hub), Imports()
    hub.feed.follow(imports.take)
    mount_all(hub.http, _writes(desk, imports))


def _writes(desk: Desk, imports: Imports) -> list[Endpoint]:
    telemetry, schedules = Telemetry(desk), Schedules(desk, imports)
    return [
        Endpoint(
            "POST",
            "/sites/{site}/telemetry",
            telemetry.post,
            "Readings of vehicles and meters, one or many; idempotent by (source, subject, measured_at).",
            body=Readings,
            max_body=JSON,
        ),
        Endpoint(
            "POST",
            "/sites/{site}/schedules",
            schedules.post,
            "A schedule file: VDV 452, a plain table, or assignments; answered when it was taken over.",
            query=(
                Query("format", "auto (default), vdv452, table, assignments or departures"),
                Query("feed", "the feed's name; by default its format's"),
                Query("dry_run", "say what would change, change nothing", "boolean"),
                Query("why", "why, for the record"),
            ),
            body="application/octet-stream",
            max_body=FILE,
        ),
    ]
