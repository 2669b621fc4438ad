"""Tokens change hands from either side; what was agreed outlives a restart."""

from __future__ import annotations

import asyncio
import re

from core.messages.evidence import EvidenceReceived, EvidenceSent
from core.messages.gateway import PeerChanged
from tests.protocols.oscp.harness import FIRST, Setting
from tests.waiting import GENEROUS_S, until

VERSIONS = [
    {"version": "1.0", "base_url": "http://127.0.0.1:9/a"},
    {"version": "2.0", "base_url": "http://127.0.0.1:9/b"},
]


async def registered(setting: Setting) -> None:
    await until(lambda: bool((setting.journal.partner("oscp", "dso") or {}).get("registered")))


async def test_a_peer_registers_and_is_called_back_with_a_new_token(setting: Setting) -> None:
    async with setting.running():
        await setting.operator.register()
        call = await setting.operator.got("register")
        assert call.headers["Authorization"] == "Token token-b"
        assert call.headers["X-Correlation-ID"] == "r-1"
        assert call.headers["X-Request-ID"]
        assert call.body["version_url"] == [{"version": "2.0", "base_url": "http://127.0.0.1:1/oscp/fp/2.0"}]
        assert setting.operator.token not in {FIRST, "token-b"}
        await registered(setting)
        status, _ = await setting.operator.send("handshake", {})
        assert status == 204


async def test_the_first_token_is_good_for_one_registration_only(setting: Setting) -> None:
    async with setting.running():
        await setting.operator.register()
        await registered(setting)
        setting.operator.token = FIRST
        status, text = await setting.operator.send("register", {"token": "x", "version_url": VERSIONS})
        assert status == 401
        assert "register again" in text


async def test_the_first_token_opens_nothing_but_the_registration(setting: Setting) -> None:
    async with setting.running():
        assert (await setting.operator.send("handshake", {}))[0] == 401
        assert (await setting.operator.send("register", {}, method="DELETE"))[0] == 401


async def test_no_token_ever_reaches_the_journal(setting: Setting) -> None:
    async with setting.running():
        await setting.operator.register()
        await registered(setting)
        await setting.operator.send("register", b'{"token": "half-a-token', method="PUT")
        for body in (b'{"tok\\u0065n": "half-a-token"}', b'{"token": ["half-a-token"]}', b'"half-a-token"'):
            await setting.operator.send("register", body, method="PUT")
        for secret in (FIRST, "token-b", setting.operator.token, "half-a-token"):
            assert secret not in setting.journal.text
        assert "authorization: ***" in setting.journal.bodies(EvidenceReceived)[0].frame


async def test_a_call_back_is_repeated_on_the_clock_until_it_is_taken(setting: Setting) -> None:
    async with setting.running():
        setting.operator.answers = [500, 503]
        await setting.operator.register()
        assert len(setting.operator.named("register")) == 1
        await setting.hand.advance(4.9, sleeper=True)
        assert len(setting.operator.named("register")) == 1
        await setting.hand.advance(0.2, sleeper=True)
        await setting.operator.got("register", 2)
        await setting.hand.advance(9.8, sleeper=True)
        assert len(setting.operator.named("register")) == 2
        await setting.hand.advance(0.4, sleeper=True)
        await setting.operator.got("register", 3)
        await registered(setting)
        ids = {c.headers["X-Request-ID"] for c in setting.operator.named("register")}
        assert len(ids) == 1, "a repeat is the same request"
        answers = [b.frame for b in setting.journal.bodies(EvidenceReceived) if b.subject == "answer to POST register"]
        assert answers == ["HTTP 500", "HTTP 503", "HTTP 204"]


async def test_after_three_tries_it_is_given_up_and_the_first_token_stays_good(setting: Setting) -> None:
    async with setting.running():
        setting.operator.answers = [500, 500, 500]
        await setting.operator.register()
        await setting.hand.advance(6, sleeper=True)
        await setting.hand.advance(11, sleeper=True)
        await until(lambda: "problem" in (setting.journal.partner("oscp", "dso") or {}))
        assert setting.journal.bodies(PeerChanged)[-1].state["problem"] == "registration_unanswered"
        await setting.operator.send(
            "register", {"token": "b2", "version_url": [{"version": "2.0", "base_url": setting.operator.url}]}
        )
        await setting.operator.got("register", 4)
        await registered(setting)
        assert "problem" not in (setting.journal.partner("oscp", "dso") or {})


