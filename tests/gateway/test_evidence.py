"""Evidence that is too large for a message, from the file that was posted to the bytes that are read again."""

from __future__ import annotations

import io
import os
import zipfile
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest

from core.messages import Message, compose
from core.messages.evidence import EvidenceReceived
from core.ports import NotStored
from gateway.evidence import FIRST, LARGEST, beside, whole
from gateway.journal.memory import MemoryLog
from tests.gateway.api.conftest import NOW
from tests.gateway.test_controller import House, house

__all__ = ["house"]


def evidence(frame: str, encoding: Any = "text") -> Message:
    body = EvidenceReceived(protocol="vdv", peer="planner", frame=frame, encoding=encoding)
    return compose(body, id="e1", time=NOW, source="api", site="depot")


async def read(house: House, id: str) -> tuple[int, bytes]:
    url = f"{house.hub.http.addresses['local']}/api/v1/messages/{id}/content?after={await house.hub.log.last()}"
    async with house.client.get(url) as reply:
        return reply.status, await reply.read()


async def test_a_large_archive_is_kept_whole_over_a_restart(house: House) -> None:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_STORED) as archive:
        archive.writestr("readme.bin", os.urandom(1_500_000))
    content = packed.getvalue()
    status, told = await house.post("/sites/depot/schedules", content)
    assert (status, told["reason"]) == (422, "format_unknown")
    (message,) = await house.messages("evidence.received")
    body = message.body
    assert isinstance(body, EvidenceReceived)
    assert (body.content, body.size) == (sha256(content).hexdigest(), len(content))
    await house.hub.stop()
    await house.start()
    assert await read(house, message.id) == (200, content)


async def test_small_evidence_and_what_is_none(house: House) -> None:
    await house.post("/sites/depot/schedules", b"operating_day,vehicle,departure,distance_km\n")
    (message,) = await house.messages("evidence.received")
    assert (await read(house, message.id))[1].startswith(b"operating_day")
    (other,) = [m for m in await house.messages("site.configured") if m.site == "depot"]
    assert (await read(house, other.id))[0] == 404


async def test_of_large_text_whole_characters_stand_in_the_message() -> None:
    log = MemoryLog()
    text = "x" + "ü" * LARGEST
    (cited,) = await beside(log, [evidence(text)])
    body = cited.body
    assert isinstance(body, EvidenceReceived)
    assert (body.encoding, body.frame) == ("text", "x" + "ü" * ((FIRST - 1) // 2))
    assert await whole(log, body) == text.encode()


async def test_what_fits_a_message_stays_as_it_is() -> None:
    messages = [evidence("x" * LARGEST)]
    assert await beside(MemoryLog(), messages) is messages


async def test_nothing_cites_what_could_not_be_kept(tmp_path: Path) -> None:
    with pytest.raises(NotStored, match="next:"):
        await beside(MemoryLog(max_bytes=1000), [evidence("x" * (LARGEST + 1))])
