"""What each plug may draw by its station's own confirmations: a plan counts for nothing before the station has it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from immutables import Map

from core.messages import Message
from core.messages.allocation import Step
from core.messages.command import CommandConfirmed, Installed
from core.messages.station import StationBooted

REMEMBERED = timedelta(minutes=10)
"""What was offered so long ago may still explain the power of a reading."""

Bay = tuple[str, int]


@dataclass(frozen=True, slots=True)
class Offer:
    """What was confirmed for one transaction, as one step function: the near past, and what lies ahead."""

    transaction: str | None
    steps: tuple[Step, ...]


def fold(offers: Map[Bay, Offer], message: Message) -> Map[Bay, Offer]:
    """The offers after one more fact. A confirmation holds from its own time on; a start takes a station's away."""
    station, body = message.at.station, message.body
    if station is None:
        return offers
    if isinstance(body, StationBooted):
        for bay in [bay for bay in offers if bay[0] == station]:
            offers = offers.delete(bay)
    elif isinstance(body, CommandConfirmed):
        for installed in body.installed:
            if installed.purpose == "transaction":
                bay = (station, installed.evse)
                offers = offers.set(bay, _confirmed(offers.get(bay), installed, message.time))
    return offers


def offered(steps: tuple[Step, ...], at: datetime) -> tuple[float, datetime | None]:
    """What may flow at this moment, and since when something may without a pause."""
    kw, since = 0.0, None
    for step in steps:
        if step.at > at:
            break
        since = (since or step.at) if step.kw > 0 else None
        kw = step.kw
    return kw, since


def least(steps: tuple[Step, ...], begins: datetime, ends: datetime) -> float:
    """The least that was offered at any moment between the two."""
    inside = [step.kw for step in steps if begins < step.at <= ends]
    return min([offered(steps, begins)[0], *inside])


def _confirmed(before: Offer | None, installed: Installed, at: datetime) -> Offer:
    """The new function from its confirmation on, behind what was offered until then."""
    ahead = [step for step in installed.steps if step.at > at]
    now = next((step.kw for step in reversed(installed.steps) if step.at <= at), 0.0)
    past = before.steps if before is not None and before.transaction == installed.transaction else ()
    steps = [*_recent(past, at), Step(at=at, kw=now), *ahead]
    if installed.until is not None:
        # Then the default shows through: what that lets flow was planned by nobody.
        steps = [step for step in steps if step.at < installed.until] + [Step(at=installed.until, kw=0.0)]
    changes = [step for index, step in enumerate(steps) if not index or step.kw != steps[index - 1].kw]
    return Offer(installed.transaction, tuple(changes))


def _recent(steps: tuple[Step, ...], at: datetime) -> list[Step]:
    """The steps that still tell since when something flows, and what was offered a while ago."""
    past = [step for step in steps if step.at < at]
    since = min(offered(steps, at)[1] or at, at - REMEMBERED)
    first = max((index for index, step in enumerate(past) if step.at <= since), default=0)
    return past[first:]
