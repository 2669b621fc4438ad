"""A VDV 452 export of somebody else's, edited until it breaks: the good part is used, the bad part set aside with its line."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import aiohttp
import pytest

from simulators.scheduler.vdv452 import BlockRow, assignments, export
from tests.outside.depot import Depot, Ended
from tests.waiting import until

DAY = (datetime.now(ZoneInfo("Europe/Berlin")) + timedelta(days=1)).date()
TYPES = [(1, "solo-12m")]
VEHICLES = [(1, 1, "BUS-1"), (2, 1, "BUS-2")]


def row(number: int, departs_h: float, distance_m: int = 150_000) -> BlockRow:
    """A block of ten hours."""
    begins = int(departs_h * 3600)
    return BlockRow(number, 1, 5, begins, begins + 36_000, distance_m, 5_000)


BLOCKS = [row(101, 6.5), row(102, 7.0), row(103, 25.25)]
EXPORT = export(BLOCKS, DAY, TYPES, VEHICLES)


def edited(change: Callable[[str, bytes], bytes], source: bytes = EXPORT) -> bytes:
    """The export with every table passed through an editor."""
    out = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(source)) as old, zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as new:
        for name in old.namelist():
            new.writestr(name, change(name, old.read(name)))
    return out.getvalue()


def with_line(table: str, begins: str, replacement: str) -> bytes:
    """The export with the first line of a table that begins so replaced."""

    def change(name: str, content: bytes) -> bytes:
        if name != table:
            return content
        lines = content.decode("iso8859-1").split("\r\n")
        index = next(i for i, line in enumerate(lines) if line.startswith(begins))
        lines[index] = replacement
        return "\r\n".join(lines).encode("iso8859-1")

    return edited(change)


@pytest.fixture
def feed(tmp_path: Path) -> Callable[[str, bytes], Path]:
    """Writes a file to import."""

    def write(name: str, content: bytes) -> Path:
        (tmp_path / name).write_bytes(content)
        return tmp_path / name

    return write


async def imported(depot: Depot, file: Path, **query: str) -> Any:
    """What an import that worked says, with its `position`."""
    url, name = f"{depot.url}/api/v1/sites/depot/schedules", {"X-File-Name": file.name}
    async with (
        aiohttp.ClientSession(headers=depot.login("control-room") | name) as http,
        http.post(url, data=file.read_bytes(), params=query) as reply,
    ):
        document = await reply.json()
        assert reply.status == 200, document
        return document | {"position": reply.headers.get("Busbar-Position")}


async def works(depot: Depot, after: str | None = None) -> dict[str, dict[str, Any]]:
    """All work that is known, by block; as of a position of the journal."""
    rows = await depot.items("/work", **({"after": after} if after else {}))
    return {r["block"]: r for r in rows if r["state"] != "withdrawn"}


Feed = Callable[[str, bytes], Path]


async def test_an_export_becomes_work_and_a_second_one_changes_only_what_changed(depot: Depot, feed: Feed) -> None:
    file = feed("tomorrow.zip", EXPORT)
    tried = await depot.busbar("import", file, "--dry-run")
    assert (tried.code, "added 3" in tried.out, await works(depot)) == (0, True, {}), tried
    first = await imported(depot, file)
    assert (first["added"], first["changed"], first["removed"]) == (3, 0, 0)
    assert set(await works(depot, first["position"])) == {"101", "102", "103"}
    again = await imported(depot, file)
    assert (again["added"], again["changed"], again["removed"], again["unchanged"]) == (0, 0, 0, 3)

    runs = await imported(depot, feed("assignments.csv", assignments(DAY, [(101, "BUS-1"), (102, "BUS-2")])))
    assert runs["assigned"] == 2
    before = await works(depot, runs["position"])
    later = export([row(101, 6.75), row(102, 7.0)], DAY, TYPES, VEHICLES)
    moved = await imported(depot, feed("later.zip", later))
    assert (moved["added"], moved["changed"], moved["removed"], moved["unchanged"]) == (0, 1, 1, 1)
    after = await works(depot, moved["position"])
    assert after["101"]["departs"] != before["101"]["departs"]
    assert after["102"] == before["102"], "what did not change must not be touched"
    assert "103" not in after

    async def departures() -> list[dict[str, Any]]:
        rows = await depot.items("/vehicles")
        return [r for r in rows if r["vehicle"] == "BUS-1" and r["departure"] == after["101"]["departs"]]

    await until(departures)
    vehicles = await depot.busbar("vehicles")
    assert "BUS-1" in vehicles.out
    why = await depot.busbar("why", "BUS-1")
    assert why.code == 0, why.err


async def test_what_is_broken_is_set_aside_by_its_line_and_the_rest_is_used(depot: Depot, feed: Feed) -> None:
    await imported(depot, feed("tomorrow.zip", EXPORT))
    broken = feed(
        "broken.zip", with_line("rec_frt.x10", "rec; 1; 1; ", 'rec; 1; 1; soon; 5; 1; 101; 2; 1; "O101"; 101')
    )
    document = await imported(depot, broken)
    assert {q["reason"] for q in document["quarantined"]} & {"row_malformed", "block_broken"}, document
    assert all(q["next"] for q in document["quarantined"])
    assert any("REC_FRT line 11" in q["what"] for q in document["quarantined"])
    # what was known about that block holds, the others go on
    assert set(await works(depot, document["position"])) >= {"101", "102", "103"}
    lines = await depot.busbar("import", broken)
    assert "REC_FRT line 11" in lines.out


async def test_an_unknown_vehicle_and_a_departure_in_the_past_are_refused_row_by_row(depot: Depot, feed: Feed) -> None:
    await imported(depot, feed("tomorrow.zip", EXPORT))
    strange = feed("assignments.csv", assignments(DAY, [(101, "BUS-99"), (102, "BUS-2")]))
    told = await imported(depot, strange)
    assert [r["reason"] for r in told["refused"]] == ["vehicle_unknown"], told
    yesterday = (datetime.now(ZoneInfo("Europe/Berlin")) - timedelta(days=1)).date().isoformat()
    rows = f"operating_day,vehicle,departure,distance_km\n{yesterday},BUS-3,06:20,100\n{DAY},BUS-3,06:20,100\n"
    told = await imported(depot, feed("plan.csv", rows.encode()))
    assert ([r["reason"] for r in told["refused"]], told["added"]) == (["departure_in_past"], 1), told


def bomb() -> bytes:
    """A small archive that unpacks to a gigabyte."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive, archive.open("rec_frt.x10", "w") as file:
        for _ in range(300):
            file.write(b"\0" * 1_000_000)
    return out.getvalue()


