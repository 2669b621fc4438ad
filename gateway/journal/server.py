"""The embedded NATS server: started on a locked folder, watched, restarted, and stopped with the hub."""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import os
import shutil
from pathlib import Path
from urllib.parse import urlsplit

from gateway.journal import lock, process
from gateway.journal.auth import Credentials
from gateway.journal.lock import Locked
from gateway.journal.process import CannotStart

START_S = 60.0
STOP_S = 10.0
POLL_S = 0.01
WATCH_S = 1.0
LONGEST_PAUSE_S = 5.0
LOCK_PATIENCE_S = 2.0
RESERVE = 1024 * 1024 * 1024
"""Bytes of the disk, or a tenth of it if that is less, that the journal leaves free: a server that hits the end fails."""

log = logging.getLogger(__name__)

__all__ = ["CannotStart", "EmbeddedServer", "Locked"]


class EmbeddedServer:
    """One server process on `state`; `url` is the same until `stop`, also over restarts."""

    def __init__(
        self,
        state: Path,
        domain: str,
        credentials: Credentials,
        *,
        max_file: int,
        lock_patience_s: float = LOCK_PATIENCE_S,
    ) -> None:
        self._state = state
        self._config = process.Config(state, domain, credentials, max_file)
        self._patience = lock_patience_s
        self._lock: int | None = None
        self._program = ""
        self._process: asyncio.subprocess.Process | None = None
        self._watch: asyncio.Task[None] | None = None
        self._trouble: str | None = None
        self.restarts = 0
        """How often the server was started again."""

    @property
    def url(self) -> str:
        """Where clients connect."""
        return f"nats://127.0.0.1:{self._config.port}"

    @property
    def pid(self) -> int | None:
        """The server's process id while it runs."""
        return self._process.pid if self._process and self._process.returncode is None else None

    def trouble(self) -> str | None:
        """Why nothing may be stored now: the disk is nearly full; looked at every second."""
        return self._trouble

    async def start(self) -> None:
        """Lock the folder, check program and configuration, start, and wait until the server is healthy.

        Raises:
            Locked: another process has this journal open.
            CannotStart: no program, a wrong version, or it does not get healthy.
        """
        self._state.mkdir(parents=True, exist_ok=True, mode=0o700)
        self._lock = await self._acquire()
        try:
            self._program = process.find()
            await process.check_version(self._program)
            await process.check_config(self._program, self._config.write())
            await self._launch()
            self._trouble = _short_of_space(self._state)
        except BaseException:
            await self.stop()
            raise
        self._watch = asyncio.create_task(self._supervise(), name="journal server")

    async def _acquire(self) -> int:
        until = asyncio.get_running_loop().time() + self._patience
        while True:  # a server whose hub was killed needs a moment to end
            try:
                return lock.acquire(self._state)
            except Locked:
                if asyncio.get_running_loop().time() >= until:
                    raise
            await asyncio.sleep(0.05)

    async def _launch(self) -> None:
        assert self._lock is not None
        for old in self._state.glob("*.ports"):
            old.unlink(missing_ok=True)
        self._process = await process.spawn(self._program, ["-c", str(self._config.write())], self._lock)
        lock.note(self._lock, os.getpid(), self._process.pid)
        until = asyncio.get_running_loop().time() + START_S
        while not await self._ready():
            if self._process.returncode is not None or asyncio.get_running_loop().time() >= until:
                raise CannotStart(f"the journal's server does not start: {self._last_words()}")
            await asyncio.sleep(POLL_S)

    async def _ready(self) -> bool:
        if not self._learn_ports():
            return False
        return (await self.health())[0] == 200

    def _learn_ports(self) -> bool:
        assert self._process is not None
        found = next(iter(self._state.glob(f"*_{self._process.pid}.ports")), None)
        with contextlib.suppress(OSError, ValueError, KeyError, IndexError):
            data = json.loads(found.read_text()) if found else {}
            self._config = process.Config(
                self._config.state,
                self._config.domain,
                self._config.credentials,
                self._config.max_file,
                port=urlsplit(data["nats"][0]).port or -1,
                http_port=urlsplit(data["monitoring"][0]).port or -1,
            )
            return True
        return False

    def _last_words(self) -> str:
        try:
            lines = (self._state / "server.log").read_text(errors="replace").splitlines()
        except OSError:
            lines = []
        telling = [line for line in lines if "[FTL]" in line or "[ERR]" in line][-1:] or lines[-1:]
        said = telling[0] if telling else "it said nothing"
        return f"{said}; next: read {self._state / 'server.log'}"

    async def health(self) -> tuple[int, str]:
        """HTTP status and text of `/healthz`; (0, why) where it does not answer."""
        try:
            async with asyncio.timeout(2):
                return await _get(self._config.http_port, "/healthz")
        except (OSError, TimeoutError, ValueError) as error:
            return 0, str(error) or type(error).__name__

    async def _supervise(self) -> None:
        pause = POLL_S
        while True:
            try:
                await self._ended_or_ill()
                await asyncio.sleep(pause)
                await self._kill()
                self.restarts += 1
                log.warning("the journal's server is started again (%d)", self.restarts)
                await self._launch()
                pause = POLL_S
            except (CannotStart, OSError) as error:
                log.error("the journal's server: %s", error)  # noqa: TRY400 - because: the text says it all
                pause = min(max(2 * pause, 0.1), LONGEST_PAUSE_S)

    async def _ended_or_ill(self) -> None:
        assert self._process is not None
        while self._process.returncode is None:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(WATCH_S):
                    await self._process.wait()
                return
            self._trouble = _short_of_space(self._state)
            status, text = await self.health()
            if status == 503 and _write_failed(text) and self._trouble is None:
                log.error("the journal's server cannot write although there is space: %s", text)
                return

    async def _kill(self) -> None:
        if self._process is None or self._process.returncode is not None:
            return
        with contextlib.suppress(ProcessLookupError):
            self._process.terminate()
        try:
            await asyncio.wait_for(self._process.wait(), STOP_S)
        except TimeoutError:
            with contextlib.suppress(ProcessLookupError):
                self._process.kill()
            await self._process.wait()

    async def stop(self) -> None:
        """End the server (SIGTERM, ten seconds, SIGKILL) and free the folder."""
        if self._watch is not None:
            self._watch.cancel()
            await asyncio.wait([self._watch])
        await self._kill()
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None


def _short_of_space(state: Path) -> str | None:
    usage = shutil.disk_usage(state)
    if usage.free >= min(RESERVE, usage.total // 10):
        return None
    return f"the disk of {state} has {usage.free // 1024**2} MB left; next: free some space, it is used again by itself"


def _write_failed(text: str) -> bool:
    lowered = text.lower()
    return any(words in lowered for words in ("no space", "write error", "write failed", "input/output error"))


async def _get(port: int, path: str) -> tuple[int, str]:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        writer.write(f"GET {path} HTTP/1.0\r\nHost: localhost\r\n\r\n".encode())
        await writer.drain()
        answer = (await reader.read(65536)).decode(errors="replace")
    finally:
        writer.close()
    head, _, text = answer.partition("\r\n\r\n")
    return int(head.split(" ", 2)[1]), text.strip()
