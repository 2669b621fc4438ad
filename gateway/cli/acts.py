"""What a person decides by hand: imported work, a departure, a vehicle's place, a limit; each an event with who and why."""

from __future__ import annotations

import io
import zipfile
from pathlib import Path
from typing import Any

import click

from gateway.cli.client import Answer, Where, need, only_site, part
from gateway.cli.durations import seconds
from gateway.cli.errors import UNREACHABLE, CliError
from gateway.cli.options import hub_options, json_option, print_json
from gateway.cli.table import cell, table

SITE = click.option("--site", help="The site; may be left out where there is one.")


def _done(answer: Answer, as_json: bool, text: str) -> None:
    """Print what the hub answered to a write, with its place in the journal."""
    if as_json:
        print_json({"position": answer.position, "answer": answer.data})
        return
    place = f" (journal position {answer.position})" if answer.position else ""
    click.echo(f"{text}{place}")


@click.command("import")
@click.argument("paths", nargs=-1, required=True, type=click.Path(path_type=Path), metavar="FILE...")
@click.option(
    "--format", "format_", default="auto", show_default=True, help="auto, vdv452, table, assignments, departures."
)
@SITE
@click.option("--dry-run", is_flag=True, help="Say what would change; change nothing.")
@json_option
@hub_options
def import_(
    paths: tuple[Path, ...], format_: str, site: str | None, dry_run: bool, as_json: bool, where: Where
) -> None:
    """Import work, assignments or departures; say what changed and what was quarantined, and why."""
    hub = need(where)
    at = only_site(hub, site)
    answers: list[dict[str, Any]] = []
    for path in paths:
        name, content = _content(path)
        asked = {"format": format_, "dry_run": "true" if dry_run else None}
        answer = hub.post(f"/sites/{part(at)}/schedules", content, params=asked, headers={"X-File-Name": part(name)})
        answers.append({"file": str(path), "status": answer.status, "position": answer.position, "answer": answer.data})
        if not as_json:
            click.echo(_imported(path, answer))
    if as_json:
        print_json(answers)


def _content(path: Path) -> tuple[str, bytes]:
    """A file as it is; a folder (a VDV 452 export) as one ZIP with fixed times, so equal folders are equal bytes."""
    try:
        if not path.is_dir():
            return path.name, path.read_bytes()
        packed = io.BytesIO()
        with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
            for file in sorted(f for f in path.rglob("*") if f.is_file()):
                archive.writestr(zipfile.ZipInfo(file.relative_to(path).as_posix()), file.read_bytes())
        return f"{path.name}.zip", packed.getvalue()
    except OSError as error:
        raise CliError(
            f"cannot be read: {error.strerror}", str(path), "name a file or folder that exists", UNREACHABLE
        ) from error


def _imported(path: Path, answer: Answer) -> str:
    """The counts in one line, then each quarantined row with its reason."""
    told = answer.data if isinstance(answer.data, dict) else {}
    if answer.status == 202:
        return f"{path}: stored, still being imported; next: busbar why {told.get('id', '')}"
    counts = ", ".join(f"{k} {cell(v)}" for k, v in told.items() if isinstance(v, int) and not isinstance(v, bool))
    rows = (
        [r for r in told.get("quarantined", []) if isinstance(r, dict)]
        if isinstance(told.get("quarantined"), list)
        else []
    )
    lines = [f"{path}: {counts or 'imported'}"]
    if rows:
        lines.append(table(rows, ("row", "table", "line", "reason", "what", "next")))
    return "\n".join(lines)


@click.group()
def departure() -> None:
    """State departures by hand."""


@departure.command("add")
@click.argument("vehicle")
@click.argument("time")
@click.option("--km", type=click.FloatRange(min=0), help="Distance of the work, km.")
@click.option("--kwh", type=click.FloatRange(min=0), help="Energy that must be added, kWh.")
@click.option("--soc", type=click.FloatRange(0, 1), help="State of charge at departure, 0..1.")
@SITE
@json_option
@hub_options
def departure_add(
    vehicle: str,
    time: str,
    km: float | None,
    kwh: float | None,
    soc: float | None,
    site: str | None,
    as_json: bool,
    where: Where,
) -> None:
    """VEHICLE must leave at TIME (06:20: the next one, in the site's zone; or 2026-11-26T06:20+01:00)."""
    goals = {k: v for k, v in {"km": km, "kwh": kwh, "soc": soc}.items() if v is not None}
    if len(goals) != 1:
        raise CliError("one goal is needed", f"departure of {vehicle}", "give exactly one of --km, --kwh, --soc")
    hub = need(where)
    body = {"vehicle": vehicle, "time": time, **goals}
    answer = hub.post(f"/sites/{part(only_site(hub, site))}/departures", body)
    _done(answer, as_json, f"{vehicle} leaves at {time}")


@click.command()
@click.argument("vehicle")
@click.argument("connector")
@click.option("--why", default="", help="Why you say so.")
@SITE
@json_option
@hub_options
def assign(vehicle: str, connector: str, why: str, site: str | None, as_json: bool, where: Where) -> None:
    """VEHICLE stands at CONNECTOR: a bay's name (D2), STATION or STATION/EVSE; holds until unplugged."""
    station, _, evse = connector.partition("/")
    if evse and not evse.isdigit():
        raise CliError(f"`{evse}` is no EVSE number", connector, "write it as CP-07/1")
    hub = need(where)
    body: dict[str, Any] = {"vehicle": vehicle, "station": station, "why": why}
    if evse:
        body["evse"] = int(evse)
    answer = hub.post(f"/sites/{part(only_site(hub, site))}/assignments", body)
    _done(answer, as_json, f"{vehicle} stands at {connector}")


@click.command()
@click.argument("station")
@click.argument("kw", type=click.FloatRange(min=0))
@click.option("--for", "duration", required=True, help="How long: 90s, 30m, 2h, 1h30m.")
@click.option("--why", default="", help="Why; stands in the event.")
@json_option
@hub_options
def limit(station: str, kw: float, duration: str, why: str, as_json: bool, where: Where) -> None:
    """Hold STATION at no more than KW for a while; 0 stops it."""
    lasting = seconds(duration)
    answer = need(where).post(f"/stations/{part(station)}/limit", {"kw": kw, "for_s": lasting, "why": why})
    _done(answer, as_json, f"{station} draws at most {kw:g} kW for {duration}")


@click.command()
@json_option
@hub_options
def reload(as_json: bool, where: Where) -> None:
    """Let the hub read its configuration again: a bad file changes nothing, a good one says what changed."""
    answer = need(where).post("/reload", {})
    told = answer.data if isinstance(answer.data, dict) else {}
    changed = ", ".join(str(c) for c in told.get("changed", [])) or "nothing"
    restart = ", ".join(str(c) for c in told.get("restart", []))
    later = f"; needs a restart: {restart}" if restart else ""
    _done(answer, as_json, f"reloaded; changed: {changed}{later}")
