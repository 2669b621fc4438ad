"""The night report: the same log gives the same bytes, and its figures add up."""

import json
from datetime import UTC, datetime, time, timedelta
from decimal import Decimal

import pytest

from core.messages import Physical, compose, dump, load
from core.messages.command import CommandConfirmed, CommandRejected, CommandSent, CommandWished
from core.messages.commercial import RecordPriced
from core.messages.envelope import EnvelopeComputed, EnvelopeSegment
from core.messages.grid import MeterSampled
from core.messages.incident import IncidentOpened, IncidentResolved, IncidentUpdated
from core.messages.readiness import ReadinessAssessed, Reason
from core.messages.requirement import RequirementWithdrawn
from core.messages.session import SessionEnded, SessionMetered, SessionStarted
from core.messages.site import Meter, Node, Policies, SiteConfig, SiteConfigured, Tariff, TariffPeriod
from core.reports import Delivered, IncidentRow, NightReport, document, fold, fold_all, render
from core.reports.meters import Proof, Series, Slot

START = datetime(2026, 11, 25, 18, 0, tzinfo=UTC)
CONFIG = SiteConfig(
    id="depot",
    zone="UTC",
    nodes=(Node(id="panel", parent="grid", limit_kw=300), Node(id="grid", kind="grid_connection", limit_kw=800)),
    meters=(
        Meter(id="annex", node="panel"),
        Meter(id="main", node="grid"),
        Meter(id="house", node="grid", measures="building"),
    ),
    tariff=Tariff(
        id="tou",
        periods=(
            TariffPeriod(begins=time(0), price_per_kwh=Decimal("0.10")),
            TariffPeriod(begins=time(18, 30), price_per_kwh=Decimal("0.20")),
        ),
    ),
    policies=Policies(carbon_kg_per_kwh=0.4),
)


def at(minutes=0.0, seconds=0.0):
    return START + timedelta(minutes=minutes, seconds=seconds)


class Log(list):
    def put(self, body, when, id="", site="depot", **where):
        self.append(compose(body, id=id or f"m{len(self)}", time=when, source="t", site=site, at=Physical(**where)))
        return self[-1]


def empty():
    return NightReport("depot", at(), at(720))


def configured(log):
    log.put(SiteConfigured(digest="dg", config=CONFIG), at(-60))


def limited(log, when, *pieces, id=""):
    segments = tuple(
        EnvelopeSegment(node="grid", begins=b, ends=e, import_kw=kw, binding_source=source)
        for b, e, kw, source in pieces
    )
    other = EnvelopeSegment(node="panel", begins=at(-600), ends=at(900), import_kw=1, binding_source="rating")
    log.put(EnvelopeComputed(revision=1, segments=(other, *segments)), when, id)


def read(log, when, kw, kwh=None, meter="main", measures="import", id=""):
    log.put(MeterSampled(measures=measures, import_kw=kw, import_kwh=kwh), when, id, meter=meter)


def assessed(log, vehicle, departs, state, when, final=True, code="", session=None):
    reasons = (Reason(code=code),) if code else ()
    body = ReadinessAssessed(
        vehicle=vehicle,
        departs=departs,
        state=state,
        final=final,
        reasons=reasons,
        soc=0.9449999,
        soc_goal=0.95,
        short_kwh=1.23456,
    )
    log.put(body, when, vehicle=vehicle, session=session)


def priced(log, session, ends, cost="10", status="complete", centre="fleet"):
    body = RecordPriced(
        session=session,
        vehicle="B",
        cost_centre=centre,
        begins=at(1),
        ends=ends,
        energy_kwh=Decimal(50),
        cost=Decimal(cost),
        currency="EUR",
        tariff="tou",
        status=status,
        lines=(),
    )
    log.put(body, ends, session=session)


