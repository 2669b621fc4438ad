"""A wish is sent, answered, read back and confirmed; refused, silent and forgetful stations are handled on the way."""

from __future__ import annotations

import asyncio
import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from core.messages import Position
from core.messages.allocation import Step
from core.messages.command import CommandRequested, CommandWished, EvseWish
from core.ports import Request, Wish
from protocols.ocpp.adapter import OcppAdapter
from protocols.ocpp.dialect import Verdict
from protocols.ocpp.jobs import Check, Clear, Send, Stop
from protocols.ocpp.memory import Memory
from protocols.ocpp.reconcile import Reconciler
from protocols.ocpp.settings import Quirks
from tests.protocols.ocpp.conftest import Hub, known, settings
from tests.protocols.ocpp.peer import Peer, Profiles, stamp
from tests.protocols.ports import World
from tests.waiting import until

NOW = datetime(2026, 11, 25, 22, tzinfo=UTC)
BOTH = pytest.mark.parametrize("version", ["ocpp2.0.1", "ocpp1.6"])


async def begin(peer: Peer, hub: Hub) -> str:
    """A transaction on EVSE 1; its id in neutral words."""
    now = stamp(hub.world.clock.now())
    if peer.socket.subprotocol == "ocpp1.6":
        start = {"connectorId": 1, "idTag": "BUS-142", "meterStart": 0, "timestamp": now}
        return str((await peer.call("StartTransaction", start))["transactionId"])
    info = {"transactionId": "T1", "chargingState": "Charging"}
    event = {
        "eventType": "Started",
        "timestamp": now,
        "triggerReason": "Authorized",
        "seqNo": 0,
        "transactionInfo": info,
    }
    await peer.call("TransactionEvent", {**event, "evse": {"id": 1, "connectorId": 1}})
    return "T1"


async def end(peer: Peer, hub: Hub, transaction: str) -> None:
    """The end of that transaction."""
    now = stamp(hub.world.clock.now())
    if peer.socket.subprotocol == "ocpp1.6":
        await peer.call("StopTransaction", {"transactionId": int(transaction), "meterStop": 9, "timestamp": now})
        return
    event = {"eventType": "Ended", "timestamp": now, "triggerReason": "StopAuthorized", "seqNo": 1}
    await peer.call("TransactionEvent", {**event, "transactionInfo": {"transactionId": transaction}})


def ask(hub: Hub, id: str, body: CommandRequested, station: str = "CP1") -> None:
    """What the core asks for, at EVSE 1."""
    hub.world.desired.asked.put_nowait(Request("depot", station, 1, id, body))


def steps(hub: Hub, wish: str = "") -> list[tuple[str, str]]:
    """(what, purpose) of every command step of a wish, in the journal's order."""
    return [
        (m.type.removeprefix("command."), m.body.purpose)
        for m in hub.world.journal.messages
        if m.type.startswith("command.") and (not wish or m.body.wish == wish)
    ]


async def confirmed(hub: Hub, wish: str, purpose: str = "transaction") -> Any:
    def found() -> Any:
        told: list[Any] = hub.world.journal.of("command.confirmed")
        return next((m for m in told if (m.body.wish, m.body.purpose) == (wish, purpose)), None)

    return await until(found)


@BOTH
async def test_at_first_contact_the_safe_defaults_go_in_and_are_read_back(hub: Hub, version: str) -> None:
    answer = Profiles(version)
    peer = await hub.peer(version=version, answer=answer)
    await peer.boot()
    await hub.world.journal.until("command.confirmed", 2)
    assert steps(hub)[:4] == [("sent", "max"), ("accepted", "max"), ("sent", "default"), ("accepted", "default")]
    assert {purpose for what, purpose in steps(hub) if what == "confirmed"} == {"max", "default"}
    assert answer.limit(1, hub.world.clock.now()) == 12_000
    await peer.close()


