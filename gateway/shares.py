"""States of charge as people type them, as fractions 0..1."""

from __future__ import annotations

from protocols.table import LEAST_PERCENT


def percent(text: str) -> float:
    """What a dashboard shows, in percent: `43`, `43 %`, `43,5`.

    Raises:
        ValueError: it is none; a fraction (`0.43`) is none either, since a typing error would look like it.
    """
    bare = text.strip().removesuffix("%").strip().replace(",", ".")
    try:
        number = float(bare)
    except ValueError:
        number = -1.0
    if not (number == 0 or 1 <= number <= 100):
        raise ValueError("that is no percentage; write it as 43 or 43%")
    return number / 100


def share(text: str) -> float:
    """A goal as a table of departures states it: 0.9, 90 or 90%; 1 is all.

    Raises:
        ValueError: it is none, or may be a mistyped fraction as well as percent.
    """
    try:
        number = float(text.replace(",", "."))
    except ValueError:
        number = -1.0
    if 1 < number < LEAST_PERCENT:
        raise ValueError(f"a fraction goes up to 1; write percent as {text}%")
    return number if 0 <= number <= 1 else percent(text)
