"""One process per journal folder: an exclusive lock that the embedded server inherits and holds until it is gone."""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
from pathlib import Path


class Locked(Exception):
    """Another process has this journal open."""


def path_in(state: Path) -> Path:
    """The lock file of a state folder."""
    return state / "journal.lock"


def acquire(state: Path) -> int:
    """The locked file's descriptor; the lock is free once every process that has it has closed it or ended.

    Raises:
        Locked: with the holder and the next step.
    """
    descriptor = os.open(path_in(state), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        os.close(descriptor)
        raise Locked(f"the journal in {state} is in use by {_holder(state)}") from error
    note(descriptor, os.getpid(), None)
    return descriptor


def note(descriptor: int, hub: int, server: int | None) -> None:
    """Write down who holds the lock, for the message to the next one."""
    text = json.dumps({"hub": hub, "server": server}).encode()
    os.ftruncate(descriptor, 0)
    os.pwrite(descriptor, text, 0)


def _holder(state: Path) -> str:
    data: dict[str, int | None] = {}
    with contextlib.suppress(OSError, ValueError):
        data = json.loads(path_in(state).read_text())
    hub, server = data.get("hub"), data.get("server")
    if hub and _runs(hub):
        return f"the hub with process id {hub}; next: use that hub, or stop it (`kill {hub}`) and try again"
    if server and _runs(server):
        return f"a journal server left over, process id {server}; next: stop it (`kill {server}`) and try again"
    return "another process; next: find it with `fuser` on journal.lock, stop it, and try again"


def _runs(pid: int) -> bool:
    return Path(f"/proc/{pid}").exists() if Path("/proc").exists() else True
