"""How long a VDV 452 export of a mid-size operator takes: 1,700 block templates, 31,000 trips, two operating days.

Run: python benchmarks/vdv_import.py [BLOCKS]
"""

from __future__ import annotations

import resource
import sys
import time
from datetime import date
from itertools import pairwise

from protocols.vdv import translate

TRIPS = 18
STOPS = 20
DAY_TYPES = 6


def main() -> None:
    """Build the export in memory, translate it, print the figures."""
    blocks = int(sys.argv[1]) if len(sys.argv) > 1 else 1_700
    files = export(blocks)
    size = sum(len(content) for content in files.values())
    begun = time.perf_counter()
    found = translate(files, feed="bench", zone="Europe/Berlin", days=(date(2026, 11, 25), date(2026, 11, 26)))
    took = time.perf_counter() - begun
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    assert not found.quarantined, found.quarantined[:3]
    print(f"{size / 1e6:.1f} MB, {blocks} block templates, {blocks * TRIPS} trips")
    print(f"{len(found.blocks)} blocks on two days in {took:.2f} s; peak {peak:.0f} MiB")


def export(blocks: int) -> dict[str, bytes]:
    """An export of so many block templates over six day types."""
    places = list(range(1000, 1000 + STOPS))
    links = [*pairwise(places), *pairwise(places[::-1])]
    ways = {"H": places, "R": places[::-1]}
    per_day = blocks // DAY_TYPES + 1
    keys = [(index // per_day + 1, 1000 + index % per_day) for index in range(blocks)]
    trips: list[tuple[object, ...]] = [
        (1, number, 14_400 + 3_600 * trip, 5, "H" if trip % 2 == 0 else "R", day_type, 1, block, 3)
        for number, (day_type, block, trip) in enumerate(
            ((day_type, block, trip) for day_type, block in keys for trip in range(TRIPS)), 1
        )
    ]
    tables: dict[str, tuple[str, list[tuple[object, ...]]]] = {
        "FIRMENKALENDER": ("BASIS_VERSION BETRIEBSTAG TAGESART_NR", [(1, 20261125, 1), (1, 20261126, 2)]),
        "REC_LID": ("BASIS_VERSION LI_NR STR_LI_VAR BEREICH_NR LI_KUERZEL", [(1, 5, way, 7, "M5") for way in ways]),
        "LID_VERLAUF": (
            "BASIS_VERSION LI_NR STR_LI_VAR LI_LFD_NR ONR_TYP_NR ORT_NR",
            [(1, 5, way, position, 1, stop) for way, stops in ways.items() for position, stop in enumerate(stops)],
        ),
        "REC_SEL": (
            "BASIS_VERSION BEREICH_NR ONR_TYP_NR ORT_NR SEL_ZIEL SEL_ZIEL_TYP SEL_LAENGE",
            [(1, 7, 1, begin, end, 1, 450) for begin, end in links],
        ),
        "SEL_FZT_FELD": (
            "BASIS_VERSION BEREICH_NR FGR_NR ONR_TYP_NR ORT_NR SEL_ZIEL SEL_ZIEL_TYP SEL_FZT",
            [(1, 7, 3, 1, begin, end, 1, 90) for begin, end in links],
        ),
        "REC_FRT": (
            "BASIS_VERSION FRT_FID FRT_START LI_NR STR_LI_VAR TAGESART_NR FAHRTART_NR UM_UID FGR_NR",
            trips,
        ),
        "REC_UMLAUF": (
            "BASIS_VERSION TAGESART_NR UM_UID ANF_ORT ANF_ONR_TYP END_ORT END_ONR_TYP FZG_TYP_NR",
            [(1, day_type, block, 900, 2, 900, 2, 12) for day_type, block in keys],
        ),
    }
    return {f"{name.lower()}.x10": _text(name, columns, rows) for name, (columns, rows) in tables.items()}


def _text(name: str, columns: str, rows: list[tuple[object, ...]]) -> bytes:
    lines = [
        "mod; DD.MM.YYYY; HH:MM:SS; free",
        'chs; "ISO8859-1"',
        f"tbl; {name}",
        "atr; " + "; ".join(columns.split()),
    ]
    lines += [
        "rec; " + "; ".join(f'"{value}"' if isinstance(value, str) else str(value) for value in row) for row in rows
    ]
    return "\r\n".join([*lines, f"end; {len(rows)}", "eof; 1", ""]).encode("latin-1")


if __name__ == "__main__":
    main()
