"""One charging session as everybody sees it: its one id stands in what operations, energy, incidents and commerce say."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta

from core.messages import words
from gateway import terms
from gateway.pages.from_rows import moment, sure
from gateway.pages.load import Loader
from gateway.pages.nights import DAY
from gateway.pages.samples import held
from gateway.pages.steps import excesses
from gateway.pages.views import Limit, SessionView, Statement, Step
from gateway.pages.words import STATES, excess_words, limit_words, plural, share
from gateway.readmodels.rows import Doc

LEAST = timedelta(minutes=1)
"""A limit that held for less is no line of its own."""


async def session_view(loader: Loader, site: str, session: str, now: datetime) -> SessionView:
    """Everything that names this session, in the order in which it is decided.

    Raises:
        UnknownName: there is no such session at this site.
    """
    row = await loader.site(site)
    doc = await loader.one("session", site, session)
    begins, ends = sure(doc["started"]), moment(doc["ended"]) or now
    limits = await loader.limits(row, begins - DAY, ends)
    read = await loader.rows.readings.meter(site, begins - DAY, ends + DAY, "import", row["node"])
    imported, _ = held(read, ends)
    counts = await loader.rows.counted(site, doc["station"], session, begins, ends)
    statements = (
        *_charging(doc, row["zone"], now),
        *_readiness(await _departure(loader, site, doc, now), counts.get("readiness.assessed", 0), row["zone"]),
        *_planned(await loader.rows.of_site("allocations", site, session=session)),
        *_limits(limits, imported, begins, ends, row["zone"]),
        *[_incident(d, row["zone"]) for d in await loader.rows.of_site("incidents", site, session=session)],
        *[_record(d) for d in await loader.rows.of_site("records", site, session=session)],
        *_evidence(counts, doc),
    )
    return SessionView(
        site=site,
        zone=row["zone"],
        now=now,
        session=session,
        station=doc["station"],
        vehicle=doc["vehicle"] or "",
        begins=begins,
        ends=moment(doc["ended"]),
        energy_kwh=doc["energy_kwh"],
        soc_start=doc["soc_start"],
        soc=doc["soc"],
        statements=statements,
    )


def _charging(doc: Doc, zone: str, now: datetime) -> Iterator[Statement]:
    state = doc.get("charging_state")
    ended = moment(doc["ended"])
    text = f"Since {words.moment(sure(doc['started']), zone, now=now)} at {doc['station']}"
    text += f", ended at {words.moment(ended, zone, now=now)}" if ended else ""
    text += f", {terms.term(terms.STATES, state)}" if state and not ended else ""
    card = f", with card {doc['token']}" if doc["token"] else ""
    told = f"{text}{card}: {words.amount(doc['energy_kwh'], 'kWh')} by its registers."
    yield Statement("charging", told, sure(doc["started"]), doc["message"])


async def _departure(loader: Loader, site: str, doc: Doc, now: datetime) -> Doc | None:
    """The departure that it charged for: the first of its vehicle after its begin."""
    if not doc["vehicle"]:
        return None
    found = await loader.rows.between(
        "readiness", site, sure(doc["started"]), (moment(doc["ended"]) or now) + DAY, vehicle=doc["vehicle"]
    )
    return min(found, key=lambda d: str(d["departs"]), default=None)


def _readiness(doc: Doc | None, count: int, zone: str) -> Iterator[Statement]:
    if doc is None:
        return
    verb = "left at" if doc["final"] else "leaves at"
    head = f"{doc['vehicle']} {verb} {words.moment(sure(doc['departs']), zone)}: {STATES[doc['state']]}"
    text = f"{head}, {share(doc['soc'], doc['soc_goal'])}; {plural(count, 'assessment')} rest on it."
    yield Statement("readiness", text, sure(doc["assessed"]), doc["message"])


def _planned(docs: Sequence[Doc]) -> Iterator[Statement]:
    assigned = [d for d in docs if d["kind"] == "assigned"]
    if not assigned:
        return
    newest = assigned[0]
    most = words.amount(max((s["kw"] for s in newest["steps"]), default=0.0), "kW")
    text = f"{plural(len(assigned), 'assignment')}; the last gives {words.amount(newest['planned_kwh'], 'kWh')}"
    told = f"{text}, at most {most}: {terms.term(terms.OUTCOMES, newest['outcome'])}."
    yield Statement("plan", told, sure(newest["time"]), newest["message"])


def _limits(
    limits: Sequence[Limit], imported: Sequence[Step], begins: datetime, ends: datetime, zone: str
) -> Iterator[Statement]:
    """What the site was held to while it ran, the highest import then, and whether the limit was kept."""
    held = [limit for limit in limits if limit.meets(begins, ends)]
    for limit in held:
        first, last = max(limit.begins, begins), min(limit.ends, ends)
        if last - first < LEAST and limit is not held[-1]:
            continue
        inside = [s for s in imported if s.meets(first, last)]
        span = f"From {words.moment(first, zone)} to {words.moment(last, zone)} {limit_words(limit, zone)}"
        if not inside:
            yield Statement("limits", f"{span}; import was not measured.", limit.begins, limit.why)
            continue
        top = max(inside, key=lambda s: s.kw)
        over = excesses(inside, [limit], last)
        kept = f"exceeded: {excess_words(max(over, key=lambda e: e.over_kw))}" if over else "kept"
        had = f"the highest import was {words.amount(top.kw, 'kW')} at {words.moment(max(top.begins, first), zone)}"
        yield Statement("limits", f"{span}; {had}: {kept}.", limit.begins, limit.why)


def _incident(doc: Doc, zone: str) -> Statement:
    over = f" Resolved at {words.moment(moment(doc['resolved']), zone)}." if doc["resolved"] else " It is open."
    return Statement(
        "incidents", doc["reason"] + over, sure(doc["opened"]), doc["message"], f"incidents/{doc['incident']}"
    )


def _record(doc: Doc) -> Statement:
    energy = words.amount(doc["energy_kwh"], "kWh")
    text = f"{energy} for {doc['cost_exact']}{words.NBSP}{doc['currency']} by the tariff {doc['tariff']}"
    text += f", for {doc['cost_centre']}" if doc["cost_centre"] else ""
    status = "" if doc["status"] == "complete" else f" {doc['reason']}"
    return Statement("record", f"{text}.{status}", sure(doc["to"]), doc["message"])


def _evidence(counts: dict[str, int], doc: Doc) -> Iterator[Statement]:
    samples, frames = counts.get("session.metered", 0), counts.get("evidence", 0)
    told = f"{plural(samples, 'meter sample')} of it, and {plural(frames, 'frame')} of {doc['station']} meanwhile."
    yield Statement(
        "evidence",
        told,
        moment(doc.get("sampled")),
        doc.get("sampled_by") or doc["message"],
        f"stations/{doc['station']}",
    )
