"""Facts about our own processes and about partners' lasting state."""

from __future__ import annotations

from typing import Any, ClassVar

from core.messages.base import Body, Message, Problem


class GatewayStarted(Body):
    """A gateway's first record on each of its subjects: connections of its earlier epochs are lost from here on."""

    TYPE: ClassVar[str] = "gateway.started"
    PROBLEM: ClassVar[Problem] = Problem("integration", "operation")
    LOCAL: ClassVar[frozenset[str]] = frozenset({"epoch"})

    gateway: str
    epoch: int

    def key(self, message: Message) -> tuple[str, ...]:
        """One start per gateway, epoch and subject."""
        return (self.gateway, str(self.epoch), message.site)


class JournalVerified(Body):
    """The journal was read as a whole, and every record and chain in it verified, or not."""

    TYPE: ClassVar[str] = "journal.verified"
    PROBLEM: ClassVar[Problem] = Problem("integration", "operation")
    LOCAL: ClassVar[frozenset[str]] = frozenset({"records", "detail"})

    whole: bool
    records: int
    detail: str = ""
    """What is wrong, and where."""

    def key(self, message: Message) -> tuple[str, ...]:
        """One per moment and site."""
        return (message.site, message.time.isoformat())


class PeerChanged(Body):
    """An adapter's own lasting state about a partner (URL, version, interval); found again in `Directory.partner`."""

    TYPE: ClassVar[str] = "peer.changed"
    PROBLEM: ClassVar[Problem] = Problem("integration", "partners")
    LOCAL: ClassVar[frozenset[str]] = frozenset({"state"})

    adapter: str
    peer: str
    state: dict[str, Any]
    """Plain JSON data without secrets; secrets are held by `Secrets` and named here by reference."""


class TokenChanged(Body):
    """A token (card, vehicle identifier) became known, changed or was withdrawn."""

    TYPE: ClassVar[str] = "token.changed"
    PROBLEM: ClassVar[Problem] = Problem("access", "tokens")

    token: str
    valid: bool
    vehicle: str | None = None
    party: str | None = None
