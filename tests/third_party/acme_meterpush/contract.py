"""The contract suite that every adapter passes, run by its own author with pytest."""

from __future__ import annotations

import json
from typing import Any

from acme_meterpush.adapter import MeterPush, Settings
from core.ports import HttpRequest
from protocols.contract import AdapterContract, Answer, Kit, What

GOOD = {"meter": "grid", "at": "2026-11-25T23:00:00Z", "import_kw": 212.5}
BAD = {"meter": "grid", "at": "yesterday", "import_kw": -1}


class TestMeterPush(AdapterContract):
    """Every promise of the contract."""

    def build(self, kit: Kit) -> MeterPush:
        """The adapter, not started."""
        return MeterPush(Settings(site="depot"))

    async def ask(self, kit: Kit, adapter: Any, what: What) -> Answer:
        """One request as a meter sends it."""
        body = {"good": [GOOD], "mixed": [GOOD, BAD], "bad": [BAD]}[what]
        request = HttpRequest("POST", "/meterpush", {}, {}, {}, json.dumps(body).encode(), "192.0.2.7")
        answer = await kit.routes["POST", "/meterpush"](request)
        return "positive" if answer.status == 200 else "negative"
