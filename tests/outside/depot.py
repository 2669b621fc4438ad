"""A depot as its operator sets it up from `docs/`: a folder, a settings file, and `busbar` as a process on free ports."""

from __future__ import annotations

import asyncio
import json
import os
import random
import shutil
import signal
import socket
import subprocess
import sys
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp

from tests.waiting import GENEROUS_S, until

BUSBAR = str(Path(sys.executable).with_name("busbar"))
TOKENS = {"control-room": "operator", "display": "viewer", "boss": "admin"}
FIRST_TOKEN = "token-A-from-the-letter"

SETTINGS = """
data = "data"

[[users]]
name = "control-room"
role = "operator"
token = "file:tokens/control-room"
[[users]]
name = "display"
role = "viewer"
token = "file:tokens/display"
[[users]]
name = "boss"
role = "admin"
token = "file:tokens/boss"

[[tls]]
name = "hub"
certificate = "pki/server.pem"
key = "pki/server.key"

[[http]]
name = "local"
port = {http}
[[http]]
name = "public"
port = {https}
tls = "hub"
mounts = ["pages", "api"]

[adapters.ocpp]
call_timeout_s = 5
retry_s = 0.5
max_frame_bytes = 65536
frames_burst = 100
frames_per_s = 50
[[adapters.ocpp.listeners]]
port = {ws}
plain = true
security_profile = 1
[[adapters.ocpp.listeners]]
port = {wss}
tls = "hub"

[adapters.oscp]
base_url = "http://127.0.0.1:{http}"
max_body_bytes = 65536
retry_s = 0.2
[[adapters.oscp.peers]]
name = "city-grid"
site = "depot"
groups = {{ "DE-4711" = "dso" }}
token_ref = "file:secrets/oscp-token-a"
heartbeat_interval_s = 120
min_horizon_s = 2

[[sites]]
file = "site.toml"
"""

SITE = """
id = "depot"
name = "Depot North"
zone = "Europe/Berlin"
nodes = [
  { id = "grid", kind = "grid_connection", limit_kw = 400 },
  { id = "panel-1", parent = "grid", limit_kw = 200 },
  { id = "panel-2", parent = "grid", limit_kw = 200 },
]
building = [{ begins = 00:00:00, kw = 20 }]
sources = [{ id = "dso", node = "grid", fallback_import_kw = 260 }]
meters = [{ id = "grid-meter", node = "grid" }]

[[stations]]
id = "CP-01"
node = "panel-1"
connectors = [{ evse = 1, max_kw = 150, name = "A1" }]
safe_kw = 10
[[stations]]
id = "CP-02"
node = "panel-1"
connectors = [{ evse = 1, max_kw = 90, name = "A2" }]
safe_kw = 10
[[stations]]
id = "CP-03"
node = "panel-2"
connectors = [{ evse = 1, max_kw = 150, name = "B1" }]
safe_kw = 10
[[stations]]
id = "CP-04"
node = "panel-2"
connectors = [{ evse = 1, max_kw = 90, name = "B2" }]
safe_kw = 10

[[vehicle_types]]
id = "solo-12m"
capacity_kwh = 350
curve = [[0.0, 150], [0.8, 150], [1.0, 30]]
consumption = [[-10.0, 1.9], [5.0, 1.4], [20.0, 1.1]]

[[vehicles]]
id = "BUS-1"
type = "solo-12m"
tokens = ["TAG-1"]
[[vehicles]]
id = "BUS-2"
type = "solo-12m"
tokens = ["TAG-2"]
[[vehicles]]
id = "BUS-3"
type = "solo-12m"
tokens = ["TAG-3"]
[[vehicles]]
id = "BUS-4"
type = "solo-12m"
tokens = ["TAG-4"]
"""


