"""What the API reads: lists, filters, pages, waiting, messages, lineage; over a hub that has seen a short evening."""

from __future__ import annotations

import re
import sqlite3
from contextlib import closing
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from core.messages import Message, Physical, compose, identify
from core.messages.command import CommandConfirmed, CommandSent, CommandWished, Installed
from core.messages.evidence import EvidenceReceived
from core.messages.grid import ConstraintStated, Segment, SourceContacted
from core.messages.session import SessionMetered, SessionStarted
from core.messages.station import ConnectorStatusChanged, StationConnected, StationKnocked
from core.ports import HUB
from gateway.journal.log import Damaged
from tests.gateway.api.conftest import NOW, Running, Start
from tests.waiting import GENEROUS_S, until

CSV = b"operating_day,vehicle,departure,distance_km\n2026-11-26,BUS-1,06:20,180\n"
FRAME = '[2,"1","StartTransaction",{"connectorId":1,"idTag":"TOKEN0001","meterStart":1000}]'


def fact(body: Any, at: Physical, cause: str, *, seconds: int = 0) -> Message:
    moment = NOW + timedelta(seconds=seconds)
    id = identify(body.TYPE, at.station, seconds, cause)
    return compose(body, id=id, time=moment, source="ocpp", site="depot", at=at, causes=[cause] if cause else [])


def heard(number: int, protocol: str, frame: str, at: Physical) -> Message:
    body = EvidenceReceived(protocol=protocol, peer=at.station or "dso", frame=frame, subject="StartTransaction")
    return compose(body, id=f"ev{number}", time=NOW, source=protocol, site="depot", at=at)


@pytest.fixture
async def evening(running: Running) -> Running:
    """A schedule, a limit of the grid operator, a bus that plugs in, a limit that its charger confirmed."""
    await running.ask("POST", "/sites/depot/schedules", CSV)
    at = Physical(station="CP-01", evse=1, connector=1, session="CP-01/7")
    station = Physical(station="CP-01")
    append = running.hub.journal.append
    limits = (Segment(begins=NOW, ends=NOW + timedelta(hours=12), kw=150),)
    stated = ConstraintStated(source="dso", direction="import", segments=limits, request="r1")
    await append(
        "depot",
        [
            heard(1, "oscp", "{}", Physical(party="dso")),
            fact(SourceContacted(source="dso", kind="handshake"), Physical(party="dso"), "ev1"),
            fact(stated, Physical(party="dso"), "ev1"),
        ],
    )
    connected = StationConnected(version="ocpp1.6", gateway="main", epoch=1, connection=1)
    await append("depot", [fact(connected, station, "")])
    await append(
        "depot",
        [
            heard(2, "ocpp1.6", FRAME, station),
            fact(ConnectorStatusChanged(status="occupied", charging_state="charging"), at, "ev2"),
            fact(SessionStarted(transaction="7", token="TOKEN0001", meter_wh=1000), at, "ev2"),
        ],
    )
    await settle(running)
    metered = SessionMetered(transaction="7", energy_wh=3500, power_kw=40, soc=0.3)
    await append("depot", [heard(3, "ocpp1.6", "[3]", station), fact(metered, at, "ev3", seconds=60)])
    await settle(running)
    wish = running.hub.controllers["depot"].state.dispatch.stations["CP-01"].wish
    assert wish is not None
    assert isinstance(wish.body, CommandWished)
    installed = tuple(
        Installed(evse=e.evse, purpose="transaction", steps=e.steps, until=wish.body.valid_until, transaction="7")
        for e in wish.body.evses
    )
    sent = CommandSent(wish=wish.id, call="c1", installed=installed)
    await append("depot", [fact(sent, station, wish.id)])
    confirmed = CommandConfirmed(wish=wish.id, call="c1", installed=installed)
    await append("depot", [heard(4, "ocpp1.6", "[3,4]", station), fact(confirmed, station, "ev4")])
    await running.hub.journal.append(
        HUB,
        [
            compose(
                StationKnocked(reason="station_unknown", address="10.0.0.9", times=3),
                id="k1",
                time=NOW,
                source="ocpp",
                site=HUB,
                at=Physical(station="CP-77"),
            )
        ],
    )
    await settle(running)
    return running


async def settle(running: Running) -> int:
    """The position up to which everything is decided and read."""
    last = await running.settled()
    assert await running.hub.api.models.reached(last, GENEROUS_S)
    return last


async def rows(running: Running, path: str) -> list[dict[str, Any]]:
    status, told, _ = await running.ask("GET", path)
    assert status == 200, told
    items: list[dict[str, Any]] = told["items"]
    return items


async def test_the_site_is_told_at_a_glance(evening: Running) -> None:
    (site,) = await rows(evening, "/sites")
    assert (site["id"], site["name"], site["limit_kw"], site["limited_by"]) == ("depot", "Depot Nord", 150, "dso")
    assert (site["stations"], site["stations_connected"]) == (2, 1)


