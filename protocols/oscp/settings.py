"""Settings of the OSCP adapter: our public address, and one table per capacity provider."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Literal, Self
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo

from pydantic import BaseModel, ConfigDict, Field, model_validator

Name = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$")]


class _Model(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Peer(_Model):
    """One capacity provider (grid operator): who it is, which groups it may speak for, how it is talked to."""

    name: Name = Field(description="Name of the peer in the journal, in metrics and on the pages.")
    site: str = Field(description="Site that its groups belong to.")
    groups: dict[str, str] = Field(
        min_length=1, description="Group id of the peer = id of the grid source in the site's configuration."
    )
    token_ref: str = Field(
        description="Reference to the token A that was exchanged out of band; it is good for one registration."
    )
    start: Literal["peer", "us"] = Field(
        "peer", description="Who begins the registration; with `us` the peer issued token A and `url` is needed."
    )
    url: str | None = Field(None, description="Base URL of the peer's OSCP 2.0 endpoints; overrides what it registers.")
    plain: bool = Field(False, description="Allow plain HTTP to this peer beyond loopback addresses.")
    heartbeat_interval_s: Annotated[int, Field(ge=1)] = Field(
        900, description="Interval of heartbeats that we ask the peer for (s); at least four times the site's guard_s."
    )
    min_horizon_s: Annotated[int, Field(ge=0)] = Field(
        60, description="A heartbeat whose offline_mode_at is less far ahead (s) counts as no contact."
    )
    max_horizon_s: Annotated[int, Field(ge=60)] = Field(
        86400, description="An offline_mode_at farther ahead (s) counts as this far."
    )
    auth_scheme: Literal["Token", "Bearer"] = Field("Token", description="Scheme in the Authorization header we send.")
    headers: dict[str, str] = Field(
        default_factory=dict, description="Further headers on every request to the peer; no credentials."
    )
    paths: dict[str, str] = Field(
        default_factory=dict, description="Action = path below its URL, where the peer deviates from the standard."
    )
    naive_time_zone: str | None = Field(
        None, description="Zone of times without offset; without it such times are refused."
    )
    phase_voltage_v: Annotated[float, Field(gt=0)] = Field(
        230.0, description="Voltage from phase to neutral (V), for limits that are stated in ampere."
    )

    @model_validator(mode="after")
    def _sound(self) -> Self:
        if self.start == "us" and self.url is None:
            raise ValueError(f"peer {self.name}: start = us needs a url; next: add the peer's base URL")
        if self.naive_time_zone is not None:
            try:
                ZoneInfo(self.naive_time_zone)
            except (KeyError, ValueError, OSError):
                raise ValueError(f"{self.naive_time_zone} is no time zone; next: use an IANA name") from None
        if self.url is not None and not allowed(self.url, self.plain):
            raise ValueError(f"peer {self.name}: {self.url} is not https; next: use https, or set plain = true")
        return self


class Settings(_Model):
    """What the OSCP adapter needs to know."""

    base_url: str = Field(
        "http://127.0.0.1:8080", description="Our public address as peers reach it, without the path prefix."
    )
    prefix: str = Field("/oscp/fp/2.0", description="Path below which our endpoints are mounted.")
    peers: tuple[Peer, ...] = Field((), description="Capacity providers that may connect.")
    max_body_bytes: Annotated[int, Field(ge=1024)] = Field(262144, description="A larger request is refused (413).")
    max_segments: Annotated[int, Field(ge=1)] = Field(16, description="Most parts of one segmented message.")
    http_timeout_s: Annotated[float, Field(gt=0)] = Field(
        5.0, description="Wall time that a peer may take to answer one request (s)."
    )
    tries: Annotated[int, Field(ge=1)] = Field(3, description="How often one request is sent before it is given up.")
    retry_s: Annotated[float, Field(gt=0)] = Field(
        5.0, description="Pause before a try, times the number of tries (s)."
    )

    @model_validator(mode="after")
    def _distinct(self) -> Self:
        names = [p.name for p in self.peers]
        if len(set(names)) != len(names):
            raise ValueError("two OSCP peers have the same name; next: rename one of them")
        return self

    def named_sources(self) -> Iterator[tuple[tuple[str | int, ...], str, str | None]]:
        """Where a peer's limits hold: its site, and the source of each of its groups."""
        for index, peer in enumerate(self.peers):
            yield ("peers", index, "site"), peer.site, None
            for group, source in peer.groups.items():
                yield ("peers", index, "groups", group), peer.site, source

    @property
    def public_url(self) -> str:
        """What we register as our version's base URL."""
        return self.base_url.rstrip("/") + self.prefix


def allowed(url: str, plain: bool) -> bool:
    """Whether tokens may be sent to this URL: https, or plain HTTP on loopback or where it was switched on."""
    try:
        parts = urlsplit(url)
        host = parts.hostname
    except ValueError:
        return False
    if not host or parts.username is not None:
        return False
    return parts.scheme == "https" or (parts.scheme == "http" and (plain or host in {"127.0.0.1", "::1", "localhost"}))
