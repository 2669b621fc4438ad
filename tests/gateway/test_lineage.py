"""Where the lineage of a vehicle begins, and how its tree stays readable."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from core.messages import Message, Physical, compose
from core.messages.command import CommandConfirmed
from core.messages.grid import SourceContacted
from core.messages.readiness import ReadinessAssessed, State
from tests.gateway.api.conftest import NOW, Running, running, start
from tests.waiting import GENEROUS_S

__all__ = ["running", "start"]
BUS = "BUS-9"
"""Not declared, so that the core says nothing about it by itself."""


def assessed(id: str, hours: float, state: State, work: str | None = None) -> Message:
    """An assessment of the departure that many hours from now; `work` is None for a site's default departure."""
    departs = NOW + timedelta(hours=hours)
    final = state in ("met", "departed_short", "missed")
    body = ReadinessAssessed(vehicle=BUS, departs=departs, state=state, final=final, soc_goal=0.9)
    return compose(body, id=id, time=NOW, source="test", site="depot", at=Physical(vehicle=BUS, work=work))


def confirmed(id: str, cause: str | None) -> Message:
    body = CommandConfirmed(wish="w", call=id)
    causes = [cause] if cause else []
    return compose(body, id=id, time=NOW, source="test", site="depot", at=Physical(station="CP-01"), causes=causes)


async def why(running: Running, messages: list[Message], name: str = BUS) -> dict[str, Any]:
    position = await running.hub.journal.append("depot", messages)
    assert await running.hub.api.models.reached(position.seq, GENEROUS_S)
    status, tree, _ = await running.ask("GET", f"/why/{name}")
    assert status == 200, tree
    return dict(tree)


@pytest.mark.parametrize(
    ("known", "meant"),
    [
        ((("last", -1, "met", "w1"), ("default", 10, "unknown", None)), "last"),
        ((("last", -1, "met", "w1"), ("next", 10, "at_risk", "w2")), "next"),
        ((("next", 10, "on_track", "w1"), ("second", 17, "on_track", "w2")), "next"),
        ((("earlier", -30, "missed", "w0"), ("last", -1, "met", "w1")), "last"),
        ((("default", 10, "unknown", None),), "default"),
    ],
)
async def test_a_vehicle_means_its_next_work_else_its_last_outcome_else_its_default(
    running: Running, known: tuple[tuple[str, float, State, str | None], ...], meant: str
) -> None:
    tree = await why(running, [assessed(*one) for one in known])
    assert tree["id"] == meant


async def test_what_led_to_an_earlier_one_of_the_same_kind_is_counted_and_not_drawn(running: Running) -> None:
    chain = [confirmed("c1", None), confirmed("c2", "c1"), confirmed("c3", "c2")]
    tree = await why(running, chain, "c3")
    (second,) = tree["children"]
    assert (second["id"], second["children"], second["more"]) == ("c2", [], 1)


async def test_a_message_is_followed_where_it_stands_nearest_to_the_outcome(running: Running) -> None:
    contact = SourceContacted(source="dso", kind="handshake")
    root, near, frame = assessed("root", 5, "at_risk", "w"), confirmed("near", "deep"), confirmed("leaf", None)
    deep = compose(contact, id="deep", time=NOW, source="test", site="depot", at=Physical(party="dso"), causes=["leaf"])
    root = root.model_copy(update={"causes": ("near", "deep")})
    tree = await why(running, [frame, deep, near, root], "root")
    first, second = tree["children"]
    assert (first["id"], second["id"]) == ("near", "deep")
    assert [child["id"] for child in second["children"]] == ["leaf"]
    assert [(child["id"], child["again"]) for child in first["children"]] == [("deep", True)]
