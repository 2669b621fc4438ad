"""A night that was played, read again at any of its moments: pages and API over its journal, nobody who controls.

`python -m tests.browser.kept FOLDER 2026-11-26T07:45+01:00 docs/night.svg` draws the picture of a night that `busbar demo --keep FOLDER` left.
"""

from __future__ import annotations

import asyncio
import json
import sys
import tomllib
from collections.abc import Iterable
from datetime import datetime
from pathlib import Path
from tempfile import TemporaryDirectory

from aiohttp import ClientSession

from core.messages import Message, Position
from core.site import fold
from gateway import api, pages
from gateway.appending import GatewayJournal
from gateway.clock import SystemClock
from gateway.controller import SiteController
from gateway.feed import Feed
from gateway.journal.log import Record
from gateway.journal.memory import MemoryLog
from gateway.journal.record import open_record
from gateway.settings.models import HttpListener, HubSettings, SiteSettings
from gateway.wiring import Hub

Stored = tuple[str, bytes]
"""Subject and bytes of a record."""


class StandingClock(SystemClock):
    """Stands where it was put."""

    def __init__(self, moment: datetime) -> None:
        super().__init__()
        self.moment = moment

    def now(self) -> datetime:
        return self.moment


class Reader(SiteController):
    """Folds what the journal says, and decides nothing."""

    def take(self, record: Record) -> None:
        for index, message in enumerate(record.messages):
            if record.site == self.site:
                self.state = fold(self.state, message, Position(record.seq, index))


class ReadingHub(Hub):
    """A hub without adapters, whose controllers only fold: what the journal says is all that there is."""

    def __init__(self, settings: HubSettings, records: Iterable[Stored], moment: datetime) -> None:
        self.standing = StandingClock(moment)
        self.memory = MemoryLog()
        self._left = list(records)
        self._ends: dict[str, int] = {}
        super().__init__(settings, clock=self.standing, log=self.memory)

    async def start(self) -> None:
        self.settings.data.mkdir(parents=True, exist_ok=True)
        self.log = self.memory
        await self._up_to(self.standing.moment)
        self.feed = Feed(self.log)
        for site in self.settings.sites:
            self.controllers[site.id] = Reader(site.id, self.log, self.desired, self.clock)
            self.feed.follow(self.controllers[site.id].take)
        await self.feed.catch_up()
        self.journal = GatewayJournal(self.log, self.feed, self.clock, self.settings.gateway, self.epoch)
        self.api = await api.mount(self)
        pages.mount(self)
        self._tasks.append(self.feed.start())
        await self.http.start(self.settings.http, self.tls)
        await self.read()

    async def read(self) -> None:
        """Until the rows are those of the journal."""
        assert await self.api.models.reached(await self.log.last(), 120.0)

    async def say(self, site: str, message: Message) -> Position:
        """A fact more, by a writer of its own."""
        writer = await self.log.writer(site, "gw-test", 1)
        return await writer.append([message])

    async def _up_to(self, moment: datetime) -> None:
        count = 0
        for subject, body in self._left:
            if _recorded(body) > moment:
                break
            count += 1
            ack = await self.memory.publish(subject, body, str(count), self._ends.get(subject, 0))
            self._ends[subject] = ack.seq
        self._left = self._left[count:]


def _recorded(body: bytes) -> datetime:
    """When the first message of a record was learned of."""
    moment = json.loads(open_record(body).lines[0])["recorded"]
    return datetime.fromisoformat(moment)


def settings(folder: Path, scenario: Path) -> HubSettings:
    """The settings of a scenario's site, for reading."""
    site = tomllib.loads((scenario / "site.toml").read_text(encoding="utf-8"))
    return HubSettings(
        gateway="reader", data=folder, http=(HttpListener(port=0),), sites=(SiteSettings.model_validate(site),)
    ).anchored(folder)


async def picture(folder: Path, moment: datetime, file: Path) -> None:
    """The picture of a kept night at a moment, as a file."""
    from tests.played import SCENARIO, Played, records_of

    with TemporaryDirectory() as scratch:
        records = Path(scratch) / "records"
        records.write_bytes(await records_of(folder))
        hub = ReadingHub(settings(Path(scratch) / "rows", SCENARIO), Played(0, {}, folder, records).stored(), moment)
        await hub.start()
        try:
            where = f"{hub.http.addresses['local']}/s/{hub.settings.sites[0].id}/night.svg?follow=BUS-142"
            async with ClientSession() as client, client.get(where) as reply:
                file.write_bytes(await reply.read())
        finally:
            await hub.stop()


if __name__ == "__main__":
    asyncio.run(picture(Path(sys.argv[1]), datetime.fromisoformat(sys.argv[2]), Path(sys.argv[3])))