async def test_a_vehicle_is_where_its_card_was_shown(evening: Running) -> None:
    found = {row["vehicle"]: row for row in await rows(evening, "/vehicles")}
    bus = found["BUS-1"]
    assert (bus["station"], bus["evse"], bus["connector"], bus["soc"]) == ("CP-01", 1, "Bay 1", 0.3)
    assert bus["departure"] == "2026-11-26T05:20:00Z"
    assert bus["readiness"] in ("on_track", "at_risk", "unknown")
    assert found["BUS-2"]["station"] is None
    assert found["BUS-2"]["ok"] is False
    assert found["BUS-2"]["reason"]
    assert found["BUS-2"]["next"]


async def test_a_station_shows_what_was_asked_confirmed_and_measured(evening: Running) -> None:
    found = {row["station"]: row for row in await rows(evening, "/stations")}
    one = found["CP-01"]
    assert (one["connected"], one["status"], one["vehicle"], one["measured_kw"]) == (True, "occupied", "BUS-1", 40)
    assert one["wished_kw"] == one["confirmed_kw"]
    assert one["ceiling_kw"] is not None
    two = found["CP-02"]
    assert (two["ok"], two["reason"]) == (False, "CP-02 has never connected.")
    assert "busbar connect ocpp CP-02" in two["next"]


async def test_who_knocks_is_listed(evening: Running) -> None:
    (knock,) = await rows(evening, "/stations?knocking=1")
    assert (knock["station"], knock["count"], knock["address"]) == ("CP-77", 3, "10.0.0.9")
    assert knock["reason"]
    assert knock["next"]


async def test_a_session_has_its_energy_and_no_card_number(evening: Running) -> None:
    (session,) = await rows(evening, "/sessions?vehicle=BUS-1")
    assert (session["session"], session["energy_kwh"], session["soc"]) == ("CP-01/7", 2.5, 0.3)
    assert session["token"] == "…0001"
    assert await rows(evening, "/sessions?vehicle=BUS-2") == []


async def test_work_requirement_readiness_and_plan_follow_each_other(evening: Running) -> None:
    (work,) = await rows(evening, "/work")
    assert (work["vehicle"], work["state"], work["distance_m"]) == ("BUS-1", "planned", 180_000)
    needed = await rows(evening, "/requirements?vehicle=BUS-1")
    assert needed[0]["soc_goal"] > 0.5
    assert needed[0]["inputs"]
    (ready,) = await rows(evening, "/readiness?vehicle=BUS-1")
    assert ready["soc_required"] == round(ready["soc_goal"] - 0.005, 4)
    kinds = {row["kind"] for row in await rows(evening, "/allocations")}
    assert kinds == {"plan", "assigned"}


async def test_the_envelope_names_what_binds(evening: Running) -> None:
    found = await rows(evening, "/envelope?node=GRID&from=2026-11-25T20:00:00Z&to=2026-11-25T20:00:01Z")
    assert [(row["import_kw"], row["binding_source"]) for row in found] == [(150, "dso")]


async def test_filters_reach_both_coordinates(evening: Running) -> None:
    everything = await rows(evening, "/messages?limit=1000")
    problem = "area=smart%20charging&subject=charger%20control"
    charging = await rows(evening, f"/messages?{problem}&vehicle=BUS-1")
    assert {row["type"] for row in charging} == {"session.started", "session.metered"}
    granted = await rows(evening, "/messages?area=energy%20%26%20cost%20management&node=GRID")
    assert {row["type"] for row in granted} >= {"constraint.stated", "source.contacted", "envelope.computed"}
    assert len(charging) < len(everything)
    assert await rows(evening, "/sessions?area=access") == []
    assert len(await rows(evening, f"/sessions?{problem}")) == 1


async def test_pages_follow_each_other_without_a_gap(evening: Running) -> None:
    whole = [row["id"] for row in await rows(evening, "/messages?limit=1000")]
    found: list[str] = []
    path = "/messages?limit=7"
    while True:
        _, told, _ = await evening.ask("GET", path)
        found += [row["id"] for row in told["items"]]
        if "next" not in told:
            break
        path = f"/messages?limit=7&cursor={told['next']}"
    assert found == whole


async def test_a_cursor_of_somebody_else_is_refused(evening: Running) -> None:
    for cursor in ("nonsense", "bnVsbA", "%C3%BC"):
        status, told, _ = await evening.ask("GET", f"/vehicles?cursor={cursor}")
        assert (status, bool(told["next"])) == (400, True)


async def test_what_is_known_already_is_not_sent_again(evening: Running) -> None:
    _, _, reply = await evening.ask("GET", "/work")
    status, told, _ = await evening.ask("GET", "/work", headers={"If-None-Match": reply.headers["ETag"]})
    assert (status, told) == (304, None)


