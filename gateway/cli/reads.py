"""Read verbs: one table of paths and columns, one command over it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import click

from gateway.cli.client import Where, everything, source
from gateway.cli.options import hub_options, json_option, print_json
from gateway.cli.table import table


@dataclass(frozen=True, slots=True)
class Read:
    """One read verb: its path below /api/v1, the columns it shows, its help, and what an empty answer means."""

    path: str
    columns: tuple[str, ...]
    help: str
    none: str


READS: dict[str, Read] = {
    "status": Read(
        "/sites",
        (
            "id",
            "name",
            "limit_kw",
            "limited_by",
            "measured_kw",
            "stations_connected",
            "stations",
            "on_track",
            "at_risk",
            "missed",
            "incidents_open",
        ),
        "The sites at a glance: limit, import, stations, departures, incidents.",
        "no site is configured",
    ),
    "vehicles": Read(
        "/vehicles",
        ("vehicle", "type", "soc", "soc_at", "station", "connector", "departure", "readiness", "reason"),
        "Vehicles: state of charge with its age, place, next departure, readiness.",
        "no vehicle is known; declare them under `vehicles` in the settings",
    ),
    "stations": Read(
        "/stations",
        (
            "station",
            "node",
            "connected",
            "version",
            "status",
            "vehicle",
            "wished_kw",
            "confirmed_kw",
            "ceiling_kw",
            "measured_kw",
            "reason",
        ),
        "Stations: connection, what was asked and confirmed, what they may draw at most.",
        "no station is known; declare them, or see who knocks: busbar connect ocpp --knocking",
    ),
    "sessions": Read(
        "/sessions",
        ("session", "station", "vehicle", "started", "ended", "energy_kwh", "soc"),
        "Charging sessions, newest first.",
        "no session yet",
    ),
    "envelope": Read(
        "/envelope",
        ("from", "to", "import_kw", "binding_source", "node"),
        "What each node may draw in which window, and what binds.",
        "no envelope yet: the site controller has not decided once",
    ),
    "incidents": Read(
        "/incidents",
        ("incident", "kind", "subject", "opened", "resolved", "reason", "next"),
        "Incidents, open ones first, each with the next step.",
        "no incident",
    ),
    "records": Read(
        "/records",
        ("session", "vehicle", "energy_kwh", "cost", "currency", "cost_centre"),
        "Priced records, one per session.",
        "no record yet: a session is priced when it has ended",
    ),
}
"""Every read verb."""


def _command(name: str, read: Read) -> click.Command:
    @hub_options
    @json_option
    def show(
        where: Where,
        as_json: bool,
        site: str | None,
        vehicle: str | None,
        station: str | None,
        after: int | None,
        at_most: int,
    ) -> None:
        asked: dict[str, Any] = {"site": site, "vehicle": vehicle, "station": station, "after": after}
        with source(where) as hub:
            rows = everything(hub, read.path, asked, at_most)
        if as_json:
            print_json(rows)
        else:
            click.echo(table(rows, read.columns, read.none))

    for option in (
        click.option("--site", help="Only this site."),
        click.option("--vehicle", help="Only what names this vehicle."),
        click.option("--station", help="Only what names this station."),
        click.option("--after", type=int, help="Wait until the read model has this journal position."),
        click.option("--at-most", type=click.IntRange(1), default=200, show_default=True, help="Rows."),
    ):
        show = option(show)
    return click.command(name, help=read.help)(show)


status, vehicles, stations, sessions, envelope, incidents, records = (_command(n, r) for n, r in READS.items())
