"""Pages over HTTP from a real hub: they say what the read models know, and answer bad input in words."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from html.parser import HTMLParser
from typing import Any

import pytest

from core.messages.words import amount
from gateway.ceilings import ceilings
from gateway.pages.render import CSP, Renderer
from gateway.pages.rows import PageRows
from tests.gateway.pages.conftest import Running, form_token

pytestmark = pytest.mark.asyncio(loop_scope="module")

PAGES = (
    "/s/nord",
    "/s/nord/night",
    "/s/nord/vehicles",
    "/s/nord/vehicles/BUS-142",
    "/s/nord/stations",
    "/s/nord/stations/CP-02",
    "/s/nord/incidents",
    "/s/nord/sessions/CP-01%2F7",
    "/why/BUS-142",
    "/sign-in",
    "/nowhere",
)


class Markup(HTMLParser):
    """Collects what the tests ask about."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def all(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for name, attributes in self.tags if name == tag]


@pytest.mark.parametrize("path", PAGES)
async def test_each_page_opens_with_one_sentence_and_is_locked_down(shared: Running, path: str) -> None:
    status, text, reply = await shared.get(path)
    page = Markup(text)
    assert status == (404 if path == "/nowhere" else 200)
    assert len(page.all("h1")) == 1
    assert reply.headers["Content-Security-Policy"] == CSP
    assert reply.headers["Cache-Control"] == "no-store"
    for tag, attributes in page.tags:
        assert not {n for n in attributes if n == "style" or n.startswith("on")}, tag
    assert "None" not in re.sub(r"<[^>]*>", "", text)


@pytest.mark.parametrize("path", PAGES)
async def test_nothing_is_fetched_from_elsewhere(shared: Running, path: str) -> None:
    _, text, _ = await shared.get(path)
    for tag, attributes in Markup(text).tags:
        for name in ("src", "href", "action"):
            value = attributes.get(name)
            assert value is None or re.match(r"[/#?]|$", value), f"{tag} {name}={value}"


async def test_the_first_page_leads_to_the_only_site(shared: Running) -> None:
    status, _, reply = await shared.get("/")
    assert (status, reply.headers["Location"]) == (303, "/s/nord")


async def test_now_says_how_many_departures_need_a_person_and_why(shared: Running) -> None:
    _, text, _ = await shared.get("/s/nord")
    plain = re.sub(r"\s+", " ", re.sub(r"<[^>]*>", " ", text)).replace("\u00a0", " ")
    assert re.search(r"\d of 4 departures (is|are) fine. \d needs? a person", plain)
    assert "of 120 kW until 04:30, grid operator" in plain
    assert "Charger CP-02 went silent at 00:40" in plain
    assert "Next: check its network and its screen." in plain
    times = [text.index(f">{t}</time></td>") for t in ("06:20", "06:50", "07:20")]
    assert times == sorted(times)


async def test_a_name_that_is_markup_stays_a_name(shared: Running) -> None:
    for path in ("/s/nord", "/s/nord/vehicles", "/s/nord/night", "/s/nord/stations/CP-02"):
        _, text, _ = await shared.get(path)
        assert "<b onload" not in text
        assert "&lt;b onload=alert(1)&gt;" in text
    status, text, _ = await shared.get("/s/nord/vehicles/%3Cb%20onload=alert(1)%3E")
    assert status == 200
    assert "<b onload" not in text


async def test_a_vehicle_shows_its_need_with_every_input_and_its_sessions(shared: Running) -> None:
    _, text, _ = await shared.get("/s/nord/vehicles/BUS-142")
    for said in ("What the need is made of", "What was decided", "Sessions", "CP-01", "distance"):
        assert said in text


async def test_why_leads_from_the_outcome_to_the_raw_frame(shared: Running) -> None:
    _, text, _ = await shared.get("/why/BUS-142")
    assert "readiness.assessed" in text
    assert "evidence.received" in text
    assert "/api/v1/messages/" in text


