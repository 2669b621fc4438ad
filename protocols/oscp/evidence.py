"""Evidence of OSCP requests and answers: what was said, without any token; and the facts of one request, in one batch."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import datetime
from itertools import count

from core.messages import Body, Message, Physical, compose, identify
from core.messages.evidence import EvidenceQuarantined, EvidenceReceived, EvidenceSent
from core.ports import Ports
from protocols.oscp.translate import Fault

PROTOCOL = "oscp"
KEPT = ("content-type", "x-request-id", "x-correlation-id", "x-segment-index", "x-segment-count")
"""Headers that evidence keeps; `authorization` is named, never shown."""
_TOKEN = re.compile(r'("token"\s*:\s*)"(?:[^"\\]|\\.)*"')
REDACTED = "***"


class Evidence:
    """Makes evidence messages: every one has an id of its own, so a repeat is new evidence of an old fact."""

    def __init__(self, ports: Ports) -> None:
        self._ports = ports
        self._numbers = count(1)

    def received(self, peer: str, site: str, subject: str, frame: str, causes: tuple[str, ...] = ()) -> Message:
        """A request of the peer, or its answer to one of ours."""
        body = EvidenceReceived(protocol=PROTOCOL, peer=peer, frame=frame, subject=subject)
        return self.message(body, peer, site, causes)

    def sent(self, peer: str, site: str, subject: str, frame: str, causes: tuple[str, ...] = ()) -> Message:
        """An answer that we are bound to give, or a request that is about to go out."""
        body = EvidenceSent(protocol=PROTOCOL, peer=peer, frame=frame, subject=subject)
        return self.message(body, peer, site, causes)

    def quarantined(self, peer: str, site: str, fault: Fault, causes: tuple[str, ...] = ()) -> Message:
        """A part that is set aside; counted by its reason."""
        self._ports.report("quarantined", {"protocol": PROTOCOL, "reason": fault.reason})
        body = EvidenceQuarantined(
            protocol=PROTOCOL, peer=peer, reason=fault.reason, detail=fault.detail, item=redacted(fault.item)[:4096]
        )
        return self.message(body, peer, site, causes)

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


def frame(start: str, headers: Mapping[str, str], body: bytes, *, withhold: bool = False) -> str:
    """A request or answer as text: first line, kept headers, body; tokens are replaced.

    `withhold` leaves out a body that may hold a token where no pattern can find it.
    """
    lines = [start, *(f"{name}: {headers[name]}" for name in KEPT if name in headers)]
    if "authorization" in headers:
        lines.append(f"authorization: {REDACTED}")
    text = "(withheld: it is not JSON and may hold a token)" if withhold else redacted(body.decode("utf-8", "replace"))
    return "\n".join([*lines, "", text]) if body else "\n".join(lines)


def redacted(text: str) -> str:
    """The text without the value of any `token` member."""
    return _TOKEN.sub(rf'\1"{REDACTED}"', text)
