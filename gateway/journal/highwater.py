"""The high-water mark: what was surely acknowledged, kept outside the server's store and compared at start."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from gateway.journal.log import Damaged

EVERY_S = 2.0


@dataclass(frozen=True, slots=True)
class Mark:
    """The newest acknowledged record that was noted, and where each writer's chain ended."""

    seq: int = 0
    hash: str = ""
    """Of that record's head line."""
    ends: Mapping[str, tuple[int, str]] = field(default_factory=dict)
    """Subject -> (sequence, hash of its head line)."""


def load(path: Path) -> Mark | None:
    """The mark, or None where none was ever written.

    Raises:
        Damaged: the file cannot be read.
    """
    try:
        data = json.loads(path.read_bytes())
        ends = {subject: (int(seq), str(hash)) for subject, (seq, hash) in data["ends"].items()}
        return Mark(int(data["seq"]), str(data["hash"]), ends)
    except FileNotFoundError:
        return None
    except (ValueError, KeyError, TypeError) as error:
        raise Damaged(
            f"{path} cannot be read ({error}); next: run `busbar replay --verify`, "
            "and if the journal is whole, move this file away"
        ) from error


def save(path: Path, mark: Mark) -> None:
    """Replace the file, durably."""
    data = {"seq": mark.seq, "hash": mark.hash, "ends": {subject: list(end) for subject, end in mark.ends.items()}}
    new = path.with_suffix(".new")
    with new.open("w", encoding="utf-8") as file:
        json.dump(data, file)
        file.flush()
        os.fsync(file.fileno())
    new.replace(path)
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


class HighWater:
    """Notes each acknowledged record and writes the mark every two seconds and at close."""

    def __init__(self, path: Path, mark: Mark) -> None:
        self._path = path
        self._ends = dict(mark.ends)
        self._seq, self._hash = mark.seq, mark.hash
        self._written = 0
        self._task = asyncio.create_task(self._run(), name="journal high water")

    def note(self, subject: str, seq: int, hash: str) -> None:
        """An acknowledged record."""
        self._ends[subject] = (seq, hash)
        if seq > self._seq:
            self._seq, self._hash = seq, hash

    async def _run(self) -> None:
        while True:
            await asyncio.sleep(EVERY_S)
            with contextlib.suppress(OSError):  # a full disk: the journal itself says so
                await asyncio.to_thread(self._write, self._mark())

    def _mark(self) -> Mark:
        return Mark(self._seq, self._hash, dict(self._ends))

    def _write(self, mark: Mark) -> None:
        if mark.seq != self._written:
            save(self._path, mark)
            self._written = mark.seq

    async def close(self) -> None:
        """Stop, and write the mark a last time."""
        self._task.cancel()
        await asyncio.wait([self._task])
        with contextlib.suppress(OSError):
            self._write(self._mark())