async def test_the_picture_as_a_file_needs_nothing_else(shared: Running) -> None:
    status, text, reply = await shared.get("/s/nord/night.svg?follow=BUS-142")
    assert (status, reply.content_type) == (200, "image/svg+xml")
    assert text.startswith("<svg")


@pytest.mark.parametrize(
    ("path", "nearest"),
    [
        ("/s/nordd", "nord"),
        ("/s/nord/vehicles/BUS-14", "BUS-142"),
        ("/s/nord/stations/CP-0", "CP-0"),
        ("/why/BUS-11", "BUS-117"),
    ],
)
async def test_an_unknown_name_is_404_with_the_nearest_one(shared: Running, path: str, nearest: str) -> None:
    status, text, _ = await shared.get(path)
    assert status == 404
    assert nearest in text[text.index("Did you mean") :]


async def test_an_unknown_name_leads_to_the_list_of_all(shared: Running) -> None:
    _, text, _ = await shared.get("/s/nord/vehicles/BUS-14")
    assert 'Next: <a href="/s/nord/vehicles">look at the list</a>' in text


async def test_a_day_that_is_none_is_400_and_says_how_to_write_it(shared: Running) -> None:
    status, text, _ = await shared.get("/s/nord/night?of=yesterday")
    assert status == 400
    assert "write it as 2026-11-25" in text


async def test_lists_sort_and_say_so(shared: Running) -> None:
    _, text, _ = await shared.get("/s/nord/vehicles?sort=-vehicle")
    assert [h.get("aria-sort") for h in Markup(text).all("th") if h.get("aria-sort")] == ["descending"]
    assert text.index(">BUS-142<") < text.index(">BUS-117<")
    status, _, _ = await shared.get("/s/nord/vehicles?sort=nonsense&page=-7")
    assert status == 200


async def test_a_refused_form_keeps_what_was_typed_and_names_the_field(shared: Running) -> None:
    fields = {"token": await form_token(shared), "vehicle": "BUS-999", "evse": "1", "why": "seen it"}
    status, text, _ = await shared.post("/s/nord/stations/CP-02/vehicle", fields)
    assert status == 400
    assert 'value="BUS-999"' in text
    assert 'value="seen it"' in text
    assert "Vehicle: no bus is called BUS-999 here." in text
    assert 'aria-describedby="wrong"' in text


async def test_a_form_from_another_site_is_refused(shared: Running) -> None:
    status, text, _ = await shared.post(
        "/s/nord/stations/CP-02/vehicle", {}, headers={"Origin": "https://evil.example"}
    )
    assert status == 403
    assert "<h1>" in text


async def test_without_users_every_page_says_that_only_this_machine_is_answered(shared: Running) -> None:
    _, text, _ = await shared.get("/s/nord")
    assert "this hub answers only this machine" in text


async def test_static_files_carry_their_digest_and_may_be_kept(shared: Running) -> None:
    _, text, _ = await shared.get("/s/nord")
    for link in re.findall(r'/static/[^"]+', text):
        status, _, reply = await shared.get(link)
        assert status == 200
        assert "immutable" in reply.headers["Cache-Control"]
    assert (await shared.get("/static/busbar.css"))[0] == 404
    assert (await shared.get("/static/..%2Frender.py"))[0] == 404


async def test_stylesheet_and_script_stay_small() -> None:
    static = Renderer().static
    assert len(static["busbar.css"]) <= 20_000
    assert len(static["live.js"]) <= 30_000
    assert len(static["live.js"].splitlines()) <= 250


async def test_a_board_row_costs_at_most_a_kilobyte(shared: Running) -> None:
    _, text, _ = await shared.get("/s/nord")
    body = text[text.index("<tbody") : text.index("</tbody>")]
    rows = [r for r in body.split("<tr")[1:] if 'class=""' in r]
    assert rows
    assert all(len(row) <= 1100 for row in rows)


