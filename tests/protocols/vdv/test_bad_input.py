"""What a broken VDV 452 export gets."""

import io
import zipfile
from datetime import UTC, date, datetime

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from core.messages import line as as_line
from core.messages import load
from protocols.common import imports
from protocols.vdv import detect, import_id, messages, translate
from protocols.vdv.wire import decode
from tests.protocols.vdv.export import files, replaced, tables, text, without


def run(found, days=None):
    return translate(found, feed="vdv", zone="Europe/Berlin", days=days)


def reasons(found):
    return [item.reason for item in found.quarantined]


def names(found):
    return sorted(block.block for block in found.blocks)


@pytest.mark.parametrize(
    ("table", "old", "new"),
    [
        ("REC_FRT", "1; 1001; 24000; 5", "1; 1001; early; 5"),
        ("REC_FRT", "1; 1001; 24000; 5", "1; 1001; NULL; 5"),
        ("REC_FRT", "1; 1001; 24000; 5", "1; 1001; 172801; 5"),
        ("REC_FRT", "1; 1001; 24000; 5", "1; 1001; -1; 5"),
        ("REC_UMLAUF", "1; 1; 4201; 900", "1; 1; 4201; depot"),
    ],
)
def test_a_broken_value_takes_along_its_block_only_and_what_was_known_about_it_holds(table, old, new):
    found = run(replaced(table, old, new))
    assert (names(found), reasons(found)) == (["4299"], ["row_malformed", "block_broken"])
    assert found.kept == ("vdv:2026-11-25:4201",)
    assert found.covers_from == date(2026, 10, 24)
    assert table in found.quarantined[0].item


def test_a_row_with_too_few_values_takes_along_its_block_and_forbids_withdrawals():
    found = run(replaced("REC_FRT", '1; 1001; 24000; 5; "HIN"; 1; 1; 4201; 3', '1; 1001; 24000; 5; "HIN"; 1; 1; 4201'))
    assert (names(found), found.covers_from) == (["4299"], None)


def test_a_trip_row_whose_block_cannot_be_told_sets_aside_the_block_that_has_a_gap():
    found = run(replaced("REC_FRT", '1; 1001; 24000; 5; "HIN"; 1; 1; 4201; 3', "1; 1001; 24000"))
    assert (names(found), found.covers_from) == (["4299"], None)
    assert reasons(found) == ["row_malformed", "block_broken"]


def test_a_quote_that_does_not_close_is_a_broken_row():
    found = run(replaced("REC_UMLAUF", "1; 6; 4299; 900", '1; 6; 4299; "900'))
    assert (names(found), reasons(found)[0]) == (["4201"], "row_malformed")


def test_a_trip_without_its_block_or_a_block_without_trips_is_set_aside():
    assert names(run(files(without("REC_UMLAUF", 4201, column=2)))) == ["4299"]
    found = run(files(without("REC_FRT", 1000, 1001, 1002, 1003)))
    assert (names(found), found.kept) == (["4299"], ("vdv:2026-11-25:4201",))


def test_a_missing_running_time_or_route_sets_aside_the_blocks_that_need_it():
    columns, rows = tables()["SEL_FZT_FELD"]
    found = run(files({"SEL_FZT_FELD": (columns, list(rows)[1:])}))
    assert (names(found), reasons(found)) == ([], ["block_broken"] * 2)
    assert "900 to 101" in found.quarantined[0].detail
    assert names(run(files(without("REC_LID", '"AUS"', column=2)))) == []


def test_a_broken_stop_of_a_route_sets_aside_the_blocks_on_it():
    found = run(replaced("LID_VERLAUF", '1; 5; "HIN"; 10; 1; 102', '1; 5; "HIN"; 10; 1; middle'))
    assert names(found) == []


def test_a_broken_length_or_dwell_time_costs_no_block():
    found = run(replaced("REC_SEL", "1; 7; 1; 101; 102; 1; 4450", "1; 7; 1; 101; 102; 1; far"))
    assert (names(found), reasons(found)) == (["4201", "4299"], ["row_malformed"])
    assert run(replaced("ORT_HZTF", "1; 3; 1; 102; 30", "1; 3; 1; 102; -30")).covers_from is not None


def test_a_broken_calendar_row_forbids_withdrawals():
    for bad in ("20261332", "Mittwoch", "99999999999999999999"):
        found = run(replaced("FIRMENKALENDER", "1; 20261125", f"1; {bad}"))
        assert (names(found), found.covers_from) == (["4299"], None)


def test_a_row_of_a_table_that_is_not_used_is_counted_and_harms_nothing():
    found = run(files({"MENGE_X": ("A B", [(1,)])}))
    assert (names(found), reasons(found), found.covers_from) == (
        ["4201", "4299"],
        ["row_malformed"],
        date(2026, 10, 24),
    )


def test_a_file_whose_end_count_is_wrong_is_set_aside_and_nothing_is_withdrawn_for_it():
    given_files = files()
    given_files["rec_sel.x10"] = text("REC_SEL", tables()["REC_SEL"], end=99).encode()
    found = run(given_files)
    assert (reasons(found), found.covers_from) == (["file_incomplete"], None)
    assert all(leg.distance_m is None for block in found.blocks for leg in block.legs)


def test_a_table_without_its_end_is_set_aside():
    given_files = files()
    given_files["rec_sel.x10"] = given_files["rec_sel.x10"].replace(b"end; 6\r\n", b"")
    assert reasons(run(given_files)) == ["file_incomplete"]


def test_without_a_table_that_blocks_need_the_feed_is_refused_and_the_table_named():
    given_files = files()
    del given_files["rec_frt.x10"]
    found = run(given_files)
    assert (found.blocks, reasons(found), found.covers_from) == ((), ["table_missing"], None)
    assert "REC_FRT" in found.quarantined[0].detail


