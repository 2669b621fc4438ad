"""The read models of one hub: their database, the task that fills it from the journal, and queries over it."""

from __future__ import annotations

import asyncio
import hashlib
import logging
from collections import deque
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from datetime import datetime
from pathlib import Path
from typing import Any

from sqlalchemy import URL, Connection, event, func, select, update
from sqlalchemy.exc import DatabaseError, OperationalError, SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine

from core.messages import Message, Position
from core.messages.vehicle import VehicleIdentified
from gateway.journal.log import Log, Record
from gateway.readmodels.located import located
from gateway.readmodels.rows import Rows, keep_first, stamp, upsert
from gateway.readmodels.tables import CONCEPTS, COORDINATES, METADATA, VERSION, checkpoint, messages
from gateway.readmodels.takes import TAKES
from gateway.waiting import Waiting

_log = logging.getLogger("busbar.readmodels")
BATCH = 200
AGAIN_S = 1.0
GATHER_S = 0.05
"""Where nobody waits for rows, so long is gathered before the next transaction."""
NAME = "main"
DRIVERS = {"postgresql": "postgresql+asyncpg", "postgres": "postgresql+asyncpg", "sqlite": "sqlite+aiosqlite"}


class DatabaseUnusable(OSError):
    """The address of the database names a kind or a driver that is not here."""


