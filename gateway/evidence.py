"""Evidence that is too large for a message: its content goes beside the journal first, the message cites its digest."""

from __future__ import annotations

import base64
from collections.abc import Sequence

from core.messages import Message
from core.messages.base import as_text
from core.messages.evidence import EvidenceReceived, EvidenceSent
from gateway.journal.log import Log

LARGEST = 200_000
"""Bytes of a frame that stands in its message; with all that is around it that keeps below a record's bound."""
FIRST = 1024
"""Bytes of a larger one that stand in its message all the same."""

Evidence = EvidenceReceived | EvidenceSent


async def beside(log: Log, messages: Sequence[Message]) -> Sequence[Message]:
    """The same messages, those with large content with its digest instead, once that is durable.

    Raises:
        core.ports.NotStored: it was not acknowledged.
    """
    if not any(_large(message) for message in messages):
        return messages
    return [await _cited(log, message) if _large(message) else message for message in messages]


async def whole(log: Log, body: Evidence) -> bytes | None:
    """What was received or sent, byte by byte; None where its content is not there any more.

    Raises:
        gateway.journal.log.Damaged: it is not what was kept.
    """
    return await log.content(body.content) if body.content else _bytes(body)


def _large(message: Message) -> bool:
    body = message.body
    if not isinstance(body, Evidence) or len(body.frame) <= LARGEST // 4:
        return False
    return len(body.frame.encode("utf-8", "surrogatepass")) > LARGEST


async def _cited(log: Log, message: Message) -> Message:
    body = message.body
    assert isinstance(body, Evidence)
    content = _bytes(body)
    digest = await log.keep(content)
    frame, encoding = as_text(_beginning(content, body))
    cited = body.model_copy(update={"frame": frame, "encoding": encoding, "content": digest, "size": len(content)})
    return message.model_copy(update={"body": cited})


def _beginning(content: bytes, body: Evidence) -> bytes:
    """Of text whole characters."""
    first = content[:FIRST]
    return first if body.encoding == "base64" else first.decode("utf-8", "ignore").encode()


def _bytes(body: Evidence) -> bytes:
    return base64.b64decode(body.frame) if body.encoding == "base64" else body.frame.encode("utf-8")
