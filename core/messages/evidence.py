"""Raw evidence: frames as received and as sent, unchanged but for secrets, and what had to be set aside."""

from __future__ import annotations

from typing import ClassVar, Literal

from core.messages.base import Body, Problem

_EVIDENCE = Problem("integration", "evidence")

Encoding = Literal["text", "base64"]


class _Frame(Body):
    """Bytes that a peer and we exchanged, unchanged but for secrets."""

    PROBLEM: ClassVar[Problem] = _EVIDENCE
    LOCAL: ClassVar[frozenset[str]] = frozenset({"connection"})

    protocol: str
    peer: str
    frame: str
    encoding: Encoding = "text"
    subject: str = ""
    """What the frame is by its protocol's own name: an OCPP action, an HTTP method and path, a file name."""
    connection: int | None = None
    content: str = ""
    """SHA-256 of the whole, where it is too large for a message and kept beside the journal; `frame` is its beginning."""
    size: int | None = None
    """Bytes of the whole, likewise."""
    secrets: tuple[str, ...] = ()
    """Where in the frame's JSON (JSON Pointers) a secret stood: there stands `secret:` and a digest under the site's key; `*` is anywhere in its text."""


class EvidenceReceived(_Frame):
    """A frame, request or file as it came in. Its id adds (gateway, epoch, connection, running number): a repeat is new evidence."""

    TYPE: ClassVar[str] = "evidence.received"


class EvidenceSent(_Frame):
    """A frame, request or answer that we were bound to send; in the journal before it goes out."""

    TYPE: ClassVar[str] = "evidence.sent"


class EvidenceQuarantined(Body):
    """A part of a frame or feed that was set aside, with its reason; the good parts beside it were used."""

    TYPE: ClassVar[str] = "evidence.quarantined"
    PROBLEM: ClassVar[Problem] = _EVIDENCE

    protocol: str
    peer: str
    reason: str
    """A code of `core/messages/reasons`."""
    detail: str
    """What is wrong and what to do next, in words for a person; no secrets."""
    item: str = ""
    """The part itself, cut at 4,096 characters."""
    secrets: tuple[str, ...] = ()
    """Where in `item` a secret stood, as in evidence."""
