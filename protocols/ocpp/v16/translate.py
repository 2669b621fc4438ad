"""OCPP 1.6 requests become neutral facts, and neutral wishes become 1.6 calls; pure."""

from __future__ import annotations

import hashlib
from typing import Any, cast

from core.messages.session import SessionEnded, SessionStarted, SessionUpdated
from core.messages.station import ChargingState, ConnectorStatusChanged, StationBooted
from core.ports import KnownStation
from protocols.common.times import Moment
from protocols.ocpp.dialect import (
    Composite,
    Doubt,
    Handler,
    Heard,
    Hearing,
    OpenTransaction,
    Phrase,
    Profile,
    Said,
    Verdict,
    Version,
    schedule_of,
    verdict_of,
)
from protocols.ocpp.facts import (
    always,
    booted,
    decided,
    edge_register,
    heartbeat,
    integer,
    metered,
    moment,
    part,
    parts,
    place,
    samples_of,
    station_fresh,
    text,
    told_by_maker,
)
from protocols.ocpp.readings import Sampled, number
from protocols.ocpp.rpc import Fault
from protocols.ocpp.schedules import composite
from protocols.ocpp.v16 import wire


def transaction_id(station: str, connector: int, timestamp: str, meter_start: int, tag: str) -> int:
    """The transaction's number: positive int32, the same on every gateway and for every retry of the same start."""
    text = "\x1f".join((station, str(connector), timestamp, str(meter_start), tag))
    return 1 + int.from_bytes(hashlib.sha256(text.encode()).digest()[:4], "big") % (2**31 - 1)


class V16(Version):
    """The 1.6 dialect."""

    subprotocol = wire.SUBPROTOCOL
    evidence = wire.EVIDENCE
    secrets = wire.SECRETS
    answers_unreadable = False

    def __init__(self) -> None:
        super().__init__(wire.schemas(), wire.SERVED, _HANDLERS)

    def code(self, fault: Fault) -> str:
        """The error code in this version's spelling."""
        return wire.CODES.get(fault, fault)

    def verdict(self, action: str, payload: dict[str, Any]) -> tuple[Verdict, str]:
        """By the answer's status."""
        return verdict_of(action, str(payload.get("status", ""))[:40], ("NotSupported", "NotImplemented"))

    def set_profile(self, station: KnownStation, profile: Profile) -> Phrase:
        """SetChargingProfile.req (1.6 section 6.43)."""
        body: dict[str, Any] = {
            "chargingProfileId": profile.id,
            "stackLevel": profile.stack,
            "chargingProfilePurpose": wire.PURPOSES[profile.purpose],
            "chargingProfileKind": "Absolute",
            "chargingSchedule": schedule_of(profile),
        }
        if profile.transaction is not None and profile.transaction.isdecimal():
            body["transactionId"] = int(profile.transaction)
        return "SetChargingProfile", {"connectorId": _wire_connector(station, profile.evse), "csChargingProfiles": body}

    def clear_profile(self, profile: Profile) -> Phrase:
        """ClearChargingProfile.req by id."""
        return "ClearChargingProfile", {"id": profile.id}

    def get_composite(self, station: KnownStation, evse: int, duration_s: int) -> Phrase:
        """GetCompositeSchedule.req in W."""
        connector = _wire_connector(station, evse)
        return "GetCompositeSchedule", {"connectorId": connector, "duration": duration_s, "chargingRateUnit": "W"}

    def read_composite(self, payload: dict[str, Any], now: Any) -> Composite | None:
        """The schedule in GetCompositeSchedule.conf."""
        schedule = part(payload, "chargingSchedule")
        start = payload.get("scheduleStart") or schedule.get("startSchedule")
        unit, duration = schedule.get("chargingRateUnit"), integer(schedule, "duration")
        return composite(start, unit, parts(schedule, "chargingSchedulePeriod"), now, duration)

    def start(self, station: KnownStation, evse: int, token: str, number: int) -> Phrase:
        """RemoteStartTransaction.req; the number is not carried by 1.6."""
        return "RemoteStartTransaction", {"connectorId": _wire_connector(station, evse), "idTag": token}

    def stop(self, transaction: str) -> Phrase:
        """RemoteStopTransaction.req."""
        return "RemoteStopTransaction", {"transactionId": int(transaction)}

    def trigger_status(self, station: KnownStation, evse: int, connector: int) -> Phrase:
        """TriggerMessage.req for a status."""
        number = _wire_connector(station, evse, connector)
        return "TriggerMessage", {"requestedMessage": "StatusNotification", "connectorId": number}

    def set_meter_interval(self, seconds: int) -> Phrase:
        """ChangeConfiguration.req of `MeterValueSampleInterval`."""
        return "ChangeConfiguration", {"key": "MeterValueSampleInterval", "value": str(seconds)}


