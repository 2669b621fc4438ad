"""`replay` and `rebuild`: fold the journal again, of a running hub or of its data folder."""

from __future__ import annotations

from typing import Any

import click

from gateway.cli.client import Where, running
from gateway.cli.errors import NO, UNREACHABLE, CliError
from gateway.cli.options import data_folder, examples, hub_options, json_option, print_json
from gateway.cli.progress import working
from gateway.cli.table import table

LONG_S = 3600.0
"""A large journal takes its time; whoever waits may stop."""


@examples("busbar replay", "busbar replay --verify --data /var/lib/busbar")
@click.command()
@click.option("--verify", is_flag=True, help="Also check every digest and the whole chain.")
@json_option
@hub_options
def replay(verify: bool, as_json: bool, where: Where) -> None:
    """Fold the journal again and decide again: the same result (exit 0), or the first difference by name (exit 1)."""
    _finish(_again("replay", where, verify=verify), as_json, "the same result")


@examples("busbar rebuild --data var/demo")
@click.command()
@json_option
@hub_options
def rebuild(as_json: bool, where: Where) -> None:
    """Drop the read models and make them again from the journal: the same content (exit 0), or what differs (exit 1)."""
    _finish(_again("rebuild", where), as_json, "rebuilt, the same content")


def _again(name: str, where: Where, **options: bool) -> dict[str, Any]:
    with working(f"{name} of the journal"):
        return _done(name, where, **options)


def _done(name: str, where: Where, **options: bool) -> dict[str, Any]:
    hub = running(where)
    if hub is not None:
        told = hub.post(f"/{name}", options, within_s=LONG_S).data
        return told if isinstance(told, dict) else {}
    folder = data_folder(where.data, where.config)
    if not folder.is_dir():
        raise CliError("no hub runs, and there is no data folder", str(folder), "name another with --data", UNREACHABLE)
    from gateway import offline

    result: dict[str, Any] = getattr(offline, name)(folder, **options)
    return result


def _finish(result: dict[str, Any], as_json: bool, fine: str) -> None:
    differences = [d for d in result.get("differences", []) if isinstance(d, dict)]
    if as_json:
        print_json(result)
    elif differences:
        click.echo(table(differences))
    else:
        click.echo(f"{fine}: {result.get('records', 0)} records, {result.get('messages', 0)} messages")
    if differences:
        raise click.exceptions.Exit(NO)
