"""How much each stream of the journal may hold."""

from __future__ import annotations

from dataclasses import dataclass

MB = 1024 * 1024
GB = 1024 * MB


@dataclass(frozen=True, slots=True)
class Limits:
    """How much each stream may hold, in bytes and seconds."""

    journal: int = 64 * GB
    """When the journal is full it refuses; nothing old is ever dropped."""
    content: int = 8 * GB
    """Likewise."""
    refused: int = 64 * MB
    """Here and below the oldest goes first."""
    refused_age_s: int = 30 * 24 * 3600
    live: int = 64 * MB
    live_age_s: int = 24 * 3600

    @property
    def disk(self) -> int:
        """What the server may need on disk."""
        return self.journal + self.content + self.refused + self.live + 64 * MB
