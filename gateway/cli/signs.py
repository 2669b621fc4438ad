"""What `doctor` sees of the installation itself: Python, packages, their names, adapters, the NATS server, the clock."""

from __future__ import annotations

import asyncio
import ctypes
import importlib
import importlib.metadata
import re
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from gateway.next_step import parted

OURS = ("core", "protocols", "pki", "gateway", "simulators")
DISTRIBUTION = "busbar-hub"
_TIMEX_BYTES, _UNSYNCHRONISED = 256, 5
"""Room for the kernel's `struct timex` (208 bytes), and what `adjtimex` returns while nobody disciplines the clock."""


@dataclass(frozen=True, slots=True)
class Sign:
    """One thing that was looked at; `next` is empty where it is fine, and a `note` is no fault."""

    what: str
    found: str
    next: str = ""
    note: bool = False

    @property
    def wrong(self) -> bool:
        """Whether something must be done."""
        return bool(self.next) and not self.note


def installation() -> Iterator[Sign]:
    """Every sign of the installation."""
    for look in (_python, _packages, _names, _adapters, _server, _clock):
        yield from look()


def _python() -> Iterator[Sign]:
    found = ".".join(map(str, sys.version_info[:3]))
    yield Sign("Python", found, "" if sys.version_info >= (3, 11) else "install Python 3.11 or later")
    try:
        importlib.import_module("zoneinfo").ZoneInfo("Europe/Berlin")
        yield Sign("time zones", "there")
    except LookupError:
        yield Sign("time zones", "missing", "pip install tzdata")


def _packages() -> Iterator[Sign]:
    """Every package that this version needs: whether it is there, and where the version is exact, whether it is that one."""
    wrong: list[str] = []
    for requirement in importlib.metadata.requires(DISTRIBUTION) or []:
        needed = re.match(r"([A-Za-z0-9._-]+)(?:\[[^]]*\])?(?:==([^;,\s]+))?", requirement)
        if needed is None or "extra ==" in requirement:
            continue
        try:
            found = importlib.metadata.version(needed[1])
        except importlib.metadata.PackageNotFoundError:
            wrong.append(f"{needed[1]} is missing")
            continue
        if needed[2] and found != needed[2]:
            wrong.append(f"{needed[1]} is {found} instead of {needed[2]}")
    step = "install busbar-hub again, into an environment of its own: pip install -c constraints.txt ." if wrong else ""
    yield Sign("packages", "; ".join(wrong) or "all there", step)


def _names() -> Iterator[Sign]:
    """Another distribution that brings a package of one of our names hides ours or is hidden by it."""
    owners = importlib.metadata.packages_distributions()
    for name in OURS:
        others = sorted({owner for owner in owners.get(name, []) if owner.lower() != DISTRIBUTION})
        if others:
            step = f"pip uninstall {others[0]}, or give Busbar an environment of its own"
            yield Sign("package names", f"`{name}` also comes from {', '.join(others)}", step)
    here = Path(__file__).resolve().parents[2]
    for name in OURS:
        origin = getattr(importlib.import_module(name), "__file__", None)
        if origin is None or Path(origin).resolve().parent.parent != here:
            step = "leave the folder that it is found in, or give Busbar an environment of its own"
            yield Sign(
                f"package `{name}`", f"another one is found first: {origin or 'a folder without __init__.py'}", step
            )
    yield Sign("installed in", str(here))


def _adapters() -> Iterator[Sign]:
    from gateway.registry import AdapterMissing, available, find

    for name in sorted(available()):
        try:
            find(name)
            yield Sign(f"adapter {name}", "loads")
        except AdapterMissing as missing:
            yield Sign(f"adapter {name}", missing.what, missing.next)


def _server() -> Iterator[Sign]:
    """The NATS server that the hub starts: whether there is one, and of a version that the journal can use."""
    from gateway.journal.process import CannotStart, check_version, find

    try:
        program = find()
        asyncio.run(check_version(program))
        yield Sign("NATS server", program)
    except CannotStart as error:
        yield Sign("NATS server", *parted(str(error)))


def _clock() -> Iterator[Sign]:
    """A clock before our own files is wrong for sure; one that nobody disciplines may be."""
    now, written = datetime.now(UTC), datetime.fromtimestamp(Path(__file__).stat().st_mtime, UTC)
    if now < written - timedelta(days=1):
        yield Sign(
            "clock", f"{now:%Y-%m-%d %H:%M} UTC, before this installation was made", "set the clock, switch NTP on"
        )
    elif _undisciplined():
        step = "switch NTP on (timedatectl set-ntp true): chargers are told this time"
        yield Sign("clock", f"{now:%Y-%m-%d %H:%M} UTC, kept by nobody as far as the system says", step, note=True)
    else:
        yield Sign("clock", f"{now:%Y-%m-%d %H:%M} UTC")


def _undisciplined() -> bool:
    """Whether the kernel says that no NTP keeps its clock; False where it does not say."""
    try:
        asked = ctypes.create_string_buffer(_TIMEX_BYTES)
        return int(ctypes.CDLL(None).adjtimex(asked)) == _UNSYNCHRONISED
    except (OSError, AttributeError):
        return False
