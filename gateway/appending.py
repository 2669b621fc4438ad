"""The one append path for adapters and people's acts: this gateway's writer of each site."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence

from core.messages import Message, Position, compose, identify
from core.messages.gateway import GatewayStarted
from core.messages.station import StationDisconnected
from core.ports import Clock, NotStored
from gateway.clock import HeldClock
from gateway.controller import SiteController
from gateway.evidence import beside
from gateway.feed import Feed
from gateway.journal.log import Fenced, Full, Log, TooLarge, Writer
from gateway.metrics import Metrics

LOOK_S = 1.0
"""How often it is looked whether the journal takes appends again."""


class GatewayJournal:
    """Implements `core.ports.Journal`.

    On the held clock an append returns only when the site's controller (for `_hub`: the directory) has folded the
    record, its decision was read back, and every wish that follows was taken by its adapter.
    """

    def __init__(
        self, log: Log, feed: Feed, clock: Clock, gateway: str, epoch: int, metrics: Metrics | None = None
    ) -> None:
        self._log = log
        self._metrics = metrics or Metrics()
        self.trouble: str | None = None
        """Why the last append was not stored; None after one that was, or once the journal takes them again."""
        self._feed = feed
        self._clock = clock
        self._gateway = gateway
        self._epoch = epoch
        self._looking: asyncio.Task[None] | None = None
        self._writers: dict[str, Writer] = {}
        self._controllers: dict[str, SiteController] = {}
        self.appended: list[Callable[[Sequence[Message]], None]] = []
        """Called with what became durable; used by counters and by the demo's account of what was acknowledged."""

    def serve(self, controller: SiteController) -> None:
        """On the held clock, wait for this controller after appends to its site."""
        self._controllers[controller.site] = controller

    async def open(self, site: str) -> None:
        """Open this gateway's subject of the site; its first record says that this gateway started."""
        writer = await self._log.writer(site, f"gw-{self._gateway}", self._epoch)
        self._writers[site] = writer
        now = self._clock.now()
        body = GatewayStarted(gateway=self._gateway, epoch=self._epoch)
        identity = identify("gateway.started", self._gateway, self._epoch, site)
        await writer.append([compose(body, id=identity, time=now, source=f"gateway:{self._gateway}", site=site)])

    async def append(self, site: str, messages: Sequence[Message]) -> Position:
        """Store `messages`, in order, in one record; large evidence beside it. See `core.ports.Journal.append`."""
        writer = self._writers.get(site)
        if writer is None:
            raise NotStored(f"this gateway does not serve the site {site!r}; next: declare it in the configuration")
        if isinstance(self._clock, HeldClock):
            with self._clock.settle(f"append:{site}:{messages[0].type if messages else ''}"):
                position = await self._stored(writer, messages)
                await self._settled(site, position.seq)
                self._keep(messages)
        else:
            position = await self._stored(writer, messages)
        for observer in self.appended:
            observer(messages)
        return position

    async def _stored(self, writer: Writer, messages: Sequence[Message]) -> Position:
        try:
            position = await writer.append(await beside(self._log, messages))
        except TooLarge:
            self._metrics.report("journal_append_failed", {"reason": "too_large"})
            raise  # its sender's trouble, not the journal's
        except (NotStored, Fenced) as error:
            self.trouble = f"nothing can be stored: {error}"
            if isinstance(error, NotStored) and (self._looking is None or self._looking.done()):
                self._looking = asyncio.create_task(self._until_usable(), name="journal usable again")
            self._metrics.report("journal_append_failed", {"reason": _reason(error)})
            raise
        self.trouble = None
        self._metrics.report("journal_messages", by=len(messages))
        return position

    async def _until_usable(self) -> None:
        """In a quiet hub nobody appends for a long time, and one that is not ready may be sent nothing."""
        while (told := self.trouble) is not None:
            await asyncio.sleep(LOOK_S)
            if await self._log.refuses() is None and self.trouble is told:
                self.trouble = None

    async def close(self) -> None:
        """Write what is queued, then stop."""
        if self._looking is not None:
            self._looking.cancel()
        for writer in self._writers.values():
            await writer.close()

    async def _settled(self, site: str, seq: int) -> None:
        controller = self._controllers.get(site)
        if controller is None:
            await self._feed.reached(seq)
        else:
            await controller.settled(seq)

    def _keep(self, messages: Sequence[Message]) -> None:
        """A simulator that closed a socket holds the clock until the hub has learned of it."""
        assert isinstance(self._clock, HeldClock)
        for message in messages:
            if message.type == StationDisconnected.TYPE:
                self._clock.keep(f"lost:{message.at.station}")


def _reason(error: NotStored | Fenced) -> str:
    return "fenced" if isinstance(error, Fenced) else "full" if isinstance(error, Full) else "unavailable"