async def test_without_a_common_version_the_answer_is_501(setting: Setting) -> None:
    async with setting.running():
        status, text = await setting.operator.send("register", {"token": "b", "version_url": VERSIONS[:1]})
        assert status == 501
        assert "2.0" in text
        assert await setting.reasons() == ["version_unsupported"]


async def test_an_address_that_would_carry_tokens_in_the_clear_is_refused(setting: Setting) -> None:
    async with setting.running():
        for url in ("http://dso.example/oscp", "ftp://127.0.0.1/", "https://user:pass@dso.example/", "https://[", ""):
            bad = {"token": "b", "version_url": [{"version": "2.0", "base_url": url}]}
            assert (await setting.operator.send("register", bad))[0] == 400


async def test_a_peer_may_change_its_token_and_address(setting: Setting) -> None:
    async with setting.running():
        await setting.operator.register()
        await registered(setting)
        new = {"token": "token-b2", "version_url": [{"version": "2.0", "base_url": setting.operator.url}]}
        assert (await setting.operator.send("register", new, method="PUT"))[0] == 204
        await setting.operator.send("handshake", {})
        call = await setting.operator.got("handshake_acknowledge")
        assert call.headers["Authorization"] == "Token token-b2"


async def test_a_peer_that_unregisters_is_a_stranger_afterwards(setting: Setting) -> None:
    async with setting.running():
        await setting.operator.register()
        await registered(setting)
        assert (await setting.operator.send("register", b"", method="DELETE"))[0] == 204
        assert setting.journal.partner("oscp", "dso") == {}
        assert (await setting.operator.send("handshake", {}))[0] == 401
        setting.operator.token = FIRST
        assert (await setting.operator.send("register", {"token": "b", "version_url": VERSIONS}))[0] == 401
        setting.secrets.values["letter"] = b"a-new-letter"
        setting.operator.token = "a-new-letter"
        await setting.operator.send("register", {"token": "b", "version_url": VERSIONS[1:]})
        await until(lambda: bool(setting.journal.partner("oscp", "dso")))


async def test_what_was_agreed_outlives_a_restart(setting: Setting) -> None:
    async with setting.running():
        await setting.operator.register()
        await registered(setting)
        await setting.operator.greet(interval=300)
        await setting.operator.got("heartbeat")
    async with setting.running(epoch=2):
        await setting.operator.got("heartbeat", 2)
        assert (await setting.operator.send("handshake", {}))[0] == 204
        await setting.operator.got("handshake_acknowledge", 2)


async def test_a_call_back_that_a_crash_cut_off_is_made_after_the_restart(setting: Setting) -> None:
    async with setting.running():
        setting.operator.answers = [500]
        await setting.operator.register()
    async with setting.running(epoch=2):
        await setting.operator.got("register", 2)
        await registered(setting)


def killed_after(setting: Setting, answer: str) -> None:
    """The journal as `kill -9` left it: its last record is the one with that answer of ours."""
    records = setting.journal.records
    subjects = [[b.subject for m in record if isinstance(b := m.body, EvidenceSent)] for _, record in records]
    del records[next(i for i, names in enumerate(subjects) if f"answer to {answer}" in names) + 1 :]


async def test_a_handshake_that_was_answered_is_acknowledged_after_a_kill(setting: Setting) -> None:
    async with setting.running():
        await setting.operator.register()
        await registered(setting)
        await setting.operator.greet(interval=300)
        await setting.operator.got("heartbeat")
    killed_after(setting, "handshake")
    async with setting.running(epoch=2):
        one, two = (
            await setting.operator.got("handshake_acknowledge"),
            await setting.operator.got("handshake_acknowledge", 2),
        )
        assert two.headers["X-Correlation-ID"] == "r-2"
        assert two.headers["X-Request-ID"] == one.headers["X-Request-ID"], "to the peer it is a repeat"
        await setting.operator.got("heartbeat", 2)
        await until(lambda: "owes" not in (setting.journal.partner("oscp", "dso") or {}))
    async with setting.running(epoch=3):
        await setting.operator.got("heartbeat", 3)
        assert len(setting.operator.named("handshake_acknowledge")) == 2, "what was taken is not owed any more"