def climbing() -> bytes:
    """An archive whose names leave its folder."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        archive.writestr("../../../../tmp/busbar-was-here.x10", "mod; DD.MM.YYYY\r\n")
        archive.writestr("/etc/busbar-was-here.x10", "mod; DD.MM.YYYY\r\n")
    return out.getvalue()


WHOLE = {
    "bomb.zip": (bomb, {"file_too_large", "archive_broken"}),
    "climbing.zip": (climbing, {"table_missing", "archive_broken", "feed_truncated"}),
    "cut.zip": (lambda: EXPORT[: len(EXPORT) // 2], {"archive_broken"}),
    "no-table.zip": (
        lambda: edited(lambda name, content: b"" if name == "rec_umlauf.x10" else content),
        {"table_missing", "feed_truncated"},
    ),
    "cut-off.zip": (
        lambda: edited(lambda name, content: content.replace(b"eof; 1", b"") if name == "rec_frt.x10" else content),
        {"feed_truncated"},
    ),
    "wrong-encoding.csv": (lambda: "vehicle,departure,kwh\nBÜS-1,06:20,50\n".encode("utf-16"), {"wrong_encoding"}),
    "nothing.bin": (lambda: bytes(range(256)) * 40, set()),
}


@pytest.mark.parametrize("name", WHOLE)
async def test_a_file_that_cannot_be_used_says_why_and_changes_nothing(depot: Depot, feed: Feed, name: str) -> None:
    whole = await imported(depot, feed("tomorrow.zip", EXPORT))
    before = await works(depot, whole["position"])
    make, reasons = WHOLE[name]
    told: Ended = await depot.busbar("import", feed(name, make()))
    assert told.code in (1, 2), told
    assert "next:" in told.err, told
    assert "Traceback" not in told.err

    async def kept() -> bool:
        found = {m["body"]["reason"] for m in await depot.messages("evidence.quarantined")}
        return bool(found & reasons if reasons else found)

    await until(kept)
    assert await works(depot) == before
    assert not Path("/tmp/busbar-was-here.x10").exists()


async def test_a_body_that_is_too_large_or_a_token_that_may_not_is_refused_before_it_is_read(depot: Depot) -> None:
    url = f"{depot.url}/api/v1/sites/depot/schedules"
    async with aiohttp.ClientSession() as http:
        async with http.post(url, data=EXPORT) as reply:
            assert (reply.status, (await reply.json())["next"] != "") == (401, True)
        async with http.post(url, data=EXPORT, headers=depot.login("display")) as reply:
            assert reply.status == 403
            assert "operator" in (await reply.json())["detail"]
        async with http.post(url, data=b"x" * 70_000_000, headers=depot.login("control-room")) as reply:
            assert reply.status == 413
