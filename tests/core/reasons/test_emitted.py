"""What the core says has words, and the words have their numbers: every kind of incident, every reason of a departure."""

import ast
from datetime import timedelta
from itertools import product
from pathlib import Path

import pytest

import core
from core.messages import reasons
from core.messages.allocation import AllocationPlanned
from core.messages.command import CommandConfirmed, CommandMismatched, CommandRejected
from core.messages.grid import SourceContacted, SourceStateChanged
from core.messages.reasons import REASONS, missing
from core.messages.station import ConnectorStatusChanged, StationClockMeasured
from core.messages.vehicle import VehicleIdentified
from core.messages.work import ScheduleImported
from core.readiness import assess
from tests.core.incidents.world import Depot, moment
from tests.core.readiness.facts import CONFIG, assigned, at, incident, later, plug, requirement, subject
from tests.core.reasons.filled import unfilled

PLANNED = (
    "",
    "envelope_limited",
    "circuit_limited",
    "connector_limited",
    "window_too_short",
    "vehicle_limited",
    "outranked",
    "limited_by_hand",
    "charger_offline",
    "station_not_placed",
    "deadline_passed",
    "soc_unknown",
    "rule_not_plan",
    "leftover_only",
    "stranger_denied",
)
"""Every reason that a plan gives a vehicle."""
WISHES = {"first_contact", "safe_level", "transaction", "reduction", "freed_room", "renewal"}
"""Why a wish is written: no complaint, and told by the surface."""
OTHERS = {"stable"}
"""Arguments of that name which mean something else."""
CODE = ("reason", "kind", "code")


