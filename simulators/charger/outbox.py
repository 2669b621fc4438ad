"""Messages that carry evidence: sent in order, kept while the connection is away, sent again when it is back."""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Callable
from dataclasses import dataclass

from simulators.charger.facts import Call, Payload, Refused
from simulators.charger.link import Link, Lost, Unanswered

_MAX_ATTEMPTS = 3

Build = Callable[[bool], Call]
Done = Callable[[Payload], None]


@dataclass
class _Report:
    build: Build
    offline: bool
    done: Done | None = None
    attempts: int = 0


class Outbox:
    """The queue of one station; `open` is set once it has been accepted by its central system."""

    def __init__(self, link: Callable[[], Link | None], counts: Counter[str]) -> None:
        self.open = False
        self._link, self._counts = link, counts
        self._reports: deque[_Report] = deque()
        self._flushing = False

    async def report(self, build: Build, who: str, done: Done | None = None) -> None:
        """Send, or keep for later; `build` is told whether it happened offline, `done` gets the answer."""
        self._reports.append(_Report(build, self._link() is None, done))
        await self.flush(who)

    async def flush(self, who: str) -> None:
        """Send what waits, oldest first; one task at a time."""
        if self._flushing or not self.open:
            return
        self._flushing = True
        try:
            while self._reports and await self._deliver(self._reports[0], who):
                self._reports.popleft()
        finally:
            self._flushing = False

    async def _deliver(self, report: _Report, who: str) -> bool:
        """Whether the report is done with: answered, or given up after three attempts."""
        link = self._link()
        if link is None:
            return False
        report.attempts += 1
        self._counts["frames"] += 1
        try:
            answer = await link.call(*report.build(report.offline), who=who)
        except Lost:
            return False
        except (Unanswered, Refused) as failure:
            self._counts["refused" if isinstance(failure, Refused) else "unanswered"] += 1
            return report.attempts >= _MAX_ATTEMPTS
        if report.done is not None:
            report.done(answer)
        return True
