"""The document of a night: what the simulators measured beside what the journal says, and whether every promise was kept."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

from core.messages import BODIES, Message, dump
from core.messages.allocation import AllocationPlanned
from core.messages.base import digest
from core.messages.commercial import RecordPriced
from core.messages.envelope import EnvelopeComputed
from core.messages.incident import IncidentOpened, IncidentResolved
from core.messages.readiness import ReadinessAssessed
from core.messages.reasons import sentence
from core.messages.requirement import TOLERANCE, RequirementComputed
from core.messages.site import SiteConfig
from gateway.causes import Walk
from simulators.clairvoyant import foresee
from simulators.night import NightResult, Stay
from simulators.scenario import Scenario

FOLLOWED = "BUS-142"
NEEDED = ("schedule.received", "constraint.stated", "allocation.assigned", "command.confirmed", "evidence.received")
"""What the lineage of a readiness outcome must lead to."""


def document(
    scenario: Scenario,
    config: SiteConfig,
    result: NightResult,
    told: Sequence[Message],
    acknowledged: Collection[str],
) -> dict[str, Any]:
    """The keys of `surface.md`; `ok` and `broken` say which promise was broken."""
    by_id = {message.id: message for message in told}
    about = [m for m in told if isinstance(m.body, ReadinessAssessed | RequirementComputed)]
    vehicles = [_vehicle(scenario, stay, about) for stay in result.stays]
    impossible = _impossible(scenario)
    lineage = {v["vehicle"]: _lineage(v["vehicle"], about, by_id) for v in vehicles}
    broken = list(_broken(result, vehicles, impossible, lineage, by_id, set(acknowledged) - set(by_id)))
    return {
        "ok": not broken,
        "broken": broken,
        "site": scenario.site,
        "window": {"from": _stamp(result.begin), "to": _stamp(result.end)},
        "vehicles": vehicles,
        "limits": _limits(config, told),
        "peak": {
            "import_kw": round(result.verdict.peak_kw, 3),
            "limit_kw": result.verdict.peak_limit_kw,
            "at": _stamp(result.verdict.peak_at),
        },
        "overshoot": {"max_kw": round(result.verdict.overshoot_kw, 3), "seconds": result.verdict.overshoot_s}
        | ({"at": _stamp(result.verdict.overshoot_at)} if result.verdict.overshoot_at else {}),
        "notice": f"a limit given with less notice than {scenario.guard_s} s counts from notice + {scenario.guard_s} s",
        "commands": _commands(told),
        "incidents": _incidents(told),
        "records": [_record(m.body) for m in told if isinstance(m.body, RecordPriced)],
        "lineage": {FOLLOWED: lineage.get(FOLLOWED, [])},
        "journal": _journal(told),
        "impossible": impossible,
        "rule": config.policies.rule,
        "seed": scenario.seed,
        "facts_digest": facts_digest(told),
    }


def facts_digest(told: Iterable[Message]) -> str:
    """SHA-256 over what happened: facts sorted by (time, key), without ids, causes and whatever is local to a run."""
    facts = sorted(_fact(m) for m in told if not m.type.startswith("evidence."))
    return digest(facts)


_NAMES = frozenset({"wish", "plan", "call", "since", "import_id", "began", "inputs", "digest", "incident"})
"""Fields that hold ids of other messages, or digests of them."""


def _fact(message: Message) -> list[Any]:
    local = BODIES[message.type].LOCAL
    data = dump(message)
    body = {name: value for name, value in data["body"].items() if name not in local | _NAMES}
    key = [part for part in message.key if part != message.id]
    at = data.get("at", {})
    return [data["time"], message.type, digest(at), digest(body), len(key)]


def _vehicle(scenario: Scenario, stay: Stay, told: Sequence[Message]) -> dict[str, Any]:
    """What the hub says about the departure beside what the bus really left with."""
    said = [m.body for m in told if isinstance(m.body, ReadinessAssessed) and m.body.vehicle == stay.bus]
    own = [b for b in said if b.departs == stay.departure]
    needs = [m.body for m in told if isinstance(m.body, RequirementComputed) and m.body.vehicle == stay.bus]
    needs = [b for b in needs if b.departs == stay.departure]
    last = own[-1] if own else None
    goal = needs[-1].soc_goal if needs else stay.soc_goal
    first = next((b.plug_kwh for b in needs if b.plug_kwh is not None), None)
    reason = (
        next((sentence(r.code, r.params, zone=scenario.zone) for r in last.reasons), "") if last else "no assessment"
    )
    return {
        "vehicle": stay.bus,
        "departure": _stamp(stay.departure),
        "readiness": last.state if last else "unknown",
        "final": bool(last and last.final),
        "reason": reason,
        "soc_at_departure": round(stay.soc_at_departure, 4),
        "soc_required": round(goal - TOLERANCE, 4),
        "energy_required_kwh": None if first is None else round(first, 3),
        "energy_delivered_kwh": round(stay.delivered_kwh, 3),
    }


def _impossible(scenario: Scenario) -> list[dict[str, Any]]:
    """Who cannot be served by anybody, with the cut: what is needed, and all that can pass."""
    outlook = foresee(scenario, spare=False)
    if outlook.cut is None:
        return []
    limits = [
        {"at": p.place, "from": _stamp(p.begins), "to": _stamp(p.ends), "kwh": round(p.kwh, 3)}
        for p in outlook.cut.passing
    ]
    passed = sum(p.kwh for p in outlook.cut.passing)
    cut = {
        "vehicles": list(outlook.cut.buses),
        "needed_kwh": round(outlook.cut.needed_kwh, 3),
        "passed_kwh": round(passed, 3),
        "limits": limits,
    }
    told = f"{outlook.cut.needed_kwh:.1f} kWh are needed, {passed:.1f} kWh can pass {' and '.join(p.place for p in outlook.cut.passing)}"
    return [
        {
            "vehicle": bus,
            "reason": f"a plan that knows the whole night leaves it {kwh:.1f} kWh short: {told}",
            "missing_kwh": round(kwh, 3),
            "cut": cut,
        }
        for bus, kwh in sorted(outlook.short_kwh.items())
    ]


def _broken(
    result: NightResult,
    vehicles: Sequence[Mapping[str, Any]],
    impossible: Sequence[Mapping[str, Any]],
    lineage: Mapping[str, Sequence[str]],
    by_id: Mapping[str, Message],
    lost: Collection[str],
) -> Iterable[str]:
    if result.verdict.overshoot_kw > 0:
        yield f"{result.verdict.overshoot_kw:.1f} kW above the limit for {result.verdict.overshoot_s} s from {result.verdict.overshoot_at}"
    if lost:
        yield f"{len(lost)} acknowledged facts are not in the journal"
    excused = {row["vehicle"] for row in impossible}
    for v in vehicles:
        if v["vehicle"] in excused:
            continue
        if v["readiness"] != "met" or v["soc_at_departure"] < v["soc_required"]:
            yield f"{v['vehicle']} is {v['readiness']} with {v['soc_at_departure']:.1%} of {v['soc_required']:.1%}"
        found = {by_id[i].type for i in lineage[v["vehicle"]]}
        missing = [kind for kind in NEEDED if kind not in found]
        if missing:
            yield f"the lineage of {v['vehicle']} does not lead to {', '.join(missing)}"
    yield from result.problems


def _lineage(vehicle: str, told: Sequence[Message], by_id: Mapping[str, Message]) -> list[str]:
    """Ids from the readiness outcome to the raw frames: one chain per kind of fact, in the order in which they are met."""
    finals = [m for m in told if isinstance(m.body, ReadinessAssessed) and m.body.vehicle == vehicle and m.body.final]
    walk = Walk([m.id for m in finals[-1:]])
    while level := walk.level():
        for id in level:
            if id in by_id:
                walk.follow(by_id[id])
    return list(walk.found.values())


def _limits(config: SiteConfig, told: Sequence[Message]) -> list[dict[str, Any]]:
    """The root's limit as the hub knew it at each moment."""
    root = next(node.id for node in config.nodes if node.parent is None)
    rows: list[dict[str, Any]] = []
    envelopes = [m for m in told if isinstance(m.body, EnvelopeComputed)]
    for message, until in zip(envelopes, [m.time for m in envelopes[1:]] + [None], strict=True):
        assert isinstance(message.body, EnvelopeComputed)
        for s in message.body.segments:
            begins, ends = max(s.begins, message.time), s.ends if until is None else min(s.ends, until)
            if s.node == root and begins < ends:
                _add(rows, begins, ends, s.import_kw, s.binding_source)
    return rows


