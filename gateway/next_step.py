"""An error's own next step, where its text carries one: it wins over a general one, and is said once."""

from __future__ import annotations

MARK = "; next: "


def parted(text: str, general: str = "") -> tuple[str, str]:
    """What is wrong, and what to do about it: by the text itself, else `general`."""
    what, _, own = text.partition(MARK)
    return what, own or general
