"""`init`, `check`, `serve`: from nothing to a running hub."""

from __future__ import annotations

from importlib.resources import files
from pathlib import Path
from typing import Any

import click

from gateway.cli.errors import NO, UNREACHABLE, USAGE, CliError, Many, plain
from gateway.cli.options import FILE, examples, json_option, load_settings, print_json

CONFIG = click.option(
    "--config",
    type=FILE,
    default=Path("busbar.toml"),
    show_default=True,
    help="The settings file.",
)


@examples("busbar init depot")
@click.command()
@click.argument("folder", type=FILE, metavar="DIR")
def init(folder: Path) -> None:
    """Write a commented configuration for a first site into DIR."""
    target = folder / "busbar.toml"
    if target.exists():
        raise CliError("there is a configuration already", str(target), "edit it, or name another folder")
    folder.mkdir(parents=True, exist_ok=True)
    template = files("gateway.cli").joinpath("templates/busbar.toml").read_text(encoding="utf-8")
    target.write_text(template, encoding="utf-8")
    click.echo(f"wrote {target}\nnext: busbar check --config {target}, then busbar serve --config {target}")


@examples("busbar check --config depot/busbar.toml", "busbar check --config depot/busbar.toml --json")
@click.command()
@CONFIG
@json_option
def check(config: Path, as_json: bool) -> None:
    """Load the configuration, resolve its references, check the trees of limits, see whether peers answer."""
    from gateway.cli.checks import Finding, findings
    from gateway.cli.connect import urls

    try:
        settings = load_settings(config)
    except Many as unusable:
        if as_json:
            print_json({"ok": False, "findings": [{"level": "error", **problem} for problem in unusable.problems]})
        raise
    found = findings(settings)
    bad = [f for f in found if f.level == "error"]
    if as_json:
        print_json({"ok": not bad, "findings": [f.plain() for f in found]})
    else:
        shown: list[Finding] = sorted(found, key=lambda f: ("error", "warning", "optional").index(f.level))
        for finding in shown:
            click.echo(str(finding), err=finding.level == "error")
        click.echo(_summary(settings, bad=len(bad)))
        if "ocpp" in settings.adapters:
            click.echo(f"charging stations connect to {', '.join(f'{url}/STATION' for url in urls(settings, []))}")
    if bad:
        raise click.exceptions.Exit(NO)


def _summary(settings: Any, *, bad: int) -> str:
    sites = len(settings.sites)
    stations = sum(len(s.stations) for s in settings.sites)
    vehicles = sum(len(s.vehicles) for s in settings.sites)
    verdict = f"{bad} problem(s)" if bad else "fine"
    return f"{verdict}: {sites} site(s), {stations} station(s), {vehicles} vehicle(s), adapters: {', '.join(settings.adapters) or 'none'}"


@examples("busbar serve --config depot/busbar.toml")
@click.command()
@CONFIG
def serve(config: Path) -> None:
    """Run the hub until it is told to stop (SIGTERM or Ctrl-C)."""
    settings = load_settings(config)
    from gateway import wiring
    from gateway.journal.lock import Locked
    from gateway.journal.log import Damaged, Fenced
    from gateway.journal.process import CannotStart
    from gateway.tls import TlsUnusable

    try:
        wiring.serve(settings, config)
    except TlsUnusable as error:
        raise _told(error, config, "correct the files of that context", USAGE) from error
    except Locked as error:
        raise _told(
            error, config, "stop that hub first, or give this one a data folder of its own", UNREACHABLE
        ) from error
    except (CannotStart, Damaged, Fenced, OSError) as error:
        raise _told(
            error, config, f"`busbar doctor --config {config}` looks at ports, folder and server", UNREACHABLE
        ) from error


def _told(error: Exception, config: Path, next: str, code: int) -> CliError:
    """An error of the hub as ours."""
    return CliError(plain(error), str(config), next, code)
