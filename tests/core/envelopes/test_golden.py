"""The golden night of the standards notes: permanent limits, a pushed signal, and a cached one beside it."""

from __future__ import annotations

from tests.core.envelopes.world import ADR, OSCP, World, site, source


def test_the_golden_table_holds_row_by_row() -> None:
    contract = source("contract", 250)
    world = World(site(contract, OSCP, ADR))
    world.decide(0)
    assert world.cap(0) == (80, "oscp fallback")  # 1: configured, never heard

    world.handshake("oscp", 1, fresh=60)
    world.state_limits("oscp", 1, (0, 600, 150))
    world.handshake("adr", 1)
    world.state_limits("adr", 1, (0, 120, 180), (120, 600, 200))
    assert world.cap(1) == (150, "oscp")  # 2 and 3: the pushed limit binds, the other resolves to 180

    assert world.cap(59.9) == (150, "oscp")
    assert world.cap(60) == (80, "oscp fallback")  # 4: offline although the forecast still covers now
    world.decide(60)
    world.heartbeat("oscp", 61, fresh=120)
    assert world.cap(61) == (80, "oscp fallback")  # 5: a heartbeat alone ends no fallback
    world.handshake("oscp", 62, fresh=300)
    assert world.cap(62) == (150, "oscp")  # 6
    world.state_limits("adr", 63, (63, 70, 0))
    assert world.cap(63) == (0, "adr")  # 7: 0 is a limit
    assert world.cap(70) == (150, "oscp")  # 8
    assert world.cap(130) == (150, "oscp")  # 9: subscription 200 does not bind


def test_a_source_that_is_taken_out_of_the_configuration_no_longer_binds() -> None:
    world = World(site(ADR))
    world.state_limits("oscp", 0, (0, 600, 150))
    world.handshake("oscp", 0)
    assert world.cap(1) == (200, "adr fallback")  # 10


def test_a_held_source_keeps_its_cached_limits_when_it_is_lost_and_then_falls_back() -> None:
    world = World(site(ADR))
    world.handshake("adr", 0, fresh=10)
    world.state_limits("adr", 0, (0, 60, 120), (90, 100, 130))
    assert world.steps(0) == [(0, 120), (60, 277), (90, 130), (100, 277)]
    world.decide(10)
    assert world.steps(10) == [(10, 120), (60, 200), (90, 130), (100, 200)]
    assert world.segment(20).fallback is False
    assert world.segment(70).fallback is True
    assert world.segment(70).binding_source == "adr fallback"


def test_a_held_source_that_was_never_heard_is_in_fallback_whatever_it_stated() -> None:
    world = World(site(ADR))
    world.state_limits("adr", 0, (0, 60, 500))
    assert world.cap(0) == (200, "adr fallback")


def test_the_rating_binds_where_every_source_allows_more() -> None:
    world = World(site(source("dso", 900)))
    assert world.cap(0) == (277, "rating")
    assert world.segment(0).runner_up == "dso fallback"
    assert world.segment(0).fallback is False


def test_without_sources_the_rating_stands_alone() -> None:
    world = World(site())
    assert world.cap(0) == (277, "rating")
    assert world.segment(0).runner_up is None


def test_on_a_tie_the_outside_statement_is_named_first() -> None:
    world = World(site(source("dso", 277)))
    assert world.cap(0) == (277, "dso fallback")
    assert world.segment(0).runner_up == "rating"


def test_a_source_holds_for_its_own_node_only() -> None:
    world = World(site(source("local", 30, node="panel")))
    assert world.cap(0) == (277, "rating")
    assert world.segment(0, node="panel").import_kw == 30
