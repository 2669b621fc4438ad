"""A stranger's OSCP 2.0 peer: it introduces itself, limits the site, sends nonsense, goes silent, and comes back."""

from __future__ import annotations

import asyncio
from typing import Any

from tests.outside.depot import FIRST_TOKEN, SETTINGS, SITE, Depot, free_ports
from tests.outside.grid import GROUP, GridOperator, block, forecast, grid_operator, moment
from tests.waiting import until


async def limit(depot: Depot) -> tuple[float, str]:
    """What the site may draw now, and by whom."""
    [site] = await depot.items("/sites")
    return site["limit_kw"], site["limited_by"]


async def limited(depot: Depot, kw: float, by: str = "dso") -> None:
    """Wait until that is the limit."""

    async def reached() -> bool:
        return await limit(depot) == (kw, by)

    await until(reached)


async def set_aside(depot: Depot, reason: str) -> list[dict[str, Any]]:
    """What was quarantined of OSCP for that reason."""
    found = await depot.messages("evidence.quarantined")
    return [m for m in found if m["body"]["protocol"] == "oscp" and m["body"]["reason"] == reason]


async def test_a_peer_introduces_itself_limits_the_site_is_refused_what_is_wrong_goes_silent_and_comes_back(
    depot: Depot,
) -> None:
    async with grid_operator(depot) as operator:
        # until the first contact the fallback holds
        await limited(depot, 260.0, "dso fallback")
        await registers(depot, operator)
        await operator.handshake()
        await until(lambda: operator.heard("handshake_acknowledge"))
        assert operator.heard("handshake_acknowledge")[0]["required_behaviour"]["heartbeat_interval"] == 120
        await until(lambda: operator.heard("heartbeat"))
        assert operator.refused == 0

        # limits
        assert (await operator.send("update_group_capacity_forecast", forecast(block(333.5)))).status == 204
        await limited(depot, 333.5)
        envelope = await depot.busbar("envelope")
        assert "333.5" in envelope.out and "dso" in envelope.out
        await refuses(depot, operator)
        assert await limit(depot) == (333.5, "dso")

        # the same request again is the same fact
        again = {"X-Request-ID": "once"}
        body = forecast(block(210))
        for _ in range(3):
            assert (await operator.send("update_group_capacity_forecast", body, headers=again)).status == 204
        await limited(depot, 210.0)
        facts = [m for m in await depot.messages("constraint.stated") if "once" in m["body"]["request"]]
        assert len(facts) == 1

        # silence: the fallback holds and an incident says so; only a new handshake ends it
        assert (await operator.beat(ahead_s=2.5)).status == 204
        await limited(depot, 260.0, "dso fallback")

        async def lost() -> list[dict[str, Any]]:
            return [i for i in await depot.items("/incidents") if i["kind"] == "grid_source_lost" and not i["resolved"]]

        [incident] = await until(lost)
        assert incident["next"]
        told = await depot.busbar("incidents")
        assert "grid_source_lost" in told.out and "dso" in told.out
        assert (await operator.beat()).status == 204
        assert await limit(depot) == (260.0, "dso fallback"), "a heartbeat alone must not end a fallback"
        assert (await operator.handshake()).status == 204
        await limited(depot, 210.0)


async def registers(depot: Depot, operator: GridOperator) -> None:
    """Token A is good for one registration, and only until the hub's own token has arrived."""
    wrong = await operator.send("register", operator.registration(), headers={"Authorization": "Token guessed"})
    assert (wrong.status, "next:" in wrong.message) == (401, True)
    assert (await operator.send("handshake", {}, headers={"Authorization": f"Token {FIRST_TOKEN}"})).status == 401
    assert (await operator.send("heartbeat", {}, headers={"Authorization": None})).status == 401
    assert (await operator.register()).status == 204
    await until(lambda: operator.heard("register"))
    registration = operator.heard("register")[0]
    assert registration["version_url"] == [{"version": "2.0", "base_url": f"{depot.url}/oscp/fp/2.0"}]
    assert operator.token != FIRST_TOKEN

    async def spent() -> bool:
        told = await operator.send(
            "register", operator.registration(), headers={"Authorization": f"Token {FIRST_TOKEN}"}
        )
        return told.status == 401

    await until(spent)


