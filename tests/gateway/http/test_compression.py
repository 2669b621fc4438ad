"""Compression: pages and API go out in gzip to whoever takes it, everything else as it is."""

from __future__ import annotations

import gzip
from typing import Any

import aiohttp
import pytest

from core.ports import HttpRequest, HttpResponse
from gateway.http.compression import ASIDE, takes_gzip
from tests.gateway.http.conftest import Build, Running

LONG = b'{"row": "a departure that is fine"}' * 200


def serving(running: Running, path: str, body: bytes = LONG, kind: str = "application/json", **headers: str) -> None:
    async def answer(request: HttpRequest) -> HttpResponse:
        return HttpResponse(200, body, kind, headers)

    running.host.route("GET", path, answer)


async def raw(running: Running, path: str, accepted: str | None) -> tuple[bytes, Any]:
    """The body as it stands on the wire, and the answer's headers."""
    skip = ("Accept-Encoding",) if accepted is None else ()
    headers = {} if accepted is None else {"Accept-Encoding": accepted}
    url = running.host.addresses["local"] + path
    async with (
        aiohttp.ClientSession(auto_decompress=False) as client,
        client.get(url, headers=headers, skip_auto_headers=skip) as reply,
    ):
        return await reply.read(), reply.headers


@pytest.fixture
async def plain(build: Build) -> Running:
    running = await build()
    for path in ("/s/nord", "/api/v1/vehicles", "/oscp/fp/2.0/x"):
        serving(running, path)
    return running


@pytest.mark.parametrize("path", ["/s/nord", "/api/v1/vehicles"])
async def test_pages_and_api_are_compressed_for_whoever_takes_it(plain: Running, path: str) -> None:
    await plain.open()
    body, headers = await raw(plain, path, "gzip, br")
    assert (headers["Content-Encoding"], headers["Vary"]) == ("gzip", "Accept-Encoding")
    assert gzip.decompress(body) == LONG
    assert len(body) < len(LONG) / 10
    assert int(headers["Content-Length"]) == len(body)


@pytest.mark.parametrize("accepted", [None, "", "identity", "br", "gzip;q=0", "*;q=0"])
async def test_who_does_not_take_gzip_gets_the_bytes_and_caches_are_told(plain: Running, accepted: str | None) -> None:
    await plain.open()
    body, headers = await raw(plain, "/s/nord", accepted)
    assert body == LONG
    assert "Content-Encoding" not in headers
    assert headers["Vary"] == "Accept-Encoding"


async def test_what_partners_get_is_left_as_it_is(plain: Running) -> None:
    await plain.open()
    body, headers = await raw(plain, "/oscp/fp/2.0/x", "gzip")
    assert body == LONG
    assert "Content-Encoding" not in headers


async def test_what_is_short_or_no_text_is_left_as_it_is(build: Build) -> None:
    running = await build()
    serving(running, "/short", b"{}")
    serving(running, "/picture", LONG, "image/png")
    await running.open()
    for path in ("/short", "/picture"):
        assert "Content-Encoding" not in (await raw(running, path, "gzip"))[1]


async def test_a_large_answer_is_whole(build: Build) -> None:
    running = await build()
    large = LONG * (ASIDE // len(LONG) + 2)
    serving(running, "/api/v1/messages", large)
    await running.open()
    assert gzip.decompress((await raw(running, "/api/v1/messages", "gzip"))[0]) == large


async def test_the_compressed_form_has_a_weak_tag(build: Build) -> None:
    running = await build()
    serving(running, "/api/v1/vehicles", ETag='"abc"')
    await running.open()
    assert (await raw(running, "/api/v1/vehicles", "gzip"))[1]["ETag"] == 'W/"abc"'
    assert (await raw(running, "/api/v1/vehicles", None))[1]["ETag"] == '"abc"'


async def test_head_says_what_get_would(plain: Running) -> None:
    await plain.open()
    url = plain.host.addresses["local"] + "/s/nord"
    async with plain.client.head(url, headers={"Accept-Encoding": "gzip"}) as reply:
        assert (await reply.read(), reply.headers["Content-Encoding"]) == (b"", "gzip")


@pytest.mark.parametrize(
    ("accepted", "taken"),
    [
        ("gzip", True),
        ("GZIP;q=0.5, br", True),
        ("*", True),
        ("*, gzip;q=0", False),
        ("gzip;q=nonsense", False),
        ("x-gzip", True),
        ("", False),
    ],
)
def test_accept_encoding_is_read_as_the_standard_says(accepted: str, taken: bool) -> None:
    assert takes_gzip(accepted) is taken
