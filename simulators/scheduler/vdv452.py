"""Writes a VDV 452 export: one x10 table per file (VDV 451) for blocks with their depot legs, packed as a ZIP."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date

VERSION = 1
DAY_TYPE = 1
AREA = 1
GROUP = 1
STOP, DEPOT = 1, 2
_PASSENGER, _PULL_OUT, _PULL_IN = 1, 2, 3
_FIXED = (1980, 1, 1, 0, 0, 0)

Cell = int | str | None


@dataclass(frozen=True)
class BlockRow:
    """A block as the scheduler knows it; times in seconds of the operating day (they may exceed 86400)."""

    number: int
    type_number: int
    line: int
    departs_s: int
    """When it leaves the depot."""
    returns_s: int
    """When it is back."""
    distance_m: int
    deadrun_m: int
    """Length of each depot leg, part of `distance_m`."""
    deadrun_s: int = 600


@dataclass(frozen=True)
class _Table:
    name: str
    columns: tuple[tuple[str, str], ...]
    rows: tuple[tuple[Cell, ...], ...]


def export(
    blocks: Sequence[BlockRow], day: date, types: Sequence[tuple[int, str]], vehicles: Sequence[tuple[int, int, str]]
) -> bytes:
    """The ZIP for one operating day: every block is pull-out, one service trip, pull-in. Same input, same bytes."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as folder:
        for table in _tables(blocks, day, types, vehicles):
            name = zipfile.ZipInfo(f"{table.name.lower()}.x10", date_time=_FIXED)
            folder.writestr(name, _text(table, day).encode("iso8859-1"))
    return out.getvalue()


def assignments(day: date, rows: Iterable[tuple[int, str]]) -> bytes:
    """`assignments.csv`: which vehicle runs which block."""
    lines = [f"{day.isoformat()},{block},{vehicle}" for block, vehicle in rows]
    return ("\n".join(["operating_day,block,vehicle", *lines]) + "\n").encode()


def _text(table: _Table, day: date) -> str:
    header = [
        "mod; DD.MM.YYYY; HH:MM:SS; free",
        f'src; "Simulated scheduler"; "{day:%d.%m.%Y}"; "00:00:00"',
        'chs; "ISO8859-1"',
        'ver; "1.4"',
        'ifv; "1.5"',
        'dve; "1.0"',
        'fft; ""',
        f"tbl; {table.name}",
        "atr; " + "; ".join(name for name, _ in table.columns),
        "frm; " + "; ".join(form for _, form in table.columns),
    ]
    rows = ["rec; " + "; ".join(_cell(cell) for cell in row) for row in table.rows]
    return "\r\n".join([*header, *rows, f"end; {len(rows)}", "eof; 1", ""])


def _cell(cell: Cell) -> str:
    if cell is None:
        return "NULL"
    return str(cell) if isinstance(cell, int) else '"' + cell.replace('"', '""') + '"'


def _columns(spec: str) -> tuple[tuple[str, str], ...]:
    """`NAME:9 TEXT:c40` as columns: a number of digits, or `c` and a length for text."""
    pairs = (item.split(":") for item in spec.split())
    return tuple((name, f"char[{form[1:]}]" if form[0] == "c" else f"num[{form}.0]") for name, form in pairs)


def _table(name: str, spec: str, rows: Iterable[Sequence[Cell]]) -> _Table:
    return _Table(name, _columns("BASIS_VERSION:9 " + spec), tuple((VERSION, *row) for row in rows))


def _tables(
    blocks: Sequence[BlockRow], day: date, types: Sequence[tuple[int, str]], vehicles: Sequence[tuple[int, int, str]]
) -> list[_Table]:
    return [*_calendar(day), *_network(blocks), *_work(blocks), *_fleet(types, vehicles)]


def _calendar(day: date) -> list[_Table]:
    """From when on it holds, and of which type the day is."""
    stamp = int(f"{day:%Y%m%d}")
    return [
        _table("BASIS_VER_GUELTIGKEIT", "VER_GUELTIGKEIT:8", [(stamp,)]),
        _table("MENGE_BASIS_VERSIONEN", "BASIS_VERSION_TEXT:c40", [("Winter timetable",)]),
        _table("FIRMENKALENDER", "BETRIEBSTAG:8 BETRIEBSTAG_TEXT:c40 TAGESART_NR:3", [(stamp, "", DAY_TYPE)]),
        _table("MENGE_TAGESART", "TAGESART_NR:3 TAGESART_TEXT:c40", [(DAY_TYPE, "Thursday")]),
    ]


