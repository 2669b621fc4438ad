"""A start from what was folded before: the same state as from the beginning, and dropped at the least doubt."""

from __future__ import annotations

import json
from datetime import time
from pathlib import Path
from typing import Any

import pytest

from core.directory import Directory
from core.directory import fold as fold_directory
from core.messages import Physical, Position, compose
from core.messages.station import StationConnected, StationSeen
from core.site import SiteState, fold
from gateway import snapshot
from gateway.journal.log import Damaged
from gateway.journal.opening import state_in
from gateway.settings.models import HttpListener, HubSettings, JournalSettings
from gateway.wiring import Hub
from tests.gateway.api.conftest import StoppedClock, depot
from tests.gateway.journal.test_opening import flip_a_bit

NEVER = JournalSettings(verify_at=None, live=False)


def hub(data: Path, sites: tuple[Any, ...] = (), **journal: Any) -> Hub:
    settings = HubSettings(
        data=data,
        http=(HttpListener(port=0),),
        sites=sites or (depot(),),
        journal=NEVER.model_copy(update=journal),
    )
    return Hub(settings.anchored(data.parent), clock=StoppedClock())


async def connect(running: Hub, number: int) -> None:
    fact = compose(
        StationConnected(version="ocpp2.0.1", gateway="main", epoch=running.epoch, connection=number),
        id=f"c{number}",
        time=running.clock.now(),
        source="ocpp",
        site="depot",
        at=Physical(station="CP-01"),
    )
    position = await running.journal.append("depot", [fact])
    await running.controllers["depot"].settled(position.seq)


def kept(data: Path) -> Path:
    return state_in(data) / snapshot.NAME


@pytest.fixture
async def data(tmp_path: Path) -> Path:
    """The folder of a hub that has stopped."""
    running = hub(tmp_path)
    await running.start()
    await connect(running, 1)
    await running.stop()
    return tmp_path


async def test_a_start_from_a_snapshot_knows_what_a_fold_from_the_beginning_knows(data: Path) -> None:
    running = hub(data)
    await running.start()
    await connect(running, 2)
    state, directory, sites = running.controllers["depot"].state, running.feed.directory, {"depot": SiteState("depot")}
    folded, wished = Directory(), {}
    async for record in running.log.read(0, follow=False):
        for index, message in enumerate(record.messages):
            folded = fold_directory(folded, message)
            if record.site == "depot" and record.seq <= state.seen:
                sites["depot"] = fold(sites["depot"], message, Position(record.seq, index))
                if message.type == "command.wished":
                    wished[message.at.station] = Position(record.seq, index)
    assert running.beside._kept > 0
    assert state == sites["depot"]
    assert directory == folded
    assert {name: wish.position for name, wish in running.desired.newest("depot").items()} == wished
    assert (running.epoch, running.next_epoch) == (2, 3)
    await running.stop()


async def test_at_a_stop_everything_that_was_stored_is_in_it(data: Path) -> None:
    running = hub(data)
    await running.start()
    fact = compose(StationSeen(), id="s1", time=running.clock.now(), source="ocpp", site="depot")
    position = await running.journal.append("depot", [fact])
    await running.feed.reached(position.seq)
    await running.stop()
    found = snapshot.load(kept(data))
    assert found is not None
    assert found.seq >= position.seq
    assert found.sites["depot"].versions["station.seen"] == 1


async def test_it_is_written_for_this_hub_alone(data: Path) -> None:
    assert kept(data).stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize("what", ["made_by", "digest", "payload", "nothing"])
async def test_what_this_program_did_not_make_or_what_is_damaged_is_not_used(data: Path, what: str) -> None:
    first, _, payload = kept(data).read_bytes().partition(b"\n")
    head = json.loads(first)
    if what == "payload":
        payload = payload[:-1] + bytes([payload[-1] ^ 1])
    elif what != "nothing":
        head[what] = "other"
    kept(data).write_bytes(b"" if what == "nothing" else json.dumps(head).encode() + b"\n" + payload)
    assert snapshot.load(kept(data)) is None
    running = hub(data)
    await running.start()
    assert running.controllers["depot"].state.dispatch.stations["CP-01"].wish is not None
    await running.stop()
    assert snapshot.load(kept(data)) is not None


async def test_what_a_hub_folded_that_was_upgraded_under_its_feet_is_not_used_by_the_new_program(
    data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    running = hub(data)
    await running.start()
    new = [("core/site.py", b"another program")]
    monkeypatch.setattr(snapshot, "_sources", lambda folder, at: new)
    await connect(running, 2)
    await running.stop()
    snapshot.fingerprint.cache_clear()
    try:
        assert snapshot.load(kept(data)) is None
    finally:
        snapshot.fingerprint.cache_clear()


async def test_a_snapshot_of_another_journal_or_without_a_site_is_not_used(data: Path, tmp_path: Path) -> None:
    other = hub(tmp_path / "other")
    await other.start()
    for number in range(3):
        await connect(other, number + 1)
    await other.stop()
    own = kept(data).read_bytes()
    kept(data).write_bytes(kept(tmp_path / "other").read_bytes())
    running = hub(data)
    await running.start()
    assert running.beside._kept == 0
    await running.stop()
    kept(data).write_bytes(own)
    second = depot().model_copy(update={"id": "second", "stations": ()})
    more = hub(data, (depot(), second))
    await more.start()
    assert more.beside._kept == 0
    assert set(more.controllers) == {"depot", "second"}
    await more.stop()


async def test_damage_before_the_snapshot_is_looked_for_after_the_start(data: Path) -> None:
    await flip_a_bit(data)
    running = hub(data, verify_at=time(3))
    await running.start()
    assert running.beside._kept > 0
    follower = running.log.read(running.beside._kept)
    record = await anext(follower)
    while record.messages[0].type != "journal.verified":
        record = await anext(follower)
    assert record.messages[0].body.model_dump()["whole"] is False
    await running.stop()


async def test_damage_is_found_at_a_start_that_folds_everything(data: Path) -> None:
    kept(data).unlink()
    await flip_a_bit(data)
    running = hub(data)
    with pytest.raises(Damaged, match="next:"):
        await running.start()
    await running.stop()
