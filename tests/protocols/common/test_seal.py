"""A secret at a declared path gives way to its digest; every other character of the text is the one that was there."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.secrets import FileSecrets
from protocols.common.seal import WITHHELD, Seal, Sealed, site_key

SEAL = Seal(b"a key", ("token", "list/*/value(key)", "net/pass"))
BLANKS = st.text(" \t\n\r", max_size=2)
ESCAPES = {"\n": "\\n", '"': '\\"', "\\": "\\\\", "/": "\\/"}

Part = str | tuple[str]
"""A piece of the text as it is, or in brackets a value that is a secret."""


@st.composite
def strings(draw: st.DrawFn, of: st.SearchStrategy[str]) -> str:
    """A JSON string, each of its characters written in one of the ways that JSON allows."""
    return f'"{"".join(draw(_written(char)) for char in draw(of))}"'


def _written(char: str) -> st.SearchStrategy[str]:
    if ord(char) > 0xFFFF:
        return st.just(char)
    ways = [f"\\u{ord(char):04x}", f"\\u{ord(char):04X}"]
    if char in ESCAPES:
        ways.append(ESCAPES[char])
    elif ord(char) >= 0x20:
        ways += [char] * 4
    return st.sampled_from(ways)


TEXTS = strings(st.text(max_size=5) | st.sampled_from(["token", "password", "key"]))
NUMBERS = st.sampled_from(["0", "-0", "1.0e5", "1E-2", "100000000000000000000", "true", "false"])
VALUES = st.recursive(
    TEXTS | NUMBERS | st.just("null"),
    lambda inner: (
        st.lists(inner, max_size=3).map(lambda items: f"[ {' ,'.join(items)}]")
        | st.lists(st.tuples(TEXTS, inner), max_size=3).map(lambda ms: f"{{{', '.join(f'{n} : {v}' for n, v in ms)} }}")
    ),
    max_leaves=5,
)


@st.composite
def objects(draw: st.DrawFn, members: list[tuple[str, list[Part]]]) -> list[Part]:
    """An object with these members, among others, in any order and with any blanks."""
    others = draw(st.lists(st.tuples(st.sampled_from(["a", "net ", "tokens", "valu"]), VALUES), max_size=2))
    every = draw(st.permutations([*members, *((name, [value]) for name, value in others)]))
    parts: list[Part] = ["{", draw(BLANKS)]
    for number, (name, value) in enumerate(every):
        written = draw(strings(st.just(name)))
        parts += ["," if number else "", draw(BLANKS), written, draw(BLANKS), ":", draw(BLANKS), *value, draw(BLANKS)]
    return [*parts, "}"]


@st.composite
def documents(draw: st.DrawFn) -> list[Part]:
    """An object with secrets at the paths of `SEAL`, some of them twice, beside values that look much like them."""
    items: list[Part] = []
    for number, key in enumerate(
        draw(st.lists(st.sampled_from(["Password", "MyAuthorizationKey", "Plain"]), max_size=3))
    ):
        value = st.tuples(VALUES) if key != "Plain" else VALUES
        values = [("value", [part]) for part in draw(st.lists(value, max_size=2))]
        items += ["," if number else "", *draw(objects([("key", [draw(strings(st.just(key)))]), *values]))]
    net = draw(objects([("pass", [(part,)]) for part in draw(st.lists(VALUES, max_size=2))]))
    tokens = [("token", [(part,)]) for part in draw(st.lists(VALUES, max_size=2))]
    return [draw(BLANKS), *draw(objects([*tokens, ("list", ["[", *items, "]"]), ("net", net)])), draw(BLANKS)]


def digest(raw: str) -> str:
    """What stands for a secret that was written so."""
    if raw == "null":
        return raw
    value = json.loads(raw)
    return f'"{SEAL.mark(value if isinstance(value, str) else raw)}"'


@given(documents())
def test_every_character_but_the_secrets_is_the_one_that_was_there(parts: list[Part]) -> None:
    text = "".join(part if isinstance(part, str) else part[0] for part in parts)
    closed = SEAL.close(text)
    assert closed.text == "".join(part if isinstance(part, str) else digest(part[0]) for part in parts)
    assert len(closed.secrets) == len([part for part in parts if isinstance(part, tuple) and part[0] != "null"])
    assert SEAL.close(text) == closed


@given(
    st.text() | st.lists(st.sampled_from([*'[]{},:"\\', '"token"', "password", "\\u0074oken", " ", "1"])).map("".join)
)
def test_no_text_is_an_error_and_what_cannot_be_read_is_kept_only_where_it_names_no_secret(text: str) -> None:
    closed = SEAL.close(text)
    try:
        json.loads(text)
    except ValueError:
        assert closed == Sealed(WITHHELD if SEAL.mentions(text) else text)


def test_where_the_secrets_stood_is_said_by_json_pointers() -> None:
    text = '{"list":[{"key":"a"},{"key":"password","value":1}],"token":"x","net":{"pass":["y"]}}'
    assert SEAL.close(text).secrets == ("/list/1/value", "/token", "/net/pass")


def test_the_same_secret_reads_the_same_however_it_is_written_and_differently_at_another_site() -> None:
    plain, escaped = SEAL.close('{"token":"ab"}'), SEAL.close('{"token" : "\\u0061b"}')
    assert plain.text.partition(":")[2].strip() == escaped.text.partition(":")[2].strip()
    assert Seal(b"another key", ("token",)).mark("ab") != SEAL.mark("ab") != SEAL.mark("abc")


def test_a_member_in_another_spelling_of_case_is_a_secret_as_well() -> None:
    assert SEAL.close('{"Token":"x","NET":{"pass":"y"}}').secrets == ("/Token", "/NET/pass")


def test_of_a_secret_within_a_secret_the_outer_one_is_replaced() -> None:
    seal = Seal(b"a key", ("data", "data/token"))
    inner = '{"token":"x"}'
    assert seal.close(f'{{"data":{inner}}}') == Sealed(f'{{"data":"{seal.mark(inner)}"}}', ("/data",))


def test_nesting_without_end_is_withheld_where_it_names_a_secret() -> None:
    assert SEAL.close('{"token":' + "[" * 100_000).text == WITHHELD
    assert SEAL.close("[" * 100_000).text == "[" * 100_000


@pytest.mark.parametrize("many", ['"value":1', '"key":"x"'])
def test_a_large_hostile_text_costs_no_more_than_it_is_long(many: str) -> None:
    text = '{"list":[{"key":"password",' + ",".join([many] * 50_000) + "}]}"
    assert len(SEAL.close(text).secrets) == (50_000 if "value" in many else 0)


def test_the_key_of_a_site_is_made_once_and_outlives_the_process(tmp_path: Path) -> None:
    key = site_key(FileSecrets(tmp_path), "depot")
    assert site_key(FileSecrets(tmp_path), "depot") == key
    assert site_key(FileSecrets(tmp_path), "other") != key
    assert len(key) == 32
