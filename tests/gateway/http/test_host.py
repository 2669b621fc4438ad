"""The HTTP host over real sockets: routes, bounds, rates, machines, streams, orderly stop."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

import aiohttp
import pytest

from core.ports import HttpRequest, HttpResponse, NotStored, NotSure
from gateway.clock import SystemClock
from gateway.http import StreamClosed, StreamWriter, host
from gateway.settings import HttpListener, TlsContext
from gateway.tls import TlsContexts
from pki.folder import initialise
from tests.gateway.http.conftest import Build
from tests.waiting import GENEROUS_S


async def echo(request: HttpRequest) -> HttpResponse:
    told = f"{request.method} {dict(request.params)} {dict(request.query)} {request.body.decode()}"
    return HttpResponse(200, told.encode(), "text/plain")


async def test_an_adapter_gets_its_request_whole(build: Build) -> None:
    running = await build()
    running.host.at("partners").route("POST", "/oscp/fp/2.0/{action}", echo, 100)
    await running.open()
    status, told, reply = await running.ask("POST", "/oscp/fp/2.0/hand%2Fshake?a=1", data=b"body")
    assert (status, told) == (200, b"POST {'action': 'hand/shake'} {'a': '1'} body")
    assert reply.headers["Server"] == "busbar"


async def test_literal_paths_win_over_parameters_and_the_rest_over_nothing(build: Build) -> None:
    running = await build()
    for path in ("/s/{site}", "/s/new", "/files/{path...}"):
        running.host.route("GET", path, echo)
    await running.open()
    assert (await running.ask("GET", "/s/new"))[1] == b"GET {} {} "
    assert (await running.ask("GET", "/s/x"))[1] == b"GET {'site': 'x'} {} "
    assert (await running.ask("GET", "/files/a/b.css"))[1] == b"GET {'path': 'a/b.css'} {} "
    assert (await running.ask("GET", "/s/"))[0] == 404


async def test_what_is_not_served_is_a_problem_document_with_the_next_step(build: Build) -> None:
    running = await build()
    running.host.route("GET", "/api/v1/sites", echo)
    await running.open()
    status, told, reply = await running.ask("GET", "/api/v1/nothing")
    assert (status, reply.content_type) == (404, "application/problem+json")
    assert set(told) == {"type", "title", "status", "detail", "instance", "next"}
    assert told["instance"] == "/api/v1/nothing"
    status, _, reply = await running.ask("POST", "/api/v1/sites")
    assert (status, reply.headers["Allow"]) == (405, "GET")


async def test_head_is_answered_where_get_is(build: Build) -> None:
    running = await build()
    running.host.route("GET", "/page", echo)
    await running.open()
    status, told, _ = await running.ask("HEAD", "/page")
    assert (status, told) == (200, b"")


@pytest.mark.parametrize("chunked", [False, True])
async def test_a_body_above_its_bound_is_refused_and_the_next_request_is_served(build: Build, chunked: bool) -> None:
    running = await build()
    running.host.route("POST", "/oscp/x", echo, 10)
    await running.open()

    async def parts() -> AsyncIterator[bytes]:
        for _ in range(3):
            yield b"12345"

    status, told, _ = await running.ask("POST", "/oscp/x", data=parts() if chunked else b"12345678901")
    assert (status, told["detail"]) == (413, "at most 10 bytes are taken here")
    assert (await running.ask("POST", "/oscp/x", data=b"1234567890"))[0] == 200


async def test_a_listeners_bound_holds_over_a_routes(build: Build) -> None:
    running = await build()
    running.host.route("POST", "/oscp/x", echo, 1 << 20)
    await running.open(HttpListener(port=0, max_body_bytes=1024))
    assert (await running.ask("POST", "/oscp/x", data=b"x" * 1025))[0] == 413


async def test_an_address_that_asks_too_often_waits_as_long_as_it_is_told(build: Build) -> None:
    running = await build()
    running.host.route("GET", "/oscp/x", echo)
    await running.open(HttpListener(port=0, rate_per_s=0.5, rate_burst=2))
    answers = [await running.ask("GET", "/oscp/x") for _ in range(3)]
    assert [status for status, _, _ in answers] == [200, 200, 429]
    assert answers[2][2].headers["Retry-After"] == "2"


async def test_each_listener_serves_its_own_mounts(build: Build) -> None:
    running = await build()
    running.host.route("GET", "/oscp/x", echo)
    running.host.route("GET", "/api/v1/sites", echo)
    inner = HttpListener(name="inner", port=0, mounts=("api",))
    outer = HttpListener(name="outer", port=0, mounts=("partners",))
    await running.open(inner, outer)
    found = {
        (name, path): (await running.ask("GET", path, listener=name))[0]
        for name in ("inner", "outer")
        for path in ("/oscp/x", "/api/v1/sites", "/metrics")
    }
    assert [k for k, status in found.items() if status == 200] == [("inner", "/api/v1/sites"), ("outer", "/oscp/x")]


async def test_a_defect_of_a_handler_is_one_answer_and_the_listener_goes_on(build: Build) -> None:
    running = await build()

    async def broken(request: HttpRequest) -> HttpResponse:
        raise RuntimeError("secret detail")

    running.host.route("GET", "/oscp/broken", broken)
    running.host.route("GET", "/oscp/x", echo)
    await running.open()
    status, told, _ = await running.ask("GET", "/oscp/broken")
    assert status == 500
    assert "secret" not in str(told)
    assert (await running.ask("GET", "/oscp/x"))[0] == 200


@pytest.mark.parametrize(("says", "told"), [(NotStored("full"), "nothing was changed"), (NotSure("?"), "may still be")])
async def test_what_the_journal_did_not_take_is_asked_again(build: Build, says: NotStored, told: str) -> None:
    running = await build()

    async def full(request: HttpRequest) -> HttpResponse:
        raise says

    running.host.route("POST", "/api/v1/reload", full)
    await running.open()
    status, problem, reply = await running.ask("POST", "/api/v1/reload")
    assert (status, reply.headers["Retry-After"]) == (503, "5")
    assert told in problem["detail"]


async def test_machines_see_life_readiness_and_metrics(build: Build) -> None:
    running = await build()
    waiting: dict[str, str | None] = {"directory": "reads the journal, 40 records to go"}
    running.host.ready_checks["directory"] = lambda: waiting["directory"]
    await running.open()
    assert (await running.ask("GET", "/live"))[0] == 200
    status, told, _ = await running.ask("GET", "/ready")
    assert (status, told["waiting"]) == (503, waiting)
    waiting["directory"] = None
    assert (await running.ask("GET", "/ready"))[0] == 200
    _, text, reply = await running.ask("GET", "/metrics")
    assert reply.content_type == "text/plain"
    assert b'busbar_http_requests_total{mount="metrics",status="503"} 1.0' in text


class Held(SystemClock):
    def __init__(self) -> None:
        self.holders: list[str] = []

    @contextmanager
    def hold(self, who: str) -> Iterator[None]:
        self.holders.append(who)
        try:
            yield
        finally:
            self.holders.remove(who)


async def test_the_clock_is_held_from_the_request_to_its_answer(build: Build) -> None:
    clock = Held()
    running = await build(clock=clock)
    seen: list[str] = []

    async def look(request: HttpRequest) -> HttpResponse:
        seen.extend(clock.holders)
        return HttpResponse(204)

    running.host.route("POST", "/oscp/x", look)
    await running.open()
    assert (await running.ask("POST", "/oscp/x"))[0] == 204
    assert [s.partition(":")[0] for s in seen] == ["http"]
    assert clock.holders == []


async def test_a_stream_goes_out_piece_by_piece_and_ends_with_its_client(build: Build) -> None:
    running = await build()
    ended = asyncio.Event()

    async def events(request: HttpRequest, writer: StreamWriter) -> None:
        try:
            while True:
                await writer.write(b"id: 1\ndata: x\n\n")
                await asyncio.sleep(0.01)
        except StreamClosed:
            ended.set()
            raise
        except asyncio.CancelledError:
            ended.set()
            raise

    running.host.stream("/api/v1/events", events)
    await running.open()
    async with running.client.get(running.host.addresses["local"] + "/api/v1/events") as reply:
        assert reply.content_type == "text/event-stream"
        assert await reply.content.readline() == b"id: 1\n"
    reply.close()
    await asyncio.wait_for(ended.wait(), GENEROUS_S)


async def test_stopping_lets_a_request_be_answered_and_ends_streams(
    build: Build, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(host, "GRACE_S", 10 * GENEROUS_S)  # because: who waits it out is seen
    running = await build()
    begun = asyncio.Event()

    async def slow(request: HttpRequest) -> HttpResponse:
        begun.set()
        await asyncio.sleep(0.05)
        return HttpResponse(200, b"done", "text/plain")

    async def forever(request: HttpRequest, writer: StreamWriter) -> None:
        await writer.start()
        await asyncio.Event().wait()

    running.host.route("GET", "/oscp/slow", slow)
    running.host.stream("/api/v1/events", forever)
    await running.open()
    async with running.client.get(running.host.addresses["local"] + "/api/v1/events") as stream:
        asked = asyncio.ensure_future(running.ask("GET", "/oscp/slow"))
        await begun.wait()
        await asyncio.wait_for(running.host.stop(), GENEROUS_S)
        assert (await asked)[1] == b"done"
        with pytest.raises((aiohttp.ClientPayloadError, asyncio.IncompleteReadError, StopAsyncIteration)):
            if await stream.content.read() == b"":
                raise StopAsyncIteration


async def test_a_connection_without_a_whole_head_is_closed_in_time(
    build: Build, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(host, "IDLE_S", 0.2)
    running = await build()
    await running.open()
    for sent in (b"", b"GET /live HTTP/1.1\r\nHost: x\r\n"):
        port = int(running.host.addresses["local"].rpartition(":")[2])
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(sent)
        assert await asyncio.wait_for(reader.read(), GENEROUS_S) == b""
        writer.close()


async def test_what_is_no_http_is_refused_and_fills_no_log(build: Build, caplog: pytest.LogCaptureFixture) -> None:
    running = await build()
    await running.open()
    port = int(running.host.addresses["local"].rpartition(":")[2])
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(b"GET /live HTTP/1.1\r\n" + b"X-A: b\r\n" * 200 + b"\r\n")
    assert b" 400 " in (await asyncio.wait_for(reader.read(), GENEROUS_S)).split(b"\r\n")[0]
    writer.close()
    assert [r.getMessage() for r in caplog.records if r.exc_info or r.levelno >= logging.WARNING] == []


async def test_a_path_is_mounted_once(build: Build) -> None:
    running = await build()
    running.host.route("GET", "/oscp/x", echo)
    with pytest.raises(ValueError, match="mounted twice"):
        running.host.route("GET", "/oscp/x", echo)


async def test_a_listener_with_tls_answers_https_alone(build: Build, tmp_path: Path) -> None:
    running = await build()
    made = initialise(tmp_path / "pki", ("127.0.0.1",), datetime.now(UTC))
    contexts = TlsContexts([TlsContext(name="hub", certificate=made.certificate, key=made.key)])
    await running.host.start([HttpListener(port=0, tls="hub")], contexts)
    url = running.host.addresses["local"]
    assert url.startswith("https://")
    import ssl

    trusted = ssl.create_default_context(cafile=str(made.root))
    assert (await running.ask("GET", "/live", ssl=trusted))[0] == 200
    with pytest.raises(aiohttp.ClientError):
        await running.client.get(url.replace("https", "http") + "/live")
