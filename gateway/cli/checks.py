"""What `check` looks at beyond the file itself: references, certificates, open doors, peers."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import closing
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Literal
from urllib.parse import urlsplit

from gateway.http.routes import PREFIXES
from gateway.next_step import parted
from gateway.secrets import FileSecrets
from gateway.settings import HubSettings
from gateway.settings.consistency import walk
from gateway.settings.models import is_loopback
from gateway.settings.places import dotted
from gateway.tls import TlsUnusable, ends, server_context

SOON = timedelta(days=30)


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that `check` has to say."""

    level: Literal["error", "warning", "optional"]
    where: str
    what: str
    next: str

    def __str__(self) -> str:
        return f"{self.level}: {self.where}: {self.what}; next: {self.next}"

    def plain(self) -> dict[str, Any]:
        """For JSON."""
        return asdict(self)


def findings(settings: HubSettings) -> list[Finding]:
    """Everything worth saying about settings that loaded."""
    return [
        *_references(settings),
        *_certificates(settings),
        *_doors(settings),
        *_unmounted(settings),
        *_servers(settings),
        *_peers(settings),
        *_optional(settings),
    ]


def _references(settings: HubSettings) -> Iterator[Finding]:
    secrets = FileSecrets(settings.data, settings.base, aliases=settings.aliases())
    wanted = [(f"users.{u.name}", u.token) for u in settings.users]
    wanted += [(f"station {i}", s.password) for i, (_, s) in settings.stations().items() if s.password is not None]
    if settings.nats_password:
        wanted.append(("nats_password", settings.nats_password))
    texts = ((dotted(at), text) for at, text in walk(settings.adapters, ("adapters",)))
    wanted += [(where, text) for where, text in texts if text.startswith(("file:", "env:"))]
    for where, ref in wanted:
        if not ref.startswith("data:") and secrets.get(ref) is None:
            yield Finding(
                "error", where, f"{ref} leads to nothing that can be read", "write the secret there, mode 0600"
            )


def _certificates(settings: HubSettings) -> Iterator[Finding]:
    for entry in settings.tls:
        try:
            server_context(entry)
        except TlsUnusable as error:
            yield Finding("error", f"tls.{entry.name}", *parted(str(error)))
            continue
        if entry.key.stat().st_mode & 0o077:
            yield Finding("warning", f"tls.{entry.name}", f"others may read {entry.key}", f"chmod 600 {entry.key}")
        until = ends(entry)
        left = until - datetime.now(UTC)
        if left < SOON:
            level: Literal["error", "warning"] = "error" if left < timedelta() else "warning"
            yield Finding(
                level,
                f"tls.{entry.name}",
                f"the certificate ends {until:%Y-%m-%d}",
                "make a new one",
            )


def _doors(settings: HubSettings) -> Iterator[Finding]:
    for listener in settings.http:
        where = f"http.{listener.name}"
        if is_loopback(listener.host):
            continue
        if {"pages", "partners"} <= set(listener.mounts):
            yield Finding(
                "warning",
                where,
                "pages and partners share one public listener",
                "give partners a listener of their own",
            )
        if listener.tls is None:
            yield Finding(
                "warning", where, "tokens cross the network in the clear", 'name a `[[tls]]` context: tls = "..."'
            )
    if not settings.users:
        yield Finding(
            "optional", "users", "nobody needs a token; pages and API answer this machine alone", "add `[[users]]`"
        )


def _unmounted(settings: HubSettings) -> Iterator[Finding]:
    """Adapters whose peers call us over HTTP, where no listener serves them."""
    served = {mount for listener in settings.http for mount in listener.mounts}
    for adapter in settings.adapters:
        mount = PREFIXES.get(adapter)
        if mount is not None and mount not in served:
            what = f"no listener mounts `{mount}`, so no peer reaches this adapter"
            yield Finding(
                "error", f"adapters.{adapter}", what, f'add "{mount}" to the `mounts` of an `[[http]]` listener'
            )


def _servers(settings: HubSettings) -> Iterator[Finding]:
    for url in () if settings.nats == "embedded" else settings.nats.split(","):
        if silent := _silent(url.strip(), 4222):
            yield Finding("error", "nats", silent, "start it, or correct `nats`")


def _peers(settings: HubSettings) -> Iterator[Finding]:
    """Whether a peer that we call (`url` in an adapter's settings) can be reached now; it may come later."""
    for at, text in walk(settings.adapters, ("adapters",)):
        if at[-1] != "url" or not text.startswith(("http://", "https://")):
            continue
        if silent := _silent(text, 443 if text.startswith("https") else 80):
            yield Finding("warning", dotted(at), silent, "see whether the peer is up and this machine may reach it")


def _silent(url: str, port: int) -> str | None:
    """Why nobody can be reached at the host and port of a URL."""
    try:
        place = urlsplit(url)
        host, port = place.hostname or "", place.port or port
        with closing(socket.create_connection((host, port), timeout=3)):
            return None
    except (OSError, ValueError) as error:
        return f"{url} does not answer: {error}"


def _optional(settings: HubSettings) -> Iterator[Finding]:
    if not settings.sites:
        yield Finding("error", "sites", "there is no site", "declare one: `busbar init DIR` shows how")
    if not settings.adapters:
        yield Finding("optional", "adapters", "no protocol runs: no charger can connect", "add `[adapters.ocpp]`")
    for site in settings.sites:
        if site.stations and not site.sources:
            yield Finding(
                "optional",
                f"site {site.id}",
                "no grid source: only static ratings hold",
                "add `sources` when there is one",
            )