def _add(rows: list[dict[str, Any]], begins: datetime, ends: datetime, kw: float, source: str) -> None:
    if rows and (rows[-1]["import_kw"], rows[-1]["binding_source"], rows[-1]["to"]) == (kw, source, _stamp(begins)):
        rows[-1]["to"] = _stamp(ends)
    else:
        rows.append({"from": _stamp(begins), "to": _stamp(ends), "import_kw": kw, "binding_source": source})


def _commands(told: Sequence[Message]) -> dict[str, int]:
    count = Counter(m.type for m in told)
    wishes = Counter(m.at.station for m in told if m.type == "command.sent")
    return {
        "sent": count["command.sent"],
        "confirmed": count["command.confirmed"],
        "rejected": count["command.rejected"],
        "per_station_max": max(wishes.values(), default=0),
    }


def _incidents(told: Sequence[Message]) -> list[dict[str, Any]]:
    ended = {m.body.incident: m.time for m in told if isinstance(m.body, IncidentResolved)}
    return [
        {
            "kind": m.body.kind,
            "subject": m.body.subject,
            "opened": _stamp(m.time),
            "resolved": _stamp(ended[m.body.incident]) if m.body.incident in ended else None,
        }
        for m in told
        if isinstance(m.body, IncidentOpened)
    ]


def _record(body: RecordPriced) -> dict[str, Any]:
    return {
        "session": body.session,
        "vehicle": body.vehicle,
        "energy_kwh": float(body.energy_kwh),
        "cost": str(body.cost),
        "currency": body.currency,
    }


def _journal(told: Sequence[Message]) -> dict[str, int]:
    evidence = sum(m.type.startswith("evidence.") for m in told)
    plans = sum(isinstance(m.body, AllocationPlanned) for m in told)
    return {"messages": len(told), "evidence": evidence, "events": len(told) - evidence, "plans": plans}


def _stamp(moment: datetime) -> str:
    return moment.isoformat().replace("+00:00", "Z")
