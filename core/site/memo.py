"""What a controller may remember between decisions to save work; without it every answer is the same."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from operator import is_

from core import dispatch
from core.incidents import Evaluate, Evaluated
from core.messages import Message
from core.messages.site import SiteConfig
from core.readiness.outlook import Subject
from core.work import Departure


@dataclass(slots=True)
class Memo:
    """What was found settled: it is not asked again while nothing that it rests on changed and its deadline is ahead.

    It changes nothing but the cost (a test compares both).
    """

    settled: dict[str, tuple[int, datetime | None]] = field(default_factory=dict)
    """Stage to (version of what it reads, deadline)."""
    subjects: dict[tuple[str, str], tuple[Subject, Message | None, datetime | None]] = field(default_factory=dict)
    """Departure to (what was known, its last assessment, deadline)."""
    given: dict[tuple[str, str], tuple[tuple[object, ...], datetime | None]] = field(default_factory=dict)
    """Departure to (the objects that its subject was made of, until when they make the same one)."""
    departures: tuple[object, object, tuple[Departure, ...], datetime | None] | None = None
    """(work, configuration) that the departures were found from, the departures, and until when they are these."""
    conditions: dict[Evaluate, Evaluated] = field(default_factory=dict)
    """What each evaluator of incidents said last."""
    dispatch: dispatch.Memory = field(default_factory=dispatch.Memory)
    """The functions of time that the last wishes were cut from."""
    rested: object | None = None
    """The state about which everything was said."""
    config: SiteConfig | None = None
    """The configuration that departures were assessed by."""

    def for_config(self, config: SiteConfig) -> None:
        """Assessments by another configuration count for nothing."""
        if self.config is not config:
            self.config = config
            self.subjects.clear()
            self.given.clear()

    def is_settled(self, stage: str, version: int, now: datetime) -> bool:
        """Nothing that the stage reads was folded since, and its deadline is ahead."""
        known = self.settled.get(stage)
        return known is not None and known[0] == version and (known[1] is None or now < known[1])

    def is_assessed(self, key: tuple[str, str], subject: Subject, last: Message | None, now: datetime) -> bool:
        """Nothing is known about that departure that was not known when it was assessed."""
        known = self.subjects.get(key)
        if known is None or known[1] is not last or (known[2] is not None and now >= known[2]):
            return False
        return known[0] == subject

    def is_given(self, key: tuple[str, str], given: tuple[object, ...], now: datetime) -> bool:
        """The very same objects make up that departure's subject as when it was last assessed."""
        known = self.given.get(key)
        return known is not None and (known[1] is None or now < known[1]) and all(map(is_, known[0], given))

    def keep(self, key: tuple[str, str], given: tuple[object, ...], until: datetime | None) -> None:
        """The assessment in `subjects` is of these objects, until then or its own deadline."""
        deadline = self.subjects[key][2]
        self.given[key] = (given, min((m for m in (until, deadline) if m is not None), default=None))
