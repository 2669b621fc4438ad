"""What a person decides by hand: imported work, a departure, a vehicle's place, a limit; each an event with who and why."""

from __future__ import annotations

import io
import zipfile
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import click

from gateway.cli.client import Answer, Hub, Where, everything, items, need, only_site, part, zones
from gateway.cli.durations import seconds
from gateway.cli.errors import UNREACHABLE, CliError
from gateway.cli.options import FILE, examples, hub_options, json_option, print_json, typed
from gateway.cli.progress import working
from gateway.cli.table import cell, moment, table
from gateway.shares import percent, share

COUNTS = ("added", "changed", "removed", "unchanged", "assigned")
ASIDE = {"over": "over already", "refused_count": "refused", "quarantined_count": "set aside"}
"""What an import counts, in the order in which it is told; what was put aside only where there is some."""
DRY = click.option("--dry-run", is_flag=True, help="Say what would change; change nothing.")
WHY = click.option("--why", default="", help="Why; stands in the evidence.")
SITE = click.option("--site", help="The site; may be left out where there is one.")


def _dry(dry_run: bool) -> dict[str, Any]:
    return {"dry_run": "true" if dry_run else None}


def _done(answer: Answer, as_json: bool, text: str) -> None:
    """Print what the hub answered to a write, with its place in the journal, and what that changes for whom."""
    if as_json:
        print_json({"position": answer.position, "answer": answer.data})
        return
    told = answer.data if isinstance(answer.data, dict) else {}
    place = f" (journal position {answer.position})" if answer.position else " (nothing is changed yet)"
    click.echo(f"{text}{place if answer.position or told.get('dry_run') else ''}")
    if told.get("consequences") == []:
        click.echo("That changes the readiness of no departure.")
    for cost in (row for key in ("costs", "consequences", "warnings") for row in items(told.get(key, []))):
        step = f" Next: {cost['next']}" if cost.get("next") else ""
        click.echo(f"{cell(cost['what'])}{step}")


@examples(
    "busbar import vdv452-export.zip assignments.csv",
    "busbar import departures.csv --dry-run",
    "busbar import vdv452-folder --site depot --json",
)
@click.command("import")
@click.argument("paths", nargs=-1, required=True, type=FILE, metavar="FILE...")
@click.option(
    "--format", "format_", default="auto", show_default=True, help="auto, vdv452, table, assignments, departures."
)
@SITE
@DRY
@json_option
@hub_options
def import_(
    paths: tuple[Path, ...], format_: str, site: str | None, dry_run: bool, as_json: bool, where: Where
) -> None:
    """Import work, assignments or departures; say what changed and what was set aside, and why.

    A FILE is a VDV 452 export (ZIP or folder), `assignments.csv` (operating_day, block, vehicle), or a plain table of departures as CSV or JSON
    (vehicle or block, departure, one of distance_km, kwh, target_soc). Good rows are taken also where others are set aside. docs/schedules.md has the forms.
    """
    hub = need(where)
    at = only_site(hub, site)
    answers: list[dict[str, Any]] = []
    contents = [(path, *_content(path)) for path in paths]  # because: where one cannot be read, none is sent
    for path, name, content in contents:
        asked = {"format": format_, **_dry(dry_run)}
        sent = {"X-File-Name": part(name)}
        try:
            with working(f"importing {path}"):
                answer = hub.post(f"/sites/{part(at)}/schedules", content, params=asked, headers=sent)
        except CliError as error:
            raise CliError(error.what, str(path), error.next, error.code) from error
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
    counts = [f"{name} {cell(told[name])}" for name in COUNTS if name in told]
    counts += [f"{name} {cell(told[key])}" for key, name in ASIDE.items() if told.get(key)]
    rows = [row for key in ("quarantined", "refused", "warnings") for row in items(told.get(key, []))]
    lines = [f"{path}: {', '.join(counts) or 'imported'}"]
    if rows:
        lines.append(table(rows, ("row", "table", "line", "reason", "what", "next")))
    return "\n".join(lines)


@click.group()
def departure() -> None:
    """State departures by hand, and take them back."""


@examples("busbar departure add BUS-142 06:20 --km 180", "busbar departure add BUS-7 2026-11-26T06:20+01:00 --soc 0.9")
@departure.command("add", short_help="A vehicle must leave at a time.")
@click.argument("vehicle")
@click.argument("time")
@click.option("--km", type=click.FloatRange(0, 2000, min_open=True), help="Distance of the work, km.")
@click.option("--kwh", type=click.FloatRange(0, 5000, min_open=True), help="Energy that must be added, kWh.")
@click.option("--soc", type=typed(share), metavar="SHARE", help="State of charge at departure: 90, 90% or 0.9.")
@WHY
@SITE
@DRY
@json_option
@hub_options
def departure_add(
    vehicle: str,
    time: str,
    km: float | None,
    kwh: float | None,
    soc: float | None,
    why: str,
    site: str | None,
    dry_run: bool,
    as_json: bool,
    where: Where,
) -> None:
    """VEHICLE must leave at TIME (06:20: the next one, in the site's zone; or 2026-11-26T06:20+01:00). Says what that changes for whom."""
    goals = {k: v for k, v in {"km": km, "kwh": kwh, "soc": soc}.items() if v is not None}
    if len(goals) != 1:
        raise CliError("one goal is needed", f"departure of {vehicle}", "give exactly one of --km, --kwh, --soc")
    hub = need(where)
    body = {"vehicle": vehicle, "time": time, "why": why, **goals}
    at = only_site(hub, site)
    answer = hub.post(f"/sites/{part(at)}/departures", body, params=_dry(dry_run))
    if dry_run:
        _done(answer, as_json, f"{vehicle} would leave at {time}")
        return
    _done(answer, as_json, f"{vehicle} leaves at {time if as_json else _dated(hub, at, vehicle, time, answer)}")


