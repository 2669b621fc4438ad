"""What the API received, as evidence: the body as it came."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from datetime import datetime
from typing import TYPE_CHECKING

from core.messages import Message, Position, compose, identify
from core.messages.base import as_text
from core.messages.evidence import EvidenceQuarantined, EvidenceReceived
from core.ports import HttpRequest
from gateway.evidence import beside

if TYPE_CHECKING:
    from gateway.wiring import Hub

MAX_ITEM = 4096
RECORD_ITEMS = 1000
RECORD_BYTES = 400_000


class Desk:
    """Takes in what people and programs post to this gateway: numbers it, keeps it, counts what is set aside."""

    def __init__(self, hub: Hub) -> None:
        self.hub = hub
        self._numbers = itertools.count(1)

    def now(self) -> datetime:
        """The hub's moment."""
        return self.hub.clock.now()

    def received(self, request: HttpRequest, site: str, protocol: str, subject: str) -> Message:
        """The evidence of a request: its body, who sent it, and as what."""
        frame, encoding = as_text(request.body)
        settings = self.hub.settings
        number = next(self._numbers)
        return compose(
            EvidenceReceived(
                protocol=protocol,
                peer=who(request),
                frame=frame,
                encoding="base64" if encoding == "base64" else "text",
                subject=subject[:200],
            ),
            id=identify("api", settings.gateway, self.hub.epoch, number),
            time=self.now(),
            source=f"api:{who(request)}",
            site=site,
        )

    def set_aside(self, evidence: Message, number: int, reason: str, detail: str, item: str) -> Message:
        """A part of that evidence that cannot be used; counted here."""
        body = evidence.body
        assert isinstance(body, EvidenceReceived)
        self.count(body.protocol, reason)
        return compose(
            EvidenceQuarantined(
                protocol=body.protocol, peer=body.peer, reason=reason, detail=detail, item=item[:MAX_ITEM]
            ),
            id=identify(evidence.id, "quarantined", number),
            time=evidence.time,
            source=evidence.source,
            site=evidence.site,
            causes=[evidence.id],
        )

    def count(self, protocol: str, reason: str) -> None:
        """One item more that was kept and not used."""
        self.hub.metrics.report("quarantined", {"protocol": protocol, "reason": reason})

    async def append(self, site: str, messages: Sequence[Message]) -> Position:
        """Store all, in as many records as they need; returns where the last record begins.

        Raises:
            core.ports.NotStored: nothing of the record in question was acknowledged; the request is to be repeated.
        """
        position = Position(0, 0)
        for part in _records(await beside(self.hub.log, messages)):
            position = await self.hub.journal.append(site, part)
        return position


def who(request: HttpRequest) -> str:
    """Who asks, as the host says it."""
    return request.headers.get("busbar-user", "local")


def _records(messages: Sequence[Message]) -> list[list[Message]]:
    """In order, in parts that fit one record each."""
    parts: list[list[Message]] = [[]]
    size = 0
    for message in messages:
        length = len(message.model_dump_json())
        if parts[-1] and (len(parts[-1]) >= RECORD_ITEMS or size + length > RECORD_BYTES):
            parts.append([])
            size = 0
        parts[-1].append(message)
        size += length
    return parts