@BOTH
async def test_a_wish_for_a_transaction_is_sent_and_confirmed_by_the_composite_schedule(hub: Hub, version: str) -> None:
    answer = Profiles(version)
    peer = await hub.peer(version=version, answer=answer)
    await peer.boot()
    transaction = await begin(peer, hub)
    wish = hub.wish("CP1", (0, 88.88888), (300, 40), (600, 12), transaction=transaction)
    message = await confirmed(hub, wish.id)
    [installed] = message.body.installed
    assert [step.kw for step in installed.steps] == [88.8888, 40, 12]
    assert (installed.evse, installed.transaction) == (1, transaction)
    assert installed.until is not None
    assert installed.until <= wish.body.valid_until
    assert answer.limit(1, hub.world.clock.now()) == 88_888.8
    assert {m.body.purpose for m in hub.world.journal.of("command.confirmed")} == {"max", "default", "transaction"}
    assert [s for s in steps(hub, wish.id) if s[1] == "transaction"] == [
        ("sent", "transaction"),
        ("accepted", "transaction"),
        ("confirmed", "transaction"),
    ]
    await peer.close()


async def test_the_frame_is_journalled_with_its_command_before_it_goes_out(hub: Hub) -> None:
    seen: list[int] = []
    profiles = Profiles("ocpp2.0.1")

    def answer(action: str, payload: dict[str, Any]) -> dict[str, Any] | str | None:
        if action == "SetChargingProfile":
            seen.append(len(hub.world.journal.of("command.sent")))
        return profiles(action, payload)

    peer = await hub.peer(answer=answer)
    await peer.boot()
    await hub.world.journal.until("command.accepted", 2)
    assert seen == [1, 2]
    batch = next(b for _, b in hub.world.journal.batches if any(m.type == "command.sent" for m in b))
    assert [m.type for m in batch] == ["evidence.sent", "command.sent"]
    assert batch[0].id in batch[1].causes
    await peer.close()


@BOTH
async def test_a_profile_that_is_rejected_once_is_sent_again_and_confirmed(hub: Hub, version: str) -> None:
    answer = Profiles(version)
    peer = await hub.peer(version=version, answer=answer)
    await peer.boot()
    await hub.world.journal.until("command.confirmed", 2)
    answer.override["SetChargingProfile"] = [{"status": "Rejected"}]
    transaction = await begin(peer, hub)
    wish = hub.wish("CP1", (0, 60), (600, 12), transaction=transaction)
    await confirmed(hub, wish.id)
    told = [what for what, purpose in steps(hub, wish.id) if purpose == "transaction"]
    assert told == ["sent", "rejected", "sent", "accepted", "confirmed"]
    rejected: Any = hub.world.journal.of("command.rejected")[0].body
    assert rejected.reason == "Rejected"
    await peer.close()


async def test_a_profile_that_is_never_accepted_becomes_a_default_of_its_connector(hub: Hub) -> None:
    answer = Profiles("ocpp2.0.1")
    peer = await hub.peer(answer=answer)
    await peer.boot()
    await hub.world.journal.until("command.confirmed", 2)
    transaction = await begin(peer, hub)
    answer.override["SetChargingProfile"] = [{"status": "Rejected"}, {"status": "Rejected"}]
    wish = hub.wish("CP1", (0, 60), (600, 12), transaction=transaction)
    await confirmed(hub, wish.id, "default")
    told = [step for step in steps(hub, wish.id) if step[0] in ("sent", "rejected")]
    assert told == [("sent", "transaction"), ("rejected", "transaction")] * 2 + [("sent", "default")]
    assert answer.limit(1, hub.world.clock.now()) == 60_000
    await peer.close()


async def test_not_supported_goes_down_the_ladder_at_once(hub: Hub) -> None:
    answer = Profiles("ocpp1.6")
    peer = await hub.peer(version="ocpp1.6", answer=answer)
    await peer.boot()
    await hub.world.journal.until("command.confirmed", 2)
    transaction = await begin(peer, hub)
    answer.override["SetChargingProfile"] = [{"status": "NotSupported"}, "NotSupported"]
    wish = hub.wish("CP1", (0, 60), (600, 12), transaction=transaction)
    await confirmed(hub, wish.id, "max")
    told = [step for step in steps(hub, wish.id) if step[0] == "sent"]
    assert told == [("sent", "transaction"), ("sent", "default"), ("sent", "max")]
    await peer.close()


