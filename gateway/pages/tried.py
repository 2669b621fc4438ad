"""What was tried about an incident: acts and answers since it opened, counted by kind, from the index of messages."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta

from core.messages import words
from gateway.pages.rows import Noted, PageRows
from gateway.readmodels.rows import Doc

BEFORE = timedelta(minutes=1)
"""The very thing that showed the trouble counts, too."""
STATION: Mapping[str, str] = {
    "command.sent": "A limit was sent to it",
    "command.confirmed": "It confirmed a limit",
    "command.rejected": "It refused a limit",
    "command.unanswered": "It did not answer",
    "command.mismatched": "It did something else than it was asked",
    "station.connected": "It connected",
    "station.disconnected": "It lost its connection",
    "station.limited": "A person limited it",
    "vehicle.placed": "A person said which bus stands there",
}
SOURCE: Mapping[str, str] = {
    "source.contacted": "It gave a sign of life",
    "constraint.stated": "It stated limits",
}
SITE: Mapping[str, str] = {"allocation.planned": "The plan was made anew"}


async def tried(rows: PageRows, doc: Doc, now: datetime, zone: str) -> tuple[str, ...]:
    """One sentence for each kind of act, in the order of the tables above."""
    begins = min(datetime.fromisoformat(m) for m in (doc["opened"], doc["params"].get("since")) if m) - BEFORE
    ends = (datetime.fromisoformat(doc["resolved"]) if doc["resolved"] else now) + timedelta(seconds=1)
    out: list[str] = []
    if doc["station"]:
        out += _told(
            STATION, await rows.moments(doc["site"], list(STATION), begins, ends, station=doc["station"]), zone
        )
    elif not doc["vehicle"]:
        out += _told(SOURCE, await rows.moments(doc["site"], list(SOURCE), begins, ends, party=doc["subject"]), zone)
    return (*out, *_told(SITE, await rows.moments(doc["site"], list(SITE), begins, ends), zone))


def _told(says: Mapping[str, str], noted: Sequence[Noted], zone: str) -> list[str]:
    out = []
    for type, text in says.items():
        own = [n.time for n in noted if n.type == type]
        if own:
            last = words.moment(max(own), zone)
            out.append(f"{text} at {last}." if len(own) == 1 else f"{text} {len(own)} times, the last at {last}.")
    return out
