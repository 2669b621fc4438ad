"""The journal on NATS JetStream."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import json
import os
from collections import deque
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Mapping
from typing import Any

from nats.errors import Error

from core.messages.base import canonical
from core.ports import NotStored
from gateway.journal import objects, streams, subjects
from gateway.journal.chain import NEXT, Chain, to_record
from gateway.journal.group import Ack, GroupWriter, Settings, Stale, Tail, Unanswered
from gateway.journal.highwater import HighWater
from gateway.journal.limits import Limits
from gateway.journal.link import MAX_PAYLOAD, UNAVAILABLE, ApiError, Link
from gateway.journal.log import Damaged, Full, Record
from gateway.journal.pull import Pulled, until_lost
from gateway.journal.record import Opened, Random, open_record
from gateway.journal.refused import Gate, named

WRONG_SEQUENCE = 10071
FULL = frozenset({10077, 10047, 10023})
NO_MESSAGE = 10037
AGAIN_S = 0.05
_HEADER_ROOM = 4096


class NatsLog:
    """A `Log` on one connection. `read_only`: whatever would write raises `NotStored`.

    Besides what `Log` names, every method raises `ConnectionError` where the server does not answer within two seconds.
    """

    def __init__(
        self,
        link: Link,
        settings: Settings,
        high_water: HighWater | None,
        *,
        read_only: bool = False,
    ) -> None:
        self._link, self._settings, self._high_water, self._read_only = link, settings, high_water, read_only
        self._writers: list[GroupWriter] = []
        self._gate = Gate()
        self._wished: dict[str, bytes] = {}
        if not read_only:
            link.renew.append(self._rewish)

    @classmethod
    async def connect(
        cls,
        url: str,
        *,
        user: str | None = None,
        password: str | None = None,
        domain: str | None = None,
        limits: Limits,
        high_water: HighWater | None = None,
        random: Random = os.urandom,
        core: str | None = None,
        observe: Callable[[float], None] = lambda seconds: None,
    ) -> NatsLog:
        """Connect to a server, make or compare its streams.

        Raises:
            ConnectionError: no server there.
            Damaged: a stream's settings are not ours.
        """
        link = await Link.open(url, user=user, password=password, domain=domain)
        try:
            for config in streams.configs(limits):
                await streams.ensure(link, config)
        except BaseException:
            await link.close()
            raise
        return cls(link, Settings(random, core, observe), high_water)

    @property
    def link(self) -> Link:
        """The connection."""
        return self._link

    async def writer(self, site: str, name: str, epoch: int) -> GroupWriter:
        """See `Log.writer`."""
        self._refuse_read_only()
        subject = subjects.record(site, name)
        writer = GroupWriter(self, subject, name, epoch, await self.tail(subject), self._settings)
        self._writers.append(writer)
        return writer

    def _refuse_read_only(self) -> None:
        if self._read_only:
            raise NotStored("the journal is open for reading only; next: start the hub")

    async def publish(self, subject: str, body: bytes, id: str, expected: int) -> Ack:
        """Store one record; see `group.Store`."""
        if len(body) > MAX_PAYLOAD - _HEADER_ROOM:
            raise NotStored(f"a record of {len(body)} bytes is above the server's limit")
        headers = {"Nats-Msg-Id": id, "Nats-Expected-Last-Subject-Sequence": str(expected)}
        message = await self._link.request(subject, body, headers)
        return _ack(message.data)

    async def tail(self, subject: str) -> Tail | None:
        """The subject's last record."""
        return _tail(await self._stored({"last_by_subj": subject}))

    async def at(self, seq: int) -> Tail | None:
        """Id and hash of the record with that sequence, its items verified."""
        return _tail(await self._stored({"seq": seq}))

    async def _stored(self, which: Mapping[str, Any]) -> dict[str, Any] | None:
        try:
            answer = await self._link.api(f"STREAM.MSG.GET.{streams.JOURNAL}", which)
        except ApiError as error:
            if error.err_code in (NO_MESSAGE, streams.NOT_FOUND):
                return None
            raise
        message: dict[str, Any] = answer["message"]
        return message

    def stored(self, subject: str, seq: int, hash: str) -> None:
        """Noted for the high-water mark."""
        if self._high_water is not None:
            self._high_water.note(subject, seq, hash)

    async def last(self) -> int:
        """See `Log.last`."""
        found = await streams.info(self._link, streams.JOURNAL)
        return int(found["state"]["last_seq"]) if found else 0

    async def refuses(self) -> str | None:
        """See `Log.refuses`."""
        if (trouble := self._settings.trouble()) is not None:
            return trouble
        try:
            used, most = await self.used()
        except (ConnectionError, ApiError) as error:
            return f"the journal does not answer ({error})"
        return None if used + MAX_PAYLOAD <= most else "the journal is full"

    async def used(self) -> tuple[int, int]:
        """Bytes of the journal, and how many it may have."""
        found = await streams.info(self._link, streams.JOURNAL)
        return (int(found["state"]["bytes"]), int(found["config"]["max_bytes"])) if found else (0, 0)

    async def read(self, after: int, *, follow: bool = True) -> AsyncIterator[Record]:
        """See `Log.read`."""
        chain = Chain(after)
        end = None if follow else await self._end(after)
        async for message in self._messages(chain, end):
            yield chain.record(message.seq, message.subject, message.data)

    async def verify(self, chain: Chain) -> int:
        """Read and verify everything behind `chain.last` (no message is parsed); returns the last sequence.

        Raises:
            Damaged: what is wrong, and where.
        """
        end = await self._end(chain.last)
        async for message in self._messages(chain, end):
            chain.check(message.seq, message.subject, message.data)
        return end

    async def _end(self, after: int) -> int:
        """The last sequence. Where its record is gone the reader would wait for it for ever."""
        end = await self.last()
        if end > after and await self.at(end) is None:
            raise Damaged(f"record {end}, the last one, cannot be read; {NEXT}")
        return end

    async def _messages(self, chain: Chain, end: int | None) -> AsyncGenerator[Pulled, None]:
        """Stored messages behind `chain.last`, whose owner moves it on; consumers are renewed at errors and gaps."""
        gap = False
        while end is None or chain.last < end:
            config = {"deliver_policy": "by_start_sequence", "opt_start_seq": chain.last + 1}
            async with until_lost(self._link, streams.JOURNAL, config) as messages:
                async for message in messages:
                    if chain.last and message.seq != chain.last + 1 and not gap:
                        gap = True  # once more from the checkpoint; a gap that stays is the chain's to name
                        break
                    gap = False
                    yield message
                    if end is not None and chain.last >= end:
                        return
            if not gap:
                await asyncio.sleep(AGAIN_S)

    async def get(self, seq: int) -> Record | None:
        """See `Log.get`."""
        stored = await self._stored({"seq": seq}) if seq > 0 else None
        if stored is None:
            return None
        return to_record(seq, stored["subject"], _opened(stored))

    async def wish(self, site: str, station: str, value: Mapping[str, Any]) -> None:
        """See `Log.wish`. It is put again by itself after the server has restarted."""
        self._refuse_read_only()
        subject, body = subjects.desired(site, station), _wish(station, value)
        self._wished[subject] = body
        await self._put(subject, body)

    async def _put(self, subject: str, body: bytes) -> None:
        try:
            _ack((await self._link.request(subject, body)).data)
        except Unanswered:
            with contextlib.suppress(Unanswered, ApiError):
                await streams.ensure(self._link, streams.desired())  # in memory: gone with the server
            try:
                _ack((await self._link.request(subject, body)).data)
            except Unanswered as error:
                raise NotStored(f"the desired state was not taken ({error}); it is put again at reconnect") from error

    async def _rewish(self) -> None:
        await streams.ensure(self._link, streams.desired())
        wished = list(self._wished.items())
        await asyncio.gather(*(self._put(subject, body) for subject, body in wished), return_exceptions=True)

    async def wished(self, site: str) -> dict[str, Mapping[str, Any]]:
        """See `Log.wished`."""
        every = subjects.desired_of(site)
        config = {"deliver_policy": "last_per_subject", "filter_subject": every}
        stored = await self._all(streams.DESIRED, every, config)
        return {data["station"]: data["value"] for data in (json.loads(one.data) for one in stored)}

    async def wishes(self, site: str) -> AsyncIterator[tuple[str, Mapping[str, Any]]]:
        """See `Log.wishes`."""
        told: dict[str, bytes] = {}
        config = {"deliver_policy": "last_per_subject", "filter_subject": subjects.desired_of(site)}
        while True:
            async with until_lost(self._link, streams.DESIRED, config) as messages:
                async for message in messages:
                    if told.get(message.subject) != message.data:
                        told[message.subject] = message.data
                        data = json.loads(message.data)
                        yield data["station"], data["value"]
            await asyncio.sleep(AGAIN_S)

    async def keep(self, content: bytes) -> str:
        """See `Log.keep`."""
        self._refuse_read_only()
        return await objects.put(self._link, content)

    async def content(self, digest: str) -> bytes | None:
        """See `Log.content`."""
        return await objects.get(self._link, digest)

    async def refuse(self, site: str, protocol: str, peer: str, item: Mapping[str, Any]) -> None:
        """See `Log.refuse`."""
        kept = self._gate.admit(peer, item, asyncio.get_running_loop().time())
        if kept is not None and not self._read_only:
            with contextlib.suppress(Error, OSError):  # never waited for; a stranger's item may be lost
                await self._link.nc.publish(subjects.refused(site, protocol), kept)

    async def refused(self, site: str, protocol: str) -> list[Mapping[str, Any]]:
        """See `Log.refused`."""
        subject = subjects.refused(site, protocol)
        config = {"deliver_policy": "all", "filter_subject": subject}
        return [
            named(protocol, one.seq, one.time, one.data) for one in await self._all(streams.REFUSED, subject, config)
        ]

    async def _all(self, stream: str, subject: str, config: Mapping[str, Any]) -> deque[Pulled]:
        """What stands there now, at most the newest 1,000."""
        items: deque[Pulled] = deque(maxlen=1000)
        try:
            found = await self._link.api(f"STREAM.INFO.{stream}", {"subjects_filter": subject})
        except ApiError:
            return items
        if not found["state"].get("subjects"):
            return items
        async with until_lost(self._link, stream, config) as messages:
            async for message in messages:
                items.append(message)
                if message.pending == 0:
                    break
        return items

    async def close(self) -> None:
        """Empty the writers, write the high-water mark, close the connection."""
        await asyncio.gather(*(writer.close() for writer in self._writers))
        if self._high_water is not None:
            await self._high_water.close()
        await self._link.close()


