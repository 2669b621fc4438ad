"""The settings and the files that they name, read again while the hub runs."""

from __future__ import annotations

import json
import shutil
import ssl
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from gateway.journal.memory import MemoryLog
from gateway.settings.errors import SettingsError
from gateway.settings.load import load
from gateway.wiring import Hub
from pki.folder import Folder, initialise

FILE = """
[[http]]
port = 0
[[http]]
name = "secure"
port = 0
tls = "web"
[[tls]]
name = "web"
certificate = "server.pem"
key = "server.key"
[[tls]]
name = "mutual"
certificate = "first/server.pem"
key = "first/server.key"
client_roots = "roots.pem"
[[users]]
name = "anna"
role = "admin"
token = "file:anna.token"
[[sites]]
id = "depot"
zone = "Europe/Berlin"
nodes = [{ id = "GRID", kind = "grid_connection", limit_kw = LIMIT }]
stations = [{ id = "CP-01", node = "GRID", safe_kw = 0, password = "file:cp.password", connectors = [{ evse = 1, max_kw = 60 }] }]
"""


class Place:
    """A folder with a settings file and what it names, and the hub that was started from it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.file = folder / "busbar.toml"
        self.first, self.second = self.authority("first"), self.authority("second")
        self.use(self.first)
        (folder / "roots.pem").write_bytes(self.first.root.read_bytes() + self.second.root.read_bytes())
        (folder / "anna.token").write_text("token-one")
        (folder / "cp.password").write_text("password-one-123")
        self.write()
        self.hub: Hub

    def authority(self, name: str) -> Folder:
        return initialise(self.folder / name, ["localhost", "127.0.0.1"], datetime.now(UTC))

    def use(self, made: Folder) -> None:
        shutil.copy(made.certificate, self.folder / "server.pem")
        shutil.copy(made.key, self.folder / "server.key")

    def write(self, limit: Any = 100, more: str = "") -> None:
        self.file.write_text(more + FILE.replace("LIMIT", str(limit)))

    def client(self, trusting: Folder) -> aiohttp.ClientSession:
        """A client that trusts one root and keeps its connection."""
        context = ssl.create_default_context(cafile=str(trusting.root))
        return aiohttp.ClientSession(connector=aiohttp.TCPConnector(ssl=context, limit=1))

    async def status(self, client: aiohttp.ClientSession, token: str = "token-one", name: str = "local") -> int:
        url = f"{self.hub.http.addresses[name]}/api/v1/sites"
        async with client.get(url, headers={"Authorization": f"Bearer {token}"}) as reply:
            return reply.status


@pytest.fixture
async def place(tmp_path: Path) -> AsyncIterator[Place]:
    made = Place(tmp_path)
    made.hub = Hub(load(made.file, {}), log=MemoryLog(), source=made.file)
    await made.hub.start()
    yield made
    await made.hub.stop()


async def test_this_machine_s_command_line_is_led_to_the_listener_whose_name_it_need_not_know(tmp_path: Path) -> None:
    made = Place(tmp_path)
    made.write(more='[[http]]\nname = "front"\nport = 0\ntls = "web"\n')
    hub = Hub(load(made.file, {}), log=MemoryLog(), source=made.file)
    await hub.start()
    try:
        note = json.loads((hub.settings.data / "hub.json").read_text())
        assert (next(iter(note["addresses"])), note["url"]) == ("front", hub.http.addresses["local"])
    finally:
        await hub.stop()


async def test_a_bad_file_changes_nothing_and_a_good_one_says_what_changed(place: Place) -> None:
    hub = place.hub
    assert await hub.reload() == {"changed": [], "restart": []}
    place.write('"much"')
    with pytest.raises(SettingsError):
        await hub.reload()
    assert hub.settings.sites[0].nodes[0].limit_kw == 100
    place.write(80, 'gateway = "other"\n')
    assert await hub.reload() == {"changed": ["sites.depot.nodes"], "restart": ["gateway"]}
    configured = hub.controllers["depot"].state.config
    assert configured is not None
    assert configured.nodes[0].limit_kw == 80
    assert await hub.reload() == {"changed": [], "restart": ["gateway"]}


async def test_a_new_token_in_the_same_file_lets_its_holder_in_and_the_old_one_no_more(place: Place) -> None:
    async with aiohttp.ClientSession() as client:
        assert await place.status(client) == 200
        (place.folder / "anna.token").write_text("token-two")
        assert await place.hub.reload() == {"changed": ["users.anna.token"], "restart": []}
        assert await place.status(client) == 401
        assert await place.status(client, "token-two") == 200


async def test_a_stations_new_password_holds_and_is_never_told(place: Place) -> None:
    (place.folder / "cp.password").write_text("password-two-123")
    told = await place.hub.reload()
    assert told == {"changed": ["sites.depot.stations.CP-01.password"], "restart": []}
    known = place.hub.feed.directory.station("CP-01")
    assert known is not None
    assert place.hub.secrets.get(known.credential) == b"password-two-123"


async def test_a_file_that_is_gone_is_refused_and_nothing_changes(place: Place) -> None:
    (place.folder / "anna.token").unlink()
    place.write(80)
    with pytest.raises(SettingsError, match=r"users\.anna\.token: .*gone.*; next:"):
        await place.hub.reload()
    assert place.hub.settings.sites[0].nodes[0].limit_kw == 100
    async with aiohttp.ClientSession() as client:
        assert await place.status(client) == 200


async def test_a_new_certificate_is_shown_to_new_connections_and_open_ones_go_on(place: Place) -> None:
    async with place.client(place.first) as early, place.client(place.second) as late:
        assert await place.status(early, name="secure") == 200
        with pytest.raises(aiohttp.ClientConnectorCertificateError):
            await place.status(late, name="secure")
        place.use(place.second)
        told = await place.hub.reload()
        assert told == {"changed": ["tls.web.certificate", "tls.web.key"], "restart": []}
        assert await place.status(early, name="secure") == 200
        assert await place.status(late, name="secure") == 200


async def test_a_key_that_belongs_to_another_certificate_is_refused_and_nothing_changes(place: Place) -> None:
    shutil.copy(place.second.key, place.folder / "server.key")
    place.write(80)
    with pytest.raises(SettingsError, match=r"tls `web`.*next:"):
        await place.hub.reload()
    assert place.hub.settings.sites[0].nodes[0].limit_kw == 100
    async with place.client(place.first) as client:
        assert await place.status(client, name="secure") == 200


async def test_a_root_that_was_taken_out_waits_for_a_restart(place: Place) -> None:
    (place.folder / "roots.pem").write_bytes(place.first.root.read_bytes())
    told = await place.hub.reload()
    assert told == {"changed": ["tls.mutual.client_roots"], "restart": ["tls.mutual.client_roots: fewer"]}
