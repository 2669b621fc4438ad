"""`simulate`: the simulators on the system's clock, against any server; useful without our hub."""

from __future__ import annotations

import asyncio
import logging
import ssl
import sys
from collections.abc import Callable, Coroutine
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Literal, cast

import click

from gateway.cli.durations import seconds
from gateway.cli.errors import NO, UNREACHABLE, CliError
from gateway.cli.options import FILE, examples

Version = Literal["1.6", "2.0.1"]
CA = click.option(
    "--ca",
    type=FILE,
    help="PEM file of the root that the server's certificate follows from, over TLS.",
)
PASSWORD_FILE = click.option(
    "--password-file",
    type=FILE,
    help="File with the password for Basic auth, or with lines STATION:PASSWORD.",
)


def _quiet(context: click.Context, parameter: click.Parameter, quiet: bool) -> None:
    """What a simulator does stands on stderr, unless it shall not."""
    if not quiet:
        handler = logging.StreamHandler(sys.stderr)
        handler.setFormatter(logging.Formatter("%(asctime)s  %(message)s", "%H:%M:%S"))
        logger = logging.getLogger("simulators")
        logger.handlers, logger.level, logger.propagate = [handler], logging.INFO, False


QUIET: Callable[..., Any] = click.option(
    "--quiet", is_flag=True, expose_value=False, callback=_quiet, help="Do not say what happens."
)


@click.group()
def simulate() -> None:
    """Simulated peers that speak the real wire protocols, on the system's clock, against any server.

    Chargers and the grid operator run until Ctrl-C and say on stderr what happens; the scheduler ends when its files are taken.
    """


@examples(
    "busbar connect ocpp CP-01 --config depot/busbar.toml --password-to cp-01.password",
    "busbar simulate charger CP-01 --url ws://127.0.0.1:9220/ocpp --password-file cp-01.password --token 04A1B2C3",
    "busbar simulate charger CP-02 --url wss://hub.example:9220/ocpp --ca root.pem --password-file cp-02.password --ocpp 1.6",
)
@simulate.command()
@click.argument("station")
@click.option("--url", required=True, help="Central system without the identity, e.g. ws://127.0.0.1:9220/ocpp.")
@click.option(
    "--ocpp", "version", type=click.Choice(["1.6", "2.0.1"]), default="2.0.1", show_default=True, help="OCPP version."
)
@click.option(
    "--kw",
    type=click.FloatRange(min=0, min_open=True),
    default=150.0,
    show_default=True,
    help="Rating of its connector, kW.",
)
@click.option("--token", help="Plug a bus with this token in after the boot.")
@click.option("--soc", type=click.FloatRange(0, 1), default=0.3, show_default=True, help="State of charge of that bus.")
@PASSWORD_FILE
@CA
@QUIET
def charger(
    station: str,
    url: str,
    version: str,
    kw: float,
    token: str | None,
    soc: float,
    password_file: Path | None,
    ca: Path | None,
) -> None:
    """One charging station, STATION; with --token a bus is plugged in 5 s after the start.

    No connection with HTTP 404: the server does not know that identity. HTTP 401: the password is wrong.
    """
    from simulators.charger.fleet import run_charger
    from simulators.charger.settings import Endpoint, StationSpec

    endpoint = Endpoint(_websocket(url), _passwords(password_file, [station]), _trust(url, ca))
    _run(run_charger(StationSpec(station, cast(Version, version), (kw,)), endpoint, token=token, soc=soc), url)


@examples(
    "busbar simulate fleet --url ws://127.0.0.1:9220/ocpp --stations 4 --ocpp16 1 --password-file passwords --quiet"
)
@simulate.command()
@click.option("--url", required=True, help="Central system without the identity, e.g. ws://127.0.0.1:9220/ocpp.")
@click.option("--stations", type=click.IntRange(1, 5000), default=16, show_default=True, help="How many.")
@click.option("--ocpp16", type=click.IntRange(0), default=6, show_default=True, help="How many of them speak OCPP 1.6.")
@click.option(
    "--kw", type=click.FloatRange(min=0, min_open=True), default=90.0, show_default=True, help="Rating of each, kW."
)
@click.option("--prefix", default="CP-", show_default=True, help="Their identities: CP-01, CP-02, ...")
@click.option(
    "--buses/--no-buses", default=True, show_default=True, help="Plug a bus into each, token BUS-01, BUS-02, ..."
)
@click.option("--seed", type=int, default=1, show_default=True, help="Phases and deviations.")
@PASSWORD_FILE
@CA
@QUIET
def fleet(
    url: str,
    stations: int,
    ocpp16: int,
    kw: float,
    prefix: str,
    buses: bool,
    seed: int,
    password_file: Path | None,
    ca: Path | None,
) -> None:
    """Many charging stations; a bus is plugged into each 90 s after the start. One password for all, or a file with one of each."""
    from simulators.charger.fleet import numbered, run_fleet
    from simulators.charger.settings import Endpoint

    specs = numbered(stations, ocpp16, kw, prefix)
    passwords = _passwords(password_file, [spec.id for spec in specs])
    tokens = {spec.id: spec.id.replace(prefix, "BUS-", 1) for spec in specs} if buses else {}
    _run(run_fleet(specs, Endpoint(_websocket(url), passwords, _trust(url, ca)), tokens=tokens, seed=seed), url)


