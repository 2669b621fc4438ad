"""`GET /events`: the event stream, one message an event, resumable by position."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from typing import Any

from core.messages import Message, Position, dump
from core.messages.base import canonical
from core.ports import HttpRequest
from gateway.api.answers import BEHIND, place
from gateway.http.stream import StreamWriter
from gateway.journal.log import Log, Record
from gateway.readmodels.redact import redacted

WAITING = 512
"""Records that one client may lag behind before it is told to come again."""
BEAT_S = 15.0
"""A comment so often, so that a lost connection is noticed."""
CLIENTS = 100
FILTERS = ("site", "type", "area", "subject", "vehicle", "station", "work", "session", "node")


class Events:
    """Gives every record to every open stream; a slow one is ended, and reads what it missed when it comes again."""

    def __init__(self, log: Log, seq: int) -> None:
        self._log, self._seq = log, seq
        self._queues: set[asyncio.Queue[Record | None]] = set()

    def take(self, record: Record) -> None:
        """A record of the journal, in order; returns at once."""
        self._seq = record.seq
        for queue in list(self._queues):
            if queue.qsize() >= WAITING:
                self._queues.discard(queue)
                queue.put_nowait(None)
            else:
                queue.put_nowait(record)

    async def stream(self, request: HttpRequest, writer: StreamWriter) -> None:
        """From `Last-Event-ID` (or `?since=`) on, else from now on."""
        if len(self._queues) >= CLIENTS:
            await writer.start(503, "text/plain", {"Retry-After": "10"})
            await writer.write(b"too many streams are open; ask again later\n")
            return
        asked = {name: request.query[name] for name in FILTERS if request.query.get(name)}
        evidence = request.query.get("evidence", "") in ("1", "true")
        since = place(request.headers.get("last-event-id") or request.query.get("since") or "", BEHIND)
        await writer.start()
        await writer.write(b"retry: 3000\n\n")
        async for item in self._records(since):
            await writer.write(b": beat\n\n" if item is None else _events(item, since, asked, evidence=evidence))

    async def _records(self, since: Position | None) -> AsyncIterator[Record | None]:
        queue: asyncio.Queue[Record | None] = asyncio.Queue()
        self._queues.add(queue)
        last = self._seq
        try:
            if since is not None:
                async for record in self._log.read(max(0, since.seq - 1), follow=False):
                    last = max(last, record.seq)
                    yield record
            while True:
                try:
                    # because: before Python 3.12 `wait_for` forgets a cancellation that meets a result
                    async with asyncio.timeout(BEAT_S):
                        found = await queue.get()
                except TimeoutError:
                    yield None
                    continue
                if found is None:
                    return
                if found.seq > last:
                    yield found
        finally:
            self._queues.discard(queue)


def _events(record: Record, since: Position | None, asked: Mapping[str, str], *, evidence: bool) -> bytes:
    """The record's messages that are wanted and newer than `since`."""
    found = []
    for index, message in enumerate(record.messages):
        position = Position(record.seq, index)
        if (since is None or position > since) and _wanted(message, asked, evidence=evidence):
            data = canonical(event(message, position))
            found.append(f"id: {record.seq}.{index}\nevent: {message.type}\ndata: {data}\n\n")
    return "".join(found).encode()


def event(message: Message, position: Position) -> dict[str, Any]:
    """A message as one event's data, identifiers shortened."""
    area, subject = message.problem
    found: dict[str, Any] = redacted(dump(message))
    return found | {"area": area, "subject": subject, "position": f"{position.seq}.{position.index}"}


def _wanted(message: Message, asked: Mapping[str, str], *, evidence: bool) -> bool:
    if not evidence and message.type.startswith("evidence."):
        return False
    head = {"site": message.site, "type": message.type, **message.problem._asdict()}
    return all(str(head.get(name) or getattr(message.at, name, None)) == value for name, value in asked.items())
