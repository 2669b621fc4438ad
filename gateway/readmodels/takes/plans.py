"""Rows of what was decided about power: envelopes, plans, what each vehicle was given."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from core.messages import Message
from core.messages.base import Body
from core.messages.envelope import EnvelopeComputed
from gateway.readmodels.rows import Rows, rank, stamp
from gateway.readmodels.takes.shared import Take, head, key, plain, words


def _enveloped(rows: Rows, message: Message, body: EnvelopeComputed) -> None:
    """What was computed replaces everything from its moment on; what has passed stays as it held."""
    now = message.time
    for place, known in list(rows.where("envelope", site=message.site, ends_after=now)):
        begins = datetime.fromisoformat(known["from"])
        if begins >= now:
            rows.drop("envelope", place)
        else:
            doc = known | {"to": stamp(now)}
            rows.put("envelope", place, doc, rank=rank(begins), begins=begins, ends=now)
    for segment in body.segments:
        begins = max(segment.begins, now)
        if segment.ends <= begins:
            continue
        doc = {
            **head(message),
            "node": segment.node,
            "from": stamp(begins),
            "to": stamp(segment.ends),
            "import_kw": segment.import_kw,
            "binding_source": segment.binding_source,
            "runner_up": segment.runner_up,
            "fallback": segment.fallback,
            "revision": body.revision,
        }
        place = key(message.site, segment.node, stamp(begins))
        rows.put("envelope", place, doc, rank=rank(begins), begins=begins, ends=segment.ends)


def _planned(rows: Rows, message: Message, body: Body) -> None:
    doc = {**plain(body), **head(message), "kind": "plan", "time": stamp(message.time)}
    for outcome in doc["outcomes"]:
        if outcome["reason"]:
            told = words(rows, message, outcome["reason"], outcome)
            outcome |= {"what": told["reason"], "next": told["next"]}
    rows.put("allocations", message.id, doc, rank=rank(message.time, newest_first=True), begins=message.time)


def _allocated(rows: Rows, message: Message, body: Body) -> None:
    at = message.at
    doc = {**plain(body), **head(message), "kind": "assigned", "time": stamp(message.time)}
    doc |= {"station": at.station, "evse": at.evse, "work": at.work, "session": at.session, "departure": stamp(at.ends)}
    if doc.get("reason"):
        told = words(rows, message, doc["reason"], {"vehicle": doc["vehicle"], "needed_kwh": doc["needed_kwh"]})
        doc |= {"code": told["code"], "reason": told["reason"], "next": told["next"]}
    rows.put("allocations", message.id, doc, rank=rank(message.time, newest_first=True), begins=message.time)


TAKES: Mapping[str, Take] = {
    "envelope.computed": _enveloped,
    "allocation.planned": _planned,
    "allocation.assigned": _allocated,
}
