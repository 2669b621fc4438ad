"""Nothing acknowledged is lost, nothing is doubled, and order is kept, whoever is killed."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from core.messages import Position
from gateway.journal.chain import Chain
from gateway.journal.opening import OpenJournal, open_journal, state_in
from tests.gateway.journal.contract import everything, ids, message
from tests.gateway.journal.held import is_held
from tests.waiting import until

ROOT = Path(__file__).parents[3]


async def keep_appending(opened: OpenJournal, enough: asyncio.Event, acknowledged: list[tuple[str, Position]]) -> None:
    """Four clients append one after the other until told to stop."""
    writer = await opened.log.writer("depot", "gw-1", 1)

    async def client(name: str) -> None:
        number = 0
        while not enough.is_set():
            id = f"{name}{number}"
            acknowledged.append((id, await writer.append([message(id)])))
            number += 1

    await asyncio.gather(*(client(name) for name in "abcd"))


def same(acknowledged: dict[str, Position], stored: dict[str, Position]) -> bool:
    """Whether everything acknowledged stands where it was said to stand."""
    return all(stored.get(id) == at for id, at in acknowledged.items())


async def positions(opened: OpenJournal) -> dict[str, Position]:
    """Where every message stands; fails if one stands twice."""
    records = await everything(opened.log)
    assert len(ids(records)) == len(set(ids(records)))
    return {m.id: Position(r.seq, i) for r in records for i, m in enumerate(r.messages)}


async def test_a_killed_server_loses_and_doubles_nothing(tmp_path: Path) -> None:
    opened = await open_journal(tmp_path)
    assert opened.server is not None
    enough, told = asyncio.Event(), list[tuple[str, Position]]()
    appending = asyncio.create_task(keep_appending(opened, enough, told))
    for kills in (1, 2):
        await until(lambda kills=kills: len(told) > 25 * kills)
        assert opened.server.pid is not None
        os.kill(opened.server.pid, signal.SIGKILL)
        await until(lambda kills=kills: healthy(opened, kills))
    before = len(told)
    await until(lambda: len(told) > before)
    enough.set()
    await appending
    acknowledged = dict(told)
    assert opened.server.restarts == 2
    assert len(acknowledged) > 50
    stored = await positions(opened)
    assert same(acknowledged, stored)
    assert sorted(stored, key=stored.__getitem__) == list(stored)
    for name in "abcd":
        mine = [int(id[1:]) for id in stored if id.startswith(name)]
        assert mine == list(range(len(mine)))
    await opened.log.verify(Chain())
    await opened.close()


async def healthy(opened: OpenJournal, restarts: int) -> bool:
    """Whether the server that was restarted so often answers."""
    assert opened.server is not None
    return opened.server.restarts == restarts and (await opened.server.health())[0] == 200


async def test_an_answer_that_was_lost_is_recognised(tmp_path: Path) -> None:
    opened = await open_journal(tmp_path)
    writer = await opened.log.writer("depot", "gw-1", 1)
    await writer.append([message("first")])
    assert opened.server is not None
    assert opened.server.pid is not None
    os.kill(opened.server.pid, signal.SIGSTOP)
    waiting = asyncio.create_task(writer.append([message("a")]))
    await asyncio.sleep(2.2)  # longer than one request waits: the record is stored, its answer is not heard
    os.kill(opened.server.pid, signal.SIGCONT)
    assert await waiting == Position(2, 0)
    assert await writer.append([message("b")]) == Position(3, 0)
    assert ids(await everything(opened.log)) == ["first", "a", "b"]
    await opened.close()


@contextmanager
def child(folder: Path) -> Iterator[subprocess.Popen[str]]:
    """The appending process."""
    command = [sys.executable, "-m", "tests.gateway.journal.appender", str(folder)]
    process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True)
    try:
        yield process
    finally:
        process.kill()
        process.wait()


def killed_after(folder: Path, acks: int) -> tuple[int, dict[str, Position]]:
    """Run a child, kill it in the middle; the server's process id and what it had acknowledged."""
    acknowledged: dict[str, Position] = {}
    with child(folder) as process:
        assert process.stdout is not None
        server = int(process.stdout.readline().split()[1])
        for line in process.stdout:
            parts = line.split()
            if len(parts) == 4:
                acknowledged[parts[1]] = Position(int(parts[2]), int(parts[3]))
            if len(acknowledged) == acks:
                process.kill()
    return server, acknowledged


async def test_a_killed_hub_loses_and_doubles_nothing(tmp_path: Path) -> None:
    _, acknowledged = await asyncio.to_thread(killed_after, tmp_path, 300)
    assert len(acknowledged) >= 300
    opened = await open_journal(tmp_path)
    stored = await positions(opened)
    assert same(acknowledged, stored)
    assert list(stored) == [str(i) for i in range(len(stored))]
    writer = await opened.log.writer("depot", "gw-1", 2)
    at = await writer.append([message("again")])
    assert at.seq == max(p.seq for p in stored.values()) + 1
    await opened.log.verify(Chain())
    await opened.close()


async def test_a_server_ends_with_its_hub_and_frees_the_folder(tmp_path: Path) -> None:
    server, _ = await asyncio.to_thread(killed_after, tmp_path, 1)
    await until(lambda: not is_held(state_in(tmp_path)))
    assert not Path(f"/proc/{server}").exists() or "Z" in Path(f"/proc/{server}/stat").read_text().split()[2]
