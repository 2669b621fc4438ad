"""The settings models: what the hub is told about itself, its listeners, its users and its sites."""

from __future__ import annotations

import ipaddress
from datetime import time
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, Field, PrivateAttr, field_validator

from core.messages.base import Plain
from core.messages.site import SiteConfig, Station
from gateway.journal.limits import Limits

Mount = Literal["pages", "api", "partners", "pki", "uploads", "metrics"]
Role = Literal["viewer", "operator", "admin"]
MOUNTS: tuple[Mount, ...] = ("pages", "api", "partners", "pki", "uploads", "metrics")
Name = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_-]{0,47}$")]


def _reference(value: str) -> str:
    kind, colon, rest = value.partition(":")
    if colon and rest and kind in {"file", "env", "data"}:
        return value
    raise ValueError("a secret is never written here, only where it is: `file:PATH`, `env:NAME` or `data:NAME`")


SecretRef = Annotated[str, AfterValidator(_reference)]
"""`file:PATH` (relative to this file), `env:NAME`, or `data:NAME` (made by the hub in `<data>/secrets`)."""


def is_loopback(host: str) -> bool:
    """Whether only this machine can reach that address."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


class TlsContext(Plain):
    """A TLS identity that listeners name: at least TLS 1.2; read again by `busbar reload`, sockets stay open."""

    name: Name = Field(description='What a listener calls it (`tls = "..."`).')
    certificate: Path = Field(description="PEM file: the server's certificate, then its sub-authorities, no root.")
    key: Path = Field(description="PEM file: the private key, readable by the hub's user alone.")
    client_roots: Path | None = Field(
        default=None,
        description="PEM file of the roots that client certificates must follow from; without it none is asked for.",
    )


class HttpListener(Plain):
    """One address that HTTP is served on, and what is served there."""

    name: Name = Field(default="local", description="Its name in logs and metrics.")
    host: str = Field(
        default="127.0.0.1", description="Address to bind; every address that is not loopback needs users."
    )
    port: int = Field(default=8080, ge=0, le=65535, description="TCP port; 0 takes any free one.")
    tls: str | None = Field(default=None, description="Name of a `[[tls]]` context; without it plain HTTP.")
    mounts: tuple[Mount, ...] = Field(default=MOUNTS, description="What is served here; everything else is 404.")
    max_body_bytes: int = Field(
        default=64 * 1024 * 1024,
        ge=1024,
        description="Largest request body in bytes, whatever a route allows; above it 413.",
    )
    rate_per_s: float | None = Field(
        default=None,
        ge=0,
        description="Requests per second and address, averaged; above it 429 with Retry-After. 0: no limit. Unset: no limit on loopback, else 50.",
    )
    rate_burst: int = Field(default=200, ge=1, description="Requests of one address that may come at once.")

    @property
    def rate(self) -> float:
        """The limit in force, requests per second; 0 is none."""
        if self.rate_per_s is not None:
            return self.rate_per_s
        return 0.0 if is_loopback(self.host) else 50.0


class User(Plain):
    """Somebody (or some program) who may use pages and API."""

    name: Name = Field(description="Who it is; stands in every event that this user causes.")
    role: Role = Field(description="`viewer` reads, `operator` also decides by hand, `admin` also changes the set-up.")
    token: SecretRef = Field(description="Where the token is: `file:PATH`, `env:NAME` or `data:NAME`.")


def credential(station: str) -> str:
    """The name of a station's password for `Secrets`: made by the hub, unless the settings lead it elsewhere."""
    return f"station/{station}"


class StationSettings(Station):
    """A station of the site, with what only the gateway needs beside it."""

    password: SecretRef | None = Field(
        default=None,
        description="Where the station's password is. Unset: made by the hub; `busbar connect ocpp STATION` shows it.",
    )

    @property
    def credential(self) -> str:
        """The name under which `Secrets` finds its password, as `Directory` says it."""
        return credential(self.id)

    def station(self) -> Station:
        """What the core is told: no secret, no gateway matter."""
        shared = {name: getattr(self, name) for name in Station.model_fields}
        return Station(**shared)


class SiteSettings(SiteConfig):
    """A site: exactly the fields of the core's configuration, with gateway matters beside its stations."""

    stations: tuple[StationSettings, ...] = ()

    def config(self) -> SiteConfig:
        """What the core is told, and what becomes `site.configured`."""
        shared = {name: getattr(self, name) for name in SiteConfig.model_fields}
        return SiteConfig(**shared | {"stations": tuple(s.station() for s in self.stations)})


