"""Whether each departure will leave charged: assessed up to the departure, decided at it, with reason and evidence."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any

from immutables import Map

from core.messages import Message, Physical
from core.messages.incident import IncidentOpened, IncidentUpdated
from core.messages.readiness import ReadinessAssessed, Reason, State, assessed
from core.messages.reasons import REASONS, ranked, slots
from core.messages.requirement import TOLERANCE, RequirementComputed, RequirementWithdrawn
from core.messages.scribe import Scribe
from core.messages.site import SiteConfig
from core.readiness.offers import Bay, Offer
from core.readiness.offers import fold as offered
from core.readiness.outlook import Outlook, Subject, leaves_before, look, profile, requirement_of
from core.readiness.outlook import moments as changes

HYSTERESIS = timedelta(minutes=2)
"""A departure leaves `at_risk` or `missed` for `on_track` only after so long above its threshold."""
UNSEEN = timedelta(minutes=15)
"""A departure that is not observed so long after its time stays open and says so."""
GIVEN_UP = timedelta(hours=12)
"""A departure that nobody saw for so long gets its outcome where the vehicle stands."""
KEPT = timedelta(days=2)
"""Departures are remembered so long."""
LEAVES_EARLY = timedelta(hours=1)
"""An unplugging earlier than this before the departure is a move in the yard, not the departure."""
QUIET_SLACK_S = 600
QUIET_SOC = 0.01

Key = tuple[str, str]


@dataclass(frozen=True, slots=True)
class ReadinessState:
    """The last assessment of every departure, by (vehicle, departure as ISO text), and what the assessments rest on."""

    last: Map[Key, Message] = field(default_factory=Map)
    needs: Map[Key, Message] = field(default_factory=Map)
    """The requirement of every departure that has no outcome yet, also when its time is over."""
    offers: Map[Bay, Offer] = field(default_factory=Map)


def fold(state: ReadinessState, message: Message) -> ReadinessState:
    """Keep the newest assessment; an outcome never changes again; work that was taken back is forgotten."""
    body = message.body
    if isinstance(body, RequirementComputed):
        return _needed(state, message, (body.vehicle, body.departs.isoformat()))
    if isinstance(body, RequirementWithdrawn):
        over = body.reason == "departure_over"
        return state if over else _withdrawn(state, (body.vehicle, body.departs.isoformat()))
    if isinstance(body, ReadinessAssessed):
        return _assessment(state, message, body)
    offers = offered(state.offers, message)
    return state if offers is state.offers else replace(state, offers=offers)


def waiting(state: ReadinessState) -> list[Message]:
    """The requirement of every departure without an outcome, in order; some of them are over."""
    return [message for _, message in sorted(state.needs.items())]


def _needed(state: ReadinessState, message: Message, key: Key) -> ReadinessState:
    known, before = state.last.get(key), state.needs.get(key)
    if (known is not None and assessed(known).final) or (before is not None and message.time < before.time):
        return state
    return replace(state, needs=state.needs.set(key, message))


def _withdrawn(state: ReadinessState, key: Key) -> ReadinessState:
    known = state.last.get(key)
    needs = _without(state.needs, [key])
    if known is None or assessed(known).final:
        return state if needs is state.needs else replace(state, needs=needs)
    return replace(state, last=state.last.delete(key), needs=needs)


def _assessment(state: ReadinessState, message: Message, body: ReadinessAssessed) -> ReadinessState:
    key = (body.vehicle, body.departs.isoformat())
    known = state.last.get(key)
    if known is not None and (assessed(known).final or message.time < known.time):
        return state
    old = [k for k, m in state.last.items() if assessed(m).departs < message.time - KEPT]
    needs = _without(state.needs, [*old, key] if body.final else old)
    return replace(state, last=_without(state.last.set(key, message), old), needs=needs)


def _without(known: Map[Key, Message], keys: Iterable[Key]) -> Map[Key, Message]:
    for key in keys:
        known = known.delete(key) if key in known else known
    return known


def decide(
    state: ReadinessState, subjects: Iterable[Subject], config: SiteConfig, now: datetime, scribe: Scribe
) -> None:
    """Write `readiness.assessed` for every departure whose state, primary reason, goal or figures moved."""
    for subject in subjects:
        last = state.last.get(_key(subject))
        if last is not None and assessed(last).final:
            continue
        body = assess(subject, config, now, last)
        if last is None or _moved(assessed(last), body):
            scribe.write(body, at=_at(subject), causes=_causes(subject))


def next_deadline(
    state: ReadinessState, subjects: Iterable[Subject], config: SiteConfig, now: datetime
) -> datetime | None:
    """The first moment after `now` at which `decide` could write with unchanged inputs."""
    moments: list[datetime] = []
    for subject in subjects:
        last = state.last.get(_key(subject))
        if last is not None and assessed(last).final:
            continue
        departs = requirement_of(subject).departs
        moments += [
            departs,
            departs + UNSEEN,
            departs + GIVEN_UP,
            *changes(subject, profile(subject, config), config.policies),
        ]
        if last is not None and (since := _recovering(assessed(last))):
            moments.append(since + HYSTERESIS)
    return min((m for m in moments if m > now), default=None)


def assess(subject: Subject, config: SiteConfig, now: datetime, last: Message | None = None) -> ReadinessAssessed:
    """The assessment of one departure at `now`; `last` is the folded one (for the hysteresis and a passed departure)."""
    vehicle, left = profile(subject, config), _left(subject, now)
    if left is not None:
        outlook = look(subject, vehicle, config.policies, subject.soc_at or now)
        return _outcome(subject, outlook, left, last, timedelta(seconds=config.policies.soc_stale_s))
    outlook = look(subject, vehicle, config.policies, now)
    state, codes = _judge(subject, outlook, now)
    if _missed_its_time(subject, last):
        state = "missed"
    if now >= requirement_of(subject).departs + GIVEN_UP:
        return _given_up(subject, outlook, state, codes)
    state, codes, since = _steadied(state, codes, last, now)
    return _assessed(subject, outlook, state, codes, {"since": since} if since else {})


def _judge(subject: Subject, outlook: Outlook, now: datetime) -> tuple[State, tuple[str, ...]]:
    """State and reasons by the table of states, strictest evidence first."""
    need = requirement_of(subject)
    if need.soc_needed > need.soc_goal:
        return "missed", ("block_exceeds_battery",)
    if leaves_before(subject, now):
        return "unknown", ("earlier_departure",)
    if not outlook.known:
        return "unknown", ranked(("soc_stale" if subject.soc is not None else "soc_unknown", *outlook.unplugged))
    risks = _risks(subject, outlook, now)
    if outlook.too_late or (now >= need.departs and outlook.soc < need.soc_needed):
        return "missed", ranked(risks) or ("time_too_short",)
    if outlook.reached and outlook.fresh and need.shortfall_kwh == 0:
        return "met", ("late_arrival",) if now >= need.departs + UNSEEN else ()
    if risks:
        return "at_risk", ranked(risks)
    if subject.assignment is None:
        return "unknown", ranked(("no_allocation", *outlook.unplugged))
    return "on_track", ()


def _risks(subject: Subject, outlook: Outlook, now: datetime) -> list[str]:
    """Every reason for which this departure is at risk now."""
    need = requirement_of(subject)
    risks = [body.kind for body in map(_incident, subject.incidents) if body and _touches(body.kind)]
    risks += ["block_exceeds_battery"] * (need.shortfall_kwh > 0)
    risks += ["soc_stale"] * (not outlook.fresh)
    risks += ["late_arrival"] * (now >= need.departs + UNSEEN)
    if not outlook.reached:
        risks += outlook.unplugged if outlook.must_plug else ()
        risks += ["charging_not_started"] * outlook.not_started
        risks += _plan_risks(subject, outlook)
    return risks


def _plan_risks(subject: Subject, outlook: Outlook) -> list[str]:
    """Why the plan in force does not reach the goal with enough slack; empty where it does or there is none."""
    if subject.assignment is None or (outlook.slack is not None and outlook.slack >= outlook.threshold):
        return []
    stated = getattr(subject.assignment.body, "reason", "")
    if stated or outlook.weak:
        return [*outlook.weak, *filter(None, (stated,))]
    return ["envelope_limited" if outlook.slower_than_full else "window_too_short"]


def _steadied(
    state: State, codes: tuple[str, ...], last: Message | None, now: datetime
) -> tuple[State, tuple[str, ...], datetime | None]:
    """Hold a recovery back until it has lasted; everything else passes at once."""
    if state != "on_track" or last is None or assessed(last).state not in ("at_risk", "missed"):
        return state, codes, None
    since = _recovering(assessed(last))
    if since is not None and now >= since + HYSTERESIS:
        return state, codes, None
    return "at_risk", ("recovering",), since or now


def _left(subject: Subject, now: datetime) -> datetime | None:
    """When the vehicle left for this departure: unplugged around its time and not plugged since; None: not observed."""
    departs = requirement_of(subject).departs
    gone = subject.unplugged_at
    if now < departs or gone is None or gone < departs - LEAVES_EARLY:
        return None
    return None if subject.plug is not None and subject.plug.plugged else max(gone, departs)


def _outcome(
    subject: Subject, outlook: Outlook, left: datetime, last: Message | None, stale: timedelta
) -> ReadinessAssessed:
    """Met, departed short or missed by the charge at unplugging; unknown where nobody can say."""
    need = requirement_of(subject)
    before = None if last is None else assessed(last)
    trusted = (before is not None and before.state == "met") or _fresh(subject, stale)
    state: State = _by_charge(outlook.soc, need) if outlook.known and trusted else "unknown"
    if _missed_its_time(subject, last):
        state = "missed"
    codes = _outcome_codes(state, subject, before)
    late = left - need.departs
    codes += ("departed_late",) * (late >= UNSEEN)
    extra = {"left": subject.unplugged_at, "late_s": late.total_seconds()}
    return _assessed(subject, outlook, state, codes, extra, final=True)


def _missed_its_time(subject: Subject, last: Message | None) -> bool:
    """Whether it was missed when its time had come: what is charged later does not change that."""
    departs = requirement_of(subject).departs
    return last is not None and assessed(last).state == "missed" and last.time >= departs


def _given_up(subject: Subject, outlook: Outlook, state: State, codes: tuple[str, ...]) -> ReadinessAssessed:
    """The outcome of a departure that nobody saw: charged in time is met, everything else is missed or unknown."""
    if state != "met":
        state = "missed" if outlook.known else "unknown"
    return _assessed(subject, outlook, state, ranked((*codes, "late_arrival")), {}, final=True)


def _fresh(subject: Subject, stale: timedelta) -> bool:
    """The last reading was fresh when the vehicle was unplugged, or when its charging ended before that."""
    gone, read = subject.unplugged_at, subject.soc_at
    return gone is not None and read is not None and min(gone, subject.idle_from or gone) - read < stale


def _by_charge(soc: float, need: RequirementComputed) -> State:
    if soc >= need.soc_goal - TOLERANCE:
        return "met"
    return "departed_short" if soc >= need.soc_needed else "missed"


def _outcome_codes(state: State, subject: Subject, before: ReadinessAssessed | None) -> tuple[str, ...]:
    """The cause as last known first, then the outcome in numbers."""
    if state == "met":
        return ()
    if state == "unknown":
        return ("soc_stale" if subject.soc is not None else "soc_unknown",)
    known = () if before is None else tuple(r.code for r in before.reasons if r.code != "recovering")
    return (*known, "departed_short" if state == "departed_short" else "departed_missed")


def _assessed(
    subject: Subject,
    outlook: Outlook,
    state: State,
    codes: Iterable[str],
    extra: Mapping[str, Any],
    final: bool = False,
) -> ReadinessAssessed:
    need = requirement_of(subject)
    reached = outlook.soc if final else outlook.expected
    missing = max(0.0, (need.soc_goal - reached) * need.capacity_kwh) if outlook.known else 0.0
    short = 0.0 if state == "met" else max(missing, need.shortfall_kwh)
    params = {**outlook.params, "before": subject.before, "short_kwh": short if outlook.known else None, **extra}
    return ReadinessAssessed(
        vehicle=need.vehicle,
        departs=need.departs,
        state=state,
        final=final,
        reasons=tuple(_reason(code, subject, params) for code in codes),
        soc=subject.soc,
        soc_goal=need.soc_goal,
        soc_expected=None if final or not outlook.known else min(1.0, outlook.expected),
        ready_at=outlook.ready_at,
        slack_s=None if final or outlook.slack is None else round(outlook.slack.total_seconds()),
        short_kwh=short,
    )


def _reason(code: str, subject: Subject, params: Mapping[str, Any]) -> Reason:
    """A code with exactly the numbers that its sentence uses; an incident that explains it brings its own."""
    own = next((b.params for b in map(_incident, subject.incidents) if b and b.kind == code and _touches(code)), {})
    known = {**params, **{name: params.get(told) for name, told in _OWN.get(code, {}).items()}, **own}
    return Reason(
        code=code, params={k: _plain(known[k]) for k in sorted(slots(code)) if known.get(k) not in (None, "")}
    )


_OWN: Mapping[str, Mapping[str, str]] = {
    "charger_offline": {"since": "silent_since"},
    "charger_fault": {"since": ""},
    "envelope_limited": {"limit_kw": "cut_kw"},
    "circuit_limited": {"limit_kw": "cut_kw"},
    "connector_limited": {"limit_kw": "full_kw"},
    "window_too_short": {"limit_kw": "full_kw"},
    "vehicle_limited": {"limit_kw": "takes_kw"},
}
"""Names that mean something else in each sentence: the same word, another number."""


def _plain(value: Any) -> Any:
    if isinstance(value, datetime):
        return value.isoformat()
    return round(value, 4) if isinstance(value, float) else value


def _moved(old: ReadinessAssessed, new: ReadinessAssessed) -> bool:
    """Whether an assessment says something new; small drifts of the projection are not."""

    def primary(body: ReadinessAssessed) -> str:
        return body.reasons[0].code if body.reasons else ""

    if (old.state, old.final, old.soc_goal, primary(old)) != (new.state, new.final, new.soc_goal, primary(new)):
        return True
    return _far(old.soc_expected, new.soc_expected, QUIET_SOC) or _far(old.slack_s, new.slack_s, QUIET_SLACK_S)


def _far(old: float | None, new: float | None, step: float) -> bool:
    if old is None or new is None:
        return (old is None) != (new is None)
    return abs(old - new) >= step


def _recovering(body: ReadinessAssessed) -> datetime | None:
    """Since when the departure is on plan again; None where it is not recovering."""
    first = body.reasons[0] if body.reasons else None
    if first is None or first.code != "recovering":
        return None
    return datetime.fromisoformat(first.params["since"])


def _touches(kind: str) -> bool:
    return kind in REASONS and REASONS[kind].touches


def _incident(message: Message) -> IncidentOpened | IncidentUpdated | None:
    return message.body if isinstance(message.body, IncidentOpened | IncidentUpdated) else None


def _key(subject: Subject) -> Key:
    need = requirement_of(subject)
    return need.vehicle, need.departs.isoformat()


def _at(subject: Subject) -> Physical:
    need, plug = requirement_of(subject), subject.plug
    return Physical(
        vehicle=need.vehicle,
        work=need.works[0] if need.works else None,
        station=plug.station if plug else None,
        evse=plug.evse if plug else None,
        session=plug.session if plug else None,
        ends=need.departs,
    )


def _causes(subject: Subject) -> list[str]:
    """The latest fact of each input."""
    plug = subject.plug
    return [
        subject.requirement.id,
        subject.assignment.id if subject.assignment else "",
        subject.confirmation or "",
        subject.soc_by,
        subject.unplugged_by,
        *((plug.began, plug.power_by) if plug else ()),
        *(incident.id for incident in subject.incidents),
    ]
