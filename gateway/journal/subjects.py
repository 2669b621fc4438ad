"""NATS subjects of the journal, and how a name becomes one subject token."""

from __future__ import annotations

import hashlib
import re

JOURNAL = "j"
REFUSED = "r"
CHUNKS, META = "$O.content.C", "$O.content.M"
DESIRED = "$KV.desired"
MAX_TOKEN = 120

_EMPTY = "="
_OTHER = re.compile(rb"[^A-Za-z0-9_-]")
_ESCAPED = re.compile(rb"=([0-9A-F]{2})")


def encode(name: str) -> str:
    """One token: letters, digits, `-` and `_` stay, other UTF-8 bytes become `=XX`; empty is `=`.

    A token over 120 characters is cut and ends in `~` and 16 hex digits of its SHA-256; such a one cannot be decoded.
    """
    raw = name.encode("utf-8", "surrogatepass")
    token = _OTHER.sub(lambda found: b"=%02X" % found[0][0], raw).decode("ascii") or _EMPTY
    if len(token) <= MAX_TOKEN:
        return token
    return f"{token[: MAX_TOKEN - 17]}~{hashlib.sha256(raw).hexdigest()[:16]}"


def decode(token: str) -> str:
    """The name that `encode` made the token from; a shortened token comes back as it is."""
    if token == _EMPTY or "~" in token:
        return "" if token == _EMPTY else token
    raw = _ESCAPED.sub(lambda found: bytes([int(found[1], 16)]), token.encode("ascii"))
    return raw.decode("utf-8", "surrogatepass")


def record(site: str, writer: str) -> str:
    """Where that writer's records of the site go."""
    return f"{JOURNAL}.{encode(site)}.{encode(writer)}"


def site_and_writer(subject: str) -> tuple[str, str]:
    """The site and the writer in a record's subject."""
    _, site, writer = subject.split(".")
    return decode(site), decode(writer)


def refused(site: str, protocol: str) -> str:
    """Where that goes which came from a peer that did not authenticate."""
    return f"{REFUSED}.{encode(site)}.{encode(protocol)}"


def desired(site: str, station: str) -> str:
    """The key of a station's desired state; a `~` cannot stand in a key and becomes `/`."""
    return f"{DESIRED}.{encode(site)}.{encode(station)}".replace("~", "/")


def desired_of(site: str) -> str:
    """The filter for all desired states of a site."""
    return f"{DESIRED}.{encode(site)}.*".replace("~", "/")
