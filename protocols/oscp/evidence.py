"""Evidence of OSCP requests and answers: what was said, without any token; and the facts of one request, in one batch."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import datetime
from itertools import count

from core.messages import Body, Message, Physical, compose, identify
from core.messages.evidence import EvidenceQuarantined, EvidenceReceived, EvidenceSent
from core.ports import Ports
from protocols.common.seal import WITHHELD, Seal, Sealed, site_key
from protocols.oscp.translate import Fault
from protocols.oscp.wire import SECRETS

PROTOCOL = "oscp"
KEPT = ("content-type", "x-request-id", "x-correlation-id", "x-segment-index", "x-segment-count")
"""Headers that evidence keeps; `authorization` is named, never shown."""
REDACTED = "***"
_ELSEWHERE = re.compile(r'(?i)"token"\s*:(?!\s*"secret:[0-9a-f]{12}")')
"""A token that is not at its declared path."""


class Evidence:
    """Makes evidence messages: every one has an id of its own, so a repeat is new evidence of an old fact."""

    def __init__(self, ports: Ports) -> None:
        self._ports = ports
        self._numbers = count(1)
        self._seals = {site: Seal(site_key(ports.secrets, site), SECRETS) for site in ports.sites}

    def received(self, peer: str, site: str, subject: str, frame: Sealed, causes: tuple[str, ...] = ()) -> Message:
        """A request of the peer, or its answer to one of ours."""
        body = EvidenceReceived(protocol=PROTOCOL, peer=peer, frame=frame.text, subject=subject, secrets=frame.secrets)
        return self.message(body, peer, site, causes)

    def sent(self, peer: str, site: str, subject: str, frame: Sealed, causes: tuple[str, ...] = ()) -> Message:
        """An answer that we are bound to give, or a request that is about to go out."""
        body = EvidenceSent(protocol=PROTOCOL, peer=peer, frame=frame.text, subject=subject, secrets=frame.secrets)
        return self.message(body, peer, site, causes)

    def quarantined(self, peer: str, site: str, fault: Fault, causes: tuple[str, ...] = ()) -> Message:
        """A part that is set aside; counted by its reason."""
        self._ports.report("quarantined", {"protocol": PROTOCOL, "reason": fault.reason})
        item, found = self.closed(site, fault.item) if fault.item else Sealed("")
        body = EvidenceQuarantined(
            protocol=PROTOCOL, peer=peer, reason=fault.reason, detail=fault.detail, item=item[:4096], secrets=found
        )
        return self.message(body, peer, site, causes)

    def frame(self, site: str, start: str, headers: Mapping[str, str], body: bytes, *, tokens: bool = False) -> Sealed:
        """A request or answer as text: first line, kept headers, body without its token.

        `tokens`: such a body always holds one; where it is not at its place, the body is left out.
        """
        lines = [start, *(f"{name}: {headers[name]}" for name in KEPT if name in headers)]
        if "authorization" in headers:
            lines.append(f"authorization: {REDACTED}")
        if not body:
            return Sealed("\n".join(lines))
        said = self.closed(site, body.decode("utf-8", "replace"))
        text = WITHHELD if tokens and not said.secrets else said.text
        return Sealed("\n".join([*lines, "", text]), said.secrets)

    def closed(self, site: str, text: str) -> Sealed:
        """The text without its token; with one where none belongs it is withheld."""
        said = self._seals[site].close(text)
        return Sealed(WITHHELD) if _ELSEWHERE.search(said.text) else said

    def without(self, site: str, secret: str, said: Sealed) -> Sealed:
        """The same without a secret that the peer was told and may have repeated, wherever it stands."""
        if secret not in said.text:
            return said
        return Sealed(said.text.replace(secret, self._seals[site].mark(secret)), (*said.secrets, "*"))

    def message(self, body: Body, peer: str, site: str, causes: tuple[str, ...] = ()) -> Message:
        """A message of ours about this peer, with a running id."""
        return compose(
            body,
            id=identify(PROTOCOL, self._ports.gateway, self._ports.epoch, next(self._numbers)),
            time=self._ports.clock.now(),
            source=f"{PROTOCOL}:{peer}",
            site=site,
            at=Physical(party=peer),
            causes=causes,
        )


def fact(
    body: Body,
    *,
    key: tuple[object, ...],
    peer: str,
    site: str,
    now: datetime,
    causes: tuple[str, ...],
    begins: datetime | None = None,
    ends: datetime | None = None,
    fresh_until: datetime | None = None,
) -> Message:
    """A neutral fact; its id derives from the protocol's own identity, so that a peer's retry states the same fact."""
    return compose(
        body,
        id=identify(PROTOCOL, peer, body.TYPE, *key),
        time=now,
        source=f"{PROTOCOL}:{peer}",
        site=site,
        at=Physical(party=peer, begins=begins, ends=ends),
        causes=causes,
        fresh_until=fresh_until,
    )
