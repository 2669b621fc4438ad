"""The demo's night, played once for every test and every worker that looks at it."""

from __future__ import annotations

import asyncio
import fcntl
import json
import os
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from gateway.cli import demo
from gateway.journal import streams
from gateway.journal.opening import open_journal
from gateway.journal.pull import Pull

SCENARIO = Path(__file__).parents[1] / "examples" / "bus-142"
KEPT = "BUSBAR_KEPT_NIGHT"
"""A folder that `busbar demo --keep` left: whoever works on pages need not play the night again for every run."""
Stored = tuple[str, bytes]
"""Subject and bytes of a record."""


@dataclass(frozen=True, slots=True)
class Played:
    """The exit code, the document, the folder with the evidence, and the journal's records beside it."""

    code: int
    document: dict[str, Any]
    folder: Path
    records: Path

    def stored(self) -> Iterator[Stored]:
        """Every record, as it was written; nothing is opened that another worker might have open."""
        data = self.records.read_bytes()
        at = 0
        while at < len(data):
            first, second = struct.unpack_from(">II", data, at)
            at += 8
            yield data[at : at + first].decode(), data[at + first : at + first + second]
            at += first + second


def played_once(factory: pytest.TempPathFactory) -> Played:
    """Play it, unless another worker of this run did; who comes meanwhile waits."""
    base = factory.getbasetemp()
    folder = (base.parent if "PYTEST_XDIST_WORKER" in os.environ else base) / "night"
    folder.mkdir(exist_ok=True)
    keep, code, records = Path(os.environ.get(KEPT, folder / "evidence")), folder / "code", folder / "records"
    with (folder / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not code.exists():
            found = 0 if KEPT in os.environ else _play(keep)
            records.write_bytes(asyncio.run(records_of(keep)))
            code.write_text(str(found))
    document = json.loads((keep / "night.json").read_text(encoding="utf-8"))
    return Played(int(code.read_text()), document, keep, records)


def _play(keep: Path) -> int:
    return demo.run(speed=None, seed=None, scenario=SCENARIO, baseline=None, serve=False, as_json=True, keep=keep)


async def records_of(keep: Path) -> bytes:
    """Every record of a kept journal, as `Played.stored` takes them apart again."""
    opened = await open_journal(keep, read_only=True)
    out = bytearray()
    try:
        end = await opened.log.last()
        async for pulled in Pull(opened.log.link, streams.JOURNAL, {"deliver_policy": "all"}).messages():
            subject = pulled.subject.encode()
            out += struct.pack(">II", len(subject), len(pulled.data)) + subject + pulled.data
            if pulled.seq >= end:
                break
    finally:
        await opened.close()
    return bytes(out)
