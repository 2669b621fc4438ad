"""What a reason is, and the short way to write one down: what it is about, how much it matters, its two texts."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from core.messages.incident import Severity

About = Literal["vehicle", "station", "source", "node", "feed", "frame", "token", "session", "setting"]


@dataclass(frozen=True, slots=True)
class Reason:
    """One code. In its texts `{name}` is a parameter, formatted by its name's unit, and `[...]` falls away without its parameters.

    `{name:up}` rounds up (what is needed), `{name:time}` is a moment in the site's zone. A missing parameter is `?`.
    """

    about: About
    severity: Severity
    sentence: str
    next: str
    touches: bool = False
    """An open incident of this kind puts the departures that it touches at risk."""


@dataclass(frozen=True, slots=True)
class Subject:
    """What reasons are about; its methods are how much they matter: `STATION.high(sentence, next)`."""

    about: About

    def low(self, sentence: str, next: str) -> Reason:
        """Worth knowing; nobody has to act now."""
        return Reason(self.about, "low", sentence, next)

    def medium(self, sentence: str, next: str, *, touches: bool = False) -> Reason:
        """Somebody should act in time."""
        return Reason(self.about, "medium", sentence, next, touches)

    def high(self, sentence: str, next: str, *, touches: bool = False) -> Reason:
        """A departure, a limit or a charger is in question."""
        return Reason(self.about, "high", sentence, next, touches)

    def critical(self, sentence: str, next: str, *, touches: bool = False) -> Reason:
        """Somebody must act now."""
        return Reason(self.about, "critical", sentence, next, touches)


VEHICLE = Subject("vehicle")
STATION = Subject("station")
SOURCE = Subject("source")
NODE = Subject("node")
FEED = Subject("feed")
FRAME = Subject("frame")
TOKEN = Subject("token")
SESSION = Subject("session")
SETTING = Subject("setting")


def merged(*tables: Mapping[str, Reason]) -> Mapping[str, Reason]:
    """All tables as one; a code that stands in two of them is refused."""
    whole: dict[str, Reason] = {}
    for table in tables:
        twice = whole.keys() & table.keys()
        if twice:
            raise ValueError(f"reasons stated twice: {sorted(twice)}; next: keep one of each")
        whole.update(table)
    return whole
