"""A small site, and a journal that is folded and decided like the controller does it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import count
from typing import Literal

from core import envelopes
from core.envelopes import GridState
from core.messages import Body, Message, compose
from core.messages.envelope import EnvelopeComputed, EnvelopeSegment
from core.messages.grid import ConstraintStated, Segment, SourceContacted
from core.messages.scribe import Scribe
from core.messages.site import Node, SiteConfig, SiteConfigured, Source

T0 = datetime(2026, 11, 25, 18, tzinfo=UTC)
"""Minute 0 of every test."""


def minute(value: float) -> datetime:
    return T0 + timedelta(minutes=value)


def source(id: str, fallback: float, **changes: object) -> Source:
    return Source.model_validate({"id": id, "node": "grid", "fallback_import_kw": fallback, **changes})


def site(*sources: Source, rating: float = 277) -> SiteConfig:
    nodes = (Node(id="grid", kind="grid_connection", limit_kw=rating), Node(id="panel", parent="grid", limit_kw=100))
    return SiteConfig(id="depot", nodes=nodes, sources=sources)


OSCP = source("oscp", 80)
ADR = source("adr", 200, mode_on_stale="hold_until_exhausted")


class World:
    """The journal of one site, in memory: what is said is folded, and decided at its moment."""

    def __init__(self, config: SiteConfig) -> None:
        self.config = config
        self.state = GridState()
        self.seq = 0
        self.written: list[Message] = []
        self.ids = (f"m{i}" for i in count(1))
        self.fold(SiteConfigured(digest="d", config=config), 0)

    def fold(self, body: Body, at: float, *, id: str = "", fresh: float | None = None) -> Message:
        message = compose(
            body,
            id=id or next(self.ids),
            time=minute(at),
            source="test",
            site="depot",
            fresh_until=None if fresh is None else minute(fresh),
        )
        self.state = envelopes.fold(self.state, message)
        return message

    def handshake(self, source: str, at: float, fresh: float | None = None) -> Message:
        return self.fold(SourceContacted(source=source, kind="handshake"), at, fresh=fresh)

    def heartbeat(self, source: str, at: float, fresh: float) -> Message:
        return self.fold(SourceContacted(source=source, kind="heartbeat"), at, fresh=fresh)

    def state_limits(
        self,
        source: str,
        at: float,
        *blocks: tuple[float, float, float | None],
        role: Literal["limit", "fallback", "target"] = "limit",
        direction: Literal["import", "export"] = "import",
        request: str = "",
    ) -> Message:
        segments = tuple(Segment(begins=minute(b), ends=minute(e), kw=kw) for b, e, kw in blocks)
        body = ConstraintStated(
            source=source, direction=direction, role=role, segments=segments, request=request or next(self.ids)
        )
        return self.fold(body, at)

    def decide(self, at: float) -> list[Message]:
        """One decision record: written, folded, and decided again without effect."""
        messages = self.dry(at)
        for message in messages:
            self.state = envelopes.fold(self.state, message)
        self.written += messages
        assert self.dry(at) == [], "deciding again after the fold writes nothing"
        return messages

    def dry(self, at: float) -> list[Message]:
        """What a decision at that minute would write."""
        self.seq += 1
        scribe = Scribe("depot", self.seq, minute(at))
        envelopes.decide(self.state, self.config, minute(at), scribe)
        return scribe.messages

    def segment(
        self, at: float, now: float | None = None, *, assume_fresh: bool = True, node: str = "grid"
    ) -> EnvelopeSegment:
        """The segment of the node in force at a minute, as seen from `now`."""
        segments = self.segments(at if now is None else now, assume_fresh=assume_fresh, node=node)
        return next(s for s in segments if s.begins <= minute(at) < s.ends)

    def segments(self, now: float, *, assume_fresh: bool = True, node: str = "grid") -> list[EnvelopeSegment]:
        until = envelopes.horizon(self.state, minute(now))
        found = envelopes.compute(self.state, self.config, minute(now), until, assume_fresh=assume_fresh)
        return [s for s in found if s.node == node]

    def cap(self, at: float) -> tuple[float, str]:
        segment = self.segment(at)
        return segment.import_kw, segment.binding_source

    def steps(self, now: float, *, assume_fresh: bool = True) -> list[tuple[float, float]]:
        """(minute, kW) of each step."""
        return [
            ((s.begins - T0).total_seconds() / 60, s.import_kw) for s in self.segments(now, assume_fresh=assume_fresh)
        ]


def envelope(messages: list[Message]) -> EnvelopeComputed:
    (body,) = [m.body for m in messages if isinstance(m.body, EnvelopeComputed)]
    return body
