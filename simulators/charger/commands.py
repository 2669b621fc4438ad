"""What a station answers to the calls of its central system, one small function per call, in a table per version."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from functools import partial
from typing import TYPE_CHECKING

from simulators.charger import v16, v201
from simulators.charger.facts import Payload, Refused, stamp
from simulators.charger.profiles import Profile

if TYPE_CHECKING:
    from simulators.charger.station import Station

Answer = Callable[["Station", Payload], Payload]

ACCEPTED: Payload = {"status": "Accepted"}
REJECTED: Payload = {"status": "Rejected"}


def handler(station: Station) -> Callable[[str, Payload], Payload]:
    """The function that answers calls to `station`; unknown actions are refused with NotImplemented."""
    table = _V16 if station.spec.version == "1.6" else _V201

    def handle(action: str, payload: Payload) -> Payload:
        if action not in table:
            raise Refused("NotImplemented", f"{action} is not implemented")
        return table[action](station, payload)

    return handle


# Charging profiles


def _set_profile_16(station: Station, payload: Payload) -> Payload:
    return ACCEPTED if station.install(v16.profile(payload)) else REJECTED


def _set_profile_201(station: Station, payload: Payload) -> Payload:
    return ACCEPTED if station.install(v201.profile(payload)) else REJECTED


def _clear(station: Station, match: Callable[[Profile], bool]) -> Payload:
    gone = [profile for profile in station.installed.profiles if match(profile)]
    if not gone:
        return {"status": "Unknown"}
    station.change_profiles(station.installed.without(gone))
    return ACCEPTED


def _clear_16(station: Station, payload: Payload) -> Payload:
    wanted = {
        "id": payload.get("id"),
        "evse": payload.get("connectorId"),
        "purpose": payload.get("chargingProfilePurpose"),
        "level": payload.get("stackLevel"),
    }
    return _clear(station, partial(_matches, wanted))


def _clear_201(station: Station, payload: Payload) -> Payload:
    criteria = payload.get("chargingProfileCriteria", {})
    wanted = {
        "id": payload.get("chargingProfileId"),
        "evse": criteria.get("evseId"),
        "purpose": criteria.get("chargingProfilePurpose"),
        "level": criteria.get("stackLevel"),
    }
    return _clear(station, partial(_matches, wanted))


def _matches(wanted: Payload, profile: Profile) -> bool:
    return all(value is None or getattr(profile, name) == value for name, value in wanted.items())


def _composite_16(station: Station, payload: Payload) -> Payload:
    return _composite(station, payload["connectorId"], payload, v16.composite)


def _composite_201(station: Station, payload: Payload) -> Payload:
    return _composite(station, payload["evseId"], payload, v201.composite)


def _composite(station: Station, evse: int, payload: Payload, phrase: Callable[..., Payload]) -> Payload:
    if evse and evse not in station.outlets:
        return REJECTED
    begin = station.clock.now().replace(microsecond=0)
    seconds = payload["duration"]
    end = begin + timedelta(seconds=max(1, seconds))
    steps = station.installed.steps(evse, begin, end, station.runs())
    ratings = [outlet.rating_kw for number, outlet in station.outlets.items() if evse in (0, number)]
    return phrase(evse, begin, seconds, payload.get("chargingRateUnit", "W"), steps, sum(ratings) * 1000)


def _get_profiles(station: Station, payload: Payload) -> Payload:
    criterion = payload["chargingProfile"]
    wanted = {
        "evse": payload.get("evseId"),
        "purpose": criterion.get("chargingProfilePurpose"),
        "level": criterion.get("stackLevel"),
    }
    ids = criterion.get("chargingProfileId")
    found = [p for p in station.installed.profiles if _matches(wanted, p) and (not ids or p.id in ids)]
    if not found:
        return {"status": "NoProfiles"}

    async def tell(who: str) -> None:
        for left, profile in zip(range(len(found) - 1, -1, -1), found, strict=True):
            await station.ask(v201.report(profile, payload["requestId"], left > 0), who)

    station.soon(tell, "report-profiles")
    return ACCEPTED


# Transactions


def _start_16(station: Station, payload: Payload) -> Payload:
    return _start(station, payload.get("connectorId"), payload["idTag"], None)


def _start_201(station: Station, payload: Payload) -> Payload:
    return _start(station, payload.get("evseId"), payload["idToken"]["idToken"], payload["remoteStartId"])


def _start(station: Station, evse: int | None, token: str, remote: int | None) -> Payload:
    waiting = [n for n in station.plugged if n not in station.running and evse in (None, n)]
    if not waiting:
        return REJECTED
    station.soon(lambda who: station.begin(waiting[0], token, who, remote), "remote-start")
    return ACCEPTED


def _stop(station: Station, payload: Payload) -> Payload:
    wanted = str(payload["transactionId"])
    for evse, transaction in station.running.items():
        if transaction.id == wanted:
            station.soon(lambda who, evse=evse: station.end(evse, "Remote", who), "remote-stop")  # type: ignore[misc]  # because: a lambda's default is not typed
            return ACCEPTED
    return REJECTED


# Messages on demand


def _trigger(station: Station, payload: Payload) -> Payload:
    wanted = payload["requestedMessage"]
    evse = payload.get("connectorId") or payload.get("evse", {}).get("id")
    evses = [evse] if evse else list(station.outlets)
    if wanted == "BootNotification":
        station.soon(station.tell_boot, "boot")
    elif wanted == "Heartbeat":
        station.soon(station.tell_heartbeat, "trigger-heartbeat")
    elif wanted == "StatusNotification":
        for number in evses:
            station.soon(partial(station.tell_status, number), f"status-{number}")
    elif wanted in ("MeterValues", "TransactionEvent"):
        for number in evses:
            station.soon(partial(station.tell_meter, number, trigger="Trigger"), f"trigger-meter-{number}")
    else:
        return {"status": "NotImplemented"}
    return ACCEPTED


# Configuration


def _variables(station: Station) -> dict[tuple[str, str], str]:
    return {
        ("SmartChargingCtrlr", "Enabled"): "true",
        ("SmartChargingCtrlr", "RateUnit"): "A,W",
        ("SmartChargingCtrlr", "ProfileStackLevel"): "3",
        ("SmartChargingCtrlr", "PeriodsPerSchedule"): "24",
        ("SmartChargingCtrlr", "Entries"): str(len(station.installed.profiles)),
        ("OCPPCommCtrlr", "HeartbeatInterval"): str(station.heartbeat_s),
        ("OCPPCommCtrlr", "WebSocketPingInterval"): "60",
        ("SampledDataCtrlr", "TxUpdatedInterval"): str(station.meter_s),
        (
            "SampledDataCtrlr",
            "TxUpdatedMeasurands",
        ): "Energy.Active.Import.Register,Power.Active.Import,SoC,Power.Offered",
    }


def _get_variables(station: Station, payload: Payload) -> Payload:
    known = _variables(station)
    components = {component for component, _ in known}
    results = []
    for item in payload["getVariableData"]:
        place = (item["component"]["name"], item["variable"]["name"])
        result = {"component": item["component"], "variable": item["variable"]}
        if place in known:
            result |= {"attributeStatus": "Accepted", "attributeValue": known[place]}
        else:
            result["attributeStatus"] = "UnknownVariable" if place[0] in components else "UnknownComponent"
        results.append(result)
    return {"getVariableResult": results}


def _set_variables(station: Station, payload: Payload) -> Payload:
    results = []
    for item in payload["setVariableData"]:
        place = (item["component"]["name"], item["variable"]["name"])
        status = "UnknownVariable" if place not in _variables(station) else "Accepted"
        if status == "Accepted":
            _change(station, place[1], item["attributeValue"])
        results.append({"attributeStatus": status, "component": item["component"], "variable": item["variable"]})
    return {"setVariableResult": results}


def _change(station: Station, name: str, value: str) -> None:
    if name == "HeartbeatInterval":
        station.heartbeat_s = max(1, int(value))
    elif name in ("TxUpdatedInterval", "MeterValueSampleInterval"):
        station.meter_s = max(1, int(value))


def _base_report(station: Station, payload: Payload) -> Payload:
    rows = [
        {
            "component": {"name": component},
            "variable": {"name": variable},
            "variableAttribute": [{"type": "Actual", "value": value}],
        }
        for (component, variable), value in _variables(station).items()
    ]
    body = {"requestId": payload["requestId"], "generatedAt": stamp(station.clock.now()), "seqNo": 0}
    station.soon(lambda who: station.ask(("NotifyReport", body | {"tbc": False, "reportData": rows}), who), "report")
    return ACCEPTED


_READ_ONLY_16 = {
    "ChargingScheduleAllowedChargingRateUnit": "Current,Power",
    "ChargeProfileMaxStackLevel": "3",
    "ChargingScheduleMaxPeriods": "24",
    "MaxChargingProfilesInstalled": "10",
    "SupportedFeatureProfiles": "Core,SmartCharging,RemoteTrigger",
    "ConnectorSwitch3to1PhaseSupported": "false",
}
_WRITABLE_16 = ("HeartbeatInterval", "MeterValueSampleInterval", "WebSocketPingInterval", "MeterValuesSampledData")


def _get_configuration(station: Station, payload: Payload) -> Payload:
    values = _READ_ONLY_16 | {
        "NumberOfConnectors": str(len(station.outlets)),
        "HeartbeatInterval": str(station.heartbeat_s),
        "MeterValueSampleInterval": str(station.meter_s),
    }
    wanted = payload.get("key") or list(values)
    rows = [{"key": key, "readonly": key not in _WRITABLE_16, "value": values[key]} for key in wanted if key in values]
    return {"configurationKey": rows, "unknownKey": [key for key in wanted if key not in values]}


def _change_configuration(station: Station, payload: Payload) -> Payload:
    if payload["key"] in _WRITABLE_16:
        _change(station, payload["key"], payload["value"])
        return ACCEPTED
    return REJECTED if payload["key"] in _READ_ONLY_16 else {"status": "NotSupported"}


def _constant(answer: Payload) -> Answer:
    return lambda station, payload: answer


_V16: dict[str, Answer] = {
    "SetChargingProfile": _set_profile_16,
    "ClearChargingProfile": _clear_16,
    "GetCompositeSchedule": _composite_16,
    "RemoteStartTransaction": _start_16,
    "RemoteStopTransaction": _stop,
    "TriggerMessage": _trigger,
    "GetConfiguration": _get_configuration,
    "ChangeConfiguration": _change_configuration,
    "ChangeAvailability": _constant(ACCEPTED),
    "ClearCache": _constant(ACCEPTED),
    "DataTransfer": _constant({"status": "UnknownVendorId"}),
    "Reset": _constant(REJECTED),
    "UnlockConnector": _constant({"status": "NotSupported"}),
}

_V201: dict[str, Answer] = {
    "SetChargingProfile": _set_profile_201,
    "ClearChargingProfile": _clear_201,
    "GetCompositeSchedule": _composite_201,
    "GetChargingProfiles": _get_profiles,
    "RequestStartTransaction": _start_201,
    "RequestStopTransaction": _stop,
    "TriggerMessage": _trigger,
    "GetVariables": _get_variables,
    "SetVariables": _set_variables,
    "GetBaseReport": _base_report,
    "ChangeAvailability": _constant(ACCEPTED),
    "ClearCache": _constant(ACCEPTED),
    "DataTransfer": _constant({"status": "UnknownVendorId"}),
    "Reset": _constant(REJECTED),
    "UnlockConnector": _constant({"status": "UnknownConnector"}),
}
