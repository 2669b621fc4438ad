"""Boot, heartbeat, status, authorise, transactions and meter values, in both versions."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from core.messages.command import CommandRequested
from core.messages.session import KnownTransaction
from core.ports import Request
from protocols.ocpp.adapter import OcppAdapter
from tests.protocols.ocpp.conftest import Hub, settings
from tests.protocols.ocpp.peer import Peer, Profiles, stamp
from tests.protocols.ports import World
from tests.waiting import until

BOTH = pytest.mark.parametrize("version", ["ocpp2.0.1", "ocpp1.6"])


@BOTH
async def test_a_boot_is_accepted_and_stands_in_the_journal_with_its_frames_in_one_record(
    hub: Hub, version: str
) -> None:
    peer = await hub.peer(version=version)
    answer = await peer.boot()
    assert answer["status"] == "Accepted"
    assert answer["interval"] == 300
    batch = next(b for _, b in hub.world.journal.batches if any(m.type == "station.booted" for m in b))
    assert [m.type for m in batch] == ["evidence.received", "station.booted", "station.seen", "evidence.sent"]
    assert batch[1].causes == (batch[0].id,)
    assert batch[-1].causes == (batch[0].id,)
    assert batch[1].fresh_until is not None
    await peer.close()


@BOTH
async def test_a_heartbeat_leaves_no_frame_and_one_sign_of_life_a_minute(hub: Hub, version: str) -> None:
    peer = await hub.peer(version=version)
    for _ in range(3):
        assert (await peer.call("Heartbeat", {}))["currentTime"].endswith("Z")
    assert len(hub.world.journal.of("station.seen")) == 1
    frames: list[Any] = [m.body for m in hub.world.journal.of("evidence.received")]
    assert all(frame.subject != "Heartbeat" for frame in frames)
    hub.world.clock.shift = 61
    await peer.call("Heartbeat", {})
    assert len(hub.world.journal.of("station.seen")) == 2
    await peer.close()


@BOTH
async def test_the_intervals_of_the_settings_are_those_that_a_station_is_told(world: World, version: str) -> None:
    adapter = OcppAdapter(settings(heartbeat_s=30, meter_interval_s=7))
    await adapter.start(world.ports)
    profiles = Profiles(version)
    peer = await Peer.open(adapter.health().listening[0], "CP1", version=version, answer=profiles)
    assert (await peer.boot())["interval"] == 30
    action, where = ("SetVariables", "attributeValue") if version == "ocpp2.0.1" else ("ChangeConfiguration", "value")
    await until(lambda: bool(profiles.of(action)))
    [told] = profiles.of(action)
    assert told.get("setVariableData", [told])[0][where] == "7"
    await peer.close()
    await adapter.stop()


@pytest.mark.parametrize(
    ("status", "neutral", "state"),
    [
        ("Available", "available", None),
        ("Preparing", "occupied", "ev_connected"),
        ("Charging", "occupied", "charging"),
        ("SuspendedEV", "occupied", "suspended_ev"),
        ("SuspendedEVSE", "occupied", "suspended_evse"),
        ("Finishing", "occupied", "finishing"),
        ("Faulted", "faulted", None),
    ],
)
async def test_a_1_6_status_becomes_a_neutral_status_and_charging_state(
    hub: Hub, status: str, neutral: str, state: str | None
) -> None:
    peer = await hub.peer(version="ocpp1.6")
    await peer.call("StatusNotification", {"connectorId": 1, "errorCode": "NoError", "status": status})
    fact = hub.world.journal.of("connector.status_changed")[0]
    body: Any = fact.body
    assert (body.status, body.charging_state, body.detail) == (neutral, state, status)
    assert (fact.at.station, fact.at.evse, fact.at.connector) == ("CP1", 1, 1)
    await peer.close()


@BOTH
@pytest.mark.parametrize(("token", "accepted"), [("BUS-142", True), ("nobody", False)])
async def test_a_token_is_answered_from_the_directory(hub: Hub, version: str, token: str, accepted: bool) -> None:
    peer = await hub.peer(version=version)
    old = version == "ocpp1.6"
    shown = {"idTag": token} if old else {"idToken": {"idToken": token, "type": "Central"}}
    answer = await peer.call("Authorize", shown)
    info = answer["idTagInfo"] if old else answer["idTokenInfo"]
    assert info["status"] == ("Accepted" if accepted else "Invalid")
    assert hub.world.journal.of("authorisation.decided")[0].body.accepted is accepted
    await peer.close()


async def test_a_1_6_start_gets_the_same_number_again_for_the_same_start(hub: Hub) -> None:
    peer = await hub.peer(version="ocpp1.6")
    start = {"connectorId": 1, "idTag": "BUS-142", "meterStart": 1000, "timestamp": "2026-11-25T21:40:00Z"}
    first = await peer.call("StartTransaction", start)
    again = await peer.call("StartTransaction", start)
    assert first == again
    assert 0 < first["transactionId"] < 2**31
    facts = hub.world.journal.of("session.started")
    assert facts[0].id == facts[1].id
    assert facts[0].body.transaction == str(first["transactionId"])
    assert facts[0].at.session == f"CP1/{first['transactionId']}"
    await peer.close()


async def test_a_2_0_1_transaction_is_told_in_neutral_facts(hub: Hub) -> None:
    peer = await hub.peer()
    event: dict[str, Any] = {
        "eventType": "Started",
        "timestamp": "2026-11-25T21:40:00Z",
        "triggerReason": "Authorized",
        "seqNo": 0,
        "transactionInfo": {"transactionId": "T1", "chargingState": "EVConnected"},
        "evse": {"id": 1, "connectorId": 1},
        "idToken": {"idToken": "BUS-142", "type": "Central"},
        "meterValue": [
            {"timestamp": "2026-11-25T21:40:00Z", "sampledValue": [{"value": 1000, "context": "Transaction.Begin"}]}
        ],
    }
    assert (await peer.call("TransactionEvent", event)) == {"idTokenInfo": {"status": "Accepted"}}
    body: Any = hub.world.journal.of("session.started")[0].body
    assert (body.transaction, body.token, body.meter_wh, body.charging_state, body.seq_no) == (
        "T1",
        "BUS-142",
        1000,
        "ev_connected",
        0,
    )
    await peer.close()


async def test_a_2_0_1_transaction_with_the_id_of_one_that_is_over_is_answered_and_told(hub: Hub) -> None:
    peer = await hub.peer()
    now = hub.world.clock.now()
    for number, (kind, seconds) in enumerate([("Started", -90), ("Ended", -60), ("Started", -90), ("Started", -30)]):
        event = {
            "eventType": kind,
            "timestamp": stamp(now + timedelta(seconds=seconds)),
            "triggerReason": "Authorized",
            "seqNo": number,
            "transactionInfo": {"transactionId": "T1"},
            "evse": {"id": 1},
        }
        assert await peer.call("TransactionEvent", event) == {}
    [aside] = hub.world.journal.of("evidence.quarantined")
    assert (aside.body.reason, aside.body.item) == ("transaction_reused", "T1")
    await peer.close()


async def test_a_2_0_1_station_whose_numbers_begin_again_has_sessions_of_their_own_also_after_a_restart_of_the_hub(
    hub: Hub,
) -> None:
    now = hub.world.clock.now()

    async def tell(peer: Peer, kind: str, seconds: float, number: int) -> None:
        event = {"eventType": kind, "timestamp": stamp(now + timedelta(seconds=seconds)), "seqNo": number}
        more = {"triggerReason": "Authorized", "transactionInfo": {"transactionId": "1"}, "evse": {"id": 1}}
        assert await peer.call("TransactionEvent", event | more) == {}

    first, second = "1", f"1~{now - timedelta(seconds=60):%Y%m%dT%H%M%SZ}"
    hub.world.directory.charged["CP1"] = (
        KnownTransaction(first, now - timedelta(seconds=180), now - timedelta(seconds=120)),
    )
    profiles = Profiles("ocpp2.0.1")
    peer = await hub.peer(answer=profiles)
    await tell(peer, "Started", -60, 0)
    await tell(peer, "Started", -60, 0)
    await tell(peer, "Started", -180, 0)
    await tell(peer, "Updated", -50, 1)
    wish = hub.wish("CP1", (0, 60), (600, 12), transaction=second)
    [sent] = [m for m in await hub.world.journal.until("command.sent", 3) if m.body.wish == wish.id and m.at.evse]
    assert sent.body.installed[0].transaction == second
    wire = await until(lambda: [p["chargingProfile"] for p in profiles.of("SetChargingProfile") if p["evseId"] == 1])
    assert [profile["transactionId"] for profile in wire] == ["1"]
    ask = CommandRequested(act="stop", transaction=second)
    hub.world.desired.asked.put_nowait(Request("depot", "CP1", 1, "stop", ask))
    await until(lambda: {"transactionId": "1"} in profiles.of("RequestStopTransaction"))
    await tell(peer, "Ended", -40, 2)
    told = [m for m in hub.world.journal.messages if m.type.startswith("session.")]
    assert [(m.type.partition(".")[2], m.body.transaction) for m in told] == [
        ("started", second),
        ("started", second),
        ("started", first),
        ("updated", second),
        ("ended", second),
    ]
    assert told[0].id == told[1].id and told[3].at.session == f"CP1/{second}"
    await peer.close()


@BOTH
async def test_what_a_fast_clock_states_happened_when_it_was_told_and_what_waited_happened_before(
    hub: Hub, version: str
) -> None:
    peer = await hub.peer(version=version)
    now = hub.world.clock.now()
    for seconds in (3 * 3600, -3 * 3600, 60):
        entry = {
            "timestamp": stamp(now + timedelta(seconds=seconds)),
            "sampledValue": [{"value": "55", "measurand": "SoC"}],
        }
        if version == "ocpp2.0.1":
            entry["sampledValue"] = [{"value": 55, "measurand": "SoC"}]
        where = {"evseId": 1} if version == "ocpp2.0.1" else {"connectorId": 1}
        assert await peer.call("MeterValues", {**where, "meterValue": [entry]}) == {}
    told = [round((m.time - now).total_seconds(), -1) for m in hub.world.journal.of("session.metered")]
    assert told == [0, -3 * 3600, 60]
    [aside] = hub.world.journal.of("evidence.quarantined")
    assert aside.body.reason == "time_implausible"
    await peer.close()


@BOTH
async def test_all_measurands_of_a_moment_become_one_reading(hub: Hub, version: str) -> None:
    peer = await hub.peer(version=version)
    samples: list[dict[str, Any]] = [
        {"value": 12.5, "measurand": "Energy.Active.Import.Register", "unit": "kWh"},
        {"value": 88000, "measurand": "Power.Active.Import", "unit": "W"},
        {"value": 55, "measurand": "SoC", "unit": "Percent", "location": "EV"},
        {"value": 90, "measurand": "Power.Offered", "unit": "kW"},
    ]
    if version == "ocpp1.6":
        values = [{**s, "value": str(s["value"])} for s in samples]
        meter = [{"timestamp": "2026-11-25T21:41:00Z", "sampledValue": values}]
        await peer.call("MeterValues", {"connectorId": 1, "transactionId": 7, "meterValue": meter})
    else:
        values = [{k: v for k, v in s.items() if k != "unit"} | {"unitOfMeasure": {"unit": s["unit"]}} for s in samples]
        meter = [{"timestamp": "2026-11-25T21:41:00Z", "sampledValue": values}]
        await peer.call("MeterValues", {"evseId": 1, "meterValue": meter})
    [fact] = hub.world.journal.of("session.metered")
    body: Any = fact.body
    assert (body.energy_wh, body.power_kw, body.soc, body.offered_kw) == (12500, 88, 0.55, 90)
    assert not hub.world.journal.of("evidence.quarantined")
    await peer.close()
