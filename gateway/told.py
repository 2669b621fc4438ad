"""Every message in one plain sentence, for lineage and traces."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from core.messages import Message, words
from core.messages.reasons import REASONS, sentence
from gateway.readmodels.redact import frame, shortened

SHOWN = 160


def sentence_of(message: Message, zone: str = "UTC") -> str:
    """What it says, with its numbers; of a type without words of its own its name and place."""
    say = _SAYS.get(message.type)
    if say is not None:
        return say(message, message.body, zone)
    place = " ".join(v for v in (message.at.vehicle, message.at.station, message.at.work) if v)
    return f"{message.type.replace('.', ' ').replace('_', ' ')} {place}".strip()


def _cut(text: str) -> str:
    plain = " ".join(text.split())
    return plain if len(plain) <= SHOWN else plain[: SHOWN - 1] + "…"


def _evidence(message: Message, body: Any, zone: str) -> str:
    way = "received from" if message.type == "evidence.received" else "sent to"
    what = body.subject or "frame"
    shown = _cut(frame(body.frame)) if body.encoding == "text" else f"{len(body.frame) * 3 // 4} bytes"
    return f"{body.protocol} {what} {way} {body.peer}: {shown}"


def _quarantined(message: Message, body: Any, zone: str) -> str:
    return f"Set aside from {body.protocol} {body.peer}: {body.detail}"


def _reason(code: str, params: Mapping[str, Any], zone: str) -> str:
    return sentence(code, params, zone=zone) if code in REASONS else code


def _readiness(message: Message, body: Any, zone: str) -> str:
    head = f"{body.vehicle} at {words.moment(body.departs, zone)}: {body.state.replace('_', ' ')}"
    charge = f", {words.percent(body.soc)} of {words.percent(body.soc_goal, up=True)}"
    first = body.reasons[0] if body.reasons else None
    why = f". {_reason(first.code, {'vehicle': body.vehicle} | first.params, zone)}" if first else ""
    return f"{head}{charge}{why}"


def _requirement(message: Message, body: Any, zone: str) -> str:
    need = words.amount(body.plug_kwh, "kWh", up=True)
    goal = words.percent(body.soc_goal, up=True)
    return f"{body.vehicle} needs {need} by {words.moment(body.deadline, zone)} to leave with {goal}"


def _envelope(message: Message, body: Any, zone: str) -> str:
    """The grid connection, which stands first, at its tightest."""
    own = [s for s in body.segments if s.node == body.segments[0].node]
    least = min(own, key=lambda s: s.import_kw, default=None)
    if least is None:
        return "Envelope without segments"
    begins, ends = words.moment(least.begins, zone), words.moment(least.ends, zone)
    limit = words.amount(least.import_kw, "kW")
    return f"Limits: {least.node} at most {limit} from {begins} to {ends}, by {least.binding_source}"


def _constraint(message: Message, body: Any, zone: str) -> str:
    stated = [s.kw for s in body.segments if s.kw is not None]
    lowest = words.amount(min(stated, default=None), "kW")
    return f"{body.source} states {body.role} of {body.direction}: {len(body.segments)} steps, lowest {lowest}"


def _plan(message: Message, body: Any, zone: str) -> str:
    given, needed = words.amount(body.planned_kwh, "kWh"), words.amount(body.needed_kwh, "kWh", up=True)
    return f"Plan by {body.rule} for {', '.join(body.triggers) or 'a trigger'}: {given} of {needed}"


def _assigned(message: Message, body: Any, zone: str) -> str:
    most = words.amount(max((s.kw for s in body.steps), default=0.0), "kW")
    who = body.vehicle or "unknown vehicle"
    return f"{who} at {message.at.station} gets {words.amount(body.planned_kwh, 'kWh')}, at most {most}: {body.outcome}"


def _wished(message: Message, body: Any, zone: str) -> str:
    steps = [s.kw for wish in body.evses for s in wish.steps]
    most = words.amount(max(steps, default=0.0), "kW")
    return (
        f"{message.at.station} shall draw at most {most} until {words.moment(body.valid_until, zone)} ({body.reason})"
    )


def _step(message: Message, body: Any, zone: str) -> str:
    step = message.type.partition(".")[2]
    why = f": {_reason(body.reason, {'station': message.at.station}, zone)}" if body.reason else ""
    return f"{message.at.station}: {body.purpose} limit {step}{why}"


def _metered(message: Message, body: Any, zone: str) -> str:
    register = None if body.energy_wh is None else body.energy_wh / 1000
    power, charge = words.amount(body.power_kw, "kW"), words.percent(body.soc)
    return f"{message.at.station} measured {power}, register {words.amount(register, 'kWh')}, charge {charge}"


def _session(message: Message, body: Any, zone: str) -> str:
    step = message.type.partition(".")[2]
    token = f" with card {shortened(body.token)}" if getattr(body, "token", None) else ""
    return f"Session {body.transaction} at {message.at.station} {step}{token}"


def _authorised(message: Message, body: Any, zone: str) -> str:
    answer = "accepted" if body.accepted else "refused"
    return f"Card {shortened(body.token)} {answer}: {_reason(body.reason, {'vehicle': message.at.vehicle}, zone)}"


def _identified(message: Message, body: Any, zone: str) -> str:
    return f"{body.vehicle or 'An unknown vehicle'} stands at {message.at.station} (by {body.by})"


def _work(message: Message, body: Any, zone: str) -> str:
    block = body.block
    leaves = words.moment(block.departs, zone)
    verb = "stated" if message.type == "work.stated" else body.change
    return f"Block {block.block} of {block.operating_day} leaves at {leaves} ({verb}, feed {block.feed})"


def _work_assigned(message: Message, body: Any, zone: str) -> str:
    return f"{body.vehicle or 'Nobody'} runs {message.at.work}"


def _stated_assignment(message: Message, body: Any, zone: str) -> str:
    return f"{body.vehicle or 'Nobody'} runs block {body.block} of {body.operating_day}, says the feed"


def _received(message: Message, body: Any, zone: str) -> str:
    return f"{body.stated} rows of feed {body.feed} ({body.format}), {body.quarantined} set aside"


def _imported(message: Message, body: Any, zone: str) -> str:
    counts = f"{body.new} new, {body.changed} changed, {body.unchanged} unchanged, {body.withdrawn} withdrawn"
    return f"Feed {body.feed} taken over: {counts}, {body.refused_count} refused"


def _configured(message: Message, body: Any, zone: str) -> str:
    config = body.config
    return f"Configuration: {len(config.stations)} stations, {len(config.vehicles)} vehicles, digest {body.digest[:12]}"


def _meter(message: Message, body: Any, zone: str) -> str:
    return f"Meter {message.at.meter} measured {words.amount(body.import_kw, 'kW')} ({body.measures})"


def _vehicle(message: Message, body: Any, zone: str) -> str:
    return f"{message.at.vehicle} read {words.percent(body.soc)} ({message.source})"


def _incident(message: Message, body: Any, zone: str) -> str:
    return f"Incident {message.type.partition('.')[2]}: {_reason(body.kind, body.params, zone)}"


def _source(message: Message, body: Any, zone: str) -> str:
    return f"{body.source} is {body.state}"


def _contact(message: Message, body: Any, zone: str) -> str:
    return f"{body.source} gave a sign of life ({body.kind})"


def _connection(message: Message, body: Any, zone: str) -> str:
    return f"{message.at.station} {message.type.partition('.')[2]}"


def _status(message: Message, body: Any, zone: str) -> str:
    state = f", {body.charging_state.replace('_', ' ')}" if body.charging_state else ""
    return f"{message.at.station}/{message.at.evse} is {body.status}{state}"


def _limited(message: Message, body: Any, zone: str) -> str:
    until = words.moment(message.at.ends, zone)
    return f"{body.who} limits {message.at.station} to {words.amount(body.kw, 'kW')} until {until}: {body.why}"


def _placed(message: Message, body: Any, zone: str) -> str:
    return f"{body.who} says {message.at.vehicle} stands at {message.at.station}"


def _priced(message: Message, body: Any, zone: str) -> str:
    cost = words.money(body.cost, body.currency)
    return f"Session {body.session}: {words.amount(float(body.energy_kwh), 'kWh')} for {cost}"


Says = Callable[[Message, Any, str], str]
_SAYS: Mapping[str, Says] = {
    "evidence.received": _evidence,
    "evidence.sent": _evidence,
    "evidence.quarantined": _quarantined,
    "readiness.assessed": _readiness,
    "requirement.computed": _requirement,
    "envelope.computed": _envelope,
    "constraint.stated": _constraint,
    "allocation.planned": _plan,
    "allocation.assigned": _assigned,
    "command.wished": _wished,
    **dict.fromkeys(
        (f"command.{s}" for s in ("sent", "accepted", "rejected", "unanswered", "confirmed", "mismatched")), _step
    ),
    "session.metered": _metered,
    **dict.fromkeys(("session.started", "session.updated", "session.ended"), _session),
    "authorisation.decided": _authorised,
    "vehicle.identified": _identified,
    "work.stated": _work,
    "work.planned": _work,
    "work.assigned": _work_assigned,
    "assignment.stated": _stated_assignment,
    "schedule.received": _received,
    "schedule.imported": _imported,
    "site.configured": _configured,
    "meter.sampled": _meter,
    "vehicle.read": _vehicle,
    **dict.fromkeys((f"incident.{s}" for s in ("opened", "updated", "resolved")), _incident),
    "source.state_changed": _source,
    "source.contacted": _contact,
    **dict.fromkeys((f"station.{s}" for s in ("connected", "disconnected", "booted", "seen")), _connection),
    "connector.status_changed": _status,
    "station.limited": _limited,
    "vehicle.placed": _placed,
    "record.priced": _priced,
}
"""The words of each type."""
