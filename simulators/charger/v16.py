"""OCPP 1.6J as a station speaks it (edition 2, sections 4 to 6): messages out, profiles in."""

from __future__ import annotations

from datetime import datetime

from simulators.charger.facts import Call, Identity, Payload, Sample, State, Transaction, stamp
from simulators.charger.profiles import Profile, Step
from simulators.charger.schedules import periods, profile_of

SUBPROTOCOL = "ocpp1.6"


def boot(identity: Identity, reason: str) -> Call:
    """BootNotification."""
    return "BootNotification", {
        "chargePointVendor": identity.vendor,
        "chargePointModel": identity.model,
        "chargePointSerialNumber": identity.serial,
        "firmwareVersion": identity.firmware,
    }


def status(evse: int, state: State, now: datetime) -> Call:
    """StatusNotification of one connector."""
    return "StatusNotification", {
        "connectorId": evse,
        "errorCode": "NoError",
        "status": state.value,
        "timestamp": stamp(now),
    }


def authorize(token: str) -> Call:
    """Authorize."""
    return "Authorize", {"idTag": token}


def started(transaction: Transaction, sample: Sample, state: State, offline: bool) -> Call:
    """StartTransaction."""
    return "StartTransaction", {
        "connectorId": transaction.evse,
        "idTag": transaction.token,
        "meterStart": round(sample.register_wh),
        "timestamp": stamp(sample.moment),
    }


def updated(transaction: Transaction, sample: Sample, state: State, trigger: str, offline: bool) -> Call:
    """MeterValues of a running transaction."""
    payload: Payload = {"connectorId": transaction.evse, "meterValue": [_meter_value(sample, "Sample.Periodic")]}
    if transaction.id is not None:
        payload["transactionId"] = int(transaction.id)
    return "MeterValues", payload


def ended(transaction: Transaction, sample: Sample, reason: str, offline: bool) -> Call:
    """StopTransaction with its last sample."""
    return "StopTransaction", {
        "transactionId": int(transaction.id or -1),
        "idTag": transaction.token,
        "meterStop": round(sample.register_wh),
        "timestamp": stamp(sample.moment),
        "reason": reason,
        "transactionData": [_meter_value(sample, "Transaction.End")],
    }


def meter_values(evse: int, sample: Sample) -> Call:
    """MeterValues outside of a transaction."""
    return "MeterValues", {"connectorId": evse, "meterValue": [_meter_value(sample, "Trigger")]}


def accepted(answer: Payload) -> bool:
    """Whether an answer's idTagInfo lets the token charge."""
    return bool(answer.get("idTagInfo", {}).get("status") == "Accepted")


def profile(payload: Payload) -> Profile:
    """The profile of a SetChargingProfile or RemoteStartTransaction request (5.16)."""
    body = payload["csChargingProfiles"] if "csChargingProfiles" in payload else payload["chargingProfile"]
    transaction = body.get("transactionId")
    return profile_of(
        body,
        body["chargingSchedule"],
        id=body["chargingProfileId"],
        evse=payload.get("connectorId", 0),
        transaction=None if transaction is None else str(transaction),
    )


def composite(evse: int, begin: datetime, seconds: int, unit: str, steps: list[Step], rating_w: float) -> Payload:
    """The answer to GetCompositeSchedule; where nothing is stated the rating holds."""
    return {
        "status": "Accepted",
        "connectorId": evse,
        "scheduleStart": stamp(begin),
        "chargingSchedule": {
            "duration": seconds,
            "startSchedule": stamp(begin),
            "chargingRateUnit": unit,
            "chargingSchedulePeriod": periods(begin, unit, steps, rating_w),
        },
    }


def _meter_value(sample: Sample, context: str) -> Payload:
    rows = [
        (f"{sample.register_wh:.1f}", "Energy.Active.Import.Register", "Wh"),
        (f"{sample.power_w:.0f}", "Power.Active.Import", "W"),
        (f"{sample.offered_w:.0f}", "Power.Offered", "W"),
    ]
    if sample.soc is not None:
        rows.append((f"{sample.soc * 100:.2f}", "SoC", "Percent"))
    return {
        "timestamp": stamp(sample.moment),
        "sampledValue": [
            {"value": value, "context": context, "measurand": measurand, "unit": unit}
            | {"location": "EV" if measurand == "SoC" else "Outlet"}
            for value, measurand, unit in rows
        ],
    }
