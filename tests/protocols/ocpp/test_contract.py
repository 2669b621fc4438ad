"""The OCPP adapter passes the contract suite, with either version at the other end."""

from __future__ import annotations

import json
from typing import Any, ClassVar

from websockets.exceptions import WebSocketException

from core.messages.site import Connector
from core.ports import KnownStation
from protocols.adapter import Adapter
from protocols.contract import AdapterContract, Answer, Kit, What
from protocols.ocpp.adapter import OcppAdapter
from protocols.ocpp.settings import Listener, Settings
from tests.protocols.ocpp.peer import Peer

GOOD: dict[str, Any] = {"value": 1000}
V201: dict[str, tuple[str, dict[str, Any]]] = {
    "good": (
        "MeterValues",
        {"evseId": 1, "meterValue": [{"timestamp": "2026-11-25T22:00:00Z", "sampledValue": [GOOD]}]},
    ),
    "mixed": (
        "MeterValues",
        {"evseId": 1, "meterValue": [{"timestamp": "2026-11-25T22:00:00Z", "sampledValue": [GOOD, {"value": "x"}]}]},
    ),
    "bad": ("BootNotification", {"reason": "PowerUp"}),
}
START: dict[str, Any] = {"connectorId": 1, "idTag": "T", "meterStart": 5, "timestamp": "2026-11-25T22:00:00Z"}
V16: dict[str, tuple[str, dict[str, Any]]] = {
    "good": ("StartTransaction", START),
    "mixed": ("StartTransaction", {**START, "meterStart": "five"}),
    "bad": ("Authorize", {}),
}


class TestOcpp201(AdapterContract):
    version: ClassVar[str] = "ocpp2.0.1"
    requests: ClassVar[dict[str, tuple[str, dict[str, Any]]]] = V201

    def build(self, kit: Kit) -> Adapter:
        return OcppAdapter(Settings(listeners=(Listener(port=0, plain=True, security_profile=1),), boot_wait_s=60))

    def prepare(self, kit: Kit) -> None:
        kit.stations["CP1"] = KnownStation("CP1", "depot", (Connector(evse=1, max_kw=150),), 12.0, "station/CP1")
        kit.values["station/CP1"] = b"secret"

    async def ask(self, kit: Kit, adapter: Adapter, what: What) -> Answer:
        try:
            peer = await Peer.open(adapter.health().listening[0], "CP1", version=self.version)
            action, payload = self.requests[what]
            frame = await peer.raw(json.dumps([2, what, action, payload]), within=0.8)
        except (TimeoutError, OSError, WebSocketException):
            return "none"
        await peer.close()
        return "positive" if frame[0] == 3 else "negative"


class TestOcpp16(TestOcpp201):
    version: ClassVar[str] = "ocpp1.6"
    requests: ClassVar[dict[str, tuple[str, dict[str, Any]]]] = V16
