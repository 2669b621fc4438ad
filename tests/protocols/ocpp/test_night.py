"""One night played through both versions states the same neutral facts."""

from __future__ import annotations

from typing import Any

from core.messages import Message
from tests.protocols.ocpp.conftest import Hub
from tests.protocols.ocpp.peer import Peer

TIMES = [f"2026-11-25T22:{minute:02}:00Z" for minute in range(10)]
SAMPLES = [
    ("Energy.Active.Import.Register", 1500, "Wh"),
    ("Power.Active.Import", 88_000, "W"),
    ("Power.Offered", 90_000, "W"),
    ("SoC", 42, "Percent"),
]


async def night_16(peer: Peer) -> None:
    async def status(word: str, when: str) -> None:
        payload = {"connectorId": 1, "errorCode": "NoError", "status": word, "timestamp": when}
        await peer.call("StatusNotification", payload)

    await peer.boot()
    await status("Available", TIMES[0])
    await status("Preparing", TIMES[1])
    start = {"connectorId": 1, "idTag": "BUS-142", "meterStart": 1000, "timestamp": TIMES[2]}
    transaction = (await peer.call("StartTransaction", start))["transactionId"]
    await status("Charging", TIMES[3])
    values = [{"measurand": m, "value": str(v), "unit": u} for m, v, u in SAMPLES]
    meter = [{"timestamp": TIMES[4], "sampledValue": values}]
    await peer.call("MeterValues", {"connectorId": 1, "transactionId": transaction, "meterValue": meter})
    await status("SuspendedEV", TIMES[5])
    await peer.call(
        "StopTransaction",
        {"transactionId": transaction, "meterStop": 2500, "timestamp": TIMES[6], "reason": "EVDisconnected"},
    )
    await status("Available", TIMES[7])


async def night_201(peer: Peer) -> None:
    numbers = iter(range(10))

    async def status(word: str, when: str) -> None:
        await peer.call(
            "StatusNotification", {"evseId": 1, "connectorId": 1, "connectorStatus": word, "timestamp": when}
        )

    async def event(kind: str, trigger: str, when: str, info: dict[str, Any] | None = None, **more: Any) -> None:
        payload = {"eventType": kind, "triggerReason": trigger, "timestamp": when, "seqNo": next(numbers), **more}
        await peer.call("TransactionEvent", {**payload, "transactionInfo": {"transactionId": "T", **(info or {})}})

    def register(value: float, context: str, when: str) -> list[dict[str, Any]]:
        return [{"timestamp": when, "sampledValue": [{"value": value, "context": context}]}]

    await peer.boot()
    await status("Available", TIMES[0])
    await status("Occupied", TIMES[1])
    await event(
        "Started",
        "Authorized",
        TIMES[2],
        evse={"id": 1, "connectorId": 1},
        idToken={"idToken": "BUS-142", "type": "Central"},
        meterValue=register(1000, "Transaction.Begin", TIMES[2]),
    )
    await event("Updated", "ChargingStateChanged", TIMES[3], {"chargingState": "Charging"})
    values = [{"measurand": m, "value": v, "unitOfMeasure": {"unit": u}} for m, v, u in SAMPLES]
    meter = [{"timestamp": TIMES[4], "sampledValue": values}]
    await event("Updated", "MeterValuePeriodic", TIMES[4], {"chargingState": "Charging"}, meterValue=meter)
    await event("Updated", "ChargingStateChanged", TIMES[5], {"chargingState": "SuspendedEV"})
    await event(
        "Ended",
        "EVDeparted",
        TIMES[6],
        {"stoppedReason": "EVDisconnected"},
        meterValue=register(2500, "Transaction.End", TIMES[6]),
    )
    await status("Available", TIMES[7])


def neutral(messages: list[Message]) -> list[dict[str, Any]]:
    """Session facts and connector states without what only one version can say: own words, ids, sequence numbers."""
    told = []
    for message in messages:
        if not message.type.startswith(("session.", "connector.", "station.booted")):
            continue
        body = message.body.model_dump(
            exclude={"transaction", "seq_no", "detail", "offline", "reason"} - _reason(message)
        )
        if message.type == "connector.status_changed":
            body.pop("charging_state")
        told.append({"type": message.type, "time": message.time, "fresh": message.fresh_until is not None, **body})
    return told


def _reason(message: Message) -> set[str]:
    return {"reason"} if message.type == "session.ended" else set()


def distinct(facts: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """A repeated connector status says nothing new."""
    kept: list[dict[str, Any]] = []
    for fact in facts:
        last = next((k for k in reversed(kept) if k["type"] == fact["type"]), None)
        same = fact["type"] == "connector.status_changed" and last is not None and last["status"] == fact["status"]
        if not same and fact["type"] != "station.booted":
            kept.append(fact)
    return kept


async def test_both_versions_tell_the_same_night(hub: Hub) -> None:
    old = await hub.peer("CP1", version="ocpp1.6")
    await night_16(old)
    new = await hub.peer("CP2")
    await night_201(new)
    journal = hub.world.journal
    first = distinct(neutral([m for m in journal.messages if m.at.station == "CP1"]))
    second = distinct(neutral([m for m in journal.messages if m.at.station == "CP2"]))
    assert first == second
    assert [fact["type"] for fact in first] == [
        "connector.status_changed",
        "connector.status_changed",
        "session.started",
        "session.updated",
        "session.metered",
        "session.updated",
        "session.ended",
        "connector.status_changed",
    ]
    for station in ("CP1", "CP2"):
        sessions = {m.at.session for m in journal.messages if m.at.station == station and m.type.startswith("session.")}
        assert len(sessions) == 1
    assert not journal.of("evidence.quarantined")
    await old.close()
    await new.close()
