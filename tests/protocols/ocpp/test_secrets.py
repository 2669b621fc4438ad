"""Passwords that a station sends, or is sent, never reach the journal; all the rest of their frames does, byte by byte."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Any

import pytest
from websockets.exceptions import InvalidStatus

from core.messages import line
from core.messages.evidence import EvidenceQuarantined, EvidenceReceived, EvidenceSent
from protocols.common.seal import WITHHELD
from protocols.ocpp.adapter import OcppAdapter
from protocols.ocpp.dialect import Dialect
from protocols.ocpp.records import Records
from protocols.ocpp.v16.translate import V16
from protocols.ocpp.v201.translate import V201
from tests.protocols.ocpp.conftest import Hub, known, settings
from tests.protocols.ocpp.peer import Peer
from tests.protocols.ports import World

SECRET = "hunter2-hunter2"
BASIC = '"component":{"name":"SecurityCtrlr"},"variable": {"name":"BasicAuthPassword"}'
OLD, NEW = "ocpp1.6", "ocpp2.0.1"
DIALECTS: dict[str, Dialect] = {OLD: V16(), NEW: V201()}
FRAMES = [
    (NEW, f'[2,"a","SetVariables",{{"setVariableData":[{{"attributeValue":"{SECRET}",{BASIC}}}]}}]', 1),
    (NEW, f'[3,"a",{{"getVariableResult": [{{"attributeValue":"{SECRET}",{BASIC}}}]}}]', 1),
    (
        NEW,
        f'[2,"a","NotifyReport",{{"seqNo":0,"requestId":1,"generatedAt":"2026-11-25T18:00:00Z", "reportData":[{{"variableAttribute":[{{"value":"{SECRET}"}}'
        f',{{"type":"Target","value":"{SECRET}"}}],{BASIC}}}]}}]',
        2,
    ),
    (NEW, f'[2,"a","NotifyEvent",{{"eventData":[{{"actualValue":"{SECRET}",{BASIC}}}]}}]', 1),
    (
        NEW,
        f'[2,"a","SetNetworkProfile",{{"connectionData":{{"apn":{{"apnPassword":"{SECRET}"}},'
        f'"vpn":{{"key":"{SECRET}"}}}}}}]',
        2,
    ),
    (NEW, f'[2,"a","DataTransfer",{{"vendorId":"V","data":{{"wifi":[{{"password":"{SECRET}"}}]}}}}]', 1),
    (OLD, f'[2,"a","ChangeConfiguration",{{"key":"AuthorizationKey","value":"{SECRET}"}}]', 1),
    (OLD, f'[3,"a",{{"configurationKey":[{{"key":"authorizationkey","readonly":false,"value":"{SECRET}"}}]}}]', 1),
    (OLD, f'[2,"a","DataTransfer",{{"vendorId":"V","data":"{{\\"AuthorizationKey\\":\\"{SECRET}\\"}}"}}]', 1),
    (OLD, f'[2,"a","DataTransfer",{{"vendorId":"V","messageId":"SetPassword","data":"{SECRET}"}}]', 1),
]


def bare(frame: str) -> str:
    """A frame without what may differ: the secret, or what a vendor put around it."""
    return re.sub(rf'("data"):.*|{SECRET}|secret:[0-9a-f]{{12}}', r"\1", frame)


def received(hub: Hub) -> list[EvidenceReceived]:
    """The frames that came in."""
    return [m.body for m in hub.world.journal.messages if isinstance(m.body, EvidenceReceived)]


@pytest.mark.parametrize(("version", "frame", "count"), FRAMES)
def test_each_secret_of_a_frame_gives_way_to_its_digest_and_the_rest_stays(
    world: World, version: str, frame: str, count: int
) -> None:
    records = Records(world.ports, known("CP1"), 1, DIALECTS[version])
    now = world.clock.now()
    for body in (records.received(frame, "", now).body, records.sent(frame, "", now, ()).body):
        assert isinstance(body, EvidenceReceived | EvidenceSent)
        assert SECRET not in body.frame
        assert len(body.secrets) == count
        assert bare(body.frame) == bare(frame)


@pytest.mark.parametrize(
    ("version", "frame"),
    [
        (
            NEW,
            f'[2,"a","NotifyReport",{{"reportData":[{{{BASIC}, "variableAttribute":[{{"mutability":"WriteOnly"}}]}}]}}]',
        ),
        (NEW, '[2,"a","SecurityEventNotification",{"type":"InvalidPassword", "techInfo":"password of 12 characters"}]'),
        (OLD, '[2,"a","ChangeConfiguration",{"key":"MeterValueSampleInterval","value":"60"}]'),
        (OLD, '[2,"a","DataTransfer",{"vendorId":"V",  "data":"{\\"key\\":1}"}]'),
    ],
)
def test_a_frame_that_holds_no_secret_is_kept_as_it_is(world: World, version: str, frame: str) -> None:
    message = Records(world.ports, known("CP1"), 1, DIALECTS[version]).received(frame, "", world.clock.now())
    body: Any = message.body
    assert (body.frame, body.secrets) == (frame, ())
    assert '"secrets"' not in line(message), "written as it always was"


async def test_what_a_station_sends_is_kept_without_its_secrets(hub: Hub) -> None:
    peer = await hub.peer()
    await peer.boot()
    report = FRAMES[2][1]
    assert (await peer.raw(report))[0] == 3
    [body] = [b for b in received(hub) if b.subject == "NotifyReport"]
    first, second = re.findall(r'"(secret:[0-9a-f]{12})"', body.frame)
    assert first == second, "the same secret reads the same"
    assert body.frame == report.replace(SECRET, first)
    assert body.secrets == ("/3/reportData/0/variableAttribute/0/value", "/3/reportData/0/variableAttribute/1/value")
    await peer.close()


async def test_what_is_set_aside_is_kept_without_its_secrets_too(hub: Hub) -> None:
    peer = await hub.peer()
    await peer.boot()
    assert (await peer.raw(FRAMES[0][1]))[0] == 4
    [refused] = await hub.world.journal.until("evidence.quarantined")
    assert isinstance(refused.body, EvidenceQuarantined)
    assert refused.body.reason == "call_refused"
    assert refused.body.secrets == ("/setVariableData/0/attributeValue",)
    await peer.raw(FRAMES[0][1][:-2])
    await peer.raw(FRAMES[0][1].encode())
    await peer.raw(FRAMES[0][1].encode() + b"\xff")
    assert [b.frame for b in received(hub)].count(WITHHELD) == 2, "cut off, and not in UTF-8"
    for message in hub.world.journal.messages:
        assert SECRET not in line(message)
    await peer.close()


async def test_what_a_station_answers_is_kept_without_its_secrets(hub: Hub) -> None:
    def answer(action: str, payload: dict[str, Any]) -> dict[str, Any]:
        return {"status": "Accepted", "configurationKey": [{"key": "AuthorizationKey", "value": SECRET}]}

    peer = await hub.peer(version=OLD, answer=answer)
    await peer.boot()
    answers = [m for m in await hub.world.journal.until("evidence.received", 2) if "AuthorizationKey" in str(m.body)]
    assert answers
    assert all(SECRET not in str(m.body) for m in answers)
    await peer.close()


async def test_what_is_kept_of_a_stranger_has_no_query_where_passwords_are_put(world: World) -> None:
    kept: list[Any] = []
    adapter = OcppAdapter(settings())
    await adapter.start(replace(world.ports, stranger=lambda *told: kept.append(told)))
    with pytest.raises(InvalidStatus):
        await Peer.open(adapter.health().listening[0], "NOBODY", path=f"/ocpp/NOBODY?password={SECRET}")
    await adapter.stop()
    [(_, _, item)] = kept
    assert item["path"] == "/ocpp/NOBODY"
