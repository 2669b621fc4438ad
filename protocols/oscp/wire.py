"""OSCP 2.0 messages as they stand on the wire; unknown fields are tolerated, what is needed is checked."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

Token = Annotated[str, Field(min_length=1, max_length=1024, pattern=r"^[\x21-\x7e]+$")]
"""Visible ASCII: anything else could not stand in a header."""
Identifier = Annotated[str, Field(min_length=1, max_length=256)]
ForecastType = Literal["CONSUMPTION", "GENERATION", "FALLBACK_CONSUMPTION", "FALLBACK_GENERATION", "OPTIMUM"]
SECRETS = ("token",)
"""Where a message holds a secret; none has a token anywhere else."""
MAX_BLOCKS = 1000
SPELLINGS = {"handshake_acknowledgment": "handshake_acknowledge", "handshake_acknowledgement": "handshake_acknowledge"}
"""Paths that known implementations use instead."""


class _Wire(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore")


class VersionUrl(_Wire):
    """A version that a party speaks, and where."""

    version: Annotated[str, Field(max_length=16)]
    base_url: Annotated[str, Field(max_length=2048)]


class Register(_Wire):
    """`register`: the token that the sender wants to be called with, and its versions."""

    token: Token
    version_url: Annotated[list[VersionUrl], Field(min_length=1, max_length=16)]


class RequiredBehaviour(_Wire):
    """What the sender wants of the receiver; a missing interval asks for no heartbeats."""

    heartbeat_interval: Annotated[int, Field(ge=1, le=86400 * 7)] | None = None
    measurement_configuration: list[Any] = Field(default_factory=list)


class Handshake(_Wire):
    """`handshake` and `handshake_acknowledge`; peers leave the behaviour out, so it is optional."""

    required_behaviour: RequiredBehaviour | None = None


class Heartbeat(_Wire):
    """`heartbeat`: from `offline_mode_at` on the sender must be regarded as offline."""

    offline_mode_at: Annotated[str, Field(max_length=64)]


class Block(_Wire):
    """One block of a forecast; all five fields are required."""

    capacity: Annotated[float, Field(ge=0, le=1e9, allow_inf_nan=False, strict=True)]
    phase: Literal["UNKNOWN", "ONE", "TWO", "THREE", "ALL"]
    unit: Literal["A", "W", "KW", "WH", "KWH"]
    start_time: Annotated[str, Field(max_length=64)]
    end_time: Annotated[str, Field(max_length=64)]


class Forecast(_Wire):
    """`update_` and `adjust_group_capacity_forecast`; blocks are looked at one by one, so that one bad block costs only itself."""

    group_id: Identifier
    type: ForecastType
    forecasted_blocks: Annotated[list[Any], Field(min_length=1, max_length=MAX_BLOCKS)]


class ComplianceError(_Wire):
    """`group_capacity_compliance_error`: a forecast cannot be kept."""

    message: Annotated[str, Field(max_length=4096)]
