"""The read models' tables, declared once: one index of all messages, one table per concept, and how far they have read."""

from __future__ import annotations

from collections.abc import Mapping

from sqlalchemy import BigInteger, Column, Index, Integer, MetaData, String, Table, Text

from core.messages import Physical

VERSION = "8"
"""Changes when a row of the same log would look different; a database of another version is built anew."""

METADATA = MetaData()

COORDINATES: tuple[str, ...] = tuple(Physical.model_fields)
"""Every physical coordinate is a column of `messages`, as text; moments in UTC with microseconds, so that text sorts."""

messages = Table(
    "messages",
    METADATA,
    Column("id", String, primary_key=True),
    Column("seq", BigInteger, nullable=False),
    Column("idx", Integer, nullable=False),
    Column("type", String, nullable=False),
    Column("time", String, nullable=False),
    Column("recorded", String, nullable=False),
    Column("source", String, nullable=False),
    Column("site", String, nullable=False),
    Column("area", String, nullable=False),
    Column("subject", String, nullable=False),
    *(Column(name, String) for name in COORDINATES),
    Index("messages_position", "seq", "idx"),
    Index("messages_type", "type", "seq"),
    Index("messages_vehicle", "vehicle", "seq"),
    Index("messages_station", "station", "seq"),
    Index("messages_session", "session", "seq"),
    Index("messages_recorded", "site", "recorded"),
    Index("messages_work", "work", "seq"),
    Index("messages_moment", "site", "type", "time"),
)
"""Where each message stands; its body stays in the journal."""

INDEXED = ("site", "vehicle", "work", "node", "station", "evse", "session")
"""Columns of every concept that filters read; taken from the row's document."""


def _concept(name: str) -> Table:
    return Table(
        name,
        METADATA,
        Column("key", String, primary_key=True),
        Column("rank", BigInteger, nullable=False),
        Column("seq", BigInteger, nullable=False),
        Column("begins", String),
        Column("ends", String),
        *(Column(column, String) for column in INDEXED),
        Column("doc", Text, nullable=False),
        Index(f"{name}_rank", "rank", "key"),
        Index(f"{name}_site", "site", "rank"),
        Index(f"{name}_vehicle", "vehicle", "rank"),
        Index(f"{name}_ends", "ends"),
        *([Index(f"{name}_seq", "site", "seq")] if name == "samples" else []),
    )


CONCEPTS: Mapping[str, Table] = {
    name: _concept(name)
    for name in (
        "sites",
        "vehicles",
        "work",
        "requirements",
        "envelope",
        "allocations",
        "stations",
        "knocking",
        "sessions",
        "samples",
        "readiness",
        "incidents",
        "records",
        "imports",
        "sources",
    )
}
"""One table per concept: `key` is natural, `rank` is the order of lists, `doc` the row as JSON."""

checkpoint = Table(
    "checkpoint",
    METADATA,
    Column("name", String, primary_key=True),
    Column("seq", BigInteger, nullable=False),
    Column("version", String, nullable=False),
)
"""The last applied record, in the same transaction as its rows."""
