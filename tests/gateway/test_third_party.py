"""An adapter of somebody else: installed by pip, found by its entry point, configured, run, and held to the contract."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
SETTINGS = """
[[sites]]
id = "depot"
nodes = [{ id = "grid", kind = "grid_connection", limit_kw = 400 }]
[adapters.meterpush]
site = "depot"
"""
SERVE = """
import asyncio, sys
from pathlib import Path
import aiohttp
from core.messages.gateway import GatewayStarted
from gateway import registry
from gateway.http import HttpHost, Users
from gateway.metrics import Metrics
from gateway.secrets import FileSecrets
from gateway.settings import load
from gateway.settings.load import adapter_settings
from gateway.tls import TlsContexts
from dataclasses import replace
from protocols.contract import Kit

async def main(config, body):
    settings = load(config, {"BUSBAR__HTTP": '[{port = 0}]'})
    host = HttpHost(Users([], FileSecrets(settings.data)), Metrics())
    kit = Kit()
    for name, own in adapter_settings(settings).items():
        await registry.build(name, own).start(replace(kit.ports, http=host.at("partners")))
    await host.start(settings.http, TlsContexts([]))
    async with aiohttp.ClientSession() as http:
        async with http.post(host.addresses["local"] + "/meterpush", data=body) as reply:
            print(reply.status, [m.type for _, batch in kit.journal.batches for m in batch])
    await host.stop()

asyncio.run(main(Path(sys.argv[1]), sys.argv[2].encode()))
"""


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    target = tmp_path_factory.mktemp("site-packages")
    command = [sys.executable, "-m", "pip", "install", "-q", "--no-deps", "--no-index", "--target", str(target)]
    done = subprocess.run([*command, str(ROOT / "tests" / "third_party")], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return target


def python(installed: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    env = os.environ | {"PYTHONPATH": f"{installed}{os.pathsep}{ROOT}"}
    return subprocess.run(
        [sys.executable, *arguments], capture_output=True, text=True, env=env, cwd=installed, check=False
    )


def test_it_is_found_and_its_settings_are_checked_like_ours(installed: Path, tmp_path: Path) -> None:
    config = tmp_path / "busbar.toml"
    config.write_text(SETTINGS)
    fine = python(installed, "-m", "gateway.cli.main", "check", "--config", str(config))
    assert (fine.returncode, "adapters: meterpush" in fine.stdout) == (0, True), fine.stderr
    config.write_text(SETTINGS.replace('site = "depot"', 'sight = "depot"'))
    wrong = python(installed, "-m", "gateway.cli.main", "check", "--config", str(config))
    assert wrong.returncode == 2
    assert "did you mean `site`?" in wrong.stderr


def test_it_takes_a_reading_over_the_hubs_own_listener(installed: Path, tmp_path: Path) -> None:
    config = tmp_path / "busbar.toml"
    config.write_text(SETTINGS)
    reading = '[{"meter": "grid", "at": "2026-11-25T23:00:00Z", "import_kw": 212.5}, {"meter": "grid"}]'
    done = python(installed, "-c", SERVE, str(config), reading)
    assert done.stdout.strip() == "200 ['evidence.received', 'meter.sampled', 'evidence.quarantined']", done.stderr


def test_it_passes_the_contract_that_every_adapter_passes(installed: Path) -> None:
    suite = str(installed / "acme_meterpush" / "contract.py")
    options = ["-q", "-p", "no:cacheprovider", "-o", "asyncio_mode=auto", "--rootdir", str(installed), "-c", os.devnull]
    done = python(installed, "-m", "pytest", *options, suite)
    assert done.returncode == 0, done.stdout
    assert " passed" in done.stdout
