"""Sentences of messages: every type has words, and none of them is a bare code."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta

import pytest

from core.allocation.state import TRIGGERS
from core.messages import BODIES, Physical, compose
from core.messages.allocation import AllocationPlanned
from core.messages.command import CommandAccepted, CommandRejected, CommandWished
from core.messages.envelope import EnvelopeComputed, EnvelopeSegment
from core.messages.evidence import EvidenceReceived
from core.messages.readiness import ReadinessAssessed, State
from core.messages.station import ConnectorStatusChanged, StationProblemReported
from gateway import terms, told
from gateway.told import sentence_of

NOW = datetime(2026, 11, 26, 0, 12, tzinfo=UTC)


def of(body: object, where: Physical | None = None) -> str:
    message = compose(body, id="m", time=NOW, source="test", site="nord", at=where)
    return sentence_of(message, "Europe/Berlin")


@pytest.mark.parametrize("type", BODIES)
def test_every_type_of_message_has_words_of_its_own(type: str) -> None:
    assert type in told._SAYS


@pytest.mark.parametrize("trigger", sorted({*TRIGGERS.values(), "slot", "plan_refused"}))
def test_every_trigger_of_a_plan_has_words(trigger: str) -> None:
    plan = AllocationPlanned(
        rule="plan",
        triggers=(trigger,),
        inputs="d",
        slot_s=900,
        needed_kwh=91,
        planned_kwh=90,
        missing_kwh=1,
        outcomes=(),
    )
    assert of(plan) == f"A plan was made because {terms.TRIGGERS[trigger]}: 90 of 91\u00a0kWh"


def test_a_wish_says_why_in_words() -> None:
    wish = CommandWished(evses=(), valid_until=NOW, safe_kw=6, reason="freed_room")
    assert of(wish, Physical(station="CP-1")).endswith("until 01:12 (room became free)")


def test_an_answer_that_says_nothing_more_is_not_repeated() -> None:
    where = Physical(station="CP-1")
    assert of(CommandAccepted(wish="w", reason="Accepted"), where) == "CP-1: the limit of its session was accepted"
    assert of(CommandRejected(wish="w", reason="Busy"), where) == "CP-1: the limit of its session was refused: Busy"


def test_a_frame_is_named_before_it_is_shown() -> None:
    frame = EvidenceReceived(protocol="ocpp2.0.1", peer="CP-1", frame="[2]", subject="StatusNotification")
    assert of(frame) == "StatusNotification from CP-1, by OCPP 2.0.1: [2]"


def test_what_a_maker_says_about_a_fault_is_told() -> None:
    where = Physical(station="CP-1", evse=1)
    assert of(ConnectorStatusChanged(status="faulted", words="E-42 door"), where).endswith(": E-42 door")
    problem = StationProblemReported(part="Rectifier", words="0x17 hot")
    assert of(problem, where) == "Rectifier of CP-1 reports: 0x17 hot"


@pytest.mark.parametrize("table", [v for k, v in vars(terms).items() if k.isupper()])
def test_no_term_is_a_code(table: dict[str, str]) -> None:
    for code, words in table.items():
        assert words
        assert not re.search(r"[a-z]_[a-z]", words), code


def test_a_limit_that_reaches_beyond_midnight_says_until_which_day() -> None:
    rating = EnvelopeSegment(
        node="GRID", begins=NOW, ends=NOW + timedelta(days=2), import_kw=400, binding_source="rating"
    )
    text = of(EnvelopeComputed(revision=1, segments=(rating,)))
    assert "from 01:12 to 01:12 Sat 28 Nov" in text.replace("\N{NO-BREAK SPACE}", " ")


@pytest.mark.parametrize(
    ("state", "soc", "end"),
    [
        ("met", 0.9145, "met, 91 of 92\u00a0%, within the 0.5% that measuring allows"),
        ("met", 0.9190, "met, 91 of 91\u00a0%"),
        ("departed_short", 0.90, "departed short, 90 of 92\u00a0%"),
    ],
)
def test_an_outcome_below_its_goal_that_counts_as_met_says_why(state: State, soc: float, end: str) -> None:
    body = ReadinessAssessed(
        vehicle="BUS-142", departs=NOW, state=state, final=True, soc=soc, soc_goal=0.9185, reasons=()
    )
    assert of(body).endswith(end)
