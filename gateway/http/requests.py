"""From aiohttp's request to the plain one that handlers get, bounded in size and time."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping

from aiohttp import web

from core.ports import HttpRequest
from gateway.http import problems
from gateway.http.access import Identity
from gateway.http.problems import Problem

BODY_WITHIN_S = 30.0


class Refused(Exception):
    """The host itself says no."""

    def __init__(self, problem: Problem) -> None:
        self.problem = problem
        super().__init__(problem.title)


def bare(request: web.BaseRequest) -> HttpRequest:
    """The request without its body; names that the host itself sets are taken from nobody."""
    headers = {k.lower(): v for k, v in request.headers.items() if not k.lower().startswith("busbar-user")}
    return HttpRequest(
        method=request.method,
        path=request.rel_url.raw_path,
        params={},
        query=dict(request.rel_url.query),
        headers=headers,
        body=b"",
        peer=request.remote or "",
    )


def whole(bare: HttpRequest, params: Mapping[str, str], body: bytes, who: Identity | None) -> HttpRequest:
    """The request as a handler gets it; `busbar-user` and `busbar-user-role` say who asks."""
    said = {} if who is None else {"busbar-user": who.name, "busbar-user-role": who.role}
    return HttpRequest(bare.method, bare.path, params, bare.query, {**bare.headers, **said}, body, bare.peer)


async def read_body(request: web.BaseRequest, limit: int) -> bytes:
    """The body, never more than `limit` bytes in memory, within its time."""
    if request.content_length is not None and request.content_length > limit:
        raise Refused(problems.too_large(limit))
    parts = bytearray()
    try:
        async with asyncio.timeout(BODY_WITHIN_S):
            async for part in request.content.iter_any():
                parts += part
                if len(parts) > limit:
                    raise Refused(problems.too_large(limit))
    except TimeoutError:
        raise Refused(problems.too_slow()) from None
    return bytes(parts)
