"""The one list of reasons: every code with its sentence, its next step and how much it matters; nothing else defines reasons.

One module per concept holds its codes; everybody else imports from here.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any

from core.messages.reasons import template
from core.messages.reasons.access import ACCESS
from core.messages.reasons.acts import ACTS
from core.messages.reasons.chargers import CHARGERS
from core.messages.reasons.commerce import COMMERCE
from core.messages.reasons.grid import GRID
from core.messages.reasons.incidents import INCIDENTS
from core.messages.reasons.readiness import READINESS
from core.messages.reasons.reason import About, Reason, merged
from core.messages.reasons.schedules import SCHEDULES
from core.messages.reasons.settings import SETTINGS
from core.messages.reasons.telemetry import TELEMETRY

__all__ = [
    "INCIDENTS",
    "READINESS",
    "REASONS",
    "About",
    "missing",
    "next_step",
    "ranked",
    "sentence",
    "slots",
]

REASONS: Mapping[str, Reason] = merged(
    READINESS, INCIDENTS, CHARGERS, SCHEDULES, GRID, TELEMETRY, ACCESS, COMMERCE, ACTS, SETTINGS
)
"""All reasons by their code."""


def sentence(code: str, params: Mapping[str, Any], *, zone: str, now: datetime | None = None) -> str:
    """What, numbers, since when; moments in `zone`, with their day where it is not that of `now`. Never raises."""
    reason = REASONS.get(code)
    if reason is None:
        return f"{code.replace('_', ' ').capitalize() or 'Something'}: this version has no words for it."
    return template.fill(reason.sentence, params, zone, now)


def next_step(code: str, params: Mapping[str, Any], *, zone: str, now: datetime | None = None) -> str:
    """What a person can do, to be shown after `Next: `. Never raises."""
    reason = REASONS.get(code)
    return "upgrade busbar." if reason is None else template.fill(reason.next, params, zone, now)


def ranked(codes: Iterable[str]) -> tuple[str, ...]:
    """`codes` in the order in which readiness reasons rank, each once; codes of other groups come last, by name."""
    order = {code: rank for rank, code in enumerate(READINESS)}
    return tuple(sorted(set(codes), key=lambda code: (order.get(code, len(order)), code)))


def slots(code: str) -> frozenset[str]:
    """The names of the parameters that a code's texts use; empty for an unknown code."""
    reason = REASONS.get(code)
    return frozenset() if reason is None else template.names(reason.sentence + reason.next)


def missing(code: str, params: Mapping[str, Any]) -> frozenset[str]:
    """The names without a value that would stand as `?` in a code's texts."""
    reason = REASONS.get(code)
    needed = frozenset() if reason is None else template.required(reason.sentence + reason.next)
    return frozenset(name for name in needed if not template.given(params, name))