def reconciling(kw: float, position: int = 1, reconciler: Reconciler | None = None) -> Reconciler:
    """The reconciliation of a station with one EVSE that shall charge at so many kW."""
    if reconciler is None:
        station = known("CP1")
        reconciler = Reconciler(station, settings(), Quirks(), Memory(station))
    evse = EvseWish(evse=1, steps=(Step(at=NOW, kw=kw),), transaction="T1")
    body = CommandWished(evses=(evse,), valid_until=NOW + timedelta(minutes=15), safe_kw=12.0)
    assert reconciler.offer(Wish("depot", "CP1", f"wish-{position}", Position(position, 0), body))
    return reconciler


def answered(reconciler: Reconciler, verdict: Verdict) -> list[tuple[str, float]]:
    """(purpose, first kW) of all that is sent to a station that so answers every profile and obeys none."""
    told: list[tuple[str, float]] = []
    while isinstance(job := reconciler.next(NOW), Send | Check | Clear):
        if isinstance(job, Send):
            told.append((job.target.purpose, job.profile.periods[0][1] / 1000))
            reconciler.sent(job, str(len(told)))
            reconciler.answered(job.key, str(len(told)), verdict, NOW)
        elif isinstance(job, Clear):
            del reconciler.slots[job.key]
        else:
            open_keys = [key for key in job.keys if reconciler.slots[key].state == "accepted"]
            reconciler.settled(open_keys[0], confirmed=False)
    return told


def test_a_station_that_obeys_no_profile_is_left_with_the_lowest_maximum() -> None:
    told = answered(reconciling(20), "accepted")
    assert [kw for purpose, kw in told if purpose == "max"] == [150, 20]
    assert ("transaction", 20) in told
    assert told[-1] == ("max", 20)


def test_what_a_station_cannot_do_is_not_tried_again_with_every_wish() -> None:
    reconciler = reconciling(60)
    told = [purpose for purpose, _ in answered(reconciler, "not_supported")]
    assert told == ["max", "default", "transaction", "default"]
    for position in (2, 3):
        reconciling(60 - position, position, reconciler)
        assert answered(reconciler, "not_supported") == []
    reconciler.quirks = Quirks(stop_when_uncontrollable=True)
    assert reconciler.next(NOW) == Stop(1, "T1")


@BOTH
async def test_a_silent_station_gets_the_wish_once_more_and_then_no_more(impatient: Hub, version: str) -> None:
    hub = impatient
    profiles = Profiles(version)
    mute = False

    def answer(action: str, payload: dict[str, Any]) -> dict[str, Any] | str | None:
        told = profiles(action, payload)
        return None if mute and action == "SetChargingProfile" else told

    peer = await hub.peer(version=version, answer=answer)
    await peer.boot()
    await hub.world.journal.until("command.confirmed", 2)
    mute, transaction = True, await begin(peer, hub)
    wish = hub.wish("CP1", (0, 60), (600, 12), transaction=transaction)

    def told() -> list[str]:
        return [what for what, _ in steps(hub, wish.id) if what in ("sent", "unanswered")]

    await until(lambda: told() == ["sent", "unanswered"] * 2)
    await asyncio.sleep(0.15)  # because: three times as long as it would pause before another try
    assert told() == ["sent", "unanswered"] * 2
    assert all(m.body.reason == "call_timeout" for m in hub.world.journal.of("command.unanswered"))
    calls: list[Any] = [m.body.call for m in hub.world.journal.of("command.sent")]
    assert len(set(calls)) == len(calls)
    await peer.close()


