"""OCPP 2.0.1 requests become neutral facts, and neutral wishes become 2.0.1 calls; pure."""

from __future__ import annotations

from typing import Any, cast

from core.messages.base import Physical
from core.messages.session import SessionEnded, SessionStarted, SessionUpdated
from core.messages.station import ChargingState, ConnectorStatusChanged, StationBooted, StationProblemReported
from core.ports import KnownStation
from protocols.common.times import Moment
from protocols.ocpp.dialect import (
    Composite,
    Doubt,
    Handler,
    Heard,
    Hearing,
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
from protocols.ocpp.numbers import named, number_of
from protocols.ocpp.readings import Sampled
from protocols.ocpp.rpc import Fault
from protocols.ocpp.schedules import composite
from protocols.ocpp.v201 import wire


class V201(Version):
    """The 2.0.1 dialect."""

    subprotocol = wire.SUBPROTOCOL
    evidence = wire.EVIDENCE
    secrets = wire.SECRETS
    answers_unreadable = True

    def __init__(self) -> None:
        super().__init__(wire.schemas(), wire.SERVED, _HANDLERS)

    def code(self, fault: Fault) -> str:
        """The error code in this version's spelling."""
        return fault

    def verdict(self, action: str, payload: dict[str, Any]) -> tuple[Verdict, str]:
        """By the answer's status, or that of the first variable."""
        results = parts(payload, "setVariableResult")
        first = results[0].get("attributeStatus", "") if results and isinstance(results[0], dict) else ""
        status = str(payload.get("status", first))[:40]
        return verdict_of(action, status, ("NotSupported", "NotImplemented", "UnknownComponent", "UnknownVariable"))

    def set_profile(self, station: KnownStation, profile: Profile) -> Phrase:
        """SetChargingProfileRequest (K01)."""
        body: dict[str, Any] = {
            "id": profile.id,
            "stackLevel": profile.stack,
            "chargingProfilePurpose": wire.PURPOSES[profile.purpose],
            "chargingProfileKind": "Absolute",
            "chargingSchedule": [{"id": profile.id, **schedule_of(profile)}],
        }
        if profile.transaction is not None:
            body["transactionId"] = number_of(profile.transaction)
        return "SetChargingProfile", {"evseId": profile.evse, "chargingProfile": body}

    def clear_profile(self, profile: Profile) -> Phrase:
        """ClearChargingProfileRequest by id (K10)."""
        return "ClearChargingProfile", {"chargingProfileId": profile.id}

    def get_composite(self, station: KnownStation, evse: int, duration_s: int) -> Phrase:
        """GetCompositeScheduleRequest in W (K08)."""
        return "GetCompositeSchedule", {"evseId": evse, "duration": duration_s, "chargingRateUnit": "W"}

    def read_composite(self, payload: dict[str, Any], now: Any) -> Composite | None:
        """The schedule in GetCompositeScheduleResponse."""
        schedule = part(payload, "schedule")
        periods, duration = parts(schedule, "chargingSchedulePeriod"), integer(schedule, "duration")
        return composite(schedule.get("scheduleStart"), schedule.get("chargingRateUnit"), periods, now, duration)

    def start(self, station: KnownStation, evse: int, token: str, number: int) -> Phrase:
        """RequestStartTransactionRequest (F01, F02)."""
        id_token = {"idToken": token, "type": "Central"}
        return "RequestStartTransaction", {"remoteStartId": number, "evseId": evse, "idToken": id_token}

    def stop(self, transaction: str) -> Phrase:
        """RequestStopTransactionRequest (F03)."""
        return "RequestStopTransaction", {"transactionId": number_of(transaction)}

    def trigger_status(self, station: KnownStation, evse: int, connector: int) -> Phrase:
        """TriggerMessageRequest for a status (F06)."""
        return "TriggerMessage", {
            "requestedMessage": "StatusNotification",
            "evse": {"id": evse, "connectorId": connector},
        }

    def set_meter_interval(self, seconds: int) -> Phrase:
        """SetVariablesRequest of `SampledDataCtrlr.TxUpdatedInterval`."""
        variable = {
            "attributeValue": str(seconds),
            "component": {"name": "SampledDataCtrlr"},
            "variable": {"name": "TxUpdatedInterval"},
        }
        return "SetVariables", {"setVariableData": [variable]}


def _boot(payload: dict[str, Any], hearing: Hearing) -> Heard:
    if "chargePointVendor" in payload:
        return Heard(error=("ProtocolError", "this is OCPP 1.6 on an OCPP 2.0.1 connection"), mismatch="ocpp1.6")
    station = part(payload, "chargingStation")
    body = StationBooted(
        vendor=text(station, "vendorName") or "",
        model=text(station, "model") or "",
        serial=text(station, "serialNumber") or "",
        firmware=text(station, "firmwareVersion") or "",
        reason=text(payload, "reason") or "",
    )
    return booted(hearing, body)


def _status(payload: dict[str, Any], hearing: Hearing) -> Heard:
    doubts: list[Doubt] = []
    evse, connector, word = (
        integer(payload, "evseId"),
        integer(payload, "connectorId"),
        text(payload, "connectorStatus"),
    )
    if evse is None or evse < 0:
        return Heard(doubts=(Doubt("connector_unknown", "the status names no EVSE", payload),))
    if word not in wire.STATUS:
        doubts.append(Doubt("status_unknown", "the status is not in the standard", word))
    when = moment(payload, hearing, doubts)
    body = ConnectorStatusChanged.model_validate(
        {"status": wire.STATUS.get(word or "", "unknown"), "detail": word or ""}
    )
    at = place(hearing.station, evse, connector if connector and connector > 0 else None)
    return Heard({}, (Said(body, when.time, at, hearing.call, station_fresh(hearing)),), tuple(doubts))


def _events(payload: dict[str, Any], hearing: Hearing) -> Heard:
    """What the parts of a station report (N07): problems become facts, all else stays evidence."""
    doubts: list[Doubt] = []
    events = [event for event in parts(payload, "eventData") if isinstance(event, dict)]
    facts = [_problem(event, hearing, doubts) for event in events if _is_problem(event)]
    return Heard({}, tuple(facts), tuple(doubts))


def _is_problem(event: dict[str, Any]) -> bool:
    """Whether it says what is wrong: the maker's words, or one of the variables that the standard has for it."""
    return bool(text(event, "techCode") or text(event, "techInfo")) or _variable(event) in wire.PROBLEMS


def _variable(event: dict[str, Any]) -> str:
    return text(part(event, "variable"), "name") or ""


def _problem(event: dict[str, Any], hearing: Hearing, doubts: list[Doubt]) -> Said:
    component = part(event, "component")
    at = _where(component, hearing)
    name = told_by_maker(text(component, "name"), text(component, "instance"))
    over = event.get("cleared") is True or (
        _variable(event) in wire.PROBLEMS and (text(event, "actualValue") or "").lower() == "false"
    )
    words = told_by_maker(text(event, "techCode"), text(event, "techInfo")) or told_by_maker(name, _variable(event))
    body = StationProblemReported(part=name, words=words, cleared=over)
    when = moment(event, hearing, doubts)
    return Said(body, when.time, at, ("problem", integer(event, "eventId"), when.time, at.evse, name, body.words, over))


def _token(payload: dict[str, Any]) -> str | None:
    """The token shown; `NoAuthorization` shows none."""
    shown = part(payload, "idToken")
    return None if shown.get("type") == "NoAuthorization" else text(shown, "idToken") or None


def _token_answer(payload: dict[str, Any], hearing: Hearing) -> dict[str, Any]:
    if not part(payload, "idToken"):
        return {}
    token = _token(payload)
    accepted = token is None or hearing.authorise(token).accepted
    return {"idTokenInfo": {"status": "Accepted" if accepted else "Invalid"}}


def _authorize(payload: dict[str, Any], hearing: Hearing) -> Heard:
    token = _token(payload)
    if token is None:
        return Heard(_token_answer(payload, hearing))
    accepted, fact = decided(hearing, token)
    return Heard({"idTokenInfo": {"status": "Accepted" if accepted else "Invalid"}}, (fact,))


def _transaction_event(payload: dict[str, Any], hearing: Hearing) -> Heard:
    doubts: list[Doubt] = []
    info = part(payload, "transactionInfo")
    number, kind = text(info, "transactionId"), text(payload, "eventType")
    samples = samples_of(parts(payload, "meterValue"), hearing, doubts, _sampled)
    if not number:
        doubts.append(Doubt("transaction_unknown", "the event names no transaction", payload))
        return Heard(_token_answer(payload, hearing), (), tuple(doubts))
    seq_no = integer(payload, "seqNo")
    if seq_no is None or seq_no < 0:
        doubts.append(Doubt("sequence_missing", "the event has no sequence number", payload.get("seqNo")))
        seq_no = None
    when = moment(payload, hearing, doubts)
    transaction = named(number, when.time, hearing.known, begins=kind == "Started" and when.quality != "receipt")
    event = _Event(payload, hearing, transaction, seq_no, when, _where(payload, hearing, transaction))
    if kind not in ("Started", "Updated", "Ended"):
        doubts.append(
            Doubt("event_type_unknown", "the event is neither Started, Updated nor Ended", payload.get("eventType"))
        )
    if transaction != number and all(one.transaction != transaction for one in hearing.known):
        doubts.append(Doubt("transaction_reused", "a new transaction has the id of one that is over", number))
    state = _state(info, doubts)
    told = metered(hearing, event.at, transaction, samples, seq_no)
    if kind == "Started":
        facts: tuple[Said, ...] = (event.started(state, edge_register(samples, "begin")), *told)
    elif kind == "Ended":
        facts = (*told, event.ended(edge_register(samples, "end"), text(info, "stoppedReason")))
    else:
        facts = (*event.updated(state, told), *told)
    return Heard(_token_answer(payload, hearing), facts, tuple(doubts))


def _where(payload: dict[str, Any], hearing: Hearing, transaction: str | None = None) -> Physical:
    evse = part(payload, "evse")
    number, connector = integer(evse, "id"), integer(evse, "connectorId")
    valid = number if number and number > 0 else None
    return place(hearing.station, valid, connector if connector and connector > 0 else None, transaction)


def _state(info: dict[str, Any], doubts: list[Doubt]) -> ChargingState | None:
    word = info.get("chargingState")
    if word is None:
        return None
    state = wire.STATES.get(word) if isinstance(word, str) else None
    if state is None:
        doubts.append(Doubt("status_unknown", "the charging state is not in the standard", word))
    return cast("ChargingState | None", state)


class _Event:
    """One TransactionEvent on its way to facts (E01 to E06)."""

    def __init__(
        self,
        payload: dict[str, Any],
        hearing: Hearing,
        transaction: str,
        seq_no: int | None,
        when: Moment,
        at: Physical,
    ) -> None:
        self.payload = payload
        self.hearing = hearing
        self.transaction = transaction
        self.seq_no = seq_no
        self.when = when
        self.at = at

    def started(self, state: ChargingState | None, meter_wh: float | None) -> Said:
        """The transaction's first event."""
        body = SessionStarted(
            transaction=self.transaction,
            token=_token(self.payload),
            meter_wh=meter_wh,
            charging_state=state,
            seq_no=self.seq_no,
            offline=self.payload.get("offline") is True,
        )
        return self._said(body, "started")

    def updated(self, state: ChargingState | None, told: tuple[Said, ...]) -> tuple[Said, ...]:
        """A change of state or a token; nothing where the event only brings meter values in a known state."""
        running = self.hearing.open.get(self.transaction)
        known = self.hearing.states.get(running.evse) if running else None
        token = _token(self.payload)
        if told and token is None and (state is None or state == known):
            return ()
        body = SessionUpdated(transaction=self.transaction, charging_state=state, token=token, seq_no=self.seq_no)
        return (self._said(body, "updated"),)

    def ended(self, meter_wh: float | None, reason: str | None) -> Said:
        """The transaction's last event; the standard's default reason is `Local`."""
        body = SessionEnded(
            transaction=self.transaction, meter_wh=meter_wh, reason=reason or "Local", seq_no=self.seq_no
        )
        return self._said(body, "ended")

    def _said(self, body: SessionStarted | SessionUpdated | SessionEnded, kind: str) -> Said:
        order: object = self.when.time if self.seq_no is None else self.seq_no
        return Said(body, self.when.time, self.at, (kind, self.transaction, order))


def _meter_values(payload: dict[str, Any], hearing: Hearing) -> Heard:
    doubts: list[Doubt] = []
    evse = integer(payload, "evseId")
    samples = samples_of(parts(payload, "meterValue"), hearing, doubts, _sampled)
    if evse is None or evse < 0:
        doubts.append(Doubt("connector_unknown", "the meter values name no EVSE", payload.get("evseId")))
    if not evse or evse < 0:
        return Heard(doubts=tuple(doubts))  # EVSE 0 is the station's own meter: kept as evidence
    return Heard({}, metered(hearing, place(hearing.station, evse), None, samples), tuple(doubts))


def _sampled(item: dict[str, Any]) -> Sampled:
    """With the defaults of part 2 section 2.44."""
    unit = part(item, "unitOfMeasure")
    return Sampled(
        value=item.get("value"),
        measurand=text(item, "measurand") or "Energy.Active.Import.Register",
        unit=text(unit, "unit") or "",
        multiplier=integer(unit, "multiplier") or 0,
        phase=text(item, "phase"),
        location=text(item, "location") or "Outlet",
        context=text(item, "context") or "Sample.Periodic",
    )


_HANDLERS: dict[str, Handler] = {
    "Authorize": _authorize,
    "BootNotification": _boot,
    "DataTransfer": always("UnknownVendorId"),
    "Heartbeat": heartbeat,
    "MeterValues": _meter_values,
    "NotifyEVChargingNeeds": always("Processing"),
    "NotifyEVChargingSchedule": always("Accepted"),
    "NotifyEvent": _events,
    "StatusNotification": _status,
    "TransactionEvent": _transaction_event,
}
"""What is not here is kept as evidence and answered with an empty result."""