async def test_after_a_kill_it_is_retried_on_the_clock_and_given_up_as_otherwise(setting: Setting) -> None:
    async with setting.running():
        await setting.operator.register()
        await registered(setting)
        await setting.operator.greet(interval=None)
    killed_after(setting, "handshake")
    setting.operator.answers = [500, 500, 500]
    async with setting.running(epoch=2):
        await setting.operator.got("handshake_acknowledge", 2)
        await setting.hand.advance(6, sleeper=True)
        await setting.operator.got("handshake_acknowledge", 3)
        await setting.hand.advance(11, sleeper=True)
        await setting.operator.got("handshake_acknowledge", 4)
        await until(lambda: "owes" not in (setting.journal.partner("oscp", "dso") or {}))
    async with setting.running(epoch=3):
        assert (await setting.operator.send("heartbeat", {"offline_mode_at": "2126-11-25T23:30:00Z"}))[0] == 204
        assert len(setting.operator.named("handshake_acknowledge")) == 4


async def test_a_handshake_that_is_repeated_across_a_kill_is_acknowledged_once(setting: Setting) -> None:
    async with setting.running():
        await setting.operator.register()
        await registered(setting)
        setting.operator.answers = [500]
        assert (await setting.operator.send("handshake", {}, X_Request_ID="greeting"))[0] == 204
        await setting.operator.got("handshake_acknowledge")
    killed_after(setting, "handshake")
    setting.operator.answers = [500]
    async with setting.running(epoch=2):
        assert (await setting.operator.send("handshake", {}, X_Request_ID="greeting"))[0] == 204
        await setting.hand.advance(6, sleeper=True)
        await until(lambda: "owes" not in (setting.journal.partner("oscp", "dso") or {}))
        ids = {c.headers["X-Request-ID"] for c in setting.operator.named("handshake_acknowledge")}
        assert len(ids) == 1


async def test_a_registration_that_was_answered_is_called_back_after_a_kill_with_the_same_token(
    setting: Setting,
) -> None:
    async with setting.running():
        setting.operator.answers = [500]
        await setting.operator.register()
    killed_after(setting, "register")
    async with setting.running(epoch=2):
        one, two = await setting.operator.got("register"), await setting.operator.got("register", 2)
        assert two.headers["X-Correlation-ID"] == "r-1"
        assert (two.body, two.headers["X-Request-ID"]) == (one.body, one.headers["X-Request-ID"])
        await registered(setting)
        assert (await setting.operator.send("handshake", {}))[0] == 204


async def test_what_is_owed_to_a_peer_that_leaves_is_not_said(setting: Setting) -> None:
    async with setting.running():
        await setting.operator.register()
        await registered(setting)
        setting.operator.answers = [500, 500, 500]
        assert (await setting.operator.send("handshake", {}))[0] == 204
        await setting.operator.got("handshake_acknowledge")
        assert (await setting.operator.send("register", b"", method="DELETE"))[0] == 204
    async with setting.running(epoch=2):
        assert setting.journal.partner("oscp", "dso") == {}
        assert (await setting.operator.send("handshake", {}))[0] == 401
        assert len(setting.operator.named("handshake_acknowledge")) == 1


async def test_a_peer_that_took_our_registration_before_a_kill_may_answer_with_the_token_it_got(
    setting: Setting,
) -> None:
    async with setting.running(start="us"):
        await setting.operator.got("register")
        given = setting.operator.token
    async with setting.running(epoch=2, start="us"):
        await setting.operator.got("register", 2)
        setting.operator.token = given
        back = {"token": "their-token", "version_url": [{"version": "2.0", "base_url": setting.operator.url}]}
        assert (await setting.operator.send("register", back))[0] == 204
        await registered(setting)


async def test_we_may_begin_and_the_peer_calls_back(setting: Setting) -> None:
    async with setting.running(start="us"):
        call = await setting.operator.got("register")
        assert call.headers["Authorization"] == f"Token {FIRST}"
        given = setting.operator.token
        await until(lambda: bool((setting.journal.partner("oscp", "dso") or {}).get("ours")))
        back = {"token": "their-token", "version_url": [{"version": "2.0", "base_url": setting.operator.url}]}
        status, _ = await setting.operator.send("register", back, X_Correlation_ID=call.headers["X-Request-ID"])
        assert status == 204
        await registered(setting)
        assert setting.operator.token == given
        await setting.operator.send("handshake", {})
        call = await setting.operator.got("handshake_acknowledge")
        assert call.headers["Authorization"] == "Token their-token"
        assert len(setting.operator.named("register")) == 1


