"""What a hub makes of the journal beside its controllers: nobody waits for it, and its end ends nothing else."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Coroutine
from contextlib import suppress
from functools import cached_property
from typing import TYPE_CHECKING, Any

from core.messages import compose, identify
from core.messages.gateway import JournalVerified
from core.ports import NotStored
from gateway import snapshot
from gateway.desired import SharedWishes
from gateway.journal.nats_log import NatsLog
from gateway.journal.nightly import Verified, nightly, verify
from gateway.journal.opening import OpenJournal, state_in
from gateway.journal.record import hash_of, head_line
from gateway.journal.refused import Strangers
from gateway.journal.splitter import Splitter
from gateway.snapshot import Snapshot

if TYPE_CHECKING:
    from gateway.wiring import Hub

WATCH_S = 15.0
"""How often the size of the journal is looked at."""
SNAPSHOT_S = 600.0
"""How often what was folded is kept; also at a stop."""
QUIET_S = 0.2

logger = logging.getLogger("busbar")


class Beside:
    """The live stream, wishes for other processes, strangers, the nightly verification, snapshots, and the journal's size."""

    def __init__(self, hub: Hub) -> None:
        self._hub = hub
        self._tasks: list[asyncio.Task[None]] = []
        self._kept = 0
        """The record of the newest snapshot."""

    @cached_property
    def strangers(self) -> Strangers:
        """Where adapters leave what strangers sent."""
        return Strangers(self._hub.log)

    async def restore(self) -> None:
        """Begin from the newest snapshot, where it fits this journal and these sites; else everything is folded."""
        hub = self._hub
        if hub.opened is None:
            return
        found = await asyncio.to_thread(snapshot.load, self._path)
        if found is None or not await self._fits(found, hub.opened):
            return
        self._kept = found.seq
        hub.next_epoch = found.next_epoch
        hub.feed.begin(found.seq, found.directory)
        for site, controller in hub.controllers.items():
            controller.begin(found.sites[site], found.seq, found.wishes[site])
        logger.info("what was folded up to record %d is taken from %s", found.seq, self._path)

    async def _fits(self, found: Snapshot, opened: OpenJournal) -> bool:
        there = await opened.log.at(found.seq)
        return there is not None and there.hash == found.hash and set(found.sites) >= set(self._hub.controllers)

    def start(self, begin: int) -> None:
        """Begin everything that the settings ask for; `begin` is where the journal ended before this hub wrote."""
        hub, settings = self._hub, self._hub.settings.journal
        self._spawn(self.strangers.run(), "strangers")
        if settings.share_wishes and hub.settings.controls:
            hub.desired.shared = SharedWishes(hub.log, hub.desired, tuple(hub.controllers))
            self._spawn(hub.desired.shared.run(), "shared wishes")
        if hub.opened is None:
            return
        self._spawn(self._watch(hub.opened.log), "journal size")
        self._spawn(self._keep(), "snapshots")
        if settings.live:
            checkpoint = state_in(hub.settings.data) / "live"
            self._spawn(Splitter(hub.opened.log, checkpoint, begin, self._split).run(), "live stream")
        if settings.verify_at is not None:
            self._spawn(nightly(hub.opened.log, settings.verify_at, self.verified), "nightly verification")
            if self._kept:
                self._spawn(self._verify_now(hub.opened.log), "verification")

    async def stop(self) -> None:
        """End everything, and keep what was folded."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        if self._hub.opened is not None and hasattr(self._hub, "feed"):
            for controller in self._hub.controllers.values():
                controller.fold_rest()
            await self._snapshot()

    async def verified(self, found: Verified) -> None:
        """The outcome of a verification as metrics, and as a fact of every site, from which an incident follows."""
        hub, now = self._hub, self._hub.clock.now()
        hub.metrics.set("journal_whole", found.whole)
        hub.metrics.set("journal_verified_timestamp_seconds", now.timestamp())
        body = JournalVerified(whole=found.whole, records=found.records, detail=found.detail)
        for site in hub.controllers:
            name = identify("journal.verified", hub.settings.gateway, site, now)
            source = f"gateway:{hub.settings.gateway}"
            try:
                await hub.journal.append(site, [compose(body, id=name, time=now, source=source, site=site)])
            except NotStored as error:
                logger.warning("the journal was verified, which is not stored: %s", error)

    async def _verify_now(self, log: NatsLog) -> None:
        """A start from a snapshot did not read what lies before it."""
        await self.verified(await verify(log))

    def _spawn(self, work: Coroutine[Any, Any, None], name: str) -> None:
        task = asyncio.create_task(work, name=name)
        task.add_done_callback(_told_end)
        self._tasks.append(task)

    def _split(self, seq: int) -> None:
        self._hub.metrics.set("journal_lag_messages", max(0, self._hub.feed.seq - seq), {"reader": "live"})

    async def _watch(self, log: NatsLog) -> None:
        """How full the journal is, and whether the sites are controlled."""
        hub = self._hub
        while True:
            with suppress(ConnectionError):
                used, most = await log.used()
                hub.metrics.set("journal_bytes", used)
                hub.metrics.set("journal_limit_bytes", most)
            for site, controller in hub.controllers.items():
                hub.metrics.set("site_controlled", controller.trouble is None, {"site": site})
            await asyncio.sleep(WATCH_S)

    async def _keep(self) -> None:
        pause = SNAPSHOT_S
        while True:
            await asyncio.sleep(pause)
            pause = SNAPSHOT_S if await self._snapshot() else QUIET_S

    async def _snapshot(self) -> bool:
        """Keep what is folded now; False while a site still folds."""
        hub, last = self._hub, self._hub.feed.last
        if last is None or last.seq == self._kept or hub.feed.trouble is not None:
            return True
        sites = hub.controllers
        if any(controller.seen != last.seq for controller in sites.values()):
            return any(controller.lost for controller in sites.values())
        found = Snapshot(
            seq=last.seq,
            hash=hash_of(head_line(last.head)),
            next_epoch=hub.next_epoch,
            directory=hub.feed.directory,
            sites={site: controller.state for site, controller in sites.items()},
            wishes={site: controller.wishes for site, controller in sites.items()},
        )
        self._kept = last.seq
        try:
            await asyncio.to_thread(snapshot.save, self._path, found)
        except OSError as error:
            logger.warning("what was folded is not kept: %s; next: see whether the disk has space", error)
        return True

    @property
    def _path(self) -> Any:
        return state_in(self._hub.settings.data) / snapshot.NAME


def _told_end(task: asyncio.Task[None]) -> None:
    """What ends by an error is told; the hub goes on."""
    if not task.cancelled() and (error := task.exception()) is not None:
        logger.error("%s ended: %s; next: restart the hub", task.get_name(), error, exc_info=error)
