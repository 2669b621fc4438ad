"""The bytes of a journal record: one head line, then its items, each one line of canonical JSON."""

from __future__ import annotations

import json
import zlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256
from typing import Any

from core.messages import Message, load
from core.messages.base import canonical
from core.ports import NotStored
from gateway.journal import items
from gateway.journal.log import Damaged, Head, TooLarge

FORMAT = 1
MAX_BODY = 512 * 1024
"""Bytes of a whole record as stored: head and compressed items."""
MAX_ITEMS = 4096
MAX_MESSAGE = 256 * 1024
"""Bytes of one item's line."""
NONCE = 16

_HEX_IN_HEAD = 67  # a digest with quotes and comma
_HEAD_ROOM = 1024
_MAX_PLAIN = 64 * 1024 * 1024  # more than any record can hold; stops a forged zlib stream

Random = Callable[[int], bytes]


@dataclass(slots=True)
class Batch:
    """The messages of one append, as they will stand in a record."""

    ids: Sequence[str]
    lines: Sequence[bytes]
    digests: Sequence[str]
    size: int
    """Upper bound of the bytes that these items add to a record."""


def encode(messages: Sequence[Message], random: Random) -> Batch:
    """The messages as items, checked against every limit, so that none can spoil the record it will share.

    Raises:
        TooLarge: there are too many for one record.
        NotStored: a message is too large by itself, or cannot be written.
    """
    if len(messages) > MAX_ITEMS:
        told = f"{len(messages)} messages in one append, {MAX_ITEMS} fit; next: append them in smaller parts"
        raise TooLarge(told, MAX_ITEMS)
    nonces = random(NONCE * len(messages))
    lines = [_item(m, nonces[i * NONCE : (i + 1) * NONCE]) for i, m in enumerate(messages)]
    size = sum(map(len, lines)) + len(lines) * (_HEX_IN_HEAD + 1)
    if size > MAX_BODY - _HEAD_ROOM:
        size = _packed_size(lines)
    return Batch([m.id for m in messages], lines, [sha256(line).hexdigest() for line in lines], size)


def _item(message: Message, nonce: bytes) -> bytes:
    try:
        line = items.line(message, nonce).encode("utf-8")
    except ValueError as error:
        raise NotStored(f"message {message.id} ({message.type}) cannot be written as JSON: {error}") from error
    if len(line) > MAX_MESSAGE:
        raise TooLarge(
            f"message {message.id} ({message.type}) has {len(line)} bytes, {MAX_MESSAGE} are allowed; "
            "next: keep its content beside the journal (`Log.keep`)",
            fit=0,
        )
    return line


def _packed_size(lines: Sequence[bytes]) -> int:
    size = len(_pack(lines)) + len(lines) * _HEX_IN_HEAD
    if size > MAX_BODY - _HEAD_ROOM:
        fit = max(1, len(lines) * (MAX_BODY - _HEAD_ROOM) // size)
        told = f"{len(lines)} messages need {size} bytes, {MAX_BODY} are allowed; next: append about {fit}"
        raise TooLarge(told, fit)
    return size


def fits(size: int, items: int) -> bool:
    """Whether a record of that many items, of that size by `Batch.size`, keeps the limits."""
    return size <= MAX_BODY - _HEAD_ROOM and items <= MAX_ITEMS


def head_line(head: Head) -> bytes:
    """The head as the record's first line, without LF."""
    data: dict[str, Any] = {"format": head.format, "writer": head.writer, "epoch": head.epoch, "prev": head.prev}
    data["items"] = list(head.items)
    if head.seen is not None:
        data["seen"] = head.seen
    if head.now is not None:
        data["now"] = head.now.isoformat()
    if head.core is not None:
        data["core"] = head.core
    if head.most is not None:
        data["most"] = head.most
    return canonical(data).encode("utf-8")


def hash_of(head: bytes) -> str:
    """What the next record of the same writer carries as `prev`: SHA-256 over this head's line."""
    return sha256(head).hexdigest()


def body(head: bytes, lines: Sequence[bytes]) -> bytes:
    """The record: head line, LF, zlib of the items' lines joined by LF."""
    return head + b"\n" + _pack(lines)


def _pack(lines: Sequence[bytes]) -> bytes:
    return zlib.compress(b"\n".join(lines), 1)


def record_id(subject: str, prev: str, ids: Sequence[str]) -> str:
    """`Nats-Msg-Id`: hash of subject and message ids; of an empty record, of where it stands in the chain."""
    return sha256("\x1f".join((subject, *(ids or (prev,)))).encode()).hexdigest()[:32]


@dataclass(frozen=True, slots=True)
class Opened:
    """A stored record taken apart, its items verified against their digests."""

    head: Head
    hash: str
    lines: tuple[bytes, ...]

    def messages(self) -> tuple[Message, ...]:
        """The items as messages.

        Raises:
            core.messages.UnknownType: a newer program wrote one of them.
        """
        return tuple(_message(line) for line in self.lines)


def _message(line: bytes) -> Message:
    data = json.loads(line)
    data.pop("n", None)
    return load(data)


def open_record(stored: bytes) -> Opened:
    """Take a record apart and verify its items.

    Raises:
        Damaged: it cannot be read, or an item is not what its digest says.
    """
    first, _, packed = stored.partition(b"\n")
    try:
        head = _head(first)
        plain = zlib.decompressobj().decompress(packed, _MAX_PLAIN)
    except (ValueError, KeyError, TypeError, zlib.error) as error:
        raise Damaged(f"a record cannot be read: {error}") from error
    lines = tuple(plain.split(b"\n")) if plain else ()
    if tuple(sha256(line).hexdigest() for line in lines) != head.items:
        raise Damaged(f"items of a record of {head.writer!r} do not match the digests in its head")
    return Opened(head, hash_of(first), lines)


def _head(first: bytes) -> Head:
    data = json.loads(first)
    if data["format"] != FORMAT:
        raise ValueError(f"record format {data['format']!r} is not known to this version; next: upgrade busbar")
    now = data.get("now")
    return Head(
        format=data["format"],
        writer=data["writer"],
        epoch=data["epoch"],
        prev=data["prev"],
        items=tuple(data["items"]),
        seen=data.get("seen"),
        now=datetime.fromisoformat(now) if now else None,
        core=data.get("core"),
        most=data.get("most"),
    )
