"""Every night the whole journal is read and verified: damage in old records is found before somebody needs them."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta

from gateway.journal.chain import Chain
from gateway.journal.log import Damaged
from gateway.journal.nats_log import NatsLog
from gateway.next_step import parted

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Verified:
    """What came out."""

    whole: bool
    records: int
    detail: str = ""
    seconds: float = 0.0


async def verify(journal: NatsLog) -> Verified:
    """Read and verify everything, now."""
    chain, begun = Chain(), asyncio.get_running_loop().time()
    try:
        await journal.verify(chain)
    except Damaged as error:
        detail, _ = parted(str(error))
        return Verified(False, chain.last, detail, asyncio.get_running_loop().time() - begun)
    return Verified(True, chain.last, seconds=asyncio.get_running_loop().time() - begun)


async def nightly(journal: NatsLog, at: time, told: Callable[[Verified], Awaitable[None]]) -> None:
    """Verify at that time of day (UTC, wall clock) and tell, until cancelled."""
    while True:
        await asyncio.sleep(wait_s(datetime.now(UTC), at))
        found = await verify(journal)
        if not found.whole:
            log.critical("the journal is damaged: %s", found.detail)
        await told(found)


def wait_s(now: datetime, at: time) -> float:
    """Seconds until it is that time of day next; never zero."""
    due = datetime.combine(now.date(), at, UTC)
    return ((due if due > now else due + timedelta(days=1)) - now).total_seconds()