def night():
    log = Log()
    configured(log)
    limited(log, at(-30), (at(-30), at(60), 800, "rating"), (at(60), at(720), 260, "operator"), id="env1")
    for minute in range(91):
        read(log, at(minute), 400.0 if minute < 60 else 200.0, kwh=1000.0 + minute, id=f"r{minute}")
        read(log, at(minute), 30.0, meter="house", measures="building")
        read(log, at(minute), 999.0, meter="annex")
    log.put(SessionStarted(transaction="T1", meter_wh=5000), at(1), station="CP-7", evse=1)
    log.put(SessionMetered(transaction="T1", energy_wh=25000, power_kw=80), at(70), station="CP-7", evse=1)
    log.put(SessionMetered(transaction="T1", energy_wh=15000, power_kw=0), at(30), station="CP-7", evse=1)
    log.put(SessionEnded(transaction="T1", meter_wh=45000), at(80), station="CP-7", evse=1)
    assessed(log, "BUS-2", at(600), "missed", at(600), code="envelope_limited")
    assessed(log, "BUS-1", at(500), "met", at(500), session="CP-7/T1")
    assessed(log, "BUS-3", at(650), "at_risk", at(100), final=False)
    priced(log, "CP-7/T1", at(80))
    priced(log, "CP-8/T2", at(90), cost="0", status="incomplete", centre="guests")
    return log


def test_dropped_and_rebuilt_it_has_the_same_bytes():
    log = night()
    first = document(fold_all(empty(), log))
    assert document(fold_all(empty(), [load(json.loads(json.dumps(dump(m)))) for m in log])) == first
    assert document(fold_all(fold_all(empty(), log), log)) == first
    assert json.loads(first)["site"] == "depot"


def test_energy_is_grid_building_plugs_and_the_rest_is_losses():
    energy = render(fold_all(empty(), night()))["energy"]
    assert energy == {
        "grid_kwh": 90.0,
        "building_kwh": 45.0,
        "plugs_kwh": 40.0,
        "losses_kwh": 5.0,
        "sessions": {"CP-7/T1": 40.0},
    }


def test_without_a_register_energy_is_the_power_that_was_measured():
    log = Log()
    configured(log)
    for minute in range(61):
        read(log, at(minute), 60.0)
    data = render(fold_all(empty(), log))
    assert data["energy"]["grid_kwh"] == 60.0
    assert (data["energy"]["building_kwh"], data["energy"]["losses_kwh"]) == (0.0, 60.0)
    assert data["cost"]["grid"] == "9.0000"
    assert data["carbon"] == {"location_kg": 24.0, "market_kg": None}


def test_a_register_that_stands_or_is_read_once_is_not_used():
    for kwh in ([5.0, 5.0], [5.0, None], [None, 5.0]):
        log = Log()
        configured(log)
        for minute, value in enumerate(kwh):
            read(log, at(minute), 60.0, value)
        assert render(fold_all(empty(), log))["energy"]["grid_kwh"] == 1.0
    log = Log()
    configured(log)
    for minute, value in enumerate([None, 5.0, 7.5, None]):
        read(log, at(minute), 60.0, value)
    assert render(fold_all(empty(), log))["energy"]["grid_kwh"] == 2.5


def test_nothing_measured_is_unknown_and_never_zero():
    data = render(empty())
    assert data["energy"]["grid_kwh"] is None and data["energy"]["losses_kwh"] is None
    assert data["peak"] == {"mean_kw": None, "mean_from": None, "max_kw": None, "max_at": None}
    assert data["carbon"]["location_kg"] is None and data["cost"] == {"sessions": [], "grid": None, "currency": None}
    assert data["readiness"]["on_time"] is None and data["zone"] is None
    assert data["versions"] == {"configuration": None, "tariff": None, "carbon_kg_per_kwh": None}
    log = Log()
    configured(log)
    read(log, at(1), 5)
    assert render(fold_all(empty(), log))["energy"]["grid_kwh"] is None


def test_the_peak_is_the_highest_quarter_hour_mean_and_the_highest_reading():
    log = Log()
    configured(log)
    for minute in range(46):
        read(log, at(minute), {20: 500.0, 40: 100.0}.get(minute, 200.0))
    peak = render(fold_all(empty(), log))["peak"]
    assert peak == {"mean_kw": 220.0, "mean_from": at(15).isoformat(), "max_kw": 500.0, "max_at": at(20).isoformat()}