async def test_a_read_waits_for_the_position_that_it_asks_for(running: Running) -> None:
    _, _, reply = await running.ask("POST", "/sites/depot/schedules", CSV)
    found = await rows(running, f"/imports?after={reply.headers['Busbar-Position']}")
    assert len(found) == 1


async def test_a_position_that_does_not_come_is_503(running: Running, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gateway.api.reads.AFTER_S", 0.02)
    status, told, reply = await running.ask("GET", "/vehicles?after=999999")
    assert (status, reply.headers["Retry-After"]) == (503, "1")
    assert told["next"]


async def test_a_message_is_shown_without_its_card_number(evening: Running) -> None:
    status, told, _ = await evening.ask("GET", "/messages/ev2")
    assert status == 200
    assert "TOKEN0001" not in told["body"]["frame"]
    assert "…0001" in told["body"]["frame"]
    (started,) = await rows(evening, "/messages?type=session.started")
    _, told, _ = await evening.ask("GET", f"/messages/{started['id']}")
    assert told["body"]["token"] == "…0001"
    assert told["causes"] == ["ev2"]
    _, told, _ = await evening.ask(
        "GET", f"/messages/{(await rows(evening, '/messages?type=site.configured'))[0]['id']}"
    )
    assert "TOKEN0001" not in str(told)


async def test_frames_of_a_station_are_redacted_and_can_be_followed(evening: Running) -> None:
    found = await rows(evening, "/stations/CP-01/frames")
    assert [row["id"] for row in found] == ["ev2", "ev3", "ev4"]
    assert "TOKEN0001" not in str(found)
    newest = await rows(evening, "/stations/CP-01/frames?limit=1")
    assert [row["id"] for row in newest] == ["ev4"]
    newer = await rows(evening, f"/stations/CP-01/frames?since={found[1]['position']}")
    assert [row["id"] for row in newer] == ["ev4"]
    older = await rows(evening, f"/stations/CP-01/frames?limit=1&before={found[2]['position']}")
    assert [row["id"] for row in older] == ["ev3"]


async def test_a_record_s_own_position_stands_behind_its_frames_for_since_and_before_them_for_before(
    evening: Running,
) -> None:
    found = await rows(evening, "/stations/CP-01/frames")
    record = {row["id"]: row["position"].partition(".")[0] for row in found}
    for asked, wanted in (("since", lambda seq, own: seq > own), ("before", lambda seq, own: seq < own)):
        told = await rows(evening, f"/stations/CP-01/frames?{asked}={record['ev3']}")
        expected = [id for id, seq in record.items() if wanted(int(seq), int(record["ev3"]))]
        assert [row["id"] for row in told] == expected
    for nonsense in ("9" * 25, "²", "1.²", "x"):
        assert (await evening.ask("GET", f"/stations/CP-01/frames?before={nonsense}"))[0] == 400


async def test_why_leads_from_a_departure_to_the_evidence(evening: Running) -> None:
    status, tree, _ = await evening.ask("GET", "/why/BUS-1")
    assert status == 200
    assert tree["type"] == "readiness.assessed"
    assert tree["text"].startswith("BUS-1 leaves at 06:20: ")
    types = set(_types(tree))
    assert {"requirement.computed", "work.planned", "evidence.received", "site.configured"} <= types
    status, tree, _ = await evening.ask("GET", "/why/station%3ACP-01?depth=2")
    assert tree["type"] == "command.confirmed"
    assert all(not child["children"] for child in tree["children"])


def _types(node: dict[str, Any]) -> list[str]:
    return [node["type"], *(t for child in node["children"] for t in _types(child))]


async def test_why_of_nothing_says_what_there_is(evening: Running) -> None:
    status, told, _ = await evening.ask("GET", "/why/NOBODY")
    assert status == 404
    assert told["next"]


async def test_lineage_ends_in_raw_frames(evening: Running) -> None:
    found = await rows(evening, "/lineage/BUS-1")
    assert found[0]["type"] == "readiness.assessed"
    assert any(row["type"] == "evidence.received" for row in found)
    for row in found:
        status, _, _ = await evening.ask("GET", f"/messages/{row['id']}")
        assert status == 200


async def test_the_report_of_a_window_is_a_document(evening: Running) -> None:
    (report,) = await rows(evening, "/reports?from=2026-11-25T12:00:00Z&to=2026-11-26T12:00:00Z")
    assert report["site"] == "depot"
    assert report["energy"]


async def test_a_window_that_cannot_be_read_is_refused(evening: Running) -> None:
    for query in ("from=yesterday", "to=2026-11-25T10:00", "limit=many"):
        status, told, _ = await evening.ask("GET", f"/work?{query}")
        assert (status, bool(told["next"])) == (400, True)


async def test_strangers_names_are_only_text(evening: Running) -> None:
    for name in ("'; DROP TABLE messages; --", "<b onload>", "a/b", "\u0000"):
        status, _, _ = await evening.ask("GET", "/messages/" + name.replace("/", "%2F").replace("\u0000", "%00"))
        assert status == 404
    assert await rows(evening, "/messages?limit=1")


async def test_the_same_rows_after_a_rebuild(evening: Running) -> None:
    before = await evening.hub.api.models.digests()
    status, told, _ = await evening.ask("POST", "/rebuild", {})
    assert (status, told["differences"]) == (200, [])
    assert await evening.hub.api.models.digests() == before


async def test_replay_decides_the_same_again(evening: Running) -> None:
    status, told, _ = await evening.ask("POST", "/replay", {"verify": True})
    assert (status, told["differences"]) == (200, [])
    assert told["decisions"] > 3


async def test_the_same_rows_after_a_restart(evening: Running, start: Start) -> None:
    before = await rows(evening, "/sessions")
    await evening.hub.stop()
    again = await start(evening.log, data="elsewhere")
    await settle(again)
    assert await rows(again, "/sessions") == before
    one = next(row for row in await rows(again, "/stations") if row["station"] == "CP-01")
    assert one["connected"] is False


async def test_metrics_say_what_holds(evening: Running) -> None:
    text = evening.hub.metrics.text().decode()
    assert 'busbar_envelope_import_limit_kilowatts{site="depot"} 150.0' in text
    assert 'busbar_commands_total{state="confirmed"} 1.0' in text
    assert 'busbar_readiness_vehicles{site="depot"' in text
    assert "busbar_command_confirm_seconds_count 1.0" in text
    assert re.search(r'busbar_allocation_seconds_count{site="depot"} [1-9]', text)


async def test_after_a_restart_metrics_say_what_holds_already_then(evening: Running, start: Start) -> None:
    await evening.hub.stop()
    again = await start(evening.log, data="elsewhere")

    def said(line: str) -> bool:
        return f"busbar_{line}" in again.hub.metrics.text().decode()

    await until(lambda: said('envelope_import_limit_kilowatts{site="depot"} 150.0'))
    assert said('shortage_kilowatthours{site="depot"} 0.0')


async def test_a_database_that_is_away_stops_no_site(start: Start, tmp_path: Path) -> None:
    running = await start(database=f"sqlite+aiosqlite:///{tmp_path / 'missing' / 'rows.sqlite'}")
    status, told, _ = await running.ask("GET", "/vehicles")
    assert (status, told["type"]) == (503, "urn:busbar:problem:read-models-away")
    status, told, _ = await running.ask("POST", "/sites/depot/schedules", CSV)
    assert (status, told["added"]) == (200, 1)
    async with running.client.get(running.hub.http.addresses["local"] + "/ready") as reply:
        assert "readmodels" in (await reply.json())["waiting"]
    (tmp_path / "missing").mkdir()
    assert await running.hub.api.models.reached(await running.log.last(), GENEROUS_S)
    assert len(await rows(running, "/work")) == 1


async def test_rows_that_cannot_be_written_are_told_once_in_the_log_and_until_they_can_be(
    running: Running, caplog: pytest.LogCaptureFixture
) -> None:
    models, ready = running.hub.api.models, running.hub.http.ready_checks["readmodels"]
    with closing(sqlite3.connect(str(models.engine.url.database))) as other:
        refusing = "CREATE TRIGGER no BEFORE INSERT ON messages BEGIN SELECT RAISE(ABORT, 'read only'); END"
        other.execute(refusing).connection.commit()
        await running.ask("POST", "/sites/depot/schedules", CSV)
        told = await until(ready)
        assert "the read models cannot be written: read only; next: " in told
        status, answer, _ = await running.ask("GET", f"/work?after={await running.log.last()}")
        assert (status, "cannot be written: read only" in answer["detail"]) == (503, True)
        other.execute("DROP TRIGGER no").connection.commit()
    assert await models.reached(await running.log.last(), GENEROUS_S)
    await until(lambda: ready() is None)
    assert len(await rows(running, "/work")) == 1
    assert len([r for r in caplog.records if "read models lag" in r.getMessage()]) == 1


async def test_a_damaged_journal_is_told_and_not_a_defect(evening: Running, monkeypatch: pytest.MonkeyPatch) -> None:
    def damaged(*_: object, **__: object) -> None:
        raise Damaged("record 7 is not what was acknowledged; next: restore it")

    monkeypatch.setattr(evening.hub.log, "read", damaged)
    status, told, _ = await evening.ask("POST", "/replay", {"verify": True})
    assert (status, told["type"], told["next"]) == (409, "urn:busbar:problem:journal-damaged", "restore it")
