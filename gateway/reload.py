"""Reads the settings again while the hub runs: a bad file changes nothing, a good one says what changed."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, Any

from core.ports import Secrets
from gateway.http.access import Users
from gateway.next_step import parted
from gateway.settings.consistency import walk
from gateway.settings.errors import Problem, SettingsError
from gateway.settings.load import load
from gateway.settings.models import HubSettings
from gateway.tls import TlsUnusable

if TYPE_CHECKING:
    from gateway.wiring import Hub

FIXED = (
    "gateway",
    "data",
    "nats",
    "nats_user",
    "nats_password",
    "journal",
    "controls",
    "database",
    "http",
    "adapters",
)
"""What is bound or opened at the start, so that only a restart changes it."""
_CERTIFICATE = re.compile(rb"-----BEGIN CERTIFICATE-----.*?-----END CERTIFICATE-----", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Contents:
    """What stands in the files that the settings name."""

    digests: Mapping[str, bytes | None]
    """By the setting's name; None where there is nothing."""
    roots: Mapping[str, frozenset[bytes]]
    """The client roots of every TLS identity."""


async def reload(hub: Hub) -> dict[str, list[str]]:
    """Take the settings file and the files that it names as they are now; open sockets stay open.

    Says what `changed` and what needs a `restart`.

    Raises:
        SettingsError: with every problem; nothing was changed.
        core.ports.NotStored: a site's configuration was not stored; asking again goes on from there.
    """
    if hub.source is None:
        problem = Problem(
            "hub", "it was not started from a settings file", "start it with `busbar serve --config FILE`"
        )
        raise SettingsError([problem])
    fresh = load(hub.source, os.environ)
    old = hub.settings
    kept, changed, restart = _merge(old, fresh)
    found = contents(kept, hub.secrets)
    _refuse_gone(hub.contents, found)
    try:
        hub.tls.reload(fresh.tls)
    except TlsUnusable as error:
        raise SettingsError([Problem(str(hub.source), *parted(str(error), "correct the files"))]) from error
    before = hub.contents
    changed += [name for name, digest in found.digests.items() if before.digests.get(name, digest) != digest]
    restart += [f"tls.{n}.client_roots: fewer" for n, held in found.roots.items() if before.roots.get(n, held) - held]
    hub.secrets.lead(kept.aliases())
    hub.settings, hub.contents = kept, found
    hub.make_passwords()
    hub.http.users = Users(kept.users, hub.secrets)
    hub.admit_command_line()
    for site in kept.sites:
        await hub.controllers[site.id].configure(site.config())
    return {"changed": changed, "restart": restart}


def contents(settings: HubSettings, secrets: Secrets) -> Contents:
    """What the files hold that the settings name; of a secret nothing but a digest is kept, in memory."""
    found: dict[str, bytes | None] = {}
    for tls in settings.tls:
        files = {"certificate": tls.certificate, "key": tls.key, "client_roots": tls.client_roots}
        found |= {f"tls.{tls.name}.{field}": _digest(_read(path)) for field, path in files.items() if path}
    found |= {name: _digest(secrets.get(reference)) for name, reference in _references(settings)}
    roots = {tls.name: frozenset(_CERTIFICATE.findall(_read(tls.client_roots) or b"")) for tls in settings.tls}
    return Contents(found, roots)


def _references(settings: HubSettings) -> Iterator[tuple[str, str]]:
    """Every secret that the settings name, by the setting's name."""
    yield from ((f"users.{user.name}.token", user.token) for user in settings.users)
    for site, station in settings.stations().values():
        if station.password is not None:
            yield f"sites.{site.id}.stations.{station.id}.password", station.password
    for at, value in walk(settings.adapters, ("adapters",)):
        if value.startswith(("file:", "env:")):
            yield ".".join(map(str, at)), value


def _read(path: Path | None) -> bytes | None:
    try:
        return path.read_bytes() if path is not None else None
    except OSError:
        return None


def _digest(content: bytes | None) -> bytes | None:
    return None if content is None else sha256(content).digest()


def _refuse_gone(before: Contents, found: Contents) -> None:
    """A file that was there and is gone is a mistake: whoever it let in would be locked out."""
    gone = [name for name, digest in found.digests.items() if digest is None and before.digests.get(name) is not None]
    step = "put the file or variable back, or take the entry out"
    if gone:
        raise SettingsError([Problem(name, "what it names is gone or cannot be read", step) for name in gone])


def _merge(old: HubSettings, fresh: HubSettings) -> tuple[HubSettings, list[str], list[str]]:
    """The settings in force from now on, what is new in them, and what of the file waits for a restart."""
    changed = [name for name in ("tls", "users") if getattr(old, name) != getattr(fresh, name)]
    restart = [name for name in FIXED if getattr(old, name) != getattr(fresh, name)]
    sites = []
    for site in old.sites:
        now = fresh.site(site.id)
        if now is None:
            restart.append(f"sites.{site.id}: removed")
        elif now != site:
            changed += _differing(f"sites.{site.id}", site.model_dump(), now.model_dump())
        sites.append(now or site)
    restart += [f"sites.{s.id}: added" for s in fresh.sites if old.site(s.id) is None]
    update = {"tls": fresh.tls, "users": fresh.users, "sites": tuple(sites)}
    return old.model_copy(update=update), changed, restart


def _differing(at: str, old: dict[str, Any], new: dict[str, Any]) -> list[str]:
    return [f"{at}.{name}" for name in new if old.get(name) != new[name]]