@examples(
    "busbar simulate dso --url http://127.0.0.1:8080/oscp/fp/2.0 --token-file token-a --group DE-4711",
    "busbar simulate dso --url http://127.0.0.1:8080/oscp/fp/2.0 --token-file token-a --group DE-4711 --limit 60 --in 2m --for 1h",
)
@simulate.command()
@click.option(
    "--url", required=True, help="Base URL of the flexibility provider, e.g. http://127.0.0.1:8080/oscp/fp/2.0."
)
@click.option("--token-file", required=True, type=FILE, help="File with token A, exchanged out of band.")
@click.option("--group", required=True, help="The group id that the limits are for.")
@click.option(
    "--rating",
    type=click.FloatRange(min=0),
    default=800.0,
    show_default=True,
    help="Static rating of the connection, kW.",
)
@click.option(
    "--fallback", type=click.FloatRange(min=0), default=200.0, show_default=True, help="Fallback that was agreed, kW."
)
@click.option("--limit", type=click.FloatRange(min=0), help="Send one forecast: so many kW, from --in on, for --for.")
@click.option("--in", "delay", default="1m", show_default=True, help="When the limit begins: 90s, 30m, 2h.")
@click.option("--for", "lasting", default="1h", show_default=True, help="How long the limit holds.")
@click.option("--host", default="127.0.0.1", show_default=True, help="Address that the provider answers on.")
@click.option(
    "--port",
    type=click.IntRange(0, 65535),
    default=0,
    show_default=True,
    help="Port that it answers on; 0 takes a free one.",
)
@QUIET
def dso(
    url: str,
    token_file: Path,
    group: str,
    rating: float,
    fallback: float,
    limit: float | None,
    delay: str,
    lasting: str,
    host: str,
    port: int,
) -> None:
    """A grid operator (OSCP 2.0 capacity provider): registers, handshakes, beats, and sends a limit if asked."""
    from simulators.dso.provider import NoPartner, run_dso
    from simulators.dso.script import Block, DsoScript, Forecast

    now = datetime.now(UTC)
    begins = now + timedelta(seconds=seconds(delay))
    blocks = (Block(begins, begins + timedelta(seconds=seconds(lasting)), limit),) if limit is not None else ()
    forecasts = (Forecast(now + timedelta(seconds=10), blocks),) if blocks else ()
    script = DsoScript(group, now, now + timedelta(days=365), rating, fallback, forecasts)
    try:
        _run(run_dso(script, _http(url), _secret(token_file) or "", host=host, port=port), url)
    except NoPartner as error:
        raise CliError(
            f"the conversation broke off: {error}", url, "see that it is an OSCP 2.0 flexibility provider", UNREACHABLE
        ) from error


@examples(
    "busbar simulate scheduler vdv452.zip assignments.csv --url http://127.0.0.1:8080/api/v1/sites/depot/schedules",
    "busbar simulate scheduler departures.csv --url https://hub.example:8443/api/v1/sites/depot/schedules --token-file token --ca root.pem",
)
@simulate.command()
@click.argument("paths", nargs=-1, required=True, type=FILE, metavar="FILE...")
@click.option(
    "--url", required=True, help="Where schedules are posted, e.g. http://127.0.0.1:8080/api/v1/sites/depot/schedules."
)
@click.option("--token-file", type=FILE, help="File with the token for that hub.")
@CA
@QUIET
def scheduler(paths: tuple[Path, ...], url: str, token_file: Path | None, ca: Path | None) -> None:
    """A scheduler: posts each FILE (a VDV 452 ZIP, assignments.csv, ...) in order, and ends."""
    from simulators.scheduler.sender import NotTaken, run_scheduler

    try:
        files = [(path.name, path.read_bytes()) for path in paths]
    except OSError as error:
        raise CliError(
            f"cannot be read: {error.strerror}", str(error.filename), "name files that exist", UNREACHABLE
        ) from error
    try:
        _run(run_scheduler(files, _http(url), token=_secret(token_file), trust=_trust(url, ca)), url)
    except NotTaken as error:
        raise CliError(f"not taken: {error}", url, "see what the hub says about it", NO) from error


def _websocket(url: str) -> str:
    if not url.startswith(("ws://", "wss://")):
        raise CliError("not the address of an OCPP central system", url, "write it as ws://HOST:PORT/ocpp or wss://...")
    return url.rstrip("/")


def _http(url: str) -> str:
    if not url.startswith(("http://", "https://")):
        raise CliError("not an address of HTTP", url, "write it as http://HOST:PORT/... or https://...")
    return url


def _secret(path: Path | None) -> str | None:
    if path is None:
        return None
    try:
        return path.read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        why = getattr(error, "strerror", None) or "it is no text"
        raise CliError(f"password or token cannot be read: {why}", str(path), "name a file that holds it") from error


def _passwords(path: Path | None, stations: list[str]) -> dict[str, str]:
    """By station: one for all, or lines STATION:PASSWORD."""
    lines = (_secret(path) or "").splitlines()
    if len(lines) == 1 and not lines[0].startswith(f"{stations[0]}:"):
        return dict.fromkeys(stations, lines[0])
    told = {name.strip(): password.strip() for name, _, password in (line.partition(":") for line in lines)}
    return {name: told[name] for name in stations if name in told}


def _trust(url: str, ca: Path | None) -> ssl.SSLContext | None:
    if not url.startswith(("wss://", "https://")):
        return None
    try:
        return ssl.create_default_context(cafile=str(ca) if ca else None)
    except OSError as error:
        raise CliError(f"the root cannot be used: {error}", str(ca), "name a PEM file with --ca") from error


def _run(simulator: Coroutine[Any, Any, object], url: str) -> None:
    """Run until Ctrl-C; a peer that is not there ends it."""
    click.echo(f"running against {url}; Ctrl-C ends it", err=True)
    try:
        asyncio.run(simulator)
    except KeyboardInterrupt:
        click.echo("ended", err=True)
    except OSError as error:
        raise CliError(f"cannot be reached: {error}", url, "see that it listens there", UNREACHABLE) from error
