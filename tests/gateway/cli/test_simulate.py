"""The simulators from the command line, against a server that is really there or not."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.gateway.cli.conftest import Cli, Hub


async def test_the_scheduler_posts_its_files_in_order(cli: Cli, hub: Hub, tmp_path: Path) -> None:
    hub.answers["POST", "/sites/depot/schedules"] = {}
    for name in ("plan.csv", "assignments.csv"):
        (tmp_path / name).write_text(name)
    url = await url_of(hub)
    token = hub.data / "token"
    ended = await cli(
        "simulate",
        "scheduler",
        "plan.csv",
        "assignments.csv",
        "--url",
        f"{url}/api/v1/sites/depot/schedules",
        "--token-file",
        token,
    )
    assert ended.code == 0, ended.err
    assert [r.body for r in hub.asked] == [b"plan.csv", b"assignments.csv"]


async def url_of(hub: Hub) -> str:
    import json

    return str(json.loads((hub.data / "hub.json").read_text())["url"])


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (("charger", "CP-01", "--url", "http://127.0.0.1:1/ocpp"), 2),
        (("charger", "CP-01", "--url", "ws://127.0.0.1:1/ocpp", "--password-file", "nowhere"), 2),
        (("fleet", "--url", "wss://127.0.0.1:1/ocpp", "--ca", "nowhere.pem"), 2),
        (("scheduler", "nowhere.zip", "--url", "http://127.0.0.1:1/"), 3),
        (("dso", "--url", "http://127.0.0.1:1/", "--token-file", "nowhere", "--group", "g"), 2),
    ],
)
async def test_what_cannot_be_used_is_said_before_anything_runs(
    cli: Cli, arguments: tuple[str, ...], code: int
) -> None:
    ended = await cli("simulate", *arguments)
    assert ended.code == code
    assert "; next: " in ended.err
    assert "Traceback" not in ended.err
