"""The catalogue of what pages say around the reasons: states, sentences, figures, all through the one formatter."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

from core.messages import words
from core.messages.readiness import State
from gateway.pages.steps import Excess, excesses, limit_at
from gateway.pages.views import Departure, Limit, NightView, NowView, VehicleView
from gateway.terms import needed as needed
from gateway.terms import share as share

STATES: dict[State, str] = {
    "met": "met",
    "on_track": "on track",
    "at_risk": "at risk",
    "missed": "missed",
    "departed_short": "departed short",
    "unknown": "unknown",
}
"""The word beside each shape."""
FRESH, DAY = timedelta(minutes=5), timedelta(days=1)
"""So old a meter's reading stands for now; a limit that ends later than in a day is not one of this night's steps."""
DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")


def day(of: date) -> str:
    """`Thu 26 Nov`."""
    return f"{DAYS[of.weekday()]} {of.day} {MONTHS[of.month - 1]}"


def night_of(of: date) -> str:
    """`Wed 25 to Thu 26 Nov`, by the day that its evening lies in."""
    after = of + timedelta(days=1)
    head = day(of) if of.month != after.month else day(of).rsplit(" ", 1)[0]
    return f"{head} to {day(after)}"


def local(moment: datetime, zone: str) -> datetime:
    """The moment in the site's zone."""
    return moment.astimezone(ZoneInfo(zone))


def clock(moment: datetime, zone: str) -> str:
    """`06:20`, with its zone in the hour that a clock change repeats; never with its day, which stands beside it."""
    return words.moment(moment, zone)


