"""Every message in one plain sentence, for lineage and traces."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from core.messages import Message, words
from core.messages.reasons import REASONS, sentence
from core.messages.requirement import TOLERANCE
from gateway import terms
from gateway.readmodels.redact import frame, shortened
from gateway.terms import term

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
    way = "from" if message.type == "evidence.received" else "to"
    size = body.size if body.content else len(body.frame) * 3 // 4
    shown = _cut(frame(body.frame)) if body.encoding == "text" and not body.content else f"{size:,} bytes"
    return f"{_subject(body)} {way} {body.peer}, by {terms.protocol(body.protocol)}: {shown}"


def _subject(body: Any) -> str:
    """What a frame is, without the method before an HTTP act's name."""
    return str(body.subject).removeprefix("POST ") or "Frame"


def _quarantined(message: Message, body: Any, zone: str) -> str:
    return f"Set aside from {body.peer}, by {terms.protocol(body.protocol)}: {body.detail}"


def _reason(code: str, params: Mapping[str, Any], zone: str) -> str:
    return sentence(code, params, zone=zone) if code in REASONS else code


def _readiness(message: Message, body: Any, zone: str) -> str:
    verb = "left at" if body.final else "leaves at"
    head = f"{body.vehicle} {verb} {words.moment(body.departs, zone)}: {term({}, body.state)}"
    goal = words.percent(body.soc_goal, up=True)
    charge = f", {terms.share(body.soc, body.soc_goal)}" if body.soc is not None else f", {goal} needed"
    if body.state == "met" and body.soc is not None and body.soc < body.soc_goal:
        charge += f", within the {TOLERANCE:.1%} that measuring allows"
    first = body.reasons[0] if body.reasons else None
    why = f". {_reason(first.code, {'vehicle': body.vehicle} | first.params, zone)}" if first else ""
    return f"{head}{charge}{why}"


def _of(had: str, goal: str) -> str:
    """`64 of 95 %`: the unit once, where both have it."""
    number, _, unit = had.rpartition(words.NBSP)
    return f"{number} of {goal}" if number and goal.endswith(f"{words.NBSP}{unit}") else f"{had} of {goal}"


def _requirement(message: Message, body: Any, zone: str) -> str:
    goal, by = words.percent(body.soc_goal, up=True), words.moment(body.deadline, zone)
    if body.plug_kwh is None:
        return f"{body.vehicle} must have {goal} by {by}; how much energy that is, nobody knows without its charge"
    return f"{body.vehicle} needs {words.amount(body.plug_kwh, 'kWh', up=True)} by {by} to leave with {goal}"


def _envelope(message: Message, body: Any, zone: str) -> str:
    """The grid connection, which stands first, at its tightest."""
    own = [s for s in body.segments if s.node == body.segments[0].node]
    least = min(own, key=lambda s: s.import_kw, default=None)
    if least is None:
        return "The site's limits: none is known"
    begins = words.moment(least.begins, zone, now=message.time)
    ends = words.moment(least.ends, zone, now=least.begins)
    limit = words.amount(least.import_kw, "kW")
    by = "its rating" if least.binding_source == "rating" else least.binding_source
    return f"The site's limits: {least.node} at most {limit} from {begins} to {ends}, by {by}"


def _constraint(message: Message, body: Any, zone: str) -> str:
    stated = [s.kw for s in body.segments if s.kw is not None]
    lowest = words.amount(min(stated, default=None), "kW")
    steps = "1 step" if len(body.segments) == 1 else f"{len(body.segments)} steps, the lowest is"
    return f"{body.source} states a {body.role} of {body.direction}: {steps} {lowest}"


def _plan(message: Message, body: Any, zone: str) -> str:
    given = _of(words.amount(body.planned_kwh, "kWh"), words.amount(body.needed_kwh, "kWh", up=True))
    why = words.listed([term(terms.TRIGGERS, t) for t in body.triggers]) if body.triggers else "it was asked for"
    rule = "" if body.rule == "plan" else f" by the rule {body.rule}"
    return f"A plan was made{rule} because {why}: {given}"


