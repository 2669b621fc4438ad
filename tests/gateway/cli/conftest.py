"""A hub to talk to: the real HTTP host with handlers that answer as the API reference says."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from core.ports import HttpRequest, HttpResponse
from gateway.cli.main import run
from gateway.http import HttpHost, Users, problem
from gateway.metrics import Metrics
from gateway.secrets import FileSecrets
from gateway.settings import HttpListener, User
from gateway.tls import TlsContexts


@dataclass(frozen=True)
class Ended:
    code: int
    out: str
    err: str


@dataclass
class Hub:
    """Answers by (method, path); remembers what it was asked."""

    data: Path
    http: HttpHost
    answers: dict[tuple[str, str], Any] = field(default_factory=dict)
    asked: list[HttpRequest] = field(default_factory=list)

    async def handle(self, request: HttpRequest) -> HttpResponse:
        self.asked.append(request)
        answer = self.answers.get((request.method, request.path.removeprefix("/api/v1")))
        if answer is None:
            return problem(404, "not-found", "Not found", "there is no such thing", "see `busbar stations`")
        if callable(answer):
            answer = answer(request.query)
        if isinstance(answer, HttpResponse):
            return answer
        headers = {} if request.method == "GET" else {"Busbar-Position": "77"}
        return HttpResponse(200, json.dumps(answer).encode(), headers=headers)


Cli = Callable[..., Awaitable[Ended]]


@pytest.fixture
def cli(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Cli:
    monkeypatch.delenv("BUSBAR_DATA", raising=False)
    monkeypatch.chdir(tmp_path)

    async def call(*arguments: str | Path) -> Ended:
        code = await asyncio.to_thread(run, [str(a) for a in arguments])
        captured = capsys.readouterr()
        return Ended(code, captured.out, captured.err)

    return call


@pytest.fixture
async def hub(tmp_path: Path) -> AsyncIterator[Hub]:
    """A hub with a note in its data folder; its token is an operator's."""
    data = tmp_path / "data"
    data.mkdir()
    token = data / "token"
    token.write_text("o-token\n")
    known = Users([User(name="anna", role="operator", token="file:token")], FileSecrets(data, base=data))
    host = HttpHost(known, Metrics())
    made = Hub(data, host)
    made.answers["GET", "/sites"] = {"items": [{"id": "depot", "limit_kw": 260.0, "incidents_open": 0}]}
    for method in ("GET", "POST"):
        host.route(method, "/api/v1/{rest...}", made.handle)
    await host.start([HttpListener(port=0)], TlsContexts([]))
    note = {"url": host.addresses["local"], "token_file": str(token), "pid": 1, "ocpp": ["ws://127.0.0.1:9/ocpp"]}
    (made.data / "hub.json").write_text(json.dumps(note))
    yield made
    await host.stop()