class JournalSettings(Plain):
    """How much the journal and what stands beside it may hold, and what is made of it."""

    max_bytes: int = Field(
        default=Limits().journal,
        ge=1024 * 1024,
        description="Bytes of the journal. When it is full nothing more is stored and nothing old is dropped. It can be raised, never lowered.",
    )
    content_max_bytes: int = Field(
        default=Limits().content,
        ge=1024 * 1024,
        description="Bytes of evidence that is too large for a record (files); as `max_bytes`.",
    )
    refused_max_bytes: int = Field(
        default=Limits().refused,
        ge=1024 * 1024,
        description="Bytes kept of what strangers sent; the oldest goes first. It can be raised, never lowered.",
    )
    refused_max_age_s: int = Field(
        default=Limits().refused_age_s, ge=3600, description="How long that is kept, seconds; fixed once it was made."
    )
    live: bool = Field(
        default=True,
        description="Publish every message once more as a CloudEvents message for outside tools; /asyncapi.json describes it.",
    )
    live_max_bytes: int = Field(
        default=Limits().live, ge=1024 * 1024, description="Bytes kept of those; the oldest goes first."
    )
    live_max_age_s: int = Field(default=Limits().live_age_s, ge=60, description="How long those are kept, seconds.")
    share_wishes: bool = Field(
        default=True,
        description="Put what stations shall do into the key-value bucket `desired` too, for gateways in other processes.",
    )
    verify_at: time | None = Field(
        default=time(3, 0),
        description="Time of day (UTC) at which the whole journal is verified every night, as text; empty text: never.",
    )

    @field_validator("verify_at", mode="before")
    @classmethod
    def _never(cls, value: object) -> object:
        return None if value == "" else value

    @property
    def limits(self) -> Limits:
        """What each stream may hold."""
        return Limits(
            journal=self.max_bytes,
            content=self.content_max_bytes,
            refused=self.refused_max_bytes,
            refused_age_s=self.refused_max_age_s,
            live=self.live_max_bytes,
            live_age_s=self.live_max_age_s,
        )


class HubSettings(Plain):
    """Everything that one hub is told."""

    gateway: Name = Field(default="main", description="Id of this gateway; unique among all that share one NATS.")
    data: Path = Field(default=Path("data"), description="Folder of the journal, read models and generated secrets.")
    nats: str = Field(
        default="embedded",
        description="`embedded`: the hub runs its own server on loopback; else the servers, comma-separated `nats://` or `tls://`.",
    )
    nats_user: str | None = Field(default=None, description="User at external servers.")
    nats_password: SecretRef | None = Field(default=None, description="Where the password at external servers is.")
    journal: JournalSettings = Field(
        default=JournalSettings(), description="Bounds of the journal, and what is made of it."
    )
    controls: bool = Field(
        default=True,
        description="Decide for the sites. False: only hold connections; another process on the same `nats` decides.",
    )
    database: str | None = Field(
        default=None, description="SQLAlchemy URL of the read models. Unset: SQLite in the data folder."
    )
    http: tuple[HttpListener, ...] = Field(
        default=(HttpListener(),), description="HTTP listeners; unset: one on loopback with everything."
    )
    tls: tuple[TlsContext, ...] = Field(default=(), description="TLS identities that listeners name.")
    users: tuple[User, ...] = Field(
        default=(), description="Who may use pages and API. None: loopback only, everybody there is `admin`."
    )
    sites: tuple[SiteSettings, ...] = Field(
        default=(), description='The sites; `[[sites]] file = "site.toml"` takes one from a file beside this one.'
    )
    adapters: dict[str, dict[str, Any]] = Field(
        default_factory=dict, description="One table per adapter that shall run, with that adapter's own settings."
    )
    _base: Path = PrivateAttr(default=Path())

    @property
    def base(self) -> Path:
        """The folder of the settings file; relative `file:` references start there."""
        return self._base

    def anchored(self, base: Path) -> Self:
        """These settings, with the folder that their file stands in."""
        self._base = base
        return self

    def site(self, id: str) -> SiteSettings | None:
        """The site of that id."""
        return next((s for s in self.sites if s.id == id), None)

    def configs(self) -> tuple[SiteConfig, ...]:
        """What the core is told about every site."""
        return tuple(s.config() for s in self.sites)

    def stations(self) -> dict[str, tuple[SiteSettings, StationSettings]]:
        """Every declared station by its identity, which is unique over all sites."""
        return {station.id: (site, station) for site in self.sites for station in site.stations}

    def aliases(self) -> dict[str, str]:
        """Names of passwords that stand elsewhere than in `<data>/secrets`, for `FileSecrets`."""
        found = ((station.credential, station.password) for _, station in self.stations().values())
        return {name: ref for name, ref in found if ref is not None}

    @property
    def database_url(self) -> str:
        """The read models' database."""
        return self.database or f"sqlite+aiosqlite:///{self.data / 'readmodels.sqlite'}"
