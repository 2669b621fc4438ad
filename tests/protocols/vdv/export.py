"""A small VDV 452 export with the golden blocks, written file by file."""

from collections.abc import Iterable, Mapping

HEAD = (
    'mod; DD.MM.YYYY; HH:MM:SS; free\r\nsrc; "TEST"; "25.11.2026"; "12:00:00"\r\nchs; "{charset}"\r\nver; "1.4"\r\n\r\n'
)

Rows = Iterable[tuple[object, ...]]
Table = tuple[str, Rows]

LINKS = [
    ((2, 900), (1, 101), 5200, 900),
    ((1, 101), (1, 102), 4450, 420),
    ((1, 102), (1, 103), 4460, 480),
    ((1, 103), (1, 102), 4460, 480),
    ((1, 102), (1, 101), 4450, 420),
    ((1, 101), (2, 900), 5300, 840),
]
ROUTES = {
    "AUS": (1, 3, [(2, 900), (1, 101)]),
    "HIN": (5, 1, [(1, 101), (1, 102), (1, 103)]),
    "RUECK": (5, 1, [(1, 103), (1, 102), (1, 101)]),
    "EIN": (2, 2, [(1, 101), (2, 900)]),
}
TRIPS = [
    (1, 1000, 22800, 1, "AUS", 1, 2, 4201),
    (1, 1001, 24000, 5, "HIN", 1, 1, 4201),
    (1, 1002, 25200, 5, "RUECK", 1, 1, 4201),
    (1, 1003, 26160, 2, "EIN", 1, 2, 4201),
    (1, 1100, 87300, 1, "AUS", 6, 2, 4299),
    (1, 1101, 88500, 5, "HIN", 6, 1, 4299),
    (1, 1102, 89700, 5, "RUECK", 6, 1, 4299),
    (1, 1103, 90630, 2, "EIN", 6, 2, 4299),
]


def tables() -> dict[str, Table]:
    """All tables of the export: columns and records; tests change what they need."""
    return {
        "BASIS_VER_GUELTIGKEIT": ("VER_GUELTIGKEIT BASIS_VERSION", [(20260101, 1)]),
        "FIRMENKALENDER": (
            "BASIS_VERSION BETRIEBSTAG BETRIEBSTAG_TEXT TAGESART_NR",
            [(1, 20261125, '"Mi"', 1), (1, 20261024, '"Sa"', 6)],
        ),
        "REC_LID": (
            "BASIS_VERSION LI_NR STR_LI_VAR ROUTEN_NR LI_RI_NR BEREICH_NR LI_KUERZEL ROUTEN_ART",
            [(1, line, f'"{name}"', 1, 1, 7, f'"M{line}"', kind) for name, (line, kind, _) in ROUTES.items()],
        ),
        "LID_VERLAUF": (
            "BASIS_VERSION LI_NR STR_LI_VAR LI_LFD_NR ONR_TYP_NR ORT_NR",
            [
                (1, line, f'"{name}"', 10 * number, *place)
                for name, (line, _, stops) in ROUTES.items()
                for number, place in enumerate(stops)
            ],
        ),
        "REC_SEL": (
            "BASIS_VERSION BEREICH_NR ONR_TYP_NR ORT_NR SEL_ZIEL SEL_ZIEL_TYP SEL_LAENGE",
            [(1, 7, *begin, finish[1], finish[0], metres) for begin, finish, metres, _ in LINKS],
        ),
        "SEL_FZT_FELD": (
            "BASIS_VERSION BEREICH_NR FGR_NR ONR_TYP_NR ORT_NR SEL_ZIEL_TYP SEL_ZIEL SEL_FZT",
            [(1, 7, 3, *begin, *finish, seconds) for begin, finish, _, seconds in LINKS],
        ),
        "ORT_HZTF": ("BASIS_VERSION FGR_NR ONR_TYP_NR ORT_NR HP_HZT", [(1, 3, 1, 102, 30), (1, 3, 1, 101, 99)]),
        "REC_FRT_HZT": ("BASIS_VERSION FRT_FID ONR_TYP_NR ORT_NR FRT_HZT_ZEIT", [(1, 1002, 1, 102, 60)]),
        "REC_FRT": (
            "BASIS_VERSION FRT_FID FRT_START LI_NR STR_LI_VAR TAGESART_NR FAHRTART_NR UM_UID FGR_NR",
            [(v, fid, start, li, f'"{var}"', t, art, um, 3) for v, fid, start, li, var, t, art, um in TRIPS],
        ),
        "REC_UMLAUF": (
            "BASIS_VERSION TAGESART_NR UM_UID ANF_ORT ANF_ONR_TYP END_ORT END_ONR_TYP FZG_TYP_NR",
            [(1, 1, 4201, 900, 2, 900, 2, 12), (1, 6, 4299, 900, 2, 900, 2, 12)],
        ),
    }


def text(name: str, table: Table, charset: str = "ISO8859-1", end: int | None = None, eof: bool = True) -> str:
    """One `.x10` file."""
    columns, rows = table[0].split(), list(table[1])
    lines = [f"tbl; {name}", "atr; " + "; ".join(columns), "frm; " + "; ".join("num[9.0]" for _ in columns)]
    lines += ["rec; " + "; ".join("NULL" if value is None else str(value) for value in row) for row in rows]
    lines.append(f"end; {len(rows) if end is None else end}")
    if eof:
        lines.append("eof; 1")
    return HEAD.format(charset=charset) + "\r\n".join(lines) + "\r\n"


def files(changed: Mapping[str, Table] | None = None) -> dict[str, bytes]:
    """The export as files by name, with some tables replaced."""
    found = {**tables(), **(changed or {})}
    return {f"{name.lower()}.x10": text(name, table).encode("cp1252") for name, table in found.items()}


def without(name: str, *identities: int, column: int = 1) -> dict[str, Table]:
    """One table without the records whose value in a column is one of these."""
    columns, rows = tables()[name]
    return {name: (columns, [row for row in rows if row[column] not in identities])}


def replaced(name: str, old: str, new: str) -> dict[str, bytes]:
    """The export with one text replaced in one file; the text must be there."""
    found = files()
    before = found[f"{name.lower()}.x10"]
    assert old.encode() in before
    found[f"{name.lower()}.x10"] = before.replace(old.encode(), new.encode(), 1)
    return found
