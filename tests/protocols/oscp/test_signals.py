"""Handshakes, heartbeats and forecasts become neutral facts; bad ones get an answer that helps."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from datetime import timedelta

import pytest

from core.messages.evidence import EvidenceQuarantined, EvidenceReceived, EvidenceSent
from core.messages.grid import ConstraintStated, SourceContacted
from core.ports import HUB
from tests.protocols.oscp.harness import T0, GridOperator, Setting, grid_operator
from tests.waiting import until


@pytest.fixture
async def hub() -> AsyncIterator[Setting]:
    async with grid_operator() as operator:
        setting = Setting(operator)
        async with setting.running():
            await operator.register()
            await until(lambda: bool((setting.journal.partner("oscp", "dso") or {}).get("registered")))
            yield setting


def block(
    capacity: object = 260,
    start: str = "2026-11-26T00:30:00+01:00",
    end: str = "2026-11-26T04:30:00+01:00",
    **more: object,
) -> dict[str, object]:
    return {"capacity": capacity, "phase": "ALL", "unit": "KW", "start_time": start, "end_time": end, **more}


def forecast(*blocks: object, group: str = "G1", type: str = "CONSUMPTION") -> dict[str, object]:
    return {"group_id": group, "type": type, "forecasted_blocks": list(blocks)}


UPDATE = "update_group_capacity_forecast"


async def test_a_handshake_is_a_contact_and_is_acknowledged_with_its_id(hub: Setting) -> None:
    await hub.operator.send(
        "handshake", {"required_behaviour": {"heartbeat_interval": 600, "measurement_configuration": []}}
    )
    (contact,) = hub.journal.of(SourceContacted)
    assert isinstance(contact.body, SourceContacted)
    assert (contact.body.source, contact.body.kind) == ("oscp", "handshake")
    assert contact.fresh_until == T0 + timedelta(seconds=2700)
    assert [m.type for m in hub.journal.messages if m.id in contact.causes] == ["evidence.received"]
    call = await hub.operator.got("handshake_acknowledge")
    assert call.headers["X-Correlation-ID"] == "r-2"
    assert call.body == {"required_behaviour": {"heartbeat_interval": 900, "measurement_configuration": []}}


async def test_request_facts_and_answer_stand_in_one_record(hub: Setting) -> None:
    await hub.operator.send(UPDATE, forecast(block()))
    [(site, record)] = [r for r in hub.journal.records if any(isinstance(m.body, ConstraintStated) for m in r[1])]
    assert site == "depot"
    assert [m.type for m in record] == ["evidence.received", "constraint.stated", "evidence.sent"]
    assert isinstance(record[2].body, EvidenceSent)
    assert record[2].body.frame == "HTTP 204"


async def test_we_send_the_heartbeats_that_the_peer_asked_for(hub: Setting) -> None:
    await hub.operator.greet(interval=300)
    first = await hub.operator.got("heartbeat")
    assert first.body == {"offline_mode_at": "2026-11-25T20:15:00Z"}
    await hub.hand.advance(299, sleeper=True)
    assert len(hub.operator.named("heartbeat")) == 1
    await hub.hand.advance(2, sleeper=True)
    second = await hub.operator.got("heartbeat", 2)
    assert second.body == {"offline_mode_at": "2026-11-25T20:20:00Z"}


async def test_a_peer_that_comes_back_does_not_wait_for_the_repeats_of_our_heartbeat(hub: Setting) -> None:
    await hub.operator.greet(interval=300)
    await hub.operator.got("heartbeat")
    hub.operator.answers = [500]
    await hub.hand.advance(301, sleeper=True)
    await hub.operator.got("heartbeat", 2)
    await until(lambda: "HTTP 500" in [body.frame for body in hub.journal.bodies(EvidenceReceived)])
    await hub.operator.send("handshake", {})
    await hub.operator.got("handshake_acknowledge", 2)
    assert len(hub.operator.named("heartbeat")) == 2


async def test_nobody_gets_heartbeats_unasked(hub: Setting) -> None:
    await hub.operator.greet(interval=None)
    await hub.hand.advance(7200)
    assert hub.operator.named("heartbeat") == []


async def test_a_handshake_without_a_body_is_taken(hub: Setting) -> None:
    assert (await hub.operator.send("handshake", b""))[0] == 204
    assert len(hub.journal.of(SourceContacted)) == 1


async def test_a_heartbeat_is_fresh_until_the_offline_moment(hub: Setting) -> None:
    status, text = await hub.operator.send("heartbeat", {"offline_mode_at": "2026-11-25T22:00:00.000+01:00"})
    assert (status, text) == (204, "")
    (contact,) = hub.journal.of(SourceContacted)
    assert contact.body.model_dump()["kind"] == "heartbeat"
    assert contact.fresh_until == T0 + timedelta(hours=1)
    assert hub.adapter.health().peers[0].connected
    await hub.hand.advance(3600)
    assert not hub.adapter.health().peers[0].connected


async def test_a_far_offline_moment_counts_as_a_day(hub: Setting) -> None:
    await hub.operator.send("heartbeat", {"offline_mode_at": "9999-12-31T23:59:59Z"})
    assert hub.journal.of(SourceContacted)[0].fresh_until == T0 + timedelta(days=1)


async def test_too_short_a_horizon_is_no_contact_and_says_so(hub: Setting) -> None:
    status, _ = await hub.operator.send("heartbeat", {"offline_mode_at": "2026-11-25T20:00:59Z"})
    assert status == 204
    assert hub.journal.of(SourceContacted)[0].fresh_until == T0
    assert await hub.reasons() == ["horizon_short"]


async def test_a_forecast_becomes_a_neutral_constraint(hub: Setting) -> None:
    assert await hub.operator.send(
        UPDATE, forecast(block(), block(800, "2026-11-25T21:00:00Z", "2026-11-25T23:30:00Z"))
    ) == (204, "")
    (message,) = hub.journal.of(ConstraintStated)
    body = message.body
    assert isinstance(body, ConstraintStated)
    assert (body.source, body.direction, body.role) == ("oscp", "import", "limit")
    assert [s.kw for s in body.segments] == [800, 260]
    assert body.segments[1].begins.isoformat() == "2026-11-25T23:30:00+00:00"
    assert (message.at.begins, message.at.ends) == (body.segments[0].begins, body.segments[1].ends)
    assert body.request.startswith("r-2#")


@pytest.mark.parametrize(
    ("type", "direction", "role"),
    [
        ("CONSUMPTION", "import", "limit"),
        ("GENERATION", "export", "limit"),
        ("FALLBACK_CONSUMPTION", "import", "fallback"),
        ("FALLBACK_GENERATION", "export", "fallback"),
        ("OPTIMUM", "import", "target"),
    ],
)
async def test_the_type_says_direction_and_role(hub: Setting, type: str, direction: str, role: str) -> None:
    await hub.operator.send(UPDATE, forecast(block(), type=type))
    (body,) = hub.journal.bodies(ConstraintStated)
    assert (body.direction, body.role) == (direction, role)


async def test_zero_is_a_limit(hub: Setting) -> None:
    assert (await hub.operator.send(UPDATE, forecast(block(0))))[0] == 204
    assert hub.journal.bodies(ConstraintStated)[0].segments[0].kw == 0


async def test_a_repeated_request_changes_nothing_and_gets_the_same_answer(hub: Setting) -> None:
    first = await hub.operator.send(UPDATE, forecast(block(), block(-1)), X_Request_ID="same")
    again = await hub.operator.send(UPDATE, forecast(block(), block(-1)), X_Request_ID="same")
    assert first == again
    assert len(hub.journal.of(ConstraintStated)) == 1
    assert len([b for b in hub.journal.bodies(EvidenceReceived) if UPDATE in b.subject]) == 2


async def test_after_a_restart_a_repeated_request_states_the_same_fact(hub: Setting) -> None:
    await hub.operator.send(UPDATE, forecast(block()), X_Request_ID="same")
    async with hub.running(epoch=2):
        await hub.operator.send(UPDATE, forecast(block()), X_Request_ID="same")
    one, two = hub.journal.of(ConstraintStated)
    assert (one.id, one.key) == (two.id, two.key)


async def test_a_peer_that_uses_one_id_for_everything_is_still_heard(hub: Setting) -> None:
    await hub.operator.send(UPDATE, forecast(block(260)), X_Request_ID="1")
    await hub.operator.send(UPDATE, forecast(block(100)), X_Request_ID="1")
    one, two = hub.journal.bodies(ConstraintStated)
    assert one.request != two.request


async def test_a_request_without_an_id_is_taken_each_time(hub: Setting) -> None:
    for _ in range(2):
        assert (await hub.operator.send(UPDATE, forecast(block()), X_Request_ID=""))[0] == 204
    one, two = hub.journal.bodies(ConstraintStated)
    assert one.request != two.request


@pytest.mark.parametrize(
    ("bad", "words"),
    [
        (block(-1), "capacity"),
        (block("260"), "capacity"),
        (block(True), "capacity"),
        (block(end="2026-11-26T00:30:00+01:00"), "not after"),
        (block(start="2026-11-26T05:30:00+01:00"), "not after"),
        (block(start="yesterday"), "RFC 3339"),
        (block(start="2026-11-26T00:00:00"), "offset"),
        (block(end="2036-11-26T00:00:00Z"), "366 days"),
        (block(unit="HP"), "unit"),
        (block(phase="FOUR"), "phase"),
        ({"capacity": 1}, "start_time"),
        ("nonsense", "body"),
    ],
)
async def test_a_bad_block_is_named_and_the_good_ones_are_used(hub: Setting, bad: object, words: str) -> None:
    status, text = await hub.operator.send(UPDATE, forecast(block(100), bad))
    assert status == 400
    message = json.loads(text)["message"]
    assert "block 2 of 2" in message and words in message and "next:" in message
    assert "(1 other blocks are used)" in message
    assert [s.kw for s in hub.journal.bodies(ConstraintStated)[0].segments] == [100]
    assert await hub.reasons() == ["capacity_block_invalid"]
    assert ("quarantined", {"protocol": "oscp", "reason": "capacity_block_invalid"}) in hub.counted


async def test_a_forecast_of_bad_blocks_only_states_nothing(hub: Setting) -> None:
    status, _ = await hub.operator.send(UPDATE, forecast(block(-1)))
    assert status == 400
    assert hub.journal.of(ConstraintStated) == []


async def test_an_unknown_group_is_404_and_the_others_go_on(hub: Setting) -> None:
    status, text = await hub.operator.send(UPDATE, forecast(block(), group="G9"))
    assert status == 404
    assert "'G9'" in json.loads(text)["message"]
    assert await hub.reasons() == ["group_unknown"]
    assert (await hub.operator.send(UPDATE, forecast(block())))[0] == 204


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (b"{not json", "not_json"),
        (b"\xff\xfe", "not_json"),
        (b"", "not_json"),
        (b"[]", "message_invalid"),
        (b"7", "message_invalid"),
        (b'{"group_id": "G1"}', "message_invalid"),
        (json.dumps(forecast()).encode(), "message_invalid"),
        (json.dumps(forecast(*[block()] * 1001)).encode(), "message_invalid"),
        (json.dumps(forecast(block(), type="EVERYTHING")).encode(), "message_invalid"),
        (b"[" * 50000, "not_json"),
    ],
)
async def test_what_cannot_be_read_gets_400_and_a_next_step(hub: Setting, body: bytes, reason: str) -> None:
    status, text = await hub.operator.send(UPDATE, body)
    assert status == 400
    assert "next:" in json.loads(text)["message"]
    assert await hub.reasons() == [reason]


async def test_a_bad_heartbeat_is_refused(hub: Setting) -> None:
    for bad in ({}, {"offline_mode_at": 5}, {"offline_mode_at": "soon"}, {"offline_mode_at": "2026-11-25 22:00:00"}):
        assert (await hub.operator.send("heartbeat", bad))[0] == 400
    assert hub.journal.of(SourceContacted) == []


async def test_a_wrong_token_is_401_at_once_and_leaves_one_piece_of_evidence_a_minute(hub: Setting) -> None:
    right = hub.operator.token
    for token in ("wrong", "", "ü"):
        hub.operator.token = token
        status, text = await hub.operator.send(UPDATE, forecast(block()))
        assert status == 401
        assert "next:" in json.loads(text)["message"]
    assert await hub.reasons() == ["token_wrong"]
    assert hub.journal.records[-1][0] == HUB
    assert len([c for c in hub.counted if c[0] == "connections_refused"]) == 3
    hub.operator.token = right
    assert (await hub.operator.send(UPDATE, forecast(block())))[0] == 204


async def test_an_action_that_is_not_served_is_404_and_a_wrong_method_405(hub: Setting) -> None:
    assert (await hub.operator.send("update_group_measurements", {}))[0] == 404
    assert (await hub.operator.send("handshake", {}, method="PUT"))[0] == 405
    assert await hub.reasons(2) == ["action_unknown", "action_unknown"]


async def test_known_misspellings_of_the_acknowledgement_are_taken(hub: Setting) -> None:
    for path in ("handshake_acknowledge", "handshake_acknowledgment", "handshake_acknowledgement"):
        assert (await hub.operator.send(path, b""))[0] == 204
    assert hub.journal.of(SourceContacted) == []


async def test_an_acknowledgement_may_ask_for_heartbeats(hub: Setting) -> None:
    await hub.operator.send("handshake_acknowledge", {"required_behaviour": {"heartbeat_interval": 60}})
    await hub.operator.got("heartbeat")


async def test_other_requests_to_a_flexibility_provider_are_kept_as_evidence(hub: Setting) -> None:
    assert (await hub.operator.send("adjust_group_capacity_forecast", forecast(block())))[0] == 204
    assert (await hub.operator.send("adjust_group_capacity_forecast", forecast(block(), group="G9")))[0] == 404
    assert (await hub.operator.send("group_capacity_compliance_error", {"message": "too much"}))[0] == 204
    assert (await hub.operator.send("group_capacity_compliance_error", {}))[0] == 400
    assert hub.journal.of(ConstraintStated) == []


async def test_what_cannot_be_stored_is_answered_with_try_later(hub: Setting) -> None:
    hub.journal.full = True
    status, text = await hub.operator.send(UPDATE, forecast(block()), X_Request_ID="x")
    assert status == 503
    assert "again later" in json.loads(text)["message"]
    hub.journal.full = False
    assert (await hub.operator.send(UPDATE, forecast(block()), X_Request_ID="x"))[0] == 204
    assert len(hub.journal.of(ConstraintStated)) == 1


async def test_a_body_that_is_too_large_is_refused_by_the_host(hub: Setting) -> None:
    assert (await hub.operator.send(UPDATE, b" " * 300_000))[0] == 413


async def send_parts(
    operator: GridOperator, parts: list[bytes], correlate: str, order: list[int] | None = None
) -> list[int]:
    statuses = []
    for number, index in enumerate(order or range(len(parts))):
        headers = {"X_Segment_Index": str(index + 1), "X_Segment_Count": str(len(parts)), "X_Request_ID": f"p{number}"}
        if number and correlate != "none":
            headers["X_Correlation_ID"] = "p0" if correlate == "first" else f"p{number - 1}"
        statuses.append((await operator.send(UPDATE, parts[index], **headers))[0])
    return statuses


@pytest.mark.parametrize("correlate", ["first", "previous", "none"])
async def test_a_split_message_is_put_together(hub: Setting, correlate: str) -> None:
    whole = json.dumps(forecast(block())).encode()
    parts = [whole[:20], whole[20:50], whole[50:]]
    assert await send_parts(hub.operator, parts, correlate) == [204, 204, 204]
    (body,) = hub.journal.bodies(ConstraintStated)
    assert body.request.startswith("p0#")


async def test_parts_may_come_in_any_order(hub: Setting) -> None:
    whole = json.dumps(forecast(block())).encode()
    assert await send_parts(hub.operator, [whole[:20], whole[20:50], whole[50:]], "first", [2, 0, 1]) == [204] * 3
    assert len(hub.journal.of(ConstraintStated)) == 1


@pytest.mark.parametrize(
    ("index", "count"), [("0", "2"), ("3", "2"), ("1", "17"), ("x", "2"), ("1", "-1"), ("1", "99999")]
)
async def test_impossible_parts_are_refused(hub: Setting, index: str, count: str) -> None:
    status, text = await hub.operator.send(UPDATE, b"{", X_Segment_Index=index, X_Segment_Count=count)
    assert status == 400
    assert "next:" in text
    assert await hub.reasons() == ["segment_invalid"]


async def test_parts_that_are_too_large_together_are_refused(hub: Setting) -> None:
    parts = [b" " * 200_000] * 7
    statuses = await send_parts(hub.operator, parts, "first")
    assert statuses[:5] == [204] * 5
    assert statuses[5] == 400


async def test_parts_that_never_get_complete_are_forgotten(hub: Setting) -> None:
    whole = json.dumps(forecast(block())).encode()
    await hub.operator.send(UPDATE, whole[:9], X_Segment_Index="1", X_Segment_Count="2", X_Request_ID="p")
    await hub.hand.advance(301)
    await hub.operator.send(UPDATE, whole[9:], X_Segment_Index="2", X_Segment_Count="2", X_Correlation_ID="p")
    assert hub.journal.of(ConstraintStated) == []


async def test_quarantined_items_say_what_to_do_next(hub: Setting) -> None:
    await hub.operator.send(UPDATE, forecast(block(-5)))
    (body,) = hub.journal.bodies(EvidenceQuarantined)
    assert "next:" in body.detail
    assert '"capacity":-5' in body.item


async def test_a_handshake_with_an_old_request_id_counts_anew_once_it_can_be_no_repeat(hub: Setting) -> None:
    for wait in (0, 30, 600):
        await hub.hand.advance(wait)
        assert (await hub.operator.send("handshake", {}, X_Request_ID="always-the-same"))[0] == 204
    one, two = hub.journal.of(SourceContacted)
    assert one.id != two.id
    assert two.time == T0 + timedelta(seconds=630)


async def test_a_failure_of_ours_is_answered_and_the_next_request_goes_on(hub: Setting) -> None:
    class Broken(dict[str, str]):
        def get(self, *_: object) -> str:
            raise RuntimeError("broken")

    peer = hub.adapter._talks["dso"].peer
    groups = peer.groups
    object.__setattr__(peer, "groups", Broken())
    status, text = await hub.operator.send(UPDATE, forecast(block()))
    assert status == 500
    assert "next:" in text
    object.__setattr__(peer, "groups", groups)
    assert (await hub.operator.send(UPDATE, forecast(block())))[0] == 204