async def refuses(depot: Depot, operator: GridOperator) -> None:
    """Nonsense gets a 4xx that says what is wrong and what next, is kept, and changes nothing."""
    update = "update_group_capacity_forecast"
    bad: list[tuple[str, Any, int, str]] = [
        (update, forecast(block(-5)), 400, "capacity_block_invalid"),
        (update, forecast(block(5, 60, 0)), 400, "capacity_block_invalid"),
        (update, forecast(block(5, unit="HORSES")), 400, "capacity_block_invalid"),
        (update, forecast(block(5, start_time="tomorrow")), 400, "capacity_block_invalid"),
        (update, forecast(block(5, end_time="9999-12-31T23:59:59-23:00")), 400, "capacity_block_invalid"),
        (update, '{"group_id": "DE-4711", "type": "CONSUMPTION", "forecasted_blocks": [{"capacity": NaN}]}', 400, ""),
        (update, forecast(block(5), group="NOT-OURS"), 404, "group_unknown"),
        (update, forecast(), 400, "message_invalid"),
        (update, {"group_id": GROUP}, 400, "message_invalid"),
        (update, b"\xff no json", 400, "not_json"),
        (update, "[" * 20_000, 400, "not_json"),
        ("heartbeat", {"offline_mode_at": "soon"}, 400, "message_invalid"),
        ("no_such_action", {}, 404, "action_unknown"),
    ]
    before = await depot.counted("busbar_quarantined_total", protocol="oscp")
    for action, body, status, _ in bad:
        told = await operator.send(action, body)
        assert (told.status, "next:" in told.message) == (status, True), (body, told)

    async def rose() -> bool:
        return await depot.counted("busbar_quarantined_total", protocol="oscp") >= before + len(bad)

    await until(rose)
    for reason in {reason for *_, reason in bad if reason}:
        await until(lambda reason=reason: set_aside(depot, reason))
    assert (await operator.send(update, forecast(*[block(5)] * 900))).status == 413
    assert "oscp:city-grid: set aside: group_unknown" in depot.said()
    # one bad block costs only itself
    mixed = await operator.send(update, forecast(block(-1), block(320, 86_400, 90_000)))
    assert (mixed.status, "1 other blocks are used" in mixed.message) == (400, True)
    # without a request id a peer is understood
    named = {"X-Request-ID": None}
    assert (await operator.send("heartbeat", {"offline_mode_at": moment(300)}, headers=named)).status == 204
    assert (await operator.send("heartbeat", {"offline_mode_at": moment(300)}, method="PUT")).status == 405


async def test_where_the_peer_gave_us_the_first_token_we_begin(folder: Depot) -> None:
    [port] = free_ports(1)
    ours = f'start = "us"\nurl = "http://127.0.0.1:{port}/oscp/cp/2.0"\ntoken_ref'
    folder.file.write_text(SETTINGS.format(**folder.ports).replace("token_ref", ours))
    folder.site_file.write_text(SITE)

    def issue(operator: GridOperator) -> None:
        operator.issued, operator.port = FIRST_TOKEN, port

    async with grid_operator(folder, issue) as operator:
        await folder.start().ready()
        await until(lambda: operator.heard("register"))
        # the second half: we tell the hub our token, with the one that it gave
        assert (await operator.register()).status == 204
        assert (await operator.handshake()).status == 204
        await until(lambda: operator.heard("handshake_acknowledge"))
        assert (await operator.send("update_group_capacity_forecast", forecast(block(222)))).status == 204
        await limited(folder, 222.0)
        assert operator.refused == 0
    assert folder.end() == 0


async def test_what_the_hub_owes_for_an_answered_request_survives_kill_9(folder: Depot) -> None:
    folder.start()
    async with grid_operator(folder) as operator:
        await folder.ready()
        for greet, reply in ((operator.register, "register"), (operator.handshake, "handshake_acknowledge")):
            operator.away = True
            assert (await greet()).status == 204
            await asyncio.to_thread(folder.kill)
            assert operator.heard(reply) == []
            operator.away = False
            await folder.start().ready()
            await until(lambda reply=reply: operator.heard(reply))
        await until(lambda: operator.heard("heartbeat"))
        assert operator.refused == 0
        # a kill between our answer and the hub's record of it makes the hub repeat itself, never say another thing
        [_] = operator.requests("register")
        [_] = operator.requests("handshake_acknowledge")
    assert folder.end() == 0