def test_a_reading_is_spread_over_the_quarter_hours_that_it_stands_for():
    log = Log()
    configured(log)
    read(log, at(14), 60.0)
    read(log, at(16), 0.0)
    slots = fold_all(empty(), log).series["main"].slots
    assert {k: (v.kw_s, v.seconds) for k, v in slots.items()} == {at(0): (3600.0, 60.0), at(15): (3600.0, 60.0)}


def test_a_hole_is_a_gap_and_never_filled():
    log = Log()
    configured(log)
    for when in (at(0), at(2), at(4, 1), at(5)):
        read(log, when, 60.0)
    read(log, at(6), None)
    read(log, at(7), 60.0)
    report = fold_all(empty(), log)
    gaps = render(report)["gaps"]["meters"]["main"]
    assert gaps["gaps"] == [[at(2).isoformat(), at(4, 1).isoformat()], [at(6).isoformat(), at(7).isoformat()]]
    assert gaps["covered"] == round((120 + 59 + 60) / 43200, 3)


def test_repeated_late_and_foreign_readings_change_nothing():
    log = Log()
    configured(log)
    read(log, at(5), 60.0)
    report = fold_all(empty(), log)
    other = Log()
    read(other, at(5), 90.0)
    read(other, at(4), 90.0)
    read(other, at(-1), 90.0)
    read(other, at(720), 90.0)
    assert fold_all(report, other) == report
    other[0] = other[0].model_copy(update={"site": "elsewhere", "time": at(6)})
    assert fold(report, other[0]) == report


def test_each_stretch_of_a_limit_has_its_proof():
    log = Log()
    configured(log)
    limited(log, at(-30), (at(-30), at(10), 800, "rating"), (at(10), at(20), 260, "operator"), id="env1")
    for minute, kw in ((8, 700.0), (9, 800.0), (10, 260.0), (11, 261.0), (12, 100.0)):
        read(log, at(minute), kw, id=f"r{minute}")
    log.put(SessionMetered(transaction="T1", power_kw=80), at(12), station="CP-7")
    log.put(SessionMetered(transaction="T2", power_kw=0), at(12), station="CP-7")
    log.put(SessionMetered(power_kw=50), at(12), station="CP-8")
    limited(log, at(13), (at(13), at(20), 260, "operator"), id="env2")
    read(log, at(13), 100.0)
    read(log, at(20), 100.0)
    first, second = render(fold_all(empty(), log))["limits"]
    assert first == {
        "from": at(8).isoformat(),
        "to": at(9).isoformat(),
        "limit_kw": 800.0,
        "source": "rating",
        "mean_kw": 750.0,
        "max_kw": 800.0,
        "kept": True,
        "readings": 2,
        "readings_over": 0,
        "evidence": {"envelope": "env1", "highest": "r9"},
        "sessions": [],
    }
    assert second == {
        "from": at(10).isoformat(),
        "to": at(13).isoformat(),
        "limit_kw": 260.0,
        "source": "operator",
        "mean_kw": 180.25,
        "max_kw": 261.0,
        "kept": False,
        "readings": 4,
        "readings_over": 1,
        "evidence": {"envelope": "env1", "highest": "r11"},
        "sessions": ["CP-7/T1"],
    }


def test_the_first_reading_of_a_stretch_counts_as_over_too():
    log = Log()
    configured(log)
    limited(log, at(-30), (at(-30), at(20), 100, "operator"))
    read(log, at(1), 101.0)
    read(log, at(2), None)
    assert render(fold_all(empty(), log))["limits"][0]["readings_over"] == 1


