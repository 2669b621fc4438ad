"""A large import in parts that the core takes over one decision each: whole operating days, so that nothing is withdrawn by the cut."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import date
from itertools import groupby

from core.messages.work import Block
from protocols.common.imports import Assignment, Quarantined, Translation

PER_PART = 400
"""Pieces of work of one part; every one of them may become two facts of one record."""
PER_DAY = 1_200
"""Pieces of work of one operating day that one site can have."""


def parts(whole: Translation) -> list[Translation]:
    """The import as it is, or in parts of whole operating days that together say the same.

    Going over the parts again is harmless: what holds already is found unchanged.
    """
    if len(whole.blocks) + len(whole.assignments) <= PER_PART:
        return [whole]
    found = [
        *(_of_blocks(whole, days) for days in _grouped(whole.blocks)),
        *(_part(whole, assignments=some) for some in _cut(whole.assignments)),
    ]
    found = _spanned(whole, found)
    return [replace(found[0], quarantined=whole.quarantined, warnings=whole.warnings), *found[1:]]


def too_many(whole: Translation) -> Quarantined | None:
    """What stands against taking this import: one operating day that is larger than any site's."""
    for day, blocks in _by_day(whole.blocks):
        if len(blocks) > PER_DAY:
            detail = f"{len(blocks)} blocks on {day}; at most {PER_DAY} of one operating day are taken"
            return Quarantined(str(day), "table_too_long", detail)
    return None


def _by_day(blocks: Sequence[Block]) -> list[tuple[date, list[Block]]]:
    ordered = sorted(blocks, key=lambda b: (b.operating_day, b.block))
    return [(day, list(some)) for day, some in groupby(ordered, key=lambda b: b.operating_day)]


def _grouped(blocks: Sequence[Block]) -> Iterator[list[Block]]:
    """Whole days together, as many as one part takes; a day that is larger stands alone."""
    group: list[Block] = []
    for _, day in _by_day(blocks):
        if group and len(group) + len(day) > PER_PART:
            yield group
            group = []
        group += day
    if group:
        yield group


def _cut(assignments: Sequence[Assignment]) -> Iterator[tuple[Assignment, ...]]:
    for start in range(0, len(assignments), PER_PART):
        yield tuple(assignments[start : start + PER_PART])


def _of_blocks(whole: Translation, blocks: Sequence[Block]) -> Translation:
    return replace(_part(whole), content=f"{whole.content}/{blocks[0].operating_day}", blocks=tuple(blocks))


def _part(whole: Translation, assignments: tuple[Assignment, ...] = ()) -> Translation:
    name = f"{whole.content}/{assignments[0].operating_day}/{assignments[0].block}" if assignments else whole.content
    return replace(whole, content=name, blocks=(), assignments=assignments, quarantined=(), warnings=())


def _spanned(whole: Translation, found: list[Translation]) -> list[Translation]:
    """Each part is complete from its first day to the day before the next part's; together they cover what the whole does."""
    if whole.covers_from is None or whole.covers_until is None:
        return found
    starts = [part.blocks[0].operating_day for part in found if part.blocks]
    starts[:1] = [whole.covers_from]
    ends = [date.fromordinal(start.toordinal() - 1) for start in starts[1:]] + [whole.covers_until]
    spans = iter(zip(starts, ends, strict=True))
    return [_with_span(part, next(spans)) if part.blocks else part for part in found]


def _with_span(part: Translation, span: tuple[date, date]) -> Translation:
    return replace(part, covers_from=span[0], covers_until=span[1])
