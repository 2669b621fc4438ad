"""The walk along causes: from an outcome back, level by level, to the first message of each kind; whoever walks fetches the messages."""

from __future__ import annotations

from collections.abc import Sequence

from core.messages import Message
from core.messages.evidence import EvidenceQuarantined, EvidenceReceived, EvidenceSent


def kind(message: Message) -> str:
    """What counts as one kind: the type, and for evidence the protocol too."""
    body = message.body
    if isinstance(body, EvidenceReceived | EvidenceSent | EvidenceQuarantined):
        return f"{message.type}:{body.protocol}"
    return message.type


class Walk:
    """Breadth first: ask `level` what is to be read next, and `follow` each of those messages that there is."""

    def __init__(self, starts: Sequence[str]) -> None:
        self.found: dict[str, str] = {}
        """Kind of message to the first one of it, in the order in which they were met."""
        self._parents: dict[str, str | None] = dict.fromkeys(starts)
        self._next = list(starts)

    def __len__(self) -> int:
        """How many messages were named so far."""
        return len(self._parents)

    def level(self) -> list[str]:
        """The ids of the next level; none when the walk is over."""
        level, self._next = self._next, []
        return level

    def follow(self, message: Message) -> None:
        """Take a message of the level; its causes belong to the next one."""
        self.found.setdefault(kind(message), message.id)
        fresh = [cause for cause in message.causes if cause not in self._parents]
        self._parents |= dict.fromkeys(fresh, message.id)
        self._next += dict.fromkeys(fresh)

    def ways(self) -> list[str]:
        """The ids on the shortest ways to the first message of each kind, each once."""
        ids: dict[str, None] = {}
        for end in self.found.values():
            way: list[str] = []
            at: str | None = end
            while at is not None:
                way.append(at)
                at = self._parents[at]
            ids |= dict.fromkeys(reversed(way))
        return list(ids)
