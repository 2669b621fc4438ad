"""What people do on pages: sign in and out, post forms; and what a page says when something is missing or broken."""

from __future__ import annotations

import re
from functools import partial

import pytest
from sqlalchemy.exc import OperationalError

from core.messages import Message
from core.messages.vehicle import VehiclePlaced
from gateway.pages import recent
from gateway.settings.models import SiteSettings
from tests.gateway.pages.conftest import TOKENS, Running, Start, field, form_token
from tests.gateway.pages.depot import depot, rest
from tests.waiting import until


async def test_a_person_says_which_vehicle_stands_here(running: Running) -> None:
    fields = {"token": await form_token(running), "vehicle": "BUS-142", "evse": "1", "why": "I stand before it"}
    status, _, reply = await running.post("/s/nord/stations/CP-01/vehicle", fields)
    assert (status, reply.headers["Location"]) == (303, "/s/nord/stations/CP-01")
    facts = await placed(running)
    assert [(m.at.vehicle, m.at.station, m.at.evse) for m in facts] == [("BUS-142", "CP-01", 1)]
    body = facts[0].body
    assert isinstance(body, VehiclePlaced)
    assert (body.who, body.why) == ("local", "I stand before it")


async def test_an_act_that_was_kept_is_no_failure_where_the_journal_answers_no_more(
    running: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def silent() -> int:
        raise ConnectionError("the journal does not answer")

    fields = {"token": await form_token(running), "vehicle": "BUS-142", "evse": "1", "why": "I stand before it"}
    monkeypatch.setattr(running.log, "last", silent)
    assert (await running.post("/s/nord/stations/CP-01/vehicle", fields))[0] == 303


@pytest.mark.parametrize("fields", [{}, {"token": "wrong"}, {"token": "\u2603", "vehicle": "BUS-142", "evse": "1"}])
async def test_a_form_without_its_token_changes_nothing(running: Running, fields: dict[str, str]) -> None:
    before = await running.hub.log.last()
    status, _, _ = await running.post("/s/nord/stations/CP-02/vehicle", fields)
    assert status == 400
    await rest(running.hub)
    assert await running.hub.log.last() == before


async def test_nobody_is_led_to_sign_in_and_back(start: Start) -> None:
    running = await start(users=True)
    status, text, _ = await running.get("/s/nord/night?follow=BUS-142")
    assert status == 401
    assert field(text, "next") == "/s/nord/night?follow=BUS-142"
    fields = {"next": "/s/nord/night?follow=BUS-142", "access": TOKENS["viewer"]}
    status, _, reply = await running.post("/sign-in", fields)
    assert (status, reply.headers["Location"]) == (303, "/s/nord/night?follow=BUS-142")
    cookie = reply.headers["Set-Cookie"]
    assert "HttpOnly" in cookie
    assert "SameSite=Strict" in cookie
    status, text, _ = await running.get("/s/nord")
    assert status == 200
    assert "viewer (viewer)" in text


async def test_a_wrong_token_signs_nobody_in(start: Start) -> None:
    running = await start(users=True, night=False)
    status, text, reply = await running.post("/sign-in", {"access": "guess", "next": "/"})
    assert status == 400
    assert "Set-Cookie" not in reply.headers
    assert "nobody is known by it" in text
    assert "guess" not in text


@pytest.mark.parametrize("next", ["//evil.example", "https://evil.example", "/\\evil.example", "x", ""])
async def test_signing_in_never_leads_elsewhere(start: Start, next: str) -> None:
    running = await start(users=True, night=False)
    _, _, reply = await running.post("/sign-in", {"access": TOKENS["viewer"], "next": next})
    assert reply.headers["Location"] == "/"


async def test_a_viewer_sees_which_role_a_form_needs_and_may_not_post_it(start: Start) -> None:
    running = await start(users=True)
    await running.post("/sign-in", {"access": TOKENS["viewer"]})
    _, text, _ = await running.get("/s/nord/stations/CP-02")
    assert "the role operator is needed" in text
    status, text, _ = await running.post("/s/nord/stations/CP-02/vehicle", {"vehicle": "BUS-142", "evse": "1"})
    assert status == 403
    assert "operator" in text


async def test_signing_out_forgets_the_token(start: Start) -> None:
    running = await start(users=True)
    await running.post("/sign-in", {"access": TOKENS["operator"]})
    token = await form_token(running)
    status, _, _ = await running.post("/sign-out", {"token": token})
    assert status == 303
    assert (await running.get("/s/nord"))[0] == 401


async def test_a_theme_is_kept_and_an_invented_one_is_not(running: Running) -> None:
    await running.post("/theme", {"theme": "dark", "back": "/s/nord"})
    assert 'data-theme="dark"' in (await running.get("/s/nord"))[1]
    await running.post("/theme", {"theme": '"><script>', "back": "//evil.example"})
    assert "data-theme" not in (await running.get("/s/nord"))[1]


async def test_an_empty_site_says_what_will_stand_there_and_the_command_that_fills_it(start: Start) -> None:
    running = await start(night=False, sites=(bare(),))
    await rest(running.hub)
    _, text, _ = await running.get("/s/nord")
    assert "No departures tonight." in text
    assert "busbar import FILE" in text
    assert "3 stations" in text
    for path in ("/s/nord/vehicles", "/s/nord/incidents", "/s/nord/night", "/s/nord/stations/CP-01"):
        assert (await running.get(path))[0] == 200


def bare() -> SiteSettings:
    return depot(buses=()).model_copy(update={"sources": ()})


async def test_several_sites_stand_on_the_first_page(start: Start) -> None:
    other = depot(buses=()).model_copy(update={"id": "sued", "name": "Depot Sued", "stations": ()})
    running = await start(sites=(depot(), other))
    status, text, _ = await running.get("/")
    assert status == 200
    assert text.index("Depot Nord") < text.index("Depot Sued")


async def test_unreadable_read_models_show_the_last_known_state_with_its_age(
    running: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    _, before, _ = await running.get("/s/nord")

    def broken() -> None:
        raise OperationalError("select", {}, Exception("disk"))

    monkeypatch.setattr(running.hub.api.models, "reading", broken)
    monkeypatch.setattr(recent, "MOST_S", 0.0)  # because: what was made a moment ago would still serve
    monkeypatch.setattr(recent, "READ_S", 0.0)
    status, text, _ = await running.get("/s/nord")
    assert status == 503
    assert "Last known, from 01:12" in re.sub(r"<[^>]*>", "", text)
    assert "BUS-117" in before
    assert "BUS-117" in text


async def test_a_defect_is_a_page_with_a_reference_into_the_log(
    running: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    def defect() -> None:
        raise ZeroDivisionError

    monkeypatch.setattr(running.hub.api.models, "reading", defect)
    status, text, _ = await running.get("/s/nord")
    assert status == 500
    assert re.search(r"log entry http-\d+", text)


async def test_an_act_that_lowers_somebodys_readiness_shows_the_numbers_first(running: Running) -> None:
    fields = {"token": await form_token(running), "vehicle": "BUS-129", "evse": "1", "why": "seen"}
    status, text, _ = await running.post("/s/nord/stations/CP-01/vehicle", fields)
    plain = re.sub(r"\s+", " ", re.sub(r"<[^>]*>", " ", text))
    assert status == 200
    assert "Not done yet" in plain
    assert re.search(r"BUS-142 06:20 : now met, then unknown . .*Next:", plain)
    assert await placed(running) == []
    assert 'value="seen"' in text
    status, _, reply = await running.post("/s/nord/stations/CP-01/vehicle", fields | {"sure": field(text, "sure")})
    assert (status, reply.headers["Location"]) == (303, "/s/nord/stations/CP-01")
    assert [(m.at.vehicle, m.at.station) for m in await placed(running)] == [("BUS-129", "CP-01")]


async def placed(running: Running) -> list[Message]:
    return [m async for r in running.log.read(0, follow=False) for m in r.messages if isinstance(m.body, VehiclePlaced)]


async def test_the_api_tells_the_same_consequences_as_the_page(running: Running) -> None:
    body = {"vehicle": "BUS-129", "station": "CP-01", "evse": 1}
    async with running.client.post(f"{running.base}/api/v1/sites/nord/assignments?dry_run=1", json=body) as reply:
        told = await reply.json()
    assert (reply.status, await placed(running)) == (200, [])
    lowered = [one for one in told["consequences"] if one["vehicle"] == "BUS-142"]
    assert [(one["before"], one["after"], bool(one["next"])) for one in lowered] == [("met", "unknown", True)]
    assert lowered[0]["what"].startswith("BUS-142 06:20: now met, then unknown. ")


async def test_a_charge_read_from_the_dashboard_is_entered_on_the_vehicles_page(start: Start) -> None:
    running = await start(users=True)
    page, path = "/s/nord/vehicles/BUS-129", "/s/nord/vehicles/BUS-129/charge"
    for name, shown in (("viewer", False), ("operator", True)):
        await running.post("/sign-in", {"access": TOKENS[name]})
        _, text, _ = await running.get(page)
        assert ('name="soc"' in text) is shown
    token = field(text[text.index('class="act"') :], "token")
    for typed in ("", "much", "430", "0.43"):
        status, text, _ = await running.post(path, {"token": token, "soc": typed})
        assert (status, "State of charge: " in text) == (400, True)
    status, _, _ = await running.post(path, {"soc": "43"})
    assert status == 400
    assert await read(running) == []
    status, text, reply = await running.post(path, {"token": token, "soc": "43", "why": "dashboard", "sure": "1"})
    assert (status, reply.headers["Location"]) == (303, page)
    (fact,) = await read(running)
    assert (fact.at.vehicle, fact.source, fact.body.model_dump()["soc"]) == ("BUS-129", "person:operator", 0.43)
    _, text, _ = await running.get(page)
    assert "43\N{NO-BREAK SPACE}%" in text or "43 of" in text


async def test_the_first_page_after_a_form_shows_what_followed_from_it(running: Running) -> None:
    page, path = "/s/nord/vehicles/BUS-129", "/s/nord/vehicles/BUS-129/charge"
    _, text, _ = await running.get(page)
    assert "<h1>BUS-129 leaves at 07:20: unknown." in text
    token = field(text[text.index('class="act"') :], "token")
    await running.post(path, {"token": token, "soc": "55,5"})
    _, text, _ = await running.get(page)
    assert "<h1>BUS-129 leaves at 07:20: on track." in text


async def read(running: Running) -> list[Message]:
    """What people read from vehicles."""
    kept = [m async for r in running.log.read(0, follow=False) for m in r.messages if m.type == "vehicle.read"]
    return [m for m in kept if m.source.startswith("person:")]


async def test_of_several_sites_each_page_says_which_one_it_is_about(start: Start) -> None:
    other = bare().model_copy(update={"id": "sued", "name": "Depot Süd"})
    both = await start(night=False, sites=(bare(), other))

    async def page(site: str) -> str:
        status, text, _ = await both.get(f"/s/{site}/stations")
        return text if status == 200 else ""

    for site, name in (("nord", bare().name), ("sued", "Depot Süd")):
        text = await until(partial(page, site))
        assert f'<b class="at">{name}</b>' in text
    _, text, _ = await both.get("/")
    assert "reload</a>" in text
    assert 'class="at"' not in text


async def test_an_only_site_is_not_told_on_each_page(start: Start) -> None:
    running = await start(night=False, sites=(bare(),))
    await rest(running.hub)
    _, text, _ = await running.get("/s/nord/stations")
    assert "<h1>" in text
    assert 'class="at"' not in text


async def test_a_vehicle_with_two_blocks_at_once_says_so(running: Running) -> None:
    rows = b"operating_day,block,vehicle,departure,arrival,distance_km\n"
    rows += b"2026-11-26,71,BUS-142,12:20,15:05,20\n2026-11-26,72,BUS-142,15:00,16:00,10\n"
    async with running.client.post(f"{running.base}/api/v1/sites/nord/schedules", data=rows) as reply:
        told = await reply.json()
        assert [row["reason"] for row in told["warnings"]] == ["blocks_overlap"], told

    async def said() -> bool:
        return "BUS-142 has two blocks at once: 71 ends at" in (await running.get("/s/nord/vehicles/BUS-142"))[1]

    await until(said)
