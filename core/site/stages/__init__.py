"""The stages of a decision, in order: each reads the folded state and writes what changed for its concept."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property

from core.messages import BODIES
from core.messages.scribe import Scribe
from core.messages.site import SiteConfig
from core.site.memo import Memo
from core.site.stages.consequences import decide_incidents, decide_readiness, decide_records
from core.site.stages.fleet import decide_requirements, decide_starts, decide_vehicles, decide_work
from core.site.stages.plan import decide_envelope, decide_plan
from core.site.stages.wishes import decide_wishes
from core.site.state import SiteState

Decide = Callable[[SiteState, SiteConfig, datetime, Scribe, Memo], datetime | None]


@dataclass(frozen=True)
class Stage:
    """One stage. `reads` are the message types, or `concept.` prefixes, that can change what it writes.

    `decide` writes what changed, and returns the first moment after now at which it could write with the same state.
    What a `whole` stage writes belongs together; what others write may be cut anywhere.
    """

    name: str
    reads: tuple[str, ...]
    decide: Decide
    whole: bool = False

    @cached_property
    def types(self) -> tuple[str, ...]:
        """The message types that it reads."""
        return tuple(name for name in BODIES if name.startswith(self.reads))


_SITE = ("site.configured", "station.admitted")
_PLUGS = ("connector.", "session.", "vehicle.")
_STANDING = ("connector.", "session.started", "session.updated", "session.ended", "vehicle.")
"""Who stands where; meter values do not change it."""

STAGES: tuple[Stage, ...] = (
    Stage("work", (*_SITE, "work.", "assignment.", "schedule."), decide_work),
    Stage("vehicles", (*_SITE, *_STANDING, "work."), decide_vehicles),
    Stage("requirements", (*_SITE, *_PLUGS, "work.", "requirement.", "readiness."), decide_requirements),
    Stage(
        "starts",
        (*_SITE, *_STANDING, "requirement.", "station.", "gateway.started", "token.", "command.requested"),
        decide_starts,
    ),
    Stage("envelope", (*_SITE, "constraint.", "source.", "envelope."), decide_envelope),
    Stage(
        "plan",
        (*_SITE, *_PLUGS, "requirement.", "envelope.", "allocation.", "station."),
        decide_plan,
        whole=True,
    ),
    Stage(
        "wishes",
        (
            *_SITE,
            "connector.",
            "session.started",
            "session.updated",
            "session.ended",
            "allocation.",
            "requirement.",
            "constraint.",
            "source.",
            "envelope.",
            "station.connected",
            "station.disconnected",
            "station.booted",
            "station.limited",
            "gateway.",
            "command.wished",
            "command.rejected",
            "command.confirmed",
        ),
        decide_wishes,
        whole=True,
    ),
    Stage(
        "readiness",
        (
            *_SITE,
            *_PLUGS,
            "requirement.",
            "allocation.",
            "incident.",
            "station.",
            "gateway.",
            "command.confirmed",
            "readiness.",
        ),
        decide_readiness,
    ),
    Stage(
        "incidents",
        (
            *_SITE,
            "connector.",
            "session.started",
            "session.updated",
            "session.ended",
            "vehicle.",
            "station.",
            "gateway.",
            "command.",
            "allocation.planned",
            "readiness.",
            "source.",
            "meter.",
            "envelope.",
            "work.",
            "schedule.",
            "journal.",
            "incident.",
        ),
        decide_incidents,
    ),
    Stage("records", (*_SITE, "session.", "vehicle.", "record."), decide_records),
)
"""In the order in which the facts follow from each other."""
