"""Step functions of stated limits: non-overlapping half-open blocks in time order, with the messages they rest on."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

BRIDGE = timedelta(seconds=10)
"""Holes up to this long are the rounding of a sender, not a statement."""
STEPS = 1000
"""More blocks than this are kept as one last block with the strictest value."""


@dataclass(frozen=True, slots=True)
class Block:
    """One stated step: 0 is a limit, None is "no statement"."""

    begins: datetime
    ends: datetime
    kw: float | None
    message: str
    also: tuple[str, ...] = ()
    """Further messages, where a block was made from several."""


def overlay(old: tuple[Block, ...], new: tuple[Block, ...]) -> tuple[Block, ...]:
    """`new` (in order, none over another) where it says something, `old` everywhere else, also in the holes of `new`."""
    begins, ends = [b.begins for b in new], [b.ends for b in new]
    left: list[Block] = []
    for block in old:
        over = new[bisect_right(ends, block.begins) : bisect_left(begins, block.ends)]
        left.extend(_rest(block, over))
    return tuple(sorted((*left, *new), key=lambda b: b.begins))


def _rest(block: Block, over: tuple[Block, ...]) -> Iterator[Block]:
    """What is left of a block beside the others."""
    begins = block.begins
    for other in over:
        if other.begins > begins:
            yield replace(block, begins=begins, ends=other.begins)
        begins = max(begins, other.ends)
    if begins < block.ends:
        yield replace(block, begins=begins)


def resolve(said: tuple[Block, ...], block: Block) -> tuple[Block, ...]:
    """Add a block of the same message: where two overlap, the stricter one holds."""
    over = tuple(o for o in said if o.begins < block.ends and block.begins < o.ends)
    if not over:
        return tuple(sorted((*said, block), key=lambda b: b.begins))
    both = tuple(
        replace(o, begins=max(o.begins, block.begins), ends=min(o.ends, block.ends), kw=strictest(o, block))
        for o in over
    )
    return overlay(overlay((block,), said), both)


def since(blocks: tuple[Block, ...], moment: datetime) -> tuple[Block, ...]:
    """The blocks that end after the moment."""
    return tuple(b for b in blocks if b.ends > moment)


def bound(blocks: tuple[Block, ...], steps: int = STEPS) -> tuple[Block, ...]:
    """At most so many blocks: what lies farthest ahead becomes one block with the strictest value."""
    if len(blocks) <= steps:
        return blocks
    tail = blocks[steps - 1 :]
    stated = [b for b in tail if b.kw is not None]
    lowest = min(stated, key=lambda b: b.kw or 0.0) if stated else tail[0]
    return (*blocks[: steps - 1], replace(lowest, begins=tail[0].begins, ends=tail[-1].ends))


def bridge(blocks: tuple[Block, ...]) -> tuple[Block, ...]:
    """Holes of up to 10 s are filled with the stricter neighbour; longer ones stay."""
    filled: list[Block] = []
    for block in blocks:
        if filled and timedelta() < block.begins - filled[-1].ends <= BRIDGE:
            before = filled[-1]
            also = tuple(dict.fromkeys((*before.also, block.message)))
            filled.append(Block(before.ends, block.begins, strictest(before, block), before.message, also))
        filled.append(block)
    return tuple(filled)


def find(blocks: tuple[Block, ...], at: datetime) -> Block | None:
    """The block that covers this instant."""
    index = bisect_right(blocks, at, key=lambda b: b.begins) - 1
    return blocks[index] if index >= 0 and at < blocks[index].ends else None


def strictest(one: Block, other: Block) -> float | None:
    """The lower value; "no statement" gives way to any number."""
    return min((b.kw for b in (one, other) if b.kw is not None), default=None)
