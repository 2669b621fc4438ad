"""Opens the journal of a data folder: server, check against the high-water mark, streams, log; in that order."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable
from dataclasses import dataclass, replace
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from gateway.journal import auth, highwater, streams
from gateway.journal.chain import NEXT, Chain
from gateway.journal.group import Settings
from gateway.journal.highwater import HighWater, Mark
from gateway.journal.limits import Limits
from gateway.journal.link import Link
from gateway.journal.log import Damaged
from gateway.journal.nats_log import NatsLog
from gateway.journal.record import Random
from gateway.journal.server import LOCK_PATIENCE_S, EmbeddedServer

EMBEDDED = "embedded"
DEFAULT = Limits()


@dataclass(slots=True)
class OpenJournal:
    """An open journal; `server` is None where it is not ours."""

    log: NatsLog
    server: EmbeddedServer | None

    async def close(self) -> None:
        """Store what waits, note the high-water mark, then stop the server."""
        try:
            await self.log.close()
        finally:
            if self.server is not None:
                await self.server.stop()


def state_in(data_dir: Path) -> Path:
    """Where the journal lives in a data folder."""
    return data_dir / "journal"


async def open_journal(
    data_dir: Path,
    *,
    nats: str = EMBEDDED,
    read_only: bool = False,
    domain: str = "depot",
    user: str | None = None,
    password: str | None = None,
    limits: Limits = DEFAULT,
    random: Random = os.urandom,
    observe: Callable[[float], None] = lambda seconds: None,
    lock_patience_s: float = LOCK_PATIENCE_S,
) -> OpenJournal:
    """Open, check, and hand out the journal.

    Args:
        data_dir: The hub's data folder.
        nats: "embedded", or the URL of a server of yours (`nats://host:port`).
        read_only: Append nothing and change nothing; also a damaged journal opens, so that it can be verified.
        domain: The depot's JetStream domain; it must never change.
        user: For a server of yours; the embedded one makes its own.
        password: See `user`.
        limits: How much each stream may hold.
        random: Source of the random bytes in items.
        observe: Called with the seconds of each append.
        lock_patience_s: How long to wait for a hub that is just ending.

    Raises:
        Locked: another hub has this folder open.
        CannotStart: the embedded server does not run.
        ConnectionError: the server at `nats` cannot be reached.
        Damaged: the journal is not what was acknowledged; nothing was written.
        FileNotFoundError: read-only, and there is no journal.
    """
    state, server = state_in(data_dir), None
    if read_only and nats == EMBEDDED and not (state / "js").is_dir():
        raise FileNotFoundError(f"there is no journal in {data_dir}; next: start the hub once, or name its data folder")
    state.mkdir(parents=True, exist_ok=True, mode=0o700)
    settings = Settings(random, _core(), observe)
    if nats == EMBEDDED:
        found = auth.load_or_make(data_dir / "nats.auth")
        server = EmbeddedServer(state, domain, found, max_file=limits.disk, lock_patience_s=lock_patience_s)
        await server.start()
        settings = replace(settings, trouble=server.trouble)
        nats, user, password = server.url, found.user, found.password
    try:
        link = await Link.open(nats, user=user, password=password)
        return OpenJournal(await _open_log(link, state, settings, limits, read_only=read_only), server)
    except BaseException:
        if server is not None:
            await server.stop()
        raise


async def _open_log(link: Link, state: Path, settings: Settings, limits: Limits, *, read_only: bool) -> NatsLog:
    reader = NatsLog(link, settings, None, read_only=True)
    if read_only:
        return reader
    try:
        path = state / "high_water"
        mark = await check(reader, highwater.load(path))
        for config in streams.configs(limits):
            await streams.ensure(link, config)
    except BaseException:
        await link.close()
        raise
    return NatsLog(link, settings, HighWater(path, mark))


async def check(log: NatsLog, mark: Mark | None) -> Mark:
    """Compare the stream with the mark, then verify everything behind it; without a mark, verify all.

    Returns:
        The mark of what is there now.

    Raises:
        Damaged: something acknowledged is missing or changed.
    """
    chain = Chain()
    if mark is not None and mark.seq:
        first = await _check_range(log, mark)
        ends = {subject: end for subject, end in mark.ends.items() if end[0] >= first}  # the others were archived
        for subject, (seq, hash) in ends.items():
            await _check_end(log, subject, seq, hash)
        chain = Chain(mark.seq, ends)
        chain.last_hash = mark.hash
    await log.verify(chain)
    return Mark(chain.last, chain.last_hash, chain.ends)


async def _check_range(log: NatsLog, mark: Mark) -> int:
    found = await streams.info(log.link, streams.JOURNAL)
    state = found["state"] if found else {"last_seq": 0, "first_seq": 1, "messages": 0}
    if state["last_seq"] < mark.seq:
        raise Damaged(f"the journal ends at record {state['last_seq']}, but {mark.seq} was acknowledged; {NEXT}")
    if state["first_seq"] > mark.seq or state["messages"] != state["last_seq"] - state["first_seq"] + 1:
        raise Damaged(f"only {state['messages']} of the journal's records can be read; {NEXT}")
    return int(state["first_seq"])


async def _check_end(log: NatsLog, subject: str, seq: int, hash: str) -> None:
    tail = await log.at(seq)
    if tail is None or tail.hash != hash:
        told = "is missing" if tail is None else "is not what was acknowledged"
        raise Damaged(f"record {seq} on {subject} {told}; {NEXT}")


def _core() -> str | None:
    with contextlib.suppress(PackageNotFoundError):
        return version("busbar-hub")
    return None
