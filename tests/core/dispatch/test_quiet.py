"""Time alone changes no wish before the deadline that dispatch named, whatever is confirmed, sent or lost by then."""

from __future__ import annotations

from datetime import timedelta

from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from core.dispatch import next_deadline
from tests.core.dispatch.depot import START, Depot, after

STATIONS = ("A", "B", "C")
KW = st.sampled_from([0.0, 10.0, 45.0, 90.0])
steps = st.lists(st.tuples(st.integers(0, 1900), KW), min_size=1, max_size=3, unique_by=lambda s: s[0]).map(sorted)
panels = st.lists(
    st.tuples(st.integers(10, 2000), st.sampled_from([30_000, 80_000, 150_000, 240_000])), max_size=3
).map(lambda later: tuple(sorted({0: 200_000, **dict(later)}.items())))
acts = st.lists(
    st.tuples(
        st.sampled_from(STATIONS), st.sampled_from(["confirm", "send", "plan", "unplug"]), st.integers(0, 200), steps
    ),
    min_size=1,
    max_size=6,
)


@settings(max_examples=30, deadline=None, phases=(Phase.explicit, Phase.generate))
@given(panels, acts, st.permutations(STATIONS))
def test_between_two_deadlines_nothing_is_wished(
    panel: tuple[tuple[float, int], ...], story: list[tuple[str, str, int, list[tuple[int, float]]]], ranks: list[str]
) -> None:
    depot = Depot(panel=panel)
    depot.connect(*STATIONS)
    depot.decide()
    for rank, station in enumerate(ranks):
        depot.install(station, "default")
        depot.plug(station)
        depot.want(station, (0, 45.0 * rank), rank=rank)
    depot.decide()
    for station, act, wait, plan in story:
        depot.now += timedelta(seconds=wait)
        depot.decide()
        if act == "plan":
            depot.want(station, *plan, rank=ranks.index(station))
        elif act == "unplug":
            depot.plugs.pop((station, 1), None)
        elif depot.wish(station).evses:
            depot.install(station, "transaction", confirm=act == "confirm")
        depot.decide()
        quiet(depot)


def quiet(depot: Depot) -> None:
    """Every few seconds, and at the last moment before the deadline."""
    begins = (depot.now - START).total_seconds()
    deadline = next_deadline(depot.state, depot.site(), depot.now) or after(begins + 1000)
    ends = (deadline - START).total_seconds()
    for moment in [*range(int(begins) + 1, int(ends), 17), ends - 0.001]:
        written = depot.decide(at=moment)
        assert not written, (begins, moment, {s: m.body for s, m in written.items()})
    depot.now = after(begins)