async def test_a_registration_of_ours_that_nobody_answers_is_begun_again(setting: Setting) -> None:
    async with setting.running(start="us"):
        setting.operator.answers = [500, 500, 500]
        await setting.operator.got("register")
        await setting.hand.advance(6, sleeper=True)
        await setting.hand.advance(11, sleeper=True)
        await setting.operator.got("register", 3)
        await setting.hand.advance(901, sleeper=True)
        await setting.operator.got("register", 4)


async def test_the_journal_knows_what_goes_out_before_it_goes_out(setting: Setting) -> None:
    async with setting.running():
        await setting.operator.register()
        await registered(setting)
        sent = [b for b in setting.journal.bodies(EvidenceSent) if b.subject == "POST register"]
        assert len(sent) == 1
        assert re.search(r'"token":"secret:[0-9a-f]{12}"', sent[0].frame)
        assert sent[0].secrets == ("/token",)


async def test_the_journal_shows_whether_two_tokens_are_the_same_but_not_the_tokens(setting: Setting) -> None:
    async with setting.running():
        await setting.operator.register("token-b")
        await registered(setting)
        for token in ("token-b", "token-b2"):
            body = {"token": token, "version_url": [{"version": "2.0", "base_url": setting.operator.url}]}
            assert (await setting.operator.send("register", body, method="PUT"))[0] == 204
        got = [b for b in setting.journal.bodies(EvidenceReceived) if b.subject.endswith("T register")]
        frames = [b.frame for b in got if b.secrets == ("/token",)]
        first, same, other = (re.findall(r"secret:\w+", f)[0] for f in frames)
        assert first == same != other


async def test_a_token_where_none_belongs_and_one_that_a_peer_repeats_are_not_kept(setting: Setting) -> None:
    async with setting.running():
        await setting.operator.register()
        await registered(setting)
        for action, body in (("heartbeat", b'{"x": {"token": "lost"}}'), ("handshake", b'{"token": "lost"')):
            assert (await setting.operator.send(action, body))[0] == 400
        setting.operator.echo = True
        assert (await setting.operator.send("handshake", {}))[0] == 204
        await until(lambda: any("*" in b.secrets for b in setting.journal.bodies(EvidenceReceived)))
        for secret in ("lost", "token-b"):
            assert secret not in setting.journal.text


async def test_a_peer_that_registers_again_meanwhile_is_called_back_for_that_one(setting: Setting) -> None:
    async with setting.running():
        setting.operator.answers = [500]
        await setting.operator.register()
        versions = [{"version": "2.0", "base_url": setting.operator.url}]
        status, _ = await setting.operator.send("register", {"token": "b2", "version_url": versions})
        assert status == 204, "the first token is good until the call-back has arrived"
        await setting.hand.advance(6, sleeper=True)
        await setting.operator.got("register", 3)
        await registered(setting)
        assert [c.headers["X-Correlation-ID"] for c in setting.operator.named("register")] == ["r-1", "r-1", "r-2"]
        assert setting.operator.named("register")[2].headers["Authorization"] == "Token b2"


async def test_what_we_say_waits_for_a_journal_that_takes_nothing(setting: Setting) -> None:
    async with setting.running():
        setting.operator.answers = [500]
        await setting.operator.register()
        setting.journal.full = True
        await setting.hand.advance(6, sleeper=True)
        assert len(setting.operator.named("register")) == 1, "nothing goes out that is not in the journal"
        await setting.hand.advance(6, sleeper=True)
        setting.journal.full = False
        async with asyncio.timeout(GENEROUS_S):
            while not (setting.journal.partner("oscp", "dso") or {}).get("registered"):
                await setting.hand.advance(6)


async def test_a_peer_of_a_site_that_is_not_served_here_is_left_out(setting: Setting) -> None:
    async with setting.running(site="elsewhere"):
        assert setting.adapter.health().peers == ()
        status, _ = await setting.operator.send("register", {"token": "b", "version_url": VERSIONS})
        assert status == 401