async def test_a_late_acceptance_still_counts(impatient: Hub) -> None:
    hub = impatient
    profiles = Profiles("ocpp2.0.1")
    kept: list[list[Any]] = []
    peer = await hub.peer(answer=profiles)
    await peer.boot()
    await hub.world.journal.until("command.confirmed", 2)
    transaction = await begin(peer, hub)

    def mute(action: str, payload: dict[str, Any]) -> dict[str, Any] | str | None:
        told = profiles(action, payload)
        if action == "SetChargingProfile" and not kept:
            kept.append(peer.calls[-1])
            return None
        return told

    peer.answer = mute
    wish = hub.wish("CP1", (0, 60), (600, 12), transaction=transaction)
    await hub.world.journal.until("command.unanswered")
    await peer.socket.send(f'[3,"{kept[0][1]}",{{"status":"Accepted"}}]')
    await confirmed(hub, wish.id)
    late = await until(lambda: [m for m in hub.world.journal.of("command.accepted") if m.body.call == kept[0][1]])
    assert len(late) == 1
    await peer.close()


@BOTH
async def test_after_a_reconnect_everything_is_sent_again(hub: Hub, version: str) -> None:
    peer = await hub.peer(version=version)
    await peer.boot()
    transaction = await begin(peer, hub)
    wish = hub.wish("CP1", (0, 60), (600, 12), transaction=transaction)
    await confirmed(hub, wish.id)
    peer.drop()
    await hub.world.journal.until("station.disconnected")
    before = len(hub.world.journal.messages)
    again = Profiles(version)
    peer = await hub.peer(version=version, answer=again)
    await peer.call("Heartbeat", {})
    await until(
        lambda: any(
            m.type == "command.confirmed" and m.body.purpose == "transaction"
            for m in hub.world.journal.messages[before:]
        )
    )
    assert len(again.of("SetChargingProfile")) == 3
    keys = [m.key for m in hub.world.journal.messages if m.type.startswith("command.")]
    assert len(set(keys)) == len(keys)
    await peer.close()


async def test_a_lost_socket_leaves_the_open_call_unanswered(hub: Hub) -> None:
    profiles = Profiles("ocpp2.0.1")
    peer = await hub.peer(answer=profiles)
    await peer.boot()
    await hub.world.journal.until("command.confirmed", 2)
    transaction = await begin(peer, hub)
    peer.answer = lambda action, payload: peer.drop() if action == "SetChargingProfile" else profiles(action, payload)
    hub.wish("CP1", (0, 60), (600, 12), transaction=transaction)
    [message] = await hub.world.journal.until("command.unanswered")
    assert message.body.reason == "connection_lost"
    [gone] = await hub.world.journal.until("station.disconnected")
    assert gone.at.station == "CP1"


async def test_a_station_without_composite_schedules_is_confirmed_by_what_it_draws(hub: Hub) -> None:
    profiles = Profiles("ocpp1.6")
    profiles.override["GetCompositeSchedule"] = ["NotImplemented"]
    peer = await hub.peer(version="ocpp1.6", answer=profiles)
    await peer.boot()
    transaction = await begin(peer, hub)
    wish = hub.wish("CP1", (0, 60), (600, 12), transaction=transaction)
    await hub.world.journal.until("command.accepted", 3)
    await peer.call("Heartbeat", {})
    for second in (2, 4, 6):
        hub.world.clock.shift = second
        value = {"value": "60500", "measurand": "Power.Active.Import", "unit": "W"}
        meter = [{"timestamp": stamp(hub.world.clock.now()), "sampledValue": [value]}]
        await peer.call("MeterValues", {"connectorId": 1, "transactionId": int(transaction), "meterValue": meter})
    await confirmed(hub, wish.id)
    assert len(profiles.of("GetCompositeSchedule")) == 1
    await peer.close()


async def test_a_station_that_draws_more_than_it_accepted_is_a_mismatch(world: World) -> None:
    adapter = OcppAdapter(settings(quirks={"CP1": Quirks(no_composite=True)}, confirm_s=5))
    await adapter.start(world.ports)
    hub = Hub(world, adapter)
    peer = await hub.peer()
    await peer.boot()
    transaction = await begin(peer, hub)
    wish = hub.wish("CP1", (0, 60), (600, 12), transaction=transaction)
    await world.journal.until("command.accepted", 3)
    await peer.call("Heartbeat", {})
    world.clock.shift = 10
    value = {"value": 90, "measurand": "Power.Active.Import", "unitOfMeasure": {"unit": "kW"}}
    meter = [{"timestamp": stamp(world.clock.now()), "sampledValue": [value]}]
    await peer.call("MeterValues", {"evseId": 1, "meterValue": meter})
    [message] = await world.journal.until("command.mismatched")
    assert (message.body.wish, message.body.reason) == (wish.id, "measured_above_wish")
    assert (message.body.shown_kw, message.body.allowed_kw) == (90, 60)
    await peer.close()
    await adapter.stop()


