"""Puts the parts of a split message together (`X-Segment-Index`, `X-Segment-Count`), within bounds."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta

OPEN = 4
"""Most messages of one peer that wait for parts; the oldest gives way."""
AGE = timedelta(minutes=5)


class BadSegment(ValueError):
    """A part that fits nowhere; the text says what next."""


@dataclass(slots=True)
class _Open:
    count: int
    first: str
    since: datetime
    ids: set[str] = field(default_factory=set)
    parts: dict[int, bytes] = field(default_factory=dict)


@dataclass(slots=True)
class Segments:
    """The open messages of one peer, by action. Parts correlate to the first or to the previous part's request id."""

    most: int
    max_bytes: int
    _open: dict[str, list[_Open]] = field(default_factory=dict)

    def add(self, action: str, headers: Mapping[str, str], body: bytes, now: datetime) -> tuple[str, bytes] | None:
        """(request id of the first part, whole body) once all parts are there, else None.

        Raises:
            BadSegment: index or count are unusable, there are too many parts, or they are too large together.
        """
        count = _number(headers.get("x-segment-count", "1"))
        index = _number(headers.get("x-segment-index", "1"))
        request = headers.get("x-request-id", "")
        if count == 1:
            return request, body
        if not 1 <= index <= count or count > self.most:
            raise BadSegment(
                f"segment {index} of {count} is not possible; next: use 1..count, at most {self.most} parts"
            )
        opened = self._find(action, count, index, headers.get("x-correlation-id", ""), request, now)
        opened.ids.add(request)
        opened.parts[index] = body
        if sum(map(len, opened.parts.values())) > self.max_bytes:
            self._open[action].remove(opened)
            raise BadSegment(f"the parts are larger than {self.max_bytes} bytes together; next: send less at once")
        if len(opened.parts) < count:
            return None
        self._open[action].remove(opened)
        return opened.first, b"".join(opened.parts[i] for i in range(1, count + 1))

    def _find(self, action: str, count: int, index: int, correlation: str, request: str, now: datetime) -> _Open:
        waiting = [o for o in self._open.get(action, []) if now - o.since < AGE]
        self._open[action] = waiting
        for opened in waiting:
            if opened.count == count and correlation in opened.ids:
                return opened
        alone = [o for o in waiting if o.count == count and index not in o.parts]
        if index > 1 and len(alone) == 1 and not correlation:
            return alone[0]
        new = _Open(count, request, now)
        self._open[action] = [*waiting, new][-OPEN:]
        return new


def _number(text: str) -> int:
    if text.isascii() and text.isdigit() and len(text) < 5:
        return int(text)
    raise BadSegment(f"{text[:20]!r} is no segment number; next: send X-Segment-Index and X-Segment-Count as numbers")
