"""Contact, silence and return: what ends a fallback and what does not."""

from __future__ import annotations

from datetime import UTC, datetime

from immutables import Map

from core import envelopes
from core.messages.envelope import EnvelopeComputed
from core.messages.grid import ConstraintStated, MeterSampled, Segment, SourceStateChanged
from core.messages.site import SiteConfigured
from tests.core.envelopes.world import ADR, OSCP, World, envelope, minute, site


def states(world: World) -> list[tuple[str, str]]:
    return [(m.body.state, m.body.reason) for m in world.written if isinstance(m.body, SourceStateChanged)]


def test_a_configured_source_starts_in_fallback_and_the_journal_says_so() -> None:
    world = World(site(OSCP, ADR))
    messages = world.decide(0)
    assert states(world) == [("fallback", "source_never_heard")] * 2
    assert envelope(messages).degraded == ("oscp", "adr")
    assert [m.at.node for m in messages[:2]] == ["grid", "grid"]


def test_only_a_handshake_ends_the_first_fallback() -> None:
    world = World(site(OSCP))
    world.decide(0)
    world.heartbeat("oscp", 1, fresh=60)
    world.decide(1)
    assert world.cap(1)[0] == 80
    world.handshake("oscp", 2, fresh=60)
    world.decide(2)
    assert world.cap(2)[0] == 277
    assert states(world) == [("fallback", "source_never_heard"), ("current", "source_back")]


def test_a_new_configuration_is_not_a_first_contact() -> None:
    world = World(site(OSCP))
    world.handshake("oscp", 0, fresh=30)
    world.fold(SiteConfigured(digest="e", config=world.config), 1)
    assert world.cap(1) == (277, "rating")
    world.fold(SiteConfigured(digest="f", config=world.config), 31)
    assert world.cap(31) == (80, "oscp fallback")


def test_a_source_is_lost_exactly_at_its_moment() -> None:
    world = World(site(OSCP))
    world.handshake("oscp", 0, fresh=30)
    world.decide(0)
    assert envelopes.next_deadline(world.state, world.config, minute(0)) == minute(30)
    assert world.dry(29.999) == []
    world.decide(30)
    assert states(world)[-1] == ("fallback", "grid_source_lost")
    assert envelopes.next_deadline(world.state, world.config, minute(30)) is None


def test_the_next_deadline_is_the_first_of_all_sources_still_ahead() -> None:
    world = World(site(OSCP, ADR))
    assert envelopes.next_deadline(world.state, world.config, minute(0)) is None
    world.handshake("oscp", 0, fresh=30)
    world.handshake("adr", 0, fresh=20)
    world.handshake("stranger", 0, fresh=5)
    assert envelopes.next_deadline(world.state, world.config, minute(0)) == minute(20)
    assert envelopes.next_deadline(world.state, world.config, minute(20)) == minute(30)


def test_heartbeats_move_the_moment_and_write_nothing() -> None:
    world = World(site(OSCP))
    world.handshake("oscp", 0, fresh=30)
    world.decide(0)
    world.heartbeat("oscp", 10, fresh=40)
    assert world.decide(10) == []
    assert envelopes.next_deadline(world.state, world.config, minute(10)) == minute(40)
    assert world.decide(30) == []


def test_the_newest_heartbeat_may_also_shorten_the_promise() -> None:
    world = World(site(OSCP))
    world.handshake("oscp", 0, fresh=30)
    world.heartbeat("oscp", 1, fresh=20)
    assert envelopes.next_deadline(world.state, world.config, minute(1)) == minute(20)


def test_a_handshake_of_a_present_source_does_not_prolong_its_promise() -> None:
    world = World(site(OSCP))
    world.handshake("oscp", 0, fresh=30)
    world.handshake("oscp", 5, fresh=90)
    assert envelopes.next_deadline(world.state, world.config, minute(5)) == minute(30)


def test_a_handshake_after_silence_begins_a_new_promise() -> None:
    world = World(site(OSCP))
    world.handshake("oscp", 0, fresh=30)
    world.handshake("oscp", 30, fresh=90)
    assert envelopes.next_deadline(world.state, world.config, minute(30)) == minute(90)


def test_a_source_without_a_promise_gets_the_first_one_it_makes() -> None:
    world = World(site(OSCP))
    world.handshake("oscp", 0)
    assert world.cap(10_000)[0] == 277
    world.handshake("oscp", 1, fresh=30)
    assert world.cap(30)[0] == 80


def test_a_heartbeat_that_comes_after_the_moment_does_not_revive() -> None:
    world = World(site(OSCP))
    world.handshake("oscp", 0, fresh=30)
    world.heartbeat("oscp", 30, fresh=60)
    assert world.cap(31)[0] == 80


