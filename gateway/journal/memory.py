"""The journal's in-memory twin: the same records, fence, chain and limits, without a server; for tests and plans."""

from __future__ import annotations

import asyncio
import json
import os
from collections.abc import AsyncIterator, Callable, Mapping
from datetime import UTC, datetime
from hashlib import sha256
from typing import Any

from core.messages.base import canonical
from gateway.journal import subjects
from gateway.journal.chain import Chain, to_record
from gateway.journal.group import Ack, GroupWriter, Settings, Stale, Tail
from gateway.journal.link import MAX_PAYLOAD
from gateway.journal.log import Full, Record
from gateway.journal.record import Random, open_record
from gateway.journal.refused import Gate, named


class MemoryLog:
    """A `Log` whose records live as long as the object. `max_bytes` bounds it like the stream's setting."""

    def __init__(
        self,
        *,
        max_bytes: int = 1 << 30,
        random: Random = os.urandom,
        core: str | None = None,
        observe: Callable[[float], None] = lambda seconds: None,
    ) -> None:
        self._settings = Settings(random, core, observe)
        self._room = max_bytes
        self._records: list[tuple[str, str, bytes]] = []
        self._ids: dict[str, int] = {}
        self._ends: dict[str, int] = {}
        self._wishes: dict[str, dict[str, str]] = {}
        self._refused: list[tuple[int, str, datetime, bytes]] = []
        self._content: dict[str, bytes] = {}
        self._gate = Gate()
        self._changed = asyncio.Condition()

    async def writer(self, site: str, name: str, epoch: int) -> GroupWriter:
        """See `Log.writer`."""
        subject = subjects.record(site, name)
        return GroupWriter(self, subject, name, epoch, await self.tail(subject), self._settings)

    async def publish(self, subject: str, body: bytes, id: str, expected: int) -> Ack:
        """Checked in JetStream's order: fence, then duplicate, then room."""
        await asyncio.sleep(0)
        if self._ends.get(subject, 0) != expected:
            raise Stale(f"wrong last sequence: {self._ends.get(subject, 0)}")
        if id in self._ids:
            return Ack(self._ids[id])
        if len(body) > self._room:
            raise Full("the journal is full; next: raise `journal.max_bytes` and restart")
        self._room -= len(body)
        self._records.append((subject, id, body))
        self._ids[id] = self._ends[subject] = len(self._records)
        await self._tell()
        return Ack(len(self._records))

    async def tail(self, subject: str) -> Tail | None:
        """The subject's last record."""
        seq = self._ends.get(subject, 0)
        if not seq:
            return None
        _, id, body = self._records[seq - 1]
        return Tail(seq, id, open_record(body).hash)

    def stored(self, subject: str, seq: int, hash: str) -> None:
        """Nothing to remember: there is no restart."""

    async def last(self) -> int:
        """See `Log.last`."""
        return len(self._records)

    async def refuses(self) -> str | None:
        """See `Log.refuses`."""
        return None if self._room >= MAX_PAYLOAD else "the journal is full"

    async def read(self, after: int, *, follow: bool = True) -> AsyncIterator[Record]:
        """See `Log.read`."""
        chain, end = Chain(after), len(self._records)
        while follow or chain.last < end:
            if chain.last >= len(self._records):
                async with self._changed:
                    await self._changed.wait_for(lambda: chain.last < len(self._records))
            subject, _, body = self._records[chain.last]
            yield chain.record(chain.last + 1, subject, body)

    async def get(self, seq: int) -> Record | None:
        """See `Log.get`."""
        if not 0 < seq <= len(self._records):
            return None
        subject, _, body = self._records[seq - 1]
        return to_record(seq, subject, open_record(body))

    async def keep(self, content: bytes) -> str:
        """See `Log.keep`."""
        digest = sha256(content).hexdigest()
        if digest not in self._content and len(content) > self._room:
            raise Full("the journal is full; next: raise `journal.content_max_bytes` and restart")
        self._content.setdefault(digest, content)
        return digest

    async def content(self, digest: str) -> bytes | None:
        """See `Log.content`."""
        return self._content.get(digest)

    async def wish(self, site: str, station: str, value: Mapping[str, Any]) -> None:
        """See `Log.wish`."""
        self._wishes.setdefault(site, {})[station] = canonical(dict(value))
        await self._tell()

    async def wished(self, site: str) -> dict[str, Mapping[str, Any]]:
        """See `Log.wished`."""
        return {station: json.loads(value) for station, value in self._wishes.get(site, {}).items()}

    async def wishes(self, site: str) -> AsyncIterator[tuple[str, Mapping[str, Any]]]:
        """See `Log.wishes`."""
        told: dict[str, str] = {}
        while True:
            news = {k: v for k, v in self._wishes.get(site, {}).items() if told.get(k) != v}
            told.update(news)
            for station, value in news.items():
                yield station, json.loads(value)
            if not news:
                async with self._changed:
                    await self._changed.wait_for(lambda: self._wishes.get(site, {}) != told)

    async def refuse(self, site: str, protocol: str, peer: str, item: Mapping[str, Any]) -> None:
        """See `Log.refuse`."""
        kept = self._gate.admit(peer, item, asyncio.get_running_loop().time())
        if kept is not None:
            seq = self._refused[-1][0] + 1 if self._refused else 1
            self._refused = [*self._refused[-999:], (seq, subjects.refused(site, protocol), datetime.now(UTC), kept)]

    async def refused(self, site: str, protocol: str) -> list[Mapping[str, Any]]:
        """See `Log.refused`."""
        subject = subjects.refused(site, protocol)
        return [named(protocol, seq, time, kept) for seq, at, time, kept in self._refused if at == subject]

    async def close(self) -> None:
        """Nothing to release."""

    async def _tell(self) -> None:
        async with self._changed:
            self._changed.notify_all()
