"""The OSCP adapter meets the contract of all adapters."""

from __future__ import annotations

import json

from core.ports import HttpRequest
from protocols.adapter import Adapter
from protocols.contract import AdapterContract, Answer, Kit, What
from protocols.oscp.adapter import OscpAdapter
from protocols.oscp.settings import Peer, Settings

GOOD = {
    "capacity": 260,
    "phase": "ALL",
    "unit": "KW",
    "start_time": "2126-11-25T23:30:00Z",
    "end_time": "2126-11-26T03:30:00Z",
}
BAD = {**GOOD, "capacity": -1}
BLOCKS = {"good": [GOOD], "mixed": [GOOD, BAD], "bad": [BAD]}


class TestOscp(AdapterContract):
    def build(self, kit: Kit) -> Adapter:
        peer = Peer(name="dso", site="depot", groups={"G1": "oscp"}, token_ref="letter")
        return OscpAdapter(Settings(peers=(peer,)))

    def prepare(self, kit: Kit) -> None:
        kit.partners["oscp", "dso"] = {"registered": True, "in": "data:in", "base_url": "http://127.0.0.1:1"}
        kit.values["data:in"] = b"token-c"

    async def ask(self, kit: Kit, adapter: Adapter, what: What) -> Answer:
        body = {"group_id": "G1", "type": "CONSUMPTION", "forecasted_blocks": BLOCKS[what]}
        headers = {"authorization": "Token token-c", "x-request-id": what}
        path = "/oscp/fp/2.0/{action}"
        action = {"action": "update_group_capacity_forecast"}
        request = HttpRequest("POST", path, action, {}, headers, json.dumps(body).encode(), "127.0.0.1")
        answer = await kit.routes["POST", path](request)
        used = b"(1 other blocks are used)" in answer.body  # because: a peer must learn of a bad block, so it gets 400
        return "positive" if answer.status == 204 or used else "negative"

    async def test_nothing_is_served_after_a_stop(self) -> None:
        kit = self.kit()
        adapter = self.build(kit)
        await adapter.start(kit.ports)
        await adapter.stop()
        assert await self.ask(kit, adapter, "good") == "negative"
        assert kit.journal.batches == []

    async def test_building_opens_nothing_and_health_is_empty(self) -> None:
        await super().test_building_opens_nothing_and_health_is_empty()
        assert self.kit().routes == {}
