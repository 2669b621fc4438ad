"""The lowest limit of a window, and properties that hold for every history."""

from __future__ import annotations

import itertools

from hypothesis import given, settings
from hypothesis import strategies as st

from core import envelopes
from tests.core.envelopes.world import ADR, OSCP, T0, World, minute, site


def lowest(world: World, node: str, begins: float, ends: float, **more: object) -> float:
    now = more.pop("now", None)
    at = None if now is None else minute(float(str(now)))
    fresh = bool(more.get("assume_fresh", False))
    return envelopes.limits(world.state, world.config, node, minute(begins), minute(ends), now=at, assume_fresh=fresh)


def given_world() -> World:
    world = World(site(OSCP))
    world.handshake("oscp", 0, fresh=30)
    world.state_limits("oscp", 0, (0, 10, 150), (10, 20, 100), (20, 600, 120))
    return world


def test_the_lowest_limit_of_a_window_is_half_open() -> None:
    world = given_world()
    assert lowest(world, "grid", 0, 10) == 150
    assert lowest(world, "grid", 0, 10.01) == 100
    assert lowest(world, "grid", 19, 25) == 100
    assert lowest(world, "grid", 20, 25) == 120
    assert lowest(world, "panel", 0, 600) == 100


def test_an_instant_has_a_limit_too() -> None:
    world = given_world()
    assert lowest(world, "grid", 10, 10) == 100
    assert lowest(world, "grid", 20, 20) == 120


def test_seen_from_now_a_later_window_counts_the_silence_that_may_come() -> None:
    world = given_world()
    assert lowest(world, "grid", 25, 40, now=0) == 80
    assert lowest(world, "grid", 25, 40, now=0, assume_fresh=True) == 120
    assert lowest(world, "grid", 31, 40) == 80


def test_an_unknown_node_allows_nothing() -> None:
    assert lowest(given_world(), "attic", 0, 10) == 0


SPAN = st.integers(0, 120)
KW = st.one_of(st.none(), st.integers(0, 400).map(float))
BLOCK = st.tuples(SPAN, st.integers(1, 60), KW).map(lambda b: (float(b[0]), float(b[0] + b[1]), b[2]))
EVENT = st.one_of(
    st.tuples(st.just("limit"), st.lists(BLOCK, min_size=1, max_size=4)),
    st.tuples(st.just("fallback"), st.lists(BLOCK, min_size=1, max_size=2)),
    st.tuples(st.just("handshake"), st.integers(0, 60)),
    st.tuples(st.just("heartbeat"), st.integers(0, 60)),
    st.tuples(st.just("decide"), st.just(0)),
)
HISTORY = st.lists(st.tuples(st.sampled_from(["oscp", "adr"]), st.integers(0, 15), EVENT), max_size=12)


def play(history: list[tuple[str, int, tuple[str, object]]]) -> tuple[World, float]:
    world, at = World(site(OSCP, ADR)), 0.0
    for source, pause, (kind, what) in history:
        at += pause
        if kind in ("limit", "fallback"):
            assert isinstance(what, list)
            world.state_limits(source, at, *what, role=kind)  # type: ignore[arg-type]  # because: kind is one of both
        elif kind == "handshake":
            world.handshake(source, at, fresh=at + int(str(what)))
        elif kind == "heartbeat":
            world.heartbeat(source, at, fresh=at + int(str(what)))
        else:
            world.decide(at)
    return world, at


@settings(max_examples=80, deadline=None)
@given(HISTORY)
def test_an_envelope_has_no_gap_and_is_never_above_the_rating_or_any_source(history: object) -> None:
    world, at = play(history)  # type: ignore[arg-type]  # because: drawn from HISTORY
    for fresh in (True, False):
        segments = world.segments(at, assume_fresh=fresh)
        assert segments[0].begins == minute(at)
        assert all(a.ends == b.begins for a, b in itertools.pairwise(segments))
        assert all(s.import_kw <= 277 for s in segments)
    for source, fallback in (("oscp", 80.0), ("adr", 200.0)):
        for segment in world.segments(at):
            stands = envelopes.standing(world.state, source, minute(at))
            known = world.state.sources.get(source)
            blocks = known.blocks if known else {}
            role = "limit" if stands == "current" else "fallback"
            said = [b for b in blocks.get(("import", role), ()) if b.begins <= segment.begins < b.ends]
            for block in said:
                held = stands == "fallback" and source == "adr"
                if block.kw is not None and not held:
                    assert segment.import_kw <= block.kw
            if stands == "fallback" and not said and source == "oscp":
                assert segment.import_kw <= fallback, "stale is never unlimited"


@settings(max_examples=60, deadline=None)
@given(HISTORY, st.floats(0, 120))
def test_with_silence_foreseen_a_stale_source_is_never_unlimited(history: object, ahead: float) -> None:
    world, at = play(history)  # type: ignore[arg-type]  # because: drawn from HISTORY
    known = world.state.sources.get("oscp")
    if known is None or known.fresh_until is None or known.blocks.get(("import", "fallback")):
        return
    moment = max((known.fresh_until - T0).total_seconds() / 60, at) + ahead
    assert world.segment(moment, at, assume_fresh=False).import_kw <= 80


@settings(max_examples=60, deadline=None)
@given(HISTORY, BLOCK)
def test_tightening_never_widens(history: object, block: tuple[float, float, float | None]) -> None:
    world, at = play(history)  # type: ignore[arg-type]  # because: drawn from HISTORY
    before = world.segments(at)
    begins, ends, _ = block
    world.state_limits("oscp", at, (begins, ends, 0))
    world.state_limits("oscp", at, (begins, ends, 0), role="fallback")
    for segment in before:
        after = world.segment((segment.begins - T0).total_seconds() / 60, at)
        assert after.import_kw <= segment.import_kw


@settings(max_examples=60, deadline=None)
@given(HISTORY, st.floats(0, 0.999), st.integers(1, 5000))
def test_nothing_is_written_before_the_next_deadline(history: object, share: float, ahead: int) -> None:
    world, at = play(history)  # type: ignore[arg-type]  # because: drawn from HISTORY
    world.decide(at)
    due = envelopes.next_deadline(world.state, world.config, minute(at))
    span = (due - minute(at)).total_seconds() / 60 if due else float(ahead)
    assert due is None or due > minute(at)
    assert world.dry(at + span * share) == []
    if due is not None:
        assert world.dry(at + span) != []


@settings(max_examples=40, deadline=None)
@given(HISTORY)
def test_history_folded_twice_is_history_folded_once(history: object) -> None:
    world, at = play(history)  # type: ignore[arg-type]  # because: drawn from HISTORY
    world.decide(at)
    again = world.state
    for message in world.written:
        again = envelopes.fold(again, message)
    assert again == world.state


def test_the_lowest_limit_is_on_the_careful_side_unless_asked_otherwise() -> None:
    world = given_world()
    assert envelopes.limits(world.state, world.config, "grid", minute(25), minute(40), now=minute(0)) == 80
