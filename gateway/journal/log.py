"""What every journal store offers; the NATS store and its in-memory twin pass one contract suite."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol

from core.messages import Message, Position
from core.ports import NotStored


@dataclass(frozen=True, slots=True)
class Head:
    """A record's head: who wrote it, and the hash of that writer's previous head."""

    format: int
    writer: str
    epoch: int
    prev: str
    items: tuple[str, ...]
    """SHA-256 of each item's line."""
    seen: int | None = None
    """In a decision record: the last folded stream sequence."""
    now: datetime | None = None
    """In a decision record: the moment it was decided for."""
    core: str | None = None
    """In a decision record: the core's version."""
    most: int | None = None
    """In a decision record that had to be smaller than usual: after how many messages it was cut."""


@dataclass(frozen=True, slots=True)
class Record:
    """One stored record: messages share `seq`; a message's position is (seq, its index)."""

    seq: int
    site: str
    writer: str
    head: Head
    messages: tuple[Message, ...]


class Fenced(Exception):
    """Another process writes on this subject: stand down; the journal itself refused us."""


class Damaged(Exception):
    """The journal is not what was acknowledged (high-water mark or chain): nothing may be written."""


class Full(NotStored):
    """The journal, or the disk below it, has no room; nothing old is dropped for something new."""


class TooLarge(NotStored):
    """These messages do not fit one record; about `fit` of them would."""

    def __init__(self, text: str, fit: int) -> None:
        super().__init__(text, fit)
        self.fit = fit

    def __str__(self) -> str:
        return str(self.args[0])


class Writer(Protocol):
    """Appends to one subject `j.<site>.<writer>`, fenced and chained, grouping whatever waits into one record."""

    async def append(
        self,
        messages: Sequence[Message],
        *,
        seen: int | None = None,
        now: datetime | None = None,
        most: int | None = None,
    ) -> Position:
        """Store the messages, contiguous and in order; returns the position of the first once they are durable.

        `seen` and `now` mark a decision: such a record holds nothing else. `most` says that it was cut there.

        Raises:
            TooLarge: they do not fit one record.
            core.ports.NotStored: not acknowledged within the deadline, the journal is full, or a message is too large.
            Fenced: another process writes here.
        """

    async def close(self) -> None:
        """Write what is queued, then stop."""


class Log(Protocol):
    """The durable ordered log of all sites, and the view of desired states beside it."""

    async def writer(self, site: str, name: str, epoch: int) -> Writer:
        """A writer on `j.<site>.<name>`; verifies where that subject's chain ends."""

    async def last(self) -> int:
        """The newest stream sequence; 0 when empty."""

    async def refuses(self) -> str | None:
        """Why an append would not be stored now, as far as that can be told without one; None: nothing is known against it."""

    def read(self, after: int, *, follow: bool = True) -> AsyncIterator[Record]:
        """All records behind sequence `after`, in stream order; `follow` waits for more, else it ends at `last()`.

        Raises:
            Damaged: a gap, or a chain that does not verify.
        """

    async def get(self, seq: int) -> Record | None:
        """One record, or None if there is none with that sequence."""

    async def keep(self, content: bytes) -> str:
        """Keep what is too large for a message, durably, under its SHA-256 in hex, which is returned.

        Raises:
            core.ports.NotStored: it was not acknowledged.
        """

    async def content(self, digest: str) -> bytes | None:
        """What was kept under that digest, or None.

        Raises:
            Damaged: it is not what was kept.
        """

    async def wish(self, site: str, station: str, value: Mapping[str, Any]) -> None:
        """Put a station's desired state into the adapters' view."""

    async def wished(self, site: str) -> dict[str, Mapping[str, Any]]:
        """What stands in the view now, by station."""

    def wishes(self, site: str) -> AsyncIterator[tuple[str, Mapping[str, Any]]]:
        """(station, value) of every station of the site first, then each change."""

    async def refuse(self, site: str, protocol: str, peer: str, item: Mapping[str, Any]) -> None:
        """Keep what came from a peer that did not authenticate: bounded, rate limited, never waited for by the peer."""

    async def refused(self, site: str, protocol: str) -> list[Mapping[str, Any]]:
        """What is kept of that, oldest first, at most the newest 1,000 items, each with the `id` by which it is asked for."""
