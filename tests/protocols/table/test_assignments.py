"""Which vehicle runs which block, as a plain table."""

import json
from datetime import UTC, date, datetime

from protocols.table import import_id, messages, translate

DAY = date(2026, 11, 25)
HEAD = "operating_day,block,vehicle\n"


def run(text):
    return translate(text.encode(), feed="dispatch", zone="Europe/Berlin")


def test_every_row_names_a_day_a_block_and_a_vehicle():
    found = run(HEAD + "2026-11-25,4201,BUS-142\n20261125,4202,BUS-143\n")
    assert found.assignments == ((DAY, "4201", "BUS-142"), (DAY, "4202", "BUS-143"))
    assert (found.format, found.covers_from, found.blocks) == ("assignments", None, ())


def test_an_empty_vehicle_means_nobody_any_more():
    assert run(HEAD + "2026-11-25,4201,\n").assignments == ((DAY, "4201", None),)


def test_a_table_that_is_neither_says_which_columns_it_lacks_and_which_it_has():
    for first, there in (("operating_day,block,vehicel", "vehicel (not known)"), ("block,vehicle", "block, vehicle")):
        found = run(f"{first}\n2026-11-25,4201,BUS-142\n")
        (aside,) = found.quarantined
        assert (found.assignments, found.blocks, aside.reason) == ((), (), "not_a_table")
        assert "operating_day, block and vehicle" in aside.detail and there in aside.detail
    assert run(HEAD.replace("vehicle", "vehicel")).quarantined == ()


def test_json_works_too():
    rows = {"assignments": [{"operating_day": "2026-11-25", "block": 4201, "vehicle": "BUS-142"}]}
    assert run(json.dumps(rows)).assignments == ((DAY, "4201", "BUS-142"),)


def test_broken_rows_are_set_aside_alone():
    found = run(HEAD + "2026-11-25,1,A\n,2,B\n2026-11-25,,C\n25.11.,4,D\n2026-11-25,1,E\n2026-11-25,6\n")
    assert found.assignments == ((DAY, "1", "A"),)
    assert [item.reason for item in found.quarantined] == [
        "day_missing", "subject_missing", "day_invalid", "row_duplicate", "row_malformed",
    ]  # fmt: skip


def test_the_messages_state_every_row_and_end_with_the_receipt():
    found = run(HEAD + "2026-11-25,4201,BUS-142\n,2,B\n")
    now = datetime(2026, 11, 24, 20, tzinfo=UTC)
    name = import_id("depot", "dispatch", found.content)
    facts = messages(found, name, "dispatch", "depot", now, "evidence-1")
    assert [m.type for m in facts] == ["evidence.quarantined", "assignment.stated", "schedule.received"]
    assert (facts[1].at.block, facts[1].at.vehicle, facts[1].body.import_id) == ("4201", "BUS-142", name)
    assert (facts[2].body.format, facts[2].body.stated, facts[2].body.quarantined) == ("assignments", 1, 1)
    assert facts[0].body.item == "row 3: block=2, vehicle=B"
    assert all(m.causes == ("evidence-1",) and m.source == "dispatch" and m.site == "depot" for m in facts)
