"""Answers of pages and API in gzip for whoever takes it; partners and machines get them as they are."""

from __future__ import annotations

import asyncio
import zlib
from collections.abc import Mapping

from core.ports import HttpRequest, HttpResponse
from gateway.settings.models import Mount

MOUNTS: frozenset[Mount] = frozenset({"pages", "api"})
LEAST = 1024
"""Below so many bytes it saves no packet."""
ASIDE = 128 * 1024
"""Above so many bytes it is done beside the event loop."""
LEVEL = 6
_GZIP = 16 + zlib.MAX_WBITS
_TEXT = ("text/", "image/svg+xml", "application/json", "application/problem+json")


def takes_gzip(accepted: str) -> bool:
    """Whether an `Accept-Encoding` admits gzip; what it does not name it admits only by `*` (RFC 9110, 12.5.3)."""
    weights: dict[str, float] = {}
    for part in accepted.lower().split(","):
        name, _, rest = part.partition(";")
        weights[name.strip()] = _weight(rest)
    return weights.get("gzip", weights.get("x-gzip", weights.get("*", 0.0))) > 0


def _weight(parameters: str) -> float:
    name, _, value = parameters.strip().partition("=")
    try:
        return float(value) if name.strip() == "q" else 1.0
    except ValueError:
        return 0.0


async def compressed(answer: HttpResponse, request: HttpRequest, mount: Mount) -> HttpResponse:
    """The answer as that client takes it."""
    if mount not in MOUNTS or len(answer.body) < LEAST or not answer.content_type.startswith(_TEXT):
        return answer
    headers = {**answer.headers, "Vary": "Accept-Encoding"}
    if not takes_gzip(request.headers.get("accept-encoding", "")):
        return HttpResponse(answer.status, answer.body, answer.content_type, headers)
    body = gzip(answer.body) if len(answer.body) < ASIDE else await asyncio.to_thread(gzip, answer.body)
    return HttpResponse(answer.status, body, answer.content_type, _encoded(headers))


def _encoded(headers: Mapping[str, str]) -> dict[str, str]:
    """Other bytes, the same content: its strong tag becomes a weak one (RFC 9110, 8.8.3)."""
    told = {**headers, "Content-Encoding": "gzip"}
    if told.get("ETag", "").startswith('"'):
        told["ETag"] = f"W/{told['ETag']}"
    return told


def gzip(body: bytes) -> bytes:
    """Equal bodies give equal bytes: no name, no time."""
    packer = zlib.compressobj(LEVEL, wbits=_GZIP)
    return packer.compress(body) + packer.flush()
