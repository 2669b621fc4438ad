"""What a source says replaces what it said for the same time; holes, overlaps and repeats."""

from __future__ import annotations

import pytest

from core.envelopes import fold
from core.messages.grid import ConstraintStated, Segment
from tests.core.envelopes.world import OSCP, World, minute, site


@pytest.fixture
def world() -> World:
    world = World(site(OSCP))
    world.handshake("oscp", 0, fresh=100_000)
    return world


def test_a_newer_statement_replaces_the_span_it_covers_and_keeps_the_rest(world: World) -> None:
    world.state_limits("oscp", 0, (0, 60, 150))
    world.state_limits("oscp", 1, (20, 40, 50))
    assert world.steps(0) == [(0, 150), (20, 50), (40, 150), (60, 277)]


def test_a_newer_statement_may_lift_what_was_said_before(world: World) -> None:
    world.state_limits("oscp", 0, (0, 60, 50), (60, 90, 40))
    world.state_limits("oscp", 1, (-10, 70, 150))
    assert world.steps(0) == [(0, 150), (70, 40), (90, 277)]


def test_one_statement_can_replace_several_older_ones(world: World) -> None:
    world.state_limits("oscp", 0, (0, 10, 10), (10, 20, 20), (20, 30, 30), (30, 40, 40))
    world.state_limits("oscp", 1, (5, 12, 5), (12, 15, 6), (25, 40, 7))
    assert world.steps(0) == [(0, 10), (5, 5), (12, 6), (15, 20), (20, 30), (25, 7), (40, 277)]


def test_a_hole_in_a_newer_statement_keeps_the_older_one(world: World) -> None:
    world.state_limits("oscp", 0, (0, 60, 150))
    world.state_limits("oscp", 1, (0, 10, 50), (50, 60, 60))
    assert world.steps(0) == [(0, 50), (10, 150), (50, 60), (60, 277)]


def test_no_statement_withdraws_a_limit(world: World) -> None:
    world.state_limits("oscp", 0, (0, 60, 150))
    world.state_limits("oscp", 1, (10, 20, None))
    assert world.steps(0) == [(0, 150), (10, 277), (20, 150), (60, 277)]


def test_blocks_of_one_statement_that_overlap_hold_with_the_stricter_value(world: World) -> None:
    world.state_limits("oscp", 0, (0, 30, 150), (20, 50, 60), (10, 25, 100), (22, 23, None))
    assert world.steps(0) == [(0, 150), (10, 100), (20, 60), (50, 277)]


def test_a_block_around_others_of_its_statement_fills_their_holes(world: World) -> None:
    world.state_limits("oscp", 0, (10, 20, 60), (30, 40, 70), (0, 50, 65))
    assert world.steps(0) == [(0, 65), (10, 60), (20, 65), (50, 277)]


def test_a_block_without_duration_says_nothing(world: World) -> None:
    world.state_limits("oscp", 0, (10, 10, 0), (20, 15, 0))
    assert world.steps(0) == [(0, 277)]
    assert world.state.sources["oscp"].blocks["import", "limit"] == ()


def test_holes_up_to_ten_seconds_are_bridged_with_the_stricter_neighbour(world: World) -> None:
    world.state_limits("oscp", 0, (0, 10, 150), (10 + 10 / 60, 20, 50), (20 + 5 / 60, 30, 90))
    assert world.steps(0) == [(0, 150), (10, 50), (20 + 5 / 60, 90), (30, 277)]


def test_longer_holes_are_no_statement(world: World) -> None:
    world.state_limits("oscp", 0, (0, 10, 150), (10 + 11 / 60, 20, 50))
    steps = world.steps(0)
    assert steps[1] == (10, 277)


def test_the_bridged_seconds_name_both_messages_as_causes(world: World) -> None:
    one = world.state_limits("oscp", 0, (0, 10, 150))
    two = world.state_limits("oscp", 0, (10 + 5 / 60, 20, 50))
    found = world.decide(0)[-1].causes
    assert {one.id, two.id} <= set(found)


def test_a_repeated_request_changes_nothing(world: World) -> None:
    world.state_limits("oscp", 0, (0, 60, 150), request="r1")
    world.state_limits("oscp", 1, (0, 60, 50), request="r2")
    before = world.state
    world.state_limits("oscp", 2, (0, 60, 150), request="r1")
    assert world.state.sources == before.sources


