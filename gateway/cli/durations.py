"""Durations as people type them."""

from __future__ import annotations

import re

from gateway.cli.errors import CliError


def seconds(text: str) -> int:
    """A duration: `90s`, `30m`, `2h`, `1h30m`; a bare number is minutes.

    Raises:
        CliError: it is none, or 0.
    """
    found = re.fullmatch(r"(?:(\d+)h)?(?:(\d+)m?)?(?:(\d+)s)?", text.strip().lower())
    total = sum(int(n or 0) * unit for n, unit in zip(found.groups(), (3600, 60, 1), strict=True)) if found else 0
    if total <= 0:
        raise CliError(f"`{text}` is no duration", "a duration", "write it as 90s, 30m, 2h or 1h30m")
    return total