def _assigned(message: Message, body: Any, zone: str) -> str:
    most = words.amount(max((s.kw for s in body.steps), default=0.0), "kW")
    who = body.vehicle or "An unknown vehicle"
    enough = term(terms.OUTCOMES, body.outcome)
    return f"{who} at {message.at.station} gets {words.amount(body.planned_kwh, 'kWh')}, at most {most}: {enough}"


def _wished(message: Message, body: Any, zone: str) -> str:
    steps = [s.kw for wish in body.evses for s in wish.steps]
    most = words.amount(max(steps, default=0.0), "kW")
    why = f" ({term(terms.WISHED_FOR, body.reason)})" if body.reason else ""
    return f"{message.at.station} shall draw at most {most} until {words.moment(body.valid_until, zone, now=message.time)}{why}"


def _step(message: Message, body: Any, zone: str) -> str:
    step = message.type.partition(".")[2]
    bare = step == "accepted" or not body.reason
    why = "" if bare else f": {_reason(body.reason, {'station': message.at.station}, zone)}"
    return f"{message.at.station}: {term(terms.PURPOSES, body.purpose)} {terms.STEPS[step]}{why}"


def _metered(message: Message, body: Any, zone: str) -> str:
    register = None if body.energy_wh is None else body.energy_wh / 1000
    power, charge = words.amount(body.power_kw, "kW"), words.percent(body.soc)
    return f"{message.at.station} measured {power}, register {words.amount(register, 'kWh')}, charge {charge}"


def _session(message: Message, body: Any, zone: str) -> str:
    step = message.type.partition(".")[2]
    token = f" with card {shortened(body.token)}" if getattr(body, "token", None) else ""
    return f"Session {body.transaction} at {message.at.station} {step}{token}"


def _authorised(message: Message, body: Any, zone: str) -> str:
    answer = "was accepted" if body.accepted else "was refused"
    return f"Card {shortened(body.token)} {answer}: {_reason(body.reason, {'vehicle': message.at.vehicle}, zone)}"


def _identified(message: Message, body: Any, zone: str) -> str:
    return f"{body.vehicle or 'An unknown vehicle'} stands at {message.at.station} (by {body.by})"


def _work(message: Message, body: Any, zone: str) -> str:
    block = body.block
    leaves = words.moment(block.departs, zone)
    known = "as its feed states it" if message.type == "work.stated" else f"{body.change} work"
    return f"Block {block.block} of {block.operating_day} leaves at {leaves}: {known}, feed {block.feed}"


def _work_assigned(message: Message, body: Any, zone: str) -> str:
    return f"{body.vehicle or 'Nobody'} runs {_block(message)}"


def _work_withdrawn(message: Message, body: Any, zone: str) -> str:
    return f"{_block(message).capitalize()} is withdrawn"


def _block(message: Message) -> str:
    """`block 1042 of 2026-11-26`, from the work's name."""
    feed, _, rest = (message.at.work or "").partition(":")
    day, _, block = rest.partition(":")
    return f"block {block} of {day}" if block else feed or "a block"


def _not_required(message: Message, body: Any, zone: str) -> str:
    why = f": {_reason(body.reason, {'vehicle': body.vehicle, 'departs': body.departs}, zone)}" if body.reason else ""
    return f"Nothing is needed any more for {body.vehicle} at {words.moment(body.departs, zone)}{why}"


def _gateway(message: Message, body: Any, zone: str) -> str:
    return f"Gateway {body.gateway} started"


def _verified(message: Message, body: Any, zone: str) -> str:
    found = "every record and chain is whole" if body.whole else f"it is damaged: {body.detail}"
    return f"The journal was read as a whole, {body.records:,} records: {found}"


def _peer(message: Message, body: Any, zone: str) -> str:
    return f"{body.adapter.upper()} noted how it stands with {body.peer}"


def _token(message: Message, body: Any, zone: str) -> str:
    whose = f", of {body.vehicle}" if body.vehicle else ""
    return f"Card {shortened(body.token)} is {'valid' if body.valid else 'withdrawn'}{whose}"


