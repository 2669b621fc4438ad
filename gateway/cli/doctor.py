"""`doctor`: what is wrong with this installation, and what to do."""

from __future__ import annotations

import shutil
import socket
import tempfile
from collections.abc import Iterator
from contextlib import closing
from dataclasses import asdict
from pathlib import Path
from typing import Any

import click

from gateway.cli.errors import NO, CliError, plain
from gateway.cli.options import FILE, data_folder, examples, json_option, load_settings, print_json
from gateway.cli.signs import Sign, installation
from gateway.next_step import parted

FREE_BYTES = 1 << 30
READ_WITHIN_S = 10.0
"""So long a whole journal is read; `replay --verify` takes its time."""


@examples("busbar doctor", "busbar doctor --config depot/busbar.toml", "busbar doctor --data /var/lib/busbar --json")
@click.command()
@click.option("--data", type=FILE, help="Data folder to look at; else the configuration's.")
@click.option("--config", type=FILE, help="Configuration, to see whether its ports are free.")
@json_option
def doctor(data: Path | None, config: Path | None, as_json: bool) -> None:
    """Look at Python, packages and their names, adapters, the NATS server, the clock, data folder, journal and ports; exit 1 if something must be done."""
    signs = [*installation(), *_place(data, config)]
    if as_json:
        print_json([asdict(sign) for sign in signs])
    else:
        for sign in signs:
            step = f"; next: {sign.next}" if sign.next else ""
            mark = "!!" if sign.wrong else "--" if sign.note else "ok"
            click.echo(f"{mark}  {sign.what}: {sign.found}{step}")
    if any(sign.wrong for sign in signs):
        raise click.exceptions.Exit(NO)


def _place(data: Path | None, config: Path | None) -> Iterator[Sign]:
    """Configuration, data folder, the hub that may run on it, and the ports that it needs."""
    settings: Any = None
    if config is not None:
        try:
            settings = load_settings(config)
        except CliError as error:
            yield Sign("configuration", error.what, f"busbar check --config {config}")
            return
    try:
        folder = data or data_folder(None, config)
    except CliError:
        folder = Path()
    yield from _folder(folder)
    found = list(_hub(folder))
    yield from found
    if not found and (settings is None or settings.nats == "embedded"):
        yield from _journal(folder)
    if not found and settings is not None:
        yield from _ports(settings)


def _folder(data: Path) -> Iterator[Sign]:
    """The nearest folder that exists: may it be written, and is there room for a journal."""
    place = data.absolute()
    while not place.exists():
        place = place.parent
    try:
        with tempfile.NamedTemporaryFile(dir=place):
            yield Sign("data folder", str(place))
    except OSError as error:
        step = "let this user write there, or name another with --data"
        yield Sign("data folder", f"{place} cannot be written: {error.strerror}", step)
    free = shutil.disk_usage(place).free
    step = "" if free >= FREE_BYTES else "make room: the journal stops at a full disk"
    yield Sign("free space", f"{free // (1 << 20)} MB", step)


def _hub(data: Path) -> Iterator[Sign]:
    """The hub that runs on this data folder, if one does, and what it waits for."""
    from gateway.cli.client import Where, running

    try:
        hub = running(Where(data=data))
    except CliError as error:
        yield Sign("hub", error.what, error.next)
        return
    if hub is not None:
        yield Sign("hub", f"running at {hub.url}")
        for part, what in hub.waits_for().items():
            yield Sign(f"hub, {part}", *parted(what, "wait; if it stays so, see the hub's log"))


def _journal(data: Path) -> Iterator[Sign]:
    """Whether a hub would start on this journal: what it checks then, as the folder's owner."""
    from gateway import offline

    try:
        if not (data / "journal").is_dir():
            return
        if owner := offline.owner_of(data):
            yield Sign("journal", "not looked at: it is another user's", offline.as_user(owner), note=True)
            return
    except OSError as error:
        yield Sign("journal", plain(error), "let this user read the data folder")
        return
    try:
        last, whole = offline.checked(data, READ_WITHIN_S)
        so_far = f"nothing wrong in what was read of {last} records; `busbar replay --verify` reads all of it"
        yield Sign("journal", f"whole, up to record {last}" if whole else so_far)
    except CliError as error:
        yield Sign("journal", error.what, error.next)


def _ports(settings: Any) -> Iterator[Sign]:
    """Whether every address that the hub will bind is free."""
    ocpp = settings.adapters.get("ocpp", {}).get("listeners", [{}]) if "ocpp" in settings.adapters else []
    wanted = [(f"port of http.{entry.name}", entry.host, entry.port) for entry in settings.http]
    wanted += [("port of ocpp", entry.get("host", "127.0.0.1"), entry.get("port", 9220)) for entry in ocpp]
    for what, host, port in wanted:
        taken = _taken(host, port)
        step = f"see who has it (ss -ltnp 'sport = :{port}'), or choose another port" if taken else ""
        yield Sign(what, f"{host}:{port} {taken or 'is free'}", step)


def _taken(host: str, port: int) -> str | None:
    """Why the address cannot be bound."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        with closing(socket.socket(family)) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind((host, port))
            return None
    except OSError as error:
        return f"cannot be had: {error.strerror or error}"
