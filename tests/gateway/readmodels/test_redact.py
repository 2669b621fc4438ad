"""Card and vehicle identifiers are shortened wherever they stand, and nothing else is touched."""

from __future__ import annotations

import json

from hypothesis import given
from hypothesis import strategies as st

from gateway.readmodels.redact import frame, redacted, shortened


def test_the_last_four_characters_remain() -> None:
    assert shortened("TOKEN0001") == "…0001"
    assert shortened("1234") == "…"


def test_an_identifier_is_found_at_any_depth_and_in_lists() -> None:
    data = {"vehicles": [{"id": "BUS-1", "tokens": ["TOKEN0001"], "evccids": ["AABBCCDDEEFF"]}], "token": "TOKEN0001"}
    clean = redacted(data)
    assert clean["vehicles"][0] == {"id": "BUS-1", "tokens": ["…0001"], "evccids": ["…EEFF"]}
    assert clean["token"] == "…0001"


def test_ocpp_frames_of_both_versions_are_cleaned() -> None:
    old = '[2,"1","Authorize",{"idTag":"TOKEN0001"}]'
    new = '[2,"1","TransactionEvent",{"idToken":{"idToken":"TOKEN0001","type":"ISO14443"}}]'
    assert "TOKEN0001" not in frame(old)
    assert json.loads(frame(new))[3]["idToken"] == {"idToken": "…0001", "type": "ISO14443"}


def test_the_digest_of_a_secret_may_be_seen_so_that_frames_can_be_compared() -> None:
    digest = "secret:0123456789ab"
    assert redacted({"key": "AuthorizationKey", "value": digest})["value"] == digest
    for text in (f'POST register\n\n{{"token":"{digest}"}}', f'{{"token": "{digest}"}}'):
        assert frame(text) == text
    assert redacted({"key": "AuthorizationKey", "value": f"{digest}!"})["value"] == "***"


def test_a_frame_without_identifiers_stays_as_it_is() -> None:
    text = '[3,"1",{"currentTime":  "2026-11-25T18:00:00Z"}]'
    assert frame(text) == text


def test_a_broken_frame_is_cleaned_as_text() -> None:
    assert "TOKEN0001" not in frame('[2,"1","Authorize",{"idTag":"TOKEN0001"')
    assert "TOKEN0001" not in frame("<x:idTag>TOKEN0001</x:idTag>")


def test_evidence_and_quarantined_items_are_cleaned_inside() -> None:
    data = {"body": {"frame": '{"idTag":"TOKEN0001"}', "item": '{"idTag":"TOKEN0001"}'}}
    assert "TOKEN0001" not in json.dumps(redacted(data))


def test_credentials_are_gone_wherever_a_frame_may_hold_one() -> None:
    key = '[2,"1","ChangeConfiguration",{"key":"AuthorizationKey","value":"hunter2hunter2"}]'
    told = '[3,"1",{"configurationKey":[{"key":"AuthorizationKey","readonly":false,"value":"hunter2hunter2"}]}]'
    variable = {
        "variable": {"name": "BasicAuthPassword"},
        "component": {"name": "c"},
        "attributeValue": "hunter2hunter2",
    }
    report = {"variable": {"name": "BasicAuthPassword"}, "variableAttribute": [{"value": "hunter2hunter2"}]}
    request = 'POST /x HTTP/1.1\nauthorization: Token hunter2hunter2\nCookie: hunter2hunter2\n\n{"password": "hunter2hunter2"}'
    for text in (key, told, json.dumps([2, "1", "SetVariables", variable]), json.dumps([report]), request, key[:-3]):
        assert "hunter2" not in frame(text), text
    assert redacted({"Authorization": "Basic aHVudGVyMg==", "user": "anna"}) == {"Authorization": "***", "user": "anna"}


def test_a_body_under_its_headers_is_cleaned_too() -> None:
    assert frame('POST /x\n\n{"idTag": "TOKEN0001"}') == 'POST /x\n\n{"idTag": "…0001"}'


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(), lambda v: st.lists(v) | st.dictionaries(st.text(), v)
    )
)
def test_nothing_that_names_no_identifier_is_changed(data: object) -> None:
    text = json.dumps(data)
    if any(
        name in text.lower()
        for name in (
            "tag",
            "token",
            "evccid",
            "emaid",
            "contract",
            "uid",
            "vid",
            "frame",
            "item",
            "raw",
            "authorization",
            "password",
            "cookie",
            "key",
            "variable",
        )
    ):
        return
    assert redacted(data) == data
