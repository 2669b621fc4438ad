"""OCPP 1.6J on the wire: schemas, actions, words and error codes (OCPP 1.6 section 6, 1.6J section 4.2.3)."""

from __future__ import annotations

from protocols.ocpp.rpc import Fault
from protocols.ocpp.validation import Schemas

SUBPROTOCOL = "ocpp1.6"
SERVED = frozenset(
    {
        "Authorize",
        "BootNotification",
        "DataTransfer",
        "DiagnosticsStatusNotification",
        "FirmwareStatusNotification",
        "Heartbeat",
        "LogStatusNotification",
        "MeterValues",
        "SecurityEventNotification",
        "SignedFirmwareStatusNotification",
        "StartTransaction",
        "StatusNotification",
        "StopTransaction",
    }
)
"""Actions that a charge point sends and that we answer."""
EVIDENCE = frozenset({"MeterValues", "StartTransaction", "StatusNotification", "StopTransaction"})
SECRETS: tuple[str, ...] = ("configurationKey/*/value(key)", "value(key)", "data(data)", "data(messageId)")
"""Where a message may hold a secret: configuration as set and as reported, and what vendors send each other."""
CODES: dict[Fault, str] = {
    "FormatViolation": "FormationViolation",
    "OccurrenceConstraintViolation": "OccurenceConstraintViolation",
    "MessageTypeNotSupported": "ProtocolError",
    "RpcFrameworkError": "ProtocolError",
}
"""Where 1.6 spells or knows a code differently; the rest is the same."""
STATES = {
    "Available": ("available", None),
    "Preparing": ("occupied", "ev_connected"),
    "Charging": ("occupied", "charging"),
    "SuspendedEV": ("occupied", "suspended_ev"),
    "SuspendedEVSE": ("occupied", "suspended_evse"),
    "Finishing": ("occupied", "finishing"),
    "Reserved": ("reserved", None),
    "Unavailable": ("unavailable", None),
    "Faulted": ("faulted", None),
}
"""Status of a connector (1.6 section 7.7): neutral status and charging state."""
PURPOSES = {"max": "ChargePointMaxProfile", "default": "TxDefaultProfile", "transaction": "TxProfile"}


def schemas() -> Schemas:
    """The shipped schemas of this version, compiled on first use."""
    return Schemas("ocpp.v16", "{}")
