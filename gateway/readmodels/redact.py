"""Personal identifiers leave the journal shortened (the last four characters of a card or vehicle remain), and credentials not at all."""

from __future__ import annotations

import json
import re
from typing import Any

NAMES = frozenset(
    {
        "token",
        "tokens",
        "idtag",
        "idtoken",
        "parentidtag",
        "groupidtoken",
        "evccid",
        "evccids",
        "emaid",
        "contract_id",
        "contractid",
        "uid",
        "vid",
    }
)
"""Fields, in any spelling of case, whose text is such an identifier."""
SECRETS = frozenset(
    {"password", "authorization", "proxyauthorization", "authorizationkey", "basicauthpassword", "cookie"}
)
"""Fields, headers, and OCPP keys and variables, in any spelling, whose value is a credential."""
GONE = "***"
SEALED = re.compile(r"secret:[0-9a-f]{12}")
"""What stands in evidence for a credential; it may be shown, so that two frames can be compared."""
TEXTS = frozenset({"frame", "item", "raw"})
"""Fields whose text may itself be JSON with such fields in it."""
KEPT = 4
_ELEMENT = re.compile(r"(?i)(<(?:\w+:)?(?:idTag|evccid|emaid|idToken)>)([^<]*)(<)")
_HEADER = re.compile(r"(?im)^((?:proxy-)?authorization|cookie|set-cookie)(\s*:).*$")
_SECRET = re.compile(r'(?i)("(?:password|authorization)"\s*:\s*")([^"]*)(")')
_NAMED = re.compile(r'(?is)("(?:AuthorizationKey|BasicAuthPassword)").+')
_MEMBER = re.compile(r'(?i)("(?:idTag|idToken|parentIdTag|evccid|emaid|token)"\s*:\s*")([^"]*)(")')


def shortened(identifier: str) -> str:
    """`…0001`: the last four characters, or none of a short one."""
    if SEALED.fullmatch(identifier):
        return identifier
    return "…" + (identifier[-KEPT:] if len(identifier) > KEPT else "")


def redacted(value: Any, name: str = "") -> Any:
    """Plain JSON data with identifiers shortened and credentials gone, also inside frames."""
    plain = _plain(name)
    secret = plain in NAMES or name.lower() in NAMES
    if isinstance(value, dict):
        gone = _credential(value)
        return {key: _gone(member) if key in gone else redacted(member, str(key)) for key, member in value.items()}
    if plain in SECRETS and isinstance(value, str) and value:
        return GONE
    if isinstance(value, list | tuple):
        return [redacted(member, name if secret else "") for member in value]
    if isinstance(value, str) and secret:
        return shortened(value) if value else value
    if isinstance(value, str) and name.lower() in TEXTS:
        return frame(value)
    return value


def _gone(value: Any) -> Any:
    return value if isinstance(value, str) and SEALED.fullmatch(value) else GONE


def _plain(name: str) -> str:
    return name.lower().replace("_", "").replace("-", "")


def _credential(pair: dict[Any, Any]) -> tuple[str, ...]:
    """The members that hold a credential, where a pair names one: a key of OCPP 1.6, a variable of OCPP 2.0.1."""
    if isinstance(key := pair.get("key"), str) and _plain(key) in SECRETS:
        return ("value",)
    variable = pair.get("variable")
    if isinstance(variable, dict) and _plain(str(variable.get("name", ""))) in SECRETS:
        return ("attributeValue", "value", "variableAttribute")
    return ()


def frame(text: str) -> str:
    """A frame with identifiers shortened and credentials gone; one that holds none stays as it is, byte for byte."""
    if text[:1] in ("[", "{"):
        try:
            data = json.loads(text)
        except (ValueError, RecursionError):
            return _in_text(text)
        clean = redacted(data)
        return text if clean == data else json.dumps(clean, ensure_ascii=False)
    return _ELEMENT.sub(_cut, _in_text(text))


def _in_text(text: str) -> str:
    """What can be found without understanding the whole: members of JSON, header lines."""
    headless = _HEADER.sub(rf"\1\2 {GONE}", text)
    unnamed = _NAMED.sub(rf"\1 {GONE}", headless)  # because: what follows a credential's name cannot be told apart here
    return _SECRET.sub(rf"\1{GONE}\3", _MEMBER.sub(_cut, unnamed))


def _cut(match: re.Match[str]) -> str:
    return f"{match[1]}{shortened(match[2])}{match[3]}"
