"""Composes what a connection leaves in the journal: evidence with running numbers, facts with natural ids."""

from __future__ import annotations

import json
from collections.abc import Iterable
from datetime import datetime

from core.messages import Body, Message, Physical, compose, identify
from core.messages.base import as_text
from core.messages.evidence import EvidenceQuarantined, EvidenceReceived, EvidenceSent
from core.ports import KnownStation, Ports
from protocols.common.seal import WITHHELD, Seal, site_key
from protocols.ocpp.dialect import Dialect, Doubt, Said

SOURCE = "ocpp"
MAX_DOUBTS = 20
"""Quarantined parts of one frame that get a message of their own; the last one counts the rest."""
MAX_FACTS = 500
MAX_ITEM = 4096


class Records:
    """The journal's messages of one connection of one station."""

    def __init__(self, ports: Ports, station: KnownStation, connection: int, dialect: Dialect) -> None:
        self.ports = ports
        self.station = station
        self.connection = connection
        self.protocol = dialect.subprotocol
        key = site_key(ports.secrets, station.site)
        self._parts = Seal(key, dialect.secrets)
        self._frames = Seal(key, [f"*/{path}" for path in dialect.secrets])
        self._number = 0

    def received(self, raw: str | bytes, subject: str, time: datetime) -> Message:
        """A frame as it came in."""
        frame, encoding = (raw, "text") if isinstance(raw, str) else as_text(raw)
        text, secrets = self._frames.close(frame) if encoding == "text" else (frame, ())
        if isinstance(raw, bytes) and encoding == "base64" and self._frames.mentions(raw.decode("latin-1")):
            text, encoding = WITHHELD, "text"
        body = EvidenceReceived.model_validate(
            {
                "protocol": self.protocol,
                "peer": self.station.id,
                "frame": text,
                "encoding": encoding,
                "subject": subject,
                "connection": self.connection,
                "secrets": secrets,
            }
        )
        return self._message(body, self._evidence_id(), time)

    def sent(self, raw: str, subject: str, time: datetime, causes: Iterable[str]) -> Message:
        """A frame that we are bound to send."""
        text, secrets = self._frames.close(raw)
        body = EvidenceSent(
            protocol=self.protocol,
            peer=self.station.id,
            frame=text,
            subject=subject,
            connection=self.connection,
            secrets=secrets,
        )
        return self._message(body, self._evidence_id(), time, causes=causes)

    def fact(self, said: Said, evidence: Message) -> Message:
        """A fact that a received frame states."""
        ident = identify(SOURCE, self.station.site, self.station.id, said.body.TYPE, *said.key)
        return compose(
            said.body,
            id=ident,
            time=said.time,
            recorded=evidence.time,
            source=SOURCE,
            site=self.station.site,
            at=said.at,
            causes=(evidence.id,),
            fresh_until=said.fresh_until,
        )

    def own(
        self,
        body: Body,
        key: Iterable[object],
        time: datetime,
        *,
        at: Physical | None = None,
        causes: Iterable[str] = (),
        fresh_until: datetime | None = None,
    ) -> Message:
        """A fact about the connection or a command; `key` is unique within (gateway, epoch, connection)."""
        ident = identify(self.ports.gateway, self.ports.epoch, self.connection, body.TYPE, *key)
        return self._message(body, ident, time, at=at, causes=causes, fresh_until=fresh_until)

    def quarantined(self, doubts: Iterable[Doubt], evidence: Message) -> list[Message]:
        """The parts of a frame that were set aside."""
        every = list(doubts)
        if len(every) > MAX_DOUBTS:
            rest = Doubt("too_many_faults", f"{len(every) - MAX_DOUBTS + 1} more parts of this frame were set aside")
            every = [*every[: MAX_DOUBTS - 1], rest]
        return [self._aside(doubt, index, evidence) for index, doubt in enumerate(every)]

    def _aside(self, doubt: Doubt, index: int, evidence: Message) -> Message:
        item = doubt.item if isinstance(doubt.item, str) else json.dumps(doubt.item, ensure_ascii=False, default=str)
        text, secrets = self._parts.close(item)
        body = EvidenceQuarantined(
            protocol=self.protocol,
            peer=self.station.id,
            reason=doubt.reason,
            detail=doubt.detail[:500],
            item=text[:MAX_ITEM],
            secrets=secrets,
        )
        self.ports.report("quarantined", {"protocol": SOURCE, "reason": doubt.reason})
        return self._message(body, identify(evidence.id, "quarantined", index), evidence.time, causes=(evidence.id,))

    def _evidence_id(self) -> str:
        self._number += 1
        return identify(self.ports.gateway, self.ports.epoch, self.connection, self._number)

    def _message(
        self,
        body: Body,
        ident: str,
        time: datetime,
        *,
        at: Physical | None = None,
        causes: Iterable[str] = (),
        fresh_until: datetime | None = None,
    ) -> Message:
        where = at or Physical(station=self.station.id)
        return compose(
            body,
            id=ident,
            time=time,
            source=SOURCE,
            site=self.station.site,
            at=where,
            causes=causes,
            fresh_until=fresh_until,
        )
