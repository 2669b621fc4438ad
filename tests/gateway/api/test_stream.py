"""The event stream and the documents for machines."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import aiohttp

from core.messages import BODIES
from tests.gateway.api.conftest import Running
from tests.waiting import GENEROUS_S

SOC = {"source": "t", "subject": "vehicle:BUS-1", "measured_at": "2026-11-25T17:59:00Z", "soc": 0.4}


async def events(
    running: Running, count: int, query: str = "", last: str | None = None, begun: asyncio.Event | None = None
) -> list[tuple[str, str, dict[str, Any]]]:
    """The first so many events: id, type, data."""
    url = f"{running.hub.http.addresses['local']}/api/v1/events{query}"
    headers = {"Last-Event-ID": last} if last else {}
    found: list[tuple[str, str, dict[str, Any]]] = []
    async with asyncio.timeout(GENEROUS_S), running.client.get(url, headers=headers) as reply:
        assert reply.content_type == "text/event-stream"
        fields: dict[str, str] = {}
        while len(found) < count:
            line = (await reply.content.readline()).decode().rstrip("\n")
            name, _, value = line.partition(": ")
            fields[name] = value
            if begun is not None:
                begun.set()
            if not line and "data" in fields:
                found.append((fields["id"], fields["event"], json.loads(fields["data"])))
                fields = {}
    return found


async def test_a_fact_reaches_the_stream_with_its_position(running: Running) -> None:
    begun = asyncio.Event()
    listening = asyncio.create_task(events(running, 1, "?type=vehicle.read", begun=begun))
    await begun.wait()
    _, _, reply = await running.ask("POST", "/sites/depot/telemetry", SOC)
    ((id, type, data),) = await listening
    assert (id.split(".")[0], type) == (reply.headers["Busbar-Position"], "vehicle.read")
    assert data["body"]["soc"] == 0.4
    assert (data["area"], data["subject"]) == ("operations & dispatch", "vehicle state")


async def test_a_stream_goes_on_behind_the_last_event_that_was_seen(running: Running) -> None:
    for minute in range(3):
        await running.ask("POST", "/sites/depot/telemetry", {**SOC, "measured_at": f"2026-11-25T17:5{minute}:00Z"})
    whole = await events(running, 3, "?since=0&type=vehicle.read")
    rest = await events(running, 2, "?type=vehicle.read", last=whole[0][0])
    assert rest == whole[1:]


async def test_evidence_comes_only_to_those_who_ask(running: Running) -> None:
    await running.ask("POST", "/sites/depot/telemetry", SOC)
    found = await events(running, 1, "?since=0&evidence=1&type=evidence.received")
    assert found[0][1] == "evidence.received"
    everything = await events(running, 3, "?since=0")
    assert not any(type.startswith("evidence") for _, type, _ in everything)


async def test_openapi_describes_every_endpoint(running: Running) -> None:
    status, told, _ = await running.ask("GET", "/openapi.json")
    assert (status, told["openapi"]) == (200, "3.1.0")
    assert "/api/v1/sites/{site}/telemetry" in told["paths"]
    assert "/api/v1/events" in told["paths"]
    for path, methods in told["paths"].items():
        for method, operation in methods.items():
            assert operation["summary"], (path, method)
    assert _refs_resolve(told)


async def test_asyncapi_has_every_message(running: Running) -> None:
    status, told, _ = await running.ask("GET", "/asyncapi.json")
    assert (status, told["asyncapi"]) == (200, "3.0.0")
    assert set(told["components"]["messages"]) == set(BODIES)
    assert told["channels"]["evidence"]["address"] == "evidence.{protocol}.{site}.{peer}"
    assert _refs_resolve(told)


async def test_the_messages_have_json_schemas(running: Running) -> None:
    _, told, _ = await running.ask("GET", "/schemas")
    assert set(told["bodies"]) == set(BODIES)


def _refs_resolve(document: dict[str, Any]) -> bool:
    def walk(value: Any) -> bool:
        if isinstance(value, dict):
            ref = value.get("$ref")
            return (ref is None or found(ref)) and all(walk(v) for v in value.values())
        return all(walk(v) for v in value) if isinstance(value, list) else True

    def found(ref: str) -> bool:
        at: Any = document
        for part in ref.removeprefix("#/").split("/"):
            at = at.get(part) if isinstance(at, dict) else None
        return at is not None

    return walk(document)


async def test_a_client_that_leaves_costs_nothing(running: Running) -> None:
    url = f"{running.hub.http.addresses['local']}/api/v1/events"
    async with aiohttp.ClientSession() as client, client.get(url) as reply:
        await reply.content.readline()
    for minute in range(3):
        await running.ask("POST", "/sites/depot/telemetry", {**SOC, "measured_at": f"2026-11-25T17:5{minute}:00Z"})
    status, _, _ = await running.ask("GET", "/sites")
    assert status == 200


async def test_every_endpoint_stands_in_the_reference(running: Running) -> None:
    page = (Path(__file__).parents[3] / "docs" / "reference" / "api.md").read_text(encoding="utf-8")
    for endpoint in running.hub.api.endpoints:
        path = endpoint.path.replace("...}", "}")
        assert path in page, f"docs/reference/api.md does not name {path}"
