"""Imports as an adapter states them, for the tests of work."""

from datetime import date

from core.messages.base import compose, identify
from core.messages.scribe import Scribe
from core.messages.work import AssignmentStated, ScheduleReceived, WorkStated
from core.work import WorkState, decide, fold
from tests.core.requirements.fleet import CONFIG, NOW

DAY = date(2026, 11, 25)


def stated(
    import_id, blocks=(), orders=(), *, upload="1", at=NOW, feed="vdv", covers=(DAY, DAY), format="vdv452", **more
):
    """All messages of one import, `schedule.received` last."""
    bodies = [WorkStated(import_id=import_id, block=block) for block in blocks]
    bodies += [AssignmentStated(import_id=import_id, operating_day=day, block=b, vehicle=v) for day, b, v in orders]
    covers_from, covers_until = covers or (None, None)
    bodies.append(
        ScheduleReceived(
            import_id=import_id,
            feed=feed,
            format=format,
            content=import_id,
            covers_from=covers_from,
            covers_until=covers_until,
            **more,
        )
    )
    return [
        compose(
            body, id=identify(import_id, upload, i), time=at, source=feed, site="depot", causes=[f"evidence-{upload}"]
        )
        for i, body in enumerate(bodies)
    ]


def take(state, messages=(), *, now=NOW, config=CONFIG, seen=1):
    """Fold the messages, decide, fold what was written; a second decision must write nothing."""
    for message in messages:
        state = fold(state, message)
    scribe = Scribe("depot", seen, now)
    decide(state, config, now, scribe)
    for message in scribe.messages:
        state = fold(state, message)
    again = Scribe("depot", seen + 1, now)
    decide(state, config, now, again)
    assert again.messages == []
    return state, scribe.messages


def types(messages):
    """The types of messages, in order."""
    return [message.type for message in messages]


EMPTY = WorkState()
