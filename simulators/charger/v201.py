"""OCPP 2.0.1 as a station speaks it (part 2, sections B, E, J, K): messages out, profiles in."""

from __future__ import annotations

from datetime import datetime

from simulators.charger.facts import Call, Identity, Payload, Sample, State, Transaction, stamp
from simulators.charger.profiles import VOLTS, Profile, Step
from simulators.charger.schedules import periods, profile_of

SUBPROTOCOL = "ocpp2.0.1"

_CHARGING_STATE = {
    State.PREPARING: "EVConnected",
    State.CHARGING: "Charging",
    State.SUSPENDED_EVSE: "SuspendedEVSE",
    State.SUSPENDED_EV: "SuspendedEV",
    State.FINISHING: "EVConnected",
    State.AVAILABLE: "Idle",
}
_STOPPED = {
    "EVDisconnected": ("EVDeparted", "EVDisconnected"),
    "Remote": ("RemoteStop", "Remote"),
    "Local": ("StopAuthorized", "Local"),
}


def boot(identity: Identity, reason: str) -> Call:
    """BootNotification."""
    return "BootNotification", {
        "reason": reason,
        "chargingStation": {
            "vendorName": identity.vendor,
            "model": identity.model,
            "serialNumber": identity.serial,
            "firmwareVersion": identity.firmware,
        },
    }


def status(evse: int, state: State, now: datetime) -> Call:
    """StatusNotification: a connector is either available or occupied."""
    return "StatusNotification", {
        "timestamp": stamp(now),
        "connectorStatus": "Available" if state is State.AVAILABLE else "Occupied",
        "evseId": evse,
        "connectorId": 1,
    }


def authorize(token: str) -> Call:
    """Authorize."""
    return "Authorize", {"idToken": _token(token)}


def started(transaction: Transaction, sample: Sample, state: State, offline: bool) -> Call:
    """TransactionEvent Started; the EVSE and the token stand in it only (E01.FR.16)."""
    trigger = "RemoteStart" if transaction.remote_start is not None else "Authorized"
    payload = _event("Started", trigger, transaction, sample, state, offline, "Transaction.Begin")
    payload["evse"] = {"id": transaction.evse, "connectorId": 1}
    payload["idToken"] = _token(transaction.token)
    if transaction.remote_start is not None:
        payload["transactionInfo"]["remoteStartId"] = transaction.remote_start
    return "TransactionEvent", payload


def updated(transaction: Transaction, sample: Sample, state: State, trigger: str, offline: bool) -> Call:
    """TransactionEvent Updated with a sample."""
    return "TransactionEvent", _event("Updated", trigger, transaction, sample, state, offline, "Sample.Periodic")


def ended(transaction: Transaction, sample: Sample, reason: str, offline: bool) -> Call:
    """TransactionEvent Ended with the last sample."""
    trigger, stopped = _STOPPED.get(reason, ("AbnormalCondition", "Other"))
    state = State.AVAILABLE if reason == "EVDisconnected" else State.FINISHING
    payload = _event("Ended", trigger, transaction, sample, state, offline, "Transaction.End")
    payload["transactionInfo"]["stoppedReason"] = stopped
    return "TransactionEvent", payload


def meter_values(evse: int, sample: Sample) -> Call:
    """MeterValues outside of a transaction."""
    return "MeterValues", {"evseId": evse, "meterValue": [_meter_value(sample, "Trigger")]}


def accepted(answer: Payload) -> bool:
    """Whether an answer's idTokenInfo lets the token charge."""
    return bool(answer.get("idTokenInfo", {}).get("status") == "Accepted")


def profile(payload: Payload) -> Profile:
    """The profile of a SetChargingProfile or RequestStartTransaction request; its first schedule counts."""
    body = payload["chargingProfile"]
    return profile_of(
        body,
        body["chargingSchedule"][0],
        id=body["id"],
        evse=payload.get("evseId", 0),
        transaction=body.get("transactionId"),
    )


def composite(evse: int, begin: datetime, seconds: int, unit: str, steps: list[Step], rating_w: float) -> Payload:
    """The answer to GetCompositeSchedule (K08); where nothing is stated the rating holds."""
    return {
        "status": "Accepted",
        "schedule": {
            "evseId": evse,
            "duration": seconds,
            "scheduleStart": stamp(begin),
            "chargingRateUnit": unit,
            "chargingSchedulePeriod": periods(begin, unit, steps, rating_w),
        },
    }


def report(profile: Profile, request: int, more: bool) -> Call:
    """ReportChargingProfiles with one installed profile (K09)."""
    factor = 1 / (3 * VOLTS) if profile.unit == "A" else 1.0
    schedule: Payload = {
        "id": profile.id,
        "chargingRateUnit": profile.unit,
        "chargingSchedulePeriod": [{"startPeriod": s, "limit": w * factor} for s, w in profile.periods],
    }
    if profile.start:
        schedule["startSchedule"] = stamp(profile.start)
    if profile.duration_s is not None:
        schedule["duration"] = profile.duration_s
    body: Payload = {
        "id": profile.id,
        "stackLevel": profile.level,
        "chargingProfilePurpose": profile.purpose,
        "chargingProfileKind": profile.kind,
        "chargingSchedule": [schedule],
    }
    if profile.transaction:
        body["transactionId"] = profile.transaction
    return "ReportChargingProfiles", {
        "requestId": request,
        "chargingLimitSource": "CSO",
        "evseId": profile.evse,
        "tbc": more,
        "chargingProfile": [body],
    }


def _token(token: str) -> Payload:
    return {"idToken": token, "type": "ISO14443"}


def _event(
    kind: str, trigger: str, transaction: Transaction, sample: Sample, state: State, offline: bool, context: str
) -> Payload:
    payload: Payload = {
        "eventType": kind,
        "timestamp": stamp(sample.moment),
        "triggerReason": trigger,
        "seqNo": transaction.seq,
        "transactionInfo": {"transactionId": transaction.id, "chargingState": _CHARGING_STATE[state]},
        "meterValue": [_meter_value(sample, context)],
    }
    if offline:
        payload["offline"] = True
    return payload


def _meter_value(sample: Sample, context: str) -> Payload:
    rows: list[tuple[float, str, str]] = [
        (round(sample.register_wh, 1), "Energy.Active.Import.Register", "Wh"),
        (round(sample.power_w), "Power.Active.Import", "W"),
        (round(sample.offered_w), "Power.Offered", "W"),
    ]
    if sample.soc is not None:
        rows.append((round(sample.soc * 100, 2), "SoC", "Percent"))
    return {
        "timestamp": stamp(sample.moment),
        "sampledValue": [
            {"value": value, "context": context, "measurand": measurand, "unitOfMeasure": {"unit": unit}}
            | {"location": "EV" if measurand == "SoC" else "Outlet"}
            for value, measurand, unit in rows
        ],
    }