def _knocked(message: Message, body: Any, zone: str) -> str:
    asked = {"station": message.at.station, "address": body.address}
    return f"{message.at.station or 'Somebody'} asked to connect: {_reason(body.reason, asked, zone)}"


def _admitted(message: Message, body: Any, zone: str) -> str:
    return f"{body.who or 'Somebody'} let {body.station} in at {body.node or 'no place yet'}"


def _requested(message: Message, body: Any, zone: str) -> str:
    return f"{message.at.station} was asked to {body.act} charging, by {body.who}"


def _stated_assignment(message: Message, body: Any, zone: str) -> str:
    return f"{body.vehicle or 'Nobody'} runs block {body.block} of {body.operating_day}, says the feed"


def _received(message: Message, body: Any, zone: str) -> str:
    rows = "1 row" if body.stated == 1 else f"{body.stated} rows"
    return f"Feed {body.feed} brought {rows}; set aside: {body.quarantined}"


def _imported(message: Message, body: Any, zone: str) -> str:
    counts = f"{body.new} new, {body.changed} changed, {body.unchanged} unchanged, {body.withdrawn} withdrawn"
    over = f", {body.over} over already" if body.over else ""
    return f"Feed {body.feed} taken over: {counts}{over}, {body.refused_count} refused"


def _configured(message: Message, body: Any, zone: str) -> str:
    config = body.config
    return f"The configuration: {len(config.stations)} stations, {len(config.vehicles)} vehicles"


def _meter(message: Message, body: Any, zone: str) -> str:
    what = "import" if body.measures == "import" else "the building"
    return f"Meter {message.at.meter} measured {words.amount(body.import_kw, 'kW')} for {what}"


def _vehicle(message: Message, body: Any, zone: str) -> str:
    return f"{message.at.vehicle} has {words.percent(body.soc)}, says {message.source}"


def _incident(message: Message, body: Any, zone: str) -> str:
    return f"Incident {message.type.partition('.')[2]}: {_reason(body.kind, body.params, zone)}"


def _source(message: Message, body: Any, zone: str) -> str:
    held = "its limits hold" if body.state == "current" else "its fallback holds"
    return f"{body.source} is {'heard' if body.state == 'current' else 'not heard'}: {held}"


def _contact(message: Message, body: Any, zone: str) -> str:
    return f"{body.source} gave a sign of life, a {body.kind}"


def _connection(message: Message, body: Any, zone: str) -> str:
    return f"{message.at.station} {_CONNECTION[message.type.partition('.')[2]]}"


_CONNECTION = {
    "connected": "connected",
    "disconnected": "lost its connection",
    "booted": "started",
    "seen": "gave a sign of life",
}


def _status(message: Message, body: Any, zone: str) -> str:
    state = term(terms.STATES, body.charging_state or body.status)
    connector = f", connector {message.at.evse}," if message.at.evse else ""
    words_of_maker = f": {body.words}" if body.words else ""
    return f"{message.at.station}{connector} is {state}{words_of_maker}"


def _clock(message: Message, body: Any, zone: str) -> str:
    way = "ahead" if body.skew_s > 0 else "behind"
    return f"The clock of {message.at.station} is {words.span(abs(body.skew_s))} {way}"


def _problem(message: Message, body: Any, zone: str) -> str:
    return f"{body.part or 'A part'} of {message.at.station} {'is well again' if body.cleared else 'reports'}: {body.words}"


def _limited(message: Message, body: Any, zone: str) -> str:
    until = words.moment(message.at.ends, zone, now=message.time)
    why = f": {body.why}" if body.why else ""
    return f"{body.who} limits {message.at.station} to {words.amount(body.kw, 'kW')} until {until}{why}"


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
    "work.withdrawn": _work_withdrawn,
    "requirement.withdrawn": _not_required,
    "gateway.started": _gateway,
    "journal.verified": _verified,
    "peer.changed": _peer,
    "token.changed": _token,
    "station.knocked": _knocked,
    "station.admitted": _admitted,
    "command.requested": _requested,
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
    "station.problem_reported": _problem,
    "station.clock_measured": _clock,
    "station.limited": _limited,
    "vehicle.placed": _placed,
    "record.priced": _priced,
}
"""The words of each type."""