def query_moment(moment: datetime) -> str:
    """A moment as a query carries it: UTC, whole seconds."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def plural(count: int, one: str, many: str = "") -> str:
    """`1 bus`, `2 buses`."""
    return f"{count:,}{words.NBSP}{one if count == 1 else many or one + 's'}"


def departures_sentence(departures: Sequence[Departure]) -> str:
    """Like `14 of 16 departures are fine. 2 need a person`."""
    total, fine = len(departures), sum(d.fine for d in departures)
    if not total:
        return "No departures tonight."
    if fine == total:
        return "The only departure is fine." if total == 1 else f"All {total} departures are fine."
    rest = total - fine
    verb = "is" if fine == 1 else "are"
    needs = "needs" if rest == 1 else "need"
    return f"{fine} of {plural(total, 'departure')} {verb} fine. {rest} {needs} a person."


def limit_words(limit: Limit, zone: str, *, kw: bool = True) -> str:
    """`260 kW grid operator, by OSCP`; a fallback is named with its last sign of life."""
    head = f"{words.amount(limit.kw, 'kW')} " if kw else ""
    if not limit.fallback:
        return f"{head}{limit.source}{f', by {limit.by}' if limit.by else ''}"
    since = f", no signal since {clock(limit.heard, zone)}" if limit.heard else f" of {limit.source}"
    return f"{head}fallback{since}"


def excess_words(excess: Excess) -> str:
    """`14 kW over, 20 s`."""
    return f"{words.amount(excess.over_kw, 'kW', up=True)} over, {words.span(excess.span)}"


def import_now(view: NowView | NightView) -> float | None:
    """The import that may be shown as of now: an old reading says nothing of it."""
    return view.import_kw if view.import_at is not None and view.now - view.import_at <= FRESH else None


def import_sentence(view: NowView | NightView, limit: Limit) -> str:
    """Like `Import 230 of 260 kW until 04:30, grid operator`; of an old reading its value and time."""
    kw, old = import_now(view), ""
    if kw is None and view.import_kw is not None:
        read = words.moment(view.import_at, view.zone, now=view.now)
        old = f" (last {words.amount(view.import_kw, 'kW')} at {read})"
    near = limit.ends - view.now <= DAY
    until = f" until {words.moment(limit.ends, view.zone, now=view.now)}" if near else ""
    return f"Import {_of(kw, limit)}{old}{until}, {limit_words(limit, view.zone, kw=False)}."


def _of(kw: float | None, limit: Limit) -> str:
    """`230 of 260 kW`."""
    return f"{words.amount(kw, 'kW').removesuffix(f'{words.NBSP}kW')} of {words.amount(limit.kw, 'kW')}"


def night_sentence(view: NightView) -> str:
    """Both promises of the night: the departures, then import against its limit and the highest of the night."""
    return f"{departures_sentence([v.departure for v in view.vehicles])} {night_limit(view)}"


def night_limit(view: NightView) -> str:
    """Import now, highest of the night, and whether the limit was kept."""
    parts = []
    limit = limit_at(view.limits, view.now)
    if limit is not None and view.begins <= view.now < view.ends:
        parts.append(import_sentence(view, limit))
    if view.imported:
        parts.append(_highest(view))
    over = excesses(view.imported, view.limits, view.now)
    if over:
        worst = max(over, key=lambda e: e.over_kw)
        parts.append(f"The limit was exceeded at {clock(worst.begins, view.zone)}: {excess_words(worst)}.")
    elif view.imported and view.limits:
        parts.append("The limit was kept.")
    return " ".join(parts)


def _highest(view: NightView) -> str:
    top = max(view.imported, key=lambda s: s.kw)
    limit = limit_at(view.limits, top.begins)
    had = _of(top.kw, limit) if limit else words.amount(top.kw, "kW")
    return f"Highest tonight {had} at {clock(top.begins, view.zone)}."


def spoken(departure: Departure, zone: str) -> str:
    """`BUS-117, departs 06:50, at risk`: what a reader hears of a row."""
    return f"{departure.vehicle}, departs {clock(departure.departs, zone)}, {STATES[departure.state]}"


def ready_words(departure: Departure, zone: str, now: datetime) -> str:
    """`since 22:40`, a time, `not in time`, or `?`."""
    if departure.state == "unknown":
        return words.UNKNOWN
    if departure.state == "met":
        return f"since {clock(departure.since, zone)}" if departure.since else "ready"
    if departure.ready_at is None:
        return "" if departure.final else ("not in time" if _short(departure) else words.UNKNOWN)
    if departure.ready_at <= now:
        return words.UNKNOWN  # because: it was to be ready by then and is not; the next assessment says when
    if departure.ready_at > departure.departs:
        return "not in time"
    return words.moment(departure.ready_at, zone, now=now)


def _short(departure: Departure) -> bool:
    """Whether what is expected falls short; of a bus that stands charged, but unheard, nobody knows."""
    return not departure.fine and (departure.soc_expected is None or departure.soc_expected < departure.soc_goal)


def now_sentence(view: NowView) -> str:
    """The answer of the first page."""
    return departures_sentence(view.departures)


def vehicle_sentence(view: VehicleView) -> str:
    """Like `BUS-142 leaves at 06:20: on track. 95 % at 05:00, 1 h 15 min to spare`."""
    departure = view.row.departure
    if departure is None:
        return f"{view.row.vehicle} has no departure that is known."
    when = words.moment(departure.departs, view.zone, now=view.now)
    verb = "left" if departure.final or departure.left else "leaves"
    text = f"{departure.vehicle} {verb} at {when}: {STATES[departure.state]}."
    if departure.state == "on_track" and departure.ready_at and departure.ready_at <= departure.departs:
        spare = words.span(departure.departs - departure.ready_at)
        goal = words.percent(departure.soc_goal, up=True)
        text += f" {goal} at {words.moment(departure.ready_at, view.zone, now=view.now)}, {spare} to spare."
    return text


def short_ids(ids: Sequence[str]) -> dict[str, str]:
    """What tells ids apart: `BUS-117`, `BUS-142` become `117`, `142`; the part up to the last common mark falls away."""
    if len(ids) < 2:
        return {i: i for i in ids}
    shared = min(ids), max(ids)
    common = 0
    while common < min(map(len, shared)) and shared[0][common] == shared[1][common]:
        common += 1
    while common and (shared[0][common - 1].isalnum()):
        common -= 1
    return {i: i[common:] or i for i in ids}
