"""Whatever stations answer, and whenever: what they may really draw never exceeds the limit."""

from __future__ import annotations

from dataclasses import dataclass, field

from hypothesis import given, settings
from hypothesis import strategies as st

from core.messages.allocation import Step
from core.messages.command import CommandConfirmed, CommandRejected, CommandSent, CommandUnanswered, Installed
from tests.core.dispatch.depot import GUARD, START, Depot, after

STATIONS = ("A", "B", "C")
REACTION_S = int(GUARD.total_seconds())
END_S = 2400


@dataclass
class Charger:
    """A station as it really is: what was installed in it and when, and how slowly it follows."""

    schedules: list[tuple[int, list[float]]] = field(default_factory=lambda: [(-1000, [5.0] * END_S)])
    """(installed at, what it lets through in each second if followed at once), in order."""

    def install(self, second: int, installed: Installed) -> None:
        steps = sorted((max(0, int((s.at - START).total_seconds())), s.kw) for s in installed.steps)
        assert installed.until is not None
        until = min(END_S, int((installed.until - START).total_seconds()))
        allowed = [next((kw for at, kw in reversed(steps) if at <= moment), steps[0][1]) for moment in range(until)]
        self.schedules.append((second, allowed + [5.0] * (END_S - until)))

    def draw(self, second: int) -> float:
        """The most that it may draw: for the guard time it may follow what was replaced, and any step gone by."""
        most = 0.0
        for index, (since, allowed) in enumerate(self.schedules):
            replaced = self.schedules[index + 1][0] if index + 1 < len(self.schedules) else END_S
            if since <= second < replaced + REACTION_S:
                most = max(most, *allowed[second - REACTION_S + 1 : second + 1])
        return most


plans = st.lists(
    st.tuples(st.integers(0, 1700), st.sampled_from([0.0, 10.0, 45.0, 90.0])),
    min_size=1,
    max_size=3,
    unique_by=lambda s: s[0],
)
acts = st.lists(
    st.tuples(
        st.sampled_from(STATIONS),
        st.sampled_from(["confirm", "reject", "lose", "lose_installed", "plan"]),
        st.integers(0, 40),
        plans,
        st.permutations(STATIONS),
    ),
    min_size=4,
    max_size=12,
)


def send(depot: Depot, station: str, charger: Charger, outcome: str, second: int, call: str) -> None:
    """The adapter's part: send the newest wish; the station takes it or not; the journal learns what it can."""
    wish, known = depot.wish(station), depot.state.stations[station].wish
    assert known is not None
    evse = wish.evses[0]
    installed = Installed(
        evse=1, purpose="transaction", steps=evse.steps, until=wish.valid_until, transaction=evse.transaction
    )
    depot.tell(station, CommandSent(wish=known.id, call=call, installed=(installed,)))
    if outcome in ("confirm", "lose_installed"):
        charger.install(second, installed)
    ends = {"confirm": CommandConfirmed, "reject": CommandRejected}.get(outcome, CommandUnanswered)
    depot.tell(station, ends(wish=known.id, call=call, installed=(installed,)))


@settings(max_examples=150, deadline=None)
@given(acts, st.sampled_from([60, 100, 150]), st.integers(300, 1500), st.sampled_from([40, 80]))
def test_the_sum_never_exceeds_the_limit(
    story: list[tuple[str, str, int, list[tuple[int, float]], list[str]]], limit: int, cut_at: int, cut_to: int
) -> None:
    depot = Depot(panel=((0, limit * 1000), (cut_at, cut_to * 1000)))
    depot.connect(*STATIONS)
    depot.decide()
    chargers = {station: Charger() for station in STATIONS}
    for station in STATIONS:
        depot.install(station, "default")
        depot.plug(station)
        depot.want(station, (0, 5.0))
    depot.decide()
    second = 60
    for number, (station, act, wait, plan, ranks) in enumerate(story):
        second += wait
        depot.now = after(second)
        if act == "plan":
            for rank, name in enumerate(ranks):
                depot.want(name, *((s + (0 if name == station else 300), kw) for s, kw in sorted(plan)), rank=rank)
        else:
            send(depot, station, chargers[station], act, second, f"x{number}")
        depot.decide()
    for moment in range(60, END_S, 15):
        bound = limit if moment < cut_at else cut_to
        drawn = sum(charger.draw(moment) for charger in chargers.values())
        assert drawn <= bound + 1e-6, (moment, {n: c.draw(moment) for n, c in chargers.items()})


def test_a_charger_model_follows_its_schedule() -> None:
    plan = Installed(evse=1, purpose="transaction", steps=(Step(at=after(0), kw=50.0),), until=after(900))
    charger = Charger()
    charger.install(100, plan)
    assert charger.draw(99) == 5.0
    assert charger.draw(100) == 50.0
    assert charger.draw(900 + REACTION_S - 2) == 50.0
    assert charger.draw(900 + REACTION_S - 1) == 5.0
    charger.install(500, plan.model_copy(update={"steps": (Step(at=after(0), kw=0.0),)}))
    assert charger.draw(500 + REACTION_S - 1) == 50.0
    assert charger.draw(500 + REACTION_S) == 0.0