async def test_a_composite_above_the_wish_is_a_mismatch(hub: Hub) -> None:
    profiles = Profiles("ocpp2.0.1")
    peer = await hub.peer(answer=profiles)
    await peer.boot()
    await hub.world.journal.until("command.confirmed", 2)
    transaction = await begin(peer, hub)
    schedule = {
        "evseId": 1,
        "duration": 60,
        "scheduleStart": stamp(hub.world.clock.now()),
        "chargingRateUnit": "W",
        "chargingSchedulePeriod": [{"startPeriod": 0, "limit": 99000}],
    }
    profiles.override["GetCompositeSchedule"] = [{"status": "Accepted", "schedule": schedule}]
    wish = hub.wish("CP1", (0, 60), (600, 12), transaction=transaction)
    [message] = await hub.world.journal.until("command.mismatched")
    assert (message.body.wish, message.body.reason) == (wish.id, "composite_above_wish")
    assert (message.body.shown_kw, message.body.allowed_kw) == (99, 60)
    await peer.close()


@BOTH
async def test_a_default_that_the_answer_is_too_short_to_show_is_not_confirmed_by_it_nor_asked_for_again_and_again(
    hub: Hub, version: str
) -> None:
    """It shows behind the end of the transaction's profile, and is confirmed where nothing stands above it any more."""
    short = Profiles(version)

    def answer(action: str, payload: dict[str, Any]) -> Any:
        if action == "GetCompositeSchedule":
            payload = payload | {"duration": 60}
        return short(action, payload)

    peer = await hub.peer(version=version, answer=answer)
    transaction = await begin(peer, hub)
    wish = hub.wish("CP1", (0, 60), (600, 12), transaction=transaction)
    await confirmed(hub, wish.id)
    await until(lambda: any(m[0] in ("SetVariables", "ChangeConfiguration") for m in short.calls))  # all else is done
    asked = len(short.of("GetCompositeSchedule"))
    purposes = {m.body.purpose for m in hub.world.journal.of("command.confirmed")}
    assert purposes == {"max", "transaction"} and asked <= 3
    short.kept = {n: kept for n, kept in short.kept.items() if kept["purpose"] != "TxProfile"}  # it ends with its own
    await end(peer, hub, transaction)
    await until(lambda: "default" in {m.body.purpose for m in hub.world.journal.of("command.confirmed")})
    await peer.close()


async def test_a_wish_below_the_safe_level_lowers_the_connectors_default_where_nothing_charges(hub: Hub) -> None:
    profiles = Profiles("ocpp2.0.1")
    peer = await hub.peer(answer=profiles)
    await peer.boot()
    await hub.world.journal.until("command.confirmed", 2)
    low = hub.wish("CP1", (0, 5))
    await confirmed(hub, low.id, "default")
    assert profiles.limit(1, hub.world.clock.now()) == 5_000
    high = hub.wish("CP1", (0, 50))
    await confirmed(hub, high.id, "default")
    assert profiles.limit(1, hub.world.clock.now()) == 12_000
    await peer.close()


async def test_a_profile_that_the_version_cannot_say_never_goes_out_and_the_ladder_goes_on(world: World) -> None:
    adapter = OcppAdapter(settings())
    await adapter.start(world.ports)
    hub, profiles = Hub(world, adapter), Profiles("ocpp2.0.1")
    peer = await hub.peer(answer=profiles)
    await peer.boot()
    wish = hub.wish("CP1", (0, 60), (600, 12), transaction="T" * 37)
    await confirmed(hub, wish.id, "default")
    assert not any("transactionId" in p["chargingProfile"] for p in profiles.of("SetChargingProfile"))
    assert world.counts["adapter_failures"] == 1
    await peer.close()
    await adapter.stop()


