"""Rows of meters and of the sources of limits."""

from __future__ import annotations

from collections.abc import Mapping

from core.messages import Message
from core.messages.grid import MeterSampled, SourceContacted, SourceStateChanged
from gateway.readmodels.rows import Rows, rank, stamp
from gateway.readmodels.takes.shared import Take, head, key, plain, words


def _meter(rows: Rows, message: Message, body: MeterSampled) -> None:
    meter = message.at.meter or ""
    doc = {**plain(body), **head(message), "meter": meter, "node": message.at.node, "time": stamp(message.time)}
    place = key(message.site, f"meter:{meter}", stamp(message.time))
    rows.put("samples", place, doc, rank=rank(message.time), begins=message.time, ends=message.time)
    site = rows.get("sites", message.site)
    if site is None or body.import_kw is None:
        return
    name = "measured" if body.measures == "import" and message.at.node in (None, site.get("node")) else "building"
    if body.measures == "import" and name == "building":
        return
    if (site.get(f"{name}_at") or "") < (stamp(message.time) or ""):
        site |= {f"{name}_kw": body.import_kw, f"{name}_at": stamp(message.time), f"{name}_by": message.id}
        rows.put("sites", message.site, site)


def _contacted(rows: Rows, message: Message, body: SourceContacted) -> None:
    place = key(message.site, body.source)
    known = rows.get("sources", place) or {"source": body.source, "state": "fallback"}
    doc = known | head(message) | {"contacted": stamp(message.time), "fresh_until": stamp(message.fresh_until)}
    rows.put("sources", place, doc)


def _source(rows: Rows, message: Message, body: SourceStateChanged) -> None:
    place = key(message.site, body.source)
    known = rows.get("sources", place) or {}
    doc = known | head(message) | {"source": body.source, "state": body.state, "since": stamp(message.time)}
    if body.reason:
        doc |= words(rows, message, body.reason, {"source": body.source, "since": message.time})
    rows.put("sources", place, doc)


TAKES: Mapping[str, Take] = {
    "meter.sampled": _meter,
    "source.contacted": _contacted,
    "source.state_changed": _source,
}