def test_a_heartbeat_on_its_way_does_not_revive_what_was_decided_lost() -> None:
    world = World(site(OSCP))
    world.handshake("oscp", 0, fresh=30)
    world.decide(30)
    world.heartbeat("oscp", 29.99, fresh=60)
    assert world.cap(31)[0] == 80


def test_a_handshake_between_a_decision_and_its_record_is_not_lost() -> None:
    world = World(site(OSCP))
    world.handshake("oscp", 0, fresh=30)
    world.decide(0)
    late = world.dry(30)
    world.handshake("oscp", 29.99, fresh=90)
    world.heartbeat("oscp", 29.99, fresh=90)
    for message in late:
        world.state = envelopes.fold(world.state, message)
    world.decide(30)
    assert world.cap(31)[0] == 277
    assert states(world)[-1] == ("current", "source_back")


def test_contacts_folded_again_change_nothing() -> None:
    world = World(site(OSCP))
    hello = world.handshake("oscp", 0, fresh=30)
    beat = world.heartbeat("oscp", 10, fresh=40)
    world.decide(40)
    later = world.heartbeat("oscp", 41, fresh=99)
    before = world.state
    for message in (hello, beat, later, *world.written):
        assert envelopes.fold(world.state, message).sources == before.sources


def test_an_old_contact_that_was_forgotten_is_still_older() -> None:
    world = World(site(OSCP))
    hello = world.handshake("oscp", 0, fresh=30)
    for i in range(1, 40):
        world.heartbeat("oscp", i / 10, fresh=30)
    assert len(world.state.sources["oscp"].contacts) == 32
    assert envelopes.fold(world.state, hello).sources == world.state.sources


def test_old_facts_of_the_core_folded_again_change_nothing() -> None:
    world = World(site(OSCP))
    first = world.decide(0)
    configured = world.fold(SiteConfigured(digest="e", config=world.config), 1)
    world.handshake("oscp", 2, fresh=30)
    world.decide(2)
    world.decide(30)
    before = world.state
    for message in first:
        world.state = envelopes.fold(world.state, message)
    world.fold(SiteConfigured(digest="d", config=world.config), 0)
    assert world.state == before
    assert before.configured_by == configured.id


def test_a_reduction_known_in_advance_is_in_the_envelope_that_a_wish_must_respect() -> None:
    world = World(site(OSCP))
    world.handshake("oscp", 0, fresh=30)
    world.state_limits("oscp", 0, (0, 600, 150))
    assert world.steps(0) == [(0, 150), (600, 277)]
    assert world.steps(0, assume_fresh=False) == [(0, 150), (30, 80)]
    assert world.segment(40, 0, assume_fresh=False).fallback


def test_a_held_source_is_held_also_in_the_envelope_for_wishes() -> None:
    world = World(site(ADR))
    world.handshake("adr", 0, fresh=30)
    world.state_limits("adr", 0, (0, 60, 150))
    assert world.steps(0, assume_fresh=False) == [(0, 150), (60, 200)]


def test_messages_of_other_concepts_change_nothing() -> None:
    world = World(site(OSCP))
    before = world.state
    world.fold(MeterSampled(measures="import", import_kw=5), 0)
    assert world.state is before


def test_an_envelope_has_a_growing_revision_and_the_window_as_its_coordinate() -> None:
    world = World(site(OSCP))
    (first,) = [m for m in world.decide(0) if isinstance(m.body, EnvelopeComputed)]
    assert isinstance(first.body, EnvelopeComputed)
    assert first.body.revision == 1
    assert (first.at.begins, first.at.ends) == (minute(0), minute(48 * 60))
    world.handshake("oscp", 1, fresh=600)
    world.state_limits("oscp", 1, (0, 6000, 150))
    (second,) = [m for m in world.decide(1) if isinstance(m.body, EnvelopeComputed)]
    assert isinstance(second.body, EnvelopeComputed)
    assert second.body.revision == 2
    assert second.at.ends == minute(6000 + 48 * 60)
    assert world.state.computed_by == second.id
    assert second.body.degraded == ()


def test_an_older_revision_does_not_replace_a_newer_one() -> None:
    world = World(site(OSCP))
    first = world.decide(0)[-1]
    world.handshake("oscp", 1, fresh=600)
    world.decide(1)
    before = world.state
    assert envelopes.fold(before, first) == before


def test_the_passing_of_time_alone_writes_nothing() -> None:
    world = World(site(OSCP))
    world.handshake("oscp", 0, fresh=100_000)
    world.state_limits("oscp", 0, (10, 20, 150), (50, 60, 20), (9000, 9999, 10))
    world.decide(0)
    for at in (5, 10, 15, 20, 30, 55, 61, 3000, 8000, 9100, 9999, 20_000):
        assert world.dry(at) == [], at


def test_a_statement_that_changes_nothing_writes_nothing() -> None:
    world = World(site(OSCP))
    world.handshake("oscp", 0, fresh=100_000)
    world.state_limits("oscp", 0, (0, 60, 150))
    world.decide(0)
    for at in (1, 60, 61):
        world.state_limits("oscp", at, (0, 60, 150))
        assert world.decide(at) == []