def _tail(stored: Mapping[str, Any] | None) -> Tail | None:
    if stored is None:
        return None
    return Tail(stored["seq"], _msg_id(stored), _opened(stored).hash)


def _opened(stored: Mapping[str, Any]) -> Opened:
    try:
        return open_record(base64.b64decode(stored.get("data", "")))
    except Damaged as error:
        raise Damaged(f"record {stored['seq']} on {stored['subject']}: {error}; {NEXT}") from error


def _wish(station: str, value: Mapping[str, Any]) -> bytes:
    return canonical({"station": station, "value": dict(value)}).encode()


def _ack(data: bytes) -> Ack:
    answer = json.loads(data)
    error = answer.get("error")
    if error is None:
        return Ack(int(answer["seq"]))
    code, text = error.get("err_code", 0), error.get("description", "")
    if code == WRONG_SEQUENCE:
        raise Stale(text)
    if code in FULL:
        raise Full(f"the journal is full ({text}); next: raise `journal.max_bytes` and restart")
    if error.get("code") == UNAVAILABLE:
        raise Unanswered(text)
    raise NotStored(f"the journal refused a record: {text} ({code})")


def _msg_id(stored: Mapping[str, Any]) -> str:
    for line in base64.b64decode(stored.get("hdrs", "")).decode("latin-1").split("\r\n"):
        name, _, value = line.partition(":")
        if name.lower() == "nats-msg-id":
            return value.strip()
    return ""