def _wire_connector(station: KnownStation, evse: int, connector: int | None = None) -> int:
    """1.6 counts connectors through; ours are (EVSE, connector) in the order of the configuration."""
    if evse == 0:
        return 0
    for position, known in enumerate(station.connectors, 1):
        if known.evse == evse and connector in (None, known.connector):
            return position
    return evse


def _neutral(station: KnownStation, connector: int | None) -> tuple[int | None, int | None]:
    if connector is None or connector <= 0:
        return None, None
    if connector <= len(station.connectors):
        known = station.connectors[connector - 1]
        return known.evse, known.connector
    return connector, 1


def _boot(payload: dict[str, Any], hearing: Hearing) -> Heard:
    if "chargingStation" in payload:
        return Heard(error=("ProtocolError", "this is OCPP 2.x on an OCPP 1.6 connection"), mismatch="ocpp2.0.1")
    body = StationBooted(
        vendor=text(payload, "chargePointVendor") or "",
        model=text(payload, "chargePointModel") or "",
        serial=text(payload, "chargePointSerialNumber") or text(payload, "chargeBoxSerialNumber") or "",
        firmware=text(payload, "firmwareVersion") or "",
    )
    return booted(hearing, body)


def _status(payload: dict[str, Any], hearing: Hearing) -> Heard:
    doubts: list[Doubt] = []
    number, word, error = integer(payload, "connectorId"), text(payload, "status"), text(payload, "errorCode")
    if number is None or number < 0:
        return Heard(doubts=(Doubt("connector_unknown", "the status names no connector", payload),))
    if word not in wire.STATES:
        doubts.append(Doubt("status_unknown", "the status is not in the standard", word))
    status, state = wire.STATES.get(word or "", ("unknown", None))
    when = moment(payload, hearing, doubts)
    evse, connector = _neutral(hearing.station, number)
    body = ConnectorStatusChanged.model_validate(
        {
            "status": status,
            "charging_state": state,
            "error": "" if error in (None, "NoError") else error,
            "detail": word or "",
            "words": told_by_maker(text(payload, "vendorErrorCode"), text(payload, "info")),
        }
    )
    fact = Said(body, when.time, place(hearing.station, evse, connector), hearing.call, station_fresh(hearing))
    return Heard({}, (fact, *_session_state(hearing, evse, state, when)), tuple(doubts))


def _session_state(hearing: Hearing, evse: int | None, state: str | None, when: Moment) -> tuple[Said, ...]:
    running = next((t for t in hearing.open.values() if t.evse == evse), None)
    if running is None or state is None or hearing.states.get(running.evse) == state:
        return ()
    body = SessionUpdated(transaction=running.transaction, charging_state=cast(ChargingState, state))
    at = place(hearing.station, evse, None, running.transaction)
    return (Said(body, when.time, at, ("updated", running.transaction, when.time)),)


def _authorize(payload: dict[str, Any], hearing: Hearing) -> Heard:
    accepted, fact = decided(hearing, text(payload, "idTag") or "")
    return Heard({"idTagInfo": _tag_info(accepted)}, (fact,))


def _tag_info(accepted: bool) -> dict[str, str]:
    return {"status": "Accepted" if accepted else "Invalid"}