async def test_a_journal_that_fails_between_call_and_answer_makes_the_adapter_send_again(impatient: Hub) -> None:
    hub = impatient
    profiles = Profiles("ocpp2.0.1")

    def answer(action: str, payload: dict[str, Any]) -> dict[str, Any] | str | None:
        hub.world.journal.full = action == "SetChargingProfile" and len(profiles.of(action)) < 1
        return profiles(action, payload)

    peer = await hub.peer(answer=answer)
    await peer.boot()
    await until(lambda: hub.world.counts["frames_not_stored"])
    hub.world.journal.full = False
    await hub.world.journal.until("command.confirmed", 2)
    known = {m.id for m in hub.world.journal.messages}
    assert all(set(m.causes) <= known for m in hub.world.journal.messages)
    await peer.close()


async def test_a_boot_makes_the_adapter_send_everything_again(hub: Hub) -> None:
    profiles = Profiles("ocpp2.0.1")
    peer = await hub.peer(answer=profiles)
    await peer.boot()
    transaction = await begin(peer, hub)
    wish = hub.wish("CP1", (0, 60), (600, 12), transaction=transaction)
    await confirmed(hub, wish.id)
    profiles.kept.clear()
    await peer.boot()
    await until(lambda: len(profiles.kept) >= 3)
    await peer.close()


async def test_a_silent_newcomer_is_asked_to_boot(world: World) -> None:
    adapter = OcppAdapter(settings(boot_wait_s=0.05))
    await adapter.start(world.ports)
    profiles = Profiles("ocpp2.0.1")
    peer = await Peer.open(adapter.health().listening[0], "CP1", answer=profiles)
    await until(lambda: any(p.get("requestedMessage") == "BootNotification" for p in profiles.of("TriggerMessage")))
    await peer.close()
    await adapter.stop()


@BOTH
async def test_a_transaction_can_be_started_and_stopped_from_afar(hub: Hub, version: str) -> None:
    profiles = Profiles(version)
    peer = await hub.peer(version=version, answer=profiles)
    await peer.boot()
    profiles.override["RemoteStopTransaction"] = profiles.override["RequestStopTransaction"] = [{"status": "Rejected"}]
    ask(hub, "s1", CommandRequested(act="start", token="BUS-142"))
    await until(lambda: steps(hub, "s1") == [("sent", "start"), ("accepted", "start")])
    ask(hub, "s2", CommandRequested(act="stop", transaction="17"))
    await until(lambda: steps(hub, "s2") == [("sent", "stop"), ("rejected", "stop")])
    ask(hub, "s3", CommandRequested(act="stop", transaction="17"), "CP2")
    ask(hub, "s4", CommandRequested(act="stop", transaction="17"))
    await until(lambda: len(steps(hub, "s4")) == 2)
    assert steps(hub, "s3") == []
    await peer.close()


async def test_two_profiles_are_never_open_at_once(hub: Hub) -> None:
    open_calls, most = 0, 0

    async def slow(frame: list[Any]) -> None:
        nonlocal open_calls, most
        open_calls += 1
        most = max(most, open_calls)
        await asyncio.sleep(0.01)
        reply = profiles(frame[2], frame[3])
        open_calls -= 1
        await peer.socket.send(json.dumps([3, frame[1], reply]))

    profiles = Profiles("ocpp2.0.1")
    tasks: list[asyncio.Task[None]] = []
    peer: Peer = await hub.peer()
    peer.answer = lambda action, payload: tasks.append(asyncio.create_task(slow(peer.calls[-1])))
    await peer.boot()
    for number in range(5):
        ask(hub, f"c{number}", CommandRequested(act="start", token="BUS-142"))
        await until(lambda of=f"c{number}": ("sent", "start") in steps(hub, of))
    await hub.world.journal.until("command.confirmed", 2)
    assert most == 1
    await peer.close()
