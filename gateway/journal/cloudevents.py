"""A message as a CloudEvents 1.0 event in the NATS binding's binary mode: attributes in `ce-` headers, the body as data."""

from __future__ import annotations

import re

from core.messages import Message, Position
from core.messages.base import canonical
from gateway.journal import subjects

_PLAIN = frozenset(range(0x21, 0x7F)) - frozenset(b'"%')
_ESCAPE = re.compile(rb"%([0-9A-Fa-f]{2})")
_BROKEN = re.compile(rb"%(?![0-9A-Fa-f]{2})")


def encode(value: str) -> str:
    """A header's value: space, quote, percent and all outside 0x21-0x7E become `%XX` of their UTF-8 bytes."""
    return "".join(chr(b) if b in _PLAIN else f"%{b:02X}" for b in value.encode("utf-8"))


def decode(value: str) -> str:
    """What `encode` made the value from; hex digits of either case.

    Raises:
        ValueError: a broken escape, or bytes that are not UTF-8.
    """
    raw = value.encode("ascii")
    if _BROKEN.search(raw):
        raise ValueError(f"{value!r} has a percent sign without two hex digits")
    return _ESCAPE.sub(lambda found: bytes([int(found[1], 16)]), raw).decode("utf-8")


def subject(message: Message) -> str:
    """`evidence.<protocol>.<site>.<peer>`, or `event.<concept>.<site>.<fact>`."""
    concept, _, fact = message.type.partition(".")
    site = subjects.encode(message.site)
    if concept == "evidence":
        protocol, peer = getattr(message.body, "protocol", ""), getattr(message.body, "peer", "")
        return f"evidence.{subjects.encode(protocol)}.{site}.{subjects.encode(peer)}"
    return f"event.{subjects.encode(concept)}.{site}.{subjects.encode(fact)}"


def headers(message: Message, position: Position) -> dict[str, str]:
    """All attributes; `position` is `seq.index`, `causes` are ids with commas between, the others are the message's own."""
    attributes = {
        "specversion": "1.0",
        "id": message.id,
        "source": message.source,
        "type": message.type,
        "time": message.time.isoformat(),
        "datacontenttype": "application/json",
        "dataversion": str(message.version),
        "site": message.site,
        "recorded": message.recorded.isoformat(),
        "causes": ",".join(message.causes),
        "position": f"{position.seq}.{position.index}",
        **message.at.model_dump(mode="json", exclude_none=True),
    }
    named = {f"ce-{name}": encode(str(value)) for name, value in attributes.items() if value != ""}
    return {"Nats-Msg-Id": encode(message.id), **named}


def data(message: Message) -> bytes:
    """The body as canonical JSON."""
    return canonical(message.body.model_dump(mode="json", exclude_defaults=True)).encode("utf-8")
