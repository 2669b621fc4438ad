"""The settings read again while the hub runs."""

from __future__ import annotations

from pathlib import Path

import pytest

from gateway.journal.memory import MemoryLog
from gateway.settings.errors import SettingsError
from gateway.settings.load import load
from gateway.wiring import Hub

FILE = """
[[http]]
port = 0
[[sites]]
id = "depot"
zone = "Europe/Berlin"
nodes = [{ id = "GRID", kind = "grid_connection", limit_kw = LIMIT }]
"""


async def test_a_bad_file_changes_nothing_and_a_good_one_says_what_changed(tmp_path: Path) -> None:
    file = tmp_path / "busbar.toml"
    file.write_text(FILE.replace("LIMIT", "100"))
    hub = Hub(load(file, {}), log=MemoryLog(), source=file)
    await hub.start()
    try:
        assert await hub.reload() == {"changed": [], "restart": []}
        file.write_text(FILE.replace("LIMIT", '"much"'))
        with pytest.raises(SettingsError):
            await hub.reload()
        assert hub.settings.sites[0].nodes[0].limit_kw == 100
        file.write_text('gateway = "other"\n' + FILE.replace("LIMIT", "80"))
        assert await hub.reload() == {"changed": ["sites.depot.nodes"], "restart": ["gateway"]}
        configured = hub.controllers["depot"].state.configured
        assert configured is not None
        assert hub.settings.sites[0].nodes[0].limit_kw == 80
    finally:
        await hub.stop()