@examples("busbar departure remove BUS-142 06:20", "busbar departure remove BUS-7 2026-11-26T06:20+01:00 --dry-run")
@departure.command("remove", short_help="A departure by hand is taken back.")
@click.argument("vehicle")
@click.argument("time")
@WHY
@SITE
@DRY
@json_option
@hub_options
def departure_remove(
    vehicle: str, time: str, why: str, site: str | None, dry_run: bool, as_json: bool, where: Where
) -> None:
    """Take back a departure that was stated by hand, by its VEHICLE and TIME. Says what that changes for whom."""
    hub = need(where)
    body = {"vehicle": vehicle, "time": time, "why": why}
    answer = hub.post(f"/sites/{part(only_site(hub, site))}/departures/remove", body, params=_dry(dry_run))
    told = "would not be stated any more" if dry_run else "is taken back"
    _done(answer, as_json, f"The departure of {vehicle} at {time} {told}")


def _dated(hub: Hub, site: str, vehicle: str, time: str, answer: Answer) -> str:
    """The departure with its day, where only a time of day was said."""
    asked = {"site": site, "vehicle": vehicle, "after": answer.position}
    now = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S")
    rows = everything(hub, "/work", asked, 1000) if len(time) <= len("06:20") else []
    days = sorted(r["departs"] for r in rows if r.get("block") == f"{vehicle}@{time:0>5}" and str(r["departs"]) > now)
    return str(moment(days[0], zones(hub).get(site, UTC))) if days else time


@examples('busbar assign BUS-142 D2 --why "seen there"', "busbar assign BUS-142 CP-07/1")
@click.command()
@click.argument("vehicle")
@click.argument("connector")
@click.option("--why", default="", help="Why you say so.")
@SITE
@DRY
@json_option
@hub_options
def assign(
    vehicle: str, connector: str, why: str, site: str | None, dry_run: bool, as_json: bool, where: Where
) -> None:
    """VEHICLE stands at CONNECTOR: a bay's name (D2), STATION or STATION/EVSE; holds until unplugged. Says what that changes for whom."""
    station, slash, evse = connector.partition("/")
    if slash and not evse.isdigit():
        raise CliError(f"`{connector}` names no EVSE by its number", "CONNECTOR", "write it as CP-07/1")
    hub = need(where)
    body: dict[str, Any] = {"vehicle": vehicle, "station": station, "why": why}
    if evse:
        body["evse"] = int(evse)
    answer = hub.post(f"/sites/{part(only_site(hub, site))}/assignments", body, params=_dry(dry_run))
    _done(answer, as_json, f"{vehicle} {'would stand' if dry_run else 'stands'} at {connector}")


@examples("busbar soc BUS-142 43", "busbar soc BUS-142 43% --dry-run")
@click.command()
@click.argument("vehicle")
@click.argument("soc", type=typed(percent), metavar="PERCENT")
@WHY
@SITE
@DRY
@json_option
@hub_options
def soc(vehicle: str, soc: float, why: str, site: str | None, dry_run: bool, as_json: bool, where: Where) -> None:
    """VEHICLE has PERCENT (43 or 43%) of charge now, read from its dashboard. Says what that changes for whom."""
    hub = need(where)
    body = {"vehicle": vehicle, "soc": soc, "why": why}
    answer = hub.post(f"/sites/{part(only_site(hub, site))}/charges", body, params=_dry(dry_run))
    _done(answer, as_json, f"{vehicle} {'would have' if dry_run else 'has'} {soc:.0%}")


class _Limit(click.Command):
    """Says what is wrong with a negative limit, which would be looked for among the options."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """As any command."""
        try:
            return super().parse_args(ctx, args)
        except click.NoSuchOption as error:
            if error.option_name[1:2].isdigit():
                raise click.UsageError("the limit must be 0 kW or more", ctx) from None
            raise


@examples('busbar limit CP-07 20 --for 2h --why "noise complaint"', "busbar limit CP-07 0 --for 30m")
@click.command(cls=_Limit)
@click.argument("station")
@click.argument("kw", type=click.FloatRange(min=0))
@click.option("--for", "duration", required=True, help="How long: 90s, 30m, 2h, 1h30m.")
@click.option("--why", default="", help="Why; stands in the event.")
@click.option("--dry-run", is_flag=True, help="Say which departures it would cost; change nothing.")
@json_option
@hub_options
def limit(station: str, kw: float, duration: str, why: str, dry_run: bool, as_json: bool, where: Where) -> None:
    """Hold STATION at no more than KW for a while; 0 stops it. Says which departures that costs."""
    asked = {"kw": kw, "for_s": seconds(duration), "why": why}
    answer = need(where).post(f"/stations/{part(station)}/limit", asked, params=_dry(dry_run))
    length = f"{duration} min" if duration.isdigit() else duration
    _done(answer, as_json, f"{station} {'would draw' if dry_run else 'draws'} at most {kw:g} kW for {length}")


@examples("busbar reload --config depot/busbar.toml")
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