def test_without_configuration_or_envelope_there_is_no_proof():
    log = Log()
    limited(log, at(-30), (at(-30), at(20), 100, "operator"))
    read(log, at(1), 50.0)
    log.put(SessionMetered(transaction="T1", power_kw=80), at(2), station="CP-7")
    assert render(fold_all(empty(), log))["limits"] == []
    assert render(fold_all(empty(), log))["peak"]["max_kw"] is None
    log = Log()
    configured(log)
    read(log, at(1), 50.0)
    assert render(fold_all(empty(), log))["limits"] == []


def test_departures_are_counted_by_their_outcome():
    readiness = render(fold_all(empty(), night()))["readiness"]
    rows = readiness.pop("rows")
    assert readiness == {"departures": 3, "met": 1, "departed_short": 0, "missed": 1, "open": 1, "on_time": 0.333}
    assert [row["vehicle"] for row in rows] == ["BUS-1", "BUS-2", "BUS-3"]
    assert rows[0] == {
        "vehicle": "BUS-1",
        "departure": at(500).isoformat(),
        "readiness": "met",
        "final": True,
        "reason": "",
        "soc": 0.945,
        "soc_goal": 0.95,
        "short_kwh": 1.235,
        "session": "CP-7/T1",
        "message": rows[0]["message"],
    }
    assert rows[1]["reason"] == "envelope_limited"


def test_an_outcome_stands_and_may_come_after_the_window():
    log = Log()
    assessed(log, "B", at(719), "at_risk", at(700), final=False)
    assessed(log, "B", at(719), "departed_short", at(725))
    assessed(log, "B", at(719), "missed", at(726), final=False)
    assessed(log, "C", at(720), "met", at(700))
    assessed(log, "D", at(-1), "met", at(700))
    readiness = render(fold_all(empty(), log))["readiness"]
    assert (readiness["departures"], readiness["departed_short"], readiness["open"]) == (1, 1, 0)


def test_a_met_that_is_not_final_is_not_on_time_yet():
    log = Log()
    assessed(log, "B", at(719), "met", at(700), final=False)
    assert render(fold_all(empty(), log))["readiness"]["on_time"] == 0.0


def test_a_withdrawn_departure_is_none_but_an_outcome_stays():
    log = Log()
    for vehicle, final in (("B", False), ("C", True)):
        assessed(log, vehicle, at(600), "met", at(500), final=final)
        log.put(RequirementWithdrawn(vehicle=vehicle, departs=at(600)), at(610))
    log.put(RequirementWithdrawn(vehicle="X", departs=at(600)), at(610))
    assert [row["vehicle"] for row in render(fold_all(empty(), log))["readiness"]["rows"]] == ["C"]


def test_cost_is_told_per_cost_centre_and_what_is_incomplete_too():
    data = render(fold_all(empty(), night()))
    assert data["cost"]["sessions"] == [
        {
            "cost_centre": "fleet",
            "currency": "EUR",
            "sessions": 1,
            "incomplete": 0,
            "energy_kwh": "50.0000",
            "cost": "10.0000",
        },
        {
            "cost_centre": "guests",
            "currency": "EUR",
            "sessions": 1,
            "incomplete": 1,
            "energy_kwh": "50.0000",
            "cost": "0.0000",
        },
    ]
    assert (data["cost"]["currency"], data["gaps"]["records_incomplete"]) == ("EUR", 1)
    assert data["versions"] == {"configuration": "dg", "tariff": "tou", "carbon_kg_per_kwh": 0.4}
    log = night()
    priced(log, "CP-9/T3", at(95))
    assert render(fold_all(empty(), log))["gaps"]["records_incomplete"] == 1


def test_records_belong_to_the_window_in_which_their_session_ended():
    log = Log()
    priced(log, "early", at(-1))
    priced(log, "at the start", at(0))
    priced(log, "late", at(720))
    priced(log, "at the start", at(5), cost="99")
    shares = render(fold_all(empty(), log))["cost"]["sessions"]
    assert (shares[0]["sessions"], shares[0]["cost"]) == (1, "10.0000")


