"""Transactions whose station gives a number twice: each has a name of its own here, and its number on the wire."""

from __future__ import annotations

import re
from collections.abc import Iterable
from datetime import datetime

from core.messages.session import KnownTransaction

_AGAIN = re.compile(r"~\d{8}T\d{6}Z$")
"""The beginning of a later transaction of a number; no standard number has a `~` in it."""


def named(number: str, when: datetime, known: Iterable[KnownTransaction], *, begins: bool) -> str:
    """The transaction that a frame means by this number: the last of that number that had begun by then.

    One that begins after the last of its number was over is another one. A repeat of a beginning has the old time.
    """
    same = [one for one in known if number_of(one.transaction) == number]
    before = [one for one in same if one.began is None or one.began <= when] or same[:1]
    last = before[-1] if before else None
    if last is None:
        return number
    over = last.ended is not None and when > last.ended and when != last.began
    return f"{number}~{when:%Y%m%dT%H%M%SZ}" if begins and over else last.transaction


def number_of(transaction: str) -> str:
    """What the station calls it."""
    return _AGAIN.sub("", transaction)
