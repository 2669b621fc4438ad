"""Tutorial and installation page are executed as they stand: every command in a process, against a hub on the system's clock."""

from __future__ import annotations

import asyncio
import json
import os
import re
import shutil
import signal
import socket
import sys
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.waiting import GENEROUS_S, until

DOCS = Path(__file__).parents[2] / "docs"
STAYS = ("busbar serve", "busbar simulate charger", "busbar simulate dso")
"""What runs in a terminal of its own."""


@contextmanager
def free_ports(count: int) -> Iterator[list[int]]:
    """Ports that are free now; held together so that they differ."""
    held = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    try:
        yield [one.getsockname()[1] for one in held]
    finally:
        for one in held:
            one.close()


class Terminal:
    """Runs blocks of shell in one folder, with `busbar` on the path, and keeps what stays running."""

    def __init__(self, folder: Path, ports: dict[str, int], env: dict[str, str]) -> None:
        self.folder, self.ports = folder, ports
        self.running: dict[str, asyncio.subprocess.Process] = {}
        self.said: list[tuple[str, str]] = []
        clean = {name: value for name, value in os.environ.items() if not name.startswith("BUSBAR")}
        self.env = {**clean, "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}", **env}

    def fitted(self, text: str) -> str:
        """The text with the ports that are free here."""
        return re.sub(r"\b(8080|8443|9220)\b", lambda found: str(self.ports[found[1]]), text)

    async def block(self, text: str) -> None:
        """One block of the page: a command that stays, or commands that end."""
        text = self.fitted(text)
        stays = next((verb for verb in STAYS if text.startswith(verb)), None)
        if stays is not None:
            await self.end(stays)
            self.running[stays] = await self._start(f"exec {text}", asyncio.subprocess.DEVNULL)
            if stays == "busbar serve":
                data = Path(self.env.get("BUSBAR_DATA", "depot/data"))
                await until(lambda: (self.folder / data / "hub.json").exists())
            return
        for name in re.findall(r"^export (\w+)=(.*)$", text, re.MULTILINE):
            self.env[name[0]] = name[1]
        process = await self._start(f"set -e\n{text}", asyncio.subprocess.PIPE)
        out, _ = await asyncio.wait_for(process.communicate(), GENEROUS_S)
        assert process.returncode == 0, f"{text}\n{out.decode()}"
        self.said.append((text, out.decode()))

    async def asked(self, *arguments: str) -> Any:
        """What a verb says as JSON."""
        process = await self._start(f"exec busbar {' '.join(arguments)} --json", asyncio.subprocess.PIPE)
        out, _ = await asyncio.wait_for(process.communicate(), GENEROUS_S)
        return json.loads(out)

    async def _start(self, script: str, output: int) -> asyncio.subprocess.Process:
        how = {"cwd": self.folder, "env": self.env, "stdout": output, "stderr": asyncio.subprocess.STDOUT}
        return await asyncio.create_subprocess_exec("sh", "-c", script, **how, preexec_fn=_hears_ctrl_c)

    async def end(self, verb: str) -> None:
        process = self.running.pop(verb, None)
        if process is not None and process.returncode is None:
            process.send_signal(signal.SIGINT)
            await asyncio.wait_for(process.communicate(), GENEROUS_S)
            assert process.returncode == 0, f"{verb} did not end in order"


