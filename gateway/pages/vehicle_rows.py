"""From rows of the read models to one vehicle's page: what was asked, what is planned, what its need is made of."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from itertools import pairwise
from typing import Any

from core.messages import words
from gateway import terms
from gateway.pages.from_rows import moment, points, sure
from gateway.pages.samples import of_plan
from gateway.pages.views import Charge, Row, SessionRow, Step, VehicleRow
from gateway.readmodels.rows import Doc

CHANGES = 20
UNITS = {"deg C": "°C"}
SHARES = ("soc", "target", "soh", "eta", "margin", "reserve")
"""Inputs without a unit whose names begin so are fractions."""


def asked_steps(plans: Sequence[Doc], begins: datetime, ends: datetime) -> tuple[Step, ...]:
    """What was asked for over the night: each plan until the next one."""
    out: list[Step] = []
    for index, plan in enumerate(plans):
        following = sure(plans[index + 1]["time"]) if index + 1 < len(plans) else ends
        out += of_plan(points(plan), max(begins, sure(plan["time"])), min(ends, following))
    return tuple(out)


def planned_charge(row: VehicleRow, plans: Sequence[Doc], now: datetime, ends: datetime) -> tuple[Charge, ...]:
    """From now to the departure by the plan's energy; its end is what the plan says. Of a bus at no plug nothing is planned."""
    departure, plan = row.departure, plans[-1] if plans else None
    if departure is None or plan is None or row.soc is None or departure.final or not row.bay:
        return ()
    last = plan.get("soc_at_deadline")
    steps = of_plan(points(plan), now, min(ends, departure.departs))
    total = sum(s.kw * (s.ends - s.begins).total_seconds() for s in steps)
    if last is None or not total:
        return ()
    charges, given = [Charge(now, row.soc)], 0.0
    for step in steps:
        given += step.kw * (step.ends - step.begins).total_seconds()
        charges.append(Charge(step.ends, min(1.0, row.soc + (last - row.soc) * given / total)))
    return tuple(charges)


def inputs(need: Doc | None) -> tuple[Row, ...]:
    """What a requirement was computed from, its results first."""
    if need is None:
        return ()
    why = need["message"]
    rows = [
        Row(
            "charge needed",
            words.percent(need["soc_goal"], up=True, tenths=True),
            "computed from all below",
            why=why,
        ),
        Row("energy for its work", words.amount(need["consumption_kwh"], "kWh", up=True), "computed", why=why),
        Row("reserve", words.amount(need["reserve_kwh"], "kWh", up=True), "policy", why=why),
    ]
    return (*rows, *(_input(item, why) for item in need["inputs"] if _counts(item)))


def _counts(item: Mapping[str, Any]) -> bool:
    """What is not stated or adds nothing is left out; the energy for its work stands above."""
    return item.get("value") not in (None, 0.0) and item["name"] != "consumption_kwh"


def _input(item: Mapping[str, Any], why: str) -> Row:
    """An input in words: its unit stands at its value, not at its name."""
    unit = UNITS.get(item.get("unit") or "", item.get("unit") or "")
    value = _value(item["name"], item["value"], unit)
    return Row(terms.term(terms.INPUTS, item["name"]), value, _source(item), moment(item.get("measured")), why)


def _source(item: Mapping[str, Any]) -> str:
    """`block 1042 of 2026-11-26, as the sum of its links`: of a work by its name and how it knows; all else as it is."""
    source = item.get("source") or ""
    name, _, origin = source.removeprefix("work ").partition(": ")
    if source.startswith("person:"):
        return f"by hand, {source.removeprefix('person:')}"
    if source.startswith("policy "):
        return str(source).replace("_", " ")
    if not source.startswith("work "):
        return str(source)
    parts = name.split(":", 2)  # because: the block of a departure by hand has its time in its name
    told = f"block {parts[2]} of {parts[1]}" if len(parts) == len(("feed", "day", "block")) else name
    how, plus, rest = origin.partition(" + ")
    return f"{told}, {terms.term(terms.DISTANCES, how)}{plus}{rest}" if origin else told


def _value(name: str, value: Any, unit: str) -> str:
    if isinstance(value, int | float) and not unit and name.split("_")[0] in SHARES:
        return words.percent(float(value))
    shown = f"{value:,.3g}" if isinstance(value, float) and abs(value) < 1000 else str(value)
    return f"{shown}{words.NBSP}{unit}" if unit else shown


def to_go(need: Doc | None, soc: float | None) -> float | None:
    """KWh at the plug from the freshest charge to the goal, by the requirement's own losses; None where one is unknown."""
    if need is None or soc is None:
        return None
    losses = need["plug_kwh"] / need["battery_kwh"] if need["battery_kwh"] and need["plug_kwh"] else 1.0
    return float(max(0.0, need["soc_goal"] - soc) * need["capacity_kwh"] * losses)


def changes(plans: Sequence[Doc], whole: Mapping[str, Doc], zone: str, now: datetime) -> tuple[Row, ...]:
    """Each decision that moved the power asked for, newest first; `whole` are the plans by id, which say what they were for."""
    out = []
    for before, plan in pairwise([None, *plans]):
        assert plan is not None
        at = sure(plan["time"])
        had, has = (None if p is None else level(p, at) for p in (before, plan))
        if had == has and before is not None:
            continue
        name = words.amount(has, "kW") if had is None else f"{words.amount(had, 'kW')} → {words.amount(has, 'kW')}"
        ready = moment(plan["ready_at"])
        told = f"{words.amount(plan['planned_kwh'], 'kWh')} planned"
        told += f", ready at {words.moment(ready, zone, now=now)}" if ready else ""
        out.append(Row(name, _because(plan, whole.get(plan["plan"])), told, at, plan["message"]))
    return tuple(reversed(out[-CHANGES:]))


def _because(plan: Doc, whole: Doc | None) -> str:
    """The reason that the assignment gives, else what its plan was made for."""
    triggers = [terms.term(terms.TRIGGERS, t) for t in (whole or {}).get("triggers", ())]
    return str(
        (plan.get("reason") or "").rstrip(".")
        or (words.listed(triggers) if triggers else terms.term(terms.OUTCOMES, plan["outcome"]))
    )


def level(plan: Doc, at: datetime) -> float | None:
    """The step of a plan or wish that holds at a moment, kW; None before the first."""
    return next((float(s["kw"]) for s in reversed(plan["steps"]) if sure(s["at"]) <= at), None)


def session_row(doc: Doc, record: Doc | None) -> SessionRow:
    """A session, with its cost once it is priced."""
    cost = ""
    if record:
        complete = record["status"] == "complete"
        cost = words.money(Decimal(record["cost_exact"]), record["currency"]) if complete else "nothing billed"
    return SessionRow(
        doc["session"], doc["station"], sure(doc["started"]), moment(doc["ended"]), doc["energy_kwh"], cost
    )
