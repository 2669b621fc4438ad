"""`pki`: a root and a server certificate for stations that check them (OCPP security profile 2)."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import click

from gateway.cli.errors import CliError
from gateway.cli.options import examples, json_option, print_json


@click.group()
def pki() -> None:
    """Certificate authorities and server certificates."""


@examples("busbar pki init pki --name hub.example --name 10.0.0.7", "busbar pki init pki --days 90 --json")
@pki.command("init")
@click.argument("folder", type=click.Path(path_type=Path), metavar="DIR")
@click.option(
    "--name",
    "names",
    multiple=True,
    help="Host name or address that stations use; repeat for more. Default: localhost, 127.0.0.1, ::1.",
)
@click.option(
    "--days", type=click.IntRange(1, 825), default=397, show_default=True, help="Validity of the server certificate."
)
@click.option("--root-years", type=click.IntRange(1, 40), default=10, show_default=True, help="Validity of the root.")
@json_option
def init(folder: Path, names: tuple[str, ...], days: int, root_years: int, as_json: bool) -> None:
    """Make a root and a server certificate (ECDSA P-256) in DIR; never overwrites."""
    from pki.folder import AlreadyThere, initialise

    wanted = names or ("localhost", "127.0.0.1", "::1")
    top, leaf = timedelta(days=365 * root_years), timedelta(days=days)
    try:
        made = initialise(folder, wanted, datetime.now(UTC), root_valid=top, server_valid=leaf)
    except AlreadyThere as error:
        step = "use them, or name an empty folder: a second root would lock out stations that know the first"
        raise CliError(str(error), str(folder), step) from error
    except ValueError as error:
        raise CliError(
            f"no certificate can be made: {error}", ", ".join(wanted), "give plain host names or addresses"
        ) from error
    if as_json:
        print_json(
            {
                "root": str(made.root),
                "certificate": str(made.certificate),
                "key": str(made.key),
                "fingerprint": made.fingerprint,
            }
        )
        return
    click.echo(f"root         {made.root}  (install this one in the stations)")
    click.echo(f"fingerprint  {made.fingerprint}")
    click.echo(
        f"server       {made.certificate}, {made.key}  for {', '.join(wanted)}, until {made.valid_until:%Y-%m-%d}"
    )
    click.echo("next: move root.key to a safe place off this machine; name the server's files in a [[tls]] table")
