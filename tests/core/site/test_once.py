"""Effectively once, and the same everywhere: repeats are known as such, and hashes of a process play no part."""

from __future__ import annotations

import os
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

from immutables import Map

from core.messages import Message, Physical, compose
from core.messages.station import StationSeen
from core.site.heard import KEPT, PLACES, SKEW, Heard, Place, hear, place, remember, repeated
from tests.core.site import fixed
from tests.waiting import GENEROUS_S

NOW = datetime(2026, 11, 25, 21, tzinfo=UTC)


def fact(id: str = "m", learned: timedelta = timedelta(), station: str | None = "A", source: str = "ocpp") -> Message:
    where = Physical(station=station)
    return compose(
        StationSeen(), id=id, time=NOW - timedelta(days=9), recorded=NOW + learned, source=source, site="s", at=where
    )


def test_of_an_unknown_place_nothing_is_a_repeat() -> None:
    assert not repeated(None, fact())
    assert hear(None, fact("a")) == Heard(("a",), NOW)


def test_a_fact_of_the_same_id_is_a_repeat() -> None:
    known = hear(hear(None, fact("a")), fact("b"))
    assert known.ids == ("a", "b")
    assert repeated(known, fact("a"))
    assert not repeated(known, fact("c"))


def test_what_was_learned_long_before_the_newest_is_a_repeat_whatever_its_id() -> None:
    known = hear(None, fact("a"))
    assert not repeated(known, fact("b", -SKEW))
    assert repeated(known, fact("b", -SKEW - timedelta(microseconds=1)))


def test_the_newest_moment_never_goes_back() -> None:
    known = hear(hear(None, fact("a")), fact("b", -SKEW))
    assert known.newest == NOW
    assert hear(known, fact("c", SKEW)).newest == NOW + SKEW


def test_the_ids_are_bounded_and_the_oldest_is_forgotten() -> None:
    known = hear(None, fact("first"))
    for number in range(KEPT):
        known = hear(known, fact(str(number)))
    assert len(known.ids) == KEPT == 256
    assert known.ids[-1] == "255"
    assert not repeated(known, fact("first"))


def test_each_source_tells_of_each_station_in_an_order_of_its_own() -> None:
    assert place(fact()) == ("ocpp", "A")
    assert place(fact(station=None, source="oscp:dso")) == ("oscp:dso", "")


def test_the_places_are_bounded_and_the_longest_silent_one_is_forgotten() -> None:
    heard: Map[Place, Heard] = Map()
    for number in range(PLACES):
        heard = remember(heard, fact("m", timedelta(seconds=number), station=f"S{number}"))
    again = remember(heard, fact("n", timedelta(hours=2), station="S0"))
    assert len(again) == len(heard) == PLACES == 4096
    full = remember(again, fact("m", timedelta(hours=2), station="new"))
    assert len(full) == PLACES
    assert ("ocpp", "S1") not in full
    assert {("ocpp", "S0"), ("ocpp", "S2"), ("ocpp", "new")} <= set(full)


def test_another_process_with_other_hashes_decides_the_same() -> None:
    here = Path(__file__).parents[3]
    environment = os.environ | {"PYTHONHASHSEED": "4711", "PYTHONPATH": str(here)}
    command = [sys.executable, "-m", "tests.core.site.fixed"]
    done = subprocess.run(
        command, cwd=here, env=environment, capture_output=True, text=True, check=True, timeout=GENEROUS_S
    )
    assert done.stdout.strip() == fixed.told()
