"""The adapters of this environment, found by name through the entry-point group `busbar.adapters`."""

from __future__ import annotations

import difflib
from importlib.metadata import EntryPoint, entry_points
from typing import Any, cast

from protocols.adapter import Adapter

GROUP = "busbar.adapters"


class AdapterMissing(LookupError):
    """No adapter by that name can be used; `what` says why, `next` what to do."""

    def __init__(self, what: str, next: str) -> None:
        self.what, self.next = what, next
        super().__init__(f"{what}; next: {next}")


def available() -> dict[str, EntryPoint]:
    """Every adapter that some installed distribution offers, by name."""
    return {point.name: point for point in entry_points(group=GROUP)}


def find(name: str) -> type[Adapter]:
    """The adapter's class.

    Raises:
        AdapterMissing: nobody offers it, or its module cannot be imported.
    """
    points = available()
    if name not in points:
        near = difflib.get_close_matches(name, points, n=1)
        hint = f"did you mean `{near[0]}`?" if near else f"installed are: {', '.join(sorted(points)) or 'none'}"
        raise AdapterMissing(f"no installed package offers an adapter `{name}`", hint)
    try:
        return cast(type[Adapter], points[name].load())
    except Exception as error:
        what = f"adapter `{name}` ({points[name].value}) cannot be loaded: {type(error).__name__}: {error}"
        raise AdapterMissing(what, "install its package again, or take its table out") from error


def build(name: str, settings: Any) -> Adapter:
    """The adapter, built from its own validated settings; nothing is opened yet.

    Raises:
        AdapterMissing: as `find`.
    """
    made: Any = find(name)
    return cast(Adapter, made(settings))
