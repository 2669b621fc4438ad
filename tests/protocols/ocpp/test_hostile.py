"""What a station may do wrong, on purpose or not: strangers, broken frames, broken schemas, floods, a full journal."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest
from websockets.exceptions import ConnectionClosed, InvalidStatus

from protocols.ocpp import rpc
from protocols.ocpp.adapter import OcppAdapter
from protocols.ocpp.server import identity, password
from tests.protocols.ocpp.conftest import Hub, known, settings
from tests.protocols.ocpp.peer import Peer, Profiles, basic
from tests.protocols.ports import StandingClock, World
from tests.waiting import GENEROUS_S, until


@pytest.mark.parametrize(
    ("path", "name"),
    [
        ("/ocpp/CP%201%2Fa", "CP 1/a"),
        ("/ocpp/CP1/", "CP1"),
        ("/CP1?x=1", "CP1"),
        ("//ocpp//CP1", "CP1"),
        ("/steve/websocket/CentralSystemService/CP1", "CP1"),
        ("/", None),
        ("", None),
        ("/?CP1", None),
    ],
)
def test_the_identity_is_the_last_segment_of_the_path_decoded(path: str, name: str | None) -> None:
    assert identity(path) == name


def test_a_password_is_bytes_and_belongs_to_one_user_who_may_have_a_colon_in_his_name() -> None:
    header = basic("CP:1", b"\xff\x00:\xfe")["Authorization"]
    assert password(header, "CP:1") == b"\xff\x00:\xfe"
    assert password(header, "CP:2") is None
    assert password("Bearer x", "CP:1") is None
    assert password("Basic !!", "CP:1") is None
    assert password(None, "CP:1") is None


async def test_a_station_with_a_strange_name_comes_in_by_its_encoded_path(hub: Hub) -> None:
    peer = await hub.peer("CP 1/a", path="/ocpp/CP%201%2Fa")
    await peer.boot()
    assert hub.world.journal.of("station.booted")[0].at.station == "CP 1/a"
    await peer.close()


async def test_a_stranger_is_refused_before_the_upgrade_and_stands_in_the_knocking_list_once_a_minute(hub: Hub) -> None:
    for _ in range(5):
        with pytest.raises(InvalidStatus) as refused:
            await hub.peer("NOBODY")
        assert refused.value.response.status_code == 404
        [fact] = await hub.world.journal.until("station.knocked")
    body: Any = fact.body
    assert (fact.site, fact.at.station, body.reason, body.versions) == (
        "_hub",
        "NOBODY",
        "station_unknown",
        ("ocpp2.0.1",),
    )
    hub.world.clock.shift = 61
    with pytest.raises(InvalidStatus):
        await hub.peer("NOBODY")
    again = await hub.world.journal.until("station.knocked", 2)
    assert again[1].body.times == 5


async def test_strangers_cannot_fill_the_journal(hub: Hub) -> None:
    for number in range(40):
        with pytest.raises(InvalidStatus):
            await hub.peer(f"X{number}")
    assert len(await hub.world.journal.until("station.knocked", 30)) == 30
    with pytest.raises(InvalidStatus):
        await hub.peer("X0")
    assert len(hub.world.journal.of("station.knocked")) == 30


@pytest.mark.parametrize(
    "headers",
    [basic("CP1", b"wrong"), basic("CP2", b"secret"), {}, {"Authorization": "Basic \xff"}, basic("", b"secret")],
)
async def test_wrong_password_get_401_and_leave_no_secret_anywhere(
    hub: Hub, headers: dict[str, str], caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level("DEBUG"), pytest.raises(InvalidStatus) as refused:
        await hub.peer("CP1", headers=headers)
    assert refused.value.response.status_code == 401
    [fact] = await hub.world.journal.until("station.knocked")
    assert fact.body.reason == "credential_wrong"
    ours = [r for r in caplog.records if r.name.startswith("protocols")]
    assert not any("d3Jvbmc" in r.getMessage() for r in ours)


async def test_a_version_that_nobody_shares_is_closed_after_the_handshake(hub: Hub) -> None:
    with pytest.raises((ConnectionClosed, Exception)):
        peer = await hub.peer(version="ocpp9.9")
        await peer.raw('[2,"1","Heartbeat",{}]', within=0.5)
    assert not hub.world.journal.of("station.connected")
    [fact] = await hub.world.journal.until("station.knocked")
    assert (fact.at.station, fact.body.reason, fact.body.versions) == ("CP1", "version_refused", ("ocpp9.9",))


async def test_a_strangers_name_brings_no_line_of_its_own_into_the_log_and_no_command_of_its_own_into_a_shell(
    hub: Hub, caplog: pytest.LogCaptureFixture
) -> None:
    with pytest.raises(InvalidStatus):
        await hub.peer("X", path="/ocpp/x;reboot%0A%1B[31m2026%20ERROR")
    await hub.world.journal.until("station.knocked")
    [line] = [r.getMessage() for r in caplog.records if r.name.endswith("knocks")]
    assert line.isprintable()
    assert "refused once" in line
    assert "connect ocpp 'x;reboot??[31m2026 ERROR' --accept" in line


FRAMES_201 = [
    ("{}", [4, "-1", "RpcFrameworkError"]),
    ("not json", [4, "-1", "RpcFrameworkError"]),
    ("[]", [4, "-1", "RpcFrameworkError"]),
    ('[2,["a"],"Heartbeat",{}]', [4, "-1", "RpcFrameworkError"]),
    ("[" * 100_000, [4, "-1", "RpcFrameworkError"]),
    ('[2,"7","Nope",{}]', [4, "7", "NotImplemented"]),
    ('[9,"7"]', [4, "7", "MessageTypeNotSupported"]),
    ('[2,"7","Heartbeat"]', [4, "7", "FormatViolation"]),
    ('[2,"7",["a"],{}]', [4, "7", "FormatViolation"]),
    ('[2,"7","Heartbeat",[]]', [4, "7", "FormatViolation"]),
    ('[2,7,"Heartbeat",{}]', [3, 7]),
    ('[2,"7","Heartbeat",{"x":1}]', [3, "7"]),
    ('[2,"7","Heartbeat",{"x":null}]', [3, "7"]),
    ('[2,"7","BootNotification",{"reason":"PowerUp"}]', [4, "7", "OccurrenceConstraintViolation"]),
    ('[2,"7","Authorize",{"idToken":7}]', [4, "7", "TypeConstraintViolation"]),
    ('[2,"7","SetChargingProfile",{}]', [4, "7", "NotImplemented"]),
    ('[2,"7","Heartbeat",{"customData":7}]', [4, "7", "TypeConstraintViolation"]),
    ('[2,"7","DataTransfer",{"vendorId":"x"}]', [3, "7"]),
]
FRAMES_16 = [
    ('[2,"7","Heartbeat"]', [4, "7", "FormationViolation"]),
    ('[2,"7","Nope",{}]', [4, "7", "NotImplemented"]),
    ('[2,"7","Authorize",{}]', [4, "7", "OccurenceConstraintViolation"]),
    ('[2,"7","Authorize",{"idTag":7}]', [4, "7", "TypeConstraintViolation"]),
    (
        '[2,"7","BootNotification",{"chargePointVendor":"","chargePointModel":"a model with a very long name"}]',
        [3, "7"],
    ),
    ('[2,"7","DataTransfer",{"vendorId":"x"}]', [3, "7"]),
]


@pytest.mark.parametrize(
    ("version", "frame", "answer"),
    [("ocpp2.0.1", *pair) for pair in FRAMES_201] + [("ocpp1.6", *pair) for pair in FRAMES_16],
)
async def test_every_frame_gets_its_versions_answer_and_the_next_one_is_served(
    hub: Hub, version: str, frame: str, answer: list[Any]
) -> None:
    peer = await hub.peer(version=version)
    assert (await peer.raw(frame))[: len(answer)] == answer
    assert (await peer.raw('[2,"next","Heartbeat",{}]'))[:2] == [3, "next"]
    if answer[0] == 4:
        [aside] = hub.world.journal.of("evidence.quarantined")
        assert aside.body.reason in ("frame_unreadable", "call_refused")
        assert hub.world.counts["quarantined"] == 1
    await peer.close()


@pytest.mark.parametrize(
    ("version", "frame"),
    [
        ("ocpp2.0.1", '[3,"zzz",{}]'),
        ("ocpp2.0.1", '[3,"zzz"]'),
        ("ocpp2.0.1", "[4]"),
        ("ocpp2.0.1", '[6,"7","NotifyPeriodicEventStream",{}]'),
        ("ocpp1.6", "{}"),
        ("ocpp1.6", "not json"),
        ("ocpp1.6", '[9,"7"]'),
        ("ocpp1.6", '[4,"zzz","InternalError","",{}]'),
    ],
)
async def test_what_a_version_leaves_unanswered_is_counted(hub: Hub, version: str, frame: str) -> None:
    peer = await hub.peer(version=version)
    await peer.silent(frame)
    assert hub.world.counts["frames_unanswered"] + hub.world.counts["answers_unmatched"] == 1
    await peer.close()


@pytest.mark.parametrize(
    ("ident", "why"),
    [
        ("x" * 256, "longer than 255"),
        (10**300, "longer than 255"),
        (["a"], "missing or not"),
        (True, "missing or not"),
        (None, "missing or not"),
    ],
)
def test_an_id_that_cannot_be_used_says_why(ident: object, why: str) -> None:
    frame = rpc.parse(json.dumps([2, ident, "Heartbeat", {}]))
    assert isinstance(frame, rpc.Unreadable) and why in frame.why


async def test_a_binary_frame_is_kept_as_base64(hub: Hub) -> None:
    peer = await hub.peer()
    assert (await peer.raw(b"\xff\xfe"))[:3] == [4, "-1", "RpcFrameworkError"]
    body: Any = hub.world.journal.of("evidence.received")[0].body
    assert (body.encoding, body.frame) == ("base64", "//4=")
    await peer.close()


async def test_a_frame_that_is_too_large_closes_the_socket_and_is_told(world: World) -> None:
    adapter = OcppAdapter(settings(max_frame_bytes=2048))
    await adapter.start(world.ports)
    peer = await Peer.open(adapter.health().listening[0], "CP1")
    await peer.boot()
    await peer.socket.send(json.dumps([2, "7", "DataTransfer", {"vendorId": "x", "data": "y" * 5000}]))
    [gone] = await world.journal.until("station.disconnected")
    assert gone.body.reason == "frame_too_large"
    assert world.journal.of("evidence.quarantined")[0].body.reason == "frame_too_large"
    assert peer.socket.close_code == 1009
    again = await Peer.open(adapter.health().listening[0], "CP1")
    await again.boot()
    await again.close()
    await adapter.stop()


EVIDENCE: list[tuple[str, str, dict[str, Any], set[str], str]] = [
    (
        "ocpp1.6",
        "StatusNotification",
        {"connectorId": 1, "errorCode": "NoError", "status": "Dancing"},
        {"connector.status_changed"},
        "status_unknown",
    ),
    (
        "ocpp1.6",
        "StatusNotification",
        {"connectorId": 1, "errorCode": "NoError", "status": "Charging", "timestamp": "1970-01-01T00:00:00Z"},
        {"connector.status_changed"},
        "time_implausible",
    ),
    (
        "ocpp1.6",
        "StartTransaction",
        {"connectorId": 1, "idTag": "T" * 30, "meterStart": 1, "timestamp": "2026-11-25T22:00:00Z", "x": [1]},
        {"session.started"},
        "schema_violated",
    ),
    ("ocpp1.6", "StopTransaction", {"transactionId": 7, "meterStop": "many"}, {"session.ended"}, "value_unreadable"),
    ("ocpp1.6", "MeterValues", {"connectorId": 1, "meterValue": [7]}, set(), "meter_value_unreadable"),
    ("ocpp1.6", "StatusNotification", {}, set(), "connector_unknown"),
    (
        "ocpp2.0.1",
        "TransactionEvent",
        {"eventType": "Updated", "transactionInfo": {"transactionId": "T", "chargingState": "Flying"}},
        {"session.updated"},
        "sequence_missing",
    ),
    ("ocpp2.0.1", "TransactionEvent", {"eventType": "Started"}, set(), "transaction_unknown"),
    (
        "ocpp2.0.1",
        "StatusNotification",
        {"evseId": 1, "connectorStatus": 7},
        {"connector.status_changed"},
        "status_unknown",
    ),
    ("ocpp2.0.1", "MeterValues", {"evseId": "one", "meterValue": {}}, set(), "connector_unknown"),
]


@pytest.mark.parametrize(("version", "action", "payload", "facts", "reason"), EVIDENCE)
async def test_a_broken_message_that_carries_evidence_is_answered_and_its_good_part_used(
    hub: Hub, version: str, action: str, payload: dict[str, Any], facts: set[str], reason: str
) -> None:
    peer = await hub.peer(version=version)
    await peer.call(action, payload)
    batch = next(b for _, b in hub.world.journal.batches if b[0].type == "evidence.received")
    told = {m.type for m in batch if not m.type.startswith("evidence.") and m.type != "station.seen"}
    assert told == facts
    assert reason in [m.body.reason for m in batch if m.type == "evidence.quarantined"]
    await peer.close()


async def test_thousands_of_bad_values_leave_twenty_messages_and_an_answer(hub: Hub) -> None:
    peer = await hub.peer()
    values = [{"value": "x"}] * 3000
    await peer.call(
        "MeterValues", {"evseId": 1, "meterValue": [{"timestamp": "2026-11-25T22:00:00Z", "sampledValue": values}]}
    )
    assert len(hub.world.journal.of("evidence.quarantined")) == 20
    await peer.close()


async def test_what_is_wrong_with_every_frame_of_a_station_is_a_line_in_the_log_once_an_hour(
    hub: Hub, caplog: pytest.LogCaptureFixture
) -> None:
    peer = await hub.peer()

    async def minutes(first: int, last: int, watts: float, measurand: str = "Power.Active.Import") -> None:
        value = {"value": watts, "measurand": measurand}
        for minute in range(first, last):
            hub.world.clock.shift = 60.0 * minute
            await peer.call("MeterValues", {"evseId": 1, "meterValue": [{"sampledValue": [value]}]})

    await minutes(0, 50, -20_000)
    await minutes(50, 51, 5, "Horses")
    await minutes(51, 62, -20_000)
    lines = [r.getMessage() for r in caplog.records if "set aside" in r.getMessage()]
    assert [line.split(": ")[2].split(",")[0] for line in lines] == [
        "value_out_of_range",
        "measurand_unknown",
        "value_out_of_range",
    ]
    assert "(58 more since the last such line)" in lines[-1]
    assert hub.world.counts["quarantined"] == 62
    await peer.close()


async def test_a_repeated_request_gets_the_stored_answer_and_tells_nothing_new(hub: Hub) -> None:
    peer = await hub.peer()
    frame = '[2,"1","BootNotification",{"reason":"PowerUp","chargingStation":{"vendorName":"V","model":"M"}}]'
    first = await peer.raw(frame)
    hub.world.clock.shift = 5
    assert await peer.raw(frame) == first
    assert len(hub.world.journal.of("station.booted")) == 1
    other = frame.replace("PowerUp", "Watchdog")
    assert (await peer.raw(other))[0] == 3
    assert len(hub.world.journal.of("station.booted")) == 2
    await peer.close()


async def test_a_full_journal_means_no_answer_and_afterwards_service_again(hub: Hub) -> None:
    peer = await hub.peer(answer=Profiles("ocpp2.0.1"))
    await peer.boot()
    await hub.world.journal.until("command.confirmed", 2)  # because: what follows from a boot must not be what fails
    hub.world.journal.full = True
    await peer.socket.send('[2,"x","StatusNotification",{"evseId":1,"connectorId":1,"connectorStatus":"Available"}]')
    await until(lambda: hub.world.counts["frames_not_stored"])
    hub.world.journal.full = False
    assert (await peer.raw('[2,"y","Heartbeat",{}]'))[:2] == [3, "y"]
    await peer.close()


async def test_a_connection_that_cannot_be_stored_is_told_to_try_again_later(hub: Hub) -> None:
    hub.world.journal.full = True
    peer = await hub.peer()
    await asyncio.wait_for(peer.socket.wait_closed(), GENEROUS_S)
    assert peer.socket.close_code == 1013
    assert not any(p.connected for p in hub.adapter.health().peers)


async def test_the_newest_connection_of_a_station_wins_and_the_old_ones_end_touches_nothing(hub: Hub) -> None:
    old = await hub.peer()
    await old.boot()
    new = await hub.peer()
    await new.boot()
    await asyncio.wait_for(old.socket.wait_closed(), GENEROUS_S)
    assert old.socket.close_code == 1000
    await old.close()
    assert (await new.raw('[2,"y","Heartbeat",{}]'))[:2] == [3, "y"]
    told = [m for m in hub.world.journal.messages if m.type in ("station.connected", "station.disconnected")]
    assert [m.type for m in told] == ["station.connected", "station.disconnected", "station.connected"]
    assert told[1].body.reason == "replaced"
    assert told[1].body.connection == told[0].body.connection
    assert [p.connected for p in hub.adapter.health().peers] == [True]
    await new.close()


async def test_a_1_6_station_on_a_2_0_1_connection_is_closed_and_next_time_gets_its_version(hub: Hub) -> None:
    peer = await hub.peer()
    answer = await peer.raw('[2,"1","BootNotification",{"chargePointVendor":"V","chargePointModel":"M"}]')
    assert answer[0] == 4
    await asyncio.wait_for(peer.socket.wait_closed(), GENEROUS_S)
    assert peer.socket.close_code == 1002
    again = await hub.peer(version="ocpp1.6")
    assert (await again.boot())["status"] == "Accepted"
    await again.close()


async def test_a_station_that_booted_once_in_the_other_version_is_not_locked_out(hub: Hub) -> None:
    peer = await hub.peer(version="ocpp1.6")
    wrong = {"reason": "PowerUp", "chargingStation": {"vendorName": "V", "model": "M"}}
    await peer.raw(json.dumps([2, "1", "BootNotification", wrong]))
    await asyncio.wait_for(peer.socket.wait_closed(), GENEROUS_S)
    again = await hub.peer(version="ocpp1.6")
    assert again.socket.subprotocol == "ocpp1.6"
    assert (await again.boot())["status"] == "Accepted"
    await again.close()


async def test_a_flood_is_slowed_down_and_nothing_is_lost(world: World) -> None:
    world.clock = clock = StandingClock()
    adapter = OcppAdapter(settings(frames_burst=10, frames_per_s=100))
    await adapter.start(world.ports)
    peer = await Peer.open(adapter.health().listening[0], "CP1", answer=lambda action, payload: None)
    for number in range(25):
        await peer.socket.send(f'[2,"{number}","Heartbeat",{{}}]')
    answers = [await asyncio.wait_for(peer.frames.get(), GENEROUS_S) for _ in range(25)]
    assert [a[1] for a in answers] == [str(n) for n in range(25)]
    assert world.counts["frames_delayed"] == 15, "ten at once, each of the others at its turn"
    assert clock.slept == ["ocpp:CP1:pace"] * 15
    assert clock.shift == pytest.approx(15 / 100)
    await peer.close()
    await adapter.stop()


async def test_a_station_whose_answers_make_no_sense_is_only_rejected(hub: Hub) -> None:
    def nonsense(action: str, payload: dict[str, Any]) -> dict[str, Any] | str | None:
        return (
            {"status": ["what", {"x": 1}], "schedule": 7}
            if action != "GetCompositeSchedule"
            else {"status": "Accepted"}
        )

    peer = await hub.peer(answer=nonsense)
    await peer.boot()
    await hub.world.journal.until("command.rejected", 2)
    assert (await peer.raw('[2,"y","Heartbeat",{}]'))[:2] == [3, "y"]
    await peer.close()


async def test_stopping_journals_the_loss_of_every_connection(world: World) -> None:
    adapter = OcppAdapter(settings())
    await adapter.start(world.ports)
    peers = [await Peer.open(adapter.health().listening[0], name) for name in ("CP1", "CP2")]
    for peer in peers:
        await peer.boot()
    await adapter.stop()
    assert {m.at.station for m in world.journal.of("station.disconnected")} == {"CP1", "CP2"}
    assert all(peer.socket.close_code == 1001 for peer in peers)


async def test_a_station_with_two_connectors_gets_half_the_safe_level_on_each(world: World) -> None:
    world.directory.stations["CP1"] = known("CP1", connectors=2)
    adapter = OcppAdapter(settings())
    await adapter.start(world.ports)
    profiles = Profiles("ocpp2.0.1")
    peer = await Peer.open(adapter.health().listening[0], "CP1", answer=profiles)
    await peer.boot()
    messages = await world.journal.until("command.confirmed", 2)
    assert profiles.limit(1, world.clock.now()) == 6_000
    default: Any = next(m.body for m in messages if m.body.purpose == "default")
    assert default.installed[0].steps[0].kw == 12
    await peer.close()
    await adapter.stop()
