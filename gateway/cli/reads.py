"""Read verbs: one table of paths and columns, one command over it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, tzinfo
from typing import Any

import click

from gateway.cli.client import Where, everything, source, zones
from gateway.cli.options import examples, hub_options, json_option, print_json
from gateway.cli.table import moment, table


@dataclass(frozen=True, slots=True)
class Read:
    """One read verb: its path below /api/v1, the columns it shows, its help, what an empty answer means, its filters and an example."""

    path: str
    columns: tuple[str, ...]
    help: str
    none: str
    filters: tuple[str, ...]
    example: str


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
            "unknown",
            "missed",
            "incidents_open",
        ),
        "The sites at a glance: limit, import, stations, departures, incidents.",
        "no site is configured",
        (),
        "busbar status --config depot/busbar.toml",
    ),
    "vehicles": Read(
        "/vehicles",
        ("vehicle", "type", "soc", "soc_at", "station", "connector", "departure", "readiness", "reason"),
        "Vehicles: state of charge with its age, place, next departure, readiness.",
        "no vehicle is known; declare them under `vehicles` in the settings",
        ("vehicle",),
        "busbar vehicles --vehicle BUS-142",
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
        ("station",),
        "busbar stations --station CP-07",
    ),
    "sessions": Read(
        "/sessions",
        ("session", "station", "vehicle", "started", "ended", "energy_kwh", "soc"),
        "Charging sessions, newest first.",
        "no session yet",
        ("vehicle", "station"),
        "busbar sessions --vehicle BUS-142 --at-most 5",
    ),
    "envelope": Read(
        "/envelope",
        ("from", "to", "import_kw", "binding_source", "node"),
        "What each node may draw in which window, and what binds.",
        "no envelope yet: the site controller has not decided once",
        (),
        "busbar envelope --site depot --json",
    ),
    "incidents": Read(
        "/incidents",
        ("incident", "kind", "subject", "opened", "resolved", "reason", "next"),
        "Incidents, open ones first, each with the next step.",
        "no incident",
        ("vehicle", "station"),
        "busbar incidents --station CP-07",
    ),
    "records": Read(
        "/records",
        ("session", "vehicle", "energy_kwh", "cost", "currency", "cost_centre", "status", "reason"),
        "Priced records, one per session.",
        "no record yet: a session is priced when it has ended",
        ("vehicle", "station"),
        "busbar records --json",
    ),
}
"""Every read verb."""


def _command(name: str, read: Read) -> click.Command:
    def show(where: Where, as_json: bool, at_most: int, **asked: Any) -> None:
        with source(where) as hub:
            at = {} if as_json else zones(hub)
            rows = everything(hub, read.path, asked, at_most)
        if as_json:
            print_json(rows)
        else:
            shown = joined(rows, read.columns) if "from" in read.columns else rows
            click.echo(table([_local(row, at) for row in shown], read.columns, _nothing(read, asked)))

    options: tuple[Callable[[Any], Any], ...] = (
        hub_options,
        json_option,
        click.option("--at-most", type=click.IntRange(1), default=200, show_default=True, help="Rows."),
        click.option("--after", type=int, help="Wait until the read model has this journal position."),
        *(click.option(f"--{name}", help=f"Only what names this {name}.") for name in reversed(read.filters)),
        click.option("--site", help="Only this site."),
    )
    for option in options:
        show = option(show)
    return examples(read.example)(click.command(name, help=read.help)(show))


def joined(rows: Sequence[dict[str, Any]], columns: Sequence[str]) -> list[dict[str, Any]]:
    """Windows that follow one another and say the same, as one."""
    said = [name for name in ("site", *columns) if name not in ("from", "to")]
    found: list[dict[str, Any]] = []
    last: dict[tuple[object, ...], dict[str, Any]] = {}
    for row in rows:
        key = tuple(row.get(name) for name in said)
        if key in last and last[key]["to"] == row["from"]:
            last[key]["to"] = row["to"]
        else:
            last[key] = dict(row)
            found.append(last[key])
    return found


def _nothing(read: Read, asked: Mapping[str, Any]) -> str:
    """What an empty answer means: of a narrowed question only that nothing fits it."""
    narrow = [f"--{name} {value}" for name, value in asked.items() if name != "after" and value is not None]
    return f"nothing fits {' '.join(narrow)}; leave that out to see what there is" if narrow else read.none


def _local(row: dict[str, Any], at: dict[str, tzinfo]) -> dict[str, Any]:
    """Its moments in the zone of its site."""
    zone = at.get(str(row.get("site") or row.get("id")), UTC)
    return {name: moment(value, zone) for name, value in row.items()}


status, vehicles, stations, sessions, envelope, incidents, records = (_command(n, r) for n, r in READS.items())