@pytest.mark.parametrize(
    ("path", "shown", "hidden"),
    [
        ("/s/nord/vehicles?q=117", "BUS-117", "BUS-142"),
        ("/s/nord/vehicles?state=unknown", "BUS-129", "BUS-142"),
        ("/s/nord/stations?state=silent", "CP-02", "CP-01"),
        ("/s/nord/stations?q=bus-129", "CP-03", "CP-01"),
    ],
)
async def test_lists_filter_and_keep_the_answer_about_all(shared: Running, path: str, shown: str, hidden: str) -> None:
    _, text, _ = await shared.get(path)
    body = "".join(re.findall(r"<tbody>.*?</tbody>", text, re.S))
    assert shown in body
    assert hidden not in body
    assert "show all" in text
    _, whole, _ = await shared.get(path.partition("?")[0])
    heading = re.compile(r"<h1>(.*?)</h1>")
    assert heading.findall(text) == heading.findall(whole)


async def test_a_filter_that_fits_nothing_says_so(shared: Running) -> None:
    _, text, _ = await shared.get("/s/nord/vehicles?q=nobody")
    assert "No bus fits." in text


async def test_a_list_that_is_sorted_by_a_column_keeps_its_filter_in_the_links(shared: Running) -> None:
    _, text, _ = await shared.get("/s/nord/stations?q=CP&sort=measured")
    assert "/s/nord" in text
    assert "?q=CP&amp;sort=-measured" in text


async def test_at_most_is_the_ceiling_that_is_in_force_not_the_connectors_rating(shared: Running) -> None:
    _, text, _ = await shared.get("/s/nord/stations/CP-01")
    state = shared.hub.api.reads.state("nord")
    most = ceilings(state, shared.hub.clock.now())[("CP-01", 1)]
    cell = re.search(r'data-l="at most"[^>]*>([^<]*)<', text)
    assert cell is not None
    assert cell[1] == amount(most, "kW")


async def test_an_incident_says_what_was_tried(shared: Running) -> None:
    incidents = [d async for d in _incidents(shared)]
    silent = next(d for d in incidents if d["kind"] == "charger_offline")
    _, text, _ = await shared.get(f"/s/nord/incidents/{silent['incident']}")
    plain = re.sub(r"<[^>]*>", " ", text)
    assert "What was tried" in plain
    assert "It lost its connection at 00:40." in plain
    assert "The plan was made anew" in plain


async def _incidents(running: Running) -> AsyncIterator[dict[str, Any]]:
    for doc in await PageRows(running.hub.api.models).of_site("incidents", "nord"):
        yield doc


async def test_one_session_id_stands_in_what_everybody_says_of_it(shared: Running) -> None:
    status, text, _ = await shared.get("/s/nord/sessions/CP-02%2F7")
    assert status == 200
    owners = re.findall(r'<tr><th scope="row">(\w+)</th>', text)
    assert {"charging", "readiness", "plan", "limits", "incidents", "evidence"} <= set(owners)
    assert "CP-02/7" in text
    assert re.search(r"From \d\d:\d\d to 01:12 120\u00a0kW grid operator, by OSCP; .*: kept\.", text)
    _, vehicle, _ = await shared.get("/s/nord/vehicles/BUS-117")
    assert 'href="/s/nord/sessions/CP-02%2F7"' in vehicle


async def test_an_unknown_session_is_404_with_the_nearest_one(shared: Running) -> None:
    status, text, _ = await shared.get("/s/nord/sessions/CP-02%2F8")
    assert status == 404
    assert "CP-02/7" in text


@pytest.mark.parametrize("path", ["/why/BUS-142", "/s/nord/vehicles/BUS-142", "/s/nord/stations", "/s/nord"])
async def test_no_bare_code_is_shown_to_a_person(shared: Running, path: str) -> None:
    _, text, _ = await shared.get(path)
    main = text[text.index("<main") : text.index("</main>")]
    plain = re.sub(r"<[^>]*>", " ", re.sub(r"<(code|a|script)\b.*?</\1>", "", main, flags=re.S))
    assert re.findall(r"\b[a-z]+_[a-z_]+\b", plain) == []
