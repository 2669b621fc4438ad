"""Whether a message says everything that its sentences need: no code without words, no `?` for its reader."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from core.messages import Message
from core.messages.allocation import AllocationAssigned, AllocationPlanned
from core.messages.incident import IncidentOpened, IncidentResolved, IncidentUpdated
from core.messages.readiness import ReadinessAssessed
from core.messages.reasons import REASONS, missing


def unfilled(messages: Iterable[Message]) -> list[str]:
    """Every code of these messages that has no words, or leaves a name of its words without a value."""
    found = []
    for message in messages:
        for code, params in said(message):
            if code not in REASONS:
                found.append(f"{message.type}: {code} has no words")
            elif params is not None and (open_ := missing(code, params)):
                found.append(f"{message.type}: {code} lacks {sorted(open_)}")
    return found


def said(message: Message) -> Iterator[tuple[str, dict[str, Any] | None]]:
    """The codes of a message, each with its numbers; None where others bring them."""
    body = message.body
    if isinstance(body, IncidentOpened | IncidentUpdated | IncidentResolved):
        yield body.kind, body.params
    elif isinstance(body, ReadinessAssessed):
        yield from ((reason.code, reason.params) for reason in body.reasons)
    elif isinstance(body, AllocationPlanned):
        yield from ((outcome.reason, None) for outcome in body.outcomes if outcome.reason)
    elif isinstance(body, AllocationAssigned) and body.reason:
        yield body.reason, None
