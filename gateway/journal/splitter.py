"""The live stream: each committed message once more, as an event of its own for outside tools; derived, never waited for."""

from __future__ import annotations

import asyncio
import base64
import json
import logging
from collections import deque
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from nats.errors import Error

from core.messages import Position
from core.ports import NotStored
from gateway.journal import cloudevents, streams
from gateway.journal.group import Unanswered
from gateway.journal.link import ApiError
from gateway.journal.log import Record
from gateway.journal.nats_log import NatsLog

EVERY_S = 2.0
"""How often the checkpoint is written."""
BACK_S = 60.0
"""So much is published once more after the connection was lost; inside of the server's window, so that none stands twice."""
FIRST_PAUSE_S = 0.1
LONGEST_PAUSE_S = 5.0

log = logging.getLogger(__name__)


class Splitter:
    """Publishes what stands behind its checkpoint, at least once: the server drops what it knows by `Nats-Msg-Id`.

    The stream is not flushed: a killed server has lost its end, and what came just before is published again.

    Only a record's last message is acknowledged: those before it went out on the same connection in order.
    """

    def __init__(self, journal: NatsLog, checkpoint: Path, seq: int, told: Callable[[int], None]) -> None:
        """Begin behind the checkpoint, or where there is none behind `seq`; `told` hears the last sequence published."""
        self._journal, self._path, self._told = journal, checkpoint, told
        self.seq = _load(checkpoint, seq)
        self._written = self._began = self.seq
        self._trail = deque([(0.0, self.seq)])

    async def run(self) -> None:
        """Until cancelled.

        Raises:
            Damaged: the journal cannot be read on.
        """
        try:
            await self._step_back()
            while True:
                await self._follow(self._journal.link.generation)
                self.seq = self._trail[0][1]
        finally:
            self._save()

    async def _follow(self, generation: int) -> None:
        """Publish record after record, until the connection was made anew: a killed server has lost the newest events."""
        clock, due = asyncio.get_running_loop().time, 0.0
        self._trail = deque([(clock(), self.seq)])
        async for record in self._journal.read(self.seq):
            await self._publish_surely(record)
            if self._journal.link.generation != generation:
                return
            self.seq = record.seq
            self._told(self.seq)
            if clock() >= due:
                await asyncio.to_thread(self._save)
                due = clock() + EVERY_S
                self._trail.append((clock(), self.seq))
                while len(self._trail) > 1 and self._trail[1][0] <= clock() - BACK_S:
                    self._trail.popleft()

    async def _step_back(self) -> None:
        """To the record before the newest that is on the stream: it is not flushed, so it may end earlier than we did."""
        try:
            found = await streams.info(self._journal.link, streams.LIVE)
            state = found["state"] if found else {"last_seq": 0, "messages": 0}
            if state["last_seq"] == 0:
                self.seq = min(self.seq, self._began)
            elif state["messages"]:
                newest = await self._journal.link.api(f"STREAM.MSG.GET.{streams.LIVE}", {"seq": state["last_seq"]})
                self.seq = min(self.seq, _position(newest["message"]) - 1)
        except (Unanswered, ApiError) as error:
            log.warning("the live stream cannot be looked at: %s", error)
            await asyncio.sleep(FIRST_PAUSE_S)

    async def _publish_surely(self, record: Record) -> None:
        pause = FIRST_PAUSE_S
        while True:
            try:
                await self._publish(record)
                return
            except (Unanswered, NotStored, Error, OSError) as error:
                log.warning("the live stream waits at record %d: %s", record.seq, error)
            await asyncio.sleep(pause)
            pause = min(2 * pause, LONGEST_PAUSE_S)

    async def _publish(self, record: Record) -> None:
        link = self._journal.link
        for index, message in enumerate(record.messages):
            subject, data = cloudevents.subject(message), cloudevents.data(message)
            headers = cloudevents.headers(message, Position(record.seq, index))
            if index < len(record.messages) - 1:
                await link.nc.publish(subject, data, headers=headers)
                continue
            answer = json.loads((await link.request(subject, data, headers)).data)
            if "error" in answer:
                raise NotStored(f"stream {streams.LIVE}: {answer['error'].get('description', '')}")

    def _save(self) -> None:
        if self.seq != self._written:
            new = self._path.with_suffix(".new")
            new.write_text(json.dumps({"seq": self.seq}))
            new.replace(self._path)
            self._written = self.seq


def _load(path: Path, seq: int) -> int:
    """A checkpoint that cannot be read is none: the stream is derived."""
    try:
        return int(json.loads(path.read_bytes())["seq"])
    except (OSError, ValueError, KeyError, TypeError):
        return seq


def _position(stored: Mapping[str, Any]) -> int:
    """The journal's record that an event stands in."""
    head = base64.b64decode(stored["hdrs"]).decode("ascii")
    return int(head.partition("ce-position: ")[2].partition(".")[0])
