"""Readings `[{"meter": "grid", "at": "...Z", "import_kw": 212.5}]` posted to /meterpush become `meter.sampled`."""

from __future__ import annotations

import itertools
import json
from datetime import datetime
from typing import Any

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, ValidationError

from core.messages import Message, Physical, compose, identify
from core.messages.base import as_text
from core.messages.evidence import EvidenceQuarantined, EvidenceReceived
from core.messages.grid import MeterSampled
from core.ports import HttpRequest, HttpResponse, NotStored, Ports
from protocols.adapter import Health, PeerHealth


class Settings(BaseModel):
    """What the adapter needs to know."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    site: str = Field(description="Site that the meters belong to.")
    path: str = Field("/meterpush", description="Path that readings are posted to.")


class Reading(BaseModel):
    """One reading on the wire."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    meter: str
    at: AwareDatetime
    import_kw: float = Field(ge=0, allow_inf_nan=False)


class MeterPush:
    """The adapter; see `protocols/adapter.py` for its life cycle."""

    name = "meterpush"
    Settings = Settings

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._ports: Ports | None = None
        self._mounted = False
        self._numbers = itertools.count(1)
        self._last: datetime | None = None

    async def start(self, ports: Ports) -> None:
        """Mount the endpoint, once."""
        self._ports = ports
        if not self._mounted:
            ports.http.route("POST", self._settings.path, self._take, 65_536)
            self._mounted = True

    async def stop(self) -> None:
        """Take nothing any more."""
        self._ports = None

    def health(self) -> Health:
        """One peer, once it has sent something."""
        return Health((PeerHealth("meters", True, self._last),)) if self._last else Health()

    async def _take(self, request: HttpRequest) -> HttpResponse:
        ports = self._ports
        if ports is None:
            return HttpResponse(503)
        now = ports.clock.now()
        text, encoding = as_text(request.body)
        body = EvidenceReceived(protocol=self.name, peer=request.peer, frame=text, encoding=encoding)
        own = identify(self.name, ports.gateway, ports.epoch, next(self._numbers))
        batch = [compose(body, id=own, time=now, source=self.name, site=self._settings.site)]
        rows = self._rows(request.body)
        for index, row in enumerate(rows):
            batch.append(self._read(row, f"{own}-{index}", batch[0]))
        good = sum(m.type == "meter.sampled" for m in batch)
        if not good and not rows:
            batch.append(self._aside("not a JSON list", "", f"{own}-0", batch[0]))
        if len(batch) - 1 > good:
            ports.report("quarantined", {"protocol": self.name, "reason": "reading_invalid"})
        try:
            await ports.journal.append(self._settings.site, batch)
        except NotStored:
            return HttpResponse(503, headers={"Retry-After": "5"})
        self._last = now
        return HttpResponse(200 if good else 400, json.dumps({"taken": good}).encode())

    def _rows(self, body: bytes) -> list[Any]:
        try:
            found = json.loads(body)
        except ValueError:
            return []
        return found if isinstance(found, list) else []

    def _read(self, row: Any, id: str, cause: Message) -> Message:
        try:
            reading = Reading.model_validate(row)
        except ValidationError as error:
            return self._aside(error.errors()[0]["msg"], json.dumps(row)[:4096], id, cause)
        body = MeterSampled(measures="import", import_kw=reading.import_kw)
        at = Physical(meter=reading.meter)
        return compose(body, id=id, time=reading.at, source=self.name, site=cause.site, at=at, causes=[cause.id])

    def _aside(self, what: str, item: str, id: str, cause: Message) -> Message:
        detail = f"{what}; next: send meter, at and import_kw"
        body = EvidenceQuarantined(protocol=self.name, peer="meters", reason="reading_invalid", detail=detail, item=item)
        return compose(body, id=id, time=cause.time, source=self.name, site=cause.site, causes=[cause.id])
