"""OCPP 2.0.1 on the wire: schemas, actions, words and error codes (part 2, appendix; part 4 section 4.3)."""

from __future__ import annotations

from protocols.ocpp.validation import Schemas

SUBPROTOCOL = "ocpp2.0.1"
SERVED = frozenset(
    {
        "Authorize",
        "BootNotification",
        "ClearedChargingLimit",
        "DataTransfer",
        "FirmwareStatusNotification",
        "Heartbeat",
        "LogStatusNotification",
        "MeterValues",
        "NotifyChargingLimit",
        "NotifyEVChargingNeeds",
        "NotifyEVChargingSchedule",
        "NotifyEvent",
        "NotifyMonitoringReport",
        "NotifyReport",
        "ReportChargingProfiles",
        "ReservationStatusUpdate",
        "SecurityEventNotification",
        "StatusNotification",
        "TransactionEvent",
    }
)
"""Actions that a charging station sends and that we answer."""
EVIDENCE = frozenset({"MeterValues", "StatusNotification", "TransactionEvent"})
SECRETS: tuple[str, ...] = (
    "setVariableData/*/attributeValue(variable.name)",
    "getVariableResult/*/attributeValue(variable.name)",
    "reportData/*/variableAttribute(variable.name)/*/value",
    "eventData/*/actualValue(variable.name)",
    "connectionData/apn/apnPassword",
    "connectionData/apn/simPin",
    "connectionData/vpn/password",
    "connectionData/vpn/key",
    "data(data)",
    "data(messageId)",
)
"""Where a message may hold a secret: variables as set and as reported, network profiles, and what vendors send each other."""
STATUS = {
    "Available": "available",
    "Occupied": "occupied",
    "Reserved": "reserved",
    "Unavailable": "unavailable",
    "Faulted": "faulted",
}
STATES = {
    "EVConnected": "ev_connected",
    "Charging": "charging",
    "SuspendedEV": "suspended_ev",
    "SuspendedEVSE": "suspended_evse",
    "Idle": "idle",
}
PROBLEMS = frozenset({"Overload", "Problem", "Tripped"})
"""Variables of components that say that something is wrong (part 2, appendix 3.1)."""
PURPOSES = {"max": "ChargingStationMaxProfile", "default": "TxDefaultProfile", "transaction": "TxProfile"}


def schemas() -> Schemas:
    """The shipped schemas of this version, compiled on first use."""
    return Schemas("ocpp.v201", "{}Request")
