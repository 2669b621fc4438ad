"""Step functions: overlaying, cutting, bridging, bounding."""

from __future__ import annotations

from core.profiles import Block, bound, bridge, find, overlay, resolve
from tests.core.envelopes.world import minute


def block(begins: float, ends: float, kw: float | None, message: str = "m") -> Block:
    return Block(minute(begins), minute(ends), kw, message)


def test_blocks_that_only_touch_are_left_as_they_are() -> None:
    one, two = block(0, 10, 1), block(10, 20, 2)
    assert resolve((one,), two) == (one, two)
    assert resolve((two,), one) == (one, two)
    assert overlay((one,), (two,)) == (one, two)
    assert bridge((one, two)) == (one, two)


def test_equal_edges_leave_no_empty_block() -> None:
    assert overlay((block(0, 10, 1),), (block(0, 5, 2),)) == (block(0, 5, 2), block(5, 10, 1))
    assert overlay((block(0, 10, 1),), (block(5, 10, 2),)) == (block(0, 5, 1), block(5, 10, 2))
    assert overlay((block(0, 10, 1),), (block(0, 10, 2),)) == (block(0, 10, 2),)
    assert overlay((block(0, 10, 1),), (block(0, 5, 2), block(5, 10, 3))) == (block(0, 5, 2), block(5, 10, 3))


def test_what_is_left_of_a_block_keeps_its_message() -> None:
    left = overlay((block(0, 10, 1, "old"),), (block(4, 6, 2, "new"),))
    assert [b.message for b in left] == ["old", "new", "old"]


def test_a_bridge_is_as_strict_as_the_stricter_side_and_no_statement_gives_way() -> None:
    tenth = 10 / 60
    filled = bridge((block(0, 1, 5, "a"), block(1 + tenth, 2, 3, "b")))
    assert filled[1] == Block(minute(1), minute(1 + tenth), 3, "a", ("b",))
    assert bridge((block(0, 1, None), block(1 + tenth, 2, 3)))[1].kw == 3
    assert bridge((block(0, 1, 4), block(1 + tenth, 2, None)))[1].kw == 4
    assert bridge((block(0, 1, None), block(1 + tenth, 2, None)))[1].kw is None


def test_an_instant_finds_its_half_open_block() -> None:
    blocks = (block(0, 10, 1), block(20, 30, 2))
    assert find(blocks, minute(0)) == blocks[0]
    assert find(blocks, minute(9.9)) == blocks[0]
    assert find(blocks, minute(10)) is None
    assert find(blocks, minute(20)) == blocks[1]
    assert find(blocks, minute(-1)) is None
    assert find((), minute(0)) is None


def test_a_bound_of_its_own_size_changes_nothing() -> None:
    blocks = (block(0, 10, 1), block(20, 30, 2))
    assert bound(blocks, 2) == blocks
    assert bound(blocks, 1) == (block(0, 30, 1),)
