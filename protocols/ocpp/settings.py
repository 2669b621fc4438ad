"""Settings of the OCPP adapter: listeners, limits, timers, and the deviations of single stations."""

from __future__ import annotations

from ipaddress import ip_address
from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator


class _Model(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Listener(_Model):
    """One address that stations connect to."""

    host: str = Field("127.0.0.1", description="Address to bind.")
    port: Annotated[int, Field(ge=0, le=65535)] = Field(9220, description="Port to bind; 0 takes a free one.")
    tls: str | None = Field(None, description="Name of the TLS settings to use; none means plain WebSocket.")
    security_profile: Literal[1, 2] = Field(
        2, description="OCPP security profile: 1 Basic over plain, 2 Basic over TLS."
    )
    plain: bool = Field(False, description="Allow plain WebSocket; on loopback addresses only.")

    @model_validator(mode="after")
    def _safe(self) -> Self:
        if self.tls is None and not self.plain:
            raise ValueError(
                'a listener without tls carries passwords in the clear; next: set tls = "name", '
                "or on a loopback address plain = true and security_profile = 1"
            )
        if self.tls is None and not _loopback(self.host):
            raise ValueError("plain = true is allowed on a loopback address only; next: set tls, or host = 127.0.0.1")
        if (self.tls is None) != (self.security_profile == 1):
            raise ValueError("security_profile 1 is plain and 2 is TLS; next: make tls and security_profile agree")
        return self


class Quirks(_Model):
    """Deviations of one station's model; everything is off unless a person switches it on."""

    decimal_comma: bool = Field(False, description="Read `12,5` as 12.5 in meter values.")
    hex_password: bool = Field(False, description="The station sends its key as hex digits instead of bytes.")
    no_pong: bool = Field(False, description="The station never answers a WebSocket ping.")
    max_periods: Annotated[int, Field(ge=1)] = Field(24, description="Most periods in one schedule.")
    no_composite: bool = Field(
        False, description="GetCompositeSchedule is not to be trusted: confirm by measured values."
    )
    stop_when_uncontrollable: bool = Field(
        False, description="Stop the transaction when every kind of profile is refused."
    )


class Settings(_Model):
    """What the OCPP adapter needs to know."""

    listeners: tuple[Listener, ...] = Field(
        default_factory=lambda: (Listener(plain=True, security_profile=1),),
        description="Addresses that stations connect to.",
    )
    max_frame_bytes: Annotated[int, Field(ge=1024)] = Field(
        1 << 20, description="A larger frame closes the connection (1009)."
    )
    call_timeout_s: Annotated[float, Field(gt=0)] = Field(
        30, description="How long a station may take to answer a call."
    )
    retry_s: Annotated[float, Field(gt=0)] = Field(
        10, description="Pause before a refused or unanswered call is repeated."
    )
    confirm_s: Annotated[float, Field(gt=0)] = Field(
        60, description="From then on measured values above the limit count."
    )
    boot_wait_s: Annotated[float, Field(gt=0)] = Field(
        10, description="A station that neither boots nor says anything is asked to boot after so long."
    )
    heartbeat_s: Annotated[int, Field(ge=10)] = Field(
        300, description="Heartbeat interval that a boot is answered with, seconds."
    )
    meter_interval_s: Annotated[int, Field(ge=1)] = Field(
        60, description="Interval of meter values that stations are set to, seconds."
    )
    ping_s: Annotated[float, Field(gt=0)] = Field(45, description="WebSocket ping interval (wall time).")
    frames_per_s: Annotated[float, Field(gt=0)] = Field(20, description="Sustained frames per station and second.")
    frames_burst: Annotated[int, Field(ge=10)] = Field(600, description="Frames that a station may send at once.")
    connections_burst: Annotated[int, Field(ge=2)] = Field(
        60, description="Connections that a station may open at once; beyond it: 429 before the upgrade."
    )
    connections_per_min: Annotated[float, Field(gt=0)] = Field(
        2, description="Sustained connections per station and minute."
    )
    quirks: dict[str, Quirks] = Field(default_factory=dict, description="Deviations by station.")


def _loopback(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
