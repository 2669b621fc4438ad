"""Rows by natural key within one transaction: read when first touched, written once at its end."""

from __future__ import annotations

import json
from collections import OrderedDict
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import Connection, Table, delete, select
from sqlalchemy.dialects import postgresql, sqlite

from core.messages.base import canonical
from gateway.readmodels.tables import CONCEPTS, INDEXED

Doc = dict[str, Any]
CACHED = 20_000
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def stamp(moment: datetime | None) -> str | None:
    """A moment as text that sorts: UTC, always with microseconds."""
    return None if moment is None else moment.astimezone(UTC).isoformat(timespec="microseconds")


def rank(moment: datetime, *, newest_first: bool = False) -> int:
    """A moment as the rank of a row, in microseconds."""
    delta = moment - EPOCH
    micros = (delta.days * 86_400 + delta.seconds) * 1_000_000 + delta.microseconds
    return -micros if newest_first else micros


class Rows:
    """The concept rows that a projection reads and writes; `flush` upserts what changed."""

    def __init__(self) -> None:
        self._connection: Connection | None = None
        self._docs: OrderedDict[tuple[str, str], Doc | None] = OrderedDict()
        self._changed: dict[tuple[str, str], dict[str, Any] | None] = {}
        self.seq = 0

    def begin(self, connection: Connection) -> None:
        """Work within this transaction."""
        self._connection = connection

    def reset(self) -> None:
        """Forget everything: the transaction was rolled back, or the tables were dropped."""
        self._docs.clear()
        self._changed.clear()

    def get(self, table: str, key: str) -> Doc | None:
        """A copy of the row's document."""
        found = self._find(table, key)
        return None if found is None else dict(found)

    def _find(self, table: str, key: str) -> Doc | None:
        place = (table, key)
        if place in self._docs:
            self._docs.move_to_end(place)
            return self._docs[place]
        at = CONCEPTS[table]
        assert self._connection is not None
        text = self._connection.execute(select(at.c.doc).where(at.c.key == key)).scalar()
        doc: Doc | None = None if text is None else json.loads(text)
        self._docs[place] = doc
        return doc

    def put(
        self,
        table: str,
        key: str,
        doc: Doc,
        *,
        rank: int = 0,
        begins: datetime | None = None,
        ends: datetime | None = None,
    ) -> None:
        """Write a row; columns for filters are the document's fields of the same name."""
        columns = {name: None if doc.get(name) is None else str(doc[name]) for name in INDEXED}
        self._docs[table, key] = doc
        self._changed[table, key] = {
            "key": key,
            "rank": rank,
            "seq": self.seq,
            "begins": stamp(begins),
            "ends": stamp(ends),
            **columns,
        }

    def drop(self, table: str, key: str) -> None:
        """Remove a row."""
        self._docs[table, key] = None
        self._changed[table, key] = None

    def where(self, table: str, *, site: str, ends_after: datetime | None = None) -> Iterator[tuple[str, Doc]]:
        """The rows of a site by key, as they are by now; with `ends_after` only those that end later."""
        self.flush()
        at = CONCEPTS[table]
        query = select(at.c.key, at.c.doc).where(at.c.site == site).order_by(at.c.key)
        if ends_after is not None:
            query = query.where(at.c.ends > stamp(ends_after))
        assert self._connection is not None
        for key, text in self._connection.execute(query).all():
            yield key, json.loads(text)

    def flush(self) -> None:
        """Upsert what changed."""
        assert self._connection is not None
        by_table: dict[str, list[Mapping[str, Any]]] = {}
        for (table, key), row in self._changed.items():
            if row is None:
                self._connection.execute(delete(CONCEPTS[table]).where(CONCEPTS[table].c.key == key))
            else:
                by_table.setdefault(table, []).append(row | {"doc": canonical(self._docs[table, key])})
        for table, rows in by_table.items():
            upsert(self._connection, CONCEPTS[table], rows, "key")
        self._changed.clear()
        while len(self._docs) > CACHED:
            self._docs.popitem(last=False)


def upsert(connection: Connection, table: Table, rows: list[Mapping[str, Any]], key: str) -> None:
    """Insert rows, or replace those with the same key; the same statement for SQLite and PostgreSQL."""
    postgres = connection.dialect.name == "postgresql"
    statement = postgresql.insert(table) if postgres else sqlite.insert(table)
    others = {c.name: statement.excluded[c.name] for c in table.columns if c.name != key}
    connection.execute(statement.on_conflict_do_update(index_elements=[key], set_=others), rows)


def keep_first(connection: Connection, table: Table, rows: list[Mapping[str, Any]], key: str) -> None:
    """Insert rows whose key is not there yet."""
    postgres = connection.dialect.name == "postgresql"
    statement = postgresql.insert(table) if postgres else sqlite.insert(table)
    connection.execute(statement.on_conflict_do_nothing(index_elements=[key]), rows)
