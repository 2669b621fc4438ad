"""Who may what: tokens, roles, the pages' cookie, and a hub without users that answers its own machine alone."""

from __future__ import annotations

from pathlib import Path

import pytest

from core.ports import HttpRequest, HttpResponse
from gateway.http import Problem, Users
from gateway.secrets import FileSecrets
from gateway.settings import User
from tests.gateway.http.conftest import Build, Running, users


async def who(request: HttpRequest) -> HttpResponse:
    name = request.headers.get("busbar-user", "nobody")
    return HttpResponse(200, f"{name} {request.headers.get('busbar-user-role')}".encode(), "text/plain")


@pytest.fixture
async def running(build: Build, tmp_path: Path) -> Running:
    made = await build(known=users(tmp_path))
    made.host.route("GET", "/api/v1/sites", who)
    made.host.route("POST", "/api/v1/limit", who)
    made.host.route("POST", "/api/v1/reload", who, role="admin")
    made.host.route("GET", "/sign-in", who, role=None)
    made.host.route("POST", "/oscp/x", who)
    await made.open()
    return made


@pytest.mark.parametrize(
    ("method", "path", "token", "status"),
    [
        ("GET", "/api/v1/sites", None, 401),
        ("GET", "/api/v1/sites", "wrong", 401),
        ("GET", "/api/v1/sites", "v-token", 200),
        ("POST", "/api/v1/limit", "v-token", 403),
        ("POST", "/api/v1/limit", "o-token", 200),
        ("POST", "/api/v1/reload", "o-token", 403),
        ("POST", "/api/v1/reload", "a-token", 200),
        ("GET", "/sign-in", None, 200),
        ("POST", "/oscp/x", None, 200),
    ],
)
async def test_each_role_may_what_it_may(
    running: Running, method: str, path: str, token: str | None, status: int
) -> None:
    assert (await running.ask(method, path, token=token))[0] == status


async def test_a_refusal_says_who_may(running: Running) -> None:
    _, told, _ = await running.ask("POST", "/api/v1/reload", token="o-token")
    assert told["detail"] == "`operator` is operator; this needs admin"
    _, _, reply = await running.ask("GET", "/api/v1/sites")
    assert reply.headers["WWW-Authenticate"].startswith("Bearer")


async def test_a_handler_learns_who_asks_and_nobody_can_say_it_himself(running: Running) -> None:
    forged = {"Busbar-User": "root", "Busbar-User-Role": "admin"}
    assert (await running.ask("GET", "/api/v1/sites", token="v-token", headers=forged))[1] == b"viewer viewer"
    assert (await running.ask("POST", "/oscp/x", headers=forged))[1] == b"nobody None"


async def test_a_browser_acts_by_cookie_from_our_own_pages_only(running: Running) -> None:
    url = running.host.addresses["local"]
    cookie = {"Cookie": "busbar_token=o-token"}
    assert (await running.ask("GET", "/api/v1/sites", headers=cookie))[0] == 200
    own = cookie | {"Origin": url}
    assert (await running.ask("POST", "/api/v1/limit", headers=own))[0] == 200
    for foreign in ({"Origin": "https://evil.example"}, {"Sec-Fetch-Site": "cross-site"}, {"Origin": "null"}):
        assert (await running.ask("POST", "/api/v1/limit", headers=cookie | foreign))[0] == 403


async def test_a_body_is_not_read_for_somebody_who_may_not(running: Running) -> None:
    status, told, _ = await running.ask("POST", "/api/v1/limit", data=b"x" * (2 << 20))
    assert (status, told["type"]) == (401, "urn:busbar:problem:no-token")


async def test_without_users_this_machine_is_admin_and_a_misled_browser_is_not(build: Build) -> None:
    made = await build()
    made.host.route("POST", "/api/v1/reload", who, role="admin")
    await made.open()
    assert (await made.ask("POST", "/api/v1/reload"))[1] == b"local admin"
    assert (await made.ask("POST", "/api/v1/reload", headers={"Host": "rebound.example"}))[0] == 401
    assert (await made.ask("POST", "/api/v1/reload", headers={"Origin": "https://evil.example"}))[0] == 403


def test_without_users_another_machine_is_nobody(tmp_path: Path) -> None:
    nobody = Users([], FileSecrets(tmp_path))
    assert nobody.identify({"host": "127.0.0.1:8080"}, {}, "192.0.2.7") is None


def test_a_user_without_a_token_is_named_and_cannot_be_used(tmp_path: Path) -> None:
    known = Users([User(name="anna", role="admin", token="env:NOWHERE")], FileSecrets(tmp_path, env={}))
    assert known.unresolved == ["anna"]
    assert known.find("") is None
    assert not known.open


async def test_a_token_that_the_hub_made_for_its_own_command_line_works(build: Build, tmp_path: Path) -> None:
    known = users(tmp_path)
    known.admit("command-line", "admin", b"made-here")
    assert known.find("made-here") is not None
    assert Users([], FileSecrets(tmp_path)).open


async def test_pages_show_refusals_in_their_own_form(build: Build, tmp_path: Path) -> None:
    made = await build(known=users(tmp_path))

    def page(request: HttpRequest, problem: Problem) -> HttpResponse:
        return HttpResponse(303, headers={"Location": f"/sign-in?next={request.path}"})

    made.host.error_pages["pages"] = page
    made.host.route("GET", "/s/depot", who)
    await made.open()
    status, _, reply = await made.ask("GET", "/s/depot")
    assert (status, reply.headers["Location"]) == (303, "/sign-in?next=/s/depot")
