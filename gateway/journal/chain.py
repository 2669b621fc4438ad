"""Verifies that records follow each other without a gap and that each writer's chain of heads is whole."""

from __future__ import annotations

from collections.abc import Mapping

from gateway.journal import subjects
from gateway.journal.log import Damaged, Record
from gateway.journal.record import Opened, open_record

NEXT = "next: stop the hub, keep a copy of the data folder, and restore the journal from its last backup or export"


class Chain:
    """Follows the stream from `after`; where a writer's earlier end is not known, its first record here is taken."""

    def __init__(self, after: int = 0, ends: Mapping[str, tuple[int, str]] | None = None) -> None:
        self.last = after
        self.last_hash = ""
        self._from_start = after == 0
        self.ends: dict[str, tuple[int, str]] = dict(ends or {})
        """Subject -> sequence and hash of that writer's last head."""

    def check(self, seq: int, subject: str, stored: bytes) -> Opened:
        """Verify the next stored record and move on.

        Raises:
            Damaged: sequences are missing, the record is broken, or it does not follow its writer's previous one.
        """
        self._check_sequence(seq)
        try:
            opened = open_record(stored)
        except Damaged as error:
            raise Damaged(f"record {seq} on {subject}: {error}; {NEXT}") from error
        _, expected = self.ends.get(subject, (0, opened.head.prev))
        if opened.head.prev != expected:
            raise Damaged(f"record {seq} does not follow the previous record of {subject}: the chain is broken; {NEXT}")
        self.ends[subject] = (seq, opened.hash)
        self.last, self.last_hash = seq, opened.hash
        return opened

    def _check_sequence(self, seq: int) -> None:
        begins = self.last == 0 and self._from_start  # what was archived and purged at the front is no gap
        if seq != self.last + 1 and not begins:
            raise Damaged(f"records {self.last + 1} to {seq - 1} are missing from the journal; {NEXT}")

    def record(self, seq: int, subject: str, stored: bytes) -> Record:
        """`check`, and the record with its messages."""
        return to_record(seq, subject, self.check(seq, subject, stored))


def to_record(seq: int, subject: str, opened: Opened) -> Record:
    """The record as readers get it."""
    site, _ = subjects.site_and_writer(subject)
    return Record(seq, site, opened.head.writer, opened.head, opened.messages())
