"""Rows of priced records."""

from __future__ import annotations

from collections.abc import Mapping

from core.messages import Message
from core.messages.commercial import RecordPriced
from gateway.readmodels.rows import Rows, rank, stamp
from gateway.readmodels.takes import sessions
from gateway.readmodels.takes.shared import Take, head, key, plain, words


def _record(rows: Rows, message: Message, body: RecordPriced) -> None:
    doc = {**plain(body), **head(message), "station": message.at.station, "evse": message.at.evse}
    doc |= {"energy_kwh": float(body.energy_kwh), "cost": float(body.cost), "from": stamp(body.begins)}
    doc |= {"to": stamp(body.ends), "cost_exact": str(body.cost)}
    session = rows.get("sessions", body.session)
    if session is not None and body.vehicle is not None and session["vehicle"] != body.vehicle:
        sessions.put(rows, session | {"vehicle": body.vehicle})
    if body.status == "incomplete":
        session = session or {}
        whole = session.get("meter_start_wh") is not None and session.get("meter_end_wh") is not None
        code = "register_fell" if whole and not session.get("adopted") else "register_missing"
        doc |= words(rows, message, code, {"session": body.session, "edge": "start or end"})
    place = key(body.session, body.tariff)
    rows.put("records", place, doc, rank=rank(body.ends, newest_first=True), begins=body.begins, ends=body.ends)


TAKES: Mapping[str, Take] = {"record.priced": _record}
