"""What every neutral message has: its header, both coordinates, and a body that its type fixes."""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Annotated, Any, ClassVar, NamedTuple

from pydantic import AfterValidator, AwareDatetime, BaseModel, ConfigDict, Field

MAX_CAUSES = 32


def _utc(value: datetime) -> datetime:
    try:
        return value.astimezone(UTC)
    except OverflowError as error:
        raise ValueError("the moment lies outside of what can be said in UTC") from error


Utc = Annotated[AwareDatetime, AfterValidator(_utc)]
"""An aware moment, always kept in UTC."""


class Plain(BaseModel):
    """Plain immutable data: unknown fields are refused, so that a misspelling is never silent."""

    model_config = ConfigDict(frozen=True, extra="forbid")


@dataclass(frozen=True, slots=True, order=True)
class Position:
    """Where a fact stands in the journal: (stream sequence, index in the record)."""

    seq: int
    index: int


class Problem(NamedTuple):
    """The problem coordinate: which area asks, about which subject. Fixed by a message's type."""

    area: str
    subject: str


class Physical(Plain):
    """The physical coordinate: where and about what; only what the fact itself states is set."""

    vehicle: str | None = None
    work: str | None = None
    route: str | None = None
    block: str | None = None
    duty: str | None = None
    node: str | None = None
    """A node of the site's tree of limits (grid connection, feeder, panel)."""
    station: str | None = None
    evse: int | None = None
    connector: int | None = None
    meter: str | None = None
    path: str | None = None
    """The communication path (listener, broker, feed) that the fact came by."""
    session: str | None = None
    party: str | None = None
    invoice: str | None = None
    begins: Utc | None = None
    """Start of the time window that the fact is about, half-open."""
    ends: Utc | None = None


class Body(Plain):
    """A message's content. Subclasses fix the type, the problem coordinate and the natural key."""

    TYPE: ClassVar[str]
    """`<concept>.<past-tense fact>`."""
    VERSION: ClassVar[int] = 1
    PROBLEM: ClassVar[Problem]
    LOCAL: ClassVar[frozenset[str]] = frozenset()
    """Body fields that depend on this machine or run (addresses, ports, epochs); outside `facts_digest`."""

    def key(self, message: Message) -> tuple[str, ...]:
        """The fact's natural key: a second message with the same key states the same fact."""
        return (message.id,)


class Message(Plain):
    """One neutral domain message: a header and a body.

    `time` is when it happened, `recorded` when we learned it; `causes` are ids of the messages it follows
    from directly: the latest fact of each input, at most 32, all earlier in the stream or in the same record.
    """

    id: str
    type: str
    version: int = 1
    time: Utc
    recorded: Utc
    source: str
    site: str
    at: Physical = Physical()
    causes: Annotated[tuple[str, ...], Field(max_length=MAX_CAUSES)] = ()
    fresh_until: Utc | None = None
    """Until when this reading may be used as current, by its protocol's own rule; the core decides staleness."""
    body: Body

    @property
    def key(self) -> tuple[str, ...]:
        """Type and natural key: equal keys state the same fact."""
        return (self.type, *self.body.key(self))

    @property
    def problem(self) -> Problem:
        """The problem coordinate, which the type fixes."""
        return self.body.PROBLEM


def identify(*parts: object) -> str:
    """An id derived from a natural identity: 24 hex digits of SHA-256 over the parts; the same parts, the same id."""
    text = "\x1f".join(p.isoformat() if isinstance(p, datetime) else str(p) for p in parts)
    return hashlib.sha256(text.encode()).hexdigest()[:24]


def compose(
    body: Body,
    *,
    id: str,
    time: datetime,
    source: str,
    site: str,
    recorded: datetime | None = None,
    at: Physical | None = None,
    causes: Iterable[str] = (),
    fresh_until: datetime | None = None,
) -> Message:
    """A message around `body`: type and version come from it; `causes` are made unique, in order, and bounded."""
    unique = tuple(dict.fromkeys(c for c in causes if c))
    return Message(
        id=id,
        type=body.TYPE,
        version=body.VERSION,
        time=time,
        recorded=recorded or time,
        source=source,
        site=site,
        at=at or Physical(),
        causes=unique[:MAX_CAUSES],
        fresh_until=fresh_until,
        body=body,
    )


_CANONICAL = json.JSONEncoder(sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)


def canonical(value: Any) -> str:
    """JSON as it is written and hashed everywhere: UTF-8, keys sorted, no blanks."""
    return _CANONICAL.encode(value)


def digest(value: Any) -> str:
    """SHA-256 over the canonical JSON of plain data, in hex."""
    return hashlib.sha256(canonical(value).encode()).hexdigest()


def as_text(frame: bytes) -> tuple[str, str]:
    """A frame as it is kept: (text, "text"), or (base64, "base64") where it is not UTF-8."""
    try:
        return frame.decode("utf-8"), "text"
    except UnicodeDecodeError:
        return base64.b64encode(frame).decode("ascii"), "base64"