def literals(path: Path) -> set[str]:
    """Every text that this file hands over as a reason, a kind or a code."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.keyword) and node.arg in CODE:
            found |= {n.value for n in ast.walk(node.value) if isinstance(n, ast.Constant) and isinstance(n.value, str)}
        if isinstance(node, ast.Call) and getattr(node.func, "id", "") == "TokenAnswer":
            found |= {a.value for a in node.args if isinstance(a, ast.Constant) and isinstance(a.value, str)}
    return found - {""}


def test_every_code_that_the_core_writes_has_words():
    root = Path(core.__file__).parent
    for path in sorted(root.rglob("*.py")):
        if "messages" not in path.parts:
            assert literals(path) - WISHES <= REASONS.keys() | OTHERS, path


def test_what_the_plan_says_of_a_vehicle_is_known_here():
    written = {name for path in Path(core.__file__).parent.joinpath("allocation").glob("*.py") for name in texts(path)}
    assert written & REASONS.keys() <= {*PLANNED, "plan_refused"}


def texts(path: Path) -> set[str]:
    """Every text of a file."""
    return {
        n.value
        for n in ast.walk(ast.parse(path.read_text()))
        if isinstance(n, ast.Constant) and isinstance(n.value, str)
    }


@pytest.mark.parametrize("reason", PLANNED)
def test_no_departure_ever_says_a_question_mark(reason):
    plugs = (None, plug(), plug(power_kw=0.0), plug(transaction=None, power_kw=None), plug(power_kw=17.0))
    moments = (at("2:00"), at("4:45"), at("6:14"), at("6:36"), later(at("6:20"), hours=12))
    for now, soc, standing, short in product(moments, (None, 0.35, 0.8, 0.95), plugs, (0.0, 12.7)):
        for facts in (
            {},
            {"unplugged_at": at("6:16"), "plug": None},
            {"incidents": (incident("charger_offline", station="CP-07", since=at("5:00").isoformat()),)},
            {"connected": False, "silent_since": at("1:00")},
        ):
            known = {"plug": standing, "assignment": assigned(("25 20:00", 80), reason=reason), **facts}
            asked = subject(now, soc=soc, requirement=requirement(shortfall_kwh=short), **known)
            for told in assess(asked, CONFIG, now).reasons:
                assert not missing(told.code, told.params), (told, facts)


def offline(depot):
    depot.connect("CP-1", moment())
    depot.lose("CP-1", moment(1))


def panel(depot):
    for station in ("CP-1", "CP-2", "CP-3"):
        depot.connect(station, moment())
        depot.lose(station, moment(1))


def refused(depot):
    depot.wish("CP-1", moment(), "w")
    depot.step(CommandRejected, "CP-1", moment(1), "w")


def disobeyed(depot):
    depot.wish("CP-1", moment(), "w")
    depot.step(CommandMismatched, "CP-1", moment(1), "w")


def unconfirmed(depot):
    depot.connect("CP-1", moment())
    depot.wish("CP-1", moment(), "w")


def faulted(depot):
    depot.fact(ConnectorStatusChanged(status="faulted"), moment(1), station="CP-2", evse=2)


def wrong_clock(depot):
    depot.fact(StationClockMeasured(skew_s=-7200), moment(), station="CP-1")


def third_connector(depot):
    depot.fact(ConnectorStatusChanged(status="available"), moment(), station="CP-1", evse=3)


def stranger(depot, by="none"):
    depot.park(None, "CP-1")
    body = VehicleIdentified(vehicle=None, by=by, since="plugged", candidates=("A", "B") if by == "conflict" else ())
    depot.fact(body, moment(), station="CP-1", evse=1)


def fallback(depot):
    depot.fact(SourceStateChanged(source="operator", state="fallback", reason="source_never_heard"), moment())


def short_horizon(depot):
    depot.fact(SourceContacted(source="operator", kind="heartbeat"), moment(), fresh_until=moment(seconds=20))


def above(depot, meter="main", measures="import"):
    depot.read(moment(1), 900, meter, measures)
    depot.read(moment(2), 900, meter, measures)


def low_limit(depot):
    depot.limit(moment(), (moment(), moment(60), 5.0))


def broken_feed(depot):
    depot.fact(ScheduleImported(import_id="1", feed="vdv", quarantined=2), moment())


def unsafe(depot, kept=False):
    body = AllocationPlanned(
        rule="plan",
        triggers=("slot",),
        inputs="",
        slot_s=900,
        needed_kwh=0,
        planned_kwh=0,
        missing_kwh=0,
        outcomes=(),
        refused="p1 carries 3 kWh too much",
        kept=kept,
    )
    depot.fact(body, moment())


def missed(depot):
    depot.assess("BUS-1", moment(300), "missed", moment(1))


def doubled(depot):
    depot.runs("BUS-1", "41", moment(200), moment(300))
    depot.runs("BUS-1", "42", moment(240), moment(400))


SCENES = {
    "blocks_overlap": doubled,
    "charger_offline": offline,
    "panel_lost": panel,
    "profile_refused": refused,
    "limit_not_obeyed": disobeyed,
    "command_not_confirmed": unconfirmed,
    "charger_fault": faulted,
    "clock_skew": wrong_clock,
    "connector_undeclared": third_connector,
    "unknown_vehicle": stranger,
    "vehicle_conflict": lambda depot: stranger(depot, "conflict"),
    "grid_source_lost": fallback,
    "horizon_short": short_horizon,
    "limit_exceeded": above,
    "building_above_reserve": lambda depot: above(depot, "house", "building"),
    "limit_below_safe": low_limit,
    "schedule_incomplete": broken_feed,
    "missed_charge": missed,
    "plan_refused": unsafe,
    "plan_infeasible": lambda depot: unsafe(depot, kept=True),
}
NOT_HERE = {"controller_failed"}
"""Detected outside of the core."""


@pytest.mark.parametrize("kind", sorted(SCENES))
def test_each_incident_says_what_it_is_without_a_question_mark(kind):
    depot = Depot()
    SCENES[kind](depot)
    for minutes in (0, 1, 2, 3, 5):
        depot.decide(moment(minutes))
    opened = [m for m in depot.written if m.body.kind == kind]
    assert opened and unfilled(opened) == []
    body = opened[0].body
    later_on = {"zone": "UTC", "now": moment() + timedelta(hours=1)}
    for text in (reasons.sentence, reasons.next_step):
        assert "?" not in text(kind, body.params, **later_on)


def test_there_is_a_scene_for_every_kind_of_incident():
    assert reasons.INCIDENTS.keys() - NOT_HERE <= SCENES.keys()


def test_a_refusal_says_what_its_charger_counts_with():
    depot = Depot()
    refused(depot)
    depot.decide(moment(1))
    assert depot.last.params["ceiling_kw"] == 90.0
    depot.step(CommandConfirmed, "CP-1", moment(2), "w")
    depot.decide(moment(4))
    assert depot.last.kind == "profile_refused"