def _network(blocks: Sequence[BlockRow]) -> list[_Table]:
    """Places, lines over them, and how far and how long it is from one to the next."""
    return [
        _table(
            "MENGE_ONR_TYP",
            "ONR_TYP_NR:2 STR_ONR_TYP:c6 ONR_TYP_TEXT:c40",
            [(STOP, "HP", "stop"), (DEPOT, "BHOF", "depot")],
        ),
        _table(
            "MENGE_FAHRTART",
            "FAHRTART_NR:2 STR_FAHRTART:c6",
            [(_PASSENGER, "SJ"), (_PULL_OUT, "OUT"), (_PULL_IN, "IN")],
        ),
        _table("REC_ORT", "ONR_TYP_NR:2 ORT_NR:6 ORT_NAME:c40 ORT_REF_ORT:6", _places(blocks)),
        _table(
            "REC_LID",
            "LI_NR:6 STR_LI_VAR:c6 ROUTEN_NR:4 LI_RI_NR:3 BEREICH_NR:3 LI_KUERZEL:c6 LIDNAME:c40 ROUTEN_ART:2",
            _routes(blocks),
        ),
        _table("LID_VERLAUF", "LI_LFD_NR:3 LI_NR:6 STR_LI_VAR:c6 ONR_TYP_NR:2 ORT_NR:6 PRODUKTIV:1", _stops(blocks)),
        _table(
            "REC_SEL",
            "BEREICH_NR:3 ONR_TYP_NR:2 ORT_NR:6 SEL_ZIEL:6 SEL_ZIEL_TYP:2 SEL_LAENGE:6",
            [(AREA, *a, b[1], b[0], metres) for a, b, metres, _ in _links(blocks)],
        ),
        _table(
            "SEL_FZT_FELD",
            "BEREICH_NR:3 FGR_NR:9 ONR_TYP_NR:2 ORT_NR:6 SEL_ZIEL:6 SEL_ZIEL_TYP:2 SEL_FZT:6",
            [(AREA, GROUP, *a, b[1], b[0], seconds) for a, b, _, seconds in _links(blocks)],
        ),
        _table(
            "ORT_HZTF",
            "FGR_NR:9 ONR_TYP_NR:2 ORT_NR:6 HP_HZT:6",
            [(GROUP, STOP, stop, 0) for stop in _stop_numbers(blocks)],
        ),
    ]


def _work(blocks: Sequence[BlockRow]) -> list[_Table]:
    """Trips, and the blocks that they make."""
    return [
        _table(
            "REC_FRT",
            "FRT_FID:10 FRT_START:6 LI_NR:6 TAGESART_NR:3 LI_KU_NR:6 FAHRTART_NR:2 FGR_NR:9 STR_LI_VAR:c6 UM_UID:8",
            _trips(blocks),
        ),
        _table(
            "REC_UMLAUF",
            "TAGESART_NR:3 UM_UID:8 ANF_ORT:6 ANF_ONR_TYP:2 END_ORT:6 END_ONR_TYP:2 FZG_TYP_NR:3",
            [(DAY_TYPE, b.number, _YARD[1], DEPOT, _YARD[1], DEPOT, b.type_number) for b in blocks],
        ),
    ]


def _fleet(types: Sequence[tuple[int, str]], vehicles: Sequence[tuple[int, int, str]]) -> list[_Table]:
    """Vehicle types and vehicles."""
    return [
        _table(
            "MENGE_FZG_TYP", "FZG_TYP_NR:3 FZG_TYP_TEXT:c40 STR_FZG_TYP:c20", [(n, text, text) for n, text in types]
        ),
        _table("FAHRZEUG", "FZG_NR:4 FZG_TYP_NR:3 POLKENN:c20", vehicles),
    ]


_Place = tuple[int, int]
_YARD: _Place = (DEPOT, 900101)


def _stop_numbers(blocks: Sequence[BlockRow]) -> list[int]:
    return sorted(number for block in blocks for _, number in _ends(block))


def _ends(block: BlockRow) -> tuple[_Place, _Place]:
    """First and last stop of a block's service trip; own stops per block keep its running time its own."""
    return (STOP, 10_000 + 2 * block.number), (STOP, 10_001 + 2 * block.number)


def _links(blocks: Sequence[BlockRow]) -> list[tuple[_Place, _Place, int, int]]:
    rows: list[tuple[_Place, _Place, int, int]] = []
    for block in blocks:
        first, last = _ends(block)
        service_s = block.returns_s - block.departs_s - 2 * block.deadrun_s
        rows += [
            (_YARD, first, block.deadrun_m, block.deadrun_s),
            (first, last, block.distance_m - 2 * block.deadrun_m, service_s),
            (last, _YARD, block.deadrun_m, block.deadrun_s),
        ]
    return rows


def _places(blocks: Sequence[BlockRow]) -> list[Sequence[Cell]]:
    stops = [(STOP, number, f"Stop {number}", number) for number in _stop_numbers(blocks)]
    return [(DEPOT, _YARD[1], "Depot", _YARD[1]), *stops]


def _variants(block: BlockRow) -> tuple[tuple[str, int, int], ...]:
    """(variant, route type, trip type) of pull-out, service and pull-in."""
    return (
        (f"O{block.number}", 3, _PULL_OUT),
        (f"S{block.number}", 1, _PASSENGER),
        (f"I{block.number}", 2, _PULL_IN),
    )


def _routes(blocks: Sequence[BlockRow]) -> list[Sequence[Cell]]:
    return [
        (block.line, variant, number, 1, AREA, str(block.line), f"Line {block.line}", kind)
        for block in blocks
        for number, (variant, kind, _) in enumerate(_variants(block), start=1)
    ]


def _stops(blocks: Sequence[BlockRow]) -> list[Sequence[Cell]]:
    rows: list[Sequence[Cell]] = []
    for block in blocks:
        first, last = _ends(block)
        for (variant, _, kind), pair in zip(
            _variants(block), ((_YARD, first), (first, last), (last, _YARD)), strict=True
        ):
            productive = int(kind == _PASSENGER)
            rows += [(n, block.line, variant, *place, productive) for n, place in enumerate(pair, start=1)]
    return rows


def _trips(blocks: Sequence[BlockRow]) -> list[Sequence[Cell]]:
    rows: list[Sequence[Cell]] = []
    for block in blocks:
        starts = (block.departs_s, block.departs_s + block.deadrun_s, block.returns_s - block.deadrun_s)
        for (variant, _, kind), start in zip(_variants(block), starts, strict=True):
            number = len(rows) + 1
            rows.append((number, start, block.line, DAY_TYPE, block.number, kind, GROUP, variant, block.number))
    return rows