@dataclass(frozen=True)
class Ended:
    """How a command ended."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)


async def busbar(*arguments: str | Path, within_s: float = GENEROUS_S) -> Ended:
    """Run one command to its end."""
    command = [BUSBAR, *map(str, arguments)]
    done = await asyncio.to_thread(
        subprocess.run, command, capture_output=True, text=True, env=_environment(), timeout=within_s
    )
    return Ended(done.returncode, done.stdout, done.stderr)


class Depot:
    """One folder with its settings, and the hub that runs on it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.file = folder / "busbar.toml"
        self.site_file = folder / "site.toml"
        self.data = folder / "data"
        self.log = folder / "hub.log"
        self.ports = dict(zip(("http", "https", "ws", "wss"), free_ports(4), strict=True))
        self.process: subprocess.Popen[bytes] | None = None
        self._passwords: dict[str, str] = {}

    def set_up(self, pki: Path | None = None) -> Depot:
        """Write what the documentation says: settings, site, tokens, secrets, certificates (or a copy of such)."""
        self.file.write_text(SETTINGS.format(**self.ports))
        self.site_file.write_text(SITE)
        for folder in ("tokens", "secrets"):
            (self.folder / folder).mkdir()
        for name in TOKENS:
            (self.folder / "tokens" / name).write_text(f"token-of-{name}\n")
        (self.folder / "secrets" / "oscp-token-a").write_text(f"{FIRST_TOKEN}\n")
        if pki is None:
            make_pki(self.folder / "pki")
        else:
            shutil.copytree(pki, self.folder / "pki")
        return self

    # -- the process ---------------------------------------------------------------------------------------------------

    def start(self) -> Depot:
        """Start the hub without waiting for it."""
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                [BUSBAR, "serve", "--config", str(self.file)], stdout=log, stderr=log, env=_environment()
            )
        return self

    async def ready(self) -> Depot:
        """Wait until the hub lets peers in."""
        await until(self._up)
        return self

    async def _up(self) -> bool:
        assert self.process is not None
        assert self.process.poll() is None, f"the hub ended:\n{self.said()}"
        note = self.data / "hub.json"
        return note.exists() and json.loads(note.read_text())["pid"] == self.process.pid

    def kill(self) -> None:
        """Take the hub away as a power cut would."""
        assert self.process is not None
        self.process.kill()
        self.process.wait()

    def end(self, within_s: float = GENEROUS_S) -> int:
        """Tell the hub to stop, and wait for it; how it ended."""
        if self.process is None:
            return 0
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        try:
            return self.process.wait(within_s)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
            raise

    def said(self) -> str:
        """The hub's log so far."""
        return self.log.read_text() if self.log.exists() else ""

    # -- asking it -----------------------------------------------------------------------------------------------------

    async def busbar(self, *arguments: str | Path) -> Ended:
        """A command about this hub."""
        return await busbar(*arguments, "--config", self.file)

    async def get(self, path: str, **query: Any) -> Any:
        """A document of the API, as the display sees it."""
        async with (
            aiohttp.ClientSession(headers=self.login("display")) as http,
            http.get(f"{self.url}/api/v1{path}", params={k: str(v) for k, v in query.items()}) as reply,
        ):
            document = await reply.json()
            assert reply.status == 200, document
            return document

    async def items(self, path: str, **query: Any) -> list[dict[str, Any]]:
        """All rows of a list."""
        rows: list[dict[str, Any]] = []
        while True:
            document = await self.get(path, **query)
            rows += document["items"]
            if not document.get("next"):
                return rows
            query["cursor"] = document["next"]

    async def messages(self, type: str, **query: Any) -> list[dict[str, Any]]:
        """All messages of a type, whole, oldest first."""
        index = await self.items("/messages", type=type, limit=1000, **query)
        return [await self.get(f"/messages/{row['id']}") for row in reversed(index)]

    async def counted(self, name: str, **labels: str) -> float:
        """The sum of a counter over the series that have these labels."""
        async with aiohttp.ClientSession() as http, http.get(f"{self.url}/metrics") as reply:
            lines = (await reply.text()).splitlines()
        wanted = [f'{label}="{value}"' for label, value in labels.items()]
        found = [
            line for line in lines if line.startswith((f"{name}{{", f"{name} ")) and all(w in line for w in wanted)
        ]
        return sum(float(line.rpartition(" ")[2]) for line in found)

    @property
    def url(self) -> str:
        """The address on loopback."""
        return f"http://127.0.0.1:{self.ports['http']}"

    def login(self, user: str) -> dict[str, str]:
        """The header that a user of the settings sends."""
        return {"Authorization": f"Bearer token-of-{user}"}

    def station_url(self, *, tls: bool = False) -> str:
        """Where stations connect to, without their identity."""
        return f"wss://localhost:{self.ports['wss']}/ocpp" if tls else f"ws://127.0.0.1:{self.ports['ws']}/ocpp"

    def password(self, station: str) -> str:
        """The password that the hub made for a station, as `busbar connect ocpp` shows it."""
        if station not in self._passwords:
            command = [BUSBAR, "connect", "ocpp", station, "--config", str(self.file), "--json", "--show-password"]
            told = subprocess.run(command, check=True, capture_output=True, env=_environment())
            self._passwords[station] = str(json.loads(told.stdout)["password"])
        return self._passwords[station]


def make_pki(folder: Path) -> Path:
    """A root and a server certificate for this machine."""
    subprocess.run([BUSBAR, "pki", "init", str(folder), "--name", "localhost"], check=True, capture_output=True)
    return folder


def free_ports(count: int) -> list[int]:
    """Ports that nobody listens on now, below those that the system gives to clients: a hub that is away keeps its own."""
    found: list[int] = []
    while len(found) < count:
        port = random.randint(15_000, 32_000)
        with socket.socket() as tried, suppress(OSError):
            tried.bind(("127.0.0.1", port))
            found.append(port)
    return found


def _environment() -> dict[str, str]:
    return {name: value for name, value in os.environ.items() if not name.startswith("BUSBAR")} | {"COLUMNS": "200"}
