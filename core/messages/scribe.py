"""Writes the messages of one decision: ids by order, so that the same inputs give the same record."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from core.messages.base import Body, Message, Physical, compose, identify

VERSION = "4"
"""The core's version; stands in every decision record and changes when a decision changes for the same inputs."""


class Full(Exception):
    """The decision has as many messages as it may have: what is left is decided once these were folded."""


class Scribe:
    """Collects a decision's messages. `seen` is the last folded sequence, `now` the decision's moment.

    A message's id is a hash of (site, seen, index), so that a repeated decision repeats its ids, and later messages
    of the same decision can name earlier ones as causes. `most` bounds how many messages are written.
    """

    def __init__(self, site: str, seen: int, now: datetime, most: int | None = None) -> None:
        self.site = site
        self.seen = seen
        self.now = now
        self.most = most
        self.messages: list[Message] = []

    def write(
        self, body: Body, *, at: Physical | None = None, causes: Iterable[str] = (), fresh_until: datetime | None = None
    ) -> Message:
        """Append a message with this body and return it.

        Raises:
            Full: there are `most` already.
        """
        if self.most is not None and len(self.messages) >= self.most:
            raise Full
        message = compose(
            body,
            id=identify(self.site, self.seen, len(self.messages)),
            time=self.now,
            source="core",
            site=self.site,
            at=at,
            causes=causes,
            fresh_until=fresh_until,
        )
        self.messages.append(message)
        return message