class ReadModels:
    """`open` makes or takes over the tables, `follow` fills them, `reached` waits for a position."""

    def __init__(self, url: str, gather_s: float = GATHER_S) -> None:
        self._gather_s = gather_s
        self.engine: AsyncEngine = _engine(url)
        if self.engine.dialect.name == "sqlite":
            event.listen(self.engine.sync_engine, "connect", _pragmas)
        self._rows = Rows()
        self._writing = asyncio.Lock()
        self._filling = asyncio.Lock()
        """Held by whoever decides what is applied next: the task, or a rebuild."""
        self._queue: deque[Record] = deque()
        self._arrived = asyncio.Event()
        self._asked = asyncio.Event()
        """Somebody waits for rows."""
        self._waiting = Waiting()
        self._task: asyncio.Task[None] | None = None
        self.opened = False
        self.applied: list[Callable[[int], None]] = []
        """Called with the last applied record after each transaction."""
        self.seq = 0
        """The last applied record."""
        self.trouble: str | None = None
        """Why what came last could not be written, in the database's own words; it is tried again every second."""
        self.moment: datetime | None = None
        """The newest moment at which the journal learned something."""

    async def open(self) -> None:
        """Make the tables where they are missing; rows of another version are dropped, to be made again.

        A SQLite file that cannot be read is put aside and begun anew: everything in it follows from the journal.

        Raises:
            sqlalchemy.exc.SQLAlchemyError: the database cannot be reached.
        """
        try:
            await self._open()
        except DatabaseError as error:
            if isinstance(error, OperationalError) or not _put_aside(self.engine.url):
                raise  # because: a database that is away or busy is not a broken one
            _log.warning("read models cannot be read (%s); they are made anew", error)
            await self.engine.dispose()
            await self._open()

    async def _open(self) -> None:
        async with self.engine.begin() as connection:
            await connection.run_sync(METADATA.create_all)
            found = (await connection.execute(select(checkpoint.c.seq, checkpoint.c.version))).first()
            if found is not None and found.version != VERSION:
                await self._recreate(connection)
                found = None
            newest = (await connection.execute(select(func.max(messages.c.recorded)))).scalar()
        self.seq = found.seq if found is not None else 0
        self.moment = datetime.fromisoformat(newest) if newest else None
        self.opened = True

    async def close(self) -> None:
        """Stop filling, close the database."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
        await self.engine.dispose()

    def take(self, record: Record) -> None:
        """A record of the journal, in order; returns at once."""
        self._queue.append(record)
        self._arrived.set()

    def start(self, log: Log, until: int) -> asyncio.Task[None]:
        """Read what is missing up to `until` from the log, then whatever `take` is given."""
        self._task = asyncio.create_task(self._run(log, until), name="readmodels")
        return self._task

    async def _run(self, log: Log, until: int) -> None:
        while True:
            try:
                async with self._filling:
                    if not self.opened:
                        await self.open()
                    if self.seq > await log.last():
                        await self.drop()  # because: a database beside another journal
                    await self.catch_up(log, until)
                if not self._queue:
                    self.trouble = None
                await self._follow()
            except (SQLAlchemyError, OSError, ConnectionError) as error:
                told = str(getattr(error, "orig", None) or error)
                if told != self.trouble:
                    _log.warning("read models lag at %s: %s; next: see the database", self.seq, told)
                self.trouble = told
                await asyncio.sleep(AGAIN_S)
                until = max(until, self._queue[0].seq - 1 if self._queue else until)

    async def _follow(self) -> None:
        while True:
            await self._arrived.wait()
            while self._queue:
                batch = [self._queue[i] for i in range(min(BATCH, len(self._queue)))]
                async with self._filling:
                    await self.apply(batch)
                for _ in batch:
                    self._queue.popleft()
                await self._gather()
            self._arrived.clear()

    async def _gather(self) -> None:
        """Because a hundred rows cost little more than one: let records gather, unless somebody waits for their rows."""
        self._asked.clear()
        if not self._waiting:
            with suppress(TimeoutError):
                async with asyncio.timeout(self._gather_s):
                    await self._asked.wait()

    async def catch_up(self, log: Log, until: int | None = None) -> None:
        """Apply everything that the log holds now (or up to `until`)."""
        batch: list[Record] = []
        async for record in log.read(self.seq, follow=False):
            if until is not None and record.seq > until:
                break
            batch.append(record)
            if len(batch) >= BATCH:
                await self.apply(batch)
                batch = []
        if batch:
            await self.apply(batch)

    async def apply(self, records: Sequence[Record]) -> None:
        """Rows and checkpoint in one transaction; what is applied already is passed over."""
        fresh = [record for record in records if record.seq > self.seq]
        if not fresh:
            return
        async with self._writing:
            try:
                async with self.engine.begin() as connection:
                    await connection.run_sync(self._apply, fresh)
            except BaseException:
                self._rows.reset()
                raise
        self.seq, self.trouble = fresh[-1].seq, None
        moments = [message.recorded for record in fresh for message in record.messages]
        self.moment = max(moments + ([self.moment] if self.moment else []), default=None)
        self._waiting.reached(self.seq)
        for observer in self.applied:
            observer(self.seq)

    def _apply(self, connection: Connection, records: Sequence[Record]) -> None:
        self._rows.begin(connection)
        index: list[Mapping[str, Any]] = []
        named: list[tuple[str, str]] = []
        """Session and vehicle, in order: what a session began with gets its vehicle once that is known."""
        for record in records:
            self._rows.seq = record.seq
            for number, message in enumerate(record.messages):
                take = TAKES.get(message.type)
                if take is not None:
                    take(self._rows, message, message.body)
                index.append(_index(message, Position(record.seq, number)) | located(self._rows, message))
                if isinstance(message.body, VehicleIdentified) and message.at.session and message.body.vehicle:
                    named.append((message.at.session, message.body.vehicle))
        if index:
            keep_first(connection, messages, index, "id")
        for session, vehicle in named:
            late = messages.c.session == session, messages.c.vehicle.is_(None)
            connection.execute(update(messages).where(*late).values(vehicle=vehicle))
        self._rows.flush()
        at = {"name": NAME, "seq": records[-1].seq, "version": VERSION}
        upsert(connection, checkpoint, [at], "name")

    async def reached(self, seq: int, within_s: float) -> bool:
        """Whether the rows of that record are there, within so many seconds of wall time."""
        if seq <= self.seq:
            return True
        future = self._waiting.until(seq)
        self._asked.set()
        try:
            await asyncio.wait_for(future, within_s)
        except TimeoutError:
            return False
        finally:
            self._waiting.forget(future)
        return True

    async def rebuild(self, log: Log) -> dict[str, Any]:
        """Drop the rows and make them again from the log; says whether they came out the same.

        Raises:
            gateway.journal.log.Damaged: the log cannot be read as a whole; the rows stay, they may be all that is left.
        """
        async with self._filling:
            seq = self.seq
            async for record in log.read(0, follow=False):
                if record.seq >= seq:
                    break
            before = await self.digests()
            await self.drop()
            await self.catch_up(log, seq)
            after = await self.digests()
        differing = [name for name, found in before.items() if after[name] != found]
        return {
            "records": seq,
            "messages": after["messages"][0],
            "differences": [{"position": seq, "what": f"rows of {name} differ"} for name in differing],
        }

    async def drop(self) -> None:
        """Empty tables, nothing applied."""
        async with self._writing, self.engine.begin() as connection:
            await self._recreate(connection)
        self.seq = 0

    async def _recreate(self, connection: AsyncConnection) -> None:
        await connection.run_sync(METADATA.drop_all)
        await connection.run_sync(METADATA.create_all)
        self._rows.reset()

    async def digests(self) -> dict[str, tuple[int, str]]:
        """Per table the number of rows and a hash over them in order of their keys."""
        found: dict[str, tuple[int, str]] = {}
        async with self.engine.connect() as connection:
            for table in (messages, *CONCEPTS.values()):
                total, count = hashlib.sha256(), 0
                for row in await connection.execute(select(table).order_by(table.primary_key.columns[0])):
                    total.update(repr(tuple(row)).encode())
                    count += 1
                found[table.name] = (count, total.hexdigest())
        return found

    @asynccontextmanager
    async def reading(self) -> AsyncIterator[AsyncConnection]:
        """A connection for queries."""
        async with self.engine.connect() as connection:
            yield connection

    async def count(self) -> int:
        """How many messages are indexed."""
        async with self.reading() as connection:
            return int((await connection.execute(select(func.count()).select_from(messages))).scalar_one())


def _engine(url: str) -> AsyncEngine:
    """The database's engine; an address without a driver gets the one that we know."""
    kind, mark, rest = url.partition("://")
    try:
        return create_async_engine(f"{DRIVERS.get(kind, kind)}{mark}{rest}")
    except (ImportError, SQLAlchemyError) as error:
        named = f"the setting `database` cannot be used ({error})"
        raise DatabaseUnusable(
            f"{named}; next: write it as postgresql://USER@HOST/NAME, and install busbar-hub[postgresql]"
        ) from error


def _index(message: Message, position: Position) -> dict[str, Any]:
    at = message.at
    where = {name: _text(getattr(at, name)) for name in COORDINATES}
    return {
        "id": message.id,
        "seq": position.seq,
        "idx": position.index,
        "type": message.type,
        "time": stamp(message.time),
        "recorded": stamp(message.recorded),
        "source": message.source,
        "site": message.site,
        "area": message.problem.area,
        "subject": message.problem.subject,
        **where,
    }


def _text(value: Any) -> str | None:
    if value is None or isinstance(value, str):
        return value
    return stamp(value) if hasattr(value, "astimezone") else str(value)


def _put_aside(url: URL) -> bool:
    """Rename a broken SQLite file; False where there is none."""
    if not url.drivername.startswith("sqlite") or not url.database or not Path(url.database).is_file():
        return False
    Path(url.database).replace(f"{url.database}.broken")
    return True


def _pragmas(connection: Any, record: Any) -> None:
    cursor = connection.cursor()
    for pragma in ("journal_mode=WAL", "synchronous=NORMAL", "busy_timeout=5000"):
        cursor.execute(f"PRAGMA {pragma}")
    cursor.close()