def _start(payload: dict[str, Any], hearing: Hearing) -> Heard:
    doubts: list[Doubt] = []
    number, tag, meter = integer(payload, "connectorId"), text(payload, "idTag"), integer(payload, "meterStart")
    if number is None or number <= 0:
        doubts.append(Doubt("connector_unknown", "the start names no connector", payload.get("connectorId")))
    if meter is None or meter < 0:
        doubts.append(Doubt("value_unreadable", "the start states no register", payload.get("meterStart")))
        meter = None
    if tag is None:
        doubts.append(Doubt("token_missing", "the start shows no token", payload.get("idTag")))
    when = moment(payload, hearing, doubts)
    stated = text(payload, "timestamp") or ""
    identity = (number or 0, stated, meter if meter is not None else -1, tag or "")
    transaction = str(transaction_id(hearing.station.id, *identity))
    evse, connector = _neutral(hearing.station, number)
    body = SessionStarted(transaction=transaction, token=tag, meter_wh=meter)
    fact = Said(body, when.time, place(hearing.station, evse, connector, transaction), ("started", *identity))
    accepted = tag is not None and hearing.authorise(tag).accepted
    return Heard({"transactionId": int(transaction), "idTagInfo": _tag_info(accepted)}, (fact,), tuple(doubts))


def _stop(payload: dict[str, Any], hearing: Hearing) -> Heard:
    doubts: list[Doubt] = []
    tag = text(payload, "idTag")
    answer = {"idTagInfo": _tag_info(hearing.authorise(tag).accepted)} if tag is not None else {}
    transaction, evse = _stopped(payload, hearing, tag)
    if transaction is None:
        doubt = Doubt("transaction_unknown", "the stop belongs to no transaction that is known", payload)
        return Heard(answer, (), (doubt,))
    when = moment(payload, hearing, doubts)
    samples = samples_of(parts(payload, "transactionData"), hearing, doubts, _sampled)
    meter = number(payload.get("meterStop"))
    if meter is None or meter < 0:
        doubts.append(Doubt("value_unreadable", "the stop states no register", payload.get("meterStop")))
        meter = edge_register(samples, "end")
    at = place(hearing.station, evse, None, transaction)
    body = SessionEnded(transaction=transaction, meter_wh=meter, reason=text(payload, "reason") or "Local")
    ended = Said(body, when.time, at, ("ended", transaction))
    return Heard(answer, (*metered(hearing, at, transaction, samples), ended), tuple(doubts))


def _stopped(payload: dict[str, Any], hearing: Hearing, tag: str | None) -> tuple[str | None, int | None]:
    """The transaction that a stop means; ids of 0 or -1 are matched by the running ones, never guessed among several."""
    stated = integer(payload, "transactionId")
    if stated is not None and stated > 0:
        return str(stated), None
    running: list[OpenTransaction] = list(hearing.open.values())
    tagged = [t for t in running if tag is not None and t.token == tag]
    match = tagged if len(tagged) == 1 else running
    return (match[0].transaction, match[0].evse) if len(match) == 1 else (None, None)


def _meter_values(payload: dict[str, Any], hearing: Hearing) -> Heard:
    doubts: list[Doubt] = []
    number, stated = integer(payload, "connectorId"), integer(payload, "transactionId")
    samples = samples_of(parts(payload, "meterValue"), hearing, doubts, _sampled)
    if number is None or number < 0:
        doubts.append(Doubt("connector_unknown", "the meter values name no connector", payload.get("connectorId")))
    if not number or number < 0:
        return Heard(doubts=tuple(doubts))  # connector 0 is the station's own meter: kept as evidence
    evse, connector = _neutral(hearing.station, number)
    transaction = str(stated) if stated is not None and stated > 0 else None
    at = place(hearing.station, evse, connector, transaction)
    return Heard({}, metered(hearing, at, transaction, samples), tuple(doubts))


def _sampled(item: dict[str, Any]) -> Sampled:
    """With the defaults of 1.6 section 7.43."""
    return Sampled(
        value=item.get("value"),
        measurand=text(item, "measurand") or "Energy.Active.Import.Register",
        unit=text(item, "unit") or "",
        multiplier=0,
        phase=text(item, "phase"),
        location=text(item, "location") or "Outlet",
        context=text(item, "context") or "Sample.Periodic",
        signed=item.get("format") == "SignedData",
    )


_HANDLERS: dict[str, Handler] = {
    "Authorize": _authorize,
    "BootNotification": _boot,
    "DataTransfer": always("UnknownVendorId"),
    "Heartbeat": heartbeat,
    "MeterValues": _meter_values,
    "StartTransaction": _start,
    "StatusNotification": _status,
    "StopTransaction": _stop,
}
"""What is not here is kept as evidence and answered with an empty result."""