def test_each_command_counts_once_and_the_busiest_station_is_known():
    log = Log()
    log.put(CommandWished(evses=(), valid_until=at(90), safe_kw=0), at(1), station="A")
    for index, station in enumerate(("A", "A", "B")):
        log.put(CommandSent(wish="w", call=str(index)), at(2), f"s{index}", station=station)
    log.append(log[1])
    log.put(CommandRejected(wish="w"), at(3), station="A")
    log.put(CommandConfirmed(wish="w"), at(4), station="A")
    log.put(CommandConfirmed(wish="w"), at(-4), station="A")
    assert render(fold_all(empty(), log))["commands"] == {
        "wished": 1,
        "sent": 3,
        "accepted": 0,
        "rejected": 1,
        "unanswered": 0,
        "confirmed": 1,
        "mismatched": 0,
        "per_station_max": 2,
    }
    assert render(empty())["commands"]["per_station_max"] == 0


def incident(kind, subject, name, **more):
    return {"incident": name, "kind": kind, "subject": subject} | more


def test_incidents_are_told_as_they_went():
    log = Log()
    log.put(IncidentOpened(**incident("soc_stale", "B", "i2", severity="low", departures=("B",))), at(50))
    log.put(IncidentOpened(**incident("charger_offline", "CP-7", "i1", severity="medium")), at(40))
    log.put(
        IncidentUpdated(**incident("charger_offline", "CP-7", "i1", severity="high", departures=("C", "B"))), at(41)
    )
    log.put(IncidentResolved(**incident("charger_offline", "CP-7", "i1", opened=at(40))), at(80))
    log.put(IncidentOpened(**incident("soc_stale", "B", "i0", severity="low")), at(-5))
    log.put(IncidentUpdated(**incident("soc_stale", "B", "i0", severity="high")), at(5))
    log.put(IncidentResolved(**incident("soc_stale", "B", "i0", opened=at(-5))), at(6))
    log.put(IncidentResolved(**incident("soc_stale", "B", "i2", opened=at(50))), at(800))
    assert render(fold_all(empty(), log))["incidents"] == {
        "count": 2,
        "by_kind": {"charger_offline": 1, "soc_stale": 1},
        "rows": [
            {
                "kind": "charger_offline",
                "subject": "CP-7",
                "severity": "high",
                "opened": at(40).isoformat(),
                "resolved": at(80).isoformat(),
                "departures": ["B", "C"],
            },
            {
                "kind": "soc_stale",
                "subject": "B",
                "severity": "low",
                "opened": at(50).isoformat(),
                "resolved": at(800).isoformat(),
                "departures": ["B"],
            },
        ],
    }


@pytest.mark.parametrize("when", [at(-1), at(720)])
def test_what_lies_outside_of_the_window_is_no_part_of_it(when):
    log = Log()
    log.put(SessionStarted(transaction="T1", meter_wh=5000), when, station="CP-7")
    log.put(SessionMetered(transaction="T1", energy_wh=9000, power_kw=1), when, station="CP-7")
    log.put(IncidentOpened(**incident("soc_stale", "B", "i", severity="low")), when)
    log.put(CommandSent(wish="w"), when, station="A")
    assert fold_all(empty(), log) == empty()


def test_a_configuration_of_after_the_window_is_not_its_own():
    log = Log()
    log.put(SiteConfigured(digest="later", config=CONFIG), at(720))
    assert fold_all(empty(), log) == empty()


@pytest.mark.parametrize("kind", [NightReport, Delivered, IncidentRow, Proof, Series, Slot])
def test_states_are_never_changed_in_place(kind):
    assert kind.__dataclass_params__.frozen and "__slots__" in vars(kind)


def test_without_a_configuration_the_first_meter_of_its_kind_speaks():
    log = Log()
    for minute in range(2):
        read(log, at(minute), 30.0, meter="a house", measures="building")
        read(log, at(minute), 60.0, meter="main")
    energy = render(fold_all(empty(), log))["energy"]
    assert (energy["grid_kwh"], energy["building_kwh"], energy["losses_kwh"]) == (1.0, 0.5, 0.5)