def test_the_same_request_may_speak_for_another_role_and_direction(world: World) -> None:
    world.state_limits("oscp", 0, (0, 60, 150), request="r")
    world.state_limits("oscp", 0, (0, 60, 20), request="r", role="fallback")
    world.state_limits("oscp", 0, (0, 60, 10), request="r", direction="export")
    assert set(world.state.sources["oscp"].blocks) == {
        ("import", "limit"),
        ("import", "fallback"),
        ("export", "limit"),
    }
    assert world.cap(0) == (150, "oscp")


def test_a_target_never_becomes_a_limit(world: World) -> None:
    world.state_limits("oscp", 0, (0, 60, 10), role="target")
    assert world.cap(0) == (277, "rating")


def test_a_stated_fallback_replaces_the_configured_one_where_it_covers(world: World) -> None:
    world.state_limits("oscp", 0, (0, 100_000, 150))
    world.state_limits("oscp", 0, (100_010, 100_020, 33), (100_030, 100_040, None), role="fallback")
    world.decide(0)
    world.decide(100_000)
    assert world.steps(100_000) == [(100_000, 80), (100_010, 33), (100_020, 80)]
    assert world.segment(100_015).binding_source == "oscp fallback"
    assert world.segment(100_015).fallback


def test_history_is_forgotten_an_hour_after_it_ended(world: World) -> None:
    world.state_limits("oscp", 0, (0, 10, 150), request="old")
    world.state_limits("oscp", 69, (100, 110, 50))
    assert len(world.state.sources["oscp"].blocks["import", "limit"]) == 2
    assert len(world.state.sources["oscp"].requests) == 2
    world.state_limits("oscp", 70, (110, 120, 50))
    assert [b.begins for b in world.state.sources["oscp"].blocks["import", "limit"]] == [minute(100), minute(110)]
    assert len(world.state.sources["oscp"].requests) == 2


def test_an_old_record_that_comes_again_a_day_later_changes_nothing(world: World) -> None:
    old = world.state_limits("oscp", 0, (0, 10, 150), request="old")
    world.state_limits("oscp", 1440, (1440, 1500, 50))
    before = world.state
    assert fold(before, old) == before


def test_a_flood_of_blocks_is_bounded_and_never_widens(world: World) -> None:
    blocks = tuple((i, i + 1, 100 - i / 100) for i in range(1500))
    segments = tuple(Segment(begins=minute(b), ends=minute(e), kw=kw) for b, e, kw in blocks)
    world.fold(ConstraintStated(source="oscp", direction="import", segments=segments, request="r"), 0)
    kept = world.state.sources["oscp"].blocks["import", "limit"]
    assert len(kept) == 1000
    assert (kept[-1].begins, kept[-1].ends, kept[-1].kw) == (minute(999), minute(1500), 100 - 14.99)
    assert kept[-2].kw == 100 - 9.98


def test_a_flood_that_states_nothing_stays_no_statement(world: World) -> None:
    segments = tuple(Segment(begins=minute(i), ends=minute(i + 1), kw=None) for i in range(1001))
    world.fold(ConstraintStated(source="oscp", direction="import", segments=segments, request="r"), 0)
    kept = world.state.sources["oscp"].blocks["import", "limit"]
    assert (len(kept), kept[-1].kw, kept[-1].ends) == (1000, None, minute(1001))


def test_zero_in_a_flood_is_the_strictest(world: World) -> None:
    segments = tuple(Segment(begins=minute(i), ends=minute(i + 1), kw=(i % 3) / 4) for i in range(1002))
    world.fold(ConstraintStated(source="oscp", direction="import", segments=segments, request="r"), 0)
    assert world.state.sources["oscp"].blocks["import", "limit"][-1].kw == 0


def test_a_statement_about_what_ended_an_hour_ago_is_not_remembered(world: World) -> None:
    world.state_limits("oscp", 70, (0, 10, 150))
    assert len(world.state.sources["oscp"].requests) == 0
    world.state_limits("oscp", 70, (0, 10.1, 150))
    assert len(world.state.sources["oscp"].requests) == 1