def test_a_statement_that_changes_nothing_writes_nothing_however_old_the_envelope_is() -> None:
    world = World(site(OSCP))
    world.handshake("oscp", 0, fresh=100_000)
    world.decide(0)
    world.state_limits("oscp", 20_000, (0, 60, 150))
    assert world.decide(20_000) == []


def test_the_end_of_time_is_no_error() -> None:
    world = World(site(OSCP))
    world.handshake("oscp", 0, fresh=100_000)
    for_ever = Segment(begins=minute(0), ends=datetime.max.replace(tzinfo=UTC), kw=150)
    world.fold(ConstraintStated(source="oscp", direction="import", segments=(for_ever,), request="r"), 0)
    world.decide(0)
    assert world.cap(0) == (150, "oscp")


def test_an_envelope_names_what_binds_as_its_causes() -> None:
    world = World(site(OSCP))
    hello = world.handshake("oscp", 0, fresh=30)
    other = world.state_limits("oscp", 0, (0, 60, 400))
    low = world.state_limits("oscp", 0, (100, 160, 100))
    changed, computed = world.decide(0)
    assert changed.causes == (hello.id,)
    assert computed.causes == (changed.id, "m1", low.id)
    assert other.id not in computed.causes
    lost, after = world.decide(30)
    assert lost.causes == (hello.id, changed.id)
    assert after.causes == (lost.id, "m1")


def test_a_stated_fallback_is_among_the_causes() -> None:
    world = World(site(OSCP))
    said = world.state_limits("oscp", 0, (0, 60, 33), role="fallback")
    changed, computed = world.decide(0)
    assert changed.causes == ("m1",)
    assert computed.causes == (changed.id, "m1", said.id)
    assert envelopes.causes(world.state, world.config, minute(0)) == Map(
        {"oscp fallback": (said.id, changed.id, "m1"), "rating": ("m1",)}
    )


def test_a_limit_names_its_statement_and_the_state_of_its_source() -> None:
    world = World(site(OSCP))
    world.handshake("oscp", 0, fresh=30)
    said = world.state_limits("oscp", 0, (0, 60, 33))
    changed, _ = world.decide(0)
    found = envelopes.causes(world.state, world.config, minute(0))
    assert found["oscp"] == (said.id, changed.id)
    assert found["rating"] == ("m1",)


def test_a_loss_and_a_return_at_the_same_moment_are_both_kept() -> None:
    world = World(site(OSCP))
    world.handshake("oscp", 0, fresh=30)
    world.decide(0)
    world.decide(30)
    world.handshake("oscp", 30, fresh=60)
    world.decide(30)
    assert [s for s, _ in states(world)] == ["current", "fallback", "current"]
    assert world.state.sources["oscp"].recorded == "current"
    assert world.cap(30) == (277, "rating")


def test_a_statement_between_a_decision_and_its_record_is_not_lost() -> None:
    world = World(site(OSCP))
    world.handshake("oscp", 0, fresh=300)
    late = world.dry(0)
    world.state_limits("oscp", 0, (0, 60, 33))
    for message in late:
        world.state = envelopes.fold(world.state, message)
    assert envelope(world.decide(0)).segments[0].import_kw == 33


def test_a_new_configuration_at_the_same_moment_is_looked_at() -> None:
    world = World(site(OSCP))
    world.decide(0)
    world.config = site(OSCP, rating=50)
    world.fold(SiteConfigured(digest="e", config=world.config), 0)
    assert envelope(world.decide(0)).segments[0].import_kw == 50


def test_an_envelope_says_how_many_inputs_it_saw() -> None:
    world = World(site(OSCP))
    world.handshake("oscp", 0, fresh=300)
    assert envelope(world.decide(0)).inputs == 1
    world.state_limits("oscp", 1, (0, 60, 33), request="r")
    world.state_limits("oscp", 1, (0, 60, 33), request="r")
    assert envelope(world.decide(1)).inputs == 2


def test_a_source_that_leaves_the_configuration_leaves_the_degraded_ones() -> None:
    world = World(site(OSCP, ADR))
    world.decide(0)
    world.config = site(OSCP)
    world.fold(SiteConfigured(digest="e", config=world.config), 1)
    assert envelope(world.decide(1)).degraded == ("oscp",)


def test_a_handshake_by_a_gateway_whose_clock_is_a_little_behind_counts() -> None:
    for behind, cap in ((5 / 60, 277), (5.1 / 60, 80)):
        world = World(site(OSCP))
        world.heartbeat("oscp", 10, fresh=30)
        world.handshake("oscp", 10 - behind, fresh=30)
        assert world.cap(11)[0] == cap
        assert world.state.sources["oscp"].contact_at == minute(10)
