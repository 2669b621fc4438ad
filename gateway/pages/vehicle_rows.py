"""From rows of the read models to one vehicle's page: what was asked, what is planned, what its need is made of."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from itertools import pairwise
from typing import Any

from core.messages import words
from gateway.pages.from_rows import moment, sure
from gateway.pages.samples import of_plan
from gateway.pages.views import Charge, Row, SessionRow, Step, VehicleRow
from gateway.readmodels.rows import Doc

CHANGES = 20
UNITS = {"deg C": "°C"}
SHARES = ("soc", "soh", "eta", "margin", "reserve")
"""Inputs without a unit whose names begin so are fractions."""


def asked_steps(plans: Sequence[Doc], begins: datetime, ends: datetime) -> tuple[Step, ...]:
    """What was asked for over the night: each plan until the next one."""
    out: list[Step] = []
    for index, plan in enumerate(plans):
        following = sure(plans[index + 1]["time"]) if index + 1 < len(plans) else ends
        points = [(sure(s["at"]), float(s["kw"])) for s in plan["steps"]]
        out += of_plan(points, max(begins, sure(plan["time"])), min(ends, following))
    return tuple(out)


def planned_charge(row: VehicleRow, plans: Sequence[Doc], now: datetime, ends: datetime) -> tuple[Charge, ...]:
    """From now to the departure by the plan's energy; its end is what the plan says."""
    departure, plan = row.departure, plans[-1] if plans else None
    if departure is None or plan is None or row.soc is None or departure.final:
        return ()
    last = plan.get("soc_at_deadline")
    steps = of_plan([(sure(s["at"]), float(s["kw"])) for s in plan["steps"]], now, min(ends, departure.departs))
    total = sum(s.kw * (s.ends - s.begins).total_seconds() for s in steps)
    if last is None or not total:
        return ()
    points, given = [Charge(now, row.soc)], 0.0
    for step in steps:
        given += step.kw * (step.ends - step.begins).total_seconds()
        points.append(Charge(step.ends, min(1.0, row.soc + (last - row.soc) * given / total)))
    return tuple(points)


def inputs(need: Doc | None) -> tuple[Row, ...]:
    """What a requirement was computed from, its results first."""
    if need is None:
        return ()
    rows = [
        Row("goal", words.percent(need["soc_goal"], up=True), "requirement", why=need["message"]),
        Row("consumption", words.amount(need["consumption_kwh"], "kWh", up=True), "requirement"),
        Row("reserve", words.amount(need["reserve_kwh"], "kWh", up=True), "requirement"),
    ]
    return (*rows, *(_input(item) for item in need["inputs"] if item.get("value") is not None))


def _input(item: Mapping[str, Any]) -> Row:
    """An input in words: its unit stands at its value, not at its name."""
    unit = UNITS.get(item.get("unit") or "", item.get("unit") or "")
    name = str(item["name"]).replace("_", " ")
    for suffix in (" kwh", " km", " c"):
        name = name.removesuffix(suffix) if unit and " per " not in name else name
    return Row(name, _value(name, item["value"], unit), item.get("source") or "", moment(item.get("measured")))


def _value(name: str, value: Any, unit: str) -> str:
    if isinstance(value, int | float) and not unit and name.split()[0] in SHARES:
        return words.percent(float(value))
    shown = f"{value:,.3g}" if isinstance(value, float) and abs(value) < 1000 else str(value)
    return f"{shown}{words.NBSP}{unit}" if unit else shown


def to_go(need: Doc | None, soc: float | None) -> float | None:
    """KWh at the plug from the freshest charge to the goal, by the requirement's own losses; None where one is unknown."""
    if need is None or soc is None:
        return None
    losses = need["plug_kwh"] / need["battery_kwh"] if need["battery_kwh"] and need["plug_kwh"] else 1.0
    return float(max(0.0, need["soc_goal"] - soc) * need["capacity_kwh"] * losses)


def changes(plans: Sequence[Doc], zone: str, now: datetime) -> tuple[Row, ...]:
    """Each decision that moved the power asked for, newest first."""
    out = []
    for before, plan in pairwise([None, *plans]):
        assert plan is not None
        at = sure(plan["time"])
        had, has = (None if p is None else level(p, at) for p in (before, plan))
        if had == has and before is not None:
            continue
        name = words.amount(has, "kW") if had is None else f"{words.amount(had, 'kW')} → {words.amount(has, 'kW')}"
        ready = moment(plan["ready_at"])
        told = plan.get("reason") or (f"ready at {words.moment(ready, zone, now=now)}" if ready else plan["outcome"])
        out.append(Row(name, str(told), f"{words.amount(plan['planned_kwh'], 'kWh')} planned", at, plan["message"]))
    return tuple(reversed(out[-CHANGES:]))


def level(plan: Doc, at: datetime) -> float | None:
    """The step of a plan or wish that holds at a moment, kW; None before the first."""
    return next((float(s["kw"]) for s in reversed(plan["steps"]) if sure(s["at"]) <= at), None)


def session_row(doc: Doc, record: Doc | None) -> SessionRow:
    """A session, with its cost once it is priced."""
    cost = f"{record['cost_exact']} {record['currency']}" if record else ""
    return SessionRow(
        doc["session"], doc["station"], sure(doc["started"]), moment(doc["ended"]), doc["energy_kwh"], cost
    )
