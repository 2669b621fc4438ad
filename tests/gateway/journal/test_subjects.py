"""How names become subject tokens."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.journal import subjects


@pytest.mark.parametrize(
    ("name", "token"),
    [
        ("CP 01", "CP=2001"),
        ("a.b", "a=2Eb"),
        ("*", "=2A"),
        ("Zürich", "Z=C3=BCrich"),
        ("", "="),
        ("=", "=3D"),
        ("a-b_C9", "a-b_C9"),
        ("\x01", "=01"),
        ("$S", "=24S"),
    ],
)
def test_the_vectors_hold(name: str, token: str) -> None:
    assert subjects.encode(name) == token
    assert subjects.decode(token) == name


@given(st.text())
def test_a_token_is_never_empty_long_or_special(name: str) -> None:
    assert re.fullmatch(r"[A-Za-z0-9=_~-]{1,120}", subjects.encode(name))


@given(st.text(max_size=9))
def test_a_short_name_comes_back(name: str) -> None:
    assert subjects.decode(subjects.encode(name)) == name


def test_long_names_stay_different() -> None:
    one, two = subjects.encode("x" * 3000), subjects.encode("x" * 3001)
    assert one != two
    assert len(one) == 120
    assert subjects.encode("x" * 120) == "x" * 120


def test_a_records_subject_tells_site_and_writer() -> None:
    assert subjects.record("de.pot", "gw-1") == "j.de=2Epot.gw-1"
    assert subjects.site_and_writer("j.de=2Epot.gw-1") == ("de.pot", "gw-1")


def test_a_desired_state_is_found_by_its_sites_filter() -> None:
    assert subjects.desired("depot", "CP 1") == "$KV.desired.depot.CP=201"
    assert subjects.desired_of("depot") == "$KV.desired.depot.*"