def test_a_transfer_that_was_cut_off_is_refused_as_a_whole():
    given_files = files()
    given_files["rec_frt.x10"] = given_files["rec_frt.x10"][:-40]
    assert reasons(run(given_files)) == ["feed_truncated"]


def test_a_file_in_a_wrong_encoding_is_named():
    given_files = files()
    for bad in (
        text("REC_SEL", tables()["REC_SEL"]).encode("utf-16"),
        text("REC_SEL", tables()["REC_SEL"], "EBCDIC").encode(),
    ):
        given_files["rec_sel.x10"] = bad
        found = run(given_files)
        assert (reasons(found), found.quarantined[0].item, found.covers_from) == (
            ["wrong_encoding"],
            "rec_sel.x10",
            None,
        )
    given_files["rec_frt.x10"] = text("REC_FRT", tables()["REC_FRT"], "KOI8").encode()
    assert reasons(run(given_files)) == ["wrong_encoding", "wrong_encoding", "table_missing"]


@pytest.mark.parametrize(
    ("charset", "codec", "word"),
    [
        ("ISO8859-1", "latin-1", "Süd"),
        ("ISO-8859-1", "cp1252", "Süd €"),
        ("ISO_8859_15", "iso8859-15", "Süd €"),
        ("windows-1252", "cp1252", "Süd €"),
        ("UTF8", "utf-8", "Süd €"),
        ("UTF-8", "utf-8-sig", "Süd €"),
    ],
)
def test_declared_charsets_are_read_in_any_spelling(charset, codec, word):
    decoded = decode(f'chs; "{charset}"\r\nrec; "{word}"\r\n'.encode(codec))
    assert word in decoded
    assert not decoded.startswith("\ufeff")


def test_bytes_that_do_not_fit_the_declared_charset_are_an_error():
    with pytest.raises(UnicodeError, match="byte"):
        decode(b'chs; "UTF-8"\r\nrec; "S\xfcd"\r\n')


def test_what_is_no_vdv_452_is_refused():
    assert reasons(run({"readme.txt": b"hello"})) == ["format_unknown"]
    assert reasons(run(b"PK\x03\x04 broken")) == ["archive_broken"]


def test_archives_are_bounded(monkeypatch):
    def packed(*members):
        buffer = io.BytesIO()
        with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
            for name, content in members:
                archive.writestr(name, content)
        return buffer.getvalue()

    assert reasons(run(packed(("a.x10", b"0" * 3_000_000)))) == ["file_too_large"]
    assert reasons(run(packed(*((f"{i}.x10", b"") for i in range(501))))) == ["file_too_large"]
    monkeypatch.setattr(imports, "MAX_BYTES", 10)
    assert reasons(run(packed(("a.x10", b"0123456789x")))) == ["file_too_large"]
    assert reasons(run({"a.x10": b"0123456789x"})) == ["file_too_large"]


def test_an_encrypted_archive_is_refused():
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("a.x10", b"mod;")
    data = bytearray(buffer.getvalue())
    data[6] |= 1
    data[data.index(b"PK\x01\x02") + 8] |= 1
    assert reasons(run(bytes(data))) == ["archive_broken"]


def test_the_format_is_recognised_by_name_or_first_bytes():
    assert detect("REC_FRT.X10", b"")
    assert detect("export", b"\xef\xbb\xbfmod; DD.MM.YYYY")
    assert detect("export.zip", b"PK\x03\x04..rec_frt.X10")
    assert not detect("feed.zip", b"PK\x03\x04..trips.txt")
    assert not detect("assignments.csv", b"operating_day,block")


def test_the_messages_of_an_import_end_with_its_receipt_and_cite_the_evidence():
    found = run(replaced("REC_FRT", "1; 1001; 24000; 5", "1; 1001; early; 5"))
    now = datetime(2026, 11, 24, 20, tzinfo=UTC)
    name = import_id("depot", "vdv", found.content)
    facts = messages(found, name, "vdv", "depot", now, "evidence-1", who="ada", why="night")
    assert [m.type for m in facts] == [
        "evidence.quarantined", "evidence.quarantined", "work.stated", "schedule.received",
    ]  # fmt: skip
    assert all(m.causes == ("evidence-1",) and m.at.path == "vdv" for m in facts)
    received = facts[-1].body
    assert (received.import_id, received.stated, received.quarantined) == (name, 1, 2)
    assert (received.kept, received.who, received.why) == (("vdv:2026-11-25:4201",), "ada", "night")
    assert facts[2].at.work == "vdv:2026-10-24:4299"
    assert [load(as_line(m)) for m in facts] == facts
    again = messages(found, name, "vdv", "depot", now, "evidence-1")
    other = messages(found, name, "vdv", "depot", now, "evidence-2")
    assert [m.id for m in again] == [m.id for m in facts]
    assert not {m.id for m in other} & {m.id for m in facts}
    assert len({m.id for m in facts}) == len(facts)


def test_the_same_files_are_the_same_content_whatever_their_order():
    turned = dict(reversed(files().items()))
    assert run(turned).content == run(files()).content
    assert run(files(without("REC_FRT", 1000))).content != run(files()).content


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.sampled_from(sorted(files())), st.integers(0, 2000), st.binary(max_size=12))
def test_whatever_is_damaged_nothing_raises_and_no_block_is_invented(name, position, garbage):
    given_files = files()
    content = given_files[name]
    at = 90 + position % (len(content) - 90)
    given_files[name] = content[:at] + garbage + content[at + len(garbage) :]
    found = run(given_files)
    assert {block.block for block in found.blocks} <= {"4201", "4299"} or name in ("rec_umlauf.x10", "rec_frt.x10")
