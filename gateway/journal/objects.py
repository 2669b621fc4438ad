"""What is too large for a record: a NATS object store (ADR-20), its names the SHA-256 of what they hold."""

from __future__ import annotations

import asyncio
import base64
import json
import secrets
from collections.abc import Mapping
from hashlib import sha256
from typing import Any

from core.messages.base import canonical
from core.ports import NotStored
from gateway.journal import streams, subjects
from gateway.journal.chain import NEXT
from gateway.journal.group import Unanswered
from gateway.journal.link import ApiError, Link
from gateway.journal.log import Damaged, Full
from gateway.journal.pull import until_lost

CHUNK = 128 * 1024
NO_MESSAGE = 10037
WITHIN_S = 30.0
"""Reading one object takes no longer."""


async def put(link: Link, content: bytes) -> str:
    """Store it and return its digest; what is there already is not stored again.

    Raises:
        NotStored: it was not acknowledged. Chunks that are left behind harm nobody: no record names them.
    """
    digest = sha256(content).hexdigest()
    try:
        if await _meta(link, digest) is None:
            await _store(link, digest, content)
    except Unanswered as error:
        raise NotStored(f"the journal did not answer ({error}); next: see whether its server runs") from error
    except ApiError as error:
        raise NotStored(f"the journal cannot keep large content: {error}") from error
    return digest


async def get(link: Link, digest: str) -> bytes | None:
    """What is stored under that digest, or None.

    Raises:
        Damaged: it is not what was stored.
    """
    try:
        meta = await _meta(link, digest)
    except ApiError:
        return None
    if meta is None:
        return None
    async with asyncio.timeout(WITHIN_S):
        content = await _chunks(link, str(meta["nuid"]), int(meta["chunks"]))
    if sha256(content).hexdigest() != digest:
        raise Damaged(f"content {digest} is not what was kept; {NEXT}")
    return content


async def _store(link: Link, digest: str, content: bytes) -> None:
    nuid = secrets.token_hex(11)
    chunks = [content[start : start + CHUNK] for start in range(0, len(content), CHUNK)]
    for chunk in chunks:
        await _publish(link, f"{subjects.CHUNKS}.{nuid}", chunk)
    meta = {
        "name": digest,
        "bucket": "content",
        "nuid": nuid,
        "size": len(content),
        "chunks": len(chunks),
        "digest": f"SHA-256={base64.urlsafe_b64encode(bytes.fromhex(digest)).decode()}",
        "options": {"max_chunk_size": CHUNK},
    }
    await _publish(link, _subject(digest), canonical(meta).encode(), {"Nats-Rollup": "sub"})


async def _publish(link: Link, subject: str, data: bytes, headers: Mapping[str, str] | None = None) -> None:
    answer = json.loads((await link.request(subject, data, headers)).data)
    if "error" in answer:
        told = answer["error"].get("description", "")
        raise Full(f"large content was not kept ({told}); next: raise `journal.content_max_bytes` and restart")


async def _meta(link: Link, digest: str) -> dict[str, Any] | None:
    try:
        answer = await link.api(f"STREAM.MSG.GET.{streams.CONTENT}", {"last_by_subj": _subject(digest)})
    except ApiError as error:
        if error.err_code == NO_MESSAGE:
            return None
        raise
    found: dict[str, Any] = json.loads(base64.b64decode(answer["message"]["data"]))
    return found


async def _chunks(link: Link, nuid: str, count: int) -> bytes:
    """All chunks in order; begun again where the connection is lost."""
    config = {"deliver_policy": "all", "filter_subject": f"{subjects.CHUNKS}.{nuid}"}
    while count:
        found: list[bytes] = []
        async with until_lost(link, streams.CONTENT, config) as messages:
            async for message in messages:
                found.append(message.data)
                if len(found) == count or message.pending == 0:
                    return b"".join(found)
        await asyncio.sleep(0.05)
    return b""


def _subject(digest: str) -> str:
    return f"{subjects.META}.{base64.urlsafe_b64encode(digest.encode()).decode()}"