def _hears_ctrl_c() -> None:
    """As at a terminal: what a suite in the background was started with ignores it, and children inherit that."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


@asynccontextmanager
async def terminal(folder: Path, env: Callable[[dict[str, int]], dict[str, str]]) -> AsyncIterator[Terminal]:
    with free_ports(3) as (http, https, ocpp):
        ports = {"8080": http, "8443": https, "9220": ocpp}
    made = Terminal(folder, ports, env(ports))
    try:
        yield made
    finally:
        for verb in reversed(list(made.running)):
            await made.end(verb)


def on_free_ports(ports: dict[str, int]) -> dict[str, str]:
    """The first configuration binds other ports here."""
    listeners = f"[{{ port = {ports['9220']}, plain = true, security_profile = 1 }}]"
    return {"BUSBAR__HTTP__0__PORT": str(ports["8080"]), "BUSBAR__ADAPTERS__OCPP__LISTENERS": listeners}


def blocks(page: str) -> list[tuple[str, str]]:
    """(language, text) of every block that has one."""
    return re.findall(r"^```(sh|toml)\n(.*?)^```", (DOCS / page).read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)


async def test_the_tutorial_leads_to_a_charging_bus_with_a_departure_a_limit_and_a_grid_operator(
    tmp_path: Path,
) -> None:
    async with terminal(tmp_path, on_free_ports) as shell:
        for language, text in blocks("tutorial.md"):
            if language == "toml":
                with (tmp_path / "depot" / "busbar.toml").open("a", encoding="utf-8") as file:
                    file.write(shell.fitted(text))
                continue
            await shell.block(text)
            if text.startswith("busbar simulate charger"):
                await _eventually(shell, "sessions", lambda rows: [row["vehicle"] for row in rows] == ["BUS-1"])
            if text.startswith("busbar simulate dso"):
                await _eventually(shell, "envelope", lambda rows: any(row["import_kw"] == 60 for row in rows))
        stations = {row["station"]: row for row in await shell.asked("stations")}
        vehicles = {row["vehicle"]: row for row in await shell.asked("vehicles")}
    assert stations["CP-01"]["vehicle"] == "BUS-1"
    assert stations["CP-01"]["hand"]["kw"] == 20
    assert vehicles["BUS-1"]["station"] == "CP-01"
    assert vehicles["BUS-1"]["departure"] is not None
    told = "".join(out for _, out in shell.said)
    assert "added 2" in told
    assert "the same result" in told
    assert "BootNotification" in told or "SetChargingProfile" in told


async def _eventually(shell: Terminal, verb: str, true: Callable[[Any], bool]) -> None:
    async def told() -> bool:
        return true(await shell.asked(verb))

    await until(told)


SKIPPED = ("apt-get", "git clone", "python3 -m venv", "useradd", "cp deploy")
"""What needs root and a machine of its own."""


@pytest.mark.skipif(
    shutil.which("openssl") is None or shutil.which("curl") is None, reason="no openssl or curl; next: install them"
)
async def test_the_ten_lines_of_the_installation_lead_to_a_hub_that_answers_over_tls(tmp_path: Path) -> None:
    found = blocks("installation.md")
    (lines,) = [text for kind, text in found if kind == "sh"]
    data, toml = (text for kind, text in found if kind == "toml")
    assert len(lines.splitlines()) == 10
    unit = (DOCS.parent / "deploy" / "busbar.service").read_text(encoding="utf-8")

    def here(text: str) -> str:
        text = (
            re.sub(r"chown [^&]*&& | && editor .*", "", text)
            .replace("/opt/busbar/.venv/bin/", "")
            .replace(".venv/bin/", "")
        )
        placed = text.replace("/etc/busbar", str(tmp_path / "etc")).replace("/var/lib/busbar", str(tmp_path / "lib"))
        return placed.replace("DEPOT", "localhost")

    steps = [here(line) for line in lines.splitlines() if not line.startswith(SKIPPED)]
    async with terminal(tmp_path, lambda ports: {"BUSBAR_DATA": str(tmp_path / "lib")}) as shell:
        await shell.block("\n".join(steps[:-1]))
        config = tmp_path / "etc" / "busbar.toml"
        config.write_text(shell.fitted(re.sub(r"(?m)^data = .*\n", here(data), config.read_text()) + toml))
        for name in ("ExecStartPre", "ExecStart", "ExecReload"):
            (command,) = re.findall(rf"^{name}=(.*)$", unit, re.MULTILINE)
            await shell.block(here(command))
        await shell.block(steps[-1])
        assert '"ready": true' in shell.said[-1][1]


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="no systemd-analyze; next: install systemd")
async def test_the_unit_is_one_that_systemd_understands(tmp_path: Path) -> None:
    unit = (DOCS.parent / "deploy" / "busbar.service").read_text(encoding="utf-8")
    (tmp_path / "busbar.service").write_text(
        unit.replace("/opt/busbar/.venv/bin/busbar", shutil.which("true") or "/bin/true")
    )
    async with terminal(tmp_path, lambda ports: {}) as shell:
        await shell.block("systemd-analyze verify ./busbar.service")
    assert shell.said[-1][1] == ""
